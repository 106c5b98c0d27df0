#include "lowerlevel/softmax_pairs.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"

/* Rows that are multiplied at once. */
enum { GROUP = 256 };
static const uint64_t seed = 0x70616972; /* of every sample: a sample is no source of noise between points */

/* Σ_{k<l} p_k p_l of each of n columns p[classes][n], without cancellation; sum holds n numbers. */
static void pair_sums(size_t classes, size_t n, const double *restrict p, double *restrict sum, double *restrict out) {
  for (size_t i = 0; i < n; i++) out[i] = sum[i] = 0;
  for (size_t k = 0; k < classes; k++)
    for (size_t i = 0; i < n; i++) {
      out[i] += sum[i] * p[k * n + i];
      sum[i] += p[k * n + i];
    }
}

static size_t block_at(const BtSoftmaxRows *r, size_t first) {
  const size_t block = bt_softmax_block(r->features), left = r->rows - first;
  return left < block ? left : block;
}

void bt_softmax_pairs_total(const BtSoftmaxRows *r, const double *p, double *total) {
  enum { AT_ONCE = 512 };
  const size_t d = r->features;
  double sum[AT_ONCE], pairs[AT_ONCE];
  memset(total, 0, (d + 1) * sizeof *total);
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = block_at(r, first);
    pair_sums(r->classes, n, p + first * r->classes, sum, pairs);
    for (size_t i = 0; i < n; i++) {
      const double *x = r->x + (first + i) * d;
      for (size_t j = 0; j < d; j++) total[j] += pairs[i] * x[j] * x[j];
      total[d] += pairs[i];
    }
  }
}

size_t bt_softmax_pairs_additions(size_t rows) { return GROUP + rows / GROUP + 2; }

size_t bt_softmax_pairs_work(size_t rows, size_t features) { return 2 * rows + GROUP * features; }

/* Rows of one pair, collected to be multiplied together. */
typedef struct {
  size_t features, count;
  double *rows;  /* [GROUP][features] */
  double *block; /* [features]²       */
} Group;

static void multiply(Group *g) {
  if (g->count > 0)
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)g->features, (int)g->count, 1, g->rows,
                (int)g->features, 1, g->block, (int)g->features);
  g->count = 0;
}

static void take(Group *g, const double *x, double weight) {
  const double factor = sqrt(weight);
  double *row = g->rows + g->count * g->features;
  for (size_t j = 0; j < g->features; j++) row[j] = factor * x[j];
  if (++g->count == GROUP) multiply(g);
}

/* Terms of one pair. Along a row's pairs the probabilities are added up from a random start; a term is taken where
 * the sum passes an integer, so that a row gives the number of terms that is expected of it, up to one. */
static size_t sample_pair(const BtSoftmaxRows *r, const double *p, size_t k, size_t l, BtPairsWeight which,
                          const double *rate, double *place, Group *group) {
  size_t taken = 0;
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = block_at(r, first);
    const double *pk = p + first * r->classes + k * n, *pl = p + first * r->classes + l * n;
    for (size_t i = 0; i < n; i++) {
      const double weight = pk[i] * pl[i], chance = fmin(1, rate[first + i] * weight);
      place[first + i] += chance;
      if (!(place[first + i] >= 1)) continue;
      place[first + i] -= 1;
      take(group, r->x + (first + i) * r->features,
           which == BT_PAIRS_UNBIASED ? weight / chance : weight);
      taken++;
    }
  }
  multiply(group);
  return taken;
}

size_t bt_softmax_pairs_sample(const BtSoftmaxRows *r, const double *p, const double *c,
                               BtPairsWeight weight, uint64_t first, double *blocks, double *work) {
  const size_t d = r->features;
  double *rates = work, *place = work + r->rows;
  Group group = {.features = d, .rows = work + 2 * r->rows, .block = blocks};
  size_t taken = 0;
  for (size_t i = 0; i < r->rows; i++) {
    const double *x = r->x + i * d;
    rates[i] = 0;
    for (size_t j = 0; j < d; j++) rates[i] += c[j] * x[j] * x[j];
    place[i] = bt_rng_uniform(seed, 0, first + i);
  }
  for (size_t k = 0; k < r->classes; k++)
    for (size_t l = k + 1; l < r->classes; l++, group.block += d * d)
      taken += sample_pair(r, p, k, l, weight, rates, place, &group);
  return taken;
}

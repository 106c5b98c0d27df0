/* Spectral bounds of filter banks and of Gram matrices against norms of matrices written out in full. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "regularizers/filter_spectrum.h"
#include "regularizers/gram.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { MOST_FILTERS = 4, MOST_SIZE = 7, MOST_PIXELS = 400 };

typedef enum { RANDOM, PARITY } Kind;

typedef struct {
  BtFilterBank bank;
  double taps[MOST_FILTERS * MOST_SIZE * MOST_SIZE], a[MOST_FILTERS];
} Bank;

/* Random taps, or products of cosines, each even or odd in either direction. */
static void fill(Bank *b, size_t filters, size_t size, Kind kind, uint64_t seed) {
  for (size_t k = 0; k < filters; k++) {
    b->a[k] = bt_rng_uniform(seed, 1, k) + 0.1;
    for (size_t i = 0; i < size; i++)
      for (size_t j = 0; j < size; j++) {
        const size_t at = (k * size + i) * size + j;
        const double u = (double)(k % size), v = (double)((k + 1) % size), n = (double)size, pi = acos(-1.0);
        b->taps[at] = kind == RANDOM
                          ? bt_rng_normal(seed, 2, at)
                          : cos(pi * u * ((double)i + 0.5) / n) * cos(pi * v * ((double)j + 0.5) / n);
      }
  }
  b->bank = (BtFilterBank){.filters = filters, .size = size, .taps = b->taps};
}

/* Pixel under position i of a line of n that is mirrored at both ends for ever. */
static size_t mirror(long i, size_t n) {
  while (i < 0 || i >= (long)n) i = i < 0 ? -1 - i : 2 * (long)n - 1 - i;
  return (size_t)i;
}

/* m[n][n] ← Σ_k a_k C_kᵀC_k, of all positions or of those whose window lies inside. */
static void normal_matrix(const Bank *b, BtShape s, int inside_only, double *m) {
  const size_t size = b->bank.size, n = bt_shape_size(s);
  const long before = ((long)size - 1) / 2;
  memset(m, 0, n * n * sizeof *m);
  for (size_t k = 0; k < b->bank.filters; k++)
    for (long r = 0; r < (long)s.height; r++)
      for (long c = 0; c < (long)s.width; c++) {
        double row[MOST_PIXELS] = {0};
        const int inside = r >= before && c >= before && r - before + (long)size <= (long)s.height &&
                           c - before + (long)size <= (long)s.width;
        if (inside_only && !inside) continue;
        for (size_t i = 0; i < size; i++)
          for (size_t j = 0; j < size; j++)
            row[mirror(r + (long)i - before, s.height) * s.width + mirror(c + (long)j - before, s.width)] +=
                b->taps[(k * size + i) * size + j];
        for (size_t p = 0; p < n; p++)
          for (size_t q = 0; row[p] != 0 && q < n; q++) m[p * n + q] += b->a[k] * row[p] * row[q];
      }
}

/* Largest eigenvalue by power iteration: from below, and close. */
static double largest_eigenvalue(const double *m, size_t n) {
  double v[MOST_PIXELS], w[MOST_PIXELS], value = 0;
  for (size_t j = 0; j < n; j++) v[j] = bt_rng_normal(9, 9, j);
  for (int k = 0; k < 400; k++) {
    double length = 0;
    for (size_t j = 0; j < n; j++) length += v[j] * v[j];
    for (size_t j = 0; j < n; j++) v[j] /= sqrt(length);
    value = 0;
    for (size_t p = 0; p < n; p++) {
      w[p] = 0;
      for (size_t q = 0; q < n; q++) w[p] += m[p * n + q] * v[q];
      value += w[p] * v[p];
    }
    if (!(value > 0)) return 0;
    memcpy(v, w, n * sizeof *v);
  }
  return value;
}

static const BtShape shapes[] = {{1, 1}, {1, 6}, {2, 3}, {3, 3}, {5, 8}, {9, 4}, {20, 20}};
static const struct { size_t filters, size; } banks[] = {{1, 2}, {2, 3}, {3, 4}, {4, 5}, {3, 7}};

static void bounds_hold(void) {
  static double m[MOST_PIXELS * MOST_PIXELS];
  double tightest = 0;
  for (size_t k = 0; k < COUNT(banks); k++)
    for (int kind = RANDOM; kind <= PARITY; kind++) {
      Bank b;
      fill(&b, banks[k].filters, banks[k].size, (Kind)kind, 20 + k);
      const double plain = bt_filter_spectrum_bound(&b.bank, b.a),
                   extended = bt_filter_spectrum_extended(&b.bank, b.a);
      BT_CHECK_ROW(extended <= 4 * plain * (1 + 1e-12), "bank %zu kind %d: extended %g, plain %g", k, kind,
                   extended, plain);
      if (kind == PARITY && b.bank.size % 2 == 1)
        BT_CHECK_ROW(extended <= plain * (1 + 1e-6), "bank %zu has parity: extended %g, plain %g", k,
                     extended, plain);
      for (size_t s = 0; s < COUNT(shapes); s++) {
        const size_t n = bt_shape_size(shapes[s]);
        normal_matrix(&b, shapes[s], 1, m);
        const double inside = largest_eigenvalue(m, n);
        normal_matrix(&b, shapes[s], 0, m);
        const double all = largest_eigenvalue(m, n);
        BT_CHECK_ROW(inside <= plain, "bank %zu kind %d %zux%zu: inside %g, bound %g", k, kind,
                     shapes[s].height, shapes[s].width, inside, plain);
        BT_CHECK_ROW(all <= extended, "bank %zu kind %d %zux%zu: all %g, bound %g", k, kind, shapes[s].height,
                     shapes[s].width, all, extended);
        tightest = fmax(tightest, all / extended);
        /* On a large image little is lost. */
        if (n == MOST_PIXELS)
          BT_CHECK_ROW(plain <= 1.5 * inside, "bank %zu kind %d: bound %g for %g", k, kind, plain, inside);
      }
    }
  BT_CHECK(tightest > 0.9);
}

/* The bound is of the continuous spectrum: its maximum over frequencies far finer than any grid. */
static void bound_covers_all_frequencies(void) {
  enum { STEPS = 700 };
  for (size_t k = 0; k < COUNT(banks); k++) {
    Bank b;
    fill(&b, banks[k].filters, banks[k].size, RANDOM, 30 + k);
    const size_t size = b.bank.size;
    double largest = 0;
    for (int u = 0; u <= STEPS; u++)
      for (int v = 0; v < STEPS; v += 7) {
        const double wy = acos(-1.0) * u / STEPS, wx = 2 * acos(-1.0) * v / STEPS;
        double sum = 0;
        for (size_t f = 0; f < b.bank.filters; f++) {
          double re = 0, im = 0;
          for (size_t j = 0; j < size * size; j++) {
            const double phase = wy * (double)(j / size) + wx * (double)(j % size);
            re += b.taps[f * size * size + j] * cos(phase), im += b.taps[f * size * size + j] * sin(phase);
          }
          sum += b.a[f] * (re * re + im * im);
        }
        largest = fmax(largest, sum);
      }
    const double bound = bt_filter_spectrum_bound(&b.bank, b.a);
    BT_CHECK_ROW(largest <= bound && bound <= 1.06 * largest, "bank %zu: bound %g, largest %g", k, bound,
                 largest);
  }
}

static double log_smooth(Bank *b) { return log(bt_filter_spectrum_smooth(&b->bank, b->a, NULL, NULL)); }

static void smooth_bound_and_its_derivatives(void) {
  static const double step = 1e-5;
  for (size_t k = 0; k < COUNT(banks); k++) {
    Bank b;
    double by_log_a[MOST_FILTERS], by_taps[MOST_FILTERS * MOST_SIZE * MOST_SIZE];
    fill(&b, banks[k].filters, banks[k].size, RANDOM, 40 + k);
    const double smooth = bt_filter_spectrum_smooth(&b.bank, b.a, by_log_a, by_taps);
    const double bound = bt_filter_spectrum_bound(&b.bank, b.a);
    BT_CHECK_ROW(smooth >= bound * (1 - 1e-12) && smooth <= 1.1 * bound, "bank %zu: smooth %g, bound %g", k,
                 smooth, bound);
    for (size_t f = 0; f < b.bank.filters; f++) {
      const double a = b.a[f];
      b.a[f] = a * exp(step);
      const double up = log_smooth(&b);
      b.a[f] = a * exp(-step);
      const double slope = (up - log_smooth(&b)) / (2 * step);
      b.a[f] = a;
      BT_CHECK_ROW(fabs(slope - by_log_a[f]) <= 1e-6, "bank %zu: by log a_%zu %g, differences %g", k, f,
                   by_log_a[f], slope);
    }
    for (size_t j = 0; j < b.bank.filters * b.bank.size * b.bank.size; j++) {
      const double c = b.taps[j];
      b.taps[j] = c + step;
      const double up = log_smooth(&b);
      b.taps[j] = c - step;
      const double slope = (up - log_smooth(&b)) / (2 * step);
      b.taps[j] = c;
      BT_CHECK_ROW(fabs(slope - by_taps[j]) <= 1e-6 * (1 + fabs(slope)),
                   "bank %zu: by tap %zu %g, differences %g", k, j, by_taps[j], slope);
    }
  }
}

static void nothing_has_norm_nothing(void) {
  Bank b;
  double by_log_a[MOST_FILTERS], by_taps[MOST_FILTERS * MOST_SIZE * MOST_SIZE];
  fill(&b, 2, 5, RANDOM, 50);
  memset(b.taps, 0, sizeof b.taps);
  BT_CHECK(bt_filter_spectrum_bound(&b.bank, b.a) == 0);
  BT_CHECK(bt_filter_spectrum_extended(&b.bank, b.a) == 0);
  BT_CHECK(bt_filter_spectrum_smooth(&b.bank, b.a, by_log_a, by_taps) == 0);
  BT_CHECK(by_log_a[0] == 0 && by_taps[7] == 0);
}

/* Gram matrices of rank-one and of random factors, and one that is a multiple of the identity. */
static void gram_norms(void) {
  static double g[MOST_PIXELS * MOST_PIXELS], m[MOST_PIXELS * MOST_PIXELS], work[MOST_PIXELS * MOST_PIXELS];
  static const size_t sizes[] = {1, 2, 7, 60, 256, 300};
  for (size_t k = 0; k < COUNT(sizes); k++)
    for (size_t rank = 0; rank <= 12; rank += 4) {
      const size_t n = sizes[k];
      memset(g, 0, n * n * sizeof *g);
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
          for (size_t r = 0; r < rank; r++) g[i * n + j] += bt_rng_normal(60, r, i) * bt_rng_normal(60, r, j);
          if (rank == 0) g[i * n + j] = i == j ? 3 : 0;
        }
      memcpy(m, g, n * n * sizeof *m);
      const double norm = largest_eigenvalue(m, n), bound = bt_gram_norm(n, g, work);
      BT_CHECK_ROW(norm <= bound && bound <= (n > 256 ? 20 : 1.05) * norm,
                   "n %zu rank %zu: bound %g, norm %g", n, rank, bound, norm);
    }
  memset(g, 0, sizeof g);
  BT_CHECK(bt_gram_norm(5, g, work) == 0);
  g[2] = (double)NAN;
  BT_CHECK(isnan(bt_gram_norm(5, g, work)));
}

static const BtTest tests[] = {
    {"bounds against full matrices", bounds_hold},
    {"the bound covers all frequencies", bound_covers_all_frequencies},
    {"the smooth bound and its derivatives", smooth_bound_and_its_derivatives},
    {"filters of zeros", nothing_has_norm_nothing},
    {"norms of Gram matrices", gram_norms},
};

int main(void) { return bt_test_main("filter spectrum", tests, COUNT(tests)); }

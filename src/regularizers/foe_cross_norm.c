/* Upper bounds of ‖J(x)‖ for fields of experts. With f_k = w_k φ'(C_k x) and h_k = w_k φ″(C_k x),
 *   J v = v₀ ∇R + Σ_k C_kᵀ[v_k f_k + v_νk ∂_{log ν}f_k + v_ρk ∂_ratio f_k + h_k X̄ v_ck] + Σ_k Σ_j v_ckj S_jᵀ
 * f_k, X̄ the patches of x less their means, S_j the shift by tap j of the extended image. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "regularizers/filter_spectrum.h"
#include "regularizers/foe_bounds_internal.h"
#include "regularizers/foe_sups_internal.h"
#include "regularizers/gram.h"

/* Covers the rounding of sums of positive numbers. */
static const double slack = 1 + 1e-9;

typedef struct {
  BtFoe foe;
  BtShape shape;
  const double *energy; /* [shape] of x's patches                    */
  const double *radius; /* [K] error of a response                   */
  double *columns;      /* [K] squared norm of what C_kᵀ acts upon    */
  double *gram;         /* [K][K] of the f_k                          */
} Job;

static double squared(double x) { return x * x; }

/* ∂_{log ν}φ' and ∂_ratio φ', and φ' itself. */
static double slopes(BtFoeKind kind, double nu, double tau, double t, double *first) {
  const double e2 = t * t + nu * nu;
  if (kind == BT_FOE_LOGARITHM) {
    *first = 2 * t / e2;
    return squared(4 * t * (nu / e2) * (nu / e2));
  }
  const double e = sqrt(e2), by_nu = t * (nu / e) * (nu / e) / e;
  *first = t / e;
  if (kind == BT_FOE_ROOT) return squared(by_nu);
  const double f = sqrt(t * t + tau * tau), by_tau = t * (tau / f) * (tau / f) / f;
  *first -= t / f;
  return squared(by_nu - by_tau) + squared((1 - nu / tau) * by_tau);
}

static void act(void *user, const BtBankRow *r) {
  Job *job = user;
  const BtFoe *foe = &job->foe;
  const double *energy = job->energy + r->row * job->shape.width;
  double *t = r->t[0];
  for (size_t k = 0; k < foe->filters; k++) {
    const double w = foe->weight[k], nu = foe->nu[k], tau = foe->tau[k];
    double sum = 0, *tk = t + k * r->stride;
    for (size_t c = 0; c < r->columns; c++) {
      const BtFoeKind kind = bt_foe_kind(foe, job->shape, r->row, c);
      double first;
      sum += slopes(kind, nu, tau, tk[c], &first) + squared(first);
      sum += squared(bt_foe_sups(kind, nu, tau, tk[c], job->radius[k]).second) * energy[c];
      tk[c] = w * first;
    }
    job->columns[k] += w * w * sum;
  }
  for (size_t k = 0; k < foe->filters; k++)
    for (size_t l = k; l < foe->filters; l++) {
      const double *a = t + k * r->stride, *b = t + l * r->stride;
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (size_t c = 0; c < r->columns; c++) sum += a[c] * b[c];
      job->gram[k * foe->filters + l] += sum;
    }
}

static double norm_of(const double *x, size_t n) {
  double sum = 0;
  for (size_t j = 0; j < n; j++) sum += x[j] * x[j];
  return sqrt(sum);
}

static double largest_of(const double *x, size_t n) {
  double largest = 0;
  for (size_t j = 0; j < n; j++) largest = fmax(largest, fabs(x[j]));
  return largest;
}

/* With b_k = ‖(f_k, ∂f_k, h_k X̄)‖² the sum of the squared columns, ‖Σ_k C_kᵀ(…)‖ ≤ ‖Σ_k b_k C_kᵀC_k‖^½‖v‖;
 * the last part of J is V ↦ Σ_k Σ_j v_kj S_jᵀ f_k, of norm ≤ ‖(f_1 … f_K)‖ times that of q ↦ its patches. */
static double by_spectrum(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const size_t k = reg->filters, n = bt_shape_size(shape);
  double bound = (double)NAN;
  Job job = {.shape = shape};
  double *block = calloc(2 * n + 2 * k + 2 * k * k, sizeof *block);
  if (!block || bt_foe_open(reg, theta, &job.foe) < 0) goto done;
  double *energy = block, *gradient = energy + n, *radius = gradient + n;
  const double largest = largest_of(x, n);
  job.columns = radius + k;
  job.gram = job.columns + k;
  job.energy = energy;
  job.radius = radius;
  for (size_t j = 0; j < k; j++)
    radius[j] = DBL_EPSILON * largest * bt_foe_response_rounding(&job.foe, theta + l.taps, j);
  if (bt_foe_patch_energy(shape, reg->size, x, energy) >= 0 &&
      bt_bank_sweep(&(BtBankSweep){.bank = {&job.foe.bank},
                                   .image = {x},
                                   .inputs = 1,
                                   .outputs = 1,
                                   .out = gradient,
                                   .act = act,
                                   .user = &job},
                    shape) >= 0) {
    const double shifts = bt_foe_coverage(shape, reg->size) * bt_gram_norm(k, job.gram, job.gram + k * k);
    const double filters = sqrt(bt_filter_spectrum_extended(&job.foe.bank, job.columns)) + sqrt(shifts);
    bound = slack * (hypot(norm_of(gradient, n), filters) +
                     0.5 * DBL_EPSILON * bt_foe_cross_rounding(reg, &job.foe, shape, theta, largest));
  }
done:
  bt_foe_clear(&job.foe);
  free(block);
  return bound;
}

/* Where all of J fits: so many parameters, so many numbers. */
enum { FEW = 256, ROOM = 1 << 22 };

static int is_small(const BtRegularizer *reg, BtShape shape) {
  return reg->parameters <= FEW && reg->parameters * bt_shape_size(shape) <= ROOM;
}

/* columns[p][n] ← J, each filter's by a model of that filter alone; gradient is the sum of those by weight.
 */
static void form_columns(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                         double *columns) {
  const BtFoeLayout all = bt_foe_layout(reg);
  const BtRegularizer one = bt_foe((BtFoePotential)reg->variant, 1, reg->size);
  const BtFoeLayout own = bt_foe_layout(&one);
  const size_t n = bt_shape_size(shape), area = reg->size * reg->size;
  double *part = columns + all.end * n, *unit = part + own.end;
  memset(columns, 0, n * sizeof *columns);
  for (size_t k = 0; k < reg->filters; k++) {
    part[0] = theta[0];
    part[own.weights] = theta[all.weights + k];
    part[own.smoothings] = theta[all.smoothings + k];
    if (own.taps > own.ratios) part[own.ratios] = theta[all.ratios + k];
    memcpy(part + own.taps, theta + all.taps + k * area, area * sizeof *part);
    for (size_t j = 1; j < own.end; j++) {
      const size_t at = j == own.weights      ? all.weights + k
                        : j == own.smoothings ? all.smoothings + k
                        : j < own.taps        ? all.ratios + k
                                              : all.taps + k * area + j - own.taps;
      memset(unit, 0, own.end * sizeof *unit);
      unit[j] = 1;
      one.ops->cross_mult(&one, shape, part, x, unit, columns + at * n);
    }
    for (size_t i = 0; i < n; i++) columns[i] += columns[(all.weights + k) * n + i];
  }
}

/* The upper triangle of columns·columnsᵀ, a stretch of pixels at a time. */
static void form_gram(size_t p, size_t n, const double *columns, double *gram) {
  enum { STRETCH = 512 };
  memset(gram, 0, p * p * sizeof *gram);
  for (size_t from = 0; from < n; from += STRETCH) {
    const size_t length = n - from < STRETCH ? n - from : STRETCH;
    for (size_t j = 0; j < p; j++)
      for (size_t k = j; k < p; k++) {
        const double *a = columns + j * n + from, *b = columns + k * n + from;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < length; i++) sum += a[i] * b[i];
        gram[j * p + k] += sum;
      }
  }
}

/* ‖J‖ ≤ ‖computed J‖ + √p times what one column is off by; the computed Gram matrix is off by γ_n times its
 * trace. */
static double by_columns(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                         double *work) {
  const size_t p = reg->parameters, n = bt_shape_size(shape);
  double *gram = work, *other = gram + p * p, *columns = other + p * p, trace = 0;
  BtFoe foe;
  if (bt_foe_open(reg, theta, &foe) < 0) return (double)NAN;
  form_columns(reg, shape, theta, x, columns);
  form_gram(p, n, columns, gram);
  for (size_t j = 0; j < p; j++) trace += gram[j * p + j];
  const double square = bt_gram_norm(p, gram, other) + 2 * DBL_EPSILON * (double)(n + p) * trace;
  const double off = 0.5 * DBL_EPSILON * bt_foe_cross_rounding(reg, &foe, shape, theta, largest_of(x, n));
  bt_foe_clear(&foe);
  return sqrt(square) + sqrt((double)p) * off;
}

size_t bt_foe_cross_norm_work(const BtRegularizer *reg, BtShape shape) {
  const size_t p = reg->parameters;
  return is_small(reg, shape) ? 2 * p * p + p * bt_shape_size(shape) + 2 * (4 + reg->size * reg->size) : 0;
}

double bt_foe_cross_norm(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                         double *work) {
  const double bound = by_spectrum(reg, shape, theta, x);
  return is_small(reg, shape) ? fmin(bound, by_columns(reg, shape, theta, x, work)) : bound;
}

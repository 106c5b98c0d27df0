/* Bounds of fields of experts on a ball: how far H q, Jᵀq and J can move while x moves by ε. With responses t
 * = C_k x, u = C_k q, and e the step, |(C_k e)_p| ≤ r_k ε at each pixel, potentials' derivatives are bounded
 * over t ± r_k ε; docs/methods.md has the steps from there. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "regularizers/filter_spectrum.h"
#include "regularizers/foe_bounds_internal.h"
#include "regularizers/foe_sups_internal.h"
#include "regularizers/root_remainder_internal.h"

static const double slack = 1 + 1e-9;

/* One filter's sums and maxima over pixels of suprema s₂, s₃, … of w|φ″|, w|φ‴|, …; E_x, E_q the norms of
 * centred patches. */
typedef struct {
  double hessian;                               /* max s₃|u|                                    */
  double remainder;                             /* max ρ|u|, root_remainder_internal.h          */
  double by_weight, by_smoothing, by_ratio;     /* Σ (s|u|)², s bounding the derivative of ∂f      */
  double by_patch_q, by_patch_x;                /* Σ (s₂E_q)², Σ (s₃|u|E_x)²                   */
  double second, smoothing, ratio, third_patch; /* max s₂, …, max s₃E_x                         */
} Sums;

typedef struct {
  BtFoe foe;
  BtShape shape;
  const double *energy_x, *energy_q; /* [shape]                                 */
  const double *radius;              /* [K] of t                                */
  const double *allowance;           /* [K] what |u| may be more than computed  */
  const double *t_rounding;          /* [K] what t may be off by                */
  Sums *sums;                        /* [K]                                     */
} Job;

static void add_pixel(const Job *job, size_t k, BtFoeKind kind, double t, double u, double ex, double eq,
                      Sums *sums) {
  const BtFoeSups s = bt_foe_sups(kind, job->foe.nu[k], job->foe.tau[k], t, job->radius[k]);
  const double size = fabs(u) + job->allowance[k], u2 = size * size;
  sums->hessian = fmax(sums->hessian, s.third * size);
  sums->remainder = fmax(
      sums->remainder, kind == BT_FOE_ROOT ? bt_root_remainder(fabs(t), job->radius[k], job->foe.nu[k]) * size
                                           : (double)INFINITY);
  sums->by_weight += s.second * s.second * u2;
  sums->by_smoothing += s.by_smoothing * s.by_smoothing * u2;
  sums->by_ratio += s.by_ratio * s.by_ratio * u2;
  sums->by_patch_q += s.second * s.second * eq;
  sums->by_patch_x += s.third * s.third * u2 * ex;
  sums->second = fmax(sums->second, s.second);
  sums->smoothing = fmax(sums->smoothing, s.by_smoothing);
  sums->ratio = fmax(sums->ratio, s.by_ratio);
  sums->third_patch = fmax(sums->third_patch, s.third * s.third * ex);
}

/* t ← w φ″(t) u, for ∇²R q. */
static double curved(BtFoeKind kind, double nu, double tau, double t) {
  const double s = t * t + nu * nu;
  if (kind == BT_FOE_LOGARITHM) return bt_foe_log_second(t, nu * nu);
  const double near = nu * nu / s / sqrt(s);
  if (kind == BT_FOE_ROOT) return near;
  const double s2 = t * t + tau * tau;
  return near - tau * tau / s2 / sqrt(s2);
}

static void act(void *user, const BtBankRow *r) {
  Job *job = user;
  const BtFoe *foe = &job->foe;
  const size_t at = r->row * job->shape.width;
  for (size_t k = 0; k < foe->filters; k++) {
    double *t = (double *)r->t[0] + k * r->stride;
    const double *u = (const double *)r->t[1] + k * r->stride;
    Sums sums = job->sums[k];
    for (size_t c = 0; c < r->columns; c++) {
      const BtFoeKind kind = bt_foe_kind(foe, job->shape, r->row, c);
      add_pixel(job, k, kind, t[c], u[c], job->energy_x[at + c], job->energy_q[at + c], &sums);
      t[c] = foe->weight[k] * curved(kind, foe->nu[k], foe->tau[k], t[c]) * u[c];
    }
    job->sums[k] = sums;
  }
}

static double largest_of(const double *x, size_t n) {
  double largest = 0;
  for (size_t j = 0; j < n; j++) largest = fmax(largest, fabs(x[j]));
  return largest;
}

static double norm_of(const double *x, size_t n) {
  double sum = 0;
  for (size_t j = 0; j < n; j++) sum += x[j] * x[j];
  return sqrt(sum);
}

/* ‖Σ_k a_k C_kᵀC_k‖ for a_k = w_k times one of the sums. */
#define SPECTRUM(value)                           \
  for (size_t j = 0; j < job->foe.filters; j++) { \
    const Sums *s = &job->sums[j];                \
    const double w = job->foe.weight[j];          \
    a[j] = value;                                 \
  }                                               \
  norm = bt_filter_spectrum_extended(&job->foe.bank, a)

/* V_H ≤ ε‖Σ_k M_k C_kᵀC_k‖, M_k = max s₃|u|. */
static double hessian_change(const Job *job, double *a) {
  double norm;
  SPECTRUM(w * s->hessian);
  return norm;
}

/* K: pixels and filters share the energy of the step. The rounding of t moves ρ by a few times its share of
 * ν. */
static double remainder_of(const Job *job) {
  double largest = 0;
  for (size_t k = 0; k < job->foe.filters; k++)
    largest = fmax(largest, job->sums[k].remainder * (1 + 4 * job->t_rounding[k] / job->foe.nu[k]));
  return largest;
}

/* V_J/ε: the global weight, moved by eᵀ∇²R q; then for each filter numbers of size (…)‖C_k e‖; and patches of
 * e. */
static double cross_change(const Job *job, double by_global, double coverage, double *a) {
  double norm, patches = 0;
  SPECTRUM(
      w * w *
      (s->by_weight + s->by_smoothing + s->by_ratio + pow(sqrt(s->by_patch_q) + sqrt(s->by_patch_x), 2)));
  for (size_t k = 0; k < job->foe.filters; k++)
    patches += job->foe.weight[k] * job->foe.weight[k] * job->sums[k].by_weight;
  return hypot(by_global, sqrt(norm) + sqrt(coverage * patches));
}

/* N_J/ε. */
static double norm_change(const Job *job, double coverage, double *a) {
  double norm;
  SPECTRUM(w * s->second);
  const double weights = norm;
  SPECTRUM(w * s->smoothing);
  const double smoothings = norm;
  SPECTRUM(w * s->ratio);
  const double ratios = norm;
  SPECTRUM(w * sqrt(s->third_patch));
  const double responses = norm;
  SPECTRUM(w * w * s->second * s->second);
  const double taps = responses + 2 * sqrt(coverage * norm);
  return sqrt(2 * weights * weights + smoothings * smoothings + ratios * ratios + taps * taps);
}

void bt_foe_variation(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                      const double *q, double eps, BtVariation *variation) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const size_t k = reg->filters, n = bt_shape_size(shape);
  const double largest = largest_of(x, n), largest_q = largest_of(q, n), none = (double)NAN;
  Job job = {.shape = shape};
  double *block = calloc(3 * n + 4 * k, sizeof *block);
  Sums *sums = calloc(k, sizeof *sums);
  *variation = (BtVariation){none, none, none, none, none, none};
  if (!block || !sums || bt_foe_open(reg, theta, &job.foe) < 0) goto done;
  double *energy_x = block, *energy_q = energy_x + n, *product = energy_q + n, *radius = product + n;
  double *allowance = radius + k, *a = allowance + k, *t_rounding = a + k;
  for (size_t j = 0; j < k; j++) {
    const double rounding = DBL_EPSILON * bt_foe_response_rounding(&job.foe, theta + l.taps, j);
    radius[j] = slack * bt_foe_row_norm(&job.foe, shape, j) * eps + rounding * largest;
    allowance[j] = rounding * largest_q;
    t_rounding[j] = rounding * largest;
  }
  job.energy_x = energy_x;
  job.energy_q = energy_q;
  job.radius = radius;
  job.allowance = allowance;
  job.t_rounding = t_rounding;
  job.sums = sums;
  if (bt_foe_patch_energy(shape, reg->size, x, energy_x) < 0 ||
      bt_foe_patch_energy(shape, reg->size, q, energy_q) < 0 ||
      bt_bank_sweep(&(BtBankSweep){.bank = {&job.foe.bank, &job.foe.bank},
                                   .image = {x, q},
                                   .inputs = 2,
                                   .outputs = 1,
                                   .out = product,
                                   .act = act,
                                   .user = &job},
                    shape) < 0)
    goto done;
  const double coverage = bt_foe_coverage(shape, reg->size);
  const double rounding =
      0.5 * DBL_EPSILON * bt_foe_cross_rounding(reg, &job.foe, shape, theta, largest) * norm_of(q, n);
  variation->hessian = slack * hessian_change(&job, a) * eps;
  variation->remainder = slack * remainder_of(&job);
  variation->hessian_rounding =
      0.5 * DBL_EPSILON * bt_foe_hessian_rounding(reg, &job.foe, shape, theta, largest) * norm_of(q, n);
  const double by_global = norm_of(product, n) + variation->hessian + variation->hessian_rounding;
  variation->cross = slack * cross_change(&job, by_global, coverage, a) * eps;
  variation->cross_norm = slack * norm_change(&job, coverage, a) * eps;
  variation->cross_rounding = slack * rounding;
done:
  bt_foe_clear(&job.foe);
  free(sums);
  free(block);
}

/* Fields of experts: every operator is one sweep of the filter bank (filter_bank.h) with the potentials of
 * foe_rows_internal.h applied row by row. */
#include "regularizers/foe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "regularizers/filter_spectrum.h"
#include "regularizers/foe_bounds_internal.h"
#include "regularizers/foe_internal.h"
#include "regularizers/foe_rows_internal.h"

/* What the row functions of a sweep share. */
typedef struct {
  BtFoe foe;
  BtShape shape;
  const BtFoeRows *rows;
  void *masks; /* [3][padded columns]: valid, inside, nowhere inside                        */
  double value;
  void *planes; /* [K][height][padded columns] second derivatives                           */
  double *by_weight, *by_smoothing, *by_ratio;          /* [K] sums of Jᵀq                   */
  const double *for_weight, *for_smoothing, *for_ratio; /* [K] factors of J v                */
} Job;

static void fill_nan(double *x, size_t n) {
  for (size_t j = 0; j < n; j++) x[j] = (double)NAN;
}

/* theta NULL: a job that needs no potentials, of filters that the caller sets. */
static BtStatus open_job(const BtRegularizer *reg, BtShape shape, const double *theta, Job *job) {
  const size_t n = bt_foe_padded(shape.width), before = (reg->size - 1) / 2, after = reg->size - 1 - before;
  job->shape = shape;
  job->rows = bt_foe_rows(reg->single);
  job->masks = calloc(3 * n, job->rows->size);
  double *ones = calloc(n, sizeof *ones);
  if (job->masks && ones) {
    for (size_t c = 0; c < shape.width; c++) ones[c] = 1;
    job->rows->convert(n, ones, job->masks);
    for (size_t c = 0; c < n; c++) ones[c] = c >= before && c + after < shape.width;
    job->rows->convert(n, ones, (char *)job->masks + n * job->rows->size);
  }
  free(ones);
  if (!job->masks || !ones) return BT_ERR_MEMORY;
  if (theta) return bt_foe_open(reg, theta, &job->foe);
  job->foe = (BtFoe){.filters = reg->filters, .size = reg->size};
  return BT_OK;
}

static void close_job(Job *job) {
  free(job->masks);
  bt_foe_clear(&job->foe);
}

static BtFoeRow row_of(const Job *job, const BtBankRow *r) {
  const size_t n = bt_foe_padded(r->columns) * job->rows->size, before = (job->foe.size - 1) / 2;
  const int inside = r->row >= before && r->row - before + job->foe.size <= job->shape.height;
  return (BtFoeRow){.foe = &job->foe,
                    .columns = r->columns,
                    .stride = r->stride,
                    .valid = job->masks,
                    .inside = (char *)job->masks + (inside ? n : 2 * n)};
}

static size_t plane_size(const Job *job) { return bt_foe_padded(job->shape.width) * job->shape.height; }

/* A row of the first plane. */
static char *planes_at(const Job *job, const BtBankRow *r) {
  return (char *)job->planes + r->row * bt_foe_padded(r->columns) * job->rows->size;
}

static void act_gradient(void *user, const BtBankRow *r) {
  Job *job = user;
  const BtFoeRow row = row_of(job, r);
  job->value += job->rows->gradient(&row, r->t[0]);
}

static void act_curvature(void *user, const BtBankRow *r) {
  Job *job = user;
  const BtFoeRow row = row_of(job, r);
  job->rows->curvature(&row, r->t[0], planes_at(job, r), plane_size(job));
}

static void act_product(void *user, const BtBankRow *r) {
  Job *job = user;
  const BtFoeRow row = row_of(job, r);
  job->rows->product(&row, planes_at(job, r), plane_size(job), r->t[0]);
}

static void act_planes(void *user, const BtBankRow *r) {
  Job *job = user;
  const size_t bytes = job->rows->size;
  for (size_t k = 0; k < job->foe.filters; k++)
    memcpy((char *)r->t[0] + k * r->stride * bytes, planes_at(job, r) + k * plane_size(job) * bytes,
           r->columns * bytes);
}

static void act_cross_adjoint(void *user, const BtBankRow *r) {
  Job *job = user;
  const BtFoeRow row = row_of(job, r);
  job->rows->cross_adjoint(&row, r->t[0], r->t[1], job->by_weight, job->by_smoothing, job->by_ratio);
}

static void act_cross_mult(void *user, const BtBankRow *r) {
  Job *job = user;
  const BtFoeRow row = row_of(job, r);
  job->rows->cross_mult(&row, r->t[0], r->t[1], job->for_weight, job->for_smoothing, job->for_ratio);
}

static double foe_value_grad(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                             double *gradient) {
  Job job = {0};
  BtStatus st = open_job(reg, shape, theta, &job);
  if (st >= 0)
    st = bt_bank_sweep(&(BtBankSweep){.bank = {&job.foe.bank},
                                      .image = {x},
                                      .inputs = 1,
                                      .outputs = 1,
                                      .out = gradient,
                                      .act = act_gradient,
                                      .user = &job,
                                      .single = reg->single},
                       shape);
  close_job(&job);
  if (st >= 0) return job.value;
  fill_nan(gradient, bt_shape_size(shape));
  return (double)NAN;
}

/* A curvature is the taps and the K planes w φ″(C x), in the precision of the products. */
static size_t taps_size(const BtRegularizer *reg) { return reg->filters * reg->size * reg->size; }

static size_t foe_curvature_size(const BtRegularizer *reg, BtShape shape) {
  const size_t planes = reg->filters * shape.height * bt_foe_padded(shape.width);
  return taps_size(reg) + (reg->single ? (planes + 1) / 2 : planes);
}

static void foe_curvature(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                          double *curvature) {
  Job job = {.planes = curvature + taps_size(reg)};
  BtStatus st = open_job(reg, shape, theta, &job);
  if (st >= 0) {
    memcpy(curvature, job.foe.taps, taps_size(reg) * sizeof *curvature);
    st = bt_bank_sweep(&(BtBankSweep){.bank = {&job.foe.bank},
                                      .image = {x},
                                      .inputs = 1,
                                      .act = act_curvature,
                                      .user = &job,
                                      .single = reg->single},
                       shape);
  }
  close_job(&job);
  if (st < 0) fill_nan(curvature, taps_size(reg));
}

static void foe_hess_mult(const BtRegularizer *reg, BtShape shape, const double *curvature, const double *v,
                          double *product) {
  const BtFilterBank bank = {.filters = reg->filters, .size = reg->size, .taps = curvature};
  Job job = {.planes = (double *)curvature + taps_size(reg)};
  BtStatus st = open_job(reg, shape, NULL, &job);
  if (st >= 0)
    st = bt_bank_sweep(&(BtBankSweep){.bank = {&bank},
                                      .image = {v},
                                      .inputs = 1,
                                      .outputs = 1,
                                      .out = product,
                                      .act = act_product,
                                      .user = &job,
                                      .single = reg->single},
                       shape);
  close_job(&job);
  if (st < 0) fill_nan(product, bt_shape_size(shape));
}

/* Σ_k (c_k ∘ c_k) ⋆ w φ″, and what the extension adds at the image's edge. */
static void foe_hess_diagonal(const BtRegularizer *reg, BtShape shape, const double *curvature,
                              double *diagonal) {
  const size_t n = taps_size(reg);
  double *squares = malloc(n * sizeof *squares);
  const BtFilterBank bank = {.filters = reg->filters, .size = reg->size, .taps = squares};
  Job job = {.planes = (double *)curvature + n};
  BtStatus st = squares ? open_job(reg, shape, NULL, &job) : BT_ERR_MEMORY;
  for (size_t j = 0; squares && j < n; j++) squares[j] = curvature[j] * curvature[j];
  if (st >= 0)
    st = bt_bank_sweep(&(BtBankSweep){.bank = {&bank},
                                      .outputs = 1,
                                      .out = diagonal,
                                      .act = act_planes,
                                      .user = &job,
                                      .single = reg->single},
                       shape);
  if (st >= 0) st = bt_foe_diagonal_folds(reg, shape, curvature, job.planes, diagonal);
  close_job(&job);
  free(squares);
  if (st < 0) fill_nan(diagonal, bt_shape_size(shape));
}

/* Jᵀq: with g1 = w φ'(Cx) and g2 = w φ″(Cx) Cq, a filter's tap j gets Σ_p g1(p) q̃(p+j) + g2(p) x̃(p+j). */
static void foe_cross_adjoint(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                              const double *q, double *product) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const size_t k = reg->filters;
  double *unused = calloc(k, sizeof *unused), *taps = product + l.taps;
  Job job = {0};
  BtStatus st = unused ? open_job(reg, shape, theta, &job) : BT_ERR_MEMORY;
  memset(product, 0, l.end * sizeof *product);
  job.by_weight = product + l.weights;
  job.by_smoothing = product + l.smoothings;
  job.by_ratio = l.taps > l.ratios ? product + l.ratios : unused;
  if (st >= 0)
    st = bt_bank_sweep(&(BtBankSweep){.bank = {&job.foe.bank, &job.foe.bank},
                                      .image = {x, q},
                                      .inputs = 2,
                                      .tap_sums = taps,
                                      .act = act_cross_adjoint,
                                      .user = &job,
                                      .single = reg->single},
                       shape);
  for (size_t j = 0; j < k; j++) product[0] += product[l.weights + j];
  bt_foe_zero_mean(k, reg->size, taps, taps);
  close_job(&job);
  free(unused);
  if (st < 0) fill_nan(product, l.end);
}

/* J v = Cᵀ[w((v0 + v_k)φ' + v_ν ∂φ'/∂log ν + v_r ∂φ'/∂ratio + φ″ Dx)] + Dᵀ w φ', D the bank of the taps of v.
 */
static void foe_cross_mult(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                           const double *v, double *product) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const size_t k = reg->filters;
  double *work = calloc(2 * k + taps_size(reg), sizeof *work);
  Job job = {0};
  BtStatus st = work ? open_job(reg, shape, theta, &job) : BT_ERR_MEMORY;
  if (st >= 0) {
    double *for_weight = work, *none = work + k, *taps = none + k;
    const BtFilterBank along = {.filters = k, .size = reg->size, .taps = taps};
    for (size_t j = 0; j < k; j++) for_weight[j] = v[0] + v[l.weights + j];
    bt_foe_zero_mean(k, reg->size, v + l.taps, taps);
    job.for_weight = for_weight;
    job.for_smoothing = v + l.smoothings;
    job.for_ratio = l.taps > l.ratios ? v + l.ratios : none;
    st = bt_bank_sweep(&(BtBankSweep){.bank = {&job.foe.bank, &along},
                                      .image = {x, x},
                                      .inputs = 2,
                                      .outputs = 2,
                                      .out = product,
                                      .act = act_cross_mult,
                                      .user = &job,
                                      .single = reg->single},
                       shape);
  }
  close_job(&job);
  free(work);
  if (st < 0) fill_nan(product, bt_shape_size(shape));
}

static const char *foe_parameter_name(const BtRegularizer *reg, size_t j) {
  const BtFoeLayout l = bt_foe_layout(reg);
  return j == 0             ? "log_weight"
         : j < l.smoothings ? "log_filter_weight"
         : j < l.ratios     ? "log_smoothing"
         : j < l.taps       ? "log_ratio"
                            : "filter";
}

static void foe_domain(const BtRegularizer *reg, size_t j, double *lo, double *hi) {
  const BtFoeLayout l = bt_foe_layout(reg);
  if (j < l.smoothings) {
    *lo = -30, *hi = 15;
  } else if (j < l.ratios) {
    *lo = -14, *hi = 8;
  } else if (j < l.taps) {
    *lo = -5, *hi = 6.5;
  } else {
    *lo = -1e3, *hi = 1e3;
  }
}

/* Smoothings a tenth of the start's are next to none: halving them further changes PSNR by less than 0.01 dB
 * and doubles the condition of every solve. */
static void foe_learning_domain(const BtRegularizer *reg, double sigma, size_t j, double *lo, double *hi) {
  const BtFoeLayout l = bt_foe_layout(reg);
  foe_domain(reg, j, lo, hi);
  if (j >= l.smoothings && j < l.ratios) *lo = fmin(*hi, fmax(*lo, log(0.01 * sigma * (double)reg->size)));
}

static const BtRegularizerOps foe_ops = {
    .name = "foe",
    .value_grad = foe_value_grad,
    .curvature_size = foe_curvature_size,
    .curvature = foe_curvature,
    .hess_mult = foe_hess_mult,
    .hess_diagonal = foe_hess_diagonal,
    .cross_mult = foe_cross_mult,
    .cross_adjoint = foe_cross_adjoint,
    .constants = bt_foe_constants,
    .variation = bt_foe_variation,
    .cross_norm = bt_foe_cross_norm,
    .cross_norm_work = bt_foe_cross_norm_work,
    .parameter_name = foe_parameter_name,
    .initial = bt_foe_initial,
    .initial_random = bt_foe_initial_random,
    .chart = bt_foe_chart,
    .chart_adjoint = bt_foe_chart_adjoint,
    .chart_inverse = bt_foe_chart_inverse,
    .domain = foe_domain,
    .learning_domain = foe_learning_domain,
};

BtRegularizer bt_foe(BtFoePotential potential, size_t filters, size_t size) {
  BtRegularizer reg = {.ops = &foe_ops, .variant = (int)potential, .filters = filters, .size = size};
  reg.parameters = bt_foe_layout(&reg).end;
  return reg;
}

#include "lowerlevel/logistic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lowerlevel/logistic_internal.h"
#include "lowerlevel/logistic_convexity_internal.h"
#include "lowerlevel/logistic_inverse_internal.h"
#include "lowerlevel/vector.h"

/* √2/(3√3): largest third derivative of log-sum-exp along a unit vector, methods.md eq. (44). */
static const double third = 0.27216552697590868;
/* Largest ‖p ∘ (1 − p)‖ over probabilities, √(4/27), rounded up. */
static const double steepest = 0.38490018;
/* What e^θ may be off by, relative. */
static const double exp_rounding = 4 * BT_ROUNDOFF;

/* The problem in one precision; BtProblem.data. */
typedef struct {
  BtLogistic *owner;
  int single;
} View;

struct BtLogistic {
  BtLogisticRows rows;
  BtRidge ridge;
  double scale; /* s */
  double floor; /* what each ridge weight is at least */
  size_t next_slot;
  BtLogisticInverse *inverse; /* NULL where there are too many unknowns */
  BtLogisticConvexity *convexity;
  double *diagonal;           /* [K·d] of the Hessian at the point of that serial number */
  double diagonal_serial;
  View view[2];
  BtProblem problem, fast;
};

/* The curvature of a point: its slot and serial number, then its ridge weights and w, from which the slot is
 * filled again if it was needed for another point. */
enum { CURVATURE_SLOT, CURVATURE_SERIAL, CURVATURE_HEAD };

size_t bt_ridge_parameters(BtRidge ridge, size_t features, size_t classes) {
  switch (ridge) {
    case BT_RIDGE_CLASS: return classes;
    case BT_RIDGE_FEATURE: return features;
    case BT_RIDGE_COEFFICIENT: return features * classes;
    case BT_RIDGE_ONE: break;
  }
  return 1;
}

size_t bt_ridge_group(BtRidge ridge, size_t features, size_t j) {
  switch (ridge) {
    case BT_RIDGE_CLASS: return j / features;
    case BT_RIDGE_FEATURE: return j % features;
    case BT_RIDGE_COEFFICIENT: return j;
    case BT_RIDGE_ONE: break;
  }
  return 0;
}

static const View *view(const BtProblem *problem) { return problem->data; }
static BtLogistic *self(const BtProblem *problem) { return view(problem)->owner; }
static size_t unknowns(const BtLogistic *l) { return l->rows.features * l->rows.classes; }
static size_t group(const BtLogistic *l, size_t j) { return bt_ridge_group(l->ridge, l->rows.features, j); }

static size_t dimension(const BtProblem *problem, size_t i) {
  (void)i;
  return unknowns(self(problem));
}

static size_t cold_start(const BtProblem *problem, size_t i, const double *theta, double *x, double *dual) {
  (void)theta, (void)dual;
  memset(x, 0, dimension(problem, i) * sizeof *x);
  return 0;
}

/* out[n] ← e^θ of each coefficient, an exponential for each group where there are few of them. */
static void spread_weights(const BtLogistic *l, const double *theta, double *out) {
  const size_t n = unknowns(l), d = l->rows.features;
  for (size_t j = 0; j < n; j++) {
    const int known = (l->ridge == BT_RIDGE_ONE && j > 0) || (l->ridge == BT_RIDGE_CLASS && j % d > 0);
    const int above = l->ridge == BT_RIDGE_FEATURE && j >= d;
    out[j] = known ? out[j - 1] : above ? out[j - d] : exp(theta[group(l, j)]) + l->floor;
  }
}

static double value_grad(const BtProblem *problem, size_t i, const double *theta, const double *x,
                         double *gradient) {
  BtLogistic *l = self(problem);
  const size_t n = unknowns(l), d = l->rows.features;
  double penalty = 0, weight = 0;
  (void)i;
  const double loss = bt_logistic_rows_value_grad(&l->rows, view(problem)->single, x, gradient);
  for (size_t j = 0; j < n; j++) {
    const int same = (l->ridge == BT_RIDGE_ONE && j > 0) || (l->ridge == BT_RIDGE_CLASS && j % d > 0);
    if (!same) weight = exp(theta[group(l, j)]) + l->floor;
    gradient[j] = l->scale * gradient[j] + weight * x[j];
    penalty += weight * x[j] * x[j];
  }
  return l->scale * loss + 0.5 * penalty;
}

static size_t curvature_size(const BtProblem *problem, size_t i) {
  return CURVATURE_HEAD + 2 * dimension(problem, i);
}

static void curvature(const BtProblem *problem, size_t i, const double *theta, const double *x, double *out) {
  BtLogistic *l = self(problem);
  const size_t n = unknowns(l), slot = l->next_slot++ % BT_LOGISTIC_SLOTS;
  (void)i;
  out[CURVATURE_SLOT] = (double)slot;
  out[CURVATURE_SERIAL] = bt_logistic_rows_prepare(&l->rows, view(problem)->single, x, slot);
  spread_weights(l, theta, out + CURVATURE_HEAD);
  memcpy(out + CURVATURE_HEAD + n, x, n * sizeof *x);
}

/* The slot of a prepared point. Others may have taken it since; then it is filled again. */
static size_t slot_of(const BtProblem *problem, const double *prepared) {
  BtLogistic *l = self(problem);
  const size_t slot = (size_t)prepared[CURVATURE_SLOT];
  if (l->rows.slot[slot].serial != prepared[CURVATURE_SERIAL]) {
    (void)bt_logistic_rows_prepare(&l->rows, view(problem)->single, prepared + CURVATURE_HEAD + unknowns(l),
                                   slot);
    l->rows.slot[slot].serial = prepared[CURVATURE_SERIAL];
  }
  return slot;
}

static void hess_mult(const BtProblem *problem, size_t i, const double *prepared, const double *v,
                      double *product) {
  BtLogistic *l = self(problem);
  (void)i;
  bt_logistic_rows_hess_mult(&l->rows, slot_of(problem, prepared), v, product);
  for (size_t j = 0; j < unknowns(l); j++)
    product[j] = l->scale * product[j] + prepared[CURVATURE_HEAD + j] * v[j];
}

static void hess_diagonal(const BtProblem *problem, size_t i, const double *prepared, double *diagonal) {
  BtLogistic *l = self(problem);
  (void)i;
  bt_logistic_rows_hess_diagonal(&l->rows, slot_of(problem, prepared), diagonal);
  for (size_t j = 0; j < unknowns(l); j++)
    diagonal[j] = l->scale * diagonal[j] + prepared[CURVATURE_HEAD + j];
}

/* By the sampled Hessian where that pays, else by the diagonal. */
static void precondition(const BtProblem *problem, size_t i, const double *prepared, const double *v,
                         double *product) {
  BtLogistic *l = self(problem);
  const size_t n = unknowns(l);
  const double serial = prepared[CURVATURE_SERIAL], *weights = prepared + CURVATURE_HEAD;
  if (bt_logistic_inverse_prepare(l->inverse, serial, weights, weights + n)) {
    bt_logistic_inverse_multiply(l->inverse, v, product);
    return;
  }
  if (l->diagonal_serial != serial) hess_diagonal(problem, i, prepared, l->diagonal);
  l->diagonal_serial = serial;
  for (size_t j = 0; j < n; j++) product[j] = v[j] / l->diagonal[j];
}

static int64_t preparation(const BtProblem *problem) {
  const BtLogistic *l = self(problem);
  return l->inverse ? bt_logistic_inverse_products(l->inverse) + bt_logistic_convexity_products(l->convexity) : 0;
}

static double *memory(const BtProblem *problem, size_t i, size_t *length) {
  (void)i;
  *length = bt_logistic_inverse_state_length(unknowns(self(problem)));
  return bt_logistic_inverse_state(self(problem)->inverse);
}

/* J = diag(e^θ w), columns of one group added up. */
static void cross_mult(const BtProblem *problem, size_t i, const double *theta, const double *x,
                       const double *v, double *product) {
  const BtLogistic *l = self(problem);
  (void)i;
  for (size_t j = 0; j < unknowns(l); j++) product[j] = exp(theta[group(l, j)]) * x[j] * v[group(l, j)];
}

static void cross_adjoint(const BtProblem *problem, size_t i, const double *theta, const double *x,
                          const double *q, double *product) {
  const BtLogistic *l = self(problem);
  (void)i;
  for (size_t g = 0; g < problem->parameters; g++) product[g] = 0;
  for (size_t j = 0; j < unknowns(l); j++) product[group(l, j)] += x[j] * q[j];
  for (size_t g = 0; g < problem->parameters; g++) product[g] *= exp(theta[g]);
}

/* max_g e^{θ_g} ‖x_g‖, x_g the coefficients of group g; work holds the squares' sums. */
static double largest_group(const BtLogistic *l, size_t parameters, const double *theta, const double *x,
                            double *work) {
  double largest = 0;
  for (size_t g = 0; g < parameters; g++) work[g] = 0;
  for (size_t j = 0; j < unknowns(l); j++) work[group(l, j)] += x[j] * x[j];
  for (size_t g = 0; g < parameters; g++) largest = fmax(largest, exp(theta[g]) * sqrt(work[g]));
  return largest * (1 + exp_rounding + bt_sum_rounding(unknowns(l)));
}

/* The columns of J are orthogonal: its norm is that of the longest. */
static double cross_norm(const BtProblem *problem, size_t i, const double *theta, const double *x,
                         double *work) {
  (void)i;
  return largest_group(self(problem), problem->parameters, theta, x, work);
}

static size_t cross_norm_work(const BtProblem *problem, size_t i) {
  (void)i;
  return problem->parameters;
}

/* methods.md eq. (44, 45). */
static void constants(const BtProblem *problem, size_t i, const double *theta, BtProblemConstants *k) {
  const BtLogistic *l = self(problem);
  const BtRowNorms *norms = &l->rows.norms;
  const double slack = 1 + 16 * BT_ROUNDOFF;
  double least = (double)INFINITY, most = 0;
  (void)i;
  for (size_t g = 0; g < problem->parameters; g++)
    least = fmin(least, exp(theta[g])), most = fmax(most, exp(theta[g]));
  *k = (BtProblemConstants){.mu = (least + l->floor) * (1 - exp_rounding),
                            .lipschitz = slack * (0.5 * l->scale * norms->gram + most + l->floor),
                            .hessian_lipschitz = slack * third * l->scale * norms->row * norms->gram,
                            .cross_lipschitz = most * slack,
                            .cross_sum = (double)INFINITY, /* J is not bounded */
                            .proof = BT_PROVEN};
}

/* max_k ‖w_k‖ */
static double largest_row(const BtLogistic *l, const double *x) {
  double largest = 0;
  for (size_t k = 0; k < l->rows.classes; k++)
    largest = fmax(largest, bt_norm(x + k * l->rows.features, l->rows.features));
  return largest * (1 + bt_sum_rounding(l->rows.features));
}

/* Score k of row i is off by (d+8)u‖x_i‖‖w_k‖, which moves p_i by 2·steepest times that; evaluation adds
 * (K+14)u, the sum over rows `terms` roundings of ‖p_i − e_y‖‖x_i‖ ≤ √2‖x_i‖, the ridge 8u of itself
 * (methods.md eq. (48)). */
static double gradient_rounding(const BtProblem *problem, size_t i, const double *theta,
                                const BtProblemConstants *k, const double *x) {
  const BtLogistic *l = self(problem);
  const BtRowNorms *norms = &l->rows.norms;
  const double d = (double)l->rows.features, classes = (double)l->rows.classes;
  const double sum = sqrt((double)l->rows.rows * norms->square); /* ≥ Σ‖x_i‖ */
  double ridge = 0;
  (void)i, (void)k;
  for (size_t j = 0; j < unknowns(l); j++) {
    const double term = (exp(theta[group(l, j)]) + l->floor) * x[j];
    ridge += term * term;
  }
  const double rows = 2 * steepest * (d + 8) * largest_row(l, x) * norms->square +
                      (classes + 14 + 1.4143 * (double)norms->terms) * sum;
  return 1.001 * BT_ROUNDOFF * (l->scale * rows + 8 * sqrt(ridge));
}

/* How much a computed probability may be off by, relative: 2(d + 8)u‖x_i‖‖w_k‖ from two scores, (K + 14)u from the rest. */
static double probability_rounding(const BtLogistic *l, const double *x) {
  const double size = (double)(l->rows.features + l->rows.classes) + 30;
  return 8 * BT_ROUNDOFF * size * (1 + l->rows.norms.row * largest_row(l, x));
}

static double convexity(const BtProblem *problem, size_t i, const double *theta, const double *x, double radius) {
  BtLogistic *l = self(problem);
  double *weights = malloc(unknowns(l) * sizeof *weights);
  (void)i;
  if (!weights) return 0;
  spread_weights(l, theta, weights);
  const double mu =
      bt_logistic_convexity(l->convexity, weights, x, exp_rounding, probability_rounding(l, x), radius);
  free(weights);
  return mu;
}

/* The smallest of four bounds of ‖(H(x') − H(x))q‖, methods.md eq. (46). A third central moment is at most the largest
 * deviation, ≤ √2‖Q x_i‖, times the variance: that is the remainder. */
static double hessian_variation(const BtProblem *problem, const double *x, const double *q, double norm_q,
                                double eps, double global, double *remainder) {
  BtLogistic *l = self(problem);
  const BtRowNorms *norms = &l->rows.norms;
  const BtSoftmaxSpread s = bt_logistic_rows_spread(&l->rows, x, q);
  const double gram = sqrt(norms->gram), row = norms->row, scale = l->scale;
  /* Computed deviations Q x_i − mean are off by at most this share of ‖Q x_i‖. */
  const double off = 1e-9, reach = probability_rounding(l, x);
  *remainder = sqrt(2.0) * (s.largest + off * row * norm_q) * (1 + 1e-9);
  const double by_largest = third * scale * eps * (s.largest + off * row * norm_q) * norms->gram;
  const double by_square = third * scale * eps * row * gram * (sqrt(s.square) + off * gram * norm_q);
  double bound = fmin(global, fmin(by_largest, by_square));
  if (reach <= off && row * eps < 500) {
    const double spread = sqrt(scale * s.spread) + off * row * sqrt(scale) * (sqrt(s.square) + gram * norm_q);
    bound = fmin(bound, eps * exp(row * eps / sqrt(2.0)) * spread * sqrt(scale) * gram);
  }
  return fmin(global, bound * (1 + 1e-9));
}

static void variation(const BtProblem *problem, size_t i, const double *theta, const double *x,
                      const double *q, double eps, BtVariation *out) {
  const BtLogistic *l = self(problem);
  const BtRowNorms *norms = &l->rows.norms;
  const size_t n = unknowns(l);
  const double norm_q = bt_norm(q, n) * (1 + bt_sum_rounding(n)), d = (double)l->rows.features,
               classes = (double)l->rows.classes;
  BtProblemConstants k;
  constants(problem, i, theta, &k);
  out->hessian = hessian_variation(problem, x, q, norm_q, eps, k.hessian_lipschitz * eps * norm_q,
                                   &out->remainder);
  out->cross_norm = k.cross_lipschitz * eps;
  /* ‖ΔJᵀq‖² = Σ_g e^{2θ_g}(Δw_g·q_g)²: groups share ε² among them. */
  double *work = malloc(problem->parameters * sizeof *work);
  const double largest = work ? largest_group(l, problem->parameters, theta, q, work) : (double)INFINITY;
  const double length = work ? largest_group(l, problem->parameters, theta, x, work) : (double)INFINITY;
  free(work);
  out->cross = fmin(largest, k.cross_lipschitz * norm_q) * eps;
  /* methods.md eq. (49). */
  out->hessian_rounding = BT_ROUNDOFF * norm_q *
                          (l->scale * norms->square *
                               (6 * steepest * (d + 8) * largest_row(l, x) * norms->row + d + 6 * classes +
                                70 + (double)norms->terms) +
                           8 * (k.cross_lipschitz + l->floor));
  out->cross_rounding = 2 * bt_sum_rounding(n) * length * norm_q;
}

static BtStatus join(const BtProblem *problem, BtContext *ctx) {
  return bt_logistic_rows_join(&self(problem)->rows, ctx);
}

#define LOGISTIC_OPS                                                                                        \
  .name = "logistic", .dimension = dimension, .cold_start = cold_start, .value_grad = value_grad,           \
  .curvature_size = curvature_size, .curvature = curvature, .hess_mult = hess_mult,                         \
  .hess_diagonal = hess_diagonal, .cross_mult = cross_mult, .cross_adjoint = cross_adjoint,                 \
  .cross_norm = cross_norm, .cross_norm_work = cross_norm_work, .constants = constants,                     \
  .gradient_rounding = gradient_rounding, .variation = variation, .join = join

static const BtProblemOps large_ops = {LOGISTIC_OPS};
static const BtProblemOps dense_ops = {LOGISTIC_OPS, .precondition = precondition, .preparation = preparation,
                                       .memory = memory, .newton = 1, .convexity = convexity};

BtStatus bt_logistic_create(BtContext *ctx, const BtLogisticSpec *spec, BtTeam *team, BtLogistic **out) {
  *out = NULL;
  BtLogistic *l = calloc(1, sizeof *l);
  BtStatus st = l ? BT_OK : bt_fail_memory(ctx, "a logistic regression", sizeof *l);
  st = bt_team_agree(team, ctx, st);
  if (st < 0) {
    free(l);
    return st;
  }
  l->ridge = spec->ridge;
  l->scale = spec->mean ? 1.0 / (double)spec->rows : 1.0;
  l->floor = spec->floor * l->scale * (double)spec->rows;
  st = bt_logistic_rows_create(ctx, spec, team, &l->rows);
  if (st >= 0) {
    l->diagonal = malloc(unknowns(l) * sizeof *l->diagonal);
    st = l->diagonal ? bt_logistic_inverse_create(ctx, &l->rows, l->scale, &l->inverse)
                     : bt_fail_memory(ctx, "a logistic regression", 8.0 * (double)unknowns(l));
    if (st >= 0) st = bt_logistic_convexity_create(ctx, &l->rows, l->scale, &l->convexity);
    st = bt_team_agree(team, ctx, st);
  }
  if (st < 0) {
    bt_logistic_destroy(l);
    return st;
  }
  for (int single = 0; single < 2; single++) l->view[single] = (View){l, single};
  l->problem = (BtProblem){.ops = unknowns(l) <= BT_LOGISTIC_DENSE_MOST ? &dense_ops : &large_ops,
                           .count = 1,
                           .parameters = bt_ridge_parameters(spec->ridge, spec->features, spec->classes),
                           .data = &l->view[0]};
  l->fast = l->problem;
  l->fast.data = &l->view[1];
  l->problem.fast = &l->fast;
  *out = l;
  return BT_OK;
}

void bt_logistic_destroy(BtLogistic *l) {
  if (!l) return;
  bt_logistic_inverse_destroy(l->inverse);
  bt_logistic_convexity_destroy(l->convexity);
  free(l->diagonal);
  bt_logistic_rows_clear(&l->rows);
  free(l);
}

const BtProblem *bt_logistic_problem(const BtLogistic *l) { return &l->problem; }

double bt_logistic_gram_norm(const BtLogistic *l) { return l->rows.norms.gram; }

double bt_logistic_row_norm(const BtLogistic *l) { return l->rows.norms.row; }

#include "lowerlevel/restoration.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"
#include "lowerlevel/regularized.h"
#include "lowerlevel/vector.h"

static const BtRestoration *restoration(const BtProblem *problem) { return problem->data; }
static const BtObservation *observed(const BtProblem *problem, size_t i) {
  return &restoration(problem)->observations[i];
}
static const BtRegularizer *regularizer(const BtProblem *problem) {
  return restoration(problem)->regularizer;
}
static const BtRegularizerOps *ops(const BtProblem *problem) { return regularizer(problem)->ops; }
static BtShape shape(const BtProblem *problem, size_t i) { return observed(problem, i)->shape; }

static BtTerm term(const BtProblem *problem, size_t i) {
  return (BtTerm){.regularizer = regularizer(problem),
                  .shape = shape(problem, i),
                  .strength = restoration(problem)->strength};
}

static size_t dimension(const BtProblem *problem, size_t i) { return bt_shape_size(shape(problem, i)); }

/* residual −= y; returns ½‖residual‖². */
BT_SIMD static double subtract_data(size_t n, const double *restrict y, double *restrict residual) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t j = 0; j < n; j++) {
    residual[j] -= y[j];
    sum += residual[j] * residual[j];
  }
  return 0.5 * sum;
}

/* gradient ← λ gradient + back + μ0 (x − m); returns ½‖x − m‖². */
BT_SIMD static double add_terms(size_t n, double lambda, double ridge, const double *restrict back,
                                const double *restrict x, const double *restrict centre,
                                double *restrict gradient) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t j = 0; j < n; j++) {
    const double d = x[j] - centre[j];
    sum += d * d;
    gradient[j] = lambda * gradient[j] + (back[j] + ridge * d);
  }
  return 0.5 * sum;
}

static double value_grad(const BtProblem *problem, size_t i, const double *theta, const double *x,
                         double *gradient) {
  const BtRestoration *r = restoration(problem);
  const BtObservation *o = observed(problem, i);
  const size_t n = dimension(problem, i);
  double *residual = o->work, *back = o->work + n;
  const double penalty = ops(problem)->value_grad(r->regularizer, o->shape, theta, x, gradient);
  o->op->ops->apply(o->op, x, residual);
  const double misfit = subtract_data(n, o->data, residual);
  o->op->ops->adjoint(o->op, residual, back);
  const double distance = add_terms(n, r->strength, r->ridge, back, x, o->centre, gradient);
  return misfit + r->strength * penalty + r->ridge * distance;
}

/* The curvature buffer: R's, then the preconditioner's weights and inverse symbol where there is one. */
static size_t regularizer_curvature(const BtProblem *problem, size_t i) {
  return ops(problem)->curvature_size(regularizer(problem), shape(problem, i));
}

static size_t symbol_size(const BtProblem *problem, size_t i) {
  const BtOperator *op = observed(problem, i)->op;
  return op && op->torus ? bt_torus_frequencies(op->torus) : 0;
}

static size_t curvature_size(const BtProblem *problem, size_t i) {
  const size_t symbol = symbol_size(problem, i);
  return regularizer_curvature(problem, i) + (symbol ? symbol + dimension(problem, i) : 0);
}

/* ±1 without a pattern: a bit of a mixed counter. */
static double sign_at(size_t k) {
  uint64_t z = (uint64_t)k * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (z >> 63) ? 1 : -1;
}

#define REACH_MOST 7

/* Offsets (in each direction) at which ∇²R couples pixels: those of neighbours, or of a filter's size. */
static size_t reach_of(const BtRegularizer *reg) {
  const size_t reach = reg->size > 2 ? reg->size : 2;
  return reach < REACH_MOST ? reach : REACH_MOST;
}

/* Means of ∇²R's entries at each offset, from one product with random signs z: E[z_p (Hz)_{p+t}] = H_{p+t,p}.
 * Even in both directions, of sum zero (R does not see constants), so that the symbol is that of a mean of
 * ∇²R. */
static void mean_couplings(BtShape s, size_t reach, const double *z, const double *hz, double *taps) {
  const size_t side = 2 * reach - 1;
  double sum = 0;
  for (size_t a = 0; a < reach; a++)
    for (size_t b = 0; b < reach; b++) {
      double mean = 0;
      if (a < s.height && b < s.width) {
        for (size_t r = 0; r + a < s.height; r++) {
          const double *up = z + r * s.width, *down = z + (r + a) * s.width;
          const double *h_up = hz + r * s.width, *h_down = hz + (r + a) * s.width;
          for (size_t c = 0; c + b < s.width; c++)
            mean +=
                up[c] * h_down[c + b] + down[c + b] * h_up[c] + up[c + b] * h_down[c] + down[c] * h_up[c + b];
        }
        mean *= 0.25 / ((double)(s.height - a) * (double)(s.width - b));
      }
      for (int k = 0; k < 4; k++)
        taps[(k & 1 ? reach - 1 + a : reach - 1 - a) * side + (k & 2 ? reach - 1 + b : reach - 1 - b)] = mean;
    }
  for (size_t k = 0; k < side * side; k++) sum += taps[k];
  taps[side * side / 2] -= sum;
}

/* weights ← d^{−1/2}, d the diagonal of ∇²h with that of AᵀA replaced by its mean. */
static void scaling(const BtProblem *problem, size_t i, const double *curvature, double *weights) {
  const BtRestoration *r = restoration(problem);
  const BtObservation *o = observed(problem, i);
  const size_t n = dimension(problem, i), count = symbol_size(problem, i);
  double mean = 0;
  for (size_t k = 0; k < count; k++) mean += o->op->gram[k] / (double)count;
  ops(problem)->hess_diagonal(r->regularizer, o->shape, curvature, weights);
  for (size_t k = 0; k < n; k++) weights[k] = 1 / sqrt(mean + r->ridge + r->strength * fmax(0, weights[k]));
}

/* After R's curvature: weights w = d^{−1/2} and the inverse of the symbol a(|k̂|² + μ0) + λ s, with a the mean
 * of w² and s that of the mean of diag(w) ∇²R diag(w). Then diag(w) ∇²h diag(w) is near the convolution of
 * that symbol: scaled, the curvatures of flat parts and edges are alike. */
static void prepare_inverse(const BtProblem *problem, size_t i, double *curvature) {
  const BtRestoration *r = restoration(problem);
  const BtObservation *o = observed(problem, i);
  const size_t n = dimension(problem, i), count = symbol_size(problem, i), reach = reach_of(r->regularizer);
  double *weights = curvature + regularizer_curvature(problem, i), *symbol = weights + n, *z = o->work,
         *hz = o->work + n;
  double taps[(2 * REACH_MOST - 1) * (2 * REACH_MOST - 1)], largest = 0, mean = 0;
  scaling(problem, i, curvature, weights);
  for (size_t k = 0; k < n; k++) {
    z[k] = weights[k] * sign_at(k);
    mean += weights[k] * weights[k] / (double)n;
  }
  ops(problem)->hess_mult(r->regularizer, o->shape, curvature, z, hz);
  for (size_t k = 0; k < n; k++) {
    z[k] = sign_at(k);
    hz[k] *= weights[k];
  }
  mean_couplings(o->shape, reach, z, hz, taps);
  if (bt_torus_symbol(o->op->torus, 2 * reach - 1, 2 * reach - 1, taps, symbol) < 0)
    memset(symbol, 0, count * sizeof *symbol);
  for (size_t k = 0; k < count; k++) {
    symbol[k] = mean * (o->op->gram[k] + r->ridge) + r->strength * fmax(0, symbol[k]);
    largest = fmax(largest, symbol[k]);
  }
  for (size_t k = 0; k < count; k++) symbol[k] = 1 / fmax(symbol[k], 1e-12 * largest);
}

static void curvature(const BtProblem *problem, size_t i, const double *theta, const double *x, double *out) {
  ops(problem)->curvature(regularizer(problem), shape(problem, i), theta, x, out);
  if (symbol_size(problem, i)) prepare_inverse(problem, i, out);
}

static void dual_curvature(const BtProblem *problem, size_t i, const double *theta, const double *x,
                           const double *dual, double *out) {
  if (!ops(problem)->dual_curvature) {
    curvature(problem, i, theta, x, out);
    return;
  }
  ops(problem)->dual_curvature(regularizer(problem), shape(problem, i), theta, x, dual, out);
  if (symbol_size(problem, i)) prepare_inverse(problem, i, out);
}

static void precondition(const BtProblem *problem, size_t i, const double *prepared, const double *v,
                         double *product) {
  const BtObservation *o = observed(problem, i);
  const size_t n = dimension(problem, i);
  const double *weights = prepared + regularizer_curvature(problem, i), *inverse = weights + n;
  for (size_t k = 0; k < n; k++) o->work[k] = weights[k] * v[k];
  bt_torus_multiply(o->op->torus, o->shape, inverse, o->work, product);
  for (size_t k = 0; k < n; k++) product[k] *= weights[k];
}

/* product ← λ product + back + μ0 v */
BT_SIMD static void add_products(size_t n, double lambda, double ridge, const double *restrict back,
                                 const double *restrict v, double *restrict product) {
  for (size_t j = 0; j < n; j++) product[j] = lambda * product[j] + back[j] + ridge * v[j];
}

static void hess_mult(const BtProblem *problem, size_t i, const double *prepared, const double *v,
                      double *product) {
  const BtRestoration *r = restoration(problem);
  const BtObservation *o = observed(problem, i);
  const size_t n = dimension(problem, i);
  ops(problem)->hess_mult(r->regularizer, o->shape, prepared, v, product);
  o->op->ops->normal(o->op, v, o->work, o->work + n);
  add_products(n, r->strength, r->ridge, o->work + n, v, product);
}

static void hess_diagonal(const BtProblem *problem, size_t i, const double *prepared, double *diagonal) {
  const BtRestoration *r = restoration(problem);
  const BtObservation *o = observed(problem, i);
  ops(problem)->hess_diagonal(r->regularizer, o->shape, prepared, diagonal);
  o->op->ops->diagonal(o->op, o->work);
  for (size_t j = 0; j < dimension(problem, i); j++)
    diagonal[j] = r->strength * diagonal[j] + o->work[j] + r->ridge;
}

/* w = φ'(Dx), where primal–dual Newton is plain Newton. */
static void place_dual(const BtProblem *problem, size_t i, const double *theta, const double *x,
                       double *dual) {
  const BtRegularizerOps *r = ops(problem);
  double *zero = observed(problem, i)->work;
  memset(zero, 0, dimension(problem, i) * sizeof *zero);
  memset(dual, 0, r->dual_size(regularizer(problem), shape(problem, i)) * sizeof *dual);
  r->dual_update(regularizer(problem), shape(problem, i), theta, x, zero, dual);
}

/* The centre m; the solver does the rest. */
static size_t cold_start(const BtProblem *problem, size_t i, const double *theta, double *x, double *dual) {
  memcpy(x, observed(problem, i)->centre, dimension(problem, i) * sizeof *x);
  if (dual) place_dual(problem, i, theta, x, dual);
  return 0;
}

static void constants(const BtProblem *problem, size_t i, const double *theta, BtProblemConstants *k) {
  const double ridge = restoration(problem)->ridge;
  const BtOperator *op = observed(problem, i)->op;
  bt_regularized_constants(problem, i, theta, ridge + op->least, ridge + op->norm * op->norm, k);
  k->mu *= 1 - 1e-15;
  k->lipschitz *= 1 + 1e-15;
}

/* With a = ‖A‖, A and Aᵀ computed within uρ, ‖r‖ ≤ a‖x‖ + ‖y‖ for the residual r: r is within u(ρ‖x‖ + ‖r‖),
 * Aᵀr within a times that and uρ‖r‖; λ∇R within u·k->rounding an entry; the three vectors are added with two
 * roundings each, of which |λ∇R| ≤ |Aᵀr| + |μ0(x − m)| + |∇h|, the last small where it matters. */
static double gradient_rounding(const BtProblem *problem, size_t i, const double *theta,
                                const BtProblemConstants *k, const double *x) {
  const BtRestoration *s = restoration(problem);
  const BtObservation *o = observed(problem, i);
  const size_t n = dimension(problem, i);
  const double a = o->op->norm, rho = o->op->rounding, norm_x = bt_norm(x, n);
  const double residual = a * norm_x + bt_norm(o->data, n);
  (void)theta;
  const double data_term = a * (rho * norm_x + residual) + rho * residual + 6 * a * residual;
  const double ridge_term = 8 * s->ridge * bt_distance(x, o->centre, n);
  return BT_ROUNDOFF * (data_term + ridge_term + bt_problem_rounding(k, x, n)) * (1 + 1e-9);
}

#define RESTORATION_OPS                                                                                 \
  BT_REGULARIZED_OPS, .term = term, .cold_start = cold_start, .value_grad = value_grad,                 \
                      .curvature_size = curvature_size, .curvature = curvature, .hess_mult = hess_mult, \
                      .hess_diagonal = hess_diagonal, .constants = constants,                           \
                      .gradient_rounding = gradient_rounding, .dual_curvature = dual_curvature

static const BtProblemOps masked_ops = {.name = "inpainting", RESTORATION_OPS};
static const BtProblemOps blurred_ops = {.name = "deblurring", .precondition = precondition, RESTORATION_OPS};

BtProblem bt_restoration_problem(const BtRestoration *data, size_t count) {
  int blurred = 0;
  for (size_t i = 0; i < count; i++) blurred |= data->observations[i].op && data->observations[i].op->torus;
  return (BtProblem){.ops = blurred ? &blurred_ops : &masked_ops,
                     .count = count,
                     .parameters = data->regularizer->parameters,
                     .data = data};
}

void bt_restoration_add_twin(BtProblem *problem, BtRestorationTwin *twin) {
  const BtRestoration *data = problem->data;
  if (!bt_regularizer_single(data->regularizer, &twin->regularizer)) return;
  twin->data = *data;
  twin->data.regularizer = &twin->regularizer;
  twin->problem = bt_restoration_problem(&twin->data, problem->count);
  problem->fast = &twin->problem;
}

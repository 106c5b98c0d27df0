#include "lowerlevel/denoising.h"

#include <string.h>

#include "core/simd.h"
#include "lowerlevel/regularized.h"
#include "lowerlevel/vector.h"

static const BtDenoising *denoising(const BtProblem *problem) { return problem->data; }
static const BtRegularizer *regularizer(const BtProblem *problem) { return denoising(problem)->regularizer; }
static const BtRegularizerOps *ops(const BtProblem *problem) { return regularizer(problem)->ops; }
static BtShape shape(const BtProblem *problem, size_t i) { return denoising(problem)->images[i].shape; }
static const double *noisy(const BtProblem *problem, size_t i) { return denoising(problem)->images[i].noisy; }

static BtTerm term(const BtProblem *problem, size_t i) {
  return (BtTerm){.regularizer = regularizer(problem), .shape = shape(problem, i), .strength = 1};
}

static size_t dimension(const BtProblem *problem, size_t i) { return bt_shape_size(shape(problem, i)); }

/* The regularizer's own guess, else x = y and w = 0. */
static size_t cold_start(const BtProblem *problem, size_t i, const double *theta, double *x, double *dual) {
  const BtRegularizerOps *r = ops(problem);
  if (dual && r->denoise_start) {
    const size_t cost =
        r->denoise_start(regularizer(problem), shape(problem, i), theta, noisy(problem, i), x, dual);
    if (cost > 0) return cost;
  }
  memcpy(x, noisy(problem, i), dimension(problem, i) * sizeof *x);
  if (dual) memset(dual, 0, r->dual_size(regularizer(problem), shape(problem, i)) * sizeof *dual);
  return 0;
}

/* gradient += x − y; returns ½‖x − y‖². */
BT_SIMD static double add_data_term(size_t n, const double *restrict x, const double *restrict y,
                                    double *restrict gradient) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t j = 0; j < n; j++) {
    const double d = x[j] - y[j];
    sum += d * d;
    gradient[j] += d;
  }
  return 0.5 * sum;
}

BT_SIMD static void add_identity(size_t n, const double *restrict v, double *restrict product) {
  for (size_t j = 0; j < n; j++) product[j] += v[j];
}

static double value_grad(const BtProblem *problem, size_t i, const double *theta, const double *x,
                         double *gradient) {
  const double penalty =
      ops(problem)->value_grad(regularizer(problem), shape(problem, i), theta, x, gradient);
  return penalty + add_data_term(dimension(problem, i), x, noisy(problem, i), gradient);
}

static size_t curvature_size(const BtProblem *problem, size_t i) {
  return ops(problem)->curvature_size(regularizer(problem), shape(problem, i));
}

/* Only R's second derivative is stored; that of the data term is the identity. */
static void curvature(const BtProblem *problem, size_t i, const double *theta, const double *x, double *out) {
  ops(problem)->curvature(regularizer(problem), shape(problem, i), theta, x, out);
}

static void hess_mult(const BtProblem *problem, size_t i, const double *prepared, const double *v,
                      double *product) {
  ops(problem)->hess_mult(regularizer(problem), shape(problem, i), prepared, v, product);
  add_identity(dimension(problem, i), v, product);
}

static void hess_diagonal(const BtProblem *problem, size_t i, const double *prepared, double *diagonal) {
  ops(problem)->hess_diagonal(regularizer(problem), shape(problem, i), prepared, diagonal);
  for (size_t j = 0; j < dimension(problem, i); j++) diagonal[j] += 1;
}

static void constants(const BtProblem *problem, size_t i, const double *theta, BtProblemConstants *k) {
  bt_regularized_constants(problem, i, theta, 1, 1, k);
}

/* An entry of ∇h is an entry of ∇R (error u·rounding) plus x − y (u|x−y|), summed (u times both, and |∇R| ≤
 * |∇h| + |x − y|, of which ∇h is small where it matters): within u (rounding + 5|x − y| + |∇h|). */
static double gradient_rounding(const BtProblem *problem, size_t i, const double *theta,
                                const BtProblemConstants *k, const double *x) {
  const size_t n = dimension(problem, i);
  (void)theta;
  return BT_ROUNDOFF * (5 * bt_distance(x, noisy(problem, i), n) + bt_problem_rounding(k, x, n));
}

static void dual_curvature(const BtProblem *problem, size_t i, const double *theta, const double *x,
                           const double *dual, double *out) {
  ops(problem)->dual_curvature(regularizer(problem), shape(problem, i), theta, x, dual, out);
}

static const BtProblemOps denoising_ops = {
    .name = "denoising",
    BT_REGULARIZED_OPS,
    .term = term,
    .cold_start = cold_start,
    .value_grad = value_grad,
    .curvature_size = curvature_size,
    .curvature = curvature,
    .hess_mult = hess_mult,
    .hess_diagonal = hess_diagonal,
    .constants = constants,
    .gradient_rounding = gradient_rounding,
    .dual_curvature = dual_curvature,
};

BtProblem bt_denoising_problem(const BtDenoising *data, size_t count) {
  return (BtProblem){
      .ops = &denoising_ops, .count = count, .parameters = data->regularizer->parameters, .data = data};
}

void bt_denoising_add_twin(BtProblem *problem, BtDenoisingTwin *twin) {
  const BtDenoising *data = problem->data;
  if (!bt_regularizer_single(data->regularizer, &twin->regularizer)) return;
  twin->data = *data;
  twin->data.regularizer = &twin->regularizer;
  twin->problem = bt_denoising_problem(&twin->data, problem->count);
  problem->fast = &twin->problem;
}

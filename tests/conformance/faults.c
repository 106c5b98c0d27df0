/* A suite that passes everything proves nothing: operators, constants and bounds made slightly wrong, each of
 * which the check meant for it must find. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "harness.h"
#include "regularizers/tv.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef enum {
  FAULT_NONE,
  VALUE_SCALED,
  GRADIENT_SCALED,
  GRADIENT_NEGATIVE,
  HESSIAN_SCALED,
  HESSIAN_SKEWED,
  CURVATURE_TRANSPOSED,
  CURVATURE_ELSEWHERE,
  DIAGONAL_SCALED,
  DIAGONAL_OF_LAST,
  CROSS_SCALED,
  CROSS_SWAPPED,
  ADJOINT_SCALED,
  ADJOINT_NEGATIVE,
  BOTH_CROSS_SCALED,
  DUAL_CURVATURE_SCALED,
  DUAL_STEP_BACKWARDS,
  DUAL_STEP_STALE,
  DUAL_UNPROJECTED,
  CONVEXITY_HIGH,
  LIPSCHITZ_HALVED,
  HESSIAN_LIPSCHITZ_LOW,
  CROSS_LIPSCHITZ_HALVED,
  HESSIAN_VARIATION_LOW,
  CROSS_VARIATION_HALVED,
  CROSS_CHANGE_LOW,
  VARIATION_HIGH,
  REMAINDER_LOW,
  CROSS_NORM_HALVED,
  CROSS_NORM_DOUBLED,
  MU_DOUBLED,
  MU_HUNDREDFOLD,
  SOLVER_STOPS_EARLY,
  LOSS_GRADIENT_SCALED,
  LOSS_SLOPE_SCALED,
  LOSS_UPPER_LOW,
  LOSS_LOWER_HIGH,
  LOSS_ALONG_LOW,
  LOSS_LIPSCHITZ_HALVED
} Fault;

static Fault fault;
static BtRegularizerOps faulty_ops;
static const BtRegularizerOps *true_ops;
static BtProblemOps faulty_problem_ops;
static const BtProblemOps *true_problem_ops;

static const double slightly = 1.001;

static void scale(double *v, size_t n, double by) {
  for (size_t j = 0; j < n; j++) v[j] *= by;
}

static double value_grad(const BtRegularizer *r, BtShape s, const double *theta, const double *x,
                         double *gradient) {
  const double value = true_ops->value_grad(r, s, theta, x, gradient);
  if (fault == GRADIENT_SCALED) scale(gradient, bt_shape_size(s), slightly);
  if (fault == GRADIENT_NEGATIVE) scale(gradient, bt_shape_size(s), -1);
  return fault == VALUE_SCALED ? slightly * value : value;
}

static void curvature(const BtRegularizer *r, BtShape s, const double *theta, const double *x, double *out) {
  const size_t n = bt_shape_size(s);
  true_ops->curvature(r, s, theta, x, out);
  for (size_t j = 0; fault == CURVATURE_TRANSPOSED && j < n; j++) {
    const double xx = out[j];
    out[j] = out[n + j];
    out[n + j] = xx;
  }
  if (fault == CURVATURE_ELSEWHERE)
    true_ops->curvature(r, s, (const double[]){theta[0], theta[1] + 1e-3}, x, out);
}

static void hess_mult(const BtRegularizer *r, BtShape s, const double *prepared, const double *v,
                      double *product) {
  true_ops->hess_mult(r, s, prepared, v, product);
  if (fault == HESSIAN_SCALED) scale(product, bt_shape_size(s), slightly);
  if (fault == HESSIAN_SKEWED) product[0] += 1e-3 * v[bt_shape_size(s) - 1];
}

static void hess_diagonal(const BtRegularizer *r, BtShape s, const double *prepared, double *diagonal) {
  const size_t n = bt_shape_size(s);
  true_ops->hess_diagonal(r, s, prepared, diagonal);
  if (fault == DIAGONAL_SCALED) scale(diagonal, n, slightly);
  if (fault == DIAGONAL_OF_LAST) diagonal[n - 1] = 0;
}

static void cross_mult(const BtRegularizer *r, BtShape s, const double *theta, const double *x,
                       const double *v, double *product) {
  const double swapped[2] = {v[1], v[0]};
  true_ops->cross_mult(r, s, theta, x, fault == CROSS_SWAPPED ? swapped : v, product);
  if (fault == CROSS_SCALED || fault == BOTH_CROSS_SCALED) scale(product, bt_shape_size(s), slightly);
}

static void cross_adjoint(const BtRegularizer *r, BtShape s, const double *theta, const double *x,
                          const double *q, double *product) {
  true_ops->cross_adjoint(r, s, theta, x, q, product);
  if (fault == ADJOINT_SCALED || fault == BOTH_CROSS_SCALED) scale(product, 2, slightly);
  if (fault == ADJOINT_NEGATIVE) product[1] = -product[1];
}

static void constants(const BtRegularizer *r, BtShape s, const double *theta, BtRegularizerConstants *k) {
  true_ops->constants(r, s, theta, k);
  if (fault == CONVEXITY_HIGH) k->convexity = 0.01;
  if (fault == LIPSCHITZ_HALVED) k->lipschitz *= 0.5;
  if (fault == HESSIAN_LIPSCHITZ_LOW) k->hessian_lipschitz *= 0.25;
  if (fault == CROSS_LIPSCHITZ_HALVED) k->cross_lipschitz *= 0.5;
}

static void variation_of(const BtRegularizer *r, BtShape s, const double *theta, const double *x,
                         const double *q, double eps, BtVariation *out) {
  true_ops->variation(r, s, theta, x, q, eps, out);
  if (fault == HESSIAN_VARIATION_LOW) out->hessian *= 0.25;
  if (fault == CROSS_VARIATION_HALVED) out->cross *= 0.5;
  if (fault == CROSS_CHANGE_LOW) out->cross_norm *= 0.1;
  if (fault == VARIATION_HIGH) out->hessian *= 20;
  if (fault == REMAINDER_LOW) out->remainder *= 0.02;
}

static void dual_curvature(const BtRegularizer *r, BtShape s, const double *theta, const double *x,
                           const double *dual, double *out) {
  true_ops->dual_curvature(r, s, theta, x, dual, out);
  if (fault == DUAL_CURVATURE_SCALED) scale(out, bt_shape_size(s), slightly);
}

static void dual_update(const BtRegularizer *r, BtShape s, const double *theta, const double *x,
                        const double *dx, double *dual) {
  const size_t n = bt_shape_size(s);
  double *changed = malloc(n * sizeof *changed);
  if (!BT_CHECK(changed != NULL)) return;
  memcpy(changed, dx, n * sizeof *changed);
  if (fault == DUAL_STEP_BACKWARDS) scale(changed, n, -1);
  if (fault == DUAL_STEP_STALE) scale(changed, n, 0);
  true_ops->dual_update(r, s, theta, x, changed, dual);
  if (fault == DUAL_UNPROJECTED) scale(dual, true_ops->dual_size(r, s), 1.5);
  free(changed);
}

static double cross_norm(const BtProblem *p, size_t i, const double *theta, const double *x, double *work) {
  const double norm = true_problem_ops->cross_norm(p, i, theta, x, work);
  return fault == CROSS_NORM_HALVED ? 0.5 * norm : fault == CROSS_NORM_DOUBLED ? 2 * norm : norm;
}

static void problem_constants(const BtProblem *p, size_t i, const double *theta, BtProblemConstants *k) {
  true_problem_ops->constants(p, i, theta, k);
  if (fault == MU_DOUBLED) k->mu *= 2;
  if (fault == MU_HUNDREDFOLD) k->mu *= 100;
}

/* A scene with TV whose operators commit the current fault. */
static int create(Scene *scene, BtTvVariant variant, BtShape shape) {
  BtRegularizer tv = bt_tv(variant);
  true_ops = tv.ops;
  faulty_ops = *tv.ops;
  faulty_ops.value_grad = value_grad;
  faulty_ops.curvature = curvature;
  faulty_ops.hess_mult = hess_mult;
  faulty_ops.hess_diagonal = hess_diagonal;
  faulty_ops.cross_mult = cross_mult;
  faulty_ops.cross_adjoint = cross_adjoint;
  faulty_ops.constants = constants;
  faulty_ops.variation = variation_of;
  faulty_ops.dual_curvature = dual_curvature;
  faulty_ops.dual_update = dual_update;
  tv.ops = &faulty_ops;
  if (!scene_create(scene, tv, shape, IMAGE_EDGES, 21)) return 0;
  true_problem_ops = scene->problem.ops;
  faulty_problem_ops = *scene->problem.ops;
  faulty_problem_ops.cross_norm = cross_norm;
  faulty_problem_ops.constants = problem_constants;
  scene->problem.ops = &faulty_problem_ops;
  return 1;
}

typedef BtStatus Suite(BtContext *ctx, const BtConform *conform, Scene *scene);

typedef struct {
  Fault fault;
  const char *name;
  BtConformCheck finds_it;
} Row;

/* Without a fault everything must pass, with each fault the check that is meant for it must not. */
static void run_rows(const Row *table, size_t count, Suite *suite) {
  static const double theta[] = {-2.6, -4.5};
  static const BtShape shape = {12, 17};
  for (int variant = 0; variant < 2; variant++)
    for (size_t k = 0; k < count; k++) {
      BtContext ctx;
      Scene scene;
      Rows rows;
      bt_context_init(&ctx);
      fault = table[k].fault;
      rows_begin(&rows, fault == FAULT_NONE);
      BT_NEED(create(&scene, (BtTvVariant)variant, shape));
      snprintf(rows.label, sizeof rows.label, "variant %d, %s", variant, table[k].name);
      const BtConform conform = {
          .problem = &scene.problem, .theta = theta, .seed = 9, .observer = rows_collect, .user = &rows};
      BT_CHECK_STATUS(suite(&ctx, &conform, &scene), BT_OK, &ctx);
      const BtConformRow *row = &rows.rows[table[k].finds_it];
      BT_CHECK_ROW(rows.seen[table[k].finds_it] > 0 && row->passed == (fault == FAULT_NONE),
                   "variant %d, %s: %s is %g, limit %g", variant, table[k].name, row->name, row->measured,
                   row->limit);
      scene_clear(&scene);
    }
  fault = FAULT_NONE;
}

static BtStatus operators(BtContext *ctx, const BtConform *conform, Scene *scene) {
  return bt_conform_operators(ctx, conform, scene->noisy);
}

void wrong_operators_are_found(void) {
  static const Row rows[] = {
      {FAULT_NONE, "no fault", BT_CONFORM_GRADIENT},
      {VALUE_SCALED, "value x 1.001", BT_CONFORM_GRADIENT},
      {GRADIENT_SCALED, "gradient x 1.001", BT_CONFORM_GRADIENT},
      {GRADIENT_SCALED, "gradient x 1.001", BT_CONFORM_HESSIAN},
      {GRADIENT_NEGATIVE, "gradient of the wrong sign", BT_CONFORM_GRADIENT},
      {HESSIAN_SCALED, "Hessian x 1.001", BT_CONFORM_HESSIAN},
      {HESSIAN_SKEWED, "Hessian not symmetric", BT_CONFORM_SYMMETRY},
      {CURVATURE_TRANSPOSED, "directions exchanged in the curvature", BT_CONFORM_HESSIAN},
      {CURVATURE_ELSEWHERE, "curvature at another theta", BT_CONFORM_HESSIAN},
      {DIAGONAL_SCALED, "diagonal x 1.001", BT_CONFORM_DIAGONAL},
      {DIAGONAL_OF_LAST, "last entry of the diagonal missing", BT_CONFORM_DIAGONAL},
      {CROSS_SCALED, "J x 1.001", BT_CONFORM_CROSS},
      {CROSS_SCALED, "J x 1.001", BT_CONFORM_CROSS_ADJOINT},
      {CROSS_SWAPPED, "columns of J exchanged", BT_CONFORM_CROSS},
      {ADJOINT_SCALED, "J' x 1.001", BT_CONFORM_CROSS_ADJOINT},
      {ADJOINT_NEGATIVE, "one sign of J' wrong", BT_CONFORM_CROSS_ADJOINT},
      {BOTH_CROSS_SCALED, "J and J' x 1.001", BT_CONFORM_CROSS},
      {DUAL_CURVATURE_SCALED, "dual curvature x 1.001", BT_CONFORM_DUAL_CURVATURE},
      {DUAL_STEP_BACKWARDS, "dual step backwards", BT_CONFORM_DUAL_STEP},
      {DUAL_STEP_STALE, "dual left where it was", BT_CONFORM_DUAL_STEP},
      {DUAL_UNPROJECTED, "dual outside its feasible set", BT_CONFORM_DUAL_CONVEXITY},
  };
  run_rows(rows, COUNT(rows), operators);
}

static BtStatus bounds(BtContext *ctx, const BtConform *conform, Scene *scene) {
  return bt_conform_bounds(ctx, conform, scene->noisy);
}

void wrong_bounds_are_found(void) {
  static const Row rows[] = {
      {FAULT_NONE, "no fault", BT_CONFORM_LIPSCHITZ},
      {CONVEXITY_HIGH, "mu x 1.01", BT_CONFORM_CONVEXITY},
      {LIPSCHITZ_HALVED, "L halved", BT_CONFORM_LIPSCHITZ},
      {HESSIAN_LIPSCHITZ_LOW, "L_H / 4", BT_CONFORM_HESSIAN_LIPSCHITZ},
      {CROSS_LIPSCHITZ_HALVED, "L_J halved", BT_CONFORM_CROSS_LIPSCHITZ},
      {HESSIAN_VARIATION_LOW, "variation of H / 4", BT_CONFORM_HESSIAN_VARIATION},
      {CROSS_VARIATION_HALVED, "variation of J halved", BT_CONFORM_CROSS_VARIATION},
      {CROSS_CHANGE_LOW, "change of J / 10", BT_CONFORM_CROSS_CHANGE},
      {VARIATION_HIGH, "variation beyond the constants", BT_CONFORM_VARIATION_GLOBAL},
      {REMAINDER_LOW, "remainder / 50", BT_CONFORM_REMAINDER},
      {CROSS_NORM_HALVED, "norm of J halved", BT_CONFORM_CROSS_NORM},
      {CROSS_NORM_DOUBLED, "norm of J doubled", BT_CONFORM_CROSS_NORM_SHARP},
  };
  run_rows(rows, COUNT(rows), bounds);
}

static BtStatus solutions(BtContext *ctx, const BtConform *conform, Scene *scene) {
  const BtLowerSettings settings = {.solver = "bt_fista",
                                    .max_iterations = fault == SOLVER_STOPS_EARLY ? 2 : 5000};
  const BtStatus st = bt_conform_certificates(ctx, conform, &settings);
  return st == BT_OK ? bt_conform_hypergradient(ctx, conform, &scene->loss, &settings, NULL) : st;
}

void wrong_solutions_are_found(void) {
  static const Row rows[] = {
      {FAULT_NONE, "no fault", BT_CONFORM_CERTIFICATE},
      {MU_DOUBLED, "mu doubled", BT_CONFORM_CERTIFICATE},
      {MU_HUNDREDFOLD, "mu x 100", BT_CONFORM_ERROR_BOUND},
      {SOLVER_STOPS_EARLY, "solver stopped early", BT_CONFORM_REACHED},
      {ADJOINT_SCALED, "J' x 1.001", BT_CONFORM_DIFFERENCES},
      {ADJOINT_NEGATIVE, "one sign of J' wrong", BT_CONFORM_DIFFERENCES},
      {CURVATURE_ELSEWHERE, "curvature at another theta", BT_CONFORM_DIFFERENCES},
  };
  run_rows(rows, COUNT(rows), solutions);
}

static const BtUpperLossOps *true_loss_ops;

static BtUpperPoint loss_evaluate(const BtUpperLoss *loss, size_t i, size_t n, const double *x,
                                  double *gradient) {
  BtUpperPoint at = true_loss_ops->evaluate(loss, i, n, x, gradient);
  if (fault == LOSS_GRADIENT_SCALED) scale(gradient, n, slightly);
  if (fault == LOSS_SLOPE_SCALED) at.slope *= slightly;
  return at;
}

static void loss_bounds(BtUpperPoint at, size_t n, double eps, double *lower, double *upper) {
  true_loss_ops->bounds(at, n, eps, lower, upper);
  if (fault == LOSS_UPPER_LOW) *upper -= 0.01 * (*upper - at.value);
  if (fault == LOSS_LOWER_HIGH) *lower += 0.01 * (at.value - *lower);
}

static void loss_bounds_along(BtUpperPoint at, size_t n, double eps, BtInterval along, double *lower, double *upper) {
  true_loss_ops->bounds_along(at, n, eps, along, lower, upper);
  if (fault == LOSS_ALONG_LOW) *upper -= 0.01 * (*upper - *lower);
}

static double loss_lipschitz(BtUpperPoint at, double eps) {
  return (fault == LOSS_LIPSCHITZ_HALVED ? 0.5 : 1) * true_loss_ops->lipschitz(at, eps);
}

static BtStatus losses(BtContext *ctx, const BtConform *conform, Scene *scene) {
  const BtUpperLoss all[] = {bt_squared_error(scene->truths), bt_negative_psnr(scene->truths)};
  BtStatus st = BT_OK;
  for (size_t k = 0; k < COUNT(all) && st == BT_OK; k++) {
    BtUpperLoss loss = all[k];
    BtUpperLossOps faulty = *loss.ops;
    true_loss_ops = loss.ops;
    faulty.evaluate = loss_evaluate;
    faulty.bounds = loss_bounds;
    faulty.bounds_along = loss_bounds_along;
    faulty.lipschitz = loss_lipschitz;
    loss.ops = &faulty;
    st = bt_conform_loss(ctx, conform, &loss, scene->noisy);
  }
  return st;
}

void wrong_losses_are_found(void) {
  static const Row rows[] = {
      {FAULT_NONE, "no fault", BT_CONFORM_LOSS_GRADIENT},
      {LOSS_GRADIENT_SCALED, "gradient of the loss x 1.001", BT_CONFORM_LOSS_GRADIENT},
      {LOSS_SLOPE_SCALED, "slope of the loss x 1.001", BT_CONFORM_LOSS_SLOPE},
      {LOSS_UPPER_LOW, "upper bound of the loss too low", BT_CONFORM_LOSS_BOUNDS},
      {LOSS_LOWER_HIGH, "lower bound of the loss too high", BT_CONFORM_LOSS_BOUNDS},
      {LOSS_ALONG_LOW, "upper bound along the gradient too low", BT_CONFORM_LOSS_ALONG},
      {LOSS_LIPSCHITZ_HALVED, "L_g halved", BT_CONFORM_LOSS_LIPSCHITZ},
  };
  run_rows(rows, COUNT(rows), losses);
}

/* What the checks are called and what they demand, and the room they work in. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "hypergrad/conformance_internal.h"
#include "lowerlevel/vector.h"

typedef struct {
  const char *name, *meaning;
  double limit;
  int at_least;
} Description;

/* A Taylor remainder is of order 2; samples stay below bounds. */
static const double order = 1.9, rounding = 1e-12, sampled = 1 + 1e-9;

static Description describe(BtConformCheck check) {
  switch (check) {
    case BT_CONFORM_GRADIENT:
      return (Description){"gradient", "order of the error of h(x) + t grad h'd", order, 1};
    case BT_CONFORM_HESSIAN:
      return (Description){"hessian", "order of the error of grad h(x) + t H d", order, 1};
    case BT_CONFORM_SYMMETRY: return (Description){"symmetry", "u'Hv - v'Hu, relative", rounding, 0};
    case BT_CONFORM_DIAGONAL: return (Description){"diagonal", "diagonal - e'He, relative", rounding, 0};
    case BT_CONFORM_CROSS:
      return (Description){"cross", "order of the error of grad h(theta) + t J v", order, 1};
    case BT_CONFORM_CROSS_ADJOINT: return (Description){"cross adjoint", "q'Jv - v'J'q, relative", rounding, 0};
    case BT_CONFORM_DUAL_CURVATURE:
      return (Description){"dual curvature", "H(x, w) - H(x) for the exact w, relative", rounding, 0};
    case BT_CONFORM_DUAL_STEP: return (Description){"dual step", "order of the dual's error after a step", order, 1};
    case BT_CONFORM_DUAL_CONVEXITY:
      return (Description){"dual convexity", "least v'H(x, w)v / mu", 1 - rounding, 1};
    case BT_CONFORM_CONVEXITY: return (Description){"convexity", "least v'Hv / mu", 1 - rounding, 1};
    case BT_CONFORM_LIPSCHITZ: return (Description){"lipschitz", "largest v'Hv / L", 1 + rounding, 0};
    case BT_CONFORM_HESSIAN_LIPSCHITZ:
      return (Description){"hessian lipschitz", "largest |H(x+e) - H(x)| / L_H |e|", sampled, 0};
    case BT_CONFORM_CROSS_LIPSCHITZ:
      return (Description){"cross lipschitz", "largest |J(x+e) - J(x)| / L_J |e|", sampled, 0};
    case BT_CONFORM_CROSS_NORM: return (Description){"cross norm", "|J| / its bound", 1 + rounding, 0};
    case BT_CONFORM_CROSS_NORM_SHARP: return (Description){"cross norm sharp", "bound of |J| / |J|", 1.5, 0};
    case BT_CONFORM_HESSIAN_VARIATION:
      return (Description){"hessian variation", "largest |(H(x+e) - H(x)) q| / its bound", sampled, 0};
    case BT_CONFORM_CROSS_VARIATION:
      return (Description){"cross variation", "largest |(J(x+e) - J(x))'q| / its bound", sampled, 0};
    case BT_CONFORM_CROSS_CHANGE:
      return (Description){"cross change", "largest |J(x+e) - J(x)| / its bound", sampled, 0};
    case BT_CONFORM_VARIATION_GLOBAL:
      return (Description){"variation global", "variation / constants eps |q|", 1 + 1e-6, 0};
    case BT_CONFORM_REMAINDER:
      return (Description){"remainder", "largest |q'(grad h(x+e) - grad h(x) - He)| / its bound", sampled, 0};
    case BT_CONFORM_LOSS_GRADIENT:
      return (Description){"loss gradient", "order of the error of g(x) + t grad g'd", order, 1};
    case BT_CONFORM_LOSS_SLOPE: return (Description){"loss slope", "slope - |grad g|, relative", rounding, 0};
    case BT_CONFORM_LOSS_BOUNDS: return (Description){"loss bounds", "largest change of g / its bound", 1, 0};
    case BT_CONFORM_LOSS_ALONG:
      return (Description){"loss along", "largest g(x+e) outside the bounds for grad g'e, relative", 0, 0};
    case BT_CONFORM_LOSS_LIPSCHITZ:
      return (Description){"loss lipschitz", "largest |grad g(x+e) - grad g(x)| / L_g |e|", 1 + rounding, 0};
    case BT_CONFORM_CERTIFICATE: return (Description){"certificate", "true distance / certified bound", 1, 0};
    case BT_CONFORM_REACHED: return (Description){"reached", "solves short of an attainable accuracy", 0, 0};
    case BT_CONFORM_ERROR_BOUND: return (Description){"hypergradient bound", "true error / omega", 1, 0};
    case BT_CONFORM_ALONG: return (Description){"along", "grad g'(solution - x) off its centre / half its interval", 1, 0};
    case BT_CONFORM_BOUND_GLOBAL: return (Description){"bound global", "omega / closed form", 1, 0};
    case BT_CONFORM_DIFFERENCES:
      return (Description){"hypergradient", "z - differences of f, relative", 1e-5, 0};
    case BT_CONFORM_ESTIMATE_LOW: return (Description){"estimate low", "mean estimate / true error", 0.3, 1};
    case BT_CONFORM_ESTIMATE_HIGH: return (Description){"estimate high", "mean estimate / true error", 3, 0};
    case BT_CONFORM_CHECKS: break;
  }
  return (Description){"", "", 0, 0};
}

BtConformRow bt_conform_describe(BtConformCheck check) {
  const Description d = describe(check);
  return (BtConformRow){
      .check = check, .name = d.name, .meaning = d.meaning, .limit = d.limit, .at_least = d.at_least};
}

void bt_conform_row(const BtConform *conform, BtConformCheck check, double measured) {
  BtConformRow row = bt_conform_describe(check);
  row.measured = measured;
  row.passed = row.at_least ? measured >= row.limit : measured <= row.limit;
  conform->observer(conform->user, &row);
}

enum { VECTORS = 10, PARAMETER_VECTORS = 4 };

BtStatus bt_conform_begin(BtContext *ctx, const BtConform *conform, const double *x, BtConformWork *w) {
  const BtProblem *p = conform->problem;
  const size_t i = conform->i, norm_work = p->ops->cross_norm_work(p, i);
  *w = (BtConformWork){.set = conform, .problem = p, .i = i, .p = p->parameters, .theta = conform->theta};
  w->n = p->ops->dimension(p, i);
  w->curvature_size = p->ops->curvature_size(p, i);
  w->dual_size = bt_problem_dual_size(p, i);
  const size_t total =
      VECTORS * w->n + 2 * w->curvature_size + 2 * w->dual_size + PARAMETER_VECTORS * w->p + norm_work;
  double *at = w->block = malloc(total * sizeof *at);
  if (!at) return bt_fail_memory(ctx, "a conformance check", (double)total * sizeof *at);
  w->x = at, at += w->n;
  w->flat = at, at += w->n;
  for (int k = 0; k < VECTORS - 2; k++) w->v[k] = at, at += w->n;
  w->curvature = at, at += w->curvature_size;
  w->other_curvature = at, at += w->curvature_size;
  w->dual = at, at += w->dual_size;
  w->other_dual = at, at += w->dual_size;
  for (int k = 0; k < PARAMETER_VECTORS; k++) w->t[k] = at, at += w->p;
  w->norm_work = at;

  if (!x) return BT_OK;
  double mean = 0;
  for (size_t j = 0; j < w->n; j++) mean += x[j] / (double)w->n;
  for (size_t j = 0; j < w->n; j++) w->flat[j] = mean;
  memcpy(w->x, x, w->n * sizeof *x);
  return BT_OK;
}

void bt_conform_end(BtConformWork *work) {
  free(work->block);
  work->block = NULL;
}

void bt_conform_random(BtConformWork *work, size_t n, double *v) {
  bt_rng_fill_normal(work->set->seed, ++work->stream, 0, n, v);
}

double bt_conform_normalize(double *v, size_t n) {
  const double length = bt_norm(v, n);
  for (size_t j = 0; length > 0 && j < n; j++) v[j] /= length;
  return length;
}

void bt_conform_random_unit(BtConformWork *work, size_t n, double *v) {
  bt_conform_random(work, n, v);
  (void)bt_conform_normalize(v, n);
}

double bt_conform_ratio(double a, double b) { return a == 0 ? 0 : a / b; }

double bt_conform_larger(double a, double b) { return isnan(a) || a > b ? a : b; }

double bt_conform_smaller(double a, double b) { return isnan(a) || a < b ? a : b; }

void bt_conform_hessian(BtConformWork *w, const double *x, const double *v, double *out) {
  w->problem->ops->curvature(w->problem, w->i, w->theta, x, w->curvature);
  w->problem->ops->hess_mult(w->problem, w->i, w->curvature, v, out);
}

/* Power iteration on H − shift·I; v becomes the last iterate, the extreme quotient is returned. */
static double power(BtConformWork *w, double shift, int upper, double *v, double *product) {
  enum { ITERATIONS = 30 };
  double extreme = upper ? -(double)INFINITY : (double)INFINITY;
  bt_conform_random_unit(w, w->n, v);
  for (int k = 0; k < ITERATIONS; k++) {
    w->problem->ops->hess_mult(w->problem, w->i, w->curvature, v, product);
    const double quotient = bt_dot(v, product, w->n);
    extreme = upper ? bt_conform_larger(extreme, quotient) : bt_conform_smaller(extreme, quotient);
    for (size_t j = 0; j < w->n; j++) product[j] -= shift * v[j];
    if (!(bt_conform_normalize(product, w->n) > 0)) break;
    memcpy(v, product, w->n * sizeof *v);
  }
  return extreme;
}

void bt_conform_spectrum(BtConformWork *w, double *smallest, double *largest, double *top, double *product) {
  *largest = power(w, 0, 1, top, product);
  double *bottom = w->v[7];
  *smallest = power(w, *largest, 0, bottom, product);
  /* A constant vector is often the least curved of all. */
  for (size_t j = 0; j < w->n; j++) bottom[j] = 1 / sqrt((double)w->n);
  w->problem->ops->hess_mult(w->problem, w->i, w->curvature, bottom, product);
  *smallest = bt_conform_smaller(*smallest, bt_dot(bottom, product, w->n)) + 1e-13 * fabs(*largest);
}

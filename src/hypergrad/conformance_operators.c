/* Derivatives against differences, adjoints by dot products; the upper loss likewise. */
#include <math.h>
#include <string.h>

#include "hypergrad/conformance_internal.h"
#include "lowerlevel/vector.h"

/* A point, a direction, and what is known there. */
typedef struct {
  BtConformWork *w;
  const double *base;
  double *d;     /* direction                                             */
  double *moved; /* base + t d                                            */
  double *step;  /* moved − base, what rounding made of t d               */
  double *g, *moved_g, *product;
  double value;  /* h(base), or g(base)                                    */
  double noise;  /* size of the terms whose difference a remainder is      */
  const BtUpperLoss *loss;
} Taylor;

/* Size of a Taylor remainder for the step t. */
typedef double Remainder(Taylor *taylor, double t);

static void move(Taylor *s, size_t n, const double *from, double t) {
  for (size_t j = 0; j < n; j++) {
    s->moved[j] = from[j] + t * s->d[j];
    s->step[j] = s->moved[j] - from[j];
  }
}

static double value_grad(BtConformWork *w, const double *theta, const double *x, double *g) {
  return w->problem->ops->value_grad(w->problem, w->i, theta, x, g);
}

/* The order in t at the smallest steps whose remainder stands out from rounding, where an error in the derivative,
 * which is of order 1, shows first. A remainder that stands out at the longest steps alone or never leaves no room for
 * such an error and counts as order 2. */
static double order_of(Taylor *s, Remainder *remainder) {
  enum { STEPS = 42, LONGEST = 8 };
  static const double margin = 200, roundings = 4;
  double size[STEPS], noise = 0, floor_at_last = 0;
  int last = -1;
  for (int k = STEPS; k < STEPS + 6; k += 2) noise = bt_conform_larger(noise, remainder(s, ldexp(1, -k)));
  for (int k = 0; k < STEPS; k++) {
    size[k] = remainder(s, ldexp(1, -k));
    if (!isfinite(size[k])) return (double)NAN;
    const double floor = fmax(noise, roundings * BT_ROUNDOFF * s->noise);
    if (size[k] > margin * floor) last = k, floor_at_last = floor;
  }
  if (isnan(noise)) return (double)NAN;
  if (last < LONGEST || last == STEPS - 1) return last < LONGEST ? 2 : 0;
  /* The next octave below counts too: where h is piecewise almost quadratic, remainders vanish at once. */
  const double below = log2(size[last] / fmax(size[last + 1], floor_at_last));
  return fmax(below, log2(size[last - 1] / size[last]));
}

/* Order along random directions d[n]: where h has kinks of all sizes one direction may meet them at just the steps
 * that count, but a wrong derivative is wrong along almost every one. */
static double order_along_random(Taylor *s, Remainder *remainder, size_t n) {
  enum { ATTEMPTS = 6 };
  static const double good = 1.9;
  double best = -(double)INFINITY;
  for (int k = 0; k < ATTEMPTS && !(best >= good); k++) {
    bt_conform_random(s->w, n, s->d);
    best = bt_conform_larger(best, order_of(s, remainder));
  }
  return best;
}

static double gradient_remainder(Taylor *s, double t) {
  BtConformWork *w = s->w;
  move(s, w->n, s->base, t);
  const double value = value_grad(w, w->theta, s->moved, s->moved_g);
  s->noise = fabs(value) + fabs(s->value);
  return fabs(value - s->value - bt_dot(s->g, s->step, w->n));
}

/* ‖∇h(moved) − ∇h(base) − product‖ */
static double change_remainder(Taylor *s) {
  double sum = 0;
  s->noise = bt_norm(s->moved_g, s->w->n) + bt_norm(s->g, s->w->n) + bt_norm(s->product, s->w->n);
  for (size_t j = 0; j < s->w->n; j++) {
    const double r = s->moved_g[j] - s->g[j] - s->product[j];
    sum += r * r;
  }
  return sqrt(sum);
}

static double hessian_remainder(Taylor *s, double t) {
  BtConformWork *w = s->w;
  move(s, w->n, s->base, t);
  (void)value_grad(w, w->theta, s->moved, s->moved_g);
  w->problem->ops->hess_mult(w->problem, w->i, w->curvature, s->step, s->product);
  return change_remainder(s);
}

static void derivatives(BtConformWork *w, double *gradient, double *hessian) {
  const double *const points[] = {w->x, w->flat};
  for (int k = 0; k < 2; k++) {
    Taylor s = {.w = w, .base = points[k], .d = w->v[0], .moved = w->v[1], .step = w->v[2],
                .g = w->v[3], .moved_g = w->v[4], .product = w->v[5]};
    s.value = value_grad(w, w->theta, s.base, s.g);
    *gradient = bt_conform_smaller(*gradient, order_along_random(&s, gradient_remainder, w->n));
    w->problem->ops->curvature(w->problem, w->i, w->theta, s.base, w->curvature);
    *hessian = bt_conform_smaller(*hessian, order_along_random(&s, hessian_remainder, w->n));
  }
}

/* d, moved and step are of length p here. */
static double cross_remainder(Taylor *s, double t) {
  BtConformWork *w = s->w;
  move(s, w->p, w->theta, t);
  (void)value_grad(w, s->moved, s->base, s->moved_g);
  w->problem->ops->cross_mult(w->problem, w->i, w->theta, s->base, s->step, s->product);
  return change_remainder(s);
}

static double cross_order(BtConformWork *w) {
  Taylor s = {.w = w, .base = w->x, .d = w->t[0], .moved = w->t[1], .step = w->t[2],
              .g = w->v[0], .moved_g = w->v[1], .product = w->v[2]};
  double least = 2;
  /* Each parameter alone while they are few, so that none hides behind another; all of them together. */
  const size_t alone = w->p <= 8 ? w->p : 0;
  (void)value_grad(w, w->theta, s.base, s.g);
  for (size_t k = 0; k <= alone; k++) {
    bt_conform_random(w, w->p, s.d);
    for (size_t j = 0; k < alone && j < w->p; j++) s.d[j] = j == k;
    least = bt_conform_smaller(least, order_of(&s, cross_remainder));
  }
  return least;
}

static double symmetry(BtConformWork *w) {
  double *u = w->v[0], *hu = w->v[1], *v = w->v[2], *hv = w->v[3], worst = 0;
  for (int k = 0; k < 4; k++) {
    bt_conform_random(w, w->n, u);
    bt_conform_random(w, w->n, v);
    bt_conform_hessian(w, w->x, u, hu);
    w->problem->ops->hess_mult(w->problem, w->i, w->curvature, v, hv);
    const double scale = bt_norm(u, w->n) * bt_norm(hv, w->n) + bt_norm(v, w->n) * bt_norm(hu, w->n);
    worst = bt_conform_larger(
        worst, bt_conform_ratio(fabs(bt_dot(u, hv, w->n) - bt_dot(v, hu, w->n)), scale));
  }
  return worst;
}

/* All entries of small problems, else the first, the last and some between. */
static double diagonal(BtConformWork *w) {
  enum { PROBES = 64 };
  double *entries = w->v[0], *e = w->v[1], *product = w->v[2], worst = 0, scale = 0;
  BtProblemConstants k;
  w->problem->ops->constants(w->problem, w->i, w->theta, &k);
  /* What cancellation between terms as large as ‖H‖ may leave. */
  const double noise = k.proof == BT_PROOF_NONE ? 0 : 16 * BT_ROUNDOFF * k.lipschitz;
  w->problem->ops->curvature(w->problem, w->i, w->theta, w->x, w->curvature);
  w->problem->ops->hess_diagonal(w->problem, w->i, w->curvature, entries);
  for (size_t j = 0; j < w->n; j++) scale = bt_conform_larger(scale, fabs(entries[j]));
  memset(e, 0, w->n * sizeof *e);
  const size_t probes = w->n < PROBES ? w->n : PROBES;
  for (size_t probe = 0; probe < probes; probe++) {
    const size_t j = probes > 1 ? probe * (w->n - 1) / (probes - 1) : 0;
    e[j] = 1;
    w->problem->ops->hess_mult(w->problem, w->i, w->curvature, e, product);
    e[j] = 0;
    const double difference = fabs(product[j] - entries[j]);
    worst = bt_conform_larger(worst, bt_conform_ratio(isnan(difference) ? difference : fmax(0, difference - noise), scale));
  }
  return worst;
}

static double cross_adjoint(BtConformWork *w) {
  double *q = w->v[0], *jv = w->v[1], *v = w->t[0], *jq = w->t[1], worst = 0;
  for (int k = 0; k < 4; k++) {
    bt_conform_random(w, w->n, q);
    bt_conform_random(w, w->p, v);
    w->problem->ops->cross_mult(w->problem, w->i, w->theta, w->x, v, jv);
    w->problem->ops->cross_adjoint(w->problem, w->i, w->theta, w->x, q, jq);
    const double scale = bt_norm(q, w->n) * bt_norm(jv, w->n) + bt_norm(v, w->p) * bt_norm(jq, w->p);
    /* Where J all but vanishes rounding is all there is to compare. */
    BtVariation at;
    w->problem->ops->variation(w->problem, w->i, w->theta, w->x, q, 0, &at);
    const double difference = fabs(bt_dot(q, jv, w->n) - bt_dot(v, jq, w->p));
    const double noise = isfinite(at.cross_rounding) ? 2 * at.cross_rounding * bt_norm(v, w->p) : 0;
    worst = bt_conform_larger(worst, bt_conform_ratio(isnan(difference) ? difference : fmax(0, difference - noise), scale));
  }
  return worst;
}

/* w->dual ← φ'(Dx): the step that belongs to dx = 0 removes all of w's error. */
static void exact_dual(BtConformWork *w, const double *x) {
  double *zero = w->v[7];
  memset(zero, 0, w->n * sizeof *zero);
  memset(w->dual, 0, w->dual_size * sizeof *w->dual);
  w->problem->ops->dual_update(w->problem, w->i, w->theta, x, zero, w->dual);
}

static void dual_product(BtConformWork *w, const double *x, const double *dual, const double *v, double *out) {
  w->problem->ops->dual_curvature(w->problem, w->i, w->theta, x, dual, w->other_curvature);
  w->problem->ops->hess_mult(w->problem, w->i, w->other_curvature, v, out);
}

/* ‖H(x, 0) v‖, the size of the terms whose difference H(x, w) v is. */
static double dual_scale(BtConformWork *w, const double *x, const double *v, double *out) {
  memset(w->other_dual, 0, w->dual_size * sizeof *w->other_dual);
  dual_product(w, x, w->other_dual, v, out);
  return bt_norm(out, w->n);
}

static double dual_curvature(BtConformWork *w) {
  const double *const points[] = {w->x, w->flat};
  double *v = w->v[0], *exact = w->v[1], *other = w->v[2], worst = 0;
  for (int k = 0; k < 2; k++) {
    bt_conform_random(w, w->n, v);
    bt_conform_hessian(w, points[k], v, exact);
    const double scale = dual_scale(w, points[k], v, other);
    exact_dual(w, points[k]);
    dual_product(w, points[k], w->dual, v, other);
    worst = bt_conform_larger(worst, bt_conform_ratio(bt_distance(exact, other, w->n), scale));
    dual_product(w, points[k], NULL, v, other);
    worst = bt_conform_larger(worst, bt_conform_ratio(bt_distance(exact, other, w->n), scale));
  }
  return worst;
}

/* From the exact dual at base, a step of both leaves an error of second order. moved_g is the vector multiplied. */
static double dual_remainder(Taylor *s, double t) {
  BtConformWork *w = s->w;
  move(s, w->n, s->base, t);
  memcpy(w->other_dual, w->dual, w->dual_size * sizeof *w->dual);
  w->problem->ops->dual_update(w->problem, w->i, w->theta, s->base, s->step, w->other_dual);
  dual_product(w, s->moved, w->other_dual, s->moved_g, s->product);
  bt_conform_hessian(w, s->moved, s->moved_g, s->g);
  return bt_distance(s->product, s->g, w->n);
}

static double dual_step(BtConformWork *w) {
  Taylor s = {.w = w, .base = w->x, .d = w->v[0], .moved = w->v[1], .step = w->v[2],
              .g = w->v[3], .moved_g = w->v[4], .product = w->v[5]};
  bt_conform_random(w, w->n, s.moved_g);
  s.noise = dual_scale(w, w->x, s.moved_g, s.product);
  exact_dual(w, w->x);
  return order_along_random(&s, dual_remainder, w->n);
}

/* Projected duals of wild steps, far from φ'(Dx). */
static double dual_convexity(BtConformWork *w, double mu) {
  enum { DUALS = 4 };
  double *x = w->v[0], *dx = w->v[1], least = (double)INFINITY, smallest, largest;
  memset(w->dual, 0, w->dual_size * sizeof *w->dual);
  for (int k = 0; k < DUALS; k++) {
    bt_conform_random(w, w->n, dx);
    bt_conform_random(w, w->n, x);
    for (size_t j = 0; j < w->n; j++) x[j] = w->x[j] + 0.1 * x[j];
    w->problem->ops->dual_update(w->problem, w->i, w->theta, x, dx, w->dual);
    w->problem->ops->dual_curvature(w->problem, w->i, w->theta, k % 2 ? w->flat : w->x, w->dual, w->curvature);
    bt_conform_spectrum(w, &smallest, &largest, w->v[2], w->v[3]);
    least = bt_conform_smaller(least, smallest);
  }
  return least / mu;
}

BtStatus bt_conform_operators(BtContext *ctx, const BtConform *conform, const double *x) {
  BtConformWork w;
  BtStatus st = bt_conform_begin(ctx, conform, x, &w);
  if (st < 0) return st;
  double gradient = (double)INFINITY, hessian = (double)INFINITY;
  derivatives(&w, &gradient, &hessian);
  bt_conform_row(conform, BT_CONFORM_GRADIENT, gradient);
  bt_conform_row(conform, BT_CONFORM_HESSIAN, hessian);
  bt_conform_row(conform, BT_CONFORM_SYMMETRY, symmetry(&w));
  bt_conform_row(conform, BT_CONFORM_DIAGONAL, diagonal(&w));
  bt_conform_row(conform, BT_CONFORM_CROSS, cross_order(&w));
  bt_conform_row(conform, BT_CONFORM_CROSS_ADJOINT, cross_adjoint(&w));
  if (w.dual_size > 0) {
    BtProblemConstants k;
    w.problem->ops->constants(w.problem, w.i, w.theta, &k);
    bt_conform_row(conform, BT_CONFORM_DUAL_CURVATURE, dual_curvature(&w));
    bt_conform_row(conform, BT_CONFORM_DUAL_STEP, dual_step(&w));
    if (k.mu > 0) bt_conform_row(conform, BT_CONFORM_DUAL_CONVEXITY, dual_convexity(&w, k.mu));
  }
  bt_conform_end(&w);
  return BT_OK;
}

static double loss_remainder(Taylor *s, double t) {
  BtConformWork *w = s->w;
  move(s, w->n, s->base, t);
  const BtUpperPoint at = s->loss->ops->evaluate(s->loss, w->i, w->n, s->moved, s->moved_g);
  s->noise = 1 + fabs(at.value) + fabs(s->value);
  return fabs(at.value - s->value - bt_dot(s->g, s->step, w->n));
}

/* Perturbations of the loss's argument: random, and along the gradient both ways, where a loss of distance moves most.
 * ratios: value against the bounds, change of the gradient against L_g. */
static void loss_samples(BtConformWork *w, const BtUpperLoss *loss, double *bounds, double *outside,
                         double *lipschitz) {
  double *g = w->v[0], *e = w->v[1], *moved = w->v[2], *moved_g = w->v[3];
  const BtUpperPoint at = loss->ops->evaluate(loss, w->i, w->n, w->x, g);
  for (double eps = 10 * bt_norm(w->x, w->n); eps > 1e-9; eps *= 0.1)
    for (int kind = 0; kind < 3; kind++) {
      double lower, upper;
      if (kind == 0) bt_conform_random(w, w->n, e);
      for (size_t j = 0; kind > 0 && j < w->n; j++) e[j] = kind == 1 ? g[j] : -g[j];
      (void)bt_conform_normalize(e, w->n);
      for (size_t j = 0; j < w->n; j++) moved[j] = w->x[j] + (1 - 1e-9) * eps * e[j];
      const BtUpperPoint there = loss->ops->evaluate(loss, w->i, w->n, moved, moved_g);
      const double change = there.value - at.value;
      loss->ops->bounds(at, w->n, eps, &lower, &upper);
      *bounds = bt_conform_larger(*bounds, change > 0 ? change / (upper - at.value) : change / (lower - at.value));
      double along = 0;
      for (size_t j = 0; j < w->n; j++) along += g[j] * (moved[j] - w->x[j]);
      loss->ops->bounds_along(at, w->n, eps, (BtInterval){along, along}, &lower, &upper);
      *outside = bt_conform_larger(*outside, fmax(lower - there.value, there.value - upper) / (1 + fabs(at.value)));
      /* Rounding of the moved point and of both gradients shows at the smallest eps. */
      const double constant = loss->ops->lipschitz(at, eps);
      const double noise = 4 * BT_ROUNDOFF * (at.slope + there.slope + constant * bt_norm(moved, w->n));
      const double turn = bt_distance(g, moved_g, w->n) - noise;
      if (isfinite(constant)) *lipschitz = bt_conform_larger(*lipschitz, fmax(0, turn) / (eps * constant));
    }
}

BtStatus bt_conform_loss(BtContext *ctx, const BtConform *conform, const BtUpperLoss *loss, const double *x) {
  BtConformWork w;
  BtStatus st = bt_conform_begin(ctx, conform, x, &w);
  if (st < 0) return st;
  Taylor s = {.w = &w, .base = w.x, .d = w.v[0], .moved = w.v[1], .step = w.v[2], .g = w.v[3], .moved_g = w.v[4],
              .loss = loss};
  double bounds = 0, outside = 0, lipschitz = 0;
  const BtUpperPoint at = loss->ops->evaluate(loss, w.i, w.n, w.x, s.g);
  s.value = at.value;
  const double slope = bt_conform_ratio(fabs(bt_norm(s.g, w.n) - at.slope), at.slope);
  bt_conform_row(conform, BT_CONFORM_LOSS_GRADIENT, order_along_random(&s, loss_remainder, w.n));
  bt_conform_row(conform, BT_CONFORM_LOSS_SLOPE, slope);
  loss_samples(&w, loss, &bounds, &outside, &lipschitz);
  bt_conform_row(conform, BT_CONFORM_LOSS_BOUNDS, bounds);
  bt_conform_row(conform, BT_CONFORM_LOSS_ALONG, outside);
  bt_conform_row(conform, BT_CONFORM_LOSS_LIPSCHITZ, lipschitz);
  bt_conform_end(&w);
  return BT_OK;
}

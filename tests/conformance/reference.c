/* TV written out in long double with square roots and double loops, as its definition reads, against the
 * kernels. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "core/rng.h"
#include "harness.h"
#include "lowerlevel/vector.h"
#include "regularizers/tv.h"
#include "suites.h"

typedef long double Real;

typedef struct {
  BtShape shape;
  int isotropic;
  Real weight, nu;
} Reference;

static Real at(const double *x, BtShape shape, size_t r, size_t c) { return (Real)x[r * shape.width + c]; }

static Real difference_x(const double *x, BtShape s, size_t r, size_t c) {
  return c + 1 < s.width ? at(x, s, r, c + 1) - at(x, s, r, c) : 0;
}

static Real difference_y(const double *x, BtShape s, size_t r, size_t c) {
  return r + 1 < s.height ? at(x, s, r + 1, c) - at(x, s, r, c) : 0;
}

/* out += Dᵀ (px, py) of one pixel. */
static void scatter(BtShape s, size_t r, size_t c, Real px, Real py, Real *out) {
  if (c + 1 < s.width) out[r * s.width + c + 1] += px, out[r * s.width + c] -= px;
  if (r + 1 < s.height) out[(r + 1) * s.width + c] += py, out[r * s.width + c] -= py;
}

/* Σ √(|t|² + ν²) and its gradient. */
static Real value_grad(const Reference *ref, const double *x, Real *g) {
  const BtShape s = ref->shape;
  Real sum = 0;
  memset(g, 0, bt_shape_size(s) * sizeof *g);
  for (size_t r = 0; r < s.height; r++)
    for (size_t c = 0; c < s.width; c++) {
      const Real tx = difference_x(x, s, r, c), ty = difference_y(x, s, r, c), nu2 = ref->nu * ref->nu;
      const Real both = sqrtl(tx * tx + ty * ty + nu2), ex = ref->isotropic ? both : sqrtl(tx * tx + nu2);
      const Real ey = ref->isotropic ? both : sqrtl(ty * ty + nu2);
      sum += ref->isotropic ? both : ex + ey;
      scatter(s, r, c, ref->weight * tx / ex, ref->weight * ty / ey, g);
    }
  return ref->weight * sum;
}

static void hessian(const Reference *ref, const double *x, const double *v, Real *out) {
  const BtShape s = ref->shape;
  memset(out, 0, bt_shape_size(s) * sizeof *out);
  for (size_t r = 0; r < s.height; r++)
    for (size_t c = 0; c < s.width; c++) {
      const Real tx = difference_x(x, s, r, c), ty = difference_y(x, s, r, c), nu2 = ref->nu * ref->nu;
      const Real vx = difference_x(v, s, r, c), vy = difference_y(v, s, r, c);
      const Real both = sqrtl(tx * tx + ty * ty + nu2), along = (tx * vx + ty * vy) / (both * both);
      const Real ex = sqrtl(tx * tx + nu2), ey = sqrtl(ty * ty + nu2);
      const Real px = ref->isotropic ? (vx - along * tx) / both : nu2 * vx / (ex * ex * ex);
      const Real py = ref->isotropic ? (vy - along * ty) / both : nu2 * vy / (ey * ey * ey);
      scatter(s, r, c, ref->weight * px, ref->weight * py, out);
    }
}

/* Columns of J. */
static void columns(const Reference *ref, const double *x, Real *by_weight, Real *by_smoothing) {
  const BtShape s = ref->shape;
  (void)value_grad(ref, x, by_weight);
  memset(by_smoothing, 0, bt_shape_size(s) * sizeof *by_smoothing);
  for (size_t r = 0; r < s.height; r++)
    for (size_t c = 0; c < s.width; c++) {
      const Real tx = difference_x(x, s, r, c), ty = difference_y(x, s, r, c), nu2 = ref->nu * ref->nu;
      const Real both = sqrtl(tx * tx + ty * ty + nu2), ex = ref->isotropic ? both : sqrtl(tx * tx + nu2);
      const Real ey = ref->isotropic ? both : sqrtl(ty * ty + nu2);
      scatter(s, r, c, -ref->weight * nu2 * tx / (ex * ex * ex), -ref->weight * nu2 * ty / (ey * ey * ey),
              by_smoothing);
    }
}

static double relative(const double *a, const Real *b, size_t n) {
  Real difference = 0, size = 0;
  for (size_t j = 0; j < n; j++) {
    difference += ((Real)a[j] - b[j]) * ((Real)a[j] - b[j]);
    size += b[j] * b[j];
  }
  return size > 0 ? (double)sqrtl(difference / size) : (double)sqrtl(difference);
}

static double largest_error(const double *a, const Real *b, size_t n) {
  double largest = 0;
  for (size_t j = 0; j < n; j++) largest = fmax(largest, (double)fabsl((Real)a[j] - b[j]));
  return largest;
}

static Real dot(const Real *a, const Real *b, size_t n) {
  Real sum = 0;
  for (size_t j = 0; j < n; j++) sum += a[j] * b[j];
  return sum;
}

/* Images: an image with noise, a ramp (whose fluxes cancel), a constant one, a wild one. */
enum { NOISY, RAMP, FLAT, WILD, IMAGES };

static void fill(BtShape s, int kind, double *x) {
  for (size_t r = 0; r < s.height; r++)
    for (size_t c = 0; c < s.width; c++) {
      const size_t j = r * s.width + c;
      const double values[IMAGES] = {sin(0.3 * (double)j) + 0.1 * bt_rng_normal(5, 1, j),
                                     0.01 * (double)c - 0.02 * (double)r, 0.7, 1e3 * bt_rng_normal(5, 2, j)};
      x[j] = values[kind];
    }
}

static void compare(const BtRegularizer *reg, const double *theta, BtShape s, int kind, double *x,
                    Real *wide) {
  const size_t n = bt_shape_size(s);
  const Reference ref = {s, reg->variant == BT_TV_ISOTROPIC, expl((Real)theta[0]), expl((Real)theta[1])};
  double *v = x + n, *out = v + n, *curvature = out + n, *work = curvature + 3 * n, q_products[2];
  Real *one = wide, *two = wide + n;
  BtRegularizerConstants k;
  char label[120];
  snprintf(label, sizeof label, "%s %zux%zu (%g, %g) image %d", ref.isotropic ? "isotropic" : "anisotropic",
           s.height, s.width, theta[0], theta[1], kind);
  fill(s, kind, x);
  bt_rng_fill_normal(5, 3, 0, n, v);
  /* NaN wherever constants() leaves a field alone. */
  memset(&k, 0xff, sizeof k);
  reg->ops->constants(reg, s, theta, &k);
  BT_CHECK_ROW(isfinite(k.lipschitz) && k.convexity == 0 && isfinite(k.hessian_lipschitz) &&
                   isfinite(k.cross_lipschitz) && isfinite(k.cross_sum) && isfinite(k.rounding) &&
                   k.rounding_slope == 0 && k.proof == BT_PROVEN,
               "%s: constants", label);

  const double value = reg->ops->value_grad(reg, s, theta, x, out);
  const Real true_value = value_grad(&ref, x, one);
  BT_CHECK_ROW(fabs(value - (double)true_value) <= 1e-13 * (double)true_value, "%s: value", label);
  /* Cancelling fluxes leave no relative accuracy; the constant promises an absolute one. */
  BT_CHECK_ROW(largest_error(out, one, n) <= BT_ROUNDOFF * k.rounding,
               "%s: gradient off by %g u, promised %g", label, largest_error(out, one, n) / BT_ROUNDOFF,
               k.rounding);
  if (kind == NOISY)
    BT_CHECK_ROW(relative(out, one, n) <= 1e-13, "%s: gradient %g", label, relative(out, one, n));

  reg->ops->curvature(reg, s, theta, x, curvature);
  reg->ops->hess_mult(reg, s, curvature, v, out);
  hessian(&ref, x, v, one);
  /* At |t| ≫ ν the 2×2 block is a small difference of its parts, in the reference as in the kernel. */
  BT_CHECK_ROW(relative(out, one, n) <= 1e-13 || largest_error(out, one, n) <= 1e-13, "%s: Hessian %g", label,
               relative(out, one, n));

  columns(&ref, x, one, two);
  reg->ops->cross_mult(reg, s, theta, x, (const double[]){1, 0}, out);
  BT_CHECK_ROW(largest_error(out, one, n) <= 1e-13 * (double)ref.weight, "%s: J by weight", label);
  reg->ops->cross_mult(reg, s, theta, x, (const double[]){0, 1}, out);
  BT_CHECK_ROW(largest_error(out, two, n) <= 1e-13 * (double)ref.weight, "%s: J by smoothing", label);
  reg->ops->cross_adjoint(reg, s, theta, x, v, q_products);
  for (int j = 0; j < 2; j++) {
    Real product = 0, size = 0;
    for (size_t i = 0; i < n; i++) product += wide[(size_t)j * n + i] * (Real)v[i], size += fabsl((Real)v[i]);
    BT_CHECK_ROW(fabs(q_products[j] - (double)product) <= 1e-13 * (double)(ref.weight * size),
                 "%s: J' column %d", label, j);
  }

  /* ‖J‖² is the larger eigenvalue of the columns' Gram matrix; the computed bound must not fall below it. */
  const Real a = dot(one, one, n), b = dot(one, two, n), d = dot(two, two, n);
  const Real norm = sqrtl((a + d) / 2 + hypotl((a - d) / 2, b));
  const double bound = bt_regularizer_cross_norm(reg, s, theta, x, work);
  const int vanishes = norm < 1e-3L * ref.weight; /* only the allowance for rounding is left then */
  BT_CHECK_ROW((Real)bound >= norm && (vanishes || (Real)bound <= norm * 1.0001L),
               "%s: cross norm %.17g, true %.17g", label, bound, (double)norm);
}

void tv_is_its_definition(void) {
  static const double thetas[][2] = {{-2.6, -4.5}, {0, 1}, {-5, -9}, {-15, -14}, {5, -14}, {5, 5}, {-15, 5}};
  for (size_t shape = 0; shape < shape_case_count; shape++) {
    const BtShape s = shape_cases[shape];
    const size_t n = bt_shape_size(s);
    const BtRegularizer any = bt_tv(BT_TV_ISOTROPIC);
    double *x = malloc((6 * n + bt_regularizer_cross_norm_work(&any, s)) * sizeof *x);
    Real *wide = malloc(2 * n * sizeof *wide);
    if (BT_CHECK(x && wide))
      for (int variant = 0; variant < 2; variant++)
        for (size_t t = 0; t < sizeof thetas / sizeof *thetas; t++)
          for (int kind = 0; kind < IMAGES; kind++) {
            const BtRegularizer reg = bt_tv((BtTvVariant)variant);
            compare(&reg, thetas[t], s, kind, x, wide);
          }
    free(x);
    free(wide);
  }
}

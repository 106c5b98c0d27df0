/* Smoothed total variation. Every operator is one of two sweeps over the image in tiles that stay in cache:
 * a divergence, out = Dᵀ p with a flux p computed pixel by pixel from Dv, or a reduction of Dx and Dq. */
#include "regularizers/tv.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"
#include "regularizers/root_remainder_internal.h"
#include "regularizers/tv_start.h"

#define TILE 256

typedef struct {
  double weight, nu; /* e^θ0, e^θ1                                                             */
  double on_gradient, on_smoothing; /* J v: multiples of the two columns                       */
  const double *xx, *xy, *yy;       /* curvature of the 2×2 block at each pixel                */
} Flux;

/* (dx, dy) → (px, py) in place for n pixels, the first being pixel `at` of the image; returns their share of
 * R. */
typedef double FluxRow(const Flux *flux, size_t at, size_t n, double *restrict dx, double *restrict dy);

/* 1/√s for normal single-precision s: a single-precision start and two Newton steps, within 3 unit roundoffs.
 * Twice as fast as a square root and a division in double precision. */
static inline double inverse_root(double s) {
  double r = (double)(1.0f / sqrtf((float)s));
  r *= 1.5 - 0.5 * s * r * r;
  return r * (1.5 - 0.5 * s * r * r);
}

static Flux flux_at(const double *theta) { return (Flux){.weight = exp(theta[0]), .nu = exp(theta[1])}; }

BT_SIMD static void difference_row(const double *restrict x, BtShape shape, size_t r, size_t c0, size_t n,
                                   double *restrict dx, double *restrict dy) {
  const double *row = x + r * shape.width + c0;
  const double *below = r + 1 < shape.height ? row + shape.width : row;
  const int at_edge = c0 + n == shape.width;
  const size_t inner = at_edge ? n - 1 : n;
  for (size_t i = 0; i < inner; i++) dx[i] = row[i + 1] - row[i];
  if (at_edge) dx[n - 1] = 0;
  for (size_t i = 0; i < n; i++) dy[i] = below[i] - row[i];
}

/* out_i = p_x(left) − p_x + p_y(above) − p_y, the adjoint of the forward differences. */
BT_SIMD static void divergence_row(const double *restrict px, const double *restrict py,
                                   const double *restrict above, size_t n, size_t lead,
                                   double *restrict out) {
  const double *here = px + lead;
  out[0] = (lead ? px[0] : 0.0) - here[0] + (above[0] - py[lead]);
  for (size_t i = 1; i < n; i++) out[i] = (here[i - 1] - here[i]) + (above[i] - py[lead + i]);
}

/* out ← Dᵀ p(Dv); returns the sum of what the flux returns. */
static double divergence(BtShape shape, const double *v, FluxRow *flux_row, const Flux *flux, double *out) {
  double dx[TILE + 1], dy[TILE + 1], above[TILE], value = 0;
  for (size_t c0 = 0; c0 < shape.width; c0 += TILE) {
    const size_t n = shape.width - c0 < TILE ? shape.width - c0 : TILE, lead = c0 > 0;
    memset(above, 0, sizeof above);
    for (size_t r = 0; r < shape.height; r++) {
      difference_row(v, shape, r, c0 - lead, n + lead, dx, dy);
      if (lead) (void)flux_row(flux, r * shape.width + c0 - 1, 1, dx, dy);
      value += flux_row(flux, r * shape.width + c0, n, dx + lead, dy + lead);
      divergence_row(dx, dy, above, n, lead, out + r * shape.width + c0);
      memcpy(above, dy + lead, n * sizeof *above);
    }
  }
  return value;
}

/* 20 flops and a single-precision inverse root a pixel; 16 bytes read and 8 written. */
BT_SIMD static double gradient_row_isotropic(const Flux *flux, size_t at, size_t n, double *restrict dx,
                                             double *restrict dy) {
  const double nu2 = flux->nu * flux->nu, weight = flux->weight;
  double value = 0;
  (void)at;
#pragma omp simd reduction(+ : value)
  for (size_t i = 0; i < n; i++) {
    const double root2 = dx[i] * dx[i] + dy[i] * dy[i] + nu2, inverse = inverse_root(root2);
    value += root2 * inverse;
    dx[i] *= weight * inverse;
    dy[i] *= weight * inverse;
  }
  return weight * value;
}

BT_SIMD static double gradient_row_anisotropic(const Flux *flux, size_t at, size_t n, double *restrict dx,
                                               double *restrict dy) {
  const double nu2 = flux->nu * flux->nu, weight = flux->weight;
  double value = 0;
  (void)at;
#pragma omp simd reduction(+ : value)
  for (size_t i = 0; i < n; i++) {
    const double x2 = dx[i] * dx[i] + nu2, y2 = dy[i] * dy[i] + nu2;
    const double inverse_x = inverse_root(x2), inverse_y = inverse_root(y2);
    value += x2 * inverse_x + y2 * inverse_y;
    dx[i] *= weight * inverse_x;
    dy[i] *= weight * inverse_y;
  }
  return weight * value;
}

/* ∂θ0: w t/E; ∂θ1: −w ν² t/E³. */
static inline double cross_factor(const Flux *flux, double root2) {
  const double inverse = inverse_root(root2), share = flux->nu * inverse;
  return flux->weight * inverse * (flux->on_gradient - flux->on_smoothing * share * share);
}

BT_SIMD static double cross_row_isotropic(const Flux *flux, size_t at, size_t n, double *restrict dx,
                                          double *restrict dy) {
  const double nu2 = flux->nu * flux->nu;
  (void)at;
  for (size_t i = 0; i < n; i++) {
    const double s = cross_factor(flux, dx[i] * dx[i] + dy[i] * dy[i] + nu2);
    dx[i] *= s;
    dy[i] *= s;
  }
  return 0;
}

BT_SIMD static double cross_row_anisotropic(const Flux *flux, size_t at, size_t n, double *restrict dx,
                                            double *restrict dy) {
  const double nu2 = flux->nu * flux->nu;
  (void)at;
  for (size_t i = 0; i < n; i++) {
    dx[i] *= cross_factor(flux, dx[i] * dx[i] + nu2);
    dy[i] *= cross_factor(flux, dy[i] * dy[i] + nu2);
  }
  return 0;
}

/* 6 flops a pixel; 32 bytes read and 8 written: bound by memory. */
BT_SIMD static double curved_row_isotropic(const Flux *flux, size_t at, size_t n, double *restrict dx,
                                           double *restrict dy) {
  const double *restrict xx = flux->xx + at, *restrict xy = flux->xy + at, *restrict yy = flux->yy + at;
  for (size_t i = 0; i < n; i++) {
    const double tx = dx[i], ty = dy[i];
    dx[i] = xx[i] * tx + xy[i] * ty;
    dy[i] = xy[i] * tx + yy[i] * ty;
  }
  return 0;
}

BT_SIMD static double curved_row_anisotropic(const Flux *flux, size_t at, size_t n, double *restrict dx,
                                             double *restrict dy) {
  const double *restrict xx = flux->xx + at, *restrict yy = flux->yy + at;
  for (size_t i = 0; i < n; i++) {
    dx[i] *= xx[i];
    dy[i] *= yy[i];
  }
  return 0;
}

static int isotropic(const BtRegularizer *reg) { return reg->variant == BT_TV_ISOTROPIC; }

static double tv_value_grad(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                            double *gradient) {
  const Flux flux = flux_at(theta);
  return divergence(shape, x, isotropic(reg) ? gradient_row_isotropic : gradient_row_anisotropic, &flux,
                    gradient);
}

static void tv_cross_mult(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                          const double *v, double *product) {
  Flux flux = flux_at(theta);
  flux.on_gradient = v[0];
  flux.on_smoothing = v[1];
  divergence(shape, x, isotropic(reg) ? cross_row_isotropic : cross_row_anisotropic, &flux, product);
}

/* The planes xx, xy, yy of the 2×2 blocks; anisotropic TV has no xy. */
static size_t tv_curvature_size(const BtRegularizer *reg, BtShape shape) {
  return (isotropic(reg) ? 3 : 2) * bt_shape_size(shape);
}

static void tv_hess_mult(const BtRegularizer *reg, BtShape shape, const double *curvature, const double *v,
                         double *product) {
  const size_t n = bt_shape_size(shape);
  if (isotropic(reg)) {
    const Flux flux = {.xx = curvature, .yy = curvature + n, .xy = curvature + 2 * n};
    divergence(shape, v, curved_row_isotropic, &flux, product);
  } else {
    const Flux flux = {.xx = curvature, .yy = curvature + n};
    divergence(shape, v, curved_row_anisotropic, &flux, product);
  }
}

static void tv_hess_diagonal(const BtRegularizer *reg, BtShape shape, const double *curvature,
                             double *diagonal) {
  const size_t n = bt_shape_size(shape), w = shape.width;
  const double *xx = curvature, *yy = curvature + n, *xy = isotropic(reg) ? curvature + 2 * n : NULL;
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c = 0; c < w; c++) {
      const size_t i = r * w + c;
      diagonal[i] = xx[i] + yy[i] + (xy ? 2 * xy[i] : 0) + (c ? xx[i - 1] : 0) + (r ? yy[i - w] : 0);
    }
}

/* Blocks w/E (I − ½(w tᵀ + t wᵀ)/E) for a dual w (Chan, Golub, Mulet 1999, symmetrised). */
BT_SIMD static void dual_blocks_row(const Flux *flux, size_t n, const double *restrict tx,
                                    const double *restrict ty, const double *restrict wx,
                                    const double *restrict wy, double *restrict xx, double *restrict xy,
                                    double *restrict yy) {
  const double nu2 = flux->nu * flux->nu, weight = flux->weight;
  for (size_t i = 0; i < n; i++) {
    const double inverse = inverse_root(tx[i] * tx[i] + ty[i] * ty[i] + nu2), s = weight * inverse;
    const double ux = tx[i] * inverse, uy = ty[i] * inverse;
    xx[i] = s * (1 - wx[i] * ux);
    yy[i] = s * (1 - wy[i] * uy);
    xy[i] = -0.5 * s * (wx[i] * uy + wy[i] * ux);
  }
}

/* The same with w = t/E, which makes them the Hessian's; in a form without cancellation. */
BT_SIMD static void hessian_blocks_row(const Flux *flux, size_t n, const double *restrict tx,
                                       const double *restrict ty, double *restrict xx, double *restrict xy,
                                       double *restrict yy) {
  const double nu = flux->nu, weight = flux->weight;
  for (size_t i = 0; i < n; i++) {
    const double inverse = inverse_root(tx[i] * tx[i] + ty[i] * ty[i] + nu * nu), s = weight * inverse;
    const double ux = tx[i] * inverse, uy = ty[i] * inverse, share = nu * inverse;
    xx[i] = s * (uy * uy + share * share);
    yy[i] = s * (ux * ux + share * share);
    xy[i] = -s * ux * uy;
  }
}

/* One direction alone; w may be NULL. */
BT_SIMD static void blocks_row(const Flux *flux, size_t n, const double *restrict t, const double *restrict w,
                               double *restrict out) {
  const double nu = flux->nu, weight = flux->weight;
  for (size_t i = 0; i < n; i++) {
    const double inverse = inverse_root(t[i] * t[i] + nu * nu), s = weight * inverse, share = nu * inverse;
    out[i] = w ? s * (1 - w[i] * t[i] * inverse) : s * share * share;
  }
}

/* Blocks vanish in directions that leave the image. */
static void tv_blocks(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                      const double *dual, double *curvature) {
  const Flux flux = flux_at(theta);
  const size_t n = bt_shape_size(shape);
  const int iso = isotropic(reg);
  double tx[TILE], ty[TILE];
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c0 = 0; c0 < shape.width; c0 += TILE) {
      const size_t len = shape.width - c0 < TILE ? shape.width - c0 : TILE, at = r * shape.width + c0;
      double *xx = curvature + at, *yy = xx + n, *xy = iso ? yy + n : NULL;
      const double *wx = dual ? dual + at : NULL, *wy = dual ? wx + n : NULL;
      difference_row(x, shape, r, c0, len, tx, ty);
      if (iso && dual) {
        dual_blocks_row(&flux, len, tx, ty, wx, wy, xx, xy, yy);
      } else if (iso) {
        hessian_blocks_row(&flux, len, tx, ty, xx, xy, yy);
      } else {
        blocks_row(&flux, len, tx, wx, xx);
        blocks_row(&flux, len, ty, wy, yy);
      }
      if (c0 + len == shape.width) xx[len - 1] = 0;
      if (c0 + len == shape.width && iso) xy[len - 1] = 0;
      if (r + 1 == shape.height) memset(yy, 0, len * sizeof *yy);
      if (r + 1 == shape.height && iso) memset(xy, 0, len * sizeof *xy);
    }
}

static void tv_curvature(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                         double *curvature) {
  tv_blocks(reg, shape, theta, x, NULL, curvature);
}

static size_t tv_dual_size(const BtRegularizer *reg, BtShape shape) {
  (void)reg;
  return 2 * bt_shape_size(shape);
}

/* δw = t/E − w + (s − w (t·s)/E)/E with t = Dx, s = Dδx; then w + δw is brought back to |w| ≤ 1 pixel by
 * pixel. */
BT_SIMD static void dual_row_isotropic(const Flux *flux, size_t n, const double *restrict tx,
                                       const double *restrict ty, const double *restrict sx,
                                       const double *restrict sy, double *restrict wx, double *restrict wy) {
  const double nu2 = flux->nu * flux->nu;
  for (size_t i = 0; i < n; i++) {
    const double inverse = inverse_root(tx[i] * tx[i] + ty[i] * ty[i] + nu2);
    const double along = (tx[i] * sx[i] + ty[i] * sy[i]) * inverse;
    const double ux = (tx[i] + sx[i] - wx[i] * along) * inverse,
                 uy = (ty[i] + sy[i] - wy[i] * along) * inverse;
    const double length = ux * ux + uy * uy, scale = length > 1 ? 1 / sqrt(length) : 1;
    wx[i] = ux * scale;
    wy[i] = uy * scale;
  }
}

BT_SIMD static void dual_row_anisotropic(const Flux *flux, size_t n, const double *restrict t,
                                         const double *restrict s, double *restrict w) {
  const double nu2 = flux->nu * flux->nu;
  for (size_t i = 0; i < n; i++) {
    const double inverse = inverse_root(t[i] * t[i] + nu2);
    const double u = (t[i] + s[i] - w[i] * t[i] * s[i] * inverse) * inverse;
    w[i] = u > 1 ? 1 : (u < -1 ? -1 : u);
  }
}

static void tv_dual_update(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                           const double *dx, double *dual) {
  const Flux flux = flux_at(theta);
  const size_t n = bt_shape_size(shape);
  double tx[TILE], ty[TILE], sx[TILE], sy[TILE];
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c0 = 0; c0 < shape.width; c0 += TILE) {
      const size_t len = shape.width - c0 < TILE ? shape.width - c0 : TILE, at = r * shape.width + c0;
      double *wx = dual + at, *wy = wx + n;
      difference_row(x, shape, r, c0, len, tx, ty);
      difference_row(dx, shape, r, c0, len, sx, sy);
      if (isotropic(reg)) {
        dual_row_isotropic(&flux, len, tx, ty, sx, sy, wx, wy);
      } else {
        dual_row_anisotropic(&flux, len, tx, sx, wx);
        dual_row_anisotropic(&flux, len, ty, sy, wy);
      }
    }
}

/* The smaller the smoothing, the more the start is worth: √(α/ν) is what first-order methods need per digit.
 */
static size_t tv_denoise_start(const BtRegularizer *reg, BtShape shape, const double *theta, const double *y,
                               double *x, double *dual) {
  static const double scale = 4, fewest = 5, most = 150;
  const int iterations = (int)fmin(most, fmax(fewest, scale * exp(0.5 * (theta[0] - theta[1]))));
  return bt_tv_start(shape, isotropic(reg), exp(theta[0]), y, iterations, x, dual) == BT_OK
             ? (size_t)iterations
             : 0;
}

BT_SIMD static void adjoint_row(const double *restrict tx, const double *restrict ty,
                                const double *restrict qx, const double *restrict qy, size_t n, double nu2,
                                int iso, double *restrict sums) {
  double by_weight = 0, by_smoothing = 0;
#pragma omp simd reduction(+ : by_weight, by_smoothing)
  for (size_t i = 0; i < n; i++) {
    const double x2 = tx[i] * tx[i], y2 = ty[i] * ty[i];
    const double ix = inverse_root(nu2 + x2 + (iso ? y2 : 0.0)),
                 iy = inverse_root(nu2 + y2 + (iso ? x2 : 0.0));
    const double fx = tx[i] * qx[i] * ix, fy = ty[i] * qy[i] * iy;
    by_weight += fx + fy;
    by_smoothing -= nu2 * (fx * ix * ix + fy * iy * iy);
  }
  sums[0] += by_weight;
  sums[1] += by_smoothing;
}

static void tv_cross_adjoint(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                             const double *q, double *product) {
  const Flux flux = flux_at(theta);
  double tx[TILE], ty[TILE], qx[TILE], qy[TILE];
  product[0] = product[1] = 0;
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c0 = 0; c0 < shape.width; c0 += TILE) {
      const size_t n = shape.width - c0 < TILE ? shape.width - c0 : TILE;
      difference_row(x, shape, r, c0, n, tx, ty);
      difference_row(q, shape, r, c0, n, qx, qy);
      adjoint_row(tx, ty, qx, qy, n, flux.nu * flux.nu, isotropic(reg), product);
    }
  product[0] *= flux.weight;
  product[1] *= flux.weight;
}

static const double third_derivative_peak =
    0.85866; /* max |φ‴| ν² = 3·½/1.25^{5/2}, at |t| = ν/2; rounded up */

/* With D the map x → (d_x, d_y), ‖D‖² ≤ 8 and one pixel's row has norm √3 (both differences) or √2 (one).
 * Entries of the gradient: x is differenced, squared, summed, inverse-rooted and multiplied (each flux
 * within 8.5 u of its value ≤ w; two fluxes per direction), four of them are added (4 u of at most 4 w): 50 w
 * in units of u. Terms of Jᵀq: |flux| ≤ w and Σ|Dq| ≤ √(2n)·√8‖q‖ for each of two columns: √2·w √(16 n) in
 * all. */
static void tv_constants(const BtRegularizer *reg, BtShape shape, const double *theta,
                         BtRegularizerConstants *k) {
  const Flux flux = flux_at(theta);
  const double norm2 = 8.0, slack = 1 + 1e-14;
  k->lipschitz = flux.weight * norm2 / flux.nu * slack;
  k->convexity = 0;
  k->hessian_lipschitz = flux.weight * third_derivative_peak / (flux.nu * flux.nu) * norm2 *
                         sqrt(isotropic(reg) ? 3.0 : 2.0) * slack;
  k->cross_lipschitz = sqrt(2.0) * flux.weight * norm2 / flux.nu * slack;
  k->rounding = 50 * flux.weight;
  k->rounding_slope = 0;
  k->cross_sum = flux.weight * sqrt(32.0 * (double)bt_shape_size(shape));
  k->proof = BT_PROVEN;
}

/* Largest norm of the third derivative of √(|t|²+ν²), times ν-free, over |t| in [lo, hi]. It grows up to |t|
 * = ν/2 and falls beyond. In one dimension it is 3 s ν²/E⁵; in two, as max over unit a of |D³[a,a,a]|, it is
 * the same up to s = ν/√2 and 2/(√3 E²) beyond. */
static double third_derivative(double s, double nu2, int iso) {
  const double e2 = s * s + nu2;
  if (iso && 2 * s * s > nu2) return 2 / (sqrt(3.0) * e2);
  return 3 * s * nu2 / (e2 * e2 * sqrt(e2));
}

static double third_derivative_sup(double size, double radius, double nu, int iso) {
  const double lo = fmax(0, size - radius), hi = size + radius;
  if (hi <= 0.5 * nu) return third_derivative(hi, nu * nu, iso);
  if (lo >= 0.5 * nu) return third_derivative(lo, nu * nu, iso);
  return third_derivative_peak / (nu * nu);
}

typedef struct {
  double hessian;      /* max over pixels of sup|φ‴|·|Dq|                         */
  double remainder;    /* max over pixels of ρ|Dq|, root_remainder_internal.h    */
  double by_weight;    /* Σ (Lipschitz constant of t/E near Dx · |Dq|)²           */
  double by_smoothing; /* Σ (the same of ν² t/E³)²                              */
} VariationSums;

static void variation_pixel(double size, double q, double radius, double nu, int iso, VariationSums *sums) {
  const double lo = fmax(0, size - radius), hi = size + radius, nu2 = nu * nu;
  const double near2 = lo * lo + nu2, near_root = sqrt(near2), far_share = hi * hi / (hi * hi + nu2);
  const double by_weight = q / near_root;
  const double by_smoothing = fmin(q / nu, by_weight * nu2 / near2 * fmax(1, 3 * far_share - 1));
  sums->hessian = fmax(sums->hessian, third_derivative_sup(size, radius, nu, iso) * q);
  sums->remainder = fmax(sums->remainder, bt_root_remainder(size, radius, nu) * q);
  sums->by_weight += by_weight * by_weight;
  sums->by_smoothing += by_smoothing * by_smoothing;
}

/* For ‖e‖ ≤ ε each pixel's |De| ≤ √3 ε (√2 ε for one difference) and ‖De‖ ≤ √8 ε; the mean value theorem
 * pixel by pixel, then Hölder: ‖Dᵀ[φ″(D(x+e)) − φ″(Dx)]Dq‖ ≤ √8 · max_p(sup|φ‴| |Dq|)_p · √8 ε. */
static void tv_variation(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                         const double *q, double eps, BtVariation *variation) {
  const Flux flux = flux_at(theta);
  const int iso = isotropic(reg);
  const double radius = eps * sqrt(iso ? 3.0 : 2.0) * (1 + 1e-15), slack = 1 + 1e-9;
  double tx[TILE], ty[TILE], qx[TILE], qy[TILE];
  VariationSums sums = {0, 0, 0, 0};
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c0 = 0; c0 < shape.width; c0 += TILE) {
      const size_t n = shape.width - c0 < TILE ? shape.width - c0 : TILE;
      difference_row(x, shape, r, c0, n, tx, ty);
      difference_row(q, shape, r, c0, n, qx, qy);
      for (size_t i = 0; i < n; i++) {
        if (iso) {
          variation_pixel(hypot(tx[i], ty[i]), hypot(qx[i], qy[i]), radius, flux.nu, iso, &sums);
        } else {
          variation_pixel(fabs(tx[i]), fabs(qx[i]), radius, flux.nu, iso, &sums);
          variation_pixel(fabs(ty[i]), fabs(qy[i]), radius, flux.nu, iso, &sums);
        }
      }
    }
  variation->hessian = slack * flux.weight * 8 * sums.hessian * eps;
  variation->remainder = slack * sums.remainder;
  variation->cross = slack * flux.weight * sqrt(8.0) * eps * sqrt(sums.by_weight + sums.by_smoothing);
}

static const char *tv_parameter_name(const BtRegularizer *reg, size_t j) {
  (void)reg;
  return j == 0 ? "log_weight" : "log_smoothing";
}

static void tv_domain(const BtRegularizer *reg, size_t j, double *lo, double *hi) {
  (void)reg;
  *lo = j == 0 ? -15 : -14;
  *hi = 5;
}

/* What is learned for photographs is a weight of 0.6 σ to 0.9 σ for σ from 15 to 50; a smoothing well above
 * the learned one keeps the first solves cheap. */
static void tv_initial(const BtRegularizer *reg, double sigma, double *theta) {
  const double wanted[2] = {log(0.7 * sigma), log(sigma / 15)};
  for (size_t j = 0; j < 2; j++) {
    double lo, hi;
    tv_domain(reg, j, &lo, &hi);
    theta[j] = fmin(hi - 1, fmax(lo + 1, wanted[j]));
  }
}

static const BtRegularizerOps tv_ops = {
    .name = "tv",
    .value_grad = tv_value_grad,
    .curvature_size = tv_curvature_size,
    .curvature = tv_curvature,
    .hess_mult = tv_hess_mult,
    .hess_diagonal = tv_hess_diagonal,
    .cross_mult = tv_cross_mult,
    .cross_adjoint = tv_cross_adjoint,
    .constants = tv_constants,
    .variation = tv_variation,
    .dual_size = tv_dual_size,
    .dual_curvature = tv_blocks,
    .dual_update = tv_dual_update,
    .denoise_start = tv_denoise_start,
    .parameter_name = tv_parameter_name,
    .initial = tv_initial,
    .domain = tv_domain,
};

BtRegularizer bt_tv(BtTvVariant variant) {
  return (BtRegularizer){.ops = &tv_ops, .parameters = 2, .variant = (int)variant};
}

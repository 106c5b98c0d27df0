#include "imageio/noise_level.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 7
#define AREA (SIDE * SIDE)
#define LEAST_SIDE (2 * SIDE)
#define MOST_PATCHES 500000 /* of a plane; of larger planes every so many-th patch is taken */
#define ITERATIONS 8
#define SETTLED 1e-3
#define MOST_SWEEPS 60
#define BLOCK 128

/* The (1 − 10⁻⁶)-quantile of a patch's squared gradients summed, ‖D_h p‖² + ‖D_v p‖² with the differences
 * (−½, 0, ½) that fit into it, for noise of variance 1: of the Gamma distribution with the shape r/2 and the
 * scale 2T/r of Liu et al., eq. 12, r = 45 the rank and T = 35 the trace of D_hᵀD_h + D_vᵀD_v. */
#define FLAT_QUANTILE 81.82

/* The patches of one plane. */
typedef struct {
  const double *x; /* 0–255 scale, mean 0 */
  size_t height, width, stride;
} Plane;

/* Sums over chosen patches. */
typedef struct {
  double block[AREA][BLOCK], sums[AREA][AREA], mean[AREA];
  size_t filled, count;
} Sums;

static double square(double x) { return x * x; }

/* How strong the texture of the patch at p is: its squared differences, summed. */
static double texture(const Plane *plane, const double *p) {
  const size_t w = plane->width;
  double sum = 0;
  for (size_t r = 0; r < SIDE; r++)
    for (size_t c = 1; c + 1 < SIDE; c++)
      sum += square(p[r * w + c + 1] - p[r * w + c - 1]) + square(p[(c + 1) * w + r] - p[(c - 1) * w + r]);
  return sum / 4;
}

static void add_block(Sums *s) {
  for (size_t i = 0; i < AREA; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (size_t k = 0; k < BLOCK; k++) sum += s->block[i][k] * s->block[j][k];
      s->sums[i][j] += sum;
    }
  for (size_t i = 0; i < AREA; i++)
    for (size_t k = 0; k < BLOCK; k++) s->mean[i] += s->block[i][k];
  memset(s->block, 0, sizeof s->block);
  s->count += s->filled;
  s->filled = 0;
}

/* covariance[AREA][AREA] of the patches with texture below `limit`; returns their number. */
static size_t covariance_of(const Plane *plane, double limit, Sums *s, double *covariance) {
  memset(s, 0, sizeof *s);
  for (size_t r = 0; r + SIDE <= plane->height; r += plane->stride)
    for (size_t c = 0; c + SIDE <= plane->width; c += plane->stride) {
      const double *p = plane->x + r * plane->width + c;
      if (!(texture(plane, p) <= limit)) continue;
      for (size_t i = 0; i < AREA; i++) s->block[i][s->filled] = p[i / SIDE * plane->width + i % SIDE];
      if (++s->filled == BLOCK) add_block(s);
    }
  add_block(s);
  const double n = (double)s->count;
  for (size_t i = 0; i < AREA; i++)
    for (size_t j = 0; j <= i; j++)
      covariance[i * AREA + j] = covariance[j * AREA + i] =
          (s->sums[i][j] - s->mean[i] * s->mean[j] / n) / (n - 1);
  return s->count;
}

/* One rotation of the cyclic Jacobi method makes a[p][q] zero. */
static void rotate(double *a, size_t p, size_t q) {
  const double apq = a[p * AREA + q];
  if (apq == 0) return;
  const double theta = (a[q * AREA + q] - a[p * AREA + p]) / (2 * apq);
  const double t = copysign(1, theta) / (fabs(theta) + hypot(theta, 1));
  const double c = 1 / sqrt(1 + t * t), s = t * c;
  for (size_t k = 0; k < AREA; k++) {
    const double kp = a[k * AREA + p], kq = a[k * AREA + q];
    a[k * AREA + p] = c * kp - s * kq;
    a[k * AREA + q] = s * kp + c * kq;
  }
  for (size_t k = 0; k < AREA; k++) {
    const double pk = a[p * AREA + k], qk = a[q * AREA + k];
    a[p * AREA + k] = c * pk - s * qk;
    a[q * AREA + k] = s * pk + c * qk;
  }
}

/* Smallest eigenvalue of a symmetric matrix, which is destroyed; NAN if it did not come out. */
static double smallest_eigenvalue(double *a) {
  for (int sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    double off = 0, diagonal = 0;
    for (size_t i = 0; i < AREA; i++)
      for (size_t j = 0; j < AREA; j++) *(i == j ? &diagonal : &off) += a[i * AREA + j] * a[i * AREA + j];
    if (off <= 1e-26 * diagonal) {
      double smallest = a[0];
      for (size_t i = 1; i < AREA; i++) smallest = fmin(smallest, a[i * AREA + i]);
      return smallest;
    }
    for (size_t p = 0; p + 1 < AREA; p++)
      for (size_t q = p + 1; q < AREA; q++) rotate(a, p, q);
  }
  return (double)NAN;
}

/* Liu et al., algorithm 1: the variance along the direction of least variance over the patches whose texture
 * the variance found before explains. */
static double plane_variance(const Plane *plane, Sums *sums) {
  double covariance[AREA * AREA], variance = 0, limit = INFINITY;
  for (int k = 0; k < ITERATIONS; k++) {
    if (covariance_of(plane, limit, sums, covariance) <= AREA) break;
    const double before = variance;
    variance = smallest_eigenvalue(covariance);
    if (isnan(variance)) break;
    variance = fmax(0, variance); /* rounding */
    if (fabs(before - variance) <= SETTLED * variance) break;
    limit = FLAT_QUANTILE * variance;
  }
  return variance;
}

BtStatus bt_noise_level(BtContext *ctx, const BtImage *image, double *sigma) {
  BtStatus st = BT_OK;
  BtImage copy = {0};
  double sum = 0;
  Sums *sums = NULL;
  *sigma = NAN;
  if (image->height < LEAST_SIDE || image->width < LEAST_SIDE)
    return bt_fail(ctx, BT_ERR_ARG, "an image of %zux%zu is too small to estimate its noise; give --sigma",
                   image->height, image->width);
  BT_TRY(bt_image_copy(ctx, image, &copy));
  sums = malloc(sizeof *sums);
  if (!sums) BT_TRY(bt_fail_memory(ctx, "a noise level", sizeof *sums));
  bt_image_to_opponent(&copy);
  for (int c = 0; c < copy.colors; c++) {
    double *x = bt_image_plane(&copy, c), mean = 0;
    const size_t n = bt_image_plane_size(&copy);
    for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) x[i] = 255 * (x[i] - mean);
    const Plane plane = {x, copy.height, copy.width, 1 + (size_t)sqrt((double)n / MOST_PATCHES)};
    sum += plane_variance(&plane, sums) / copy.colors;
  }
  if (isnan(sum))
    BT_TRY(bt_fail(ctx, BT_ERR_NUMERIC, "the noise level could not be estimated; give --sigma"));
  *sigma = sqrt(sum);
done:
  free(sums);
  bt_image_clear(&copy);
  return st;
}

#include "imageio/noise_level.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 8
#define AREA (SIDE * SIDE)
#define LEAST_SIDE (2 * SIDE)
#define MOST_SWEEPS 60

static double at(const double *x, size_t width, size_t row, size_t column) { return x[row * width + column]; }

/* out[a][b] ← Σ x(r, c) x(r + dy, c + dx) over r in [a, a + rows), c in [b, b + columns), for all a, b for which both pixels
 * lie in patches of SIDE × SIDE: a < SIDE − |dy| and so on, counted from the first row and column where that is so. */
static void lagged_sums(const double *x, size_t width, size_t rows, size_t columns, size_t dy, long dx,
                        double out[SIDE][SIDE]) {
  const size_t first = dx < 0 ? (size_t)-dx : 0, steps = SIDE - (size_t)labs(dx);
  memset(out, 0, sizeof(double[SIDE][SIDE]));
  for (size_t r = 0; r + dy < rows + SIDE - 1; r++) {
    const double *p = x + r * width + first, *q = x + (r + dy) * width + first + dx;
    double sum = 0;
    for (size_t c = 0; c < columns; c++) sum += p[c] * q[c];
    for (size_t b = 0; b < steps; b++) {
      if (b) sum += p[columns + b - 1] * q[columns + b - 1] - p[b - 1] * q[b - 1];
      /* Row r belongs to the sums from row a on if a ≤ r < a + rows. */
      for (size_t a = r < rows ? 0 : r - rows + 1; a < SIDE - dy && a <= r; a++) out[a][b] += sum;
    }
  }
}

/* covariance[AREA][AREA] of all SIDE × SIDE patches of a plane, scaled by 255². A pair of pixels in a patch is a lag and
 * a place; the sums of one lag are shared by all places. */
static void patch_covariance(const double *x, size_t height, size_t width, double *covariance) {
  const size_t rows = height - SIDE + 1, columns = width - SIDE + 1;
  const double count = (double)rows * (double)columns;
  double mean[AREA], sums[SIDE][SIDE];
  for (size_t i = 0; i < AREA; i++) {
    mean[i] = 0;
    for (size_t r = 0; r < rows; r++)
      for (size_t c = 0; c < columns; c++) mean[i] += at(x, width, r + i / SIDE, c + i % SIDE) / count;
  }
  for (size_t dy = 0; dy < SIDE; dy++)
    for (long dx = dy ? -(SIDE - 1) : 0; dx < SIDE; dx++) {
      const size_t first = dx < 0 ? (size_t)-dx : 0;
      lagged_sums(x, width, rows, columns, dy, dx, sums);
      for (size_t a = 0; a < SIDE - dy; a++)
        for (size_t b = 0; b < SIDE - (size_t)labs(dx); b++) {
          const size_t i = a * SIDE + b + first, j = (a + dy) * SIDE + (size_t)((long)(b + first) + dx);
          covariance[i * AREA + j] = covariance[j * AREA + i] = 255 * 255 * (sums[a][b] / count - mean[i] * mean[j]);
        }
    }
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

/* Eigenvalues of a symmetric matrix, which is destroyed. Returns 0 if they did not come out. */
static int eigenvalues(double *a, double *values) {
  for (int sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    double off = 0, diagonal = 0;
    for (size_t i = 0; i < AREA; i++)
      for (size_t j = 0; j < AREA; j++) *(i == j ? &diagonal : &off) += a[i * AREA + j] * a[i * AREA + j];
    if (off <= 1e-26 * diagonal) {
      for (size_t i = 0; i < AREA; i++) values[i] = a[i * AREA + i];
      return 1;
    }
    for (size_t p = 0; p + 1 < AREA; p++)
      for (size_t q = p + 1; q < AREA; q++) rotate(a, p, q);
  }
  return 0;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The variance by Chen et al., algorithm 1: from all values down, until the mean is no more than the median. */
static double noise_variance(double *values, size_t count) {
  double sum = 0;
  qsort(values, count, sizeof *values, ascending);
  for (size_t i = 0; i < count; i++) sum += values[i];
  for (size_t n = count; n > 1; sum -= values[--n]) {
    const double median = (values[(n - 1) / 2] + values[n / 2]) / 2;
    if (sum / (double)n <= median) return fmax(0, sum / (double)n);
  }
  return fmax(0, values[0]);
}

BtStatus bt_noise_level(BtContext *ctx, const BtImage *image, double *sigma) {
  BtStatus st = BT_OK;
  BtImage copy = {0};
  double *covariance = NULL, values[3 * AREA];
  *sigma = NAN;
  if (image->height < LEAST_SIDE || image->width < LEAST_SIDE)
    return bt_fail(ctx, BT_ERR_ARG, "an image of %zux%zu is too small to estimate its noise; give --sigma", image->height,
                   image->width);
  BT_TRY(bt_image_copy(ctx, image, &copy));
  covariance = malloc(AREA * AREA * sizeof *covariance);
  if (!covariance) BT_TRY(bt_fail_memory(ctx, "a noise level", AREA * AREA * sizeof *covariance));
  bt_image_to_opponent(&copy);
  for (int c = 0; c < copy.colors; c++) {
    double *plane = bt_image_plane(&copy, c), mean = 0;
    const size_t n = bt_image_plane_size(&copy);
    /* Covariances do not mind; products keep their digits. */
    for (size_t i = 0; i < n; i++) mean += plane[i] / (double)n;
    for (size_t i = 0; i < n; i++) plane[i] -= mean;
    patch_covariance(plane, copy.height, copy.width, covariance);
    if (!eigenvalues(covariance, values + c * AREA))
      BT_TRY(bt_fail(ctx, BT_ERR_NUMERIC, "the noise level could not be estimated; give --sigma"));
  }
  *sigma = sqrt(noise_variance(values, (size_t)copy.colors * AREA));
done:
  free(covariance);
  bt_image_clear(&copy);
  return st;
}

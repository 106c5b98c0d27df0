#include "imageio/metrics.h"

#include <math.h>
#include <stdlib.h>

#define WINDOW 11 /* odd */
#define MOMENTS 5 /* weighted sums of a, b, a², b², a·b */

double bt_mse(const double *a, const double *b, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return n ? sum / (double)n : 0.0;
}

double bt_psnr(double mse) { return -10.0 * log10(mse); }

static BtStatus check_alike(BtContext *ctx, const BtImage *a, const BtImage *b) {
  if (a->width == b->width && a->height == b->height && a->colors == b->colors) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG,
                 "images of %zu×%zu pixels with %d colours and %zu×%zu with %d cannot be compared", a->width,
                 a->height, a->colors, b->width, b->height, b->colors);
}

BtStatus bt_image_psnr(BtContext *ctx, const BtImage *a, const BtImage *b, double *psnr) {
  const BtStatus st = check_alike(ctx, a, b);
  if (st < 0) return st;
  *psnr = bt_psnr(bt_mse(a->pixels, b->pixels, (size_t)a->colors * bt_image_plane_size(a)));
  return BT_OK;
}

static void fill_window(double weight[WINDOW]) {
  double sum = 0.0;
  for (int i = 0; i < WINDOW; i++) {
    const double x = (i - WINDOW / 2) / 1.5;
    weight[i] = exp(-0.5 * x * x);
    sum += weight[i];
  }
  for (int i = 0; i < WINDOW; i++) weight[i] /= sum;
}

/* Moments of a row in windows of one dimension: out[m·n + k] for the n = width − 10 windows inside it. */
static void filter_row(const double weight[WINDOW], const double *a, const double *b, size_t n, double *out) {
  for (size_t k = 0; k < n; k++) {
    double m[MOMENTS] = {0};
    for (int i = 0; i < WINDOW; i++) {
      const double x = a[k + i], y = b[k + i], wx = weight[i] * x, wy = weight[i] * y;
      m[0] += wx;
      m[1] += wy;
      m[2] += wx * x;
      m[3] += wy * y;
      m[4] += wx * y;
    }
    for (size_t j = 0; j < MOMENTS; j++) out[j * n + k] = m[j];
  }
}

/* Similarity from the moments of one window, their eq. 13. */
static double similarity(const double m[MOMENTS]) {
  static const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
  const double ab = m[0] * m[1], aa = m[0] * m[0], bb = m[1] * m[1];
  return (2.0 * ab + c1) * (2.0 * (m[4] - ab) + c2) / ((aa + bb + c1) * (m[2] - aa + m[3] - bb + c2));
}

/* Sum over the windows whose last row is r; row i's moments are in slot i mod WINDOW of `ring`. */
static double sum_windows(const double weight[WINDOW], const double *ring, size_t r, size_t n) {
  double sum = 0.0;
  for (size_t k = 0; k < n; k++) {
    double m[MOMENTS] = {0};
    for (size_t i = 0; i < WINDOW; i++) {
      const double *slot = ring + (r + 1 + i) % WINDOW * MOMENTS * n;
      for (size_t j = 0; j < MOMENTS; j++) m[j] += weight[i] * slot[j * n + k];
    }
    sum += similarity(m);
  }
  return sum;
}

BtStatus bt_image_ssim(BtContext *ctx, const BtImage *a, const BtImage *b, double *ssim) {
  const BtStatus st = check_alike(ctx, a, b);
  if (st < 0) return st;
  *ssim = NAN;
  if (a->width < WINDOW || a->height < WINDOW) return BT_OK;

  const size_t n = a->width - WINDOW + 1, rows = a->height - WINDOW + 1;
  double weight[WINDOW], total = 0.0;
  double *ring = malloc(WINDOW * MOMENTS * n * sizeof *ring);
  if (!ring)
    return bt_fail_memory(ctx, "structural similarity", (double)(WINDOW * MOMENTS * n * sizeof *ring));
  fill_window(weight);
  for (int c = 0; c < a->colors; c++) {
    const double *pa = bt_image_plane(a, c), *pb = bt_image_plane(b, c);
    for (size_t r = 0; r < a->height; r++) {
      filter_row(weight, pa + r * a->width, pb + r * a->width, n, ring + r % WINDOW * MOMENTS * n);
      if (r >= WINDOW - 1) total += sum_windows(weight, ring, r, n);
    }
  }
  free(ring);
  *ssim = total / ((double)rows * (double)n * a->colors);
  return BT_OK;
}

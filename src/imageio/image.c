#include "imageio/image.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

static int planes_of(const BtImage *image) { return image->colors + image->alpha; }

BtStatus bt_image_create(BtContext *ctx, size_t width, size_t height, int colors, int alpha, BtImage *image) {
  *image = (BtImage){0};
  if ((colors != 1 && colors != 3) || (alpha != 0 && alpha != 1))
    return bt_fail(ctx, BT_ERR_ARG, "an image has 1 or 3 colour planes and at most 1 of alpha, not %d and %d",
                   colors, alpha);
  if (width == 0 || height == 0)
    return bt_fail(ctx, BT_ERR_ARG, "an image of %zu×%zu pixels is empty", width, height);
  const size_t planes = (size_t)(colors + alpha);
  if (width > SIZE_MAX / sizeof(double) / planes / height)
    return bt_fail(ctx, BT_ERR_ARG, "an image of %zu×%zu pixels is too large", width, height);

  double *pixels = calloc(planes * width * height, sizeof *pixels);
  if (!pixels) return bt_fail_memory(ctx, "an image", 8.0 * (double)planes * (double)width * (double)height);
  *image = (BtImage){.width = width,
                     .height = height,
                     .colors = colors,
                     .alpha = alpha,
                     .sample = BT_SAMPLE_U8,
                     .white = 255.0,
                     .pixels = pixels};
  return BT_OK;
}

void bt_image_clear(BtImage *image) {
  free(image->pixels);
  *image = (BtImage){0};
}

BtStatus bt_image_copy(BtContext *ctx, const BtImage *from, BtImage *to) {
  const BtStatus st = bt_image_create(ctx, from->width, from->height, from->colors, from->alpha, to);
  if (st < 0) return st;
  to->sample = from->sample;
  to->white = from->white;
  memcpy(to->pixels, from->pixels, (size_t)planes_of(from) * bt_image_plane_size(from) * sizeof *to->pixels);
  return BT_OK;
}

BtStatus bt_image_to_gray(BtContext *ctx, BtImage *image) {
  if (image->colors == 1 && image->alpha == 0) return BT_OK;
  BtImage gray;
  const BtStatus st = bt_image_create(ctx, image->width, image->height, 1, 0, &gray);
  if (st < 0) return st;
  gray.sample = image->sample;
  gray.white = image->white;

  const size_t n = bt_image_plane_size(image);
  if (image->colors == 3) {
    const double *r = bt_image_plane(image, 0), *g = bt_image_plane(image, 1), *b = bt_image_plane(image, 2);
    for (size_t p = 0; p < n; p++) gray.pixels[p] = 0.299 * r[p] + 0.587 * g[p] + 0.114 * b[p];
  } else {
    memcpy(gray.pixels, image->pixels, n * sizeof *gray.pixels);
  }
  bt_image_clear(image);
  *image = gray;
  return BT_OK;
}

/* Rows: gray, red against blue, and green against both. */
static const double opponent[3][3] = {
    {0.57735026918962576451, 0.57735026918962576451, 0.57735026918962576451},
    {0.70710678118654752440, 0.0, -0.70710678118654752440},
    {0.40824829046386301637, -0.81649658092772603273, 0.40824829046386301637},
};

/* Multiplies the colour vectors by the opponent matrix or, being orthonormal, by its transpose. */
static void rotate_colors(BtImage *image, int transpose) {
  if (image->colors != 3) return;
  double m[3][3];
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) m[i][j] = transpose ? opponent[j][i] : opponent[i][j];

  const size_t n = bt_image_plane_size(image);
  double *a = bt_image_plane(image, 0), *b = bt_image_plane(image, 1), *c = bt_image_plane(image, 2);
  for (size_t p = 0; p < n; p++) {
    const double x = a[p], y = b[p], z = c[p];
    a[p] = m[0][0] * x + m[0][1] * y + m[0][2] * z;
    b[p] = m[1][0] * x + m[1][1] * y + m[1][2] * z;
    c[p] = m[2][0] * x + m[2][1] * y + m[2][2] * z;
  }
}

void bt_image_to_opponent(BtImage *image) { rotate_colors(image, 0); }

void bt_image_from_opponent(BtImage *image) { rotate_colors(image, 1); }

BtStatus bt_image_crop(BtContext *ctx, BtImage *image, size_t height, size_t width) {
  if (height > image->height) height = image->height;
  if (width > image->width) width = image->width;
  if (height == image->height && width == image->width) return BT_OK;
  BtImage window;
  const BtStatus st = bt_image_create(ctx, width, height, image->colors, image->alpha, &window);
  if (st < 0) return st;
  window.sample = image->sample;
  window.white = image->white;

  const size_t top = (image->height - height) / 2, left = (image->width - width) / 2;
  for (int c = 0; c < planes_of(image); c++)
    for (size_t r = 0; r < height; r++)
      memcpy(bt_image_plane(&window, c) + r * width,
             bt_image_plane(image, c) + (top + r) * image->width + left, width * sizeof *window.pixels);
  bt_image_clear(image);
  *image = window;
  return BT_OK;
}

void bt_image_add_noise(BtImage *image, double sigma, unsigned long long seed, unsigned long long stream) {
  const size_t n = (size_t)image->colors * bt_image_plane_size(image);
  for (size_t p = 0; p < n; p++) image->pixels[p] += sigma / 255.0 * bt_rng_normal(seed, stream, p);
}

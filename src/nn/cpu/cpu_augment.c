/* Augmentations, one thread an image; draws and arithmetic in augment_internal.h. */
#include <string.h>

#include "nn/augment_internal.h"
#include "nn/cpu/cpu_internal.h"

static size_t image_size(const NnImages *n) { return n->channels * n->height * n->width; }

static void flip(NnBackend *b, NnKey key, const NnImages *n, const NnReal *x, NnReal *y) {
  const size_t size = image_size(n), width = n->width;
  key = nn_key_here(key);
  NN_PARALLEL(b, n->rows * size)
  for (size_t r = 0; r < n->rows; r++) {
    const NnReal *in = x + r * size;
    NnReal *out = y + r * size;
    if (nn_flip_draw(key, r))
      for (size_t line = 0; line < size; line += width)
        for (size_t j = 0; j < width; j++) out[line + j] = in[line + width - 1 - j];
    else
      memcpy(out, in, size * sizeof *out);
  }
}

/* out[i][j] = in[i + down][j + right], zero outside. */
static void shift(const NnImages *n, long down, long right, const NnReal *in, NnReal *out) {
  const long height = (long)n->height, width = (long)n->width;
  const long first = right < 0 ? -right : 0, last = right > 0 ? width - right : width;
  memset(out, 0, n->height * n->width * sizeof *out);
  for (long i = 0; i < height && first < last; i++)
    if (i + down >= 0 && i + down < height)
      memcpy(out + i * width + first, in + (i + down) * width + first + right,
             (size_t)(last - first) * sizeof *out);
}

static void crop(NnBackend *b, NnKey key, const NnImages *n, size_t pad, const NnReal *x, NnReal *y) {
  const size_t plane = n->height * n->width, size = image_size(n);
  key = nn_key_here(key);
  NN_PARALLEL(b, n->rows * size)
  for (size_t r = 0; r < n->rows; r++) {
    size_t down, right;
    nn_crop_draw(key, r, pad, &down, &right);
    for (size_t c = r * size; c < (r + 1) * size; c += plane)
      shift(n, (long)down - (long)pad, (long)right - (long)pad, x + c, y + c);
  }
}

static void cut(const NnImages *n, const NnHoles *h, NnReal *plane) {
  for (int k = 0; k < h->holes; k++) {
    const int top = h->top[k] > 0 ? h->top[k] : 0, left = h->left[k] > 0 ? h->left[k] : 0;
    const int bottom = (int)nn_min((size_t)(h->top[k] + h->length), n->height);
    const int right = (int)nn_min((size_t)(h->left[k] + h->length), n->width);
    for (int i = top; i < bottom && left < right; i++)
      memset(plane + (size_t)i * n->width + (size_t)left, 0, (size_t)(right - left) * sizeof *plane);
  }
}

static void cutout(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                   NnReal *y) {
  const size_t plane = n->height * n->width, size = image_size(n);
  key = nn_key_here(key);
  NN_PARALLEL(b, n->rows * size)
  for (size_t r = 0; r < n->rows; r++) {
    NnHoles holes;
    nn_cutout_draw(key, n, s, r, &holes);
    memcpy(y + r * size, x + r * size, size * sizeof *y);
    for (size_t c = 0; c < n->channels; c++) cut(n, &holes, y + r * size + c * plane);
  }
}

/* The mean of the gray values, in double precision: the sum of a large image. */
static NnReal gray_mean(size_t plane, size_t channels, const NnReal *x) {
  double sum = 0;
  for (size_t p = 0; p < plane; p++)
    sum += (double)(channels == 3 ? nn_gray(x[p], x[plane + p], x[2 * plane + p]) : x[p]);
  return (NnReal)(sum / (double)plane);
}

BT_SIMD static void jitter_image(size_t plane, size_t channels, NnJitter j, const NnReal *x, NnReal *y) {
  for (size_t i = 0; i < channels * plane; i++) y[i] = nn_towards(x[i], 0, j.brightness);
  if (j.contrast != 1) {
    const NnReal mean = gray_mean(plane, channels, y);
    for (size_t i = 0; i < channels * plane; i++) y[i] = nn_towards(y[i], mean, j.contrast);
  }
  if (channels != 3) return;
  if (j.saturation != 1)
    for (size_t p = 0; p < plane; p++) {
      const NnReal v = nn_gray(y[p], y[plane + p], y[2 * plane + p]);
      for (size_t c = p; c < 3 * plane; c += plane) y[c] = nn_towards(y[c], v, j.saturation);
    }
  if (j.turn != 0)
    for (size_t p = 0; p < plane; p++) {
      NnReal rgb[3] = {y[p], y[plane + p], y[2 * plane + p]};
      nn_turn_hue(j.turn, rgb);
      for (size_t c = 0; c < 3; c++) y[c * plane + p] = rgb[c];
    }
}

static void jitter(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                   NnReal *y) {
  const size_t plane = n->height * n->width, size = image_size(n);
  key = nn_key_here(key);
  NN_PARALLEL(b, n->rows * size)
  for (size_t r = 0; r < n->rows; r++)
    jitter_image(plane, n->channels, nn_jitter_draw(key, s, r), x + r * size, y + r * size);
}

static void affine_image(const NnImages *n, const NnAffine *f, const NnReal *x, NnReal *y) {
  const size_t plane = n->height * n->width;
  for (size_t i = 0; i < n->height; i++)
    for (size_t j = 0; j < n->width; j++) {
      const NnSample at = nn_affine_sample(f, n, i, j);
      for (size_t c = 0; c < n->channels; c++)
        y[c * plane + i * n->width + j] = nn_interpolate(x + c * plane, n, at);
    }
}

static void affine(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                   NnReal *y) {
  const size_t size = image_size(n);
  key = nn_key_here(key);
  NN_PARALLEL(b, n->rows * size)
  for (size_t r = 0; r < n->rows; r++) {
    const NnAffine f = nn_affine_draw(key, n, s, r);
    affine_image(n, &f, x + r * size, y + r * size);
  }
}

void nn_cpu_augment_kernels(NnKernels *k) {
  k->flip = flip;
  k->crop = crop;
  k->cutout = cutout;
  k->jitter = jitter;
  k->affine = affine;
}

#include "lowerlevel/spectral.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct BtSpectral {
  BtShape shape;
  BtBoundary boundary;
  size_t columns; /* frequencies per row                                              */
  double *buffer; /* reflecting: [height][width]; periodic: [height][2·columns], padded rows */
  fftw_plan forward, backward;
};

size_t bt_spectral_size(BtShape shape, BtBoundary boundary) {
  return shape.height * (boundary == BT_BOUNDARY_REFLECT ? shape.width : shape.width / 2 + 1);
}

size_t bt_spectral_frequencies(const BtSpectral *s) { return s->shape.height * s->columns; }

void bt_spectral_destroy(BtSpectral *s) {
  if (!s) return;
  if (s->forward) fftw_destroy_plan(s->forward);
  if (s->backward) fftw_destroy_plan(s->backward);
  fftw_free(s->buffer);
  free(s);
}

BtStatus bt_spectral_create(BtContext *ctx, BtShape shape, BtBoundary boundary, BtSpectral **out) {
  const int h = (int)shape.height, w = (int)shape.width;
  const int reflect = boundary == BT_BOUNDARY_REFLECT;
  BtSpectral *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return bt_fail_memory(ctx, "a transform", sizeof *s);
  s->shape = shape;
  s->boundary = boundary;
  s->columns = reflect ? shape.width : shape.width / 2 + 1;
  const size_t doubles = shape.height * s->columns * (reflect ? 1 : 2);
  s->buffer = fftw_malloc(doubles * sizeof *s->buffer);
  /* Plans are estimated, not timed: the same sums in the same order on every run. */
  if (s->buffer && reflect) {
    s->forward = fftw_plan_r2r_2d(h, w, s->buffer, s->buffer, FFTW_REDFT10, FFTW_REDFT10, FFTW_ESTIMATE);
    s->backward = fftw_plan_r2r_2d(h, w, s->buffer, s->buffer, FFTW_REDFT01, FFTW_REDFT01, FFTW_ESTIMATE);
  } else if (s->buffer) {
    fftw_complex *frequencies = (fftw_complex *)s->buffer;
    s->forward = fftw_plan_dft_r2c_2d(h, w, s->buffer, frequencies, FFTW_ESTIMATE);
    s->backward = fftw_plan_dft_c2r_2d(h, w, frequencies, s->buffer, FFTW_ESTIMATE);
  }
  if (!s->forward || !s->backward) {
    bt_spectral_destroy(s);
    return bt_fail_memory(ctx, "a transform", (double)doubles * sizeof(double));
  }
  *out = s;
  return BT_OK;
}

void bt_spectral_multiply(const BtSpectral *s, const double *symbol, const double *v, double *out) {
  const size_t h = s->shape.height, w = s->shape.width, n = h * w;
  if (s->boundary == BT_BOUNDARY_REFLECT) {
    const double scale = 0.25 / (double)n;
    memcpy(s->buffer, v, n * sizeof *v);
    fftw_execute(s->forward);
    for (size_t i = 0; i < n; i++) s->buffer[i] *= scale * symbol[i];
    fftw_execute(s->backward);
    memcpy(out, s->buffer, n * sizeof *out);
    return;
  }
  const size_t row = 2 * s->columns;
  const double scale = 1 / (double)n;
  for (size_t r = 0; r < h; r++) memcpy(s->buffer + r * row, v + r * w, w * sizeof *v);
  fftw_execute(s->forward);
  for (size_t i = 0; i < h * s->columns; i++) {
    s->buffer[2 * i] *= scale * symbol[i];
    s->buffer[2 * i + 1] *= scale * symbol[i];
  }
  fftw_execute(s->backward);
  for (size_t r = 0; r < h; r++) memcpy(out + r * w, s->buffer + r * row, w * sizeof *out);
}

/* cos and sin of 2π k/period for k < period. */
static void fill_circle(size_t period, double *cosines, double *sines) {
  const double unit = 2 * acos(-1.0) / (double)period;
  for (size_t k = 0; k < period; k++) {
    cosines[k] = cos(unit * (double)k);
    sines[k] = sin(unit * (double)k);
  }
}

/* (offset · frequency) mod period for offset = tap − middle. */
static size_t phase(size_t tap, size_t middle, size_t frequency, size_t period) {
  const size_t offset = (tap + period * (middle / period + 1) - middle) % period;
  return offset * frequency % period;
}

/* re, im[columns] ← Σ_t taps[t] e^{−2πi (t − middle) j / period}. */
static void transform_row(const double *taps, size_t count, size_t period, const double *cosines, const double *sines,
                          size_t columns, double *re, double *im) {
  for (size_t j = 0; j < columns; j++) {
    re[j] = im[j] = 0;
    for (size_t t = 0; t < count; t++) {
      const size_t k = phase(t, count / 2, j, period);
      re[j] += taps[t] * cosines[k];
      im[j] -= taps[t] * sines[k];
    }
  }
}

/* Adds one tap row's values, turned by its offset, to those of frequency row i. */
static void add_row(double c, double s, const double *re, const double *im, size_t columns, double *out_re,
                    double *out_im) {
  for (size_t j = 0; j < columns; j++) {
    out_re[j] += re[j] * c + im[j] * s;
    out_im[j] += im[j] * c - re[j] * s;
  }
}

/* The DCT's frequencies are those of a period of twice the side; even taps have no imaginary part. */
static BtStatus transform_taps(const BtSpectral *s, size_t rows, size_t columns, const double *taps, int power,
                               double *symbol) {
  const size_t twice = s->boundary == BT_BOUNDARY_REFLECT ? 2 : 1;
  const size_t h = s->shape.height, m = s->columns, high = twice * h, wide = twice * s->shape.width;
  double *block = malloc((2 * high + 2 * wide + 2 * rows * m + 2 * m) * sizeof *block);
  if (!block) return BT_ERR_MEMORY;
  double *cos_r = block, *sin_r = cos_r + high, *cos_c = sin_r + high, *sin_c = cos_c + wide;
  double *re = sin_c + wide, *im = re + rows * m, *sum_re = im + rows * m, *sum_im = sum_re + m;
  fill_circle(high, cos_r, sin_r);
  fill_circle(wide, cos_c, sin_c);
  for (size_t t = 0; t < rows; t++)
    transform_row(taps + t * columns, columns, wide, cos_c, sin_c, m, re + t * m, im + t * m);
  for (size_t i = 0; i < h; i++) {
    memset(sum_re, 0, 2 * m * sizeof *sum_re);
    for (size_t t = 0; t < rows; t++) {
      const size_t k = phase(t, rows / 2, i, high);
      add_row(cos_r[k], sin_r[k], re + t * m, im + t * m, m, sum_re, sum_im);
    }
    for (size_t j = 0; j < m; j++)
      symbol[i * m + j] = power ? sum_re[j] * sum_re[j] + sum_im[j] * sum_im[j] : sum_re[j];
  }
  free(block);
  return BT_OK;
}

BtStatus bt_spectral_symbol(const BtSpectral *s, size_t rows, size_t columns, const double *taps, double *symbol) {
  return transform_taps(s, rows, columns, taps, 0, symbol);
}

BtStatus bt_spectral_power(const BtSpectral *s, size_t rows, size_t columns, const double *taps, double *symbol) {
  return transform_taps(s, rows, columns, taps, 1, symbol);
}

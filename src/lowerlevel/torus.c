#include "lowerlevel/torus.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int bt_torus_smooth(size_t n) {
  for (size_t p = 2; p <= 7; p += p == 2 ? 1 : 2)
    while (n % p == 0) n /= p;
  return n == 1;
}

static size_t smooth_length(size_t n) {
  while (!bt_torus_smooth(n)) n++;
  return n;
}

BtStatus bt_torus_create(BtContext *ctx, size_t high, size_t wide, BtTorus *t) {
  *t = (BtTorus){.high = smooth_length(high), .wide = smooth_length(wide)};
  t->stride = 2 * (t->wide / 2 + 1);
  t->plane = fftw_malloc(t->high * t->stride * sizeof *t->plane);
  if (t->plane) {
    const int h = (int)t->high, w = (int)t->wide;
    fftw_complex *spectrum = (fftw_complex *)t->plane;
    t->plans[0] = fftw_plan_dft_r2c_2d(h, w, t->plane, spectrum, FFTW_ESTIMATE);
    t->plans[1] = fftw_plan_dft_c2r_2d(h, w, spectrum, t->plane, FFTW_ESTIMATE);
  }
  if (t->plans[0] && t->plans[1]) return BT_OK;
  const double bytes = (double)(t->high * t->stride) * sizeof *t->plane;
  bt_torus_clear(t);
  return bt_fail_memory(ctx, "a Fourier transform", bytes);
}

void bt_torus_clear(BtTorus *t) {
  for (int k = 0; k < 2; k++)
    if (t->plans[k]) fftw_destroy_plan(t->plans[k]);
  fftw_free(t->plane);
  *t = (BtTorus){0};
}

void bt_torus_forward(const BtTorus *t) { fftw_execute(t->plans[0]); }
void bt_torus_backward(const BtTorus *t) { fftw_execute(t->plans[1]); }

void bt_torus_multiply(const BtTorus *t, BtShape shape, const double *symbol, const double *v, double *out) {
  const size_t w = shape.width, count = bt_torus_frequencies(t);
  const double scale = 1 / (double)(t->high * t->wide);
  for (size_t r = 0; r < shape.height; r++) {
    memcpy(t->plane + r * t->stride, v + r * w, w * sizeof *v);
    memset(t->plane + r * t->stride + w, 0, (t->stride - w) * sizeof *v);
  }
  memset(t->plane + shape.height * t->stride, 0, (t->high - shape.height) * t->stride * sizeof *v);
  bt_torus_forward(t);
  for (size_t i = 0; i < count; i++) {
    t->plane[2 * i] *= scale * symbol[i];
    t->plane[2 * i + 1] *= scale * symbol[i];
  }
  bt_torus_backward(t);
  for (size_t r = 0; r < shape.height; r++) memcpy(out + r * w, t->plane + r * t->stride, w * sizeof *out);
}

/* The transform of a few taps, frequency row by frequency row. */
typedef struct {
  size_t rows, high, columns; /* taps' rows, period, frequencies per row                        */
  double *cosines, *sines;    /* [high], of 2π k/high                                          */
  double *re, *im;            /* [rows][columns]: each row of taps, transformed                  */
  double *sum_re, *sum_im;    /* [columns]: the frequency row last asked for                     */
  double *block;
} TapTransform;

/* (tap − middle)·frequency mod period. */
static size_t phase(size_t tap, size_t count, size_t frequency, size_t period) {
  const size_t middle = count / 2, turns = period * (middle / period + 1);
  return (tap + turns - middle) % period * frequency % period;
}

static BtStatus tap_begin(TapTransform *f, size_t high, size_t wide, size_t columns, size_t rows,
                          size_t row_taps, const double *taps) {
  const double unit = 2 * acos(-1.0);
  f->block = malloc((2 * high + 2 * rows * columns + 2 * columns + 2 * wide) * sizeof *f->block);
  if (!f->block) return BT_ERR_MEMORY;
  f->rows = rows;
  f->high = high;
  f->columns = columns;
  f->cosines = f->block;
  f->sines = f->cosines + high;
  f->re = f->sines + high;
  f->im = f->re + rows * columns;
  f->sum_re = f->im + rows * columns;
  f->sum_im = f->sum_re + columns;
  double *across_cos = f->sum_im + columns, *across_sin = across_cos + wide;
  for (size_t k = 0; k < high; k++) {
    f->cosines[k] = cos(unit * (double)k / (double)high);
    f->sines[k] = sin(unit * (double)k / (double)high);
  }
  for (size_t k = 0; k < wide; k++) {
    across_cos[k] = cos(unit * (double)k / (double)wide);
    across_sin[k] = sin(unit * (double)k / (double)wide);
  }
  for (size_t t = 0; t < rows; t++)
    for (size_t j = 0; j < columns; j++) {
      double re = 0, im = 0;
      for (size_t s = 0; s < row_taps; s++) {
        const size_t k = phase(s, row_taps, j, wide);
        re += taps[t * row_taps + s] * across_cos[k];
        im -= taps[t * row_taps + s] * across_sin[k];
      }
      f->re[t * columns + j] = re;
      f->im[t * columns + j] = im;
    }
  return BT_OK;
}

static void tap_row(const TapTransform *f, size_t i) {
  memset(f->sum_re, 0, 2 * f->columns * sizeof *f->sum_re);
  for (size_t t = 0; t < f->rows; t++) {
    const size_t k = phase(t, f->rows, i, f->high);
    const double c = f->cosines[k], s = f->sines[k], *re = f->re + t * f->columns,
                 *im = f->im + t * f->columns;
    for (size_t j = 0; j < f->columns; j++) {
      f->sum_re[j] += re[j] * c + im[j] * s;
      f->sum_im[j] += im[j] * c - re[j] * s;
    }
  }
}

BtStatus bt_torus_symbol(const BtTorus *t, size_t rows, size_t columns, const double *taps, double *symbol) {
  TapTransform f;
  const size_t half = t->stride / 2;
  if (tap_begin(&f, t->high, t->wide, half, rows, columns, taps) < 0) return BT_ERR_MEMORY;
  for (size_t i = 0; i < t->high; i++) {
    tap_row(&f, i);
    memcpy(symbol + i * half, f.sum_re, half * sizeof *symbol);
  }
  free(f.block);
  return BT_OK;
}

BtStatus bt_power_extremes(size_t high, size_t count_high, size_t wide, size_t count_wide, size_t rows,
                           size_t columns, const double *taps, double *least, double *most) {
  TapTransform f;
  if (tap_begin(&f, high, wide, count_wide, rows, columns, taps) < 0) return BT_ERR_MEMORY;
  *least = (double)INFINITY;
  *most = 0;
  for (size_t i = 0; i < count_high; i++) {
    tap_row(&f, i);
    for (size_t j = 0; j < count_wide; j++) {
      const double power = f.sum_re[j] * f.sum_re[j] + f.sum_im[j] * f.sum_im[j];
      *least = fmin(*least, power);
      *most = fmax(*most, power);
    }
  }
  free(f.block);
  return BT_OK;
}

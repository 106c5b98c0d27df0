/* The sweep by discrete Fourier transforms of tiles: overlap–save for C, overlap–add for Cᵀ and the tap sums
 * (Oppenheim & Schafer, Discrete-Time Signal Processing, section 8.7). The transforms are double, the
 * responses float: the error of a transform belongs to the norm of its tile and not to the pixels under a
 * filter, which double makes up for. */
#include <fftw3.h>
#include <stdlib.h>
#include <string.h>

#include "regularizers/filter_bank_internal.h"
#include "core/simd.h"

#define MOST_BYTES ((size_t)1 << 30)
#define CACHE_BYTES ((size_t)4000000)

typedef struct {
  const BtBankSweep *sweep;
  BtShape shape;
  size_t filters, size;
  size_t side, useful; /* tiles of side × side pixels give useful × useful responses              */
  size_t spectrum;     /* doubles of a spectrum: side × (side/2 + 1) complex numbers               */
  size_t pitch,
      stride; /* of a strip of useful rows of responses: entries to the next row, to the next filter */
  size_t *row, *column; /* pixel that the extension shows at an index                               */
  double *tile, *pixels, *product, *total;
  double *taps[2]; /* spectra [K], divided by side²                                            */
  double *sums;    /* spectra [K] of the tap sums                                              */
  float *t[2];     /* [K][stride]                                                              */
  fftw_plan forward, backward;
} Fourier;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t tiles_along(size_t n, size_t useful) { return (n + useful - 1) / useful; }

/* out ← a conj(b) of n complex numbers. */
BT_SIMD static void multiply_conjugate(size_t n, const double *a, const double *b, double *out) {
  for (size_t j = 0; j < 2 * n; j += 2) {
    const double re = a[j] * b[j] + a[j + 1] * b[j + 1], im = a[j + 1] * b[j] - a[j] * b[j + 1];
    out[j] = re, out[j + 1] = im;
  }
}

/* out ← out + a b */
BT_SIMD static void add_product(size_t n, const double *a, const double *b, double *out) {
  for (size_t j = 0; j < 2 * n; j += 2) {
    const double re = a[j] * b[j] - a[j + 1] * b[j + 1], im = a[j] * b[j + 1] + a[j + 1] * b[j];
    out[j] += re, out[j + 1] += im;
  }
}

/* out ← out + a conj(b) */
BT_SIMD static void add_product_conjugate(size_t n, const double *a, const double *b, double *out) {
  for (size_t j = 0; j < 2 * n; j += 2) {
    const double re = a[j] * b[j] + a[j + 1] * b[j + 1], im = a[j + 1] * b[j] - a[j] * b[j + 1];
    out[j] += re, out[j + 1] += im;
  }
}

static void transform(const Fourier *f, double *spectrum) {
  fftw_execute_dft_r2c(f->forward, f->tile, (fftw_complex *)spectrum);
}

/* Loses the spectrum. */
static void transform_back(const Fourier *f, double *spectrum) {
  fftw_execute_dft_c2r(f->backward, (fftw_complex *)spectrum, f->tile);
}

static void transform_taps(const Fourier *f, int l) {
  const double *taps = f->sweep->bank[l]->taps, scale = 1 / (double)(f->side * f->side);
  for (size_t k = 0; k < f->filters; k++) {
    memset(f->tile, 0, f->side * f->side * sizeof *f->tile);
    for (size_t i = 0; i < f->size; i++)
      for (size_t j = 0; j < f->size; j++) f->tile[i * f->side + j] = *taps++ * scale;
    transform(f, f->taps[l] + k * f->spectrum);
  }
}

/* Spectrum of a tile of the extended image, zero beyond its end. */
static void transform_pixels(const Fourier *f, int l, size_t r, size_t c) {
  const size_t rows = least(f->side, f->shape.height + f->size - 1 - r);
  const size_t columns = least(f->side, f->shape.width + f->size - 1 - c);
  memset(f->tile, 0, f->side * f->side * sizeof *f->tile);
  for (size_t i = 0; i < rows; i++) {
    const double *from = f->sweep->image[l] + f->row[r + i] * f->shape.width;
    for (size_t j = 0; j < columns; j++) f->tile[i * f->side + j] = from[f->column[c + j]];
  }
  transform(f, f->pixels);
}

/* Responses of all filters in the tile at (r, c). */
static void respond(const Fourier *f, int l, size_t r, size_t c) {
  const size_t w = f->shape.width, rows = least(f->useful, f->shape.height - r),
               columns = least(f->useful, w - c);
  transform_pixels(f, l, r, c);
  for (size_t k = 0; k < f->filters; k++) {
    multiply_conjugate(f->spectrum / 2, f->pixels, f->taps[l] + k * f->spectrum, f->product);
    transform_back(f, f->product);
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < columns; j++)
        f->t[l][k * f->stride + i * f->pitch + c + j] = (float)f->tile[i * f->side + j];
  }
}

/* Adds what g in the tile at (r, c) gives to the outputs and to the tap sums. */
static void respond_adjoint(const Fourier *f, size_t r, size_t c) {
  const BtBankSweep *sweep = f->sweep;
  const size_t w = f->shape.width, rows = least(f->useful, f->shape.height - r),
               columns = least(f->useful, w - c);
  memset(f->total, 0, f->spectrum * sizeof *f->total);
  for (int l = 0; l < sweep->outputs || (f->sums && l < sweep->inputs); l++) {
    const int counts = f->sums && l < sweep->inputs;
    if (counts) transform_pixels(f, l, r, c);
    memset(f->tile, 0, f->side * f->side * sizeof *f->tile);
    for (size_t k = 0; k < f->filters; k++) {
      for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
          f->tile[i * f->side + j] = (double)f->t[l][k * f->stride + i * f->pitch + c + j];
      transform(f, f->product);
      if (l < sweep->outputs)
        add_product(f->spectrum / 2, f->product, f->taps[l] + k * f->spectrum, f->total);
      if (counts) add_product_conjugate(f->spectrum / 2, f->pixels, f->product, f->sums + k * f->spectrum);
    }
  }
  if (sweep->outputs == 0) return;
  transform_back(f, f->total);
  for (size_t i = 0; i < least(f->side, f->shape.height + f->size - 1 - r); i++) {
    double *to = sweep->out + f->row[r + i] * w;
    for (size_t j = 0; j < least(f->side, w + f->size - 1 - c); j++)
      to[f->column[c + j]] += f->tile[i * f->side + j];
  }
}

static void finish_sums(const Fourier *f) {
  const double scale = 1 / (double)(f->side * f->side);
  double *out = f->sweep->tap_sums;
  for (size_t k = 0; k < f->filters; k++) {
    transform_back(f, f->sums + k * f->spectrum);
    for (size_t i = 0; i < f->size; i++)
      for (size_t j = 0; j < f->size; j++) *out++ = f->tile[i * f->side + j] * scale;
  }
}

/* Shares an allocation out, or only counts it: `base` NULL. */
static size_t lay_out(Fourier *f, char *base) {
  const BtBankSweep *sweep = f->sweep;
  const size_t one = sizeof(double);
  size_t used = 0;
  f->row = bt_bank_take(base, &used, f->shape.height + f->size - 1, sizeof *f->row);
  f->column = bt_bank_take(base, &used, f->shape.width + f->size - 1, sizeof *f->column);
  f->tile = bt_bank_take(base, &used, f->side * f->side, one);
  f->pixels = bt_bank_take(base, &used, f->spectrum, one);
  f->product = bt_bank_take(base, &used, f->spectrum, one);
  f->total = bt_bank_take(base, &used, f->spectrum, one);
  for (int l = 0; l < sweep->inputs || l < sweep->outputs; l++) {
    const int same = l == 1 && sweep->bank[1]->taps == sweep->bank[0]->taps;
    f->taps[l] = same ? f->taps[0] : bt_bank_take(base, &used, f->filters * f->spectrum, one);
    f->t[l] = bt_bank_take(base, &used, f->filters * f->stride, sizeof *f->t[l]);
  }
  if (sweep->tap_sums) f->sums = bt_bank_take(base, &used, f->filters * f->spectrum, one);
  return used;
}

static Fourier fourier(const BtBankSweep *sweep, BtShape shape, size_t side) {
  Fourier f = {.sweep = sweep, .shape = shape, .side = side};
  f.filters = sweep->bank[0]->filters;
  f.size = sweep->bank[0]->size;
  f.useful = side - f.size + 1;
  f.spectrum = side * (side / 2 + 1) * 2;
  f.pitch = shape.width + BT_BANK_SPARE;
  f.stride = least(f.useful, shape.height) * f.pitch;
  return f;
}

double bt_bank_fourier_work(const BtBankSweep *sweep, BtShape shape, size_t *side) {
  double best = 0;
  *side = 0;
  for (size_t n = 64, log = 6; n <= 256; n *= 2, log++) {
    Fourier f = fourier(sweep, shape, n);
    if (n <= f.size || lay_out(&f, NULL) > MOST_BYTES) continue;
    const size_t tiles = tiles_along(shape.height, f.useful) * tiles_along(shape.width, f.useful);
    /* A transform for each tile, and half a one for the spectra of the taps, which two passes share; half as
     * much again where the responses of a strip leave the second-level cache (measured). */
    const double slow = f.filters * f.stride * sizeof(float) > CACHE_BYTES ? 1.5 : 1;
    const double work = slow * ((double)tiles + 0.5) * (double)(n * n * log) / (double)bt_shape_size(shape);
    if (*side == 0 || work < best) best = work, *side = n;
  }
  return best;
}

BtStatus bt_bank_sweep_fourier(const BtBankSweep *sweep, BtShape shape, size_t side) {
  Fourier f = fourier(sweep, shape, side);
  const size_t bytes = lay_out(&f, NULL), height = shape.height, width = shape.width;
  char *memory = aligned_alloc(BT_BANK_ALIGNMENT, bytes);
  BtStatus st = BT_ERR_MEMORY;
  if (!memory) return st;
  (void)lay_out(&f, memory);
  f.forward = fftw_plan_dft_r2c_2d((int)side, (int)side, f.tile, (fftw_complex *)f.product, FFTW_ESTIMATE);
  f.backward = fftw_plan_dft_c2r_2d((int)side, (int)side, (fftw_complex *)f.product, f.tile, FFTW_ESTIMATE);
  if (!f.forward || !f.backward) goto done;
  bt_bank_reflect(height, f.size, f.row);
  bt_bank_reflect(width, f.size, f.column);
  for (int l = 0; l < sweep->inputs || l < sweep->outputs; l++)
    if (l == 0 || f.taps[1] != f.taps[0]) transform_taps(&f, l);
  for (int l = 0; l < sweep->inputs || l < sweep->outputs; l++)
    memset(f.t[l], 0, f.filters * f.stride * sizeof *f.t[l]);
  if (sweep->outputs) memset(sweep->out, 0, bt_shape_size(shape) * sizeof *sweep->out);
  if (sweep->tap_sums) memset(f.sums, 0, f.filters * f.spectrum * sizeof *f.sums);

  for (size_t first = 0; first < height; first += f.useful) {
    for (int l = 0; l < sweep->inputs; l++)
      for (size_t c = 0; c < width; c += f.useful) respond(&f, l, first, c);
    for (size_t r = first; r < least(first + f.useful, height); r++) {
      BtBankRow row = {.row = r, .columns = width, .stride = f.stride};
      for (int l = 0; l < sweep->inputs || l < sweep->outputs; l++) row.t[l] = f.t[l] + (r - first) * f.pitch;
      sweep->act(sweep->user, &row);
    }
    if (sweep->outputs || (sweep->inputs && f.sums))
      for (size_t c = 0; c < width; c += f.useful) respond_adjoint(&f, first, c);
  }
  if (f.sums) finish_sums(&f);
  st = BT_OK;

done:
  if (f.forward) fftw_destroy_plan(f.forward);
  if (f.backward) fftw_destroy_plan(f.backward);
  free(memory);
  return st;
}

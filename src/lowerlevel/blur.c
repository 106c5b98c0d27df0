/* Blur by FFTW. A kernel that is even in both directions with reflecting boundary is diagonal in the DCT's space. Any
 * other is applied on a torus that holds the extended image: extend, multiply by the kernel's transform k̂, crop; the
 * adjoint embeds, multiplies by its conjugate and adds up what the extension had copied. */
#include "lowerlevel/blur.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lowerlevel/vector.h"

typedef struct {
  BtBoundary boundary;
  size_t rows, columns; /* of the kernel                                                        */
  double *taps;
  int even;             /* in both directions                                                    */
  BtSpectral *transform;
  double *gram, *symbol; /* |k̂|² and, if diagonal in the DCT's space, k̂ on the image's own grid    */

  size_t *row_of, *column_of; /* [height + rows − 1], [width + columns − 1]: pixel of an extended row, column */

  /* Unless diagonal: */
  size_t high, wide;     /* the torus                                                            */
  double *plane;         /* [high][2(wide/2 + 1)]                                                */
  fftw_complex *kernel;  /* [high][wide/2 + 1], divided by the torus's size                      */
  fftw_plan forward, backward;

  double *diagonal; /* [shape], filled at its first use */
  int has_diagonal;
} Blur;

static Blur *blur_of(const BtOperator *op) { return op->data; }
static int is_diagonal(const Blur *b) { return b->boundary == BT_BOUNDARY_REFLECT && b->even; }

/* The pixel that the extension shows at row (or column) e − lead. */
static size_t source(size_t e, size_t lead, size_t side, BtBoundary boundary) {
  const size_t period = boundary == BT_BOUNDARY_REFLECT ? 2 * side : side;
  const size_t at = (e + period - lead % period) % period;
  return at < side ? at : period - 1 - at;
}

static void extend(const Blur *b, BtShape shape, const double *x) {
  const size_t stride = 2 * (b->wide / 2 + 1);
  memset(b->plane, 0, b->high * stride * sizeof *b->plane);
  for (size_t r = 0; r < shape.height + b->rows - 1; r++) {
    const double *from = x + b->row_of[r] * shape.width;
    double *to = b->plane + r * stride;
    for (size_t c = 0; c < shape.width + b->columns - 1; c++) to[c] = from[b->column_of[c]];
  }
}

/* The extension's adjoint: sums over the copies of a pixel. */
static void fold(const Blur *b, BtShape shape, double *out) {
  const size_t stride = 2 * (b->wide / 2 + 1);
  memset(out, 0, bt_shape_size(shape) * sizeof *out);
  for (size_t r = 0; r < shape.height + b->rows - 1; r++) {
    const double *from = b->plane + r * stride;
    double *to = out + b->row_of[r] * shape.width;
    for (size_t c = 0; c < shape.width + b->columns - 1; c++) to[b->column_of[c]] += from[c];
  }
}

/* plane ← plane convolved, or correlated, with the kernel. */
static void convolve(const Blur *b, int conjugate) {
  const size_t count = b->high * (b->wide / 2 + 1);
  const double sign = conjugate ? -1 : 1;
  fftw_execute(b->forward);
  double *p = b->plane;
  for (size_t i = 0; i < count; i++) {
    const double re = b->kernel[i][0], im = sign * b->kernel[i][1], x = p[2 * i], y = p[2 * i + 1];
    p[2 * i] = re * x - im * y;
    p[2 * i + 1] = re * y + im * x;
  }
  fftw_execute(b->backward);
}

static void apply(const BtOperator *op, const double *x, double *out) {
  const Blur *b = blur_of(op);
  const BtShape shape = op->shape;
  const size_t stride = 2 * (b->wide / 2 + 1);
  if (is_diagonal(b)) {
    bt_spectral_multiply(b->transform, b->symbol, x, out);
    return;
  }
  extend(b, shape, x);
  convolve(b, 0);
  for (size_t r = 0; r < shape.height; r++)
    memcpy(out + r * shape.width, b->plane + (r + b->rows - 1) * stride + b->columns - 1,
           shape.width * sizeof *out);
}

static void adjoint(const BtOperator *op, const double *y, double *out) {
  const Blur *b = blur_of(op);
  const BtShape shape = op->shape;
  const size_t stride = 2 * (b->wide / 2 + 1);
  if (is_diagonal(b)) {
    bt_spectral_multiply(b->transform, b->symbol, y, out);
    return;
  }
  memset(b->plane, 0, b->high * stride * sizeof *b->plane);
  for (size_t r = 0; r < shape.height; r++)
    memcpy(b->plane + (r + b->rows - 1) * stride + b->columns - 1, y + r * shape.width,
           shape.width * sizeof *y);
  convolve(b, 1);
  fold(b, shape, out);
}

static void normal(const BtOperator *op, const double *x, double *work, double *out) {
  const Blur *b = blur_of(op);
  if (b->boundary == BT_BOUNDARY_PERIODIC || is_diagonal(b)) {
    bt_spectral_multiply(b->transform, b->gram, x, out);
    return;
  }
  apply(op, x, work);
  adjoint(op, work, out);
}

/* Squared length of A's column of the pixel (r, c), entry by entry. */
static double column_square(const Blur *b, BtShape shape, size_t r, size_t c) {
  size_t copies_r[4], copies_c[4], nr = 0, nc = 0;
  double sum = 0;
  for (size_t e = 0; e < shape.height + b->rows - 1 && nr < 4; e++)
    if (b->row_of[e] == r) copies_r[nr++] = e;
  for (size_t e = 0; e < shape.width + b->columns - 1 && nc < 4; e++)
    if (b->column_of[e] == c) copies_c[nc++] = e;
  /* The output pixel (p, q) takes the extended pixel (e, f) with the tap (p + rows − 1 − e, q + columns − 1 − f). */
  for (size_t p = 0; p < shape.height; p++) {
    int touched = 0;
    for (size_t a = 0; a < nr; a++) touched |= p + b->rows - 1 >= copies_r[a] && p <= copies_r[a];
    for (size_t q = 0; q < shape.width && touched; q++) {
      double entry = 0;
      for (size_t a = 0; a < nr; a++)
        for (size_t k = 0; k < nc; k++) {
          const size_t e = copies_r[a], f = copies_c[k];
          if (p + b->rows - 1 >= e && p <= e && q + b->columns - 1 >= f && q <= f)
            entry += b->taps[(p + b->rows - 1 - e) * b->columns + q + b->columns - 1 - f];
        }
      sum += entry * entry;
    }
  }
  return sum;
}

/* Away from reflecting edges a column is the kernel. */
static void diagonal(const BtOperator *op, double *out) {
  Blur *b = blur_of(op);
  const BtShape shape = op->shape;
  double inner = 0;
  for (size_t i = 0; i < b->rows * b->columns; i++) inner += b->taps[i] * b->taps[i];
  for (size_t r = 0; r < shape.height && !b->has_diagonal; r++)
    for (size_t c = 0; c < shape.width; c++) {
      const int inside = r >= b->rows && r + b->rows < shape.height && c >= b->columns && c + b->columns < shape.width;
      const int plain = inside || b->boundary == BT_BOUNDARY_PERIODIC;
      b->diagonal[r * shape.width + c] = plain ? inner : column_square(b, shape, r, c);
    }
  b->has_diagonal = 1;
  memcpy(out, b->diagonal, bt_shape_size(shape) * sizeof *out);
}

static void destroy(BtOperator *op) {
  Blur *b = blur_of(op);
  if (!b) return;
  if (b->forward) fftw_destroy_plan(b->forward);
  if (b->backward) fftw_destroy_plan(b->backward);
  fftw_free(b->plane);
  fftw_free(b->kernel);
  bt_spectral_destroy(b->transform);
  free(b->taps);
  free(b->gram);
  free(b->symbol);
  free(b->row_of);
  free(b->column_of);
  free(b->diagonal);
  free(b);
}

static const BtOperatorOps blur_ops = {.name = "blur",
                                       .apply = apply,
                                       .adjoint = adjoint,
                                       .normal = normal,
                                       .diagonal = diagonal,
                                       .destroy = destroy};

/* The smallest length from n upward whose prime factors are 2, 3, 5 and 7, where FFTW is fastest. */
static size_t smooth_length(size_t n) {
  for (;; n++) {
    size_t rest = n;
    for (size_t p = 2; p <= 7; p += p == 2 ? 1 : 2)
      while (rest % p == 0) rest /= p;
    if (rest == 1) return n;
  }
}

static int is_even(size_t rows, size_t columns, const double *taps) {
  if (rows % 2 == 0 || columns % 2 == 0) return 0;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      const double t = taps[i * columns + j];
      if (t != taps[(rows - 1 - i) * columns + j] || t != taps[i * columns + columns - 1 - j]) return 0;
    }
  return 1;
}

/* kernel ← transform of the taps, or of their absolute values. */
static void transform_kernel(const Blur *b, int absolute) {
  const size_t half = b->wide / 2 + 1, count = b->high * half;
  const double scale = 1 / (double)(b->high * b->wide);
  memset(b->plane, 0, 2 * count * sizeof *b->plane);
  for (size_t i = 0; i < b->rows; i++)
    for (size_t j = 0; j < b->columns; j++) {
      const double t = b->taps[i * b->columns + j];
      b->plane[i * 2 * half + j] = absolute ? fabs(t) : t;
    }
  fftw_execute(b->forward);
  for (size_t i = 0; i < count; i++) {
    b->kernel[i][0] = scale * b->plane[2 * i];
    b->kernel[i][1] = scale * b->plane[2 * i + 1];
  }
}

static BtStatus create_maps(BtContext *ctx, Blur *b, BtShape shape) {
  const size_t high = shape.height + b->rows - 1, wide = shape.width + b->columns - 1;
  b->row_of = malloc(high * sizeof *b->row_of);
  b->column_of = malloc(wide * sizeof *b->column_of);
  if (!b->row_of || !b->column_of) return bt_fail_memory(ctx, "a blur", (double)(high + wide) * sizeof(size_t));
  for (size_t e = 0; e < high; e++) b->row_of[e] = source(e, b->rows - 1 - b->rows / 2, shape.height, b->boundary);
  for (size_t e = 0; e < wide; e++)
    b->column_of[e] = source(e, b->columns - 1 - b->columns / 2, shape.width, b->boundary);
  return BT_OK;
}

static BtStatus create_torus(BtContext *ctx, Blur *b, BtShape shape) {
  b->high = smooth_length(shape.height + b->rows - 1);
  b->wide = smooth_length(shape.width + b->columns - 1);
  const size_t half = b->wide / 2 + 1;
  b->plane = fftw_malloc(b->high * 2 * half * sizeof *b->plane);
  b->kernel = fftw_malloc(b->high * half * sizeof *b->kernel);
  fftw_complex *frequencies = (fftw_complex *)b->plane;
  if (b->plane && b->kernel) {
    b->forward = fftw_plan_dft_r2c_2d((int)b->high, (int)b->wide, b->plane, frequencies, FFTW_ESTIMATE);
    b->backward = fftw_plan_dft_c2r_2d((int)b->high, (int)b->wide, frequencies, b->plane, FFTW_ESTIMATE);
  }
  return b->forward && b->backward ? BT_OK
                                   : bt_fail_memory(ctx, "a blur", (double)(4 * b->high * half) * sizeof(double));
}

/* ‖A‖² ≤ ‖A‖₁‖A‖_∞ (Schur). Rows of |A| sum to Σ|k|; its columns' sums are |A|ᵀ1, computed. */
static BtStatus schur_bound(BtContext *ctx, BtOperator *op, double sum, double *bound) {
  const Blur *b = op->data;
  const size_t n = bt_shape_size(op->shape);
  double largest = 0;
  double *ones = malloc(2 * n * sizeof *ones);
  if (!ones) return bt_fail_memory(ctx, "a blur", (double)n * 16);
  for (size_t i = 0; i < n; i++) ones[i] = 1;
  transform_kernel(b, 1);
  adjoint(op, ones, ones + n);
  for (size_t i = 0; i < n; i++) largest = fmax(largest, ones[n + i]);
  free(ones);
  /* ‖computed − exact‖_∞ ≤ ‖·‖₂ ≤ u·rounding·√n. */
  largest += BT_ROUNDOFF * op->rounding * sqrt((double)n);
  *bound = sqrt(sum * largest);
  return BT_OK;
}

/* Error of one transform of N points, relative in the 2-norm: at most 8u log₂N in radix algorithms (Higham, Accuracy and
 * Stability, theorem 24.2), three times that where prime lengths go through a convolution. Two transforms, a product,
 * and a kernel's transform with the like error relative to Σ|k|; the extension at most doubles the norm. */
static double rounding_of(const Blur *b, BtShape shape, double sum) {
  const double points = (double)(shape.height + b->rows) * (double)(shape.width + b->columns) * 4;
  return 2 * sum * (3 * 24 * log2(points) + 16);
}

/* ‖A‖ ≤ 2 max|k̂| on the torus: the extension at most doubles the norm. */
static double torus_bound(const Blur *b, double off) {
  double most = 0;
  for (size_t i = 0; i < b->high * (b->wide / 2 + 1); i++)
    most = fmax(most, b->kernel[i][0] * b->kernel[i][0] + b->kernel[i][1] * b->kernel[i][1]);
  return 2 * (sqrt(most) * (double)(b->high * b->wide) + off);
}

/* Bounds of the singular values: the symbol's extremes where A is diagonal (the DFT diagonalises a periodic blur), else
 * Schur's or the torus's. */
static BtStatus bound(BtContext *ctx, BtOperator *op) {
  Blur *b = op->data;
  const size_t frequencies = bt_spectral_size(op->shape, is_diagonal(b) ? BT_BOUNDARY_REFLECT : BT_BOUNDARY_PERIODIC);
  double sum = 0, most = 0, least = (double)INFINITY;
  for (size_t i = 0; i < b->rows * b->columns; i++) sum += fabs(b->taps[i]);
  for (size_t i = 0; i < frequencies; i++) {
    most = fmax(most, b->gram[i]);
    least = fmin(least, b->gram[i]);
  }
  op->rounding = rounding_of(b, op->shape, sum);
  /* k̂ comes from sums of rows·columns products. */
  const double off = BT_ROUNDOFF * (double)(b->rows + b->columns + 16) * sum;
  op->norm = sum;
  if (is_diagonal(b) || b->boundary == BT_BOUNDARY_PERIODIC) {
    if (!is_diagonal(b)) transform_kernel(b, 0);
    op->norm = fmin(sum * (1 + 1e-12), (sqrt(most) + off) * (1 + 1e-15));
    const double root = fmax(0, sqrt(least) - off);
    op->least = root * root * (1 - 1e-15);
    return BT_OK;
  }
  const BtStatus st = schur_bound(ctx, op, sum, &op->norm);
  transform_kernel(b, 0);
  op->norm = fmin(op->norm, torus_bound(b, BT_ROUNDOFF * op->rounding)) * (1 + 1e-12);
  op->least = 0;
  return st;
}

static BtStatus create(BtContext *ctx, Blur *b, BtOperator *op, const double *taps) {
  const size_t count = b->rows * b->columns;
  const BtShape shape = op->shape;
  BtStatus st = BT_OK;
  b->taps = malloc(count * sizeof *b->taps);
  if (!b->taps) return bt_fail_memory(ctx, "a blur", (double)count * sizeof *b->taps);
  memcpy(b->taps, taps, count * sizeof *b->taps);
  b->even = is_even(b->rows, b->columns, taps);
  const BtBoundary space = is_diagonal(b) ? BT_BOUNDARY_REFLECT : BT_BOUNDARY_PERIODIC;
  const size_t frequencies = bt_spectral_size(shape, space);
  BT_TRY(bt_spectral_create(ctx, shape, space, &b->transform));
  b->gram = malloc(frequencies * sizeof *b->gram);
  b->diagonal = malloc(bt_shape_size(shape) * sizeof *b->diagonal);
  if (!b->gram || !b->diagonal || bt_spectral_power(b->transform, b->rows, b->columns, taps, b->gram) < 0)
    BT_TRY(bt_fail_memory(ctx, "a blur", (double)frequencies * 16));
  if (is_diagonal(b)) {
    b->symbol = malloc(frequencies * sizeof *b->symbol);
    if (!b->symbol || bt_spectral_symbol(b->transform, b->rows, b->columns, taps, b->symbol) < 0)
      BT_TRY(bt_fail_memory(ctx, "a blur", (double)frequencies * 8));
  }
  BT_TRY(create_maps(ctx, b, shape));
  if (!is_diagonal(b)) BT_TRY(create_torus(ctx, b, shape));
  BT_TRY(bound(ctx, op));
  op->transform = b->transform;
  op->gram = b->gram;
done:
  return st;
}

BtStatus bt_blur(BtContext *ctx, BtShape shape, size_t rows, size_t columns, const double *taps, BtBoundary boundary,
                 BtOperator *op) {
  *op = (BtOperator){0};
  if (rows > shape.height || columns > shape.width)
    return bt_fail(ctx, BT_ERR_ARG, "the kernel, %zux%zu pixels, is larger than the image, %zux%zu; give a smaller one",
                   rows, columns, shape.height, shape.width);
  Blur *b = calloc(1, sizeof *b);
  if (!b) return bt_fail_memory(ctx, "a blur", sizeof *b);
  b->boundary = boundary;
  b->rows = rows;
  b->columns = columns;
  *op = (BtOperator){.ops = &blur_ops, .shape = shape, .data = b};
  const BtStatus st = create(ctx, b, op, taps);
  if (st < 0) bt_operator_clear(op);
  return st;
}

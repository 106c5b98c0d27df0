/* Blur by FFTW on a torus that holds the extended image: extend, multiply by the kernel's transform k̂, crop.
 * The adjoint embeds, multiplies by its conjugate and adds up what the extension had copied. A periodic image
 * whose sides FFTW likes is its own torus, on which AᵀA is one multiplication by |k̂|². */
#include "lowerlevel/blur.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lowerlevel/vector.h"

typedef struct {
  BtBoundary boundary;
  size_t rows, columns; /* of the kernel                                                           */
  double *taps;
  BtTorus torus;
  int own;                    /* the image is the torus                                                  */
  size_t top, left;           /* extended rows and columns before the image's first                      */
  size_t high, wide;          /* of the extended image                                                   */
  size_t *row_of, *column_of; /* [high], [wide]: the pixel that an extended row, column shows        */
  double *kernel;             /* [frequencies][2]: k̂                                                     */
  double *gram;               /* [frequencies]: |k̂|²                                                     */
  double *diagonal;           /* [shape], filled at its first use                                        */
  int has_diagonal;
} Blur;

static Blur *blur_of(const BtOperator *op) { return op->data; }

static void extend(const Blur *b, BtShape shape, const double *x) {
  const BtTorus *t = &b->torus;
  memset(t->plane, 0, t->high * t->stride * sizeof *t->plane);
  for (size_t r = 0; r < b->high; r++) {
    const double *from = x + b->row_of[r] * shape.width;
    double *to = t->plane + r * t->stride;
    for (size_t c = 0; c < b->left; c++) to[c] = from[b->column_of[c]];
    memcpy(to + b->left, from, shape.width * sizeof *to);
    for (size_t c = b->left + shape.width; c < b->wide; c++) to[c] = from[b->column_of[c]];
  }
}

/* The extension's adjoint: sums over the copies of a pixel. */
static void fold(const Blur *b, BtShape shape, double *out) {
  memset(out, 0, bt_shape_size(shape) * sizeof *out);
  for (size_t r = 0; r < b->high; r++) {
    const double *from = b->torus.plane + r * b->torus.stride;
    double *to = out + b->row_of[r] * shape.width;
    for (size_t c = 0; c < b->left; c++) to[b->column_of[c]] += from[c];
    for (size_t c = 0; c < shape.width; c++) to[c] += from[b->left + c];
    for (size_t c = b->left + shape.width; c < b->wide; c++) to[b->column_of[c]] += from[c];
  }
}

/* plane ← plane convolved, or correlated, with the kernel. */
static void convolve(const Blur *b, int conjugate) {
  const BtTorus *t = &b->torus;
  const double sign = conjugate ? -1 : 1, scale = 1 / (double)(t->high * t->wide);
  bt_torus_forward(t);
  for (size_t i = 0; i < bt_torus_frequencies(t); i++) {
    const double re = scale * b->kernel[2 * i], im = scale * sign * b->kernel[2 * i + 1];
    const double x = t->plane[2 * i], y = t->plane[2 * i + 1];
    t->plane[2 * i] = re * x - im * y;
    t->plane[2 * i + 1] = re * y + im * x;
  }
  bt_torus_backward(t);
}

static void apply(const BtOperator *op, const double *x, double *out) {
  const Blur *b = blur_of(op);
  const BtShape shape = op->shape;
  extend(b, shape, x);
  convolve(b, 0);
  for (size_t r = 0; r < shape.height; r++)
    memcpy(out + r * shape.width, b->torus.plane + (r + b->top) * b->torus.stride + b->left,
           shape.width * sizeof *out);
}

static void adjoint(const BtOperator *op, const double *y, double *out) {
  const Blur *b = blur_of(op);
  const BtShape shape = op->shape;
  memset(b->torus.plane, 0, b->torus.high * b->torus.stride * sizeof *b->torus.plane);
  for (size_t r = 0; r < shape.height; r++)
    memcpy(b->torus.plane + (r + b->top) * b->torus.stride + b->left, y + r * shape.width,
           shape.width * sizeof *y);
  convolve(b, 1);
  fold(b, shape, out);
}

static void normal(const BtOperator *op, const double *x, double *work, double *out) {
  const Blur *b = blur_of(op);
  if (b->own) {
    bt_torus_multiply(&b->torus, op->shape, b->gram, x, out);
    return;
  }
  apply(op, x, work);
  adjoint(op, work, out);
}

/* The extended rows (columns) that show a pixel: at most four. */
static size_t copies_of(const size_t *shown, size_t count, size_t pixel, size_t *copies) {
  size_t found = 0;
  for (size_t e = 0; e < count && found < 4; e++)
    if (shown[e] == pixel) copies[found++] = e;
  return found;
}

/* Index of the tap by which output p takes the extended pixel e; `count` or more if there is none. */
static size_t tap_of(size_t p, size_t lead, size_t e, size_t count) { return p + lead + count / 2 - e; }

/* Squared length of A's column of the pixel (r, c), entry by entry. */
static double column_square(const Blur *b, BtShape shape, size_t r, size_t c) {
  size_t e[4], f[4];
  const size_t ne = copies_of(b->row_of, b->high, r, e), nf = copies_of(b->column_of, b->wide, c, f);
  double sum = 0;
  for (size_t p = 0; p < shape.height; p++) {
    int touched = 0;
    for (size_t a = 0; a < ne; a++) touched |= tap_of(p, b->top, e[a], b->rows) < b->rows;
    for (size_t q = 0; q < shape.width && touched; q++) {
      double entry = 0;
      for (size_t a = 0; a < ne; a++)
        for (size_t k = 0; k < nf; k++) {
          const size_t i = tap_of(p, b->top, e[a], b->rows), j = tap_of(q, b->left, f[k], b->columns);
          if (i < b->rows && j < b->columns) entry += b->taps[i * b->columns + j];
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
      const int inside =
          r >= b->rows && r + b->rows < shape.height && c >= b->columns && c + b->columns < shape.width;
      const int plain = inside || b->boundary == BT_BOUNDARY_PERIODIC;
      b->diagonal[r * shape.width + c] = plain ? inner : column_square(b, shape, r, c);
    }
  b->has_diagonal = 1;
  memcpy(out, b->diagonal, bt_shape_size(shape) * sizeof *out);
}

static void destroy(BtOperator *op) {
  Blur *b = blur_of(op);
  bt_torus_clear(&b->torus);
  free(b->taps);
  free(b->row_of);
  free(b->column_of);
  free(b->kernel);
  free(b->gram);
  free(b->diagonal);
  free(b);
}

static const BtOperatorOps blur_ops = {.name = "blur",
                                       .apply = apply,
                                       .adjoint = adjoint,
                                       .normal = normal,
                                       .diagonal = diagonal,
                                       .destroy = destroy};

/* k̂ of the taps or of their absolute values, the kernel's middle on the torus's pixel (0, 0). */
static void transform_kernel(const Blur *b, int absolute) {
  const BtTorus *t = &b->torus;
  memset(t->plane, 0, t->high * t->stride * sizeof *t->plane);
  for (size_t i = 0; i < b->rows; i++)
    for (size_t j = 0; j < b->columns; j++) {
      const double tap = b->taps[i * b->columns + j];
      const size_t r = (i + t->high - b->rows / 2) % t->high, c = (j + t->wide - b->columns / 2) % t->wide;
      t->plane[r * t->stride + c] = absolute ? fabs(tap) : tap;
    }
  bt_torus_forward(t);
  memcpy(b->kernel, t->plane, t->high * t->stride * sizeof *b->kernel);
}

/* The pixel that the extension shows at extended row (or column) e. */
static size_t source(size_t e, size_t lead, size_t side, BtBoundary boundary) {
  const size_t period = boundary == BT_BOUNDARY_REFLECT ? 2 * side : side;
  const size_t at = (e + period - lead % period) % period;
  return at < side ? at : period - 1 - at;
}

/* The image and what its output sees of the extension: rows/2 pixels after it, the others of rows − 1 before.
 */
static BtStatus create_extension(BtContext *ctx, Blur *b, BtShape shape) {
  b->own =
      b->boundary == BT_BOUNDARY_PERIODIC && bt_torus_smooth(shape.height) && bt_torus_smooth(shape.width);
  b->top = b->own ? 0 : b->rows - 1 - b->rows / 2;
  b->left = b->own ? 0 : b->columns - 1 - b->columns / 2;
  b->high = shape.height + (b->own ? 0 : b->rows - 1);
  b->wide = shape.width + (b->own ? 0 : b->columns - 1);
  b->row_of = malloc(b->high * sizeof *b->row_of);
  b->column_of = malloc(b->wide * sizeof *b->column_of);
  if (!b->row_of || !b->column_of)
    return bt_fail_memory(ctx, "a blur", (double)(b->high + b->wide) * sizeof(size_t));
  for (size_t e = 0; e < b->high; e++) b->row_of[e] = source(e, b->top, shape.height, b->boundary);
  for (size_t e = 0; e < b->wide; e++) b->column_of[e] = source(e, b->left, shape.width, b->boundary);
  return bt_torus_create(ctx, b->high, b->wide, &b->torus);
}

/* Error of one transform of N points, relative in the 2-norm: at most 8u log₂N in radix algorithms (Higham,
 * Accuracy and Stability of Numerical Algorithms, theorem 24.2). Two transforms and a product, and k̂ with the
 * like error relative to Σ|k|; the extension, which holds a pixel at most four times, at most doubles the
 * norm. */
static double rounding_of(const Blur *b, double sum) {
  return 2 * sum * (3 * 8 * log2((double)b->torus.high * (double)b->torus.wide + 2) + 16);
}

/* ‖A‖² ≤ ‖A‖₁‖A‖_∞ (Schur). Rows of |A| sum to Σ|k|; the columns' sums are |A|ᵀ1, computed. */
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
  *bound = sqrt(sum * (largest + BT_ROUNDOFF * op->rounding * sqrt((double)n)));
  return BT_OK;
}

static int is_even(const Blur *b) {
  if (b->rows % 2 == 0 || b->columns % 2 == 0) return 0;
  for (size_t i = 0; i < b->rows; i++)
    for (size_t j = 0; j < b->columns; j++) {
      const double t = b->taps[i * b->columns + j];
      if (t != b->taps[(b->rows - 1 - i) * b->columns + j] ||
          t != b->taps[i * b->columns + b->columns - 1 - j])
        return 0;
    }
  return 1;
}

/* Bounds of the singular values. A periodic blur's are the |k̂| of the image's own frequencies; a reflecting
 * one's, if the kernel is even in both directions, those of the DCT-II, π(i/height, j/width); else Schur
 * bounds the largest. */
static BtStatus bound(BtContext *ctx, BtOperator *op) {
  const Blur *b = op->data;
  const size_t h = op->shape.height, w = op->shape.width, fold = b->boundary == BT_BOUNDARY_REFLECT ? 2 : 1;
  double sum = 0, least, most;
  BtStatus st = BT_OK;
  for (size_t i = 0; i < b->rows * b->columns; i++) sum += fabs(b->taps[i]);
  op->rounding = rounding_of(b, sum);
  if (fold == 2 && !is_even(b)) {
    st = schur_bound(ctx, op, sum, &op->norm);
    op->norm *= 1 + 1e-12;
    return st;
  }
  if (bt_power_extremes(fold * h, h, fold * w, fold == 2 ? w : w / 2 + 1, b->rows, b->columns, b->taps,
                        &least, &most) < 0)
    return bt_fail_memory(ctx, "a blur", (double)(b->rows * w) * 16);
  /* |k̂| comes from sums of rows + columns products of factors within a few roundings. */
  const double off = BT_ROUNDOFF * (double)(b->rows + b->columns + 16) * sum,
               root = fmax(0, sqrt(least) - off);
  op->norm = (sqrt(most) + off) * (1 + 1e-15);
  op->least = root * root * (1 - 1e-15);
  return st;
}

/* With the kernel's transform in place: |k̂|², and ‖A‖ ≤ 2 max|k̂| (the extension at most doubles the norm). */
static void finish(Blur *b, BtOperator *op) {
  double most = 0;
  transform_kernel(b, 0);
  for (size_t i = 0; i < bt_torus_frequencies(&b->torus); i++) {
    const double re = b->kernel[2 * i], im = b->kernel[2 * i + 1];
    b->gram[i] = re * re + im * im;
    most = fmax(most, b->gram[i]);
  }
  op->norm = fmin(op->norm, 2 * (sqrt(most) + BT_ROUNDOFF * op->rounding) * (1 + 1e-12));
}

static BtStatus create(BtContext *ctx, Blur *b, BtOperator *op, const double *taps) {
  const size_t count = b->rows * b->columns;
  BtStatus st = BT_OK;
  b->taps = malloc(count * sizeof *b->taps);
  if (!b->taps) return bt_fail_memory(ctx, "a blur", (double)count * sizeof *b->taps);
  memcpy(b->taps, taps, count * sizeof *b->taps);
  BT_TRY(create_extension(ctx, b, op->shape));
  const size_t frequencies = bt_torus_frequencies(&b->torus);
  b->kernel = malloc(2 * frequencies * sizeof *b->kernel);
  b->gram = malloc(frequencies * sizeof *b->gram);
  b->diagonal = malloc(bt_shape_size(op->shape) * sizeof *b->diagonal);
  if (!b->kernel || !b->gram || !b->diagonal) BT_TRY(bt_fail_memory(ctx, "a blur", (double)frequencies * 32));
  BT_TRY(bound(ctx, op));
  finish(b, op);
  op->torus = &b->torus;
  op->gram = b->gram;
done:
  return st;
}

BtStatus bt_blur(BtContext *ctx, BtShape shape, size_t rows, size_t columns, const double *taps,
                 BtBoundary boundary, BtOperator *op) {
  *op = (BtOperator){0};
  if (rows > shape.height || columns > shape.width)
    return bt_fail(ctx, BT_ERR_ARG,
                   "the kernel, %zux%zu pixels, is larger than the image, %zux%zu; give a smaller one", rows,
                   columns, shape.height, shape.width);
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

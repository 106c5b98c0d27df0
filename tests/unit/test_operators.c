/* Blur and mask against double loops over the definition, adjoints by dot products, bounds by power
 * iteration. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "lowerlevel/blur.h"
#include "lowerlevel/mask.h"
#include "lowerlevel/vector.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { EVEN, POSITIVE, SIGNED };

static const struct {
  BtShape shape;
  size_t rows, columns;
  int kind;
} cases[] = {{{1, 1}, 1, 1, EVEN},        {{1, 9}, 1, 5, SIGNED},       {{7, 1}, 7, 1, POSITIVE},
             {{2, 3}, 2, 3, SIGNED},      {{8, 8}, 3, 3, EVEN},         {{9, 14}, 5, 3, EVEN},
             {{13, 11}, 4, 6, SIGNED},    {{12, 10}, 12, 10, POSITIVE}, {{31, 17}, 7, 9, SIGNED},
             {{16, 25}, 1, 15, POSITIVE}, {{23, 19}, 9, 9, EVEN},       {{23, 19}, 23, 19, EVEN}};

static const char *const boundary_names[] = {"reflect", "periodic"};

/* x at any place, by walking to it: one step beyond an edge is the edge pixel again, or the opposite one. */
static double extended(const double *x, BtShape s, BtBoundary boundary, long r, long c) {
  const long h = (long)s.height, w = (long)s.width;
  if (boundary == BT_BOUNDARY_PERIODIC) {
    while (r < 0) r += h;
    while (c < 0) c += w;
    return x[(size_t)(r % h * w + c % w)];
  }
  while (r < 0 || r >= h) r = r < 0 ? -1 - r : 2 * h - 1 - r;
  while (c < 0 || c >= w) c = c < 0 ? -1 - c : 2 * w - 1 - c;
  return x[(size_t)(r * w + c)];
}

static void naive_blur(const double *x, BtShape s, size_t rows, size_t columns, const double *taps,
                       BtBoundary boundary, double *out) {
  for (long r = 0; r < (long)s.height; r++)
    for (long c = 0; c < (long)s.width; c++) {
      double sum = 0;
      for (long i = 0; i < (long)rows; i++)
        for (long j = 0; j < (long)columns; j++)
          sum += taps[i * (long)columns + j] *
                 extended(x, s, boundary, r - i + (long)rows / 2, c - j + (long)columns / 2);
      out[r * (long)s.width + c] = sum;
    }
}

static void fill_taps(size_t rows, size_t columns, int kind, double *taps) {
  bt_rng_fill_normal(5, rows, columns, rows * columns, taps);
  for (size_t i = 0; i < rows * columns && kind != SIGNED; i++) taps[i] = fabs(taps[i]);
  for (size_t i = 0; i < rows && kind == EVEN; i++)
    for (size_t j = 0; j < columns; j++) {
      const size_t a = i < rows - 1 - i ? i : rows - 1 - i, b = j < columns - 1 - j ? j : columns - 1 - j;
      taps[i * columns + j] = taps[a * columns + b];
    }
}

/* Extreme eigenvalues of AᵀA by power iterations on it and on norm²·I − AᵀA. */
static void extremes(const BtOperator *op, double *work, double *least, double *most) {
  const size_t n = bt_shape_size(op->shape);
  double *v = work, *image = v + n, *product = image + n;
  const double shift = op->norm * op->norm;
  for (int low = 0; low < 2; low++) {
    double quotient = 0;
    bt_rng_fill_normal(11, 2, 0, n, v);
    for (int k = 0; k < 400; k++) {
      const double length = bt_norm(v, n);
      if (length == 0) break;
      for (size_t j = 0; j < n; j++) v[j] /= length;
      op->ops->apply(op, v, image);
      op->ops->adjoint(op, image, product);
      quotient = bt_dot(v, product, n);
      for (size_t j = 0; j < n; j++) v[j] = low ? shift * v[j] - product[j] : product[j];
    }
    *(low ? least : most) = quotient;
  }
}

/* `naive` is [n] and holds A x computed by loops. */
static void check_operator(const BtOperator *op, const double *x, const double *naive, double *work,
                           const char *label) {
  const size_t n = bt_shape_size(op->shape);
  double *out = work, *y = out + n, *back = y + n, *scratch = back + n, least = NAN, most = NAN;
  const double roundoff = BT_ROUNDOFF * (op->rounding + 4), size = bt_norm(x, n);
  op->ops->apply(op, x, out);
  BT_CHECK_ROW(bt_distance(out, naive, n) <= (roundoff + 1e-14) * size, "%s: A x is off by %g, allowed %g",
               label, bt_distance(out, naive, n), roundoff * size);
  bt_rng_fill_normal(9, 1, 0, n, y);
  op->ops->adjoint(op, y, back);
  const double left = bt_dot(y, out, n), right = bt_dot(back, x, n), scale = bt_norm(y, n) * size * op->norm;
  BT_CHECK_ROW(fabs(left - right) <= 1e-13 * scale, "%s: <y, Ax> = %.17g, <A'y, x> = %.17g", label, left,
               right);
  op->ops->adjoint(op, out, back);
  op->ops->normal(op, x, scratch, y);
  BT_CHECK_ROW(bt_distance(back, y, n) <= 1e-13 * size * op->norm * op->norm, "%s: A'A x is off by %g", label,
               bt_distance(back, y, n));
  extremes(op, work, &least, &most);
  BT_CHECK_ROW(sqrt(most) <= op->norm * (1 + 1e-12), "%s: ||A|| >= %.15g, bound %.15g", label, sqrt(most),
               op->norm);
  BT_CHECK_ROW(least >= op->least - 1e-12 * op->norm * op->norm,
               "%s: A'A has an eigenvalue %.15g, bound %.15g", label, least, op->least);
  BT_CHECK_ROW(op->norm <= 2.01 * sqrt(most), "%s: ||A|| is about %g, bound %g", label, sqrt(most), op->norm);
  op->ops->diagonal(op, out);
  for (size_t j = 0; j < n; j++) {
    memset(scratch, 0, n * sizeof *scratch);
    scratch[j] = 1;
    op->ops->apply(op, scratch, y);
    const double wanted = bt_dot(y, y, n);
    BT_CHECK_ROW(fabs(out[j] - wanted) <= 1e-13 * op->norm * op->norm,
                 "%s: column %zu has square %.15g, not %.15g", label, j, wanted, out[j]);
  }
}

static void blurs(void) {
  for (size_t k = 0; k < COUNT(cases); k++)
    for (int boundary = 0; boundary < 2; boundary++) {
      const size_t n = bt_shape_size(cases[k].shape), count = cases[k].rows * cases[k].columns;
      double *x = malloc((6 * n + count) * sizeof *x), *naive = x + n, *work = naive + n,
             *taps = work + 4 * n;
      char label[100];
      BtContext ctx;
      BtOperator op;
      bt_context_init(&ctx);
      snprintf(label, sizeof label, "%zux%zu kernel on %zux%zu, %s", cases[k].rows, cases[k].columns,
               cases[k].shape.height, cases[k].shape.width, boundary_names[boundary]);
      BT_NEED(x != NULL);
      bt_rng_fill_normal(3, k, 0, n, x);
      fill_taps(cases[k].rows, cases[k].columns, cases[k].kind, taps);
      naive_blur(x, cases[k].shape, cases[k].rows, cases[k].columns, taps, (BtBoundary)boundary, naive);
      BT_CHECK_STATUS(
          bt_blur(&ctx, cases[k].shape, cases[k].rows, cases[k].columns, taps, (BtBoundary)boundary, &op),
          BT_OK, &ctx);
      check_operator(&op, x, naive, work, label);
      bt_operator_clear(&op);
      free(x);
    }
}

/* Where the image is the torus, AᵀA is the circulant of the symbol; elsewhere the window of one, away from
 * the edges. */
static void grams(void) {
  static const BtShape shapes[] = {{12, 15}, {26, 29}};
  double taps[15], x[26 * 29], out[26 * 29], wanted[26 * 29], work[26 * 29];
  for (int own = 0; own < 2; own++)
    for (int boundary = 0; boundary < 2; boundary++) {
      const BtShape s = shapes[own ? 0 : 1];
      const size_t n = bt_shape_size(s);
      BtOperator op;
      double off = 0;
      fill_taps(3, 5, SIGNED, taps);
      bt_rng_fill_normal(3, 77, 0, n, x);
      BT_CHECK_STATUS(bt_blur(NULL, s, 3, 5, taps, (BtBoundary)boundary, &op), BT_OK, NULL);
      bt_torus_multiply(op.torus, s, op.gram, x, out);
      op.ops->apply(&op, x, work);
      op.ops->adjoint(&op, work, wanted);
      const int whole = own && boundary == BT_BOUNDARY_PERIODIC;
      for (size_t r = whole ? 0 : 4; r < s.height - (whole ? 0 : 4); r++)
        for (size_t c = whole ? 0 : 8; c < s.width - (whole ? 0 : 8); c++)
          off = fmax(off, fabs(out[r * s.width + c] - wanted[r * s.width + c]));
      BT_CHECK_ROW(off <= 1e-12 * bt_norm(wanted, n), "%zux%zu %s: AtA is off by %g", s.height, s.width,
                   boundary_names[boundary], off);
      bt_operator_clear(&op);
    }
}

static void masks(void) {
  const BtShape shape = {5, 7};
  const size_t n = bt_shape_size(shape);
  unsigned char known[35];
  double x[35], naive[35], work[4 * 35];
  BtContext ctx;
  BtOperator op;
  bt_context_init(&ctx);
  for (int full = 0; full < 2; full++) {
    bt_rng_fill_normal(3, 1, 0, n, x);
    for (size_t j = 0; j < n; j++) {
      known[j] = full || bt_rng_uniform(1, 2, j) < 0.5 ? 255 : 0;
      naive[j] = known[j] ? x[j] : 0;
    }
    BT_CHECK_STATUS(bt_mask(&ctx, shape, known, &op), BT_OK, &ctx);
    BT_CHECK(op.least == full);
    check_operator(&op, x, naive, work, "mask");
    bt_operator_clear(&op);
  }
  memset(known, 0, sizeof known);
  BT_CHECK_STATUS(bt_mask(&ctx, shape, known, &op), BT_ERR_ARG, NULL);
  BT_CHECK(strstr(ctx.error, "no known pixel") != NULL);
}

static void refusals(void) {
  const double taps[12] = {1};
  BtContext ctx;
  BtOperator op;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(bt_blur(&ctx, (BtShape){3, 3}, 3, 4, taps, BT_BOUNDARY_REFLECT, &op), BT_ERR_ARG, NULL);
  BT_CHECK(strstr(ctx.error, "3x4") && strstr(ctx.error, "larger than the image"));
  BT_CHECK(op.ops == NULL);
}

static const BtTest tests[] = {{"blurs are their definition", blurs},
                               {"symbols", grams},
                               {"masks", masks},
                               {"what does not fit is refused", refusals}};

int main(void) { return bt_test_main("operators", tests, COUNT(tests)); }

#include "lowerlevel/softmax.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "lowerlevel/vector.h"
#include "core/simd.h"

/* A block's rows fill about half a mebibyte, but no fewer than 64 and no more than 512. */
size_t bt_softmax_block(size_t features) {
  enum { LEAST = 64, MOST = 512, BYTES = 1 << 19 };
  const size_t fit = BYTES / (8 * features);
  return fit < LEAST ? LEAST : fit > MOST ? MOST : fit / 8 * 8;
}

size_t bt_softmax_work(size_t features, size_t classes) {
  const size_t block = bt_softmax_block(features);
  return 2 * features * classes + (2 * classes + 2) * block + block * features;
}

/* eˣ for x ≤ 0, within 4 unit roundoffs; what is below e⁻⁷⁰⁰ counts as that. x = k log 2 + r, |r| ≤ ½ log 2,
 * eʳ by its Taylor polynomial of degree 13 (remainder 5·10⁻¹⁸), 2ᵏ by adding k to the exponent. */
static inline double exp_double(double x) {
  static const double magic = 0x1.8p52, high = 6.93147180369123816490e-01, low = 1.90821492927058770002e-10;
  x = x < -700 ? -700 : x;
  double k = x * 1.4426950408889634 + magic, y;
  int64_t bits, scaled;
  memcpy(&bits, &k, sizeof bits);
  k -= magic;
  const double r = (x - k * high) - k * low;
  y = 1.0 / 6227020800;
  y = y * r + 1.0 / 479001600;
  y = y * r + 1.0 / 39916800;
  y = y * r + 1.0 / 3628800;
  y = y * r + 1.0 / 362880;
  y = y * r + 1.0 / 40320;
  y = y * r + 1.0 / 5040;
  y = y * r + 1.0 / 720;
  y = y * r + 1.0 / 120;
  y = y * r + 1.0 / 24;
  y = y * r + 1.0 / 6;
  y = y * r + 0.5;
  y = y * r + 1;
  y = y * r + 1;
  memcpy(&scaled, &y, sizeof scaled);
  scaled = (int64_t)((uint64_t)scaled + ((uint64_t)bits << 52));
  memcpy(&y, &scaled, sizeof y);
  return y;
}

/* The same in single precision, of degree 7; what is below e⁻⁸⁰ counts as that. */
static inline float exp_single(float x) {
  static const float magic = 0x1.8p23f, high = 0.693359375f, low = -2.12194440e-4f;
  x = x < -80 ? -80 : x;
  float k = x * 1.44269504f + magic, y;
  int32_t bits, scaled;
  memcpy(&bits, &k, sizeof bits);
  k -= magic;
  const float r = (x - k * high) - k * low;
  y = 1.0f / 5040;
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1;
  y = y * r + 1;
  memcpy(&scaled, &y, sizeof scaled);
  scaled = (int32_t)((uint32_t)scaled + ((uint32_t)bits << 23));
  memcpy(&y, &scaled, sizeof y);
  return y;
}

#define REAL double
#define GEMM cblas_dgemm
#define EXP exp_double
#define ROWS(r) ((r)->x)
#define NAME(name) name##_double
#include "lowerlevel/softmax_template_internal.h"
#undef REAL
#undef GEMM
#undef EXP
#undef ROWS
#undef NAME

#define REAL float
#define GEMM cblas_sgemm
#define EXP exp_single
#define ROWS(r) ((r)->x_single)
#define NAME(name) name##_single
#include "lowerlevel/softmax_template_internal.h"
#undef REAL
#undef GEMM
#undef EXP
#undef ROWS
#undef NAME

double bt_softmax_value_grad(const BtSoftmaxRows *rows, int single, const double *w, double *gradient,
                             double *p, double *work) {
  memset(gradient, 0, rows->classes * rows->features * sizeof *gradient);
  return single ? value_grad_single(rows, w, gradient, NULL, work)
                : value_grad_double(rows, w, gradient, p, work);
}

void bt_softmax_prepare(const BtSoftmaxRows *r, const double *w, double *p, double *work) {
  Scratch_double s = scratch_double(r->features, r->classes, work);
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = block_at_double(r, first);
    scores_double(r, w, first, n, p + first * r->classes);
    (void)softmax_columns_double(r->classes, n, NULL, p + first * r->classes, s.top, s.total);
  }
}

void bt_softmax_keep(const BtSoftmaxRows *r, int single, const double *p, void *kept) {
  const size_t n = bt_softmax_probabilities_size(r->rows, r->classes);
  if (single)
    convert_single(n, p, kept);
  else
    memcpy(kept, p, n * sizeof *p);
}

void bt_softmax_hess_mult(const BtSoftmaxRows *rows, int single, const void *p, const double *v,
                          double *product, double *work) {
  memset(product, 0, rows->classes * rows->features * sizeof *product);
  if (single)
    hess_mult_single(rows, p, v, product, work);
  else
    hess_mult_double(rows, p, v, product, work);
}

void bt_softmax_hess_diagonal(const BtSoftmaxRows *rows, int single, const void *p, double *diagonal,
                              double *work) {
  memset(diagonal, 0, rows->classes * rows->features * sizeof *diagonal);
  if (single)
    hess_diagonal_single(rows, p, diagonal, work);
  else
    hess_diagonal_double(rows, p, diagonal, work);
}

/* Of n columns u[classes][n] under p, x their rows. */
static void add_spread(const BtSoftmaxRows *r, size_t first, size_t n, const double *p, const double *u,
                       BtSoftmaxSpread *out) {
  for (size_t i = 0; i < n; i++) {
    const double *x = r->x + (first + i) * r->features;
    double square = 0, mean = 0, variance = 0;
    for (size_t k = 0; k < r->classes; k++)
      square += u[k * n + i] * u[k * n + i], mean += p[k * n + i] * u[k * n + i];
    for (size_t k = 0; k < r->classes; k++) {
      const double off = u[k * n + i] - mean;
      variance += p[k * n + i] * off * off;
    }
    out->largest = fmax(out->largest, sqrt(square));
    out->square += square;
    out->spread += variance * bt_dot(x, x, r->features);
  }
}

BtSoftmaxSpread bt_softmax_spread(const BtSoftmaxRows *r, const double *w, const double *q, double *work) {
  Scratch_double s = scratch_double(r->features, r->classes, work);
  BtSoftmaxSpread out = {0};
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = block_at_double(r, first);
    scores_double(r, w, first, n, s.z);
    scores_double(r, q, first, n, s.u);
    (void)softmax_columns_double(r->classes, n, NULL, s.z, s.top, s.total);
    add_spread(r, first, n, s.z, s.u, &out);
  }
  return out;
}

double bt_softmax_predict(const BtSoftmaxRows *r, const double *w, double *scores, double *work) {
  Scratch_double s = scratch_double(r->features, r->classes, work);
  double value = 0;
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = block_at_double(r, first);
    scores_double(r, w, first, n, s.z);
    value += softmax_columns_double(r->classes, n, r->label ? r->label + first : NULL, s.z, s.top, s.total);
    for (size_t i = 0; i < n; i++)
      for (size_t k = 0; k < r->classes; k++) scores[(first + i) * r->classes + k] = s.z[k * n + i];
  }
  return value;
}

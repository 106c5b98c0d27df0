/* The functions of foe_rows_internal.h for one REAL. Included by foe_rows_single.c and foe_rows_double.c, which define REAL,
 * ROWS(name), inverse_root() and logarithm(). */
#include <math.h>

#include "regularizers/foe_rows_internal.h"
#include "regularizers/simd.h"

typedef enum { ROOT, LOGARITHM, DIFFERENCE } Kind;

/* One filter's numbers. */
typedef struct {
  REAL weight, nu, nu2, tau2, ratio_rate; /* ratio_rate = ∂log τ/∂ratio = 1 − ν/τ */
} Expert;

/* φ, φ', φ″, ∂φ'/∂log ν and ∂φ'/∂ratio at t; what is not used is not computed. */
typedef struct {
  REAL value, first, second, by_smoothing, by_ratio;
} Derivatives;

static inline Derivatives at_root(const Expert *e, REAL t) {
  const REAL s = t * t + e->nu2, i = inverse_root(s), cube = e->nu2 * i * i * i;
  return (Derivatives){.value = s * i, .first = t * i, .second = cube, .by_smoothing = -t * cube};
}

static inline Derivatives at_logarithm(const Expert *e, REAL t) {
  const REAL t2 = t * t, i = 1 / (t2 + e->nu2), twice = 2 * i;
  return (Derivatives){.value = logarithm(1 + t2 / e->nu2),
                       .first = t * twice,
                       .second = (e->nu2 - t2) * i * twice,
                       .by_smoothing = -2 * t * e->nu2 * i * twice};
}

static inline Derivatives at_difference(const Expert *e, REAL t) {
  const REAL s = t * t + e->nu2, i = inverse_root(s), cube = e->nu2 * i * i * i;
  const REAL s2 = t * t + e->tau2, i2 = inverse_root(s2), cube2 = e->tau2 * i2 * i2 * i2;
  return (Derivatives){.value = s * i - s2 * i2,
                       .first = t * (i - i2),
                       .second = cube - cube2,
                       .by_smoothing = t * (cube2 - cube),
                       .by_ratio = t * cube2 * e->ratio_rate};
}

static Expert expert(const BtFoe *foe, size_t k) {
  const double nu = foe->nu[k], tau = foe->tau[k];
  return (Expert){.weight = (REAL)foe->weight[k],
                  .nu = (REAL)nu,
                  .nu2 = (REAL)(nu * nu),
                  .tau2 = (REAL)(tau * tau),
                  .ratio_rate = (REAL)(1 - nu / tau)};
}

/* The potential in force on a part of a row, and the next part. */
static Kind kind_at(const BtFoeRow *row, size_t c, size_t *end) {
  if (row->foe->potential == BT_FOE_WEAK) {
    const int inside = c >= row->from && c < row->to;
    *end = inside ? row->to : (c < row->from && row->from < row->to ? row->from : row->columns);
    return inside ? DIFFERENCE : ROOT;
  }
  *end = row->columns;
  return row->foe->potential == BT_FOE_LOG ? LOGARITHM : ROOT;
}

/* One loop over n entries for each kind of potential: `d` holds the derivatives at t[c]. */
#define FOR_EACH(kind, e, t, n, REDUCTION, BODY)      \
  switch (kind) {                                     \
    case ROOT:                                        \
      _Pragma(REDUCTION) for (size_t c = 0; c < n; c++) { \
        const Derivatives d = at_root(e, t[c]);       \
        BODY;                                         \
      }                                               \
      break;                                          \
    case LOGARITHM:                                   \
      _Pragma(REDUCTION) for (size_t c = 0; c < n; c++) { \
        const Derivatives d = at_logarithm(e, t[c]);  \
        BODY;                                         \
      }                                               \
      break;                                          \
    case DIFFERENCE:                                  \
      _Pragma(REDUCTION) for (size_t c = 0; c < n; c++) { \
        const Derivatives d = at_difference(e, t[c]); \
        BODY;                                         \
      }                                               \
      break;                                          \
  }

BT_SIMD static double gradient_part(Kind kind, const Expert *expert_, size_t n, REAL *restrict t) {
  const Expert e = *expert_;
  REAL sum = 0;
  FOR_EACH(kind, &e, t, n, "omp simd reduction(+ : sum)", { sum += d.value; t[c] = e.weight * d.first; })
  return (double)(e.weight * sum);
}

BT_SIMD static void curvature_part(Kind kind, const Expert *expert_, size_t n, const REAL *restrict t,
                                   REAL *restrict out) {
  const Expert e = *expert_;
  FOR_EACH(kind, &e, t, n, "omp simd", { out[c] = e.weight * d.second; })
}

BT_SIMD static void product_part(size_t n, const REAL *restrict planes, REAL *restrict t) {
  for (size_t c = 0; c < n; c++) t[c] *= planes[c];
}

BT_SIMD static void cross_adjoint_part(Kind kind, const Expert *expert_, size_t n, REAL *restrict t,
                                       REAL *restrict u, double sums[3]) {
  const Expert e = *expert_;
  REAL by_weight = 0, by_smoothing = 0, by_ratio = 0;
  FOR_EACH(kind, &e, t, n, "omp simd reduction(+ : by_weight, by_smoothing, by_ratio)", {
    by_weight += d.first * u[c];
    by_smoothing += d.by_smoothing * u[c];
    by_ratio += d.by_ratio * u[c];
    t[c] = e.weight * d.second * u[c];
    u[c] = e.weight * d.first;
  })
  sums[0] += (double)(e.weight * by_weight);
  sums[1] += (double)(e.weight * by_smoothing);
  sums[2] += (double)(e.weight * by_ratio);
}

BT_SIMD static void cross_mult_part(Kind kind, const Expert *expert_, size_t n, REAL weight, REAL smoothing,
                                    REAL ratio, REAL *restrict t, REAL *restrict u) {
  const Expert e = *expert_;
  FOR_EACH(kind, &e, t, n, "omp simd", {
    t[c] = e.weight * (d.first * weight + d.by_smoothing * smoothing + d.by_ratio * ratio + d.second * u[c]);
    u[c] = e.weight * d.first;
  })
}

double ROWS(gradient)(const BtFoeRow *row, REAL *t) {
  double sum = 0;
  for (size_t k = 0; k < row->foe->filters; k++) {
    const Expert e = expert(row->foe, k);
    for (size_t c = 0, end; c < row->columns; c = end) {
      const Kind kind = kind_at(row, c, &end);
      sum += gradient_part(kind, &e, end - c, t + k * row->stride + c);
    }
  }
  return sum;
}

void ROWS(curvature)(const BtFoeRow *row, const REAL *t, REAL *planes, size_t plane) {
  for (size_t k = 0; k < row->foe->filters; k++) {
    const Expert e = expert(row->foe, k);
    for (size_t c = 0, end; c < row->columns; c = end) {
      const Kind kind = kind_at(row, c, &end);
      curvature_part(kind, &e, end - c, t + k * row->stride + c, planes + k * plane + c);
    }
  }
}

void ROWS(product)(const BtFoeRow *row, const REAL *planes, size_t plane, REAL *t) {
  for (size_t k = 0; k < row->foe->filters; k++) product_part(row->columns, planes + k * plane, t + k * row->stride);
}

void ROWS(cross_adjoint)(const BtFoeRow *row, REAL *t, REAL *u, double *by_weight, double *by_smoothing,
                         double *by_ratio) {
  for (size_t k = 0; k < row->foe->filters; k++) {
    const Expert e = expert(row->foe, k);
    double sums[3] = {0, 0, 0};
    for (size_t c = 0, end; c < row->columns; c = end) {
      const Kind kind = kind_at(row, c, &end);
      cross_adjoint_part(kind, &e, end - c, t + k * row->stride + c, u + k * row->stride + c, sums);
    }
    by_weight[k] += sums[0];
    by_smoothing[k] += sums[1];
    by_ratio[k] += sums[2];
  }
}

void ROWS(cross_mult)(const BtFoeRow *row, REAL *t, REAL *u, const double *weight, const double *smoothing,
                      const double *ratio) {
  for (size_t k = 0; k < row->foe->filters; k++) {
    const Expert e = expert(row->foe, k);
    for (size_t c = 0, end; c < row->columns; c = end) {
      const Kind kind = kind_at(row, c, &end);
      cross_mult_part(kind, &e, end - c, (REAL)weight[k], (REAL)smoothing[k], (REAL)ratio[k],
                      t + k * row->stride + c, u + k * row->stride + c);
    }
  }
}

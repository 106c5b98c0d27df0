/* regularizers/foe_rows_internal.h: potentials and their derivatives on one image row of responses, in both precisions; private
 * to foe.c. Arrays t, u are [K][stride], of which `columns` entries count. */
#ifndef BITUNE_REGULARIZERS_FOE_ROWS_INTERNAL_H
#define BITUNE_REGULARIZERS_FOE_ROWS_INTERNAL_H

#include "regularizers/foe_internal.h"

typedef struct {
  const BtFoe *foe;
  size_t columns, stride;
  size_t from, to; /* columns at which the filter lies inside the image; from = to: none */
} BtFoeRow;

#define BT_FOE_ROWS(REAL, NAME)                                                                                        \
  /* t ← w φ'(t); returns Σ w φ(t). */                                                                                 \
  double NAME##_gradient(const BtFoeRow *row, REAL *t);                                                                \
  /* planes[k·plane + c] ← w φ″(t). */                                                                                 \
  void NAME##_curvature(const BtFoeRow *row, const REAL *t, REAL *planes, size_t plane);                               \
  /* t ← planes·t. */                                                                                                  \
  void NAME##_product(const BtFoeRow *row, const REAL *planes, size_t plane, REAL *t);                                 \
  /* With t = Cx, u = Cq: sums of w u times φ', ∂φ'/∂log ν, ∂φ'/∂ratio are added to by_…[K]; t ← w φ″(t) u,            \
   * u ← w φ'(t). */                                                                                                   \
  void NAME##_cross_adjoint(const BtFoeRow *row, REAL *t, REAL *u, double *by_weight, double *by_smoothing,            \
                            double *by_ratio);                                                                         \
  /* With t = Cx, u = Dx: t ← w (φ'·weight + ∂φ'/∂log ν·smoothing + ∂φ'/∂ratio·ratio + φ″(t) u), u ← w φ'(t); the       \
   * factors are [K]. */                                                                                               \
  void NAME##_cross_mult(const BtFoeRow *row, REAL *t, REAL *u, const double *weight, const double *smoothing,         \
                         const double *ratio);

BT_FOE_ROWS(float, bt_foe_rows_single)
BT_FOE_ROWS(double, bt_foe_rows_double)

#endif

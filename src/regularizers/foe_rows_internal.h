/* regularizers/foe_rows.h: potentials and their derivatives on one image row of responses; private to foe.c.
 *
 * Arrays t, u are [K][stride], float or double; `columns` entries of each filter count, and those up to the next multiple
 * of BT_FOE_PAD are read and written too. */
#ifndef BITUNE_REGULARIZERS_FOE_ROWS_INTERNAL_H
#define BITUNE_REGULARIZERS_FOE_ROWS_INTERNAL_H

#include "regularizers/foe_internal.h"

/* Entries of the longest vector register. */
#define BT_FOE_PAD 16

static inline size_t bt_foe_padded(size_t columns) { return (columns + BT_FOE_PAD - 1) / BT_FOE_PAD * BT_FOE_PAD; }

typedef struct {
  const BtFoe *foe;
  size_t columns, stride;
  const void *valid;  /* [padded columns] 1 where c < columns, else 0                                */
  const void *inside; /* [padded columns] 1 where the filter lies inside the image, else 0            */
} BtFoeRow;

/* One precision and instruction set. */
typedef struct {
  size_t size; /* of a number in bytes */
  /* to[n] ← from[n] */
  void (*convert)(size_t n, const double *from, void *to);
  /* t ← w φ'(t); returns Σ w φ(t). */
  double (*gradient)(const BtFoeRow *row, void *t);
  /* planes[k·plane + c] ← w φ″(t); rows of planes have the padded number of columns. */
  void (*curvature)(const BtFoeRow *row, const void *t, void *planes, size_t plane);
  /* t ← planes·t. */
  void (*product)(const BtFoeRow *row, const void *planes, size_t plane, void *t);
  /* With t = Cx, u = Cq: sums of w u times φ', ∂φ'/∂log ν, ∂φ'/∂ratio are added to by_…[K]; t ← w φ″(t) u,
   * u ← w φ'(t). */
  void (*cross_adjoint)(const BtFoeRow *row, void *t, void *u, double *by_weight, double *by_smoothing,
                        double *by_ratio);
  /* With t = Cx, u = Dx: t ← w (φ'·weight + ∂φ'/∂log ν·smoothing + ∂φ'/∂ratio·ratio + φ″(t) u), u ← w φ'(t); the
   * factors are [K]. */
  void (*cross_mult)(const BtFoeRow *row, void *t, void *u, const double *weight, const double *smoothing,
                     const double *ratio);
} BtFoeRows;

/* Those for this processor. */
const BtFoeRows *bt_foe_rows(int single);

#endif

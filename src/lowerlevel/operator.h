/* lowerlevel/operator.h: the linear map A from an image to what was observed of it, y = Ax + noise.
 *
 * x and y are gray planes of one shape, row by row. An operator holds working memory, so one thread uses it
 * at a time; creating and destroying one plans with FFTW, so calls from several threads at once need a lock.
 */
#ifndef BITUNE_LOWERLEVEL_OPERATOR_H
#define BITUNE_LOWERLEVEL_OPERATOR_H

#include "lowerlevel/torus.h"
#include "regularizers/regularizer.h"

typedef struct BtOperator BtOperator;

typedef struct {
  const char *name;

  /* Required. Arrays are [shape] and do not overlap. */

  /* out ← A x and out ← Aᵀ y. */
  void (*apply)(const BtOperator *op, const double *x, double *out);
  void (*adjoint)(const BtOperator *op, const double *y, double *out);
  /* out ← AᵀA x; `work` is [shape]. */
  void (*normal)(const BtOperator *op, const double *x, double *work, double *out);
  /* out ← diag AᵀA, the squared lengths of A's columns. */
  void (*diagonal)(const BtOperator *op, double *out);
  void (*destroy)(BtOperator *op);
} BtOperatorOps;

struct BtOperator {
  const BtOperatorOps *ops;
  BtShape shape;
  double norm;  /* proven: ‖A‖₂ ≤ norm                                                            */
  double least; /* proven: AᵀA ⪰ least·I, least ≥ 0                                               */
  double rounding; /* ‖computed Ax − Ax‖₂ ≤ u·rounding·‖x‖₂ with u the unit roundoff; Aᵀ alike        */
  /* What Newton systems are preconditioned with: AᵀA is near P F* diag(gram) F Pᵀ on the torus (see torus.h),
   * the same but at the edges. NULL: nothing of the kind. */
  const BtTorus *torus;
  const double *gram; /* [bt_torus_frequencies(torus)] */
  void *data;         /* the implementation's, owned */
};

/* Frees what the operator owns and zeroes it; harmless on a zeroed one. */
void bt_operator_clear(BtOperator *op);

#endif

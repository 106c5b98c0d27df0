/* hypergrad/adjoint.h: linear systems with the lower-level Hessian, H q = b, by PETSc's KSP.
 *
 * Conjugate gradients with the problem's preconditioner, or Jacobi's where it has none, unless options with the prefix
 * bt_adjoint_ say otherwise. */
#ifndef BITUNE_HYPERGRAD_ADJOINT_H
#define BITUNE_HYPERGRAD_ADJOINT_H

#include "lowerlevel/problem.h"

typedef struct BtAdjoint BtAdjoint;

/* `problem` is borrowed. */
BtStatus bt_adjoint_create(BtContext *ctx, const BtProblem *problem, BtAdjoint **adjoint);
void bt_adjoint_destroy(BtAdjoint *adjoint);

/* H ← ∇²ₓₓh_i(x; θ) for the solves and products that follow; θ and x are borrowed until the next call. */
BtStatus bt_adjoint_prepare(BtAdjoint *adjoint, BtContext *ctx, size_t i, const double *theta, const double *x);

/* Solves H q = b from the start q until ‖b − Hq‖ ≤ max(absolute, relative·‖b‖), on the problem's faster twin as far as that
 * is accurate enough. The residual is computed afresh at the end: residual[n] ← Hq − b by the problem itself (NULL: not
 * wanted, and *norm may be the twin's), *norm its length, rounding included. An accuracy that was not reached is
 * BT_NOT_CERTIFIED with q the best found, a stop request BT_STOPPED. Errors: BT_ERR_LIBRARY, BT_ERR_NUMERIC. */
BtStatus bt_adjoint_solve(BtAdjoint *adjoint, BtContext *ctx, const double *b, double absolute, double relative,
                          double *q, double *residual, double *norm);

/* q ← an approximate solution of H q = b from zero, to ‖b − Hq‖ ≤ relative·‖b‖ by CG's own account: for corrections whose
 * accuracy nothing rests on. */
BtStatus bt_adjoint_approximate(BtAdjoint *adjoint, BtContext *ctx, const double *b, double relative, double *q);

/* product ← H v at the prepared point, counted. */
void bt_adjoint_multiply(BtAdjoint *adjoint, const double *v, double *product);

/* Hessian products so far. */
int64_t bt_adjoint_products(const BtAdjoint *adjoint);

#endif

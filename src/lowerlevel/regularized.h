/* lowerlevel/regularized.h: what a term λ R(x; θ) gives to a problem on images, the same for every data term.
 *
 * θ stands in this term alone, so that mixed derivatives, bounds of them and the dual are the regularizer's, times λ. A
 * problem says by its `term` which regularizer that is, and takes these functions by BT_REGULARIZED_OPS. */
#ifndef BITUNE_LOWERLEVEL_REGULARIZED_H
#define BITUNE_LOWERLEVEL_REGULARIZED_H

#include "lowerlevel/problem.h"

size_t bt_regularized_dimension(const BtProblem *problem, size_t i);
void bt_regularized_cross_mult(const BtProblem *problem, size_t i, const double *theta, const double *x,
                               const double *v, double *product);
void bt_regularized_cross_adjoint(const BtProblem *problem, size_t i, const double *theta, const double *x,
                                  const double *q, double *product);
double bt_regularized_cross_norm(const BtProblem *problem, size_t i, const double *theta, const double *x,
                                 double *work);
size_t bt_regularized_cross_norm_work(const BtProblem *problem, size_t i);
void bt_regularized_variation(const BtProblem *problem, size_t i, const double *theta, const double *x,
                              const double *q, double eps, BtVariation *variation);
size_t bt_regularized_dual_size(const BtProblem *problem, size_t i);
void bt_regularized_dual_update(const BtProblem *problem, size_t i, const double *theta, const double *x,
                                const double *dx, double *dual);

/* Constants of h where that of the data term has `least` ≤ ∇² ≤ `most`; all zero where R's are unknown. */
void bt_regularized_constants(const BtProblem *problem, size_t i, const double *theta, double least, double most,
                              BtProblemConstants *constants);

#define BT_REGULARIZED_OPS                                                                       \
  .dimension = bt_regularized_dimension, .cross_mult = bt_regularized_cross_mult,                \
  .cross_adjoint = bt_regularized_cross_adjoint, .cross_norm = bt_regularized_cross_norm,        \
  .cross_norm_work = bt_regularized_cross_norm_work, .variation = bt_regularized_variation,      \
  .dual_size = bt_regularized_dual_size, .dual_update = bt_regularized_dual_update

#endif

/* lowerlevel/logistic_inverse_internal.h: an approximate inverse of logistic regression's Hessian.
 *
 *   M = s·Ĥ + diag(e^θ),   Ĥ a sample of the data's part (lowerlevel/softmax_pairs.h) at a point w° near,
 *
 * dense and factored. The condition number of M⁻¹∇²h does not depend on the ridge weights: where the sample sees little of
 * a direction, both are the ridge. Ĥ is kept while the log-odds have changed little since w°, the factor while the ridge
 * weights have. */
#ifndef BITUNE_LOWERLEVEL_LOGISTIC_INVERSE_INTERNAL_H
#define BITUNE_LOWERLEVEL_LOGISTIC_INVERSE_INTERNAL_H

#include "lowerlevel/logistic_internal.h"

typedef struct BtLogisticInverse BtLogisticInverse;

/* `rows` are borrowed; `scale` is s. *inverse ← NULL where there are too many unknowns. Errors: BT_ERR_MEMORY. */
BtStatus bt_logistic_inverse_create(BtContext *ctx, BtLogisticRows *rows, double scale, BtLogisticInverse **inverse);
void bt_logistic_inverse_destroy(BtLogisticInverse *inverse);

/* Makes M one for the Hessian at w[n] with these ridge weights[n]; nothing is done again while `serial` stays the same.
 * Returns 0 where conjugate gradients with the diagonal cost less than M does. */
int bt_logistic_inverse_prepare(BtLogisticInverse *inverse, double serial, const double *weights, const double *w);

/* product[n] ← M⁻¹v, after a prepare() that did not return 0. */
void bt_logistic_inverse_multiply(BtLogisticInverse *inverse, const double *v, double *product);

/* All multiply-adds so far over those of one product with the Hessian, rounded up. */
int64_t bt_logistic_inverse_products(const BtLogisticInverse *inverse);

/* What M is a function of: with the same numbers written into it before first use it is the same, and what making it
 * again costs is not counted. Its length is that of n unknowns; NULL where there is no M. */
double *bt_logistic_inverse_state(BtLogisticInverse *inverse);
size_t bt_logistic_inverse_state_length(size_t n);

/* matrix[n][n] ← scale·Σ_{k<l} (e_k − e_l)(e_k − e_l)ᵀ ⊗ S_kl + diag(weights) of the blocks S of a sample, upper triangle row by
 * row, zero below. */
void bt_logistic_assemble(const BtLogisticRows *rows, double scale, const double *blocks, const double *weights,
                          double *matrix);

/* Multiply-adds of a sample of that many terms and of a Cholesky factor. */
double bt_logistic_sample_cost(const BtLogisticRows *rows, double terms);
double bt_logistic_factor_cost(double n);

#endif

/* lowerlevel/softmax_pairs.h: a sample of the terms that the Hessian of the cross-entropy is the sum of.
 *
 *   Σ_i (diag p_i − p_i p_iᵀ) ⊗ x_i x_iᵀ = Σ_i Σ_{k<l} p_ik p_il (e_k − e_l)(e_k − e_l)ᵀ ⊗ x_i x_iᵀ
 *
 * A term, a row with a pair of classes, is of rank one; most are next to nothing, since few classes are in question for a
 * row. It is taken with probability π = min(1, p_ik p_il Σ_j c_j x_ij²) and divided by π, so that the sample's expectation is
 * the Hessian. Which terms are taken depends on (c, number of the row, p_i, x_i) alone. */
#ifndef BITUNE_LOWERLEVEL_SOFTMAX_PAIRS_H
#define BITUNE_LOWERLEVEL_SOFTMAX_PAIRS_H

#include "lowerlevel/softmax.h"

/* Pairs k < l of classes, in the order (0,1), (0,2), …, (1,2), …. */
static inline size_t bt_softmax_pairs(size_t classes) { return classes * (classes - 1) / 2; }

/* total[d + 1] ← Σ_i t_i x_ij² for each feature, Σ_i t_i, with t_i = Σ_{k<l} p_ik p_il. p: what bt_softmax_prepare()
 * stored. */
void bt_softmax_pairs_total(const BtSoftmaxRows *rows, const double *p, double *total);

/* Doubles of scratch for the sample of that many rows. */
size_t bt_softmax_pairs_work(size_t rows, size_t features);

/* What the terms taken are added with. AS_THEY_ARE their sum lies below the Hessian in the order of symmetric matrices. */
typedef enum { BT_PAIRS_UNBIASED, BT_PAIRS_AS_THEY_ARE } BtPairsWeight;

/* blocks[pairs][d][d] += Σ p_ik p_il/π x_i x_iᵀ, or without the π, over the terms taken of each pair, upper triangles only.
 * `first` is the number of row 0. Returns how many terms were taken; d(d+1)/2 multiply-adds each. */
size_t bt_softmax_pairs_sample(const BtSoftmaxRows *rows, const double *p, const double *c, BtPairsWeight weight,
                               uint64_t first, double *blocks, double *work);

/* Additions that an entry of a block passes through, at most. */
size_t bt_softmax_pairs_additions(size_t rows);

#endif

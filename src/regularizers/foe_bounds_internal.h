/* regularizers/foe_bounds_internal.h: proven constants and local bounds of fields of experts; private to the
 * foe_*.c files. The derivations are in docs/methods.md. */
#ifndef BITUNE_REGULARIZERS_FOE_BOUNDS_INTERNAL_H
#define BITUNE_REGULARIZERS_FOE_BOUNDS_INTERNAL_H

#include "regularizers/foe_internal.h"

/* Entries of BtRegularizerOps. */
void bt_foe_constants(const BtRegularizer *reg, BtShape shape, const double *theta,
                      BtRegularizerConstants *k);
void bt_foe_variation(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                      const double *q, double eps, BtVariation *variation);
double bt_foe_cross_norm(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                         double *work);
size_t bt_foe_cross_norm_work(const BtRegularizer *reg, BtShape shape);

/* diagonal += what taps that the extension lays upon one pixel add to Σ_k (c_k ∘ c_k) ⋆ planes_k; planes
 * [K][height][padded width] are w φ″, float if reg is single. Returns BT_OK or BT_ERR_MEMORY. */
BtStatus bt_foe_diagonal_folds(const BtRegularizer *reg, BtShape shape, const double *taps,
                               const void *planes, double *diagonal);

/* |(C_k e)_p| ≤ row·‖e‖ at every pixel p: a window of s taps meets one pixel 2⌈s/2n⌉ times at most in each
 * direction. */
double bt_foe_row_norm(const BtFoe *foe, BtShape shape, size_t k);

/* Σ_p ‖patch of e at p‖² ≤ coverage·‖e‖²: how many entries of all patches one pixel is, at most. */
double bt_foe_coverage(BtShape shape, size_t size);

/* energy[shape] ← upper bounds of ‖patch of x at p less its mean‖². Returns BT_OK or BT_ERR_MEMORY. */
BtStatus bt_foe_patch_energy(BtShape shape, size_t size, const double *x, double *energy);

/* Error of the computed response of filter k, in units of roundoff and of max|x|. */
double bt_foe_response_rounding(const BtFoe *foe, const double *theta, size_t k);

/* ρ with ‖computed Jᵀq − Jᵀq‖ ≤ u ρ ‖q‖ and ‖computed J v − J v‖ ≤ u ρ ‖v‖ for |x| ≤ largest, u double's unit
 * roundoff. */
double bt_foe_cross_rounding(const BtRegularizer *reg, const BtFoe *foe, BtShape shape, const double *theta,
                             double largest);

/* The same for ‖computed ∇²R q − ∇²R q‖ ≤ u ρ ‖q‖. */
double bt_foe_hessian_rounding(const BtRegularizer *reg, const BtFoe *foe, BtShape shape, const double *theta,
                               double largest);

#endif

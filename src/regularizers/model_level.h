/* regularizers/model_level.h: a model learned for one noise level, used at another.
 *
 * Let x̂ = argmin ½‖x − y‖² + R(x) be learned for noise of standard deviation σ₀, and let s = σ/σ₀.
 *
 *   contrast     R_s(x) = s² R(x/s): the image is brought to noise level σ₀, restored there and brought back,
 *                x̂_σ(y) = s x̂(y/s). Smoothings grow by s; weights by s where potentials are roots, by s²
 * where they are logarithms. ∇²R_s(x) = ∇²R(x/s), so μ, L and the kind of certificate stay what they were.
 *   weight       R_s = s² R: the posterior mode of a fixed prior R/σ₀², only the global weight changes.
 *   interpolate  θ linear in log σ between two models of the same kind at neighbouring levels.
 *   auto         interpolate where a parameter means the same in every model (TV), contrast where filters
 * were learned and those of two models need not correspond.
 *
 * Where the last two would take a weakly convex model beyond the modulus for which it is certified, its
 * weight is lowered to that modulus. */
#ifndef BITUNE_REGULARIZERS_MODEL_LEVEL_H
#define BITUNE_REGULARIZERS_MODEL_LEVEL_H

#include "regularizers/model.h"

typedef enum {
  BT_ADAPT_AUTO,
  BT_ADAPT_CONTRAST,
  BT_ADAPT_WEIGHT,
  BT_ADAPT_INTERPOLATE,
  BT_ADAPT_NONE
} BtAdaptation;
#define BT_ADAPTATION_CHOICES "auto|contrast|weight|interpolate|none"

/* Brings the model to noise level sigma > 0 (0–255 scale) by BT_ADAPT_WEIGHT or BT_ADAPT_CONTRAST, which
 * BT_ADAPT_AUTO and BT_ADAPT_INTERPOLATE mean here; BT_ADAPT_NONE leaves it as it is. Returns what was done.
 * Parameters stay inside their domain. model->sigma becomes sigma. */
BtAdaptation bt_model_adapt(BtModel *model, double sigma, BtAdaptation rule);

/* True if two models have the same regularizer, filters and size included. */
int bt_model_same_kind(const BtModel *a, const BtModel *b);

/* model ← the model between it and `other` (of the same kind, model->sigma < sigma < other->sigma). */
void bt_model_interpolate(BtModel *model, const BtModel *other, double sigma);

#endif

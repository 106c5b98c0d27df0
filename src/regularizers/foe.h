/* regularizers/foe.h: fields of experts (Roth & Black 2005; Chen, Ranftl & Pock 2014)
 *
 *   R(x; θ) = Σ_k w_k Σ_p φ_k((c_k ∗ x)_p),   w_k = e^{θ0 + θ_k}
 *
 * with K learned filters c_k of s × s taps and zero mean, potentials φ of learned smoothing ν_k, and half-sample
 * symmetric boundary. The filter c_k is its s² parameters less their mean.
 *
 * θ = (log_weight, log_filter_weight[K], log_smoothing[K], (log_ratio[K] if weak,) filter[K][s][s]): for 48 filters of
 * 7 × 7, 2449 parameters, 2497 if weak. */
#ifndef BITUNE_REGULARIZERS_FOE_H
#define BITUNE_REGULARIZERS_FOE_H

#include "regularizers/regularizer.h"

typedef enum {
  BT_FOE_CONVEX, /* √(t² + ν²): convex, certificates PROVEN                                                   */
  BT_FOE_LOG,    /* log(1 + t²/ν²), Student-t: not convex; PROVEN only where the bound of its modulus is below 1 */
  BT_FOE_WEAK    /* √(t² + ν²) − √(t² + τ²), τ = ν(1 + e^ratio): the subtracted part counts only where the filter lies
                    inside the image. The chart saturates the global weight so that ∇²R ⪰ −ρ I, ρ = BT_FOE_MODULUS:
                    ½‖x − y‖² + R is (1 − ρ)-strongly convex and certificates are PROVEN                            */
} BtFoePotential;

#define BT_FOE_FILTERS 48
#define BT_FOE_SIZE 7
#define BT_FOE_MOST_FILTERS 1024
#define BT_FOE_LARGEST 63
#define BT_FOE_MODULUS 0.97

/* 1 ≤ filters ≤ BT_FOE_MOST_FILTERS, 2 ≤ size ≤ BT_FOE_LARGEST. Entries that need working memory and get none
 * return or fill NAN. */
BtRegularizer bt_foe(BtFoePotential potential, size_t filters, size_t size);

/* The filters c_k (taps less their mean) into taps[K][s][s] and the effective weights w_k and smoothings ν_k, each [K]
 * or NULL: what one looks at. */
void bt_foe_filters(const BtRegularizer *reg, const double *theta, double *taps, double *weights, double *smoothings);

#endif

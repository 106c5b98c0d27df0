/* hypergrad/charted.h: an oracle in the chart of a regularizer (regularizers/regularizer.h).
 *
 * Outer methods then move free parameters; the problem sees θ = T(free), f∘T has the hypergradient T'ᵀ∇f, and an error
 * of at most ω in ∇f is one of at most ‖T'‖ω. */
#ifndef BITUNE_HYPERGRAD_CHARTED_H
#define BITUNE_HYPERGRAD_CHARTED_H

#include "core/oracle.h"
#include "regularizers/regularizer.h"

typedef struct {
  BtOracle inner;
  const BtRegularizer *regularizer; /* borrowed             */
  double *theta;                    /* [parameters] T(free)  */
} BtCharted;

/* The oracle `inner` in the regularizer's chart; both, and `charted`, must outlive what is returned in *oracle. Where the
 * regularizer has no chart *oracle is `inner` itself. BT_ERR_MEMORY. */
BtStatus bt_charted_create(BtContext *ctx, const BtOracle *inner, const BtRegularizer *regularizer, BtCharted *charted,
                           BtOracle *oracle);
void bt_charted_clear(BtCharted *charted);

/* theta ← T(free), or a copy where there is no chart. */
void bt_chart_apply(const BtRegularizer *regularizer, const double *free_parameters, double *theta);

/* free ← T⁻¹(theta), or a copy; 0 where theta is outside the chart. */
int bt_chart_invert(const BtRegularizer *regularizer, const double *theta, double *free_parameters);

#endif

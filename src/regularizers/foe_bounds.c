#include "regularizers/foe_bounds_internal.h"

#include <math.h>

#include "regularizers/filter_spectrum.h"
#include "regularizers/foe_internal.h"

/* How often one pixel of n occurs in the symmetric extension that filters of s taps see. */
static double copies(size_t n, size_t s) { return n + 1 >= s ? 2 : ceil((double)(n + s - 1) / (double)n) + 1; }

void bt_foe_constants(const BtRegularizer *reg, BtShape shape, const double *theta, BtRegularizerConstants *k) {
  BtFoe foe;
  *k = (BtRegularizerConstants){.proof = BT_PROOF_NONE};
  if (bt_foe_open(reg, theta, &foe) < 0) return;
  const double multiple = copies(shape.height, reg->size) * copies(shape.width, reg->size);
  k->lipschitz = multiple * bt_filter_spectrum_bound(&foe.bank, foe.curvature);
  const double concave = bt_filter_spectrum_bound(&foe.bank, foe.concavity);
  k->convexity = reg->variant == BT_FOE_CONVEX ? 0 : -(reg->variant == BT_FOE_LOG ? multiple : 1) * concave;
  k->hessian_lipschitz = k->cross_lipschitz = k->cross_sum = (double)INFINITY;
  double sum = 0;
  for (size_t j = 0; j < reg->filters; j++) sum += foe.curvature[j];
  k->rounding = (reg->single ? 5.4e8 : 1) * 100 * sum;
  k->proof = isfinite(k->lipschitz) && isfinite(k->convexity) ? BT_PROVEN : BT_PROOF_NONE;
  bt_foe_clear(&foe);
}

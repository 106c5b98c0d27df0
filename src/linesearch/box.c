#include <math.h>

#include "linesearch/box_internal.h"

BtStatus bt_box_holds(BtContext *ctx, const double *lo, const double *hi, size_t p, const double *theta) {
  for (size_t j = 0; j < p; j++)
    if (!isfinite(theta[j]) || (lo && theta[j] < lo[j]) || (hi && theta[j] > hi[j]))
      return bt_fail(ctx, BT_ERR_ARG, "the start is outside the parameters' domain: theta[%zu] is %g", j,
                     theta[j]);
  return BT_OK;
}

/* linesearch/box_internal.h: the domain of parameters. */
#ifndef BITUNE_LINESEARCH_BOX_INTERNAL_H
#define BITUNE_LINESEARCH_BOX_INTERNAL_H

#include "core/context.h"

/* BT_ERR_ARG naming the first of theta[p] that is not finite or outside [lo, hi]; lo, hi [p], NULL: no bound. */
BtStatus bt_box_holds(BtContext *ctx, const double *lo, const double *hi, size_t p, const double *theta);

#endif

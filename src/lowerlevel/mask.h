/* lowerlevel/mask.h: A x = x at known pixels and 0 at the others, an orthogonal projection: inpainting. */
#ifndef BITUNE_LOWERLEVEL_MASK_H
#define BITUNE_LOWERLEVEL_MASK_H

#include "core/context.h"
#include "lowerlevel/operator.h"

/* known[shape], non-zero where a pixel is known, copied. BT_ERR_ARG if none is, BT_ERR_MEMORY. */
BtStatus bt_mask(BtContext *ctx, BtShape shape, const unsigned char *known, BtOperator *op);

#endif

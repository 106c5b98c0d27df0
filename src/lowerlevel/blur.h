/* lowerlevel/blur.h: A x = k ∗ x̃ for a known kernel k, x̃ the periodic or half-sample symmetric (…b a | a b
 * c…) extension of the image. Adjoints are exact, extension included. */
#ifndef BITUNE_LOWERLEVEL_BLUR_H
#define BITUNE_LOWERLEVEL_BLUR_H

#include "lowerlevel/operator.h"

/* taps[rows][columns], copied, with the middle at (rows/2, columns/2) (integer divisions; see
 * imageio/kernel.h); rows and columns at most the shape's, else BT_ERR_ARG naming both sizes. BT_ERR_MEMORY.
 */
BtStatus bt_blur(BtContext *ctx, BtShape shape, size_t rows, size_t columns, const double *taps,
                 BtBoundary boundary, BtOperator *op);

#endif

/* imageio/noise_level.h: the standard deviation of white Gaussian noise, estimated from one noisy image.
 *
 * Chen, Zhu, Heng 2015 (An efficient statistical method for image noise level estimation, ICCV): patches of a clean image
 * lie near a low-dimensional subspace, so that the smallest eigenvalues of the covariance of a noisy image's patches
 * scatter symmetrically about σ². The largest set of smallest eigenvalues whose mean does not exceed its median gives σ².
 * Planes of a colour image are taken in the orthonormal opponent basis, their eigenvalues together. */
#ifndef BITUNE_IMAGEIO_NOISE_LEVEL_H
#define BITUNE_IMAGEIO_NOISE_LEVEL_H

#include "imageio/image.h"

/* *sigma ← the estimate on the 0–255 scale, ≥ 0; 0 for an image without noise. The colour planes count, alpha does not.
 * It reads high where everything is texture, and low where noise was clipped at black or white or is correlated between
 * pixels. Errors: BT_ERR_ARG for an image of less than 16 pixels a side, BT_ERR_MEMORY, BT_ERR_NUMERIC. */
BtStatus bt_noise_level(BtContext *ctx, const BtImage *image, double *sigma);

#endif

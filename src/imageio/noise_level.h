/* imageio/noise_level.h: the standard deviation of white Gaussian noise, estimated from one noisy image.
 *
 * Liu, Tanaka, Okutomi 2013 (Single-image noise level estimation for blind denoising, IEEE Transactions on
 * Image Processing 22): patches of a clean image without much texture span few directions, so that the
 * smallest eigenvalue of the covariance of the weakly textured patches of a noisy image is σ². Which patches
 * are weakly textured depends on σ; a few iterations settle both. The planes of a colour image are taken in
 * the orthonormal opponent basis, their variances averaged. */
#ifndef BITUNE_IMAGEIO_NOISE_LEVEL_H
#define BITUNE_IMAGEIO_NOISE_LEVEL_H

#include "imageio/image.h"

/* *sigma ← the estimate on the 0–255 scale, ≥ 0; 0 for an image without noise. The colour planes count, alpha
 * does not. It reads high where all is texture, and low where much of the noise was clipped, differs
 * between pixels or is correlated between them; low too where there are few patches: of a flat image by 6 % at
 * 128 × 128 pixels, by 15 % at 48 × 48, by half at 24 × 24. Errors: BT_ERR_ARG for an image of less than 14
 * pixels a side, BT_ERR_MEMORY, BT_ERR_NUMERIC. */
BtStatus bt_noise_level(BtContext *ctx, const BtImage *image, double *sigma);

#endif

/* imageio/metrics.h: quality of a restored image against its reference; values on the [0,1] scale. */
#ifndef BITUNE_IMAGEIO_METRICS_H
#define BITUNE_IMAGEIO_METRICS_H

#include "imageio/image.h"

/* Mean squared difference of n values. */
double bt_mse(const double *a, const double *b, size_t n);

/* 10 log10(1/mse); infinite for equal images. */
double bt_psnr(double mse);

/* PSNR over all colour planes. BT_ERR_ARG if the sizes or the numbers of colours differ. */
BtStatus bt_image_psnr(BtContext *ctx, const BtImage *a, const BtImage *b, double *psnr);

/* Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004): Gaussian window of 11×11 with σ = 1.5, K1 =
 * .01, K2 = .03, population covariance, mean over the pixels whose window lies inside the image, then over
 * the colour planes. An image smaller than the window has *ssim = NAN. BT_ERR_ARG as above, BT_ERR_MEMORY. */
BtStatus bt_image_ssim(BtContext *ctx, const BtImage *a, const BtImage *b, double *ssim);

#endif

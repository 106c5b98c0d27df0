/* lowerlevel/denoiser.h: a learned model applied to whole images, colour and all. */
#ifndef BITUNE_LOWERLEVEL_DENOISER_H
#define BITUNE_LOWERLEVEL_DENOISER_H

#include "lowerlevel/planes.h"

/* A little less than what rounding to 8 bits does, (1/255)/√12; PSNR moves by a few thousandths of a dB at most. See
 * docs/benchmarks.md. */
#define BT_DENOISE_TOLERANCE 1e-3

typedef struct BtDenoiser BtDenoiser;

/* Borrows regularizer and theta. */
BtStatus bt_denoiser_create(BtContext *ctx, const BtRegularizer *regularizer, const double *theta,
                            const BtLowerSettings *settings, BtColor color, BtDenoiser **denoiser);
void bt_denoiser_destroy(BtDenoiser *denoiser);

/* Replaces the colour planes by their denoised versions, each solved to tolerance·√n. Returns as bt_solve_planes();
 * BT_ERR_ARG for values beyond ±1e9 times white. */
BtStatus bt_denoiser_apply(BtDenoiser *denoiser, BtContext *ctx, double tolerance, BtImage *image,
                           BtDenoised *result);

#endif

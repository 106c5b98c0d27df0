/* lowerlevel/restorer.h: deblurring and inpainting of whole images, colour and all, with a learned model. */
#ifndef BITUNE_LOWERLEVEL_RESTORER_H
#define BITUNE_LOWERLEVEL_RESTORER_H

#include "imageio/kernel.h"
#include "lowerlevel/denoiser.h"
#include "lowerlevel/torus.h"

/* Weight of the ridge: small against the data term, large enough that certificates mean something. */
#define BT_RESTORE_RIDGE 1e-4

/* How images were degraded and what is minimised; see lowerlevel/restoration.h. */
typedef struct {
  const BtKernel *kernel; /* the blur, borrowed; NULL: the image's mask is what is given    */
  BtBoundary boundary;
  double strength; /* λ: (σ/σ0)² for data of noise level σ and a model learned at σ0      */
  double ridge;    /* μ0                                                                 */
  BtColor color;
} BtRestorerSpec;

typedef struct BtRestorer BtRestorer;

/* Borrows regularizer, theta and kernel. */
BtStatus bt_restorer_create(BtContext *ctx, const BtRegularizer *regularizer, const double *theta,
                            const BtLowerSettings *settings, const BtRestorerSpec *spec,
                            BtRestorer **restorer);
void bt_restorer_destroy(BtRestorer *restorer);

/* Replaces the colour planes by their restored versions, each solved to tolerance·√n; alpha is kept.
 * known[height·width] is non-zero where a pixel is known, NULL with a kernel. The ridge's centre m is the
 * image itself, with a mask the mean of each plane's known pixels. Where no convexity is proven the gradient is
 * brought to tolerance·min(1, strength)·√n instead. Returns as bt_denoiser_apply(); BT_ERR_ARG
 * besides for a kernel larger than the image and a mask without a known pixel. */
BtStatus bt_restorer_apply(BtRestorer *restorer, BtContext *ctx, double tolerance, const unsigned char *known,
                           BtImage *image, BtDenoised *result);

#endif

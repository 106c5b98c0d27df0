/* lowerlevel/denoiser.h: a learned model applied to whole images, colour and all. */
#ifndef BITUNE_LOWERLEVEL_DENOISER_H
#define BITUNE_LOWERLEVEL_DENOISER_H

#include "imageio/image.h"
#include "lowerlevel/solve.h"

/* How the three planes of a colour image are treated; gray images are not concerned. */
typedef enum {
  BT_COLOR_OPPONENT, /* orthonormal luminance and chroma planes, each denoised     */
  BT_COLOR_CHANNELS  /* red, green and blue, each denoised                         */
} BtColor;

/* Tolerance that settles PSNR to well within 0.01 dB at every usual noise level; see docs/benchmarks.md. */
#define BT_DENOISE_TOLERANCE 1e-4

#define BT_COLOR_CHOICES "opponent|channels"

typedef struct {
  double bound;    /* per-pixel rms bound ‖x̃ − x̂‖/√n over all colour planes, [0,1] scale; infinite if proof is NONE */
  double gradient; /* per-pixel rms norm of the gradient at x̃, rounding allowance included */
  BtProof proof;   /* weakest of the planes                                               */
  int certified;   /* the bound is PROVEN and within what was asked for                   */
  int reached;     /* what was asked for was reached, proven or not; see bt_denoised_add()  */
  BtWork work;
} BtDenoised;

/* Adds the outcome of a plane that was solved to eps; bound and gradient add up as squares, to be divided by the number of
 * pixels. Without a convexity constant μ what was asked for is the gradient tolerance that stands in for εμ, ‖∇h‖ ≤ ε. */
static inline void bt_denoised_add(BtDenoised *result, const BtCertificate *cert, double eps) {
  result->bound += cert->bound * cert->bound;
  result->gradient += cert->grad_norm * cert->grad_norm;
  result->proof = bt_proof_weaker(result->proof, cert->proof);
  if (!(cert->mu > 0 ? cert->bound <= eps : cert->grad_norm <= eps)) result->reached = 0;
}

typedef struct BtDenoiser BtDenoiser;

/* Borrows regularizer and theta. */
BtStatus bt_denoiser_create(BtContext *ctx, const BtRegularizer *regularizer, const double *theta,
                            const BtLowerSettings *settings, BtColor color, BtDenoiser **denoiser);
void bt_denoiser_destroy(BtDenoiser *denoiser);

/* Replaces the colour planes by their denoised versions, each solved to tolerance·√n; alpha is kept. Returns BT_OK if
 * that was reached, by a proven bound or, for models without one, in the sense of result->reached; BT_NOT_CERTIFIED if not
 * (the image is the best found, `result` says how far), BT_STOPPED, or an error; on BT_STOPPED and
 * errors the image's content is undefined. BT_ERR_ARG for values beyond ±1e9 times white. */
BtStatus bt_denoiser_apply(BtDenoiser *denoiser, BtContext *ctx, double tolerance, BtImage *image,
                           BtDenoised *result);

#endif

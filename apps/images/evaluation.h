/* apps/images/evaluation.h: how well a model denoises a set of clean images, with noise made in memory. */
#ifndef BITUNE_APPS_EVALUATION_H
#define BITUNE_APPS_EVALUATION_H

#include "imageio/set.h"
#include "lowerlevel/denoiser.h"
#include "program/app.h"
#include "regularizers/regularizer.h"

typedef struct {
  const BtRegularizer *regularizer;
  const double *theta;
  double sigma, tolerance, white;
  int64_t seed;
  BtColor color;
  const BtLowerSettings *lower;
} BtEvaluation;

/* One image file; means over its pages. */
typedef struct {
  double psnr_noisy, psnr, ssim; /* dB, dB, 1; NAN where undefined                        */
  double bound;                  /* largest rms bound ‖x̃ − x̂‖/√n; infinite if proof is NONE */
  double gradient;               /* largest rms gradient norm                             */
  double proof, reached;         /* weakest BtProof of the pages; as in BtDenoised        */
  double seconds;
  double pages, certified, failed; /* certified and failed are 0 or 1                       */
  double gradients, hessian_products;
} BtEvaluated;

typedef struct {
  size_t images;    /* evaluated without error                                                */
  size_t with_ssim; /* of these, large enough for an SSIM; its mean is over them              */
  double psnr_noisy, psnr, ssim;
  int certified, reached; /* all images are */
  BtProof proof;          /* weakest of all */
} BtEvaluationMean;

/* Evaluates every file of the set; results[count] and the mean are the same on every rank. Collective.
 * Failing images are reported and left out. Returns BT_OK, BT_NOT_CERTIFIED, BT_STOPPED or an error of the
 * team. */
BtStatus bt_evaluate(BtApp *app, const BtEvaluation *evaluation, const BtImageSet *set, BtEvaluated *results,
                     BtEvaluationMean *mean);

#endif

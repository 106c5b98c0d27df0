/* apps/learn/validation.h: a glance at how a model that is being learned denoises a few images, every so often. */
#ifndef BITUNE_APPS_VALIDATION_H
#define BITUNE_APPS_VALIDATION_H

#include "imageio/image.h"
#include "lowerlevel/denoiser.h"
#include "program/app.h"

#define BT_MOST_VALIDATED 8

typedef struct {
  BtApp *app;
  int64_t every;       /* iterations between two glances                                      */
  size_t count;        /* images, the first pages of the first files                          */
  BtImage clean[BT_MOST_VALIDATED], noisy[BT_MOST_VALIDATED]; /* luminance, of own images      */
  double *theta;       /* [parameters] of the glance                                          */
  const BtRegularizer *regularizer; /* borrowed                                               */
  BtDenoiser *denoiser;
  double psnr;         /* dB, mean; NAN where the last iteration had none                     */
} BtValidation;

typedef struct {
  const char *folder; /* or a single file */
  double sigma, white;
  int64_t seed, every;
  const BtRegularizer *regularizer; /* borrowed */
  const BtLowerSettings *lower;
} BtValidationSpec;

/* Reads at most BT_MOST_VALIDATED images and adds the noise that bt_evaluate() would. Collective. */
BtStatus bt_validation_create(BtApp *app, const BtValidationSpec *spec, BtValidation *validation);
void bt_validation_clear(BtValidation *validation);

/* Observer (user: the BtValidation) that denoises them after every `every`-th outer iteration, its parameters
 * taken from the chart, and prints the mean PSNR;
 * collective. An image that fails makes the figure NAN. */
BtObserverFn bt_validation_event;

#endif

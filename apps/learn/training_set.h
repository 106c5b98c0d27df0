/* apps/learn/training_set.h: pairs of clean and noisy images to learn from, dealt over the team. */
#ifndef BITUNE_APPS_TRAINING_SET_H
#define BITUNE_APPS_TRAINING_SET_H

#include "imageio/set.h"
#include "lowerlevel/denoising.h"
#include "program/app.h"

typedef struct {
  const char *folder;            /* or a single file                                        */
  size_t limit;                  /* pages used at most, 0: all                              */
  size_t crop_height, crop_width; /* centred window, 0: whole images                         */
  double sigma, white;           /* noise on the 0–255 scale, 0: none; sample value of white */
  int64_t seed;
} BtTrainingSpec;

/* Every page of every file is an image; colour becomes luminance. */
typedef struct {
  size_t count;
  char **names;           /* [count] file names, "stack.tif#3" for pages of a stack, owned   */
  BtNoisyImage *noisy;    /* [count] shapes of all, pixels of this rank's own                */
  double **truth;         /* [count] clean pixels of this rank's own, owned                  */
  double fingerprint;     /* of names, shapes and pixels: equal for equal sets               */
} BtTrainingSet;

/* Reads the set. Images that cannot be read are reported and left out; BT_ERR_ARG if none remains. Collective. */
BtStatus bt_training_set_load(BtApp *app, const BtTrainingSpec *spec, BtTrainingSet *set);
void bt_training_set_clear(BtTrainingSet *set);

/* Frees the pixels of image i; its shape and name stay. */
void bt_training_set_drop_pixels(BtTrainingSet *set, size_t i);

#endif

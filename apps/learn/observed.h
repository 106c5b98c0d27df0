/* apps/learn/observed.h: training images seen through a known blur or with pixels missing. */
#ifndef BITUNE_APPS_OBSERVED_H
#define BITUNE_APPS_OBSERVED_H

#include "images/degradation.h"
#include "lowerlevel/denoising.h"
#include "lowerlevel/restoration.h"
#include "program/app.h"

/* What options say; nothing of it given: images are noisy and no more. */
typedef struct {
  BtDegradation degradation; /* blur or kernel, and boundary */
  double missing;            /* share of pixels, drawn at random */
  double ridge;              /* μ0, see lowerlevel/restoration.h */
} BtObserving;

/* --blur, --kernel, --boundary, --drop and --ridge. */
extern const BtOption bt_observing_options[];

int bt_observing(const BtObserving *set);
BtStatus bt_observing_check(BtContext *ctx, const BtObserving *set);

typedef struct {
  size_t count;
  BtNoisyImage *noisy;        /* [count], borrowed; pixels of own images become y = A x* + noise */
  double *const *truth;       /* [count] x*, borrowed                                            */
  BtOperator *operators;      /* [operator_count], owned                                         */
  size_t operator_count;
  BtObservation *observations; /* [count], owned                                                 */
  double **centres;           /* [count] of own masked images, owned                             */
  double *work;               /* [2 · largest image], owned                                      */
  double ridge;
  char text[120];             /* what A is, for a checkpoint to know: "" without              */
} BtObserved;

/* Operators for images of the shapes of noisy[count]. A blur serves all images of its shape; masks are those of (seed,
 * image). The noise in `noisy` is kept: call bt_observed_apply() once the pixels are there. Errors: BT_ERR_ARG for a kernel
 * larger than an image, BT_ERR_MEMORY, BT_ERR_IO. Not collective. */
BtStatus bt_observed_create(BtApp *app, const BtObserving *set, int64_t seed, size_t count, BtNoisyImage *noisy,
                            double *const *truth, BtObserved *observed);
void bt_observed_clear(BtObserved *observed);

/* noisy = x* + noise becomes A x* + noise. */
void bt_observed_apply(BtObserved *observed);

#endif

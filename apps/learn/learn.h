/* apps/learn/learn.h: what the files of `bitune learn` share. */
#ifndef BITUNE_APPS_LEARN_H
#define BITUNE_APPS_LEARN_H

#include "hypergrad/charted.h"
#include "learn/keeping.h"
#include "learn/method.h"
#include "learn/observed.h"
#include "learn/validation.h"
#include "learn/windows.h"
#include "program/app.h"
#include "regularizers/catalog.h"
#include "regularizers/model.h"

enum { BT_LEARN_PSNR, BT_LEARN_SQUARED };
enum { BT_LEARN_REGULAR, BT_LEARN_RANDOM };

/* The options. */
typedef struct {
  const char *train, *valid, *output, *crop, *start;
  int regularizer, variant, init, loss, method;
  double sigma, white;
  int64_t images, seed, filters, filter_size, crops, batch, valid_every;
  BtMethodSettings methods;
  BtLowerSettings lower;
  BtObserving observing;
  BtKeepingSettings keeping;
} BtLearn;

/* The method, "auto" resolved: ISGD for fields of experts, MAID for what has few parameters. */
BtMethodKind bt_learn_method(const BtLearn *set);

/* One run. */
typedef struct {
  BtLearn *set;
  BtModel model; /* theta: the start, then the result */
  double *lo, *hi; /* [parameters] domain of theta     */
  double *free;    /* [parameters] the start in the regularizer's chart, in which methods work */

  /* Images, or the windows that stand in for them. */
  BtTrainingSet training;
  BtPlanes planes;
  BtWindows windows;
  size_t images;              /* that were read            */
  size_t count;               /* of noisy and truth        */
  BtNoisyImage *noisy;        /* [count]                   */
  double **truth;             /* [count]                   */

  BtDenoising denoising;
  BtDenoisingTwin denoising_twin;
  BtObserved observed; /* with a blur or missing pixels */
  BtRestoration restoration;
  BtRestorationTwin restoration_twin;
  BtProblem problem;
  BtUpperLoss loss;
  BtBilevel *bilevel;
  BtCharted charted;
  BtOracle oracle; /* of free parameters */
  BtMethod method;
  BtKeeping keeping;
  BtValidation validation;
  json_t *identity;
} BtLearnRun;

/* learn_start.c: regularizer, start and domain. */
BtStatus bt_learn_regularizer(BtContext *ctx, const BtLearn *set, BtRegularizer *regularizer);
/* The start that --start and --init ask for, into theta[parameters]. */
BtStatus bt_learn_start(BtContext *ctx, const BtLearn *set, const BtRegularizer *regularizer, double *theta);
BtStatus bt_learn_model(BtContext *ctx, BtLearnRun *run);

/* learn_data.c: images, windows and the shape of the latter. Collective. */
BtStatus bt_learn_window(BtContext *ctx, const BtLearn *set, BtShape *window);
BtStatus bt_learn_data(BtApp *app, BtLearnRun *run);
/* A BtDraw (hypergrad/bilevel.h) on the BtLearnRun: the windows of step k, as they are observed. */
BtStatus bt_learn_draw(void *run, BtContext *ctx, int64_t k);

/* learn_result.c: judges, writes and reports the model; `hurried` (a stop request is there) leaves out what takes time.
 * Collective. */
BtStatus bt_learn_finish(BtApp *app, BtLearnRun *run, int hurried);

#endif

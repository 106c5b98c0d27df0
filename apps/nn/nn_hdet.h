/* apps/nn/nn_hdet.h: training by an ensemble: --hdet. */
#ifndef BITUNE_APPS_NN_HDET_H
#define BITUNE_APPS_NN_HDET_H

#include <jansson.h>

#include "nn/hdet_training.h"
#include "program/app.h"

/* The options. */
typedef struct {
  const char *hdet, *log;
  int64_t replicas, sync, vote_batches, search, trials;
  int controller, gradients, converge, fixed, schedule, trial;
  double rate, spread, hyper_spread, steer_from, settle, floor, sigma, beta, step, noise;
} BtNnHdet;

extern const BtOption bt_nn_hdet_options[];

/* Demands that the table cannot express. */
BtStatus bt_nn_hdet_check(BtApp *app, const BtNnHdet *set, const char *resume);
/* Whether the task has what --hdet names. */
BtStatus bt_nn_hdet_foresee(BtContext *ctx, const BtNnHdet *set, const NnTask *task);
/* Replicas to deal over processes; 0 where there is no ensemble, here or in the checkpoint to resume. */
size_t bt_nn_hdet_items(BtApp *app, const BtNnHdet *set, const char *resume);

typedef struct BtNnEnsemble BtNnEnsemble;

/* *ensemble becomes NULL where neither the options nor the checkpoint to resume (NULL: none) ask for one. The
 * training is loaded afterwards. */
BtStatus bt_nn_hdet_open(BtApp *app, const BtNnHdet *set, const char *resume, const char *checkpoint,
                         NnTraining *training, BtNnEnsemble **ensemble);
/* Opens the log, whose rows up to the training's present step are kept, and trains. */
BtStatus bt_nn_hdet_run(BtApp *app, BtNnEnsemble *ensemble);
/* What became of it, into the result. */
void bt_nn_hdet_report(BtApp *app, BtNnEnsemble *ensemble);
/* NULL is allowed. BT_ERR_IO if the log could not be written. */
BtStatus bt_nn_hdet_close(BtContext *ctx, BtNnEnsemble *ensemble);

/* nn_hdet_log.c: a row for each replica of each sync. */
typedef struct BtNnHdetLog BtNnHdetLog;

/* Rows up to sync number `from` are kept; 0 begins a new file. names[hypers] are copied. */
BtStatus bt_nn_hdet_log_open(BtContext *ctx, const char *path, const char *const *names, int hypers,
                             int64_t from, BtNnHdetLog **log);
void bt_nn_hdet_log_sync(BtNnHdetLog *log, const NnHdetSync *sync);
BtStatus bt_nn_hdet_log_close(BtContext *ctx, BtNnHdetLog *log);

#endif

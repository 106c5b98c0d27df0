/* nn/train_internal.h: a training's state, shared by its files. */
#ifndef BITUNE_NN_TRAIN_INTERNAL_H
#define BITUNE_NN_TRAIN_INTERNAL_H

#include "nn/loader.h"
#include "nn/train.h"

enum { NN_BEST_GROUPS = NN_GROUPS };

/* Whole numbers of a checkpoint. */
typedef struct {
  int64_t epoch, index; /* whole epochs; batches of the present one                    */
  int64_t step, tuned;  /* training and validation steps                               */
  int64_t best_epoch;
  int64_t epochs_seen; /* entries of the history of validation losses                 */
  int64_t triggered;   /* epoch at which the non-monotone trigger came last           */
} NnCounters;

/* Real numbers of a checkpoint. */
typedef struct {
  double loss_sum;              /* of the training steps of the present epoch                     */
  double train_loss;            /* mean over the last whole one                                   */
  double multiplier;            /* of the step size, by the trigger                               */
  double seconds, step_seconds; /* of everything; of steps alone                       */
  double valid[2], test[2], best_valid[2], best_test[2]; /* loss, accuracy             */
} NnFigures;

/* What another part adds to a training's checkpoints: an entry of the metadata, and tensors. */
typedef struct {
  const char *key, *text;
  BtStatus (*declare)(BtContext *ctx, void *user, BtTensorWriter *writer);
  BtStatus (*append)(BtContext *ctx, void *user, BtTensorWriter *writer);
  BtStatus (*load)(BtContext *ctx, void *user, BtTensorReader *reader);
  void *user;
} NnTrainExtra;

struct NnTraining {
  const NnTask *task;
  NnTrainOptions o;
  const NnData *data;
  NnModel *model;
  NnTuner *tuner;
  NnTunerTraits traits;
  NnLoader *train, *tune, *score[NN_SPLITS]; /* NULL where there is no such split      */
  int64_t batches, epochs;
  NnSchedule rate, response_rate, tuning_rate;
  NnCounters count;
  int64_t left_out; /* of count.step: batches passed over by an ensemble, see hdet_training.c */
  NnFigures figures;
  double *history; /* [history_room] validation losses by epoch                        */
  size_t history_room;
  /* Recurrent states before the next batch, on the backend: [states] of training, of validation steps and,
   * with as many rows as an evaluation has, of that. */
  NnReal *train_state, *tune_state, *score_state;
  size_t states;                    /* 0: none                                               */
  NnReal *saved_state;              /* [2 × states] of the first two, for a checkpoint      */
  NnReal *best[NN_BEST_GROUPS];     /* values of all groups in the best epoch          */
  double *hyper, *scales, *best_hyper; /* [hyperparameters]                            */
  NnReal *scratch;                  /* of evaluation                                   */
  size_t scratch_room;
  int64_t read_every, unread; /* training steps between readings of losses; since the last */
  double tuning_loss;         /* of the last validation step that was read                  */
  const NnTrainExtra *extra; /* borrowed, or NULL */
  size_t replayed; /* rows of the replay that have been reached       */
  double deadline; /* monotonic clock, INFINITY: none                 */
  int time_up;
  int saved; /* the checkpoint has been written by this run     */
  int claim; /* of the checkpoint, see core/file.h              */
};

/* train_work.c: the number of epochs, by the options' epochs or work, once the loaders are there. BT_ERR_ARG. */
BtStatus nn_training_plan(BtContext *ctx, NnTraining *t);
/* Training steps that have been computed. */
int64_t nn_training_taken(const NnTraining *t);
/* The gradients that so many training and validation steps have computed. */
int64_t nn_training_work(const NnTraining *t, int64_t steps, int64_t tuned);
/* Whether validation steps follow the training step of this number, the first being 1. */
int nn_training_tunes(const NnTraining *t, int64_t step);

/* train_score.c: evaluates after an epoch; then, in the next one, history, trigger and the best so far. */
BtStatus nn_training_score(BtContext *ctx, NnTraining *t);
BtStatus nn_training_judge(BtContext *ctx, NnTraining *t, int *best);
BtStatus nn_training_keep_best(BtContext *ctx, NnTraining *t);

/* To and from saved_state. */
BtStatus nn_training_fetch_states(BtContext *ctx, NnTraining *t);
BtStatus nn_training_put_states(BtContext *ctx, NnTraining *t);

/* Room for one more epoch's validation loss. */
BtStatus nn_training_reserve(BtContext *ctx, NnTraining *t, int64_t entries);

#endif

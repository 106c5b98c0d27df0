/* nn/hdet_training.h: a task trained by an ensemble (nn/hdet.h).
 *
 * Of the N·S batches that N replicas take in S steps, none comes twice in an epoch: batch number step·N +
 * replica of the run is batch (number mod batches) of epoch (number / batches), as in training with N times
 * the batch. Epochs, steps, work and results of the training (nn/train.h) count these batches; S is
 * epochs·batches/N, rounded down; batches beyond N·S are neither computed nor told as steps and work. Of a
 * text each replica reads a stretch of its own, batches/N windows; recurrent states go from window to window,
 * and start from zero after each sync. */
#ifndef BITUNE_NN_HDET_TRAINING_H
#define BITUNE_NN_HDET_TRAINING_H

#include "nn/hdet.h"
#include "nn/train.h"

/* What is spread: "lr", "momentum", "weight-decay" (of the optimizer), or one of the task's hyperparameters,
 * in the coordinate λ of nn/hyper.h. */
typedef struct {
  const char *name;
  double spread; /* α, see nn/hdet_rule.h; weight-decay: logarithm, momentum: logit */
  int steered;
  NnSpread space; /* of lr: MULTIPLE or LOG */
} NnHdetChoice;

typedef struct {
  NnHdetOptions ensemble; /* all but total, hypers, hyper, judge, observe and user; a schedule whose `total`
                             is 0 is the task's */
  int choices;            /* entries of choice; without lr among them, it follows the schedule unspread  */
  NnHdetChoice choice[NN_HDET_MAX_HYPERS];
  int vote_batches; /* batches of validation data (training data where there are none) that judge replicas or
                       mixtures, the same for all in a sync; 0: the mean training loss                   */
  const char *checkpoint;  /* replaced after each epoch and at a stop, by rank 0; NULL: none              */
  const char *description; /* text that the checkpoint keeps for who resumes it, see nn_hdet_description */
  void (*observe)(void *user, const NnHdetSync *sync); /* may be NULL; values in their ranges */
  void *user;
} NnHdetTrainingOptions;

/* What the training is to an ensemble: steps of each replica, rate and seed of its task. */
typedef struct {
  int64_t steps;
  double rate;
  uint64_t seed;
} NnHdetPlan;
NnHdetPlan nn_hdet_plan(const NnTraining *training, int replicas);

/* Whether the task has what the choices name, each once: BT_ERR_ARG as of nn_hdet_training_create. */
BtStatus nn_hdet_choices_check(BtContext *ctx, const NnHdetTrainingOptions *options, const NnTask *task);

typedef struct NnHdetTraining NnHdetTraining;

/* The training (tuner none, not started; loaded from a checkpoint afterwards, if at all), the team and the
 * options' texts are borrowed. Errors: BT_ERR_ARG (choices, options of the ensemble). */
BtStatus nn_hdet_training_create(BtContext *ctx, const NnHdetTrainingOptions *options, NnTraining *training,
                                 BtTeam *team, NnHdetTraining **ensemble);
/* NULL is allowed. Before its training. */
void nn_hdet_training_destroy(NnHdetTraining *ensemble);

/* To the end. Events, scores and checkpoints are rank 0's. Outcomes as nn_training_run, the same on all
 * ranks; BT_ERR_TEAM and BT_ERR_NUMERIC name the last checkpoint. */
BtStatus nn_hdet_training_run(BtContext *ctx, NnHdetTraining *ensemble);

/* What this process spent on steps and what lies between them (nn_hdet_seconds), without scores and
 * checkpoints. */
double nn_hdet_training_seconds(const NnHdetTraining *ensemble);
NnHdet *nn_hdet_training_hdet(NnHdetTraining *ensemble);
/* Hyperparameters of the ensemble, the name and the present base value (in its range) of one. */
int nn_hdet_training_hypers(const NnHdetTraining *ensemble);
double nn_hdet_training_base(const NnHdetTraining *ensemble, int hyper);
const char *nn_hdet_training_name(const NnHdetTraining *ensemble, int hyper);

/* The description in a checkpoint; "" if it is of no ensemble. *text: free(). */
BtStatus nn_hdet_description(BtContext *ctx, const char *path, char **text);

#endif

/* nn/train.h: the training of a network, with or without tuning of its hyperparameters.
 *
 *   task, data, backend → nn_training_create → nn_training_run → nn_training_result → nn_training_destroy
 *
 * There is no global state: any number of trainings may live in one process, one after the other or, each on
 * a backend of its own, at once. A run can be cut into pieces of epochs, saved between any two steps and
 * resumed; what follows is the same bit for bit as without a break, on the same backend. */
#ifndef BITUNE_NN_TRAIN_H
#define BITUNE_NN_TRAIN_H

#include "nn/task.h"
#include "nn/tuner.h"

/* Gradients that a run can be planned to take: up to here doubles, in which work is planned and told, hold
 * all whole numbers. */
#define NN_MOST_WORK 0x1p53

/* Hyperparameters over steps, as an earlier run found them. */
typedef struct {
  size_t rows;
  const int64_t *step;  /* [rows] ascending: values that hold from this training step on              */
  const double *values; /* [rows × hyperparameters]                                                    */
} NnReplay;

typedef struct {
  NnTunerKind tuner;
  uint64_t seed;          /* of initial weights, order, masks, perturbations                         */
  int64_t epochs;         /* planned in all; 0: the task's                                           */
  int64_t work;           /* 0: no limit. Otherwise as many epochs are planned as take this work or less
                             (see NnTrainResult), at most `epochs` if that is given; more than
                             NN_MOST_WORK counts as that                                               */
  double max_seconds;     /* of this process; 0: no limit                                            */
  int threads;            /* that prefetch batches, see nn/loader.h                                  */
  const double *initial;  /* [hyperparameters] values at the start; NULL: the task's                 */
  const NnReplay *replay; /* for NN_TUNER_NONE; NULL: hyperparameters stay                           */
  int64_t read_every; /* training steps from one reading of their losses, a wait for a device, to the next, at
                         most NN_TUNER_STEPS; 0: 1 on the CPU, 16 elsewhere. Losses, and what is told of a
                         run that diverges, come as late. */
  const char *checkpoint; /* file that is replaced after each epoch and at a stop; NULL: none        */
  int temporary;          /* the caller removes the checkpoint after an error, whose text does not name it */
} NnTrainOptions;

/* Cross-entropy, or mean squared error; accuracy NAN where labels are numbers or words. Perplexity is
 * exp(loss). NAN where there is no such split. */
typedef struct {
  double loss, accuracy;
} NnScore;

typedef struct {
  int64_t epoch, step; /* whole epochs and training steps done                                      */
  int64_t tuned;       /* validation steps done                                                     */
  int64_t work;        /* gradients of single examples (words of text) computed: one of each in a training
                          step, two where a response step follows (cstn, dstn), one in a validation step.
                          Forward runs that score epochs or replicas are not counted.               */
  NnScore valid, test; /* after the last whole epoch                                                */
  int64_t best_epoch;  /* of the least validation loss; 0: none yet                                 */
  NnScore best_valid, best_test;
  double train_loss;          /* mean over the last epoch, or the present one so far                       */
  double rate;                /* step size of the weights                                                  */
  double seconds;             /* earlier parts of a resumed run included                                   */
  double examples_per_second; /* training examples (words of text) by the time of all steps                 */
  int time_up;                /* max_seconds ended the run                                                 */
  int saved;                  /* this run has written its checkpoint                                       */
  int64_t replayed;           /* steps of this process that were started as one, see nn/recorder.h         */
} NnTrainResult;

typedef struct NnTraining NnTraining;

/* What a model has to know of its data, whose statistics are borrowed. */
NnProblem nn_problem(const NnDataInfo *info);

/* The work of the first epoch, NN_MOST_WORK at most; of info, rows, text, x and label count. BT_ERR_ARG:
 * fewer rows than a batch. */
BtStatus nn_epoch_work(BtContext *ctx, const NnTask *task, NnTunerKind tuner, const NnDataInfo *info,
                       int64_t *work);

/* All but the options is borrowed and must outlive the training; the replay and `initial` for this call and
 * that of nn_training_run. Errors: BT_ERR_ARG (a tuner without hyperparameters or validation data, values
 * outside of their ranges, work that is less than an epoch's, epochs that take more than NN_MOST_WORK),
 * BT_ERR_FORMAT (the task's model), BT_ERR_MEMORY with the size that was needed. */
BtStatus nn_training_create(BtContext *ctx, const NnTask *task, const NnTrainOptions *options,
                            const NnData *data, NnBackend *backend, NnTraining **training);
/* NULL is allowed. */
void nn_training_destroy(NnTraining *training);

/* Goes on to the end of epoch `until` (0: of all). Emits BT_EVENT_TRAINING. BT_STOPPED if an observer or the
 * stop flag asked for it, BT_MAX_ITERS if max_seconds are over: the checkpoint holds the place.
 * BT_ERR_NUMERIC where a loss or gradient is not finite: the text names step, tensor and the last checkpoint,
 * unless that is temporary. */
BtStatus nn_training_run(BtContext *ctx, NnTraining *training, int64_t until);

NnTrainResult nn_training_result(const NnTraining *training);
NnModel *nn_training_model(NnTraining *training);

/* Present values of the hyperparameters in their ranges and, if scales is not NULL, of softplus(s); discrete
 * ones before they are floored. */
BtStatus nn_training_hyper(BtContext *ctx, const NnTraining *training, double *values, double *scales);
/* Their values in the epoch of the least validation loss; false if there was none. */
int nn_training_best_hyper(const NnTraining *training, double *values);

/* Loss and accuracy of the present weights on a split. */
BtStatus nn_training_evaluate(BtContext *ctx, NnTraining *training, NnSplit split, NnScore *score);

/* Puts the weights and hyperparameters of the best epoch in place of the present ones; for what comes after a
 * training. BT_ERR_ARG if there was none. */
BtStatus nn_training_use_best(BtContext *ctx, NnTraining *training);

/* train_checkpoint.c: a safetensors file with parameters, optimizers, counters, recurrent states, the best
 * epoch's parameters and, as metadata, the task's JSON. Loading checks that task, tuner and seed are those of
 * the training. */
BtStatus nn_training_save(BtContext *ctx, NnTraining *training, const char *path);
BtStatus nn_training_load(BtContext *ctx, NnTraining *training, const char *path);
/* Before anything is computed, after a checkpoint was loaded: whether the options' checkpoint can be written.
 * BT_ERR_IO where it cannot, or where another process is writing it. */
BtStatus nn_training_claim(BtContext *ctx, NnTraining *training);

/* What a checkpoint says of its run; task: free with nn_task_free. */
typedef struct {
  NnTask *task;
  NnTunerKind tuner;
  uint64_t seed;
  int64_t epochs;
} NnCheckpointInfo;
BtStatus nn_checkpoint_read(BtContext *ctx, const char *path, NnCheckpointInfo *info);

#endif

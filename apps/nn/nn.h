/* apps/nn/nn.h: what the files of `bitune nn` share. */
#ifndef BITUNE_APPS_NN_H
#define BITUNE_APPS_NN_H

#include "core/json.h"
#include "nn/nn_hdet.h"
#include "nn/train.h"
#include "program/app.h"
#include "program/keeping_options.h"

/* Options of `nn search` alone. */
typedef struct {
  const char *output;
  int method, space;
  int64_t trials, halving, least_epochs, grid_points;
  double width;
} BtNnSearchOptions;
extern const BtOption bt_nn_search_options[];

/* The options. */
typedef struct {
  const char *task, *data, *device, *schedule, *replay;
  int tuner, print_task, last;
  int64_t epochs, work, seed, threads;
  BtKeepingSettings keeping;
  BtNnHdet ensemble;
  BtNnSearchOptions search;
} BtNn;

/* nn_log.c: rows of a training as CSV files that survive a kill at any moment. */
typedef struct BtNnLog BtNnLog;

typedef enum {
  BT_NN_EPOCHS,  /* a row for each epoch: epoch, step, rate, train_loss, valid_loss, test_loss, accuracies or
                    perplexities, best, seconds, work, hyperparameters and, where a tuner perturbs them, the
                    deviation of each one's perturbation as scale(NAME)                                */
  BT_NN_SCHEDULE /* a row for each change of the hyperparameters: step, epoch, tuning_loss, hyperparameters */
} BtNnLogKind;

typedef struct {
  BtNnLogKind kind;
  const NnHyperSet *hyper; /* borrowed until the log is closed                                             */
  int text;                /* words: perplexities; else labels are classes: accuracies                     */
  int scales;              /* EPOCHS: perturbations have columns                                           */
} BtNnLogOptions;

/* resume_step < 0 replaces the file; otherwise rows up to that training step are kept, and scales are left out
 * where the file has no columns for them. */
BtStatus bt_nn_log_open(BtContext *ctx, const char *path, const BtNnLogOptions *options, int64_t resume_step,
                        BtNnLog **log);
/* Observer (user: the BtNnLog). */
BtObserverFn bt_nn_log_event;
/* Closes and frees (NULL is allowed). BT_ERR_IO if a row could not be written. */
BtStatus bt_nn_log_close(BtContext *ctx, BtNnLog *log);

/* A schedule to replay. BT_ERR_FORMAT where a hyperparameter has no column or a cell no number. */
typedef struct {
  NnReplay replay;
  int64_t *step;
  double *values;
} BtNnSchedule;
BtStatus bt_nn_schedule_read(BtContext *ctx, const char *path, const NnHyperSet *hyper,
                             BtNnSchedule *schedule);
void bt_nn_schedule_clear(BtNnSchedule *schedule);

/* nn_session.c: backend and data of a task. */
typedef struct {
  NnTask *task; /* owned */
  NnData *data;
  NnBackend *backend;
} BtNnSession;

/* The task's data at --data with the seed of their split, on --device. The session owns the task, from here
 * on even after an error, or BT_STOPPED without data: clear it. */
BtStatus bt_nn_session_open(BtApp *app, const BtNn *set, NnTask *task, BtNnSession *session);
/* Rows and text of the task's data at --data (see nn_data_foresee), read only where they must be. */
BtStatus bt_nn_session_foresee(BtContext *ctx, const BtNn *set, const NnTask *task, NnDataInfo *info);
void bt_nn_session_clear(BtNnSession *session);
int bt_nn_threads(const BtNn *set);

/* {name: value}, discrete ones floored. New reference. */
json_t *bt_nn_hyper_json(const NnHyperSet *hyper, const double *values);

/* nn_score.c: "SPLIT_loss" and accuracy, perplexity or PSNR in the result; the same for people. */
void bt_nn_score_put(BtApp *app, const BtNnSession *session, const char *split, NnScore score);
void bt_nn_score_print(BtApp *app, const BtNnSession *session, const char *split, NnScore score);

/* What the words after `bitune nn` do. */
BtStatus bt_nn_train(BtApp *app, const BtNn *set);
BtStatus bt_nn_eval(BtApp *app, const BtNn *set);
BtStatus bt_nn_check(BtApp *app, const BtNn *set);

/* nn_foresee.c: what can be told of a training, or of a search, before it begins: that the budget is too
 * small, or the task lacks what is asked for. For BtCompareForm.check; settings: the BtNn. */
BtStatus bt_nn_train_foresee(BtContext *ctx, const void *settings, json_t *known);
BtStatus bt_nn_search_foresee(BtContext *ctx, const void *settings, json_t *known);

/* nn_search.c: searches over complete trainings. Collective. */
BtStatus bt_nn_search(BtApp *app, const BtNn *set);
/* Demands on its options; processes that can share the work. */
BtStatus bt_nn_search_check(BtApp *app, const BtNn *set);
size_t bt_nn_search_items(const BtNn *set);
/* Whether the task has hyperparameters and the options allow a grid of them and, if the work of an epoch is
 * not 0, an epoch of all trials. */
BtStatus bt_nn_search_plan(BtContext *ctx, const BtNn *set, NnTask *task, int64_t epoch_work);

#endif

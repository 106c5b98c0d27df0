/* nn/task.h: everything that a training consists of, in one JSON file: data, network, hyperparameters,
 * optimizers, tuning. The built-in tasks are such files (src/nn/tasks). */
#ifndef BITUNE_NN_TASK_H
#define BITUNE_NN_TASK_H

#include "nn/data.h"
#include "nn/hyper.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"

/* How the step size goes on: a schedule whose milestones and length are epochs, or the non-monotone trigger
 * (arXiv:1708.02182): times `factor` after an epoch whose validation loss exceeds the least of those that lie
 * more than `patience` epochs before it. */
typedef struct {
  NnSchedule schedule; /* milestones in epochs, total not set */
  int trigger;         /* the schedule is constant then       */
  double factor;
  int64_t patience;
} NnStepRule;

/* The rule in steps. */
NnSchedule nn_step_rule_schedule(const NnStepRule *rule, int64_t steps_per_epoch, int64_t epochs);

typedef struct {
  NnOptimizerOptions options;
  NnStepRule rule;
} NnDescent;

typedef struct {
  json_t *json;       /* owned: the whole description; texts are borrowed from it                        */
  char *file;         /* owned: its name in errors                                                       */
  NnDataOptions data; /* without path and seed                                                         */
  const json_t *model;
  NnHyperSet hyper;
  int64_t batch, eval_batch, epochs;
  NnDescent weights, response, tuning;
  int64_t train_steps, valid_steps;      /* of each kind in turn                                            */
  int64_t warm_up_epochs, warm_up_steps; /* without validation steps: the longer of both               */
  double entropy; /* τ                                                                               */
  int fixed_scales;
} NnTask;

/* A built-in task's name or a path. Errors: BT_ERR_IO, BT_ERR_FORMAT naming file, place and cause. */
BtStatus nn_task_load(BtContext *ctx, const char *name, NnTask **task);
/* From JSON (a new reference is taken); `file` names it in errors. */
BtStatus nn_task_parse(BtContext *ctx, const char *file, json_t *json, NnTask **task);
/* NULL is allowed. */
void nn_task_free(NnTask *task);

/* Names of the built-in tasks in order; NULL beyond the last. */
const char *nn_task_name(size_t i);
/* Text of a built-in task, [*size] bytes; NULL if there is none. */
const char *nn_task_text(const char *name, size_t *size);

#endif

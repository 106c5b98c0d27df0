/* nn/schedule.h: step sizes over the course of a training. */
#ifndef BITUNE_NN_SCHEDULE_H
#define BITUNE_NN_SCHEDULE_H

#include <stdint.h>

#include "core/context.h"

typedef enum {
  NN_SCHEDULE_CONSTANT,
  NN_SCHEDULE_STEP,   /* times `factor` at each of the milestones   */
  NN_SCHEDULE_COSINE, /* from rate to floor along half a cosine over `total` steps (SGDR, arXiv:1608.03983) */
  NN_SCHEDULE_ONE_CYCLE /* from rate/initial_divisor up to rate over warm_up·total steps, then down to
                           rate/initial_divisor/final_divisor, both along half a cosine (arXiv:1708.07120) */
} NnScheduleKind;

#define NN_MAX_MILESTONES 16

typedef struct {
  NnScheduleKind kind;
  double rate;
  int64_t total; /* cosine, one-cycle: steps of the training, 1 or more                */
  double factor; /* step                                                               */
  int milestone_count;
  int64_t milestone[NN_MAX_MILESTONES]; /* step: ascending */
  double floor; /* cosine: the last rate                                              */
  double warm_up, initial_divisor, final_divisor; /* one-cycle; usual: 0.3, 25, 1e4 */
} NnSchedule;

/* BT_ERR_ARG with the field that is outside its range. */
BtStatus nn_schedule_check(BtContext *ctx, const NnSchedule *s);

/* Step size of step 0, 1, …; after the last step that of the last. */
double nn_schedule_rate(const NnSchedule *s, int64_t step);

#endif

/* apps/program/progress.h: one line on the terminal that tells how far a run is. */
#ifndef BITUNE_APPS_PROGRESS_H
#define BITUNE_APPS_PROGRESS_H

#include "core/event.h"

typedef struct {
  int enabled;              /* stderr is a terminal and nobody asked for quiet     */
  int shown;                /* a line is on the screen                             */
  int has_outer, has_progress, has_training;
  double last_draw;         /* monotonic clock, seconds                            */
  double progress_start;    /* when the present unit began                         */
  double progress_first;    /* its `done` then                                     */
  double outer_start;       /* when the first outer iteration or step was told     */
  int64_t outer_first;      /* its number                                          */
  BtProgressEvent progress; /* latest                                              */
  BtOuterEvent outer;       /* latest; theta is not kept                           */
  BtTrainingEvent training; /* latest; hyperparameters are not kept                */
  double valid_loss;        /* of the last epoch, NAN before                       */
} BtProgress;

void bt_progress_init(BtProgress *progress, int enabled);

/* Observer of BT_EVENT_PROGRESS (bar with percent, done/total and time left) and BT_EVENT_OUTER (loss with
 * its bounds, or of a stochastic method its moving average and the time left; accuracies, work) and BT_EVENT_TRAINING (losses, time left); draws at most ten
 * times a second. */
BtObserverFn bt_progress_event;

/* Takes the line off the screen, so that other text can be printed. */
void bt_progress_clear(BtProgress *progress);

#endif

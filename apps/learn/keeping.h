/* apps/learn/keeping.h: what a learning run keeps while it goes on: its log, its checkpoint, its time. */
#ifndef BITUNE_APPS_KEEPING_H
#define BITUNE_APPS_KEEPING_H

#include "learn/checkpoint.h"
#include "learn/log.h"
#include "program/keeping_options.h"
#include "program/time_limit.h"

typedef struct {
  const BtKeepingSettings *set;
  BtLog *log; /* rank 0 */
  BtCheckpoint checkpoint;
  BtTimeLimit limit;
} BtKeeping;

/* Attaches log, checkpoint and time limit, in this order, to a run about to start or, with --resume, that has been
 * brought to the checkpoint's state. `run` says what checkpoints hold (its path is filled in here), `log` what the log
 * holds; both are copied. `keeping` must stay where it is until the run's end. Collective. */
BtStatus bt_keeping_attach(BtApp *app, const BtKeepingSettings *set, const BtCheckpoint *run,
                           const BtLogSpec *log, BtKeeping *keeping);

/* For a run that has returned BT_STOPPED: 1, on every rank, if its time is used up and it has a model to give, 0 if it
 * was interrupted. Writes the checkpoint where the method's state is one that a run can go on from: between two
 * iterations, or, `always`, wherever it is. Collective. */
int bt_keeping_stopped(BtKeeping *keeping, int always);

/* Warns that the run was stopped, and tells how to go on with it. */
void bt_keeping_tell(const BtKeeping *keeping);

/* Ends the time limit and closes the log. BT_ERR_IO if a row of it could not be written. */
BtStatus bt_keeping_close(BtContext *ctx, BtKeeping *keeping);

#endif

/* apps/program/time_limit.h: the end of a learning run after so many seconds.
 *
 * From the deadline on every loop is asked to stop, in the middle of an iteration, too; the method then has the model
 * of the iteration before to give. */
#ifndef BITUNE_APPS_TIME_LIMIT_H
#define BITUNE_APPS_TIME_LIMIT_H

#include "program/app.h"

typedef struct {
  BtApp *app;
  double deadline; /* bt_app_clock()                                                                 */
  int between;     /* the run has ended between two iterations, at a state that a checkpoint can hold */
  int reached;     /* what bt_time_limit_lift() found                                                */
} BtTimeLimit;

/* Sets the deadline, `seconds` from now; 0: none. BT_ERR_ARG where no observer can be added. */
BtStatus bt_time_limit_set(BtApp *app, double seconds, BtTimeLimit *limit);

/* After the run: lifts the deadline, so that what follows is not stopped by it. Returns 1, on every rank, if it was the
 * deadline, not an interruption, that ended a run which has returned BT_STOPPED. Collective. */
int bt_time_limit_lift(BtTimeLimit *limit);

#endif

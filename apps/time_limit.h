/* apps/time_limit.h: an observer that ends a run after so many seconds, on all ranks at the same iteration. */
#ifndef BITUNE_APPS_TIME_LIMIT_H
#define BITUNE_APPS_TIME_LIMIT_H

#include "app.h"

typedef struct {
  BtApp *app;
  double deadline; /* bt_app_clock() */
  int reached;     /* the same on every rank */
} BtTimeLimit;

/* Observer (user: the BtTimeLimit) of BT_EVENT_OUTER; collective. */
BtObserverFn bt_time_limit_event;

#endif

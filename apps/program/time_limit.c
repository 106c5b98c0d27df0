#include "program/time_limit.h"

/* Observer: between iterations all ranks follow the clock of rank 0, so that they end at the same one. */
static int watch(void *user, const BtEvent *event) {
  BtTimeLimit *limit = user;
  BtApp *app = limit->app;
  if (event->type != BT_EVENT_OUTER) return 0;
  double late = app->team.rank == 0 && bt_app_clock() >= limit->deadline;
  if (app->team.sum(&app->team, &app->ctx, &late, 1) < 0) return 0;
  limit->between = late > 0;
  return limit->between;
}

BtStatus bt_time_limit_set(BtApp *app, double seconds, BtTimeLimit *limit) {
  *limit = (BtTimeLimit){.app = app};
  if (!(seconds > 0)) return BT_OK;
  limit->deadline = app->ctx.stop.deadline = bt_app_clock() + seconds;
  return bt_context_observe(&app->ctx, watch, limit);
}

int bt_time_limit_lift(BtTimeLimit *limit) {
  BtApp *app = limit->app;
  if (!(limit->deadline > 0)) return 0;
  app->ctx.stop.deadline = 0;
  double counts[] = {bt_stop_requested(&app->ctx), bt_app_clock() >= limit->deadline};
  if (app->team.sum(&app->team, &app->ctx, counts, 2) < 0) return 0;
  limit->reached = counts[0] == 0 && counts[1] > 0;
  return limit->reached;
}

#include "time_limit.h"

int bt_time_limit_event(void *user, const BtEvent *event) {
  BtTimeLimit *limit = user;
  BtApp *app = limit->app;
  if (event->type != BT_EVENT_OUTER) return 0;
  double late = app->team.rank == 0 && bt_app_clock() >= limit->deadline;
  if (app->team.sum(&app->team, &app->ctx, &late, 1) < 0) return 0;
  limit->reached = late > 0;
  return limit->reached;
}

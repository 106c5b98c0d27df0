#include <stdlib.h>

#include "program/app.h"

typedef struct {
  const char *unit;
  const char *const *names;
  size_t count;
  double *failed; /* [count + 1], 1 where this rank's item failed, last the number of items finished */
} Items;

/* Other ranks advance alike, so this rank's share stands for all. */
static BtStatus tell_progress(BtApp *app, const Items *items, size_t own_done) {
  double done = (double)own_done * app->team.size;
  if (done > (double)items->count) done = (double)items->count;
  const BtProgressEvent progress = {items->unit, done, (double)items->count};
  return bt_emit(&app->ctx, &(BtEvent){.type = BT_EVENT_PROGRESS, .as.progress = progress});
}

/* This rank's share. */
static BtStatus work_through(BtApp *app, const Items *items, BtAppWork *work, void *user) {
  BtStatus worst = BT_OK;
  size_t done = 0;
  for (size_t i = 0; i < items->count; i++) {
    if (!bt_team_owns(&app->team, i)) continue;
    if (tell_progress(app, items, done) == BT_STOPPED || bt_stop_requested(&app->ctx)) return BT_STOPPED;
    const BtStatus st = work(user, app, i);
    if (st == BT_STOPPED) return st;
    if (st > worst) worst = st;
    items->failed[items->count] += st >= 0;
    if (st < 0) {
      bt_app_complain(app, *app->ctx.error ? app->ctx.error : bt_status_name(st));
      items->failed[i] = 1;
    }
    done++;
  }
  (void)tell_progress(app, items, done);
  return worst;
}

static void list_failures(BtApp *app, const Items *items, unsigned char *failed) {
  app->done = (size_t)items->failed[items->count];
  json_t *list = json_object_get(app->result, "failed");
  if (!list) bt_app_put(app, "failed", list = json_array());
  for (size_t i = 0; i < items->count; i++) {
    const int lost = items->failed[i] != 0;
    if (failed) failed[i] = (unsigned char)lost;
    if (!lost) continue;
    app->failures++;
    (void)json_array_append_new(list, bt_app_text_json(items->names[i]));
  }
}

BtStatus bt_app_each(BtApp *app, const char *unit, const char *const *names, size_t count, BtAppWork *work,
                     void *user, unsigned char *failed) {
  Items items = {unit, names, count, calloc(count + 1, sizeof *items.failed)};
  BtStatus st = items.failed ? BT_OK : bt_fail_memory(&app->ctx, "a list of images", (double)count * 8);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st >= 0 && st != BT_STOPPED) {
    app->in_item = 1;
    st = bt_team_agree(&app->team, &app->ctx, work_through(app, &items, work, user));
    app->in_item = 0;
    const BtStatus summed = st >= 0 ? app->team.sum(&app->team, &app->ctx, items.failed, count + 1) : BT_OK;
    if (summed < 0) st = summed;
    if (st >= 0) list_failures(app, &items, failed);
  }
  free(items.failed);
  return st;
}

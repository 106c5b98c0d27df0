#include "learn/keeping.h"

#include <unistd.h>

#include "core/file.h"

static BtStatus attach_log(BtApp *app, const BtLogSpec *spec, int64_t resume_from, BtKeeping *keeping) {
  if (app->team.rank != 0) return BT_OK;
  const BtStatus st = bt_log_open(&app->ctx, keeping->set->log, spec, resume_from, &keeping->log);
  return st < 0 ? st : bt_context_observe(&app->ctx, bt_log_event, keeping->log);
}

BtStatus bt_keeping_attach(BtApp *app, const BtKeepingSettings *set, const BtCheckpoint *run,
                           const BtLogSpec *log, BtKeeping *keeping) {
  BtContext *ctx = &app->ctx;
  const int64_t resume_from = set->resume ? run->method->ops->state(run->method).iteration : -1;
  *keeping = (BtKeeping){.set = set, .checkpoint = *run};
  keeping->checkpoint.path = bt_keeping_path(set);
  keeping->checkpoint.claim = -1;
  BtStatus st = BT_OK;
  if (keeping->checkpoint.path && app->team.rank == 0)
    st = bt_file_claim(ctx, keeping->checkpoint.path, &keeping->checkpoint.claim);
  if (st >= 0 && set->log) st = attach_log(app, log, resume_from, keeping);
  st = bt_team_agree(&app->team, ctx, st);
  if (st < 0 || st == BT_STOPPED) return st;
  if (keeping->checkpoint.path) BT_TRY(bt_context_observe(ctx, bt_checkpoint_event, &keeping->checkpoint));
  BT_TRY(bt_time_limit_set(app, set->max_seconds, &keeping->limit));
done:
  return st;
}

int bt_keeping_stopped(BtKeeping *keeping, int always) {
  const int late = bt_time_limit_lift(&keeping->limit);
  if (keeping->checkpoint.path && (always || keeping->limit.between))
    bt_checkpoint_write(&keeping->checkpoint);
  return late;
}

void bt_keeping_tell(const BtKeeping *keeping) {
  const BtCheckpoint *c = &keeping->checkpoint;
  const char *from = c->written ? c->path : keeping->set->resume;
  if (from)
    bt_warn(&c->app->ctx, "stopped; go on with the same command and --resume %s", from);
  else if (c->path)
    bt_warn(&c->app->ctx, "stopped before the first checkpoint was written");
  else
    bt_warn(&c->app->ctx, "stopped without a checkpoint; --checkpoint FILE keeps one");
}

BtStatus bt_keeping_close(BtContext *ctx, BtKeeping *keeping) {
  (void)bt_time_limit_lift(&keeping->limit);
  if (keeping->checkpoint.path && keeping->checkpoint.claim >= 0) (void)close(keeping->checkpoint.claim);
  return bt_log_close(ctx, keeping->log);
}

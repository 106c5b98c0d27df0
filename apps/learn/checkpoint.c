#include "learn/checkpoint.h"

#include <string.h>

#include "core/file.h"

static BtStatus open_writer(BtCheckpoint *c, BtTensorWriter **writer) {
  BtContext *ctx = &c->app->ctx;
  BtStatus st = BT_OK;
  if (c->app->team.rank != 0) return BT_OK;
  BT_TRY(bt_file_claim(ctx, c->path, &c->claim));
  BT_TRY(bt_tensors_create(ctx, c->path, c->identity, writer));
  bt_tensors_claim(*writer, &c->claim);
  BT_TRY(c->method->ops->declare(ctx, c->method, *writer));
  BT_TRY(bt_bilevel_declare(c->bilevel, ctx, *writer));
  BT_TRY(c->method->ops->save(ctx, c->method, *writer));
done:
  return st;
}

/* Collective: every rank takes part in bringing the warm starts to rank 0. A stop request must not end it
 * halfway. */
static BtStatus save(BtCheckpoint *c) {
  BtContext *ctx = &c->app->ctx;
  const BtStop stop = ctx->stop;
  BtTensorWriter *writer = NULL;
  ctx->stop = (BtStop){0};
  BtStatus st = bt_team_agree(&c->app->team, ctx, open_writer(c, &writer));
  if (st >= 0) st = bt_bilevel_save(c->bilevel, ctx, writer);
  if (st >= 0 && writer) {
    st = bt_tensors_commit(ctx, writer);
    writer = NULL;
  }
  st = bt_team_agree(&c->app->team, ctx, st);
  bt_tensors_abandon(writer);
  ctx->stop = stop;
  return st;
}

void bt_checkpoint_write(BtCheckpoint *c) {
  BtApp *app = c->app;
  const double start = bt_app_clock();
  if (save(c) < 0) {
    char text[BT_ERROR_TEXT];
    strcpy(text, app->ctx.error);
    bt_warn(&app->ctx, "checkpoint not written: %.900s", text);
    app->failures++;
  }
  c->written++;
  c->last_end = bt_app_clock();
  c->last_cost = c->last_end - start;
}

int bt_checkpoint_event(void *user, const BtEvent *event) {
  BtCheckpoint *c = user;
  BtApp *app = c->app;
  static const double share = 20;
  if (event->type != BT_EVENT_OUTER) return 0;
  const double start = bt_app_clock();
  double due = app->team.rank == 0 && (!c->written || start - c->last_end >= share * c->last_cost);
  if (app->team.sum(&app->team, &app->ctx, &due, 1) < 0 || due == 0) return 0;
  bt_checkpoint_write(c);
  return 0;
}

static BtStatus same_identity(BtContext *ctx, const char *path, const json_t *identity,
                              const BtTensorReader *reader) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)identity, key, value) {
    const char *stored = bt_tensors_metadata(reader, key);
    if (!stored)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: not a checkpoint of bitune learn (no \"%s\")", path, key);
    if (strcmp(stored, json_string_value(value)) != 0)
      return bt_fail(
          ctx, BT_ERR_FORMAT,
          "%s: the checkpoint's %s is %.80s, this run's %.80s; resume with the settings and images it was "
          "made with",
          path, key, stored, json_string_value(value));
  }
  return BT_OK;
}

BtStatus bt_checkpoint_load(BtApp *app, const char *path, const json_t *identity, BtMethod *method,
                            BtBilevel *bilevel) {
  BtContext *ctx = &app->ctx;
  BtTensorReader *reader = NULL;
  BtStatus st = BT_OK;
  BT_TRY(bt_tensors_open(ctx, path, &reader));
  BT_TRY(same_identity(ctx, path, identity, reader));
  st = method->ops->load(ctx, reader, method);
done:
  /* Loading warm starts may take all ranks' work. */
  st = bt_team_agree(&app->team, ctx, st);
  if (st >= 0 && st != BT_STOPPED) st = bt_bilevel_load(bilevel, ctx, reader);
  bt_tensors_close(reader);
  return bt_team_agree(&app->team, ctx, st);
}

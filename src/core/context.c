#include "core/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"

void bt_context_init(BtContext *ctx) { memset(ctx, 0, sizeof *ctx); }

BtStatus bt_fail(BtContext *ctx, BtStatus status, const char *format, ...) {
  if (!ctx) return status;
  va_list args;
  va_start(args, format);
  vsnprintf(ctx->error, sizeof ctx->error, format, args);
  va_end(args);
  /* Names from hostile files must not move the cursor or break the line. */
  for (char *c = ctx->error; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
  return status;
}

BtStatus bt_fail_memory(BtContext *ctx, const char *what, double bytes) {
  return bt_fail(ctx, BT_ERR_MEMORY, "out of memory: %.3g MiB wanted for %s", bytes / 1048576.0, what);
}

BtStatus bt_context_observe(BtContext *ctx, BtObserverFn *fn, void *user) {
  if (ctx->observer_count == BT_MAX_OBSERVERS)
    return bt_fail(ctx, BT_ERR_ARG, "more than %d observers", BT_MAX_OBSERVERS);
  ctx->observers[ctx->observer_count++] = (BtObserver){fn, user};
  return BT_OK;
}

BtStatus bt_emit(BtContext *ctx, const BtEvent *event) {
  BtStatus st = BT_OK;
  if (!ctx) return st;
  for (int i = 0; i < ctx->observer_count; i++)
    if (ctx->observers[i].fn(ctx->observers[i].user, event)) st = BT_STOPPED;
  return st;
}

void bt_warn(BtContext *ctx, const char *format, ...) {
  char text[BT_ERROR_TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  (void)bt_emit(ctx, &(BtEvent){.type = BT_EVENT_WARNING, .as.warning = text});
}

int bt_stop_requested(const BtContext *ctx) {
  if (!ctx) return 0;
  const BtStop *stop = &ctx->stop;
  return (stop->flag && *stop->flag) || (stop->deadline > 0 && bt_clock() >= stop->deadline);
}

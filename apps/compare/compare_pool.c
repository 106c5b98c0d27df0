/* The runs of a comparison, a few at a time. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "compare/compare.h"
#include "core/file.h"

static const double redraw = 0.5;  /* seconds between two looks at the runs' logs */
static const double patience = 20; /* seconds between SIGTERM and SIGKILL         */

/* Where the runs of this process stand. */
typedef struct {
  BtCompare *all;
  size_t running, done, own;
  double last_look;
} Pool;

static int is_own(const BtCompare *all, const BtCompareRun *run) {
  return (int)(run->index % (size_t)all->size) == all->rank;
}

static void tell_ended(const Pool *p, const BtCompareRun *run) {
  BtApp *app = p->all->app;
  if (run->state == BT_RUN_FINISHED) {
    const BtCompareSpec *s = &p->all->spec;
    const json_t *loss = json_object_get(run->result, s->command.form->kind->loss_key[s->last_weights]);
    const char *reason = json_string_value(json_object_get(run->result, "reason"));
    char text[48] = "no loss";
    if (json_is_number(loss)) snprintf(text, sizeof text, "loss %.8g", json_number_value(loss));
    bt_app_print(app, "%4zu/%zu  %s: %s, %s\n", p->done, p->own, run->name, text,
                 run->diverged ? run->remark
                 : reason      ? reason
                               : "finished");
  } else if (run->state == BT_RUN_ELSEWHERE) {
    bt_app_print(app, "%4zu/%zu  %s: under way in another process\n", p->done, p->own, run->name);
  } else if (run->state == BT_RUN_FAILED) {
    char text[BT_ERROR_TEXT];
    snprintf(text, sizeof text, "run \"%.200s\" failed: %.700s", run->name,
             run->error ? run->error : "no message");
    bt_app_complain(app, text);
  }
}

static void settle(Pool *p, BtCompareRun *run) {
  if (run->state == BT_RUN_RUNNING || run->state == BT_RUN_WAITING) return;
  p->done++;
  tell_ended(p, run);
}

/* A run that cannot be started has failed; the others go on. */
static void begin(BtContext *ctx, Pool *p, BtCompareRun *run) {
  const BtStatus st = bt_compare_run_begin(ctx, p->all, run);
  if (st < 0) {
    run->state = BT_RUN_FAILED;
    free(run->error);
    run->error = bt_copy_text(ctx->error);
  }
  p->running += run->pid > 0;
  if (run->pid == 0) settle(p, run);
}

static void look_after(BtContext *ctx, Pool *p, BtCompareRun *run, int stopped) {
  int how = 0;
  const pid_t ended = waitpid(run->pid, &how, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return;
  run->pid = 0;
  p->running--;
  BtStatus st = ended < 0 ? bt_fail(ctx, BT_ERR_LIBRARY, "its process was lost: %s", strerror(errno))
                          : bt_compare_run_ended(ctx, p->all, run, how, stopped);
  if (st < 0) {
    run->state = BT_RUN_FAILED;
    free(run->error);
    run->error = bt_copy_text(ctx->error);
  }
  if (run->state == BT_RUN_RUNNING && !stopped)
    begin(ctx, p, run);
  else
    settle(p, run);
}

static BtStatus tell_progress(BtContext *ctx, Pool *p) {
  const double now = bt_app_clock();
  double done = (double)p->done;
  if (!p->all->app->progress.enabled || now - p->last_look < redraw) return BT_OK;
  p->last_look = now;
  for (size_t i = 0; i < p->all->run_count; i++)
    if (p->all->runs[i].pid > 0) done += bt_compare_run_share(p->all, &p->all->runs[i]);
  const BtProgressEvent progress = {"runs", done, (double)p->own};
  return bt_emit(ctx, &(BtEvent){.type = BT_EVENT_PROGRESS, .as.progress = progress});
}

static void stop_all(BtContext *ctx, Pool *p) {
  BtCompare *all = p->all;
  const double asked = bt_app_clock();
  int killed = 0;
  for (size_t i = 0; i < all->run_count; i++)
    if (all->runs[i].pid > 0) (void)kill(all->runs[i].pid, SIGTERM);
  while (p->running > 0) {
    for (size_t i = 0; i < all->run_count; i++)
      if (all->runs[i].pid > 0) look_after(ctx, p, &all->runs[i], 1);
    if (!killed && bt_app_clock() - asked > patience) {
      killed = 1;
      for (size_t i = 0; i < all->run_count; i++)
        if (all->runs[i].pid > 0) (void)kill(all->runs[i].pid, SIGKILL);
    }
    bt_compare_nap(BT_COMPARE_TICK);
  }
}

/* Runs that another process held may have ended since. */
static BtStatus look_again(BtContext *ctx, BtCompare *all) {
  BtStatus st = BT_OK;
  for (size_t i = 0; i < all->run_count && st >= 0; i++)
    if (is_own(all, &all->runs[i]) && all->runs[i].state == BT_RUN_ELSEWHERE)
      st = bt_compare_run_look(ctx, all, &all->runs[i]);
  return st;
}

size_t bt_compare_count(const BtCompare *all, BtRunState state) {
  size_t count = 0;
  for (size_t i = 0; i < all->run_count; i++) count += all->runs[i].state == state;
  return count;
}

/* The first of the ranks waits until the others' runs have left their records. */
static BtStatus wait_for_others(BtContext *ctx, BtCompare *all) {
  if (all->rank != 0 || all->size == 1) return BT_OK;
  for (size_t i = 0; i < all->run_count; i++) {
    BtCompareRun *run = &all->runs[i];
    if (is_own(all, run)) continue;
    for (;;) {
      const BtStatus st = bt_compare_run_look(ctx, all, run);
      if (st < 0) return st;
      if (run->state == BT_RUN_FINISHED || run->state == BT_RUN_FAILED) break;
      if (bt_stop_requested(ctx)) return BT_STOPPED;
      bt_compare_nap(10 * BT_COMPARE_TICK);
    }
  }
  return BT_OK;
}

BtStatus bt_compare_pool(BtContext *ctx, BtCompare *all) {
  Pool pool = {.all = all};
  size_t next = 0;
  for (size_t i = 0; i < all->run_count; i++) {
    if (!is_own(all, &all->runs[i])) continue;
    pool.own++;
    pool.done += all->runs[i].state == BT_RUN_FINISHED;
  }
  while (next < all->run_count || pool.running > 0) {
    while (pool.running < all->jobs && next < all->run_count && !bt_stop_requested(ctx)) {
      BtCompareRun *run = &all->runs[next++];
      if (is_own(all, run) && run->state == BT_RUN_WAITING) begin(ctx, &pool, run);
    }
    for (size_t i = 0; i < next; i++)
      if (all->runs[i].pid > 0) look_after(ctx, &pool, &all->runs[i], 0);
    if (bt_stop_requested(ctx) || tell_progress(ctx, &pool) == BT_STOPPED) {
      stop_all(ctx, &pool);
      return BT_STOPPED;
    }
    if (pool.running > 0) bt_compare_nap(BT_COMPARE_TICK);
  }
  const BtStatus st = look_again(ctx, all);
  return st < 0 ? st : wait_for_others(ctx, all);
}

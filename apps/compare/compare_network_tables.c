/* Comparisons of networks as tables: every run's course, one line a run, one line a setting. */
#include <math.h>
#include <stdlib.h>

#include "compare/compare_network.h"
#include "compare/compare_table.h"
#include "core/file.h"
#include "program/csv.h"

/* What logs and searches tell of an epoch or trial beside what is compared. */
static const char *const told[] = {"train_loss",    "valid_loss",       "test_loss",      "valid_accuracy",
                                   "test_accuracy", "valid_perplexity", "test_perplexity"};
enum { TOLD = sizeof told / sizeof *told };

static BtStatus put_course(BtContext *ctx, const BtCompare *all, const BtCompareRun *run, FILE *out) {
  const BtRunCourse *c = &run->course;
  long columns[TOLD];
  BtCsv log;
  char *path = bt_compare_run_file(run, bt_compare_form(all, run)->course);
  BtStatus st = path ? bt_csv_read(ctx, path, &log) : bt_fail_memory(ctx, "a table", 0);
  free(path);
  if (st < 0) return st;
  for (size_t k = 0; k < TOLD; k++) columns[k] = bt_csv_column(&log, told[k]);
  for (size_t row = 0; row < log.rows && row < c->rows; row++) {
    bt_table_identity(out, all, run);
    bt_table_number(out, c->iteration[row]);
    bt_table_number(out, c->loss[row]);
    bt_table_number(out, c->work[row]);
    bt_table_number(out, c->seconds[row]);
    bt_table_number(out, c->rate[row]);
    for (size_t k = 0; k < TOLD; k++)
      bt_table_number(out, columns[k] < 0 ? (double)NAN : bt_csv_cell(&log, row, columns[k]));
    (void)fputc('\n', out);
  }
  bt_csv_clear(&log);
  return st;
}

static BtStatus write_trajectories(BtContext *ctx, const BtCompare *all, FILE *out) {
  BtStatus st = BT_OK;
  (void)fputs("run,method,label,seed,epoch_or_trial,loss,work,seconds,rate", out);
  for (size_t k = 0; k < TOLD; k++) (void)fprintf(out, ",%s", told[k]);
  (void)fputc('\n', out);
  for (size_t i = 0; i < all->run_count && st >= 0; i++)
    if (all->runs[i].state == BT_RUN_FINISHED) st = put_course(ctx, all, &all->runs[i], out);
  return st;
}

static const char *state_of(const BtCompareRun *run) {
  return run->state == BT_RUN_FINISHED && run->diverged ? "diverged" : bt_table_state(run);
}

static BtStatus put_run(BtContext *ctx, const BtCompare *all, const BtCompareRun *run, FILE *out) {
  const int finished = run->state == BT_RUN_FINISHED;
  const json_t *result = finished ? run->result : NULL;
  char *found = bt_network_found(all, run);
  if (!found) return bt_fail_memory(ctx, "a table", 0);
  bt_table_identity(out, all, run);
  bt_table_text(out, state_of(run));
  bt_table_number(out, run->loss);
  bt_table_number(out, run->best);
  bt_table_number(out, run->distance);
  for (size_t k = 0; bt_compare_network.figures[k].name; k++)
    if (bt_compare_has_figure(all, k)) bt_table_number(out, run->figure[k]);
  bt_table_number(out, run->rate);
  bt_table_number(out, run->work);
  bt_table_number(out, run->spent);
  bt_table_number(out, bt_compare_number(json_object_get(result, "epochs")));
  bt_table_number(out, bt_compare_number(json_object_get(result, "best_epoch")));
  bt_table_text(out, finished ? found : "");
  bt_table_text(out, json_string_value(json_object_get(result, "reason")));
  bt_table_text(out, bt_path_base(run->folder));
  bt_table_text(out, run->error && !finished ? run->error : run->remark);
  (void)fputc('\n', out);
  free(found);
  return BT_OK;
}

static BtStatus write_summary(BtContext *ctx, const BtCompare *all, FILE *out) {
  BtStatus st = BT_OK;
  (void)fputs("run,method,label,seed,state,loss,best,distance", out);
  for (size_t k = 0; bt_compare_network.figures[k].name; k++)
    if (bt_compare_has_figure(all, k)) (void)fprintf(out, ",%s", bt_compare_network.figures[k].name);
  (void)fputs(",rate,work,seconds,epochs,best_epoch,hyperparameters,reason,folder,remark\n", out);
  for (size_t i = 0; i < all->run_count && st >= 0; i++) st = put_run(ctx, all, &all->runs[i], out);
  return st;
}

static BtStatus write_methods(BtContext *ctx, const BtCompare *all, FILE *out) {
  (void)ctx;
  (void)fputs(
      "method,setting,runs,finished,diverged,loss_mean,loss_deviation,loss_least,loss_median,loss_greatest,"
      "distance",
      out);
  for (size_t k = 0; bt_compare_network.figures[k].name; k++)
    if (bt_compare_has_figure(all, k))
      (void)fprintf(out, ",%s_mean,%s_deviation", bt_compare_network.figures[k].name,
                    bt_compare_network.figures[k].name);
  (void)fputs(",rate_least,rate_median,rate_greatest,work_mean,seconds_mean\n", out);
  for (size_t i = 0; i < all->setting_count; i++) {
    const BtCompareSetting *s = &all->settings[i];
    bt_csv_text(out, all->spec.methods[s->method].name);
    bt_table_text(out, s->place);
    (void)fprintf(out, ",%zu,%zu,%zu", s->runs, s->finished, s->diverged);
    const double loss[] = {s->loss.mean,   s->loss.deviation, s->loss.least,
                           s->loss.median, s->loss.greatest,  s->distance};
    for (size_t k = 0; k < sizeof loss / sizeof *loss; k++) bt_table_number(out, loss[k]);
    for (size_t k = 0; bt_compare_network.figures[k].name; k++)
      if (bt_compare_has_figure(all, k)) {
        bt_table_number(out, s->figure[k].mean);
        bt_table_number(out, s->figure[k].deviation);
      }
    const double rest[] = {s->rate.least, s->rate.median, s->rate.greatest, s->work.mean, s->seconds.mean};
    for (size_t k = 0; k < sizeof rest / sizeof *rest; k++) bt_table_number(out, rest[k]);
    (void)fputc('\n', out);
  }
  return BT_OK;
}

BtStatus bt_network_tables(BtContext *ctx, const BtCompare *all) {
  BtStatus st = bt_table_write(ctx, all, "trajectories.csv", write_trajectories);
  if (st >= 0) st = bt_table_write(ctx, all, "summary.csv", write_summary);
  if (st >= 0) st = bt_table_write(ctx, all, "methods.csv", write_methods);
  return st;
}

/* The comparison as tables: every run's trajectory, one line a run, one line a method. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "core/file.h"
#include "csv.h"

typedef BtStatus WriteTable(BtContext *ctx, const BtCompare *all, FILE *out);

static void put_number(FILE *out, double x) {
  if (isfinite(x))
    (void)fprintf(out, ",%.17g", x);
  else
    (void)fputs(",nan", out);
}

static void put_text(FILE *out, const char *text) {
  (void)fputc(',', out);
  bt_csv_text(out, text ? text : "");
}

/* run, method, label, seed: what each table of runs begins with. */
static void put_identity(FILE *out, const BtCompare *all, const BtCompareRun *run) {
  (void)fprintf(out, "%zu", run->index + 1);
  put_text(out, all->spec.methods[run->method].name);
  put_text(out, run->label);
  if (run->has_seed)
    (void)fprintf(out, ",%" PRId64, run->seed);
  else
    (void)fputc(',', out);
}

static BtStatus put_trajectory(BtContext *ctx, const BtCompare *all, const BtCompareRun *run, FILE *out) {
  static const char *const names[] = {"iteration",
                                      "loss",
                                      "lower",
                                      "upper",
                                      "eps",
                                      "delta",
                                      "step",
                                      "gradient_norm",
                                      "gradient_bound",
                                      "accepted",
                                      "trials",
                                      "gradients",
                                      "hessian_products",
                                      "work",
                                      "seconds",
                                      "loss_mean"};
  enum { COLUMNS = sizeof names / sizeof *names };
  long columns[COLUMNS];
  BtCsv log;
  char *path = bt_compare_run_file(run, "log.csv");
  BtStatus st = path ? bt_csv_read(ctx, path, &log) : bt_fail_memory(ctx, "a table", 0);
  free(path);
  if (st < 0) return st;
  for (size_t k = 0; k < COLUMNS; k++) columns[k] = bt_csv_column(&log, names[k]);
  for (size_t row = 0; row < log.rows; row++) {
    put_identity(out, all, run);
    for (size_t k = 0; k < COLUMNS; k++)
      put_number(out, columns[k] < 0 ? (double)NAN : bt_csv_cell(&log, row, columns[k]));
    (void)fputc('\n', out);
  }
  bt_csv_clear(&log);
  return st;
}

static BtStatus write_trajectories(BtContext *ctx, const BtCompare *all, FILE *out) {
  BtStatus st = BT_OK;
  (void)fputs(
      "run,method,label,seed,iteration,loss,lower,upper,eps,delta,step,gradient_norm,gradient_bound,accepted,"
      "trials,gradients,hessian_products,work,seconds,loss_mean\n",
      out);
  for (size_t i = 0; i < all->run_count && st >= 0; i++)
    if (all->runs[i].state == BT_RUN_FINISHED) st = put_trajectory(ctx, all, &all->runs[i], out);
  return st;
}

static BtStatus write_summary(BtContext *ctx, const BtCompare *all, FILE *out) {
  (void)ctx;
  (void)fputs(
      "run,method,label,seed,state,loss,lower,upper,certificate,judged,best,distance,work,seconds,"
      "work_to_1_percent,seconds_to_1_percent,work_to_0.1_percent,seconds_to_0.1_percent,iterations,reason,"
      "folder,"
      "remark\n",
      out);
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    const int finished = run->state == BT_RUN_FINISHED;
    put_identity(out, all, run);
    put_text(out, finished ? "finished" : run->state == BT_RUN_FAILED ? "failed" : "open");
    put_number(out, run->loss);
    put_number(out, run->lower);
    put_number(out, run->upper);
    put_text(out, finished ? run->certificate : "");
    put_text(out, run->judged ? "yes" : "no");
    put_number(out, run->best);
    put_number(out, run->distance);
    put_number(out, run->work);
    put_number(out, run->spent);
    for (size_t k = 0; k < BT_REACH_LEVELS; k++) {
      put_number(out, run->reach_work[k]);
      put_number(out, run->reach_seconds[k]);
    }
    const json_t *iterations = finished ? json_object_get(run->result, "outer_iterations") : NULL;
    put_number(out, json_is_number(iterations) ? json_number_value(iterations) : (double)NAN);
    put_text(out, finished ? json_string_value(json_object_get(run->result, "reason")) : "");
    put_text(out, bt_path_base(run->folder));
    put_text(out, run->error && !finished ? run->error : run->remark);
    (void)fputc('\n', out);
  }
  return BT_OK;
}

static void put_spread(FILE *out, BtSpread s) {
  put_number(out, s.least);
  put_number(out, s.median);
  put_number(out, s.greatest);
}

static BtStatus write_methods(BtContext *ctx, const BtCompare *all, FILE *out) {
  (void)ctx;
  (void)fputs(
      "method,runs,finished,reached_1_percent,reached_0.1_percent,distance_least,distance_median,"
      "distance_greatest,work_to_1_percent_least,work_to_1_percent_median,work_to_1_percent_greatest,"
      "work_to_0.1_percent_least,work_to_0.1_percent_median,work_to_0.1_percent_greatest,"
      "seconds_to_1_percent_least,seconds_to_1_percent_median,seconds_to_1_percent_greatest\n",
      out);
  for (size_t m = 0; m < all->spec.method_count; m++) {
    size_t runs = 0, finished = 0;
    for (size_t i = 0; i < all->run_count; i++) {
      runs += all->runs[i].method == m;
      finished += all->runs[i].method == m && all->runs[i].state == BT_RUN_FINISHED;
    }
    const BtSpread reach1 = bt_compare_spread(all, m, bt_compare_reach_1_of);
    const BtSpread reach01 = bt_compare_spread(all, m, bt_compare_reach_01_of);
    bt_csv_text(out, all->spec.methods[m].name);
    (void)fprintf(out, ",%zu,%zu,%zu,%zu", runs, finished, reach1.n, reach01.n);
    put_spread(out, bt_compare_spread(all, m, bt_compare_distance_of));
    put_spread(out, reach1);
    put_spread(out, reach01);
    put_spread(out, bt_compare_spread(all, m, bt_compare_reach_1_seconds_of));
    (void)fputc('\n', out);
  }
  return BT_OK;
}

static BtStatus write_table(BtContext *ctx, const BtCompare *all, const char *name, WriteTable *write) {
  BtAtomicFile file = {0};
  char *path = bt_path_join(all->output, name);
  BtStatus st = path ? bt_atomic_open(ctx, path, &file) : bt_fail_memory(ctx, name, 0);
  if (st >= 0) st = write(ctx, all, file.stream);
  if (st >= 0)
    st = bt_atomic_commit(ctx, &file);
  else
    bt_atomic_abort(&file);
  free(path);
  return st;
}

BtStatus bt_compare_tables(BtContext *ctx, const BtCompare *all) {
  BtStatus st = write_table(ctx, all, "trajectories.csv", write_trajectories);
  if (st >= 0) st = write_table(ctx, all, "summary.csv", write_summary);
  if (st >= 0) st = write_table(ctx, all, "methods.csv", write_methods);
  return st;
}

/* Comparisons of bilevel learning as tables: every run's trajectory, one line a run, one line a method. */
#include <math.h>
#include <stdlib.h>

#include "compare/compare_bilevel.h"
#include "compare/compare_table.h"
#include "core/file.h"
#include "program/csv.h"

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
    bt_table_identity(out, all, run);
    for (size_t k = 0; k < COLUMNS; k++)
      bt_table_number(out, columns[k] < 0 ? (double)NAN : bt_csv_cell(&log, row, columns[k]));
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
    bt_table_identity(out, all, run);
    bt_table_text(out, bt_table_state(run));
    bt_table_number(out, run->loss);
    bt_table_number(out, run->lower);
    bt_table_number(out, run->upper);
    bt_table_text(out, finished ? run->certificate : "");
    bt_table_text(out, run->judged ? "yes" : "no");
    bt_table_number(out, run->best);
    bt_table_number(out, run->distance);
    bt_table_number(out, run->work);
    bt_table_number(out, run->spent);
    for (size_t k = 0; k < BT_REACH_LEVELS; k++) {
      bt_table_number(out, run->reach_work[k]);
      bt_table_number(out, run->reach_seconds[k]);
    }
    const json_t *iterations = finished ? json_object_get(run->result, "outer_iterations") : NULL;
    bt_table_number(out, json_is_number(iterations) ? json_number_value(iterations) : (double)NAN);
    bt_table_text(out, finished ? json_string_value(json_object_get(run->result, "reason")) : "");
    bt_table_text(out, bt_path_base(run->folder));
    bt_table_text(out, run->error && !finished ? run->error : run->remark);
    (void)fputc('\n', out);
  }
  return BT_OK;
}

static void put_spread(FILE *out, BtSpread s) {
  bt_table_number(out, s.least);
  bt_table_number(out, s.median);
  bt_table_number(out, s.greatest);
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

BtStatus bt_bilevel_tables(BtContext *ctx, const BtCompare *all) {
  BtStatus st = bt_table_write(ctx, all, "trajectories.csv", write_trajectories);
  if (st >= 0) st = bt_table_write(ctx, all, "summary.csv", write_summary);
  if (st >= 0) st = bt_table_write(ctx, all, "methods.csv", write_methods);
  return st;
}

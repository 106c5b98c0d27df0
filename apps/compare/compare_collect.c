/* What the runs left: their courses and results. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "core/file.h"
#include "program/csv.h"

#define OVER_BUDGET 1.25 /* an iteration may end a little beyond its budget */

double bt_compare_number(const json_t *value) {
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static BtStatus read_course(BtContext *ctx, const BtCompare *all, BtCompareRun *run) {
  enum { LOSS = 1 };
  const BtCompareForm *form = bt_compare_form(all, run);
  BtStatus st = BT_OK;
  BtCsv log;
  BtRunCourse *c = &run->course;
  char *path = bt_compare_run_file(run, form->course);
  if (!path) return bt_fail_memory(ctx, "a course", 0);
  st = bt_csv_read(ctx, path, &log);
  free(path);
  if (st < 0) return st;
  double *block = malloc(BT_COURSE_COLUMNS * (log.rows + 1) * sizeof *block);
  if (!block) {
    bt_csv_clear(&log);
    return bt_fail_memory(ctx, "a course", (double)log.rows * BT_COURSE_COLUMNS * sizeof *block);
  }
  *c = (BtRunCourse){.rows = log.rows,
                     .iteration = block,
                     .loss = block + log.rows,
                     .eps = block + 2 * log.rows,
                     .delta = block + 3 * log.rows,
                     .work = block + 4 * log.rows,
                     .seconds = block + 5 * log.rows,
                     .rate = block + 6 * log.rows};
  const long mean = bt_csv_column(&log, "loss_mean");
  c->stochastic = mean >= 0;
  for (size_t k = 0; k < BT_COURSE_COLUMNS; k++) {
    const long column = k == LOSS && mean >= 0 ? mean
                        : form->columns[k]     ? bt_csv_column(&log, form->columns[k])
                                               : -1;
    for (size_t r = 0; r < log.rows; r++)
      block[k * log.rows + r] = column >= 0 ? bt_csv_cell(&log, r, column) : (double)NAN;
  }
  for (size_t r = 1; r < log.rows && form->seconds_add_up; r++) c->seconds[r] += c->seconds[r - 1];
  bt_csv_clear(&log);
  return st;
}

/* Methods that know no budget of work are found out here. */
static BtStatus check_budget(BtContext *ctx, const BtCompare *all, BtCompareRun *run) {
  char text[160];
  const double budget = (double)bt_compare_work_budget(&all->spec, run->method);
  if (budget <= 0 || !(run->work > OVER_BUDGET * budget) || run->remark) return BT_OK;
  snprintf(text, sizeof text, "used %.1f times the budget of work", run->work / budget);
  run->remark = bt_copy_text(text);
  return run->remark ? BT_OK : bt_fail_memory(ctx, "a remark", sizeof text);
}

BtStatus bt_compare_collect(BtContext *ctx, BtCompare *all) {
  const BtCompareKind *kind = all->spec.command.form->kind;
  const double unknown = (double)NAN;
  all->judged = all->spec.judge != NULL;
  for (size_t i = 0; i < all->run_count; i++) {
    BtCompareRun *run = &all->runs[i];
    run->loss = run->lower = run->upper = run->work = run->spent = run->best = run->distance = run->rate =
        unknown;
    run->certificate = bt_proof_name(BT_PROOF_NONE);
    for (size_t k = 0; k < BT_REACH_LEVELS; k++) run->reach_work[k] = run->reach_seconds[k] = unknown;
    for (size_t k = 0; k < BT_COMPARE_MOST_FIGURES; k++) run->figure[k] = unknown;
    if (run->state != BT_RUN_FINISHED) continue;
    const BtStatus st = read_course(ctx, all, run);
    if (st < 0) return st;
    const BtRunCourse *c = &run->course;
    run->work = bt_compare_number(json_object_get(run->result, kind->work_key));
    run->spent = bt_compare_number(json_object_get(run->result, "seconds"));
    if (c->rows && !isfinite(run->work)) run->work = c->work[c->rows - 1];
    if (c->rows && !isfinite(run->spent)) run->spent = c->seconds[c->rows - 1];
    kind->take(all, run);
    const BtStatus checked = check_budget(ctx, all, run);
    if (checked < 0) return checked;
    all->judged &= run->judged != NULL;
  }
  return kind->rank(ctx, all);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

BtSpread bt_compare_spread_of(double *values, size_t n) {
  const double none = (double)NAN;
  BtSpread s = {n, none, none, none, none, none};
  double sum = 0, squares = 0;
  if (n == 0) return s;
  qsort(values, n, sizeof *values, ascending);
  for (size_t i = 0; i < n; i++) sum += values[i];
  s.least = values[0];
  s.greatest = values[n - 1];
  s.median = 0.5 * (values[(n - 1) / 2] + values[n / 2]);
  s.mean = sum / (double)n;
  for (size_t i = 0; i < n; i++) squares += (values[i] - s.mean) * (values[i] - s.mean);
  if (n > 1) s.deviation = sqrt(squares / (double)(n - 1));
  return s;
}

/* What the runs left: courses, final losses, the best of each task, and when it was neared. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "core/file.h"
#include "csv.h"

#define OVER_BUDGET 1.25 /* an iteration may end a little beyond its budget */

static const double least_floor = 1e-6, largest_floor = 1e-3;

static const char *proof_name(const json_t *result) {
  const char *name = json_string_value(json_object_get(result, "certificate"));
  for (int p = BT_PROOF_NONE; name && p <= BT_PROVEN; p++)
    if (strcmp(name, bt_proof_name((BtProof)p)) == 0) return bt_proof_name((BtProof)p);
  return bt_proof_name(BT_PROOF_NONE);
}

static double number_of(const json_t *value) {
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static BtStatus read_course(BtContext *ctx, BtCompareRun *run) {
  static const char *const names[] = {"iteration", "loss", "eps", "delta", "work", "seconds"};
  enum { COLUMNS = sizeof names / sizeof *names, LOSS = 1 };
  BtStatus st = BT_OK;
  BtCsv log;
  BtRunCourse *c = &run->course;
  char *path = bt_compare_run_file(run, "log.csv");
  if (!path) return bt_fail_memory(ctx, "a course", 0);
  st = bt_csv_read(ctx, path, &log);
  free(path);
  if (st < 0) return st;
  double *block = malloc(COLUMNS * (log.rows + 1) * sizeof *block);
  if (!block) {
    bt_csv_clear(&log);
    return bt_fail_memory(ctx, "a course", (double)log.rows * COLUMNS * sizeof *block);
  }
  *c = (BtRunCourse){.rows = log.rows,
                     .iteration = block,
                     .loss = block + log.rows,
                     .eps = block + 2 * log.rows,
                     .delta = block + 3 * log.rows,
                     .work = block + 4 * log.rows,
                     .seconds = block + 5 * log.rows};
  const long mean = bt_csv_column(&log, "loss_mean");
  c->stochastic = mean >= 0;
  for (size_t k = 0; k < COLUMNS; k++) {
    const long column = k == LOSS && mean >= 0 ? mean : bt_csv_column(&log, names[k]);
    for (size_t r = 0; r < log.rows; r++)
      block[k * log.rows + r] = column >= 0 ? bt_csv_cell(&log, r, column) : (double)NAN;
  }
  bt_csv_clear(&log);
  return st;
}

static void take_result(BtCompareRun *run) {
  const json_t *from = run->judged ? run->judged : run->result;
  const json_t *bounds = json_object_get(from, "loss_bounds");
  run->loss = number_of(json_object_get(from, "loss"));
  if (isnan(run->loss)) run->loss = number_of(json_object_get(from, "valid_loss"));
  run->lower = number_of(json_array_get(bounds, 0));
  run->upper = number_of(json_array_get(bounds, 1));
  run->certificate = proof_name(from);
  run->work = number_of(json_object_get(run->result, "lower_iterations"));
  run->spent = number_of(json_object_get(run->result, "seconds"));
  const BtRunCourse *c = &run->course;
  if (c->rows && !isfinite(run->work)) run->work = c->work[c->rows - 1];
  if (c->rows && !isfinite(run->spent)) run->spent = c->seconds[c->rows - 1];
}

/* Methods that know no budget of work are found out here. */
static BtStatus check_budget(BtContext *ctx, const BtCompare *all, BtCompareRun *run) {
  char text[160];
  const double budget = (double)all->spec.work;
  if (budget <= 0 || !(run->work > OVER_BUDGET * budget) || run->remark) return BT_OK;
  snprintf(text, sizeof text, "used %.1f times the budget of work", run->work / budget);
  run->remark = bt_copy_text(text);
  return run->remark ? BT_OK : bt_fail_memory(ctx, "a remark", sizeof text);
}

int bt_compare_stochastic(const BtCompare *all, size_t method) {
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (run->method == method && run->state == BT_RUN_FINISHED && run->course.stochastic) return 1;
  }
  return 0;
}

/* A stochastic run's own loss is of other samples; without certificate the loss is of inexact solutions. */
/* Bounds wider than this, relative to the loss, say too little for a loss to be what others are measured by.
 */
static const double largest_width = 0.05;

static int is_sound(const BtCompareRun *run) {
  return strcmp(run->certificate, bt_proof_name(BT_PROOF_NONE)) != 0 &&
         (run->judged || !run->course.stochastic) &&
         run->upper - run->lower <= largest_width * fabs(run->loss);
}

static int same_task(const BtCompareRun *a, const BtCompareRun *b) { return a->seed == b->seed; }

/* The best loss of the runs that share this one's task (seed). */
static void find_best(BtCompare *all, BtCompareRun *run) {
  const BtCompareRun *best = NULL;
  for (int sound = 1; sound >= 0 && !best; sound--)
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *r = &all->runs[i];
      if (r->state != BT_RUN_FINISHED || !same_task(r, run) || !isfinite(r->loss) || (sound && !is_sound(r)))
        continue;
      if (!best || r->loss < best->loss) best = r;
    }
  run->best = best ? best->loss : (double)NAN;
  run->distance = (run->loss - run->best) / fabs(run->best);
  if (!best || !isfinite(best->upper - best->lower) || best->loss == 0) return;
  const double width = (best->upper - best->lower) / fabs(best->loss);
  if (width > all->floor) all->floor = fmin(width, largest_floor);
}

/* From where on all logged losses are within `level` of the best, provided that the final one is. */
static void find_reach(BtCompareRun *run, size_t k) {
  const BtRunCourse *c = &run->course;
  const double limit = run->best + bt_reach_levels[k] * fabs(run->best);
  size_t row = c->rows;
  run->reach_work[k] = run->reach_seconds[k] = (double)NAN;
  /* A stochastic method's log is of other samples than the final loss. */
  if (c->stochastic || !(run->loss <= limit)) return;
  while (row > 0 && c->loss[row - 1] <= limit) row--;
  if (row == c->rows) return;
  run->reach_work[k] = c->work[row];
  run->reach_seconds[k] = c->seconds[row];
}

BtStatus bt_compare_collect(BtContext *ctx, BtCompare *all) {
  all->floor = least_floor;
  all->judged = all->spec.judge != NULL;
  for (size_t i = 0; i < all->run_count; i++) {
    BtCompareRun *run = &all->runs[i];
    run->loss = run->lower = run->upper = run->work = run->spent = run->best = run->distance = (double)NAN;
    run->certificate = bt_proof_name(BT_PROOF_NONE);
    for (size_t k = 0; k < BT_REACH_LEVELS; k++) run->reach_work[k] = run->reach_seconds[k] = (double)NAN;
    if (run->state != BT_RUN_FINISHED) continue;
    const BtStatus st = read_course(ctx, run);
    if (st < 0) return st;
    take_result(run);
    const BtStatus checked = check_budget(ctx, all, run);
    if (checked < 0) return checked;
    all->judged &= run->judged != NULL;
  }
  for (size_t i = 0; i < all->run_count; i++) {
    BtCompareRun *run = &all->runs[i];
    if (run->state != BT_RUN_FINISHED) continue;
    find_best(all, run);
    for (size_t k = 0; k < BT_REACH_LEVELS; k++) find_reach(run, k);
  }
  return BT_OK;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

BtSpread bt_compare_spread(const BtCompare *all, size_t method, double (*value)(const BtCompareRun *run)) {
  const double none = (double)NAN;
  BtSpread spread = {0, none, none, none};
  double *values = calloc(all->run_count + 1, sizeof *values);
  for (size_t i = 0; values && i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    const double x = run->method == method && run->state == BT_RUN_FINISHED ? value(run) : none;
    if (isfinite(x)) values[spread.n++] = x;
  }
  if (spread.n) {
    qsort(values, spread.n, sizeof *values, ascending);
    spread.least = values[0];
    spread.greatest = values[spread.n - 1];
    spread.median = 0.5 * (values[(spread.n - 1) / 2] + values[spread.n / 2]);
  }
  free(values);
  return spread;
}

double bt_compare_distance_of(const BtCompareRun *run) { return run->distance; }
double bt_compare_work_of(const BtCompareRun *run) { return run->work; }
double bt_compare_spent_of(const BtCompareRun *run) { return run->spent; }
double bt_compare_reach_1_of(const BtCompareRun *run) { return run->reach_work[0]; }
double bt_compare_reach_01_of(const BtCompareRun *run) { return run->reach_work[1]; }
double bt_compare_reach_1_seconds_of(const BtCompareRun *run) { return run->reach_seconds[0]; }

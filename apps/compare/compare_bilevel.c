/* Comparisons of bilevel learning: losses with bounds and certificates, and when the best of each task was
 * neared. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_bilevel.h"
#include "core/json.h"

static const double least_floor = 1e-6, largest_floor = 1e-3;

static const char *proof_name(const json_t *result) {
  const char *name = json_string_value(json_object_get(result, "certificate"));
  for (int p = BT_PROOF_NONE; name && p <= BT_PROVEN; p++)
    if (strcmp(name, bt_proof_name((BtProof)p)) == 0) return bt_proof_name((BtProof)p);
  return bt_proof_name(BT_PROOF_NONE);
}

static void take(const BtCompare *all, BtCompareRun *run) {
  (void)all;
  const json_t *from = run->judged ? run->judged : run->result;
  const json_t *bounds = json_object_get(from, "loss_bounds");
  run->loss = bt_compare_number(json_object_get(from, "loss"));
  if (isnan(run->loss)) run->loss = bt_compare_number(json_object_get(from, "valid_loss"));
  run->lower = bt_compare_number(json_array_get(bounds, 0));
  run->upper = bt_compare_number(json_array_get(bounds, 1));
  run->certificate = proof_name(from);
}

int bt_compare_stochastic(const BtCompare *all, size_t method) {
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (run->method == method && run->state == BT_RUN_FINISHED && run->course.stochastic) return 1;
  }
  return 0;
}

/* Bounds wider than this, relative to the loss, say too little for a loss to be what others are measured by.
 */
static const double largest_width = 0.05;

/* A stochastic run's own loss is of other samples; without certificate the loss is of inexact solutions. */
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

static BtStatus rank(BtContext *ctx, BtCompare *all) {
  (void)ctx;
  all->floor = least_floor;
  for (size_t i = 0; i < all->run_count; i++) {
    BtCompareRun *run = &all->runs[i];
    if (run->state != BT_RUN_FINISHED) continue;
    find_best(all, run);
    for (size_t k = 0; k < BT_REACH_LEVELS; k++) find_reach(run, k);
  }
  return BT_OK;
}

BtSpread bt_compare_spread(const BtCompare *all, size_t method, double (*value)(const BtCompareRun *run)) {
  size_t n = 0;
  double *values = calloc(all->run_count + 1, sizeof *values);
  for (size_t i = 0; values && i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    const double x = run->method == method && run->state == BT_RUN_FINISHED ? value(run) : (double)NAN;
    if (isfinite(x)) values[n++] = x;
  }
  const BtSpread spread = bt_compare_spread_of(values, n);
  free(values);
  return spread;
}

double bt_compare_distance_of(const BtCompareRun *run) { return run->distance; }
double bt_compare_work_of(const BtCompareRun *run) { return run->work; }
double bt_compare_spent_of(const BtCompareRun *run) { return run->spent; }
double bt_compare_reach_1_of(const BtCompareRun *run) { return run->reach_work[0]; }
double bt_compare_reach_01_of(const BtCompareRun *run) { return run->reach_work[1]; }
double bt_compare_reach_1_seconds_of(const BtCompareRun *run) { return run->reach_seconds[0]; }

static void put_spread(json_t *object, const char *name, BtSpread s) {
  (void)json_object_set_new(
      object, name,
      json_pack("{s:i, s:o, s:o, s:o}", "runs", (int)s.n, "least", bt_json_real(s.least), "median",
                bt_json_real(s.median), "greatest", bt_json_real(s.greatest)));
}

static void tell(BtApp *app, const BtCompare *all) {
  json_t *methods = json_array();
  bt_app_print(app, "%-24s %5s  %-22s %-22s %s\n", "method", "runs", "distance to the best", "work to 1 %",
               "work to 0.1 %");
  for (size_t m = 0; m < all->spec.method_count; m++) {
    const BtSpread d = bt_compare_spread(all, m, bt_compare_distance_of);
    const BtSpread r1 = bt_compare_spread(all, m, bt_compare_reach_1_of);
    const BtSpread r01 = bt_compare_spread(all, m, bt_compare_reach_01_of);
    json_t *one = json_pack("{s:o}", "name", bt_app_text_json(all->spec.methods[m].name));
    put_spread(one, "distance", d);
    put_spread(one, "work_to_1_percent", r1);
    put_spread(one, "work_to_0.1_percent", r01);
    (void)json_array_append_new(methods, one);
    char distance[48], first[48], second[48];
    snprintf(distance, sizeof distance, d.n ? "%.3g" : "no loss", d.median);
    snprintf(first, sizeof first, r1.n ? "%.4g (%zu of %zu)" : "not reached", r1.median, r1.n, d.n);
    snprintf(second, sizeof second, r01.n ? "%.4g (%zu of %zu)" : "not reached", r01.median, r01.n, d.n);
    bt_app_print(app, "%-24s %5zu  %-22s %-22s %s\n", all->spec.methods[m].name, d.n, distance, first,
                 second);
  }
  bt_app_put(app, "methods", methods);
}

const BtCompareKind bt_compare_bilevel = {
    .work = "gradients and Hessian products",
    .work_key = "lower_iterations",
    .loss_key = {"loss", "loss"},
    .figures = NULL,
    .take = take,
    .rank = rank,
    .tables = bt_bilevel_tables,
    .draw = bt_bilevel_draw,
    .captions =
        {"Distance to the best loss against work, the sum of lower-level gradients and Hessian products over "
         "all images. One line a "
         "run, a dot where it ends.",
         "Distance to the best loss against wall time.",
         "Accuracies over the outer iterations: those asked for, of MAID those reached.",
         "Spread over starts, seeds and swept values. Dots are runs, the large dot is their median, the bar "
         "their range; a cross is a "
         "run that ended at this work without coming within 1 %.",
         "Dependence on the swept option: medians over starts and seeds. Where a run did not come within 1 % "
         "the curve of the work has a gap."},
    .summary = bt_bilevel_summary,
    .runs = bt_bilevel_runs,
    .tell = tell};

/* The runs of a comparison by settings: those that differ by their seeds alone are one. */
#include "compare/compare_settings.h"

#include <math.h>
#include <stdlib.h>

static int is_of(const BtCompareRun *run, const BtCompareSetting *s) {
  return run->method == s->method && run->start == s->start && run->point == s->point;
}

/* Settings in the order of methods, starts and swept values. */
static BtStatus list(BtContext *ctx, BtCompare *all) {
  const BtCompareSpec *spec = &all->spec;
  all->settings = calloc(all->run_count + 1, sizeof *all->settings);
  if (!all->settings) return bt_fail_memory(ctx, "settings", (double)all->run_count * sizeof *all->settings);
  for (size_t m = 0; m < spec->method_count; m++)
    for (size_t start = 0; start < spec->start_count; start++)
      for (size_t point = 0; point < json_array_size(spec->methods[m].points); point++)
        all->settings[all->setting_count++] =
            (BtCompareSetting){.method = m, .start = start, .point = point, .swept = (double)NAN};
  return BT_OK;
}

static void count(BtCompare *all, size_t index) {
  BtCompareSetting *s = &all->settings[index];
  for (size_t i = 0; i < all->run_count; i++) {
    BtCompareRun *run = &all->runs[i];
    if (!is_of(run, s)) continue;
    run->setting = index;
    s->place = run->place;
    s->swept = run->swept;
    s->runs++;
    s->finished += run->state == BT_RUN_FINISHED;
    s->diverged += run->state == BT_RUN_FINISHED && run->diverged;
  }
}

/* Of the number at `offset` in the setting's finished runs. */
static BtSpread spread(const BtCompare *all, const BtCompareSetting *s, size_t offset, double *values) {
  size_t n = 0;
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    const double x = *(const double *)(const void *)((const char *)run + offset);
    if (is_of(run, s) && run->state == BT_RUN_FINISHED && isfinite(x)) values[n++] = x;
  }
  return bt_compare_spread_of(values, n);
}

/* The least mean among those of which every run came to a loss, or else among all; method < 0: any. */
static const BtCompareSetting *find_best(const BtCompare *all, long method) {
  const BtCompareSetting *best = NULL;
  for (int whole = 1; whole >= 0 && !best; whole--)
    for (size_t k = 0; k < all->setting_count; k++) {
      const BtCompareSetting *s = &all->settings[k];
      if ((method >= 0 && s->method != (size_t)method) || s->loss.n == 0 || (whole && s->loss.n < s->runs))
        continue;
      if (!best || s->loss.mean < best->loss.mean) best = s;
    }
  return best;
}

BtStatus bt_compare_settings(BtContext *ctx, BtCompare *all) {
  const BtStatus st = list(ctx, all);
  double *values = calloc(all->run_count + 1, sizeof *values);
  if (st >= 0 && !values) return bt_fail_memory(ctx, "settings", 0);
  for (size_t k = 0; k < all->setting_count; k++) {
    BtCompareSetting *s = &all->settings[k];
    count(all, k);
    s->loss = spread(all, s, offsetof(BtCompareRun, loss), values);
    s->rate = spread(all, s, offsetof(BtCompareRun, rate), values);
    s->work = spread(all, s, offsetof(BtCompareRun, work), values);
    s->seconds = spread(all, s, offsetof(BtCompareRun, spent), values);
    for (size_t f = 0; f < BT_COMPARE_MOST_FIGURES; f++)
      s->figure[f] = spread(all, s, offsetof(BtCompareRun, figure) + f * sizeof(double), values);
  }
  free(values);
  if (st < 0) return st;
  all->best_setting = find_best(all, -1);
  const double best = all->best_setting ? all->best_setting->loss.mean : (double)NAN;
  for (size_t k = 0; k < all->setting_count; k++)
    all->settings[k].distance = (all->settings[k].loss.mean - best) / fabs(best);
  for (size_t i = 0; i < all->run_count; i++) {
    all->runs[i].best = best;
    all->runs[i].distance = (all->runs[i].loss - best) / fabs(best);
  }
  return BT_OK;
}

const BtCompareSetting *bt_compare_best_of(const BtCompare *all, size_t method) {
  return find_best(all, (long)method);
}

int bt_compare_has_figure(const BtCompare *all, size_t figure) {
  for (size_t k = 0; k < all->setting_count; k++)
    if (all->settings[k].figure[figure].n > 0) return 1;
  return 0;
}

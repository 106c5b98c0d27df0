#include "nn/schedule.h"

#include <math.h>

BtStatus nn_schedule_check(BtContext *ctx, const NnSchedule *s) {
  if (!(s->rate > 0) || !isfinite(s->rate))
    return bt_fail(ctx, BT_ERR_ARG, "schedule: rate %g is not positive", s->rate);
  switch (s->kind) {
    case NN_SCHEDULE_CONSTANT: return BT_OK;
    case NN_SCHEDULE_STEP:
      if (!(s->factor > 0)) return bt_fail(ctx, BT_ERR_ARG, "schedule: factor %g is not positive", s->factor);
      if (s->milestone_count < 0 || s->milestone_count > NN_MAX_MILESTONES)
        return bt_fail(ctx, BT_ERR_ARG, "schedule: %d milestones, at most %d", s->milestone_count,
                       NN_MAX_MILESTONES);
      for (int i = 1; i < s->milestone_count; i++)
        if (s->milestone[i] <= s->milestone[i - 1])
          return bt_fail(ctx, BT_ERR_ARG, "schedule: milestones must ascend");
      return BT_OK;
    case NN_SCHEDULE_COSINE:
      if (s->total < 1) return bt_fail(ctx, BT_ERR_ARG, "schedule: total steps must be 1 or more");
      if (!(s->floor >= 0 && s->floor <= s->rate))
        return bt_fail(ctx, BT_ERR_ARG, "schedule: floor %g must be between 0 and the rate %g", s->floor,
                       s->rate);
      return BT_OK;
    case NN_SCHEDULE_ONE_CYCLE:
      if (s->total < 1) return bt_fail(ctx, BT_ERR_ARG, "schedule: total steps must be 1 or more");
      if (!(s->warm_up >= 0 && s->warm_up <= 1))
        return bt_fail(ctx, BT_ERR_ARG, "schedule: warm-up %g must be between 0 and 1", s->warm_up);
      if (!(s->initial_divisor >= 1) || !(s->final_divisor >= 1))
        return bt_fail(ctx, BT_ERR_ARG, "schedule: divisors must be 1 or more");
      return BT_OK;
  }
  return bt_fail(ctx, BT_ERR_ARG, "schedule: no such kind");
}

/* From a at t = 0 to b at t = 1. */
static double half_cosine(double a, double b, double t) {
  const double u = fmin(fmax(t, 0), 1);
  return b + (a - b) * 0.5 * (1 + cos(3.141592653589793 * u));
}

/* Boundaries as in the usual scheduler: the peak is at warm_up·total − 1, the end at total − 1. */
static double one_cycle(const NnSchedule *s, double step) {
  const double start = s->rate / s->initial_divisor, end = start / s->final_divisor;
  const double peak = s->warm_up * (double)s->total - 1, last = (double)s->total - 1;
  if (step <= peak) return half_cosine(start, s->rate, step / peak);
  const double from = fmax(peak, 0);
  return last > from ? half_cosine(s->rate, end, (step - from) / (last - from)) : end;
}

double nn_schedule_rate(const NnSchedule *s, int64_t step) {
  double rate = s->rate;
  switch (s->kind) {
    case NN_SCHEDULE_CONSTANT: break;
    case NN_SCHEDULE_STEP:
      for (int i = 0; i < s->milestone_count && step >= s->milestone[i]; i++) rate *= s->factor;
      break;
    case NN_SCHEDULE_COSINE: return half_cosine(s->rate, s->floor, (double)step / (double)s->total);
    case NN_SCHEDULE_ONE_CYCLE: return one_cycle(s, (double)step);
  }
  return rate;
}

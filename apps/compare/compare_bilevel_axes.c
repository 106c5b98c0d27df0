/* Axes of distances to the best loss, and ranges of what is drawn over them. */
#include <math.h>
#include <stdio.h>

#include "compare/compare_bilevel.h"

double bt_draw_clipped(const BtDraw *p, double distance) {
  return isfinite(distance) ? fmax(distance, p->all->floor) : (double)NAN;
}

double bt_draw_distance(const BtDraw *p, const BtCompareRun *run, size_t row) {
  const double distance = (run->course.loss[row] - run->best) / fabs(run->best);
  /* On samples of its own a method may well fall below the best loss of the task. */
  if (run->course.stochastic && !(distance > p->all->floor)) return (double)NAN;
  return bt_draw_clipped(p, distance);
}

static void put_log_axis(FILE *out, const char *axis) {
  (void)fprintf(out, "set logscale %s\nset format %s '10^{%%T}'\n", axis, axis);
}

void bt_draw_distance_axis(const BtDraw *p) {
  put_log_axis(p->out, "y");
  (void)fprintf(p->out,
                "set yrange [%.6g:%.6g]\nset ylabel '(loss − best) / |best|' textcolor rgb '#222222'\n",
                p->lo * 0.8, p->hi * 1.25);
  for (int k = 0; k < BT_REACH_LEVELS; k++) {
    const double level = bt_reach_levels[k];
    if (level <= p->lo || level >= p->hi) continue;
    (void)fprintf(
        p->out,
        "set arrow %d from graph 0, first %g to graph 1, first %g nohead linecolor rgb '#999999' linewidth "
        "0.8 "
        "dashtype (4,4) back\n"
        "set label %d '%g %%' at graph 0.006, first %g left offset 0,0.45 textcolor rgb '#777777' font "
        "',11'\n",
        10 + k, level, level, 10 + k, 100 * level, level);
  }
}

void bt_draw_drop_levels(FILE *out) {
  for (int k = 0; k < BT_REACH_LEVELS; k++)
    (void)fprintf(out, "unset arrow %d\nunset label %d\n", 10 + k, 10 + k);
}

/* Least and greatest positive value of a column where there is a distance to draw; 0 if there is none. */
int bt_draw_range(const BtDraw *p, size_t offset, double *lo, double *hi) {
  *lo = (double)INFINITY, *hi = 0;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    const double *column = bt_draw_has(run) ? run->course.iteration + offset * run->course.rows : NULL;
    for (size_t r = 0; column && r < run->course.rows; r++) {
      if (!(column[r] > 0) || !isfinite(column[r]) || !isfinite(bt_draw_distance(p, run, r))) continue;
      *lo = fmin(*lo, column[r]);
      *hi = fmax(*hi, column[r]);
    }
  }
  return *hi > 0;
}

/* How results spread over runs, and how they depend on what is swept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_bilevel.h"

#define GRID 64       /* points of a band                                   */
#define LOG_SPAN 20.0 /* greatest / least swept value of a logarithmic axis */

/* Distance of a run once it has done `work`: the last one logged until then; NAN before the first. */
static double distance_after(const BtDraw *p, const BtCompareRun *run, double work) {
  double last = (double)NAN;
  for (size_t row = 0; row < run->course.rows && run->course.work[row] <= work; row++) {
    const double d = bt_draw_distance(p, run, row);
    if (isfinite(d)) last = d;
  }
  return last;
}

/* $bandM: work, least, median, greatest distance of a method's runs; 0 if it has fewer than two. */
static int put_band(const BtDraw *p, size_t method) {
  const BtCompare *all = p->all;
  double from = 0, to = 0;
  size_t n = 0;
  double *values = calloc(all->run_count, sizeof *values);
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (run->method != method || !bt_draw_has(run)) continue;
    const double last = run->course.work[run->course.rows - 1];
    double first = last;
    for (size_t r = run->course.rows; r > 0; r--)
      if (run->course.work[r - 1] > 0) first = run->course.work[r - 1];
    if (!(first > 0)) continue;
    from = fmax(from, first);
    to = fmax(to, last);
    n++;
  }
  if (!values || n < 2 || !(to > from)) {
    free(values);
    return 0;
  }
  (void)fprintf(p->out, "$band%zu << END_OF_RUN\n", method);
  for (int g = 0; g < GRID; g++) {
    const double work = from * pow(to / from, (double)g / (GRID - 1));
    size_t k = 0;
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *run = &all->runs[i];
      if (run->method != method || !bt_draw_has(run)) continue;
      /* The last point of the grid may lie a rounding below the last row. */
      const double d = distance_after(p, run, work * (1 + 1e-9));
      if (isfinite(d)) values[k++] = d;
    }
    if (k == 0) continue;
    const BtSpread s = bt_compare_spread_of(values, k);
    (void)fprintf(p->out, "%.10g %.10g %.10g %.10g\n", work, s.least, s.median, s.greatest);
  }
  (void)fputs("END_OF_RUN\n", p->out);
  free(values);
  return 1;
}

static void put_bands(const BtDraw *p, const int *bands) {
  int first = 1;
  bt_draw_title(p->out, "Median and range over runs");
  bt_draw_distance_axis(p);
  for (size_t m = 0; m < p->all->spec.method_count; m++) {
    if (!bands[m]) continue;
    (void)fprintf(p->out,
                  "%s$band%zu using 1:2:4 with filledcurves fillcolor rgb '%s' fillstyle transparent solid "
                  "0.16 noborder notitle",
                  first ? "plot " : ", ", m, bt_compare_color(m));
    first = 0;
  }
  for (size_t m = 0; m < p->all->spec.method_count; m++) {
    if (!bands[m]) continue;
    (void)fprintf(p->out, ", $band%zu using 1:3 with lines ", m);
    bt_draw_look(p->out, m, 2.2);
    (void)fputs(" notitle", p->out);
  }
  (void)fputc('\n', p->out);
  bt_draw_drop_levels(p->out);
}

/* A line a method: a dot where each run came within 1 %, a cross where one ended without. */
static int put_strip(const BtDraw *p) {
  const BtCompare *all = p->all;
  const size_t count = all->spec.method_count;
  int any = 0;
  for (size_t m = 0; m < count; m++) {
    const BtSpread reach = bt_compare_spread(all, m, bt_compare_reach_1_of);
    (void)fprintf(p->out, "$reached%zu << END_OF_RUN\n", m);
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *run = &all->runs[i];
      if (run->method == m && bt_draw_has(run) && run->reach_work[0] > 0)
        (void)fprintf(p->out, "%.10g %zu\n", run->reach_work[0], count - m), any = 1;
    }
    (void)fprintf(p->out, "NaN %zu\nEND_OF_RUN\n$missed%zu << END_OF_RUN\n", count - m, m);
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *run = &all->runs[i];
      if (run->method == m && bt_draw_has(run) && !(run->reach_work[0] > 0) && run->work > 0 &&
          !run->course.stochastic)
        (void)fprintf(p->out, "%.10g %zu\n", run->work, count - m), any = 1;
    }
    (void)fprintf(p->out, "NaN %zu\nEND_OF_RUN\n$range%zu << END_OF_RUN\n", count - m, m);
    if (reach.n)
      (void)fprintf(p->out, "%.10g %zu %.10g %.10g\n", reach.median, count - m, reach.least, reach.greatest);
    (void)fprintf(p->out, "NaN %zu NaN NaN\nEND_OF_RUN\n", count - m);
  }
  return any;
}

static void put_strips(const BtDraw *p) {
  const size_t count = p->all->spec.method_count;
  bt_draw_title(p->out, "Work to within 1 %");
  (void)fputs("unset logscale y\nunset ylabel\n", p->out);
  bt_draw_names(p);
  for (size_t m = 0; m < count; m++) {
    const char *color = bt_compare_color(m);
    (void)fprintf(
        p->out,
        "%s$range%zu using 3:2:($4-$3):(0) with vectors nohead linecolor rgb '%s' linewidth 2 notitle, "
        "$range%zu using 1:2 with points pointtype 7 pointsize 1.15 linecolor rgb '%s' notitle, "
        "$reached%zu using 1:2 with points pointtype 7 pointsize 0.5 linecolor rgb '%s' notitle, "
        "$missed%zu using 1:2 with points pointtype 2 pointsize 0.6 linewidth 1.4 linecolor rgb '%s' notitle",
        m ? ", " : "plot ", m, color, m, color, m, color, m, color);
  }
  (void)fputc('\n', p->out);
}

int bt_draw_spread(BtDraw *p) {
  int bands[BT_COMPARE_MOST_METHODS] = {0}, any = 0;
  const size_t count = p->all->spec.method_count;
  double lo, hi;
  if (!bt_draw_range(p, BT_AT_WORK, &lo, &hi)) return 0;
  bt_draw_style(p, bt_compare_plot_name(BT_PLOT_SPREAD), (int)(200 + 22 * (count > 6 ? count : 6)));
  for (size_t m = 0; m < count; m++) any |= bands[m] = put_band(p, m);
  if (!put_strip(p)) return 0;
  /* The names of methods need room to the left of the second panel. */
  const double left = 0.095, right = 0.985;
  const double room = fmin(0.45, 0.055 + bt_draw_names_width(p->all) / BT_DRAW_WIDTH);
  const double width = 0.5 * (right - left - room);
  bt_draw_x_label(p->out, "work");
  bt_draw_log_axis(p->out, "x", lo, hi);
  (void)fputs("set multiplot\n", p->out);
  if (any) {
    bt_draw_panel(p, left, left + width);
    put_bands(p, bands);
    bt_draw_drop_legend(p);
  }
  bt_draw_panel(p, any ? right - width : room, right);
  put_strips(p);
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

/* $sweepM: swept value, work to 1 %, final distance; medians over the runs with one value. */
static void put_sweep_data(const BtDraw *p, size_t method) {
  const BtCompare *all = p->all;
  double *work = calloc(2 * all->run_count, sizeof *work), *distance = work + all->run_count;
  (void)fprintf(p->out, "$sweep%zu << END_OF_RUN\n", method);
  for (size_t point = 0; work && point < json_array_size(all->spec.methods[method].points); point++) {
    size_t n = 0, k = 0, missed = 0;
    double x = (double)NAN;
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *run = &all->runs[i];
      if (run->method != method || run->point != point || !bt_draw_has(run)) continue;
      x = run->swept;
      if (isfinite(run->distance)) distance[k++] = bt_draw_clipped(p, run->distance);
      if (run->reach_work[0] > 0)
        work[n++] = run->reach_work[0];
      else
        missed++;
    }
    if (!isfinite(x)) continue;
    bt_draw_number(p->out, x);
    /* A median over runs of which some did not get there would flatter. */
    bt_draw_number(p->out, missed ? (double)NAN : bt_compare_spread_of(work, n).median);
    bt_draw_number(p->out, bt_compare_spread_of(distance, k).median);
    (void)fputc('\n', p->out);
  }
  (void)fputs("NaN NaN NaN\nEND_OF_RUN\n", p->out);
  free(work);
}

static void put_sweep_curves(const BtDraw *p, int column) {
  for (size_t m = 0; m < p->all->spec.method_count; m++) {
    (void)fprintf(p->out, "%s$sweep%zu using 1:%d with linespoints pointtype 7 pointsize 0.6 ",
                  m ? ", " : "plot ", m, column);
    bt_draw_look(p->out, m, 1.9);
    (void)fputs(" notitle", p->out);
  }
  (void)fputc('\n', p->out);
}

int bt_draw_sweep(BtDraw *p) {
  const BtCompare *all = p->all;
  double lo = (double)INFINITY, hi = -lo, least = lo, most = 0;
  if (!all->spec.axis) return 0;
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (!bt_draw_has(run) || !isfinite(run->swept)) continue;
    lo = fmin(lo, run->swept);
    hi = fmax(hi, run->swept);
    if (!(run->reach_work[0] > 0)) continue;
    least = fmin(least, run->reach_work[0]);
    most = fmax(most, run->reach_work[0]);
  }
  if (!(hi > lo)) return 0;
  bt_draw_style(p, bt_compare_plot_name(BT_PLOT_SWEEP), 360);
  for (size_t m = 0; m < all->spec.method_count; m++) put_sweep_data(p, m);
  if (lo > 0 && hi > LOG_SPAN * lo)
    bt_draw_log_axis(p->out, "x", lo, hi);
  else
    (void)fprintf(p->out, "set xrange [%.6g:%.6g]\n", lo - 0.04 * (hi - lo), hi + 0.04 * (hi - lo));
  bt_draw_x_label(p->out, all->spec.axis);
  (void)fputs("set multiplot\n", p->out);
  if (most > 0) {
    bt_draw_panel(p, 0.085, 0.46);
    bt_draw_title(p->out, "Work to within 1 %");
    bt_draw_log_axis(p->out, "y", least / 1.3, most * 1.3);
    put_sweep_curves(p, 2);
    bt_draw_drop_legend(p);
    (void)fputs("set ytics autofreq\n", p->out);
  }
  bt_draw_panel(p, most > 0 ? 0.59 : 0.095, 0.985);
  bt_draw_title(p->out, "Final loss");
  bt_draw_distance_axis(p);
  put_sweep_curves(p, 3);
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

/* The comparison as pictures, through gnuplot. A method has one colour and one dash pattern in all of them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "core/file.h"
#include "gnuplot.h"

#define MOST_ROWS 300 /* of a run's curve in a picture                    */
#define FIRST_ROWS 60 /* of these, at the beginning, where most happens   */
#define GRID 64       /* points of a band                                 */
#define LOG_SPAN 20.0 /* greatest / least swept value of a logarithmic axis */

/* Okabe and Ito's colours that stand out on white and on black, told apart by colour-blind readers. */
static const char *const colors[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};
/* For gnuplot and for SVG. */
static const char *const dashes[][2] = {
    {"1", ""}, {"(12,5)", "7 3"}, {"(3,4)", "2 2.5"}, {"(14,4,3,4)", "8 2.5 2 2.5"}};
enum { COLORS = sizeof colors / sizeof *colors, DASHES = sizeof dashes / sizeof *dashes };

const char *bt_compare_color(size_t method) { return colors[method % COLORS]; }
const char *bt_compare_dash(size_t method) { return dashes[method / COLORS % DASHES][1]; }
static const char *gnuplot_dash(size_t method) { return dashes[method / COLORS % DASHES][0]; }

const char *bt_compare_plot_name(int plot) {
  static const char *const names[] = {"loss_work", "loss_seconds", "accuracies", "spread", "sweep"};
  return names[plot];
}

typedef struct {
  const BtCompare *all;
  FILE *out;
  double lo, hi; /* of the distance axis */
  int crowded;   /* many runs a method   */
} Plot;

static int drawn(const BtCompareRun *run) { return run->state == BT_RUN_FINISHED && run->course.rows > 0; }

static double clipped(const Plot *p, double distance) {
  return isfinite(distance) ? fmax(distance, p->all->floor) : (double)NAN;
}

static double distance_at(const Plot *p, const BtCompareRun *run, size_t row) {
  return clipped(p, (run->course.loss[row] - run->best) / fabs(run->best));
}

static void put(FILE *out, double x) {
  if (isfinite(x))
    (void)fprintf(out, " %.10g", x);
  else
    (void)fputs(" NaN", out);
}

/* NaN where a logarithmic axis has no place. */
static double positive(double x) { return x > 0 ? x : (double)NAN; }

/* Columns of $runN, and of $endN with the last row alone: iteration, work, seconds, distance, ε, δ. */
static void put_row(const Plot *p, const BtCompareRun *run, size_t row) {
  const BtRunCourse *c = &run->course;
  put(p->out, c->iteration[row]);
  put(p->out, positive(c->work[row]));
  put(p->out, positive(c->seconds[row]));
  put(p->out, distance_at(p, run, row));
  put(p->out, positive(c->eps[row]));
  put(p->out, positive(c->delta[row]));
  (void)fputc('\n', p->out);
}

static void put_run(const Plot *p, const BtCompareRun *run) {
  const size_t rows = run->course.rows;
  const size_t stride = rows > MOST_ROWS ? rows / (MOST_ROWS - FIRST_ROWS) + 1 : 1;
  (void)fprintf(p->out, "$run%zu << END_OF_RUN\n", run->index);
  for (size_t row = 0; row < rows; row++)
    if (row < FIRST_ROWS || row % stride == 0 || row + 1 == rows) put_row(p, run, row);
  (void)fprintf(p->out, "END_OF_RUN\n$end%zu << END_OF_RUN\n", run->index);
  put_row(p, run, rows - 1);
  (void)fputs("END_OF_RUN\n", p->out);
}

static void put_style(const Plot *p, const char *name, int width, int height) {
  (void)fprintf(
      p->out,
      "set encoding utf8\n"
      "set terminal svg size %d,%d dynamic enhanced font 'Helvetica,Arial,sans-serif,13' name '%s' "
      "background rgb 'white'\n"
      "set datafile missing 'NaN'\n"
      "set style line 9 linecolor rgb '#E3E3E3' linewidth 0.6\nset grid linestyle 9\n"
      "set border 3 linecolor rgb '#444444'\nset tics nomirror out scale 0.6 textcolor rgb '#222222'\n"
      "set key below horizontal Left reverse samplen 2.4 spacing 1.15 noenhanced textcolor rgb '#222222'\n",
      width, height, name);
}

static void put_log_axis(FILE *out, const char *axis) {
  (void)fprintf(out, "set logscale %s\nset format %s '10^{%%T}'\n", axis, axis);
}

static void put_distance_axis(const Plot *p) {
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
        "set label %d '%g %%' at graph 1, first %g right offset 0,0.5 textcolor rgb '#777777' font ',11'\n",
        10 + k, level, level, 10 + k, 100 * level, level);
  }
}

static void drop_levels(FILE *out) {
  for (int k = 0; k < BT_REACH_LEVELS; k++)
    (void)fprintf(out, "unset arrow %d\nunset label %d\n", 10 + k, 10 + k);
}

static void put_look(FILE *out, size_t method, double width) {
  (void)fprintf(out, "linecolor rgb '%s' dashtype %s linewidth %g", bt_compare_color(method),
                gnuplot_dash(method), width);
}

/* One entry a method that has runs to show. */
static void put_key(const Plot *p) {
  for (size_t m = 0; m < p->all->spec.method_count; m++) {
    int shown = 0;
    for (size_t i = 0; i < p->all->run_count; i++)
      shown |= p->all->runs[i].method == m && drawn(&p->all->runs[i]);
    if (!shown) continue;
    (void)fputs(", keyentry with lines ", p->out);
    put_look(p->out, m, 2.2);
    (void)fputs(" title ", p->out);
    bt_gnuplot_quote(p->out, p->all->spec.methods[m].name);
  }
}

/* All runs' column y over column x; the runs of one method alike, a dot where each ends. */
static void put_curves(const Plot *p, int x, int y, int with_key) {
  int first = 1;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!drawn(run)) continue;
    (void)fprintf(p->out, "%s$run%zu using %d:%d with lines ", first ? "plot " : ", ", run->index, x, y);
    put_look(p->out, run->method, p->crowded ? 1.2 : 1.9);
    (void)fputs(" notitle", p->out);
    first = 0;
  }
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!drawn(run)) continue;
    (void)fprintf(p->out,
                  ", $end%zu using %d:%d with points pointtype 7 pointsize 0.5 linecolor rgb '%s' notitle",
                  run->index, x, y, bt_compare_color(run->method));
  }
  if (with_key) put_key(p);
  (void)fputc('\n', p->out);
}

static int has_positive(const Plot *p, size_t offset) {
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    const double *column = drawn(run) ? run->course.iteration + offset * run->course.rows : NULL;
    for (size_t r = 0; column && r < run->course.rows; r++)
      if (column[r] > 0 && isfinite(column[r]) && isfinite(distance_at(p, run, r))) return 1;
  }
  return 0;
}

enum { AT_EPS = 2, AT_DELTA = 3, AT_WORK = 4, AT_SECONDS = 5 }; /* columns of a course */

static int loss_plot(const Plot *p, int plot) {
  const int seconds = plot == BT_PLOT_SECONDS;
  if (!has_positive(p, seconds ? AT_SECONDS : AT_WORK)) return 0;
  put_style(p, bt_compare_plot_name(plot), 820, 470);
  put_log_axis(p->out, "x");
  (void)fprintf(p->out, "set xlabel '%s' textcolor rgb '#222222'\n",
                seconds ? "seconds" : "work: lower-level gradients and Hessian products");
  if (seconds) (void)fputs("set format x '%g'\n", p->out);
  put_distance_axis(p);
  put_curves(p, seconds ? 3 : 2, 4, 1);
  return 1;
}

static void put_panel_title(FILE *out, const char *title) {
  (void)fprintf(out, "set label 1 '{/:Bold %s}' at graph 0, 1.07 left textcolor rgb '#222222'\n", title);
}

static int accuracy_plot(const Plot *p) {
  const int eps = has_positive(p, AT_EPS), delta = has_positive(p, AT_DELTA);
  if (!eps && !delta) return 0;
  put_style(p, bt_compare_plot_name(BT_PLOT_ACCURACIES), 820, 400);
  put_log_axis(p->out, "y");
  (void)fprintf(p->out,
                "set xlabel 'outer iteration' textcolor rgb '#222222'\nset multiplot layout 1,%d margins "
                "0.075, 0.985, 0.25, 0.91 "
                "spacing 0.09, 0\n",
                eps + delta);
  if (eps) {
    put_panel_title(p->out, "Lower-level accuracy ε");
    (void)fputs(delta ? "unset key\n" : "", p->out);
    put_curves(p, 1, 5, !delta);
  }
  if (delta) {
    put_panel_title(p->out, "Adjoint accuracy δ");
    /* One legend for both panels, under their middle. */
    (void)fprintf(p->out,
                  "set key at screen 0.5, screen 0.06 center center horizontal Left reverse samplen 2.4 "
                  "noenhanced textcolor rgb '#222222'\n");
    put_curves(p, 1, 6, 1);
  }
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Distance of a run once it has done `work`: the last one logged until then; NAN before the first. */
static double distance_after(const Plot *p, const BtCompareRun *run, double work) {
  double last = (double)NAN;
  for (size_t row = 0; row < run->course.rows && run->course.work[row] <= work; row++) {
    const double d = distance_at(p, run, row);
    if (isfinite(d)) last = d;
  }
  return last;
}

/* $bandM: work, least, median, greatest distance of a method's runs; 0 if it has fewer than two. */
static int put_band(const Plot *p, size_t method) {
  const BtCompare *all = p->all;
  double from = 0, to = 0;
  size_t n = 0;
  double *values = calloc(all->run_count, sizeof *values);
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (run->method != method || !drawn(run)) continue;
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
      if (run->method != method || !drawn(run)) continue;
      /* The last point of the grid may lie a rounding below the last row. */
      const double d = distance_after(p, run, work * (1 + 1e-9));
      if (isfinite(d)) values[k++] = d;
    }
    if (k == 0) continue;
    qsort(values, k, sizeof *values, ascending);
    (void)fprintf(p->out, "%.10g %.10g %.10g %.10g\n", work, values[0],
                  0.5 * (values[(k - 1) / 2] + values[k / 2]), values[k - 1]);
  }
  (void)fputs("END_OF_RUN\n", p->out);
  free(values);
  return 1;
}

static void put_bands(const Plot *p, const int *bands) {
  int first = 1;
  put_panel_title(p->out, "Median and range over runs");
  put_log_axis(p->out, "x");
  put_distance_axis(p);
  (void)fputs("unset key\nset xlabel 'work' textcolor rgb '#222222'\n", p->out);
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
    put_look(p->out, m, 2.2);
    (void)fputs(" notitle", p->out);
  }
  (void)fputc('\n', p->out);
  drop_levels(p->out);
}

/* A line a method: a dot where each run came within 1 %, a cross where one ended without. */
static int put_strip(const Plot *p) {
  const BtCompare *all = p->all;
  const size_t count = all->spec.method_count;
  int any = 0;
  for (size_t m = 0; m < count; m++) {
    const BtSpread reach = bt_compare_spread(all, m, bt_compare_reach_1_of);
    (void)fprintf(p->out, "$reached%zu << END_OF_RUN\n", m);
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *run = &all->runs[i];
      if (run->method == m && drawn(run) && run->reach_work[0] > 0)
        (void)fprintf(p->out, "%.10g %zu\n", run->reach_work[0], count - m), any = 1;
    }
    (void)fprintf(p->out, "NaN %zu\nEND_OF_RUN\n$missed%zu << END_OF_RUN\n", count - m, m);
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *run = &all->runs[i];
      if (run->method == m && drawn(run) && !(run->reach_work[0] > 0) && run->work > 0)
        (void)fprintf(p->out, "%.10g %zu\n", run->work, count - m), any = 1;
    }
    (void)fprintf(p->out, "NaN %zu\nEND_OF_RUN\n$range%zu << END_OF_RUN\n", count - m, m);
    if (reach.n)
      (void)fprintf(p->out, "%.10g %zu %.10g %.10g\n", reach.median, count - m, reach.least, reach.greatest);
    (void)fprintf(p->out, "NaN %zu NaN NaN\nEND_OF_RUN\n", count - m);
  }
  return any;
}

static void put_strips(const Plot *p) {
  const size_t count = p->all->spec.method_count;
  put_panel_title(p->out, "Work to within 1 % (● reached, × ended without)");
  put_log_axis(p->out, "x");
  (void)fprintf(p->out,
                "unset key\nunset logscale y\nset yrange [0.4:%zu.6]\nunset ylabel\nset xlabel 'work' "
                "textcolor rgb '#222222'\nset ytics (",
                count);
  for (size_t m = 0; m < count; m++) {
    (void)fputs(m ? ", " : "", p->out);
    bt_gnuplot_quote(p->out, p->all->spec.methods[m].name);
    (void)fprintf(p->out, " %zu", count - m);
  }
  (void)fputs(") noenhanced\n", p->out);
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

static size_t longest_name(const BtCompare *all) {
  size_t longest = 0;
  for (size_t m = 0; m < all->spec.method_count; m++)
    if (strlen(all->spec.methods[m].name) > longest) longest = strlen(all->spec.methods[m].name);
  return longest;
}

static int spread_plot(const Plot *p) {
  int bands[BT_COMPARE_MOST_METHODS] = {0}, any = 0;
  const size_t count = p->all->spec.method_count;
  put_style(p, bt_compare_plot_name(BT_PLOT_SPREAD), 820, (int)(250 + 22 * (count > 6 ? count : 6)));
  for (size_t m = 0; m < count; m++) any |= bands[m] = put_band(p, m);
  if (!put_strip(p)) return 0;
  /* The names of methods need room to the left of the second panel. */
  const double room = fmin(0.25, 0.03 + 0.0088 * (double)longest_name(p->all));
  (void)fputs("set multiplot\n", p->out);
  if (any) {
    (void)fputs(
        "set lmargin at screen 0.085\nset rmargin at screen 0.49\nset bmargin at screen 0.17\nset tmargin at "
        "screen 0.89\n",
        p->out);
    put_bands(p, bands);
  }
  (void)fprintf(p->out,
                "set lmargin at screen %.3f\nset rmargin at screen 0.985\nset bmargin at screen 0.17\nset "
                "tmargin at screen 0.89\n",
                any ? 0.51 + room : 0.02 + room);
  put_strips(p);
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

/* $sweepM: swept value, work to 1 %, final distance; medians over the runs with one value. */
static void put_sweep_data(const Plot *p, size_t method) {
  const BtCompare *all = p->all;
  double *work = calloc(2 * all->run_count, sizeof *work), *distance = work + all->run_count;
  (void)fprintf(p->out, "$sweep%zu << END_OF_RUN\n", method);
  for (size_t point = 0; work && point < json_array_size(all->spec.methods[method].points); point++) {
    size_t n = 0, k = 0, missed = 0;
    double x = (double)NAN;
    for (size_t i = 0; i < all->run_count; i++) {
      const BtCompareRun *run = &all->runs[i];
      if (run->method != method || run->point != point || !drawn(run)) continue;
      x = run->swept;
      if (isfinite(run->distance)) distance[k++] = clipped(p, run->distance);
      if (run->reach_work[0] > 0)
        work[n++] = run->reach_work[0];
      else
        missed++;
    }
    if (!isfinite(x)) continue;
    qsort(work, n, sizeof *work, ascending);
    qsort(distance, k, sizeof *distance, ascending);
    put(p->out, x);
    /* A median over runs of which some did not get there would flatter. */
    put(p->out, n && !missed ? 0.5 * (work[(n - 1) / 2] + work[n / 2]) : (double)NAN);
    put(p->out, k ? 0.5 * (distance[(k - 1) / 2] + distance[k / 2]) : (double)NAN);
    (void)fputc('\n', p->out);
  }
  (void)fputs("NaN NaN NaN\nEND_OF_RUN\n", p->out);
  free(work);
}

static void put_sweep_curves(const Plot *p, int column, int with_key) {
  for (size_t m = 0; m < p->all->spec.method_count; m++) {
    (void)fprintf(p->out, "%s$sweep%zu using 1:%d with linespoints pointtype 7 pointsize 0.6 ",
                  m ? ", " : "plot ", m, column);
    put_look(p->out, m, 1.9);
    if (with_key) {
      (void)fputs(" title ", p->out);
      bt_gnuplot_quote(p->out, p->all->spec.methods[m].name);
    } else {
      (void)fputs(" notitle", p->out);
    }
  }
  (void)fputc('\n', p->out);
}

static int sweep_plot(const Plot *p) {
  const BtCompare *all = p->all;
  double lo = (double)INFINITY, hi = -lo, least = lo, most = 0;
  int any_work = 0;
  if (!all->spec.axis) return 0;
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (!drawn(run) || !isfinite(run->swept)) continue;
    lo = fmin(lo, run->swept);
    hi = fmax(hi, run->swept);
    if (!(run->reach_work[0] > 0)) continue;
    any_work = 1;
    least = fmin(least, run->reach_work[0]);
    most = fmax(most, run->reach_work[0]);
  }
  if (!(hi > lo)) return 0;
  put_style(p, bt_compare_plot_name(BT_PLOT_SWEEP), 820, 400);
  for (size_t m = 0; m < all->spec.method_count; m++) put_sweep_data(p, m);
  if (lo > 0 && hi > LOG_SPAN * lo) {
    put_log_axis(p->out, "x");
    (void)fprintf(p->out, "set xrange [%.6g:%.6g]\n", lo / pow(hi / lo, 0.04), hi * pow(hi / lo, 0.04));
  }
  (void)fprintf(p->out, "set xlabel ");
  bt_gnuplot_quote(p->out, all->spec.axis);
  (void)fprintf(p->out,
                " noenhanced textcolor rgb '#222222'\nset multiplot layout 1,%d margins 0.085, 0.985, 0.27, "
                "0.9 spacing 0.11, 0\n",
                any_work ? 2 : 1);
  (void)fputs("unset key\n", p->out);
  if (any_work) {
    put_panel_title(p->out, "Work to within 1 %");
    put_log_axis(p->out, "y");
    (void)fprintf(p->out, "set yrange [%.6g:%.6g]\n", least / 1.6, most * 1.6);
    put_sweep_curves(p, 2, 0);
  }
  put_panel_title(p->out, "Final loss");
  put_distance_axis(p);
  (void)fputs(
      "set key at screen 0.5, screen 0.06 center center horizontal Left reverse samplen 2.4 noenhanced "
      "textcolor rgb '#222222'\n",
      p->out);
  put_sweep_curves(p, 3, 1);
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

static int write_script(const Plot *p, int plot) {
  for (size_t i = 0; i < p->all->run_count; i++)
    if (drawn(&p->all->runs[i])) put_run(p, &p->all->runs[i]);
  switch (plot) {
    case BT_PLOT_WORK:
    case BT_PLOT_SECONDS: return loss_plot(p, plot);
    case BT_PLOT_ACCURACIES: return accuracy_plot(p);
    case BT_PLOT_SPREAD: return spread_plot(p);
    default: return sweep_plot(p);
  }
}

static void find_range(Plot *p) {
  size_t runs = 0;
  p->lo = p->hi = p->all->floor;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!drawn(run)) continue;
    runs++;
    for (size_t r = 0; r < run->course.rows; r++) {
      const double d = distance_at(p, run, r);
      if (d > p->hi) p->hi = d;
    }
  }
  if (p->hi <= 10 * p->lo) p->hi = 10 * p->lo;
  p->crowded = runs > 2 * p->all->spec.method_count;
}

static BtStatus draw(BtContext *ctx, const BtCompare *all, int plot, const char *folder,
                     BtComparePlot *picture) {
  Plot p = {.all = all};
  BtStatus st = BT_OK;
  char *script = NULL, name[64], *path = NULL;
  size_t size = 0;
  FILE *svg = NULL;
  int any = 0;
  p.out = open_memstream(&script, &size);
  if (!p.out) return bt_fail_memory(ctx, "a plot", 0);
  find_range(&p);
  any = write_script(&p, plot);
  if (fclose(p.out) != 0) BT_TRY(bt_fail_memory(ctx, "a plot", (double)size));
  if (!any) goto done;
  snprintf(name, sizeof name, "%s.svg", bt_compare_plot_name(plot));
  path = bt_path_join(folder, name);
  svg = open_memstream(&picture->svg, &picture->size);
  if (!path || !svg) BT_TRY(bt_fail_memory(ctx, "a plot", 0));
  st = bt_gnuplot(ctx, script, size, svg, path);
  if (fclose(svg) != 0 && st >= 0) st = bt_fail_memory(ctx, "a plot", 0);
  svg = NULL;
  BT_TRY(st);
  BT_TRY(bt_file_write(ctx, path, picture->svg, picture->size));
done:
  if (svg) (void)fclose(svg);
  free(script);
  free(path);
  return st;
}

BtStatus bt_compare_plots(BtContext *ctx, const BtCompare *all, BtComparePlot *plots) {
  char *folder = bt_path_join(all->output, "plots");
  BtStatus st = folder ? bt_make_folder(ctx, folder) : bt_fail_memory(ctx, "plots", 0);
  for (int k = 0; k < BT_PLOT_COUNT && st >= 0; k++) st = draw(ctx, all, k, folder, &plots[k]);
  if (st < 0) bt_compare_plots_clear(plots);
  free(folder);
  return st;
}

void bt_compare_plots_clear(BtComparePlot *plots) {
  for (int k = 0; k < BT_PLOT_COUNT; k++) {
    free(plots[k].svg);
    plots[k] = (BtComparePlot){NULL, 0};
  }
}

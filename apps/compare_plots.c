/* The comparison as pictures, through gnuplot. A method has one colour and one dash pattern in all of them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_draw.h"
#include "core/file.h"
#include "gnuplot.h"

#define MOST_ROWS 300  /* of a run's curve in a picture                    */
#define FIRST_ROWS 60  /* of these, at the beginning, where most happens   */
#define LEGEND_ROW 22  /* height of a row of the legend, px                */
#define LEGEND_BASE 70 /* room for an axis below a panel, px               */
#define LEGEND_LINE 28 /* its sample of line                               */
#define LEGEND_GAP 8
#define LEGEND_SPACE 26 /* between two entries                              */
#define LEGEND_TAG ((size_t)1000)
#define FEW_DECADES 60.0 /* greatest / least value below which an axis has tics at 1, 2, 5 */

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

int bt_draw_has(const BtCompareRun *run) { return run->state == BT_RUN_FINISHED && run->course.rows > 0; }

double bt_draw_clipped(const BtDraw *p, double distance) {
  return isfinite(distance) ? fmax(distance, p->all->floor) : (double)NAN;
}

double bt_draw_distance(const BtDraw *p, const BtCompareRun *run, size_t row) {
  const double distance = (run->course.loss[row] - run->best) / fabs(run->best);
  /* On samples of its own a method may well fall below the best loss of the task. */
  if (run->course.stochastic && !(distance > p->all->floor)) return (double)NAN;
  return bt_draw_clipped(p, distance);
}

void bt_draw_number(FILE *out, double x) {
  if (isfinite(x))
    (void)fprintf(out, " %.10g", x);
  else
    (void)fputs(" NaN", out);
}

/* NaN where a logarithmic axis has no place. */
static double positive(double x) { return x > 0 ? x : (double)NAN; }

/* Columns of $runN, and of $endN with the last row alone: iteration, work, seconds, distance, ε, δ. */
static void put_row(const BtDraw *p, const BtCompareRun *run, size_t row) {
  const BtRunCourse *c = &run->course;
  bt_draw_number(p->out, c->iteration[row]);
  bt_draw_number(p->out, positive(c->work[row]));
  bt_draw_number(p->out, positive(c->seconds[row]));
  bt_draw_number(p->out, bt_draw_distance(p, run, row));
  bt_draw_number(p->out, positive(c->eps[row]));
  bt_draw_number(p->out, positive(c->delta[row]));
  (void)fputc('\n', p->out);
}

static void put_run(const BtDraw *p, const BtCompareRun *run) {
  const size_t rows = run->course.rows;
  const size_t stride = rows > MOST_ROWS ? rows / (MOST_ROWS - FIRST_ROWS) + 1 : 1;
  (void)fprintf(p->out, "$run%zu << END_OF_RUN\n", run->index);
  for (size_t row = 0; row < rows; row++)
    if (row < FIRST_ROWS || row % stride == 0 || row + 1 == rows) put_row(p, run, row);
  (void)fprintf(p->out, "END_OF_RUN\n$end%zu << END_OF_RUN\n", run->index);
  put_row(p, run, rows - 1);
  (void)fputs("END_OF_RUN\n", p->out);
}

void bt_draw_look(FILE *out, size_t method, double width) {
  (void)fprintf(out, "linecolor rgb '%s' dashtype %s linewidth %g", bt_compare_color(method),
                gnuplot_dash(method), width);
}

static int shown(const BtCompare *all, size_t method) {
  for (size_t i = 0; i < all->run_count; i++)
    if (all->runs[i].method == method && bt_draw_has(&all->runs[i])) return 1;
  return 0;
}

/* Characters of UTF-8 text. */
static int text_length(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

static int entry_width(const BtCompare *all, size_t method) {
  return LEGEND_LINE + LEGEND_GAP + (int)(BT_DRAW_LETTER * text_length(all->spec.methods[method].name));
}

/* Takes methods from *next on as long as they fit into a row; their width. */
static int take_row(const BtCompare *all, size_t *next) {
  int width = 0;
  for (; *next < all->spec.method_count; ++*next) {
    if (!shown(all, *next)) continue;
    const int more = entry_width(all, *next) + (width ? LEGEND_SPACE : 0);
    if (width && width + more > BT_DRAW_WIDTH - 2 * LEGEND_SPACE) break;
    width += more;
  }
  return width;
}

/* gnuplot's own legends break ugly over panels: this one is centred under all of them. */
static void put_legend(BtDraw *p) {
  const BtCompare *all = p->all;
  int rows = 0, row = 0;
  for (size_t m = 0; m < all->spec.method_count; rows++) (void)take_row(all, &m);
  const int panel = p->height;
  p->height += rows * LEGEND_ROW;
  p->bottom = (double)(rows * LEGEND_ROW + LEGEND_BASE) / p->height;
  for (size_t m = 0; m < all->spec.method_count; row++) {
    size_t end = m;
    const int width = take_row(all, &end);
    double x = 0.5 * (BT_DRAW_WIDTH - width);
    const double y = 1 - (panel + (row + 0.5) * LEGEND_ROW) / p->height;
    for (; m < end; m++) {
      if (!shown(all, m)) continue;
      (void)fprintf(p->out, "set arrow %zu from screen %.4f,%.4f to screen %.4f,%.4f nohead front ",
                    LEGEND_TAG + m, x / BT_DRAW_WIDTH, y, (x + LEGEND_LINE) / BT_DRAW_WIDTH, y);
      bt_draw_look(p->out, m, 2.2);
      (void)fprintf(p->out, "\nset label %zu ", LEGEND_TAG + m);
      bt_gnuplot_quote(p->out, all->spec.methods[m].name);
      (void)fprintf(p->out, " at screen %.4f,%.4f left noenhanced textcolor rgb '#222222'\n",
                    (x + LEGEND_LINE + LEGEND_GAP) / BT_DRAW_WIDTH, y);
      x += entry_width(all, m) + LEGEND_SPACE;
    }
  }
}

/* Later panels of a picture must not draw it again. */
void bt_draw_drop_legend(const BtDraw *p) {
  for (size_t m = 0; m < p->all->spec.method_count; m++)
    if (shown(p->all, m))
      (void)fprintf(p->out, "unset arrow %zu\nunset label %zu\n", LEGEND_TAG + m, LEGEND_TAG + m);
}

/* Terminal and what all panels share; `height` without the legend. */
void bt_draw_style(BtDraw *p, const char *name, int height) {
  p->height = height;
  put_legend(p);
  (void)fprintf(
      p->out,
      "set encoding utf8\n"
      "set terminal svg size %d,%d dynamic enhanced font 'Helvetica,Arial,sans-serif,13' name '%s' "
      "background rgb 'white'\n"
      "set datafile missing 'NaN'\nunset key\n"
      "set style line 9 linecolor rgb '#E3E3E3' linewidth 0.6\nset grid linestyle 9\n"
      "set border 3 linecolor rgb '#444444'\nset tics nomirror out scale 0.6 textcolor rgb '#222222'\n",
      BT_DRAW_WIDTH, p->height, name);
}

void bt_draw_panel(const BtDraw *p, double left, double right) {
  (void)fprintf(p->out,
                "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset bmargin at screen %.4f\nset "
                "tmargin at screen %.4f\n",
                left, right, p->bottom, 1 - 40.0 / p->height);
}

/* A logarithmic axis from lo to hi with some air; tics at 1, 2, 5 where there are few decades. */
void bt_draw_log_axis(FILE *out, const char *axis, double lo, double hi) {
  const double air = fmax(1.12, pow(hi / lo, 0.03));
  lo /= air, hi *= air;
  (void)fprintf(out, "set logscale %s\nset %srange [%.6g:%.6g]\n", axis, axis, lo, hi);
  if (hi / lo > FEW_DECADES) {
    (void)fprintf(out, "set %stics autofreq\nset format %s '10^{%%T}'\n", axis, axis);
    return;
  }
  (void)fprintf(out, "set format %s '%%g'\nset %stics (", axis, axis);
  int count = 0;
  for (int power = (int)floor(log10(lo)); power <= (int)ceil(log10(hi)); power++)
    for (int k = 0; k < 3; k++) {
      static const double steps[] = {1, 2, 5};
      const double x = steps[k] * pow(10, power);
      if (x >= lo && x <= hi) (void)fprintf(out, "%s%.10g", count++ ? ", " : "", x);
    }
  (void)fputs(count ? ")\n" : ") \n", out);
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

/* All runs' column y over column x; the runs of one method alike, a dot where each ends. */
static void put_curves(const BtDraw *p, int x, int y) {
  int first = 1;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!bt_draw_has(run)) continue;
    (void)fprintf(p->out, "%s$run%zu using %d:%d with lines ", first ? "plot " : ", ", run->index, x, y);
    bt_draw_look(p->out, run->method, p->crowded ? 1.2 : 1.9);
    (void)fputs(" notitle", p->out);
    first = 0;
  }
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!bt_draw_has(run)) continue;
    (void)fprintf(p->out,
                  ", $end%zu using %d:%d with points pointtype 7 pointsize 0.5 linecolor rgb '%s' notitle",
                  run->index, x, y, bt_compare_color(run->method));
  }
  (void)fputc('\n', p->out);
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

void bt_draw_x_label(FILE *out, const char *text) {
  (void)fputs("set xlabel ", out);
  bt_gnuplot_quote(out, text);
  (void)fputs(" noenhanced textcolor rgb '#222222'\n", out);
}

static int loss_plot(BtDraw *p, int plot) {
  const int seconds = plot == BT_PLOT_SECONDS;
  double lo, hi;
  if (!bt_draw_range(p, seconds ? BT_AT_SECONDS : BT_AT_WORK, &lo, &hi)) return 0;
  bt_draw_style(p, bt_compare_plot_name(plot), 440);
  bt_draw_panel(p, 0.095, 0.985);
  bt_draw_log_axis(p->out, "x", lo, hi);
  bt_draw_x_label(p->out, seconds ? "seconds" : "work: lower-level gradients and Hessian products");
  bt_draw_distance_axis(p);
  put_curves(p, seconds ? 3 : 2, 4);
  return 1;
}

void bt_draw_title(FILE *out, const char *title) {
  (void)fprintf(out, "set label 1 '{/:Bold %s}' at graph 0, 1.06 left textcolor rgb '#222222'\n", title);
}

static int accuracy_plot(BtDraw *p) {
  double lo[2], hi[2];
  const int has_eps = bt_draw_range(p, BT_AT_EPS, &lo[0], &hi[0]),
            has_delta = bt_draw_range(p, BT_AT_DELTA, &lo[1], &hi[1]);
  if (!has_eps && !has_delta) return 0;
  bt_draw_style(p, bt_compare_plot_name(BT_PLOT_ACCURACIES), 360);
  bt_draw_x_label(p->out, "outer iteration");
  (void)fputs("set multiplot\n", p->out);
  if (has_eps) {
    bt_draw_panel(p, 0.075, has_delta ? 0.49 : 0.985);
    bt_draw_title(p->out, "Lower-level accuracy ε");
    bt_draw_log_axis(p->out, "y", lo[0], hi[0]);
    put_curves(p, 1, 5);
    bt_draw_drop_legend(p);
  }
  if (has_delta) {
    bt_draw_panel(p, has_eps ? 0.57 : 0.075, 0.985);
    bt_draw_title(p->out, "Adjoint accuracy δ");
    bt_draw_log_axis(p->out, "y", lo[1], hi[1]);
    put_curves(p, 1, 6);
  }
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

static int write_script(BtDraw *p, int plot) {
  for (size_t i = 0; i < p->all->run_count; i++)
    if (bt_draw_has(&p->all->runs[i])) put_run(p, &p->all->runs[i]);
  switch (plot) {
    case BT_PLOT_WORK:
    case BT_PLOT_SECONDS: return loss_plot(p, plot);
    case BT_PLOT_ACCURACIES: return accuracy_plot(p);
    case BT_PLOT_SPREAD: return bt_draw_spread(p);
    default: return bt_draw_sweep(p);
  }
}

static void find_range(BtDraw *p) {
  size_t runs = 0;
  p->lo = p->hi = p->all->floor;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!bt_draw_has(run)) continue;
    runs++;
    for (size_t r = 0; r < run->course.rows; r++) {
      const double d = bt_draw_distance(p, run, r);
      if (d > p->hi) p->hi = d;
    }
  }
  if (p->hi <= 10 * p->lo) p->hi = 10 * p->lo;
  p->crowded = runs > 2 * p->all->spec.method_count;
}

static BtStatus draw(BtContext *ctx, const BtCompare *all, int plot, const char *folder,
                     BtComparePlot *picture) {
  BtDraw p = {.all = all};
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

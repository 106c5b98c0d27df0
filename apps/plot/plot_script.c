#include "plot/plot_script.h"

#include <math.h>
#include <string.h>

#include "plot/plot_panel.h"

#define BAND_SHARE 0.6       /* how far bounds may widen the loss axis, in units of the loss's span */
#define MANY_ROWS 80         /* beyond, curves have no points                                       */
#define LEAST_WORK 10        /* top of an axis of work that has not begun                           */
#define HUGE_NUMBER 1e120    /* products and quotients of what is drawn stay finite                 */
#define MOST_ITERATIONS 1e12 /* neighbours are told apart well below this                           */

/* The columns of a log, -1 where missing; in gnuplot's data block column k is data[k] of this list. */
typedef enum {
  ITERATION,
  LOSS,
  LOSS_MEAN,
  LOWER,
  UPPER,
  EPS,
  DELTA,
  NORM,
  BOUND,
  STEP,
  GRADIENTS,
  WORK,
  COLUMNS
} Column;
static const char *const column_names[COLUMNS] = {"iteration",      "loss", "loss_mean", "lower",
                                                  "upper",          "eps",  "delta",     "gradient_norm",
                                                  "gradient_bound", "step", "gradients", "work"};

typedef struct {
  FILE *out;
  const BtCsv *log;
  long columns[COLUMNS];
} Plot;

/* NAN where there is nothing to draw: no column, no number, beyond all reason, or no step taken. */
static double value(const Plot *p, size_t row, Column c) {
  const double x = p->columns[c] < 0 ? NAN : bt_csv_cell(p->log, row, p->columns[c]);
  if (fabs(x) > (c == ITERATION ? MOST_ITERATIONS : HUGE_NUMBER) || (c == STEP && x == 0)) return NAN;
  return fabs(x) < 1 / HUGE_NUMBER ? 0 : x;
}

/* Range of some columns together; logarithmic if the positive values span enough and none is negative. */
static BtPlotRange range_of(const Plot *p, const Column *columns, int count) {
  BtPlotRange all = BT_PLOT_NOTHING, positive = BT_PLOT_NOTHING;
  for (size_t row = 0; row < p->log->rows; row++) {
    for (int i = 0; i < count; i++) {
      const double x = value(p, row, columns[i]);
      bt_plot_widen(&all, x);
      if (x > 0) bt_plot_widen(&positive, x);
    }
  }
  return bt_plot_choose(all, positive);
}

static int drawable(const Plot *p, Column c, int log) {
  for (size_t row = 0; row < p->log->rows; row++) {
    const double x = value(p, row, c);
    if (isfinite(x) && (!log || x > 0)) return 1;
  }
  return 0;
}

static void put_data(const Plot *p) {
  (void)fputs("$run << END_OF_RUN\n", p->out);
  for (size_t row = 0; row < p->log->rows; row++) {
    for (int c = 0; c < COLUMNS; c++) {
      const double x = c == ITERATION && p->columns[c] < 0 ? (double)row : value(p, row, (Column)c);
      bt_plot_number(p->out, x);
    }
    (void)fputc('\n', p->out);
  }
  (void)fputs("END_OF_RUN\n", p->out);
}

/* Begins a curve of a plot command: "plot " or ", " and the data. */
static void put_curve(const Plot *p, int *count, Column c, const char *axes, const char *color,
                      const char *title) {
  const char *how = p->log->rows > MANY_ROWS ? "lines" : "linespoints pointtype 7 pointsize 0.5";
  (void)fprintf(p->out, "%s$run using 1:%d axes %s with %s linewidth 2 linecolor rgb '%s' title '%s'",
                (*count)++ ? ", " : "plot ", c + 1, axes, how, color, title);
}

/* What is around a curve may flatten it: it widens the range only so far, and may leave the panel. */
static BtPlotRange widened(BtPlotRange r, BtPlotRange band) {
  if (r.log) {
    const double more = pow(r.hi / r.lo, BAND_SHARE);
    if (band.lo > 0 && band.lo < r.lo) r.lo = fmax(band.lo, r.lo / more);
    if (band.hi > r.hi) r.hi = fmin(band.hi, r.hi * more);
  } else {
    const double span = r.hi > r.lo ? r.hi - r.lo : fabs(r.hi);
    if (band.lo < r.lo) r.lo = fmax(band.lo, r.lo - BAND_SHARE * span);
    if (band.hi > r.hi) r.hi = fmin(band.hi, r.hi + BAND_SHARE * span);
  }
  return r;
}

/* Of random samples: the moving average over the samples' own losses. */
static void averaged_loss(const Plot *p) {
  const Column mean[] = {LOSS_MEAN}, loss[] = {LOSS};
  int curves = 0;
  bt_plot_axis(p->out, "y", widened(range_of(p, mean, 1), range_of(p, loss, 1)));
  put_curve(p, &curves, LOSS, "x1y1", BT_LIGHT_BLUE, "of samples");
  put_curve(p, &curves, LOSS_MEAN, "x1y1", BT_BLUE, "moving average");
  (void)fputc('\n', p->out);
}

static void loss_panel(const Plot *p) {
  const Column loss[] = {LOSS}, bounds[] = {LOWER, UPPER};
  BtPlotRange r = range_of(p, loss, 1);
  int curves = 0;
  bt_plot_panel(p->out, "Loss");
  if (isnan(r.lo)) {
    bt_plot_empty(p->out);
    return;
  }
  if (drawable(p, LOSS_MEAN, 0)) {
    averaged_loss(p);
    return;
  }
  r = widened(r, range_of(p, bounds, 2));
  bt_plot_axis(p->out, "y", r);
  if (drawable(p, LOWER, 0) && drawable(p, UPPER, 0)) {
    char lower[128];
    /* A lower bound of 0 has no place on a logarithmic axis; there it lies below the panel. */
    snprintf(lower, sizeof lower, "%d", LOWER + 1);
    if (r.log)
      snprintf(lower, sizeof lower, "(column(%d) > %.12g ? column(%d) : %.12g)", LOWER + 1, 1e-3 * r.lo,
               LOWER + 1, 1e-3 * r.lo);
    (void)fprintf(p->out, "plot $run using 1:%s:%d with filledcurves fillcolor rgb '%s' title 'bounds'",
                  lower, UPPER + 1, BT_LIGHT_BLUE);
    curves++;
  }
  put_curve(p, &curves, LOSS, "x1y1", BT_BLUE, "loss");
  (void)fputc('\n', p->out);
}

static void accuracy_panel(const Plot *p) {
  const Column columns[] = {EPS, DELTA};
  const BtPlotRange r = range_of(p, columns, 2);
  int curves = 0;
  bt_plot_panel(p->out, "Accuracies");
  if (isnan(r.lo)) {
    bt_plot_empty(p->out);
    return;
  }
  bt_plot_axis(p->out, "y", r);
  if (drawable(p, EPS, r.log)) put_curve(p, &curves, EPS, "x1y1", BT_BLUE, "ε lower level");
  if (drawable(p, DELTA, r.log)) put_curve(p, &curves, DELTA, "x1y1", BT_ORANGE, "δ adjoint");
  (void)fputc('\n', p->out);
}

static void gradient_panel(const Plot *p) {
  const Column norms[] = {NORM, BOUND}, steps[] = {STEP};
  const BtPlotRange r = range_of(p, norms, 2);
  BtPlotRange s = range_of(p, steps, 1);
  const int has_norm = !isnan(r.lo), has_step = !isnan(s.lo);
  int curves = 0;
  bt_plot_panel(p->out, "Gradient and step");
  if (!has_norm && !has_step) {
    bt_plot_empty(p->out);
    return;
  }
  if (has_norm) bt_plot_axis(p->out, "y", r);
  if (has_step) {
    (void)fputs("set border 11\nset y2tics nomirror textcolor rgb '" BT_GREEN "'\n", p->out);
    bt_plot_axis(p->out, "y2", s);
  }
  if (has_norm && drawable(p, NORM, r.log)) put_curve(p, &curves, NORM, "x1y1", BT_BLUE, "‖z‖");
  if (has_norm && drawable(p, BOUND, r.log)) put_curve(p, &curves, BOUND, "x1y1", BT_ORANGE, "bound ω");
  if (has_step && drawable(p, STEP, s.log)) put_curve(p, &curves, STEP, "x1y2", BT_GREEN, "step →");
  (void)fputc('\n', p->out);
}

static void work_panel(const Plot *p) {
  const Column columns[] = {WORK};
  BtPlotRange r = range_of(p, columns, 1);
  bt_plot_panel(p->out, "Cumulative work");
  if (isnan(r.lo)) {
    bt_plot_empty(p->out);
    return;
  }
  r.log = 0;
  r.lo = 0;
  r.hi = fmax(r.hi, LEAST_WORK);
  bt_plot_axis(p->out, "y", r);
  (void)fprintf(
      p->out,
      "set format y '%%.1s%%c'\nplot $run using 1:%d with filledcurves y1=0 fillcolor rgb '%s' title "
      "'Hessian products'",
      WORK + 1, BT_LIGHT_ORANGE);
  if (drawable(p, GRADIENTS, 0))
    (void)fprintf(p->out, ", $run using 1:%d with filledcurves y1=0 fillcolor rgb '%s' title 'gradients'",
                  GRADIENTS + 1, BT_LIGHT_BLUE);
  int curves = 1;
  put_curve(p, &curves, WORK, "x1y1", BT_ORANGE, "");
  (void)fputc('\n', p->out);
}

static void put_x_range(const Plot *p) {
  BtPlotRange r = BT_PLOT_NOTHING;
  for (size_t row = 0; row < p->log->rows; row++)
    bt_plot_widen(&r, p->columns[ITERATION] < 0 ? (double)row : value(p, row, ITERATION));
  bt_plot_x_axis(p->out, r);
}

int bt_plot_script(FILE *script, const BtCsv *log, BtPictureFormat format, const char *title) {
  Plot plot = {.out = script, .log = log};
  int known = 0;
  for (int c = 0; c < COLUMNS; c++) plot.columns[c] = bt_csv_column(log, column_names[c]);
  for (size_t row = 0; row < log->rows && !known; row++)
    for (int c = ITERATION + 1; c < COLUMNS; c++) known |= isfinite(value(&plot, row, (Column)c)) != 0;
  if (!known) return 0;

  bt_plot_style(script, format, 1);
  (void)fputs("set xlabel 'outer iteration'\n", script);
  put_data(&plot);
  put_x_range(&plot);
  bt_plot_begin(script, 2, 2, 8, title);
  loss_panel(&plot);
  (void)fputs("unset label 100\n", script);
  accuracy_panel(&plot);
  gradient_panel(&plot);
  work_panel(&plot);
  bt_plot_end(script);
  return 1;
}

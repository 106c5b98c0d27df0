#include "plot_script.h"

#include <math.h>
#include <string.h>

#include "gnuplot.h"

#define LOG_SPAN 20.0        /* largest / smallest value above which an axis is logarithmic         */
#define BAND_SHARE 0.6       /* how far bounds may widen the loss axis, in units of the loss's span */
#define MANY_ROWS 80         /* beyond, curves have no points                                       */
#define FEW_ROWS 10          /* below, every iteration has its tic                                  */
#define MANY_DECADES 6       /* beyond, a logarithmic axis has no small tics                        */
#define LEAST_WORK 10        /* top of an axis of work that has not begun                           */
#define HUGE_NUMBER 1e120    /* products and quotients of what is drawn stay finite                 */
#define MOST_ITERATIONS 1e12 /* neighbours are told apart well below this                           */

/* Okabe and Ito's colours, told apart by colour-blind readers. */
#define BLUE "#0072B2"
#define ORANGE "#D55E00"
#define GREEN "#009E73"
#define LIGHT_BLUE "#C6DDEE"
#define LIGHT_ORANGE "#F6D5BF"

typedef struct {
  double lo, hi; /* of the finite values, of the positive ones on a logarithmic axis; NAN if there are none */
  int log;
} Range;

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

static void widen(Range *r, double x) {
  if (!isfinite(x)) return;
  if (!(r->lo <= x)) r->lo = x;
  if (!(r->hi >= x)) r->hi = x;
}

/* Range of some columns together; logarithmic if the positive values span enough and none is negative. */
static Range range_of(const Plot *p, const Column *columns, int count) {
  Range all = {NAN, NAN, 0}, positive = {NAN, NAN, 1};
  for (size_t row = 0; row < p->log->rows; row++) {
    for (int i = 0; i < count; i++) {
      const double x = value(p, row, columns[i]);
      widen(&all, x);
      if (x > 0) widen(&positive, x);
    }
  }
  return all.lo >= 0 && positive.hi > LOG_SPAN * positive.lo ? positive : all;
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
      if (isfinite(x))
        (void)fprintf(p->out, "%.12g ", x);
      else
        (void)fputs("NaN ", p->out);
    }
    (void)fputc('\n', p->out);
  }
  (void)fputs("END_OF_RUN\n", p->out);
}

/* Sets one axis ("y" or "y2") to a range with some air. */
static void put_axis(FILE *out, const char *axis, Range r) {
  const double lo = r.lo, hi = r.hi;
  if (r.log) {
    const double air = pow(hi / lo, 0.06);
    (void)fprintf(
        out, "set logscale %s\nset %srange [%.12g:%.12g]\nset format %s '10^{%%T}'\nset m%stics %s\n", axis,
        axis, lo / air, hi * air, axis, axis, log10(hi / lo) > MANY_DECADES ? "1" : "default");
    return;
  }
  const double air = hi > lo ? 0.06 * (hi - lo) : 0.1 * fabs(hi) + (hi == 0);
  const double bottom = lo >= 0 && lo <= 0.3 * hi + (hi == 0) ? 0 : lo - air;
  (void)fprintf(out, "unset logscale %s\nset %srange [%.12g:%.12g]\nset format %s '%%.4g'\n", axis, axis,
                bottom, hi + air, axis);
}

static void begin_panel(FILE *out, const char *heading) {
  (void)fprintf(out,
                "unset label 2\nunset y2tics\nset border 3\n"
                "set label 1 '{/:Bold %s}' at graph 0, 1.14 left\n",
                heading);
}

/* A panel must have something to draw, or gnuplot gives up. */
static void put_empty(FILE *out) {
  (void)fputs(
      "unset logscale y\nset yrange [0:1]\nset format y ''\n"
      "set label 2 'not in this log' at graph 0.5, 0.5 center textcolor rgb '#888888'\nplot NaN notitle\n",
      out);
}

/* Begins a curve of a plot command: "plot " or ", " and the data. */
static void put_curve(const Plot *p, int *count, Column c, const char *axes, const char *color,
                      const char *title) {
  const char *how = p->log->rows > MANY_ROWS ? "lines" : "linespoints pointtype 7 pointsize 0.5";
  (void)fprintf(p->out, "%s$run using 1:%d axes %s with %s linewidth 2 linecolor rgb '%s' title '%s'",
                (*count)++ ? ", " : "plot ", c + 1, axes, how, color, title);
}

/* What is around a curve may flatten it: it widens the range only so far, and may leave the panel. */
static Range widened(Range r, Range band) {
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
  put_axis(p->out, "y", widened(range_of(p, mean, 1), range_of(p, loss, 1)));
  put_curve(p, &curves, LOSS, "x1y1", LIGHT_BLUE, "of samples");
  put_curve(p, &curves, LOSS_MEAN, "x1y1", BLUE, "moving average");
  (void)fputc('\n', p->out);
}

static void loss_panel(const Plot *p) {
  const Column loss[] = {LOSS}, bounds[] = {LOWER, UPPER};
  Range r = range_of(p, loss, 1);
  int curves = 0;
  begin_panel(p->out, "Loss");
  if (isnan(r.lo)) {
    put_empty(p->out);
    return;
  }
  if (drawable(p, LOSS_MEAN, 0)) {
    averaged_loss(p);
    return;
  }
  r = widened(r, range_of(p, bounds, 2));
  put_axis(p->out, "y", r);
  if (drawable(p, LOWER, 0) && drawable(p, UPPER, 0)) {
    char lower[128];
    /* A lower bound of 0 has no place on a logarithmic axis; there it lies below the panel. */
    snprintf(lower, sizeof lower, "%d", LOWER + 1);
    if (r.log)
      snprintf(lower, sizeof lower, "(column(%d) > %.12g ? column(%d) : %.12g)", LOWER + 1, 1e-3 * r.lo,
               LOWER + 1, 1e-3 * r.lo);
    (void)fprintf(p->out, "plot $run using 1:%s:%d with filledcurves fillcolor rgb '%s' title 'bounds'",
                  lower, UPPER + 1, LIGHT_BLUE);
    curves++;
  }
  put_curve(p, &curves, LOSS, "x1y1", BLUE, "loss");
  (void)fputc('\n', p->out);
}

static void accuracy_panel(const Plot *p) {
  const Column columns[] = {EPS, DELTA};
  const Range r = range_of(p, columns, 2);
  int curves = 0;
  begin_panel(p->out, "Accuracies");
  if (isnan(r.lo)) {
    put_empty(p->out);
    return;
  }
  put_axis(p->out, "y", r);
  if (drawable(p, EPS, r.log)) put_curve(p, &curves, EPS, "x1y1", BLUE, "ε lower level");
  if (drawable(p, DELTA, r.log)) put_curve(p, &curves, DELTA, "x1y1", ORANGE, "δ adjoint");
  (void)fputc('\n', p->out);
}

static void gradient_panel(const Plot *p) {
  const Column norms[] = {NORM, BOUND}, steps[] = {STEP};
  const Range r = range_of(p, norms, 2);
  Range s = range_of(p, steps, 1);
  const int has_norm = !isnan(r.lo), has_step = !isnan(s.lo);
  int curves = 0;
  begin_panel(p->out, "Gradient and step");
  if (!has_norm && !has_step) {
    put_empty(p->out);
    return;
  }
  if (has_norm) put_axis(p->out, "y", r);
  if (has_step) {
    (void)fputs("set border 11\nset y2tics nomirror textcolor rgb '" GREEN "'\n", p->out);
    put_axis(p->out, "y2", s);
  }
  if (has_norm && drawable(p, NORM, r.log)) put_curve(p, &curves, NORM, "x1y1", BLUE, "‖z‖");
  if (has_norm && drawable(p, BOUND, r.log)) put_curve(p, &curves, BOUND, "x1y1", ORANGE, "bound ω");
  if (has_step && drawable(p, STEP, s.log)) put_curve(p, &curves, STEP, "x1y2", GREEN, "step →");
  (void)fputc('\n', p->out);
}

static void work_panel(const Plot *p) {
  const Column columns[] = {WORK};
  Range r = range_of(p, columns, 1);
  begin_panel(p->out, "Cumulative work");
  if (isnan(r.lo)) {
    put_empty(p->out);
    return;
  }
  r.log = 0;
  r.lo = 0;
  r.hi = fmax(r.hi, LEAST_WORK);
  put_axis(p->out, "y", r);
  (void)fprintf(
      p->out,
      "set format y '%%.1s%%c'\nplot $run using 1:%d with filledcurves y1=0 fillcolor rgb '%s' title "
      "'Hessian products'",
      WORK + 1, LIGHT_ORANGE);
  if (drawable(p, GRADIENTS, 0))
    (void)fprintf(p->out, ", $run using 1:%d with filledcurves y1=0 fillcolor rgb '%s' title 'gradients'",
                  GRADIENTS + 1, LIGHT_BLUE);
  int curves = 1;
  put_curve(p, &curves, WORK, "x1y1", ORANGE, "");
  (void)fputc('\n', p->out);
}

void bt_plot_style(FILE *out, BtPictureFormat format) {
  static const char *const terminals[] = {
      "pngcairo size 1500,1100 font 'sans,15' linewidth 1.6",
      "svg size 1100,800 dynamic font 'DejaVu Sans,Helvetica,Arial,sans-serif,13' background rgb 'white'",
      "pdfcairo size 25cm,18.3cm font 'sans,13' linewidth 1.6"};
  (void)fprintf(
      out,
      "set encoding utf8\nset terminal %s\nset termoption enhanced\n"
      "set style line 9 linecolor rgb '#E3E3E3' linewidth 0.6\nset grid linestyle 9\n"
      "set border 3 linecolor rgb '#444444'\nset tics nomirror out scale 0.6 textcolor rgb '#222222'\n"
      "set key at graph 0, 1.01 bottom left horizontal Left reverse maxrows 1 samplen 1.2 font ',%d'\n"
      "set style fill solid 1.0 noborder\nset format x '%%g'\n",
      terminals[format], format == BT_PICTURE_PNG ? 14 : 12);
}

static void put_x_range(const Plot *p) {
  Range r = {NAN, NAN, 0};
  for (size_t row = 0; row < p->log->rows; row++)
    widen(&r, p->columns[ITERATION] < 0 ? (double)row : value(p, row, ITERATION));
  if (isnan(r.lo)) r.lo = r.hi = 0;
  const double air = r.hi > r.lo ? 0.015 * (r.hi - r.lo) : 0.5;
  (void)fprintf(p->out, "set xrange [%.12g:%.12g]\n", r.lo - air, r.hi + air);
  if (r.hi - r.lo < FEW_ROWS) (void)fputs("set xtics 1\n", p->out);
}

int bt_plot_script(FILE *script, const BtCsv *log, BtPictureFormat format, const char *title) {
  Plot plot = {.out = script, .log = log};
  int known = 0;
  for (int c = 0; c < COLUMNS; c++) plot.columns[c] = bt_csv_column(log, column_names[c]);
  for (size_t row = 0; row < log->rows && !known; row++)
    for (int c = ITERATION + 1; c < COLUMNS; c++) known |= isfinite(value(&plot, row, (Column)c)) != 0;
  if (!known) return 0;

  bt_plot_style(script, format);
  (void)fputs("set xlabel 'outer iteration'\n", script);
  put_data(&plot);
  put_x_range(&plot);
  (void)fprintf(
      script, "set multiplot layout 2,2 margins char 9, char 8, char 3.5, char %s spacing char 15, char 7\n",
      title ? "5.5" : "4");
  if (title) {
    (void)fputs("set label 100 ", script);
    bt_gnuplot_quote(script, title);
    (void)fputs(" at screen 0.5, 0.985 center front noenhanced font ',18'\n", script);
  }
  loss_panel(&plot);
  (void)fputs("unset label 100\n", script);
  accuracy_panel(&plot);
  gradient_panel(&plot);
  work_panel(&plot);
  (void)fputs("unset multiplot\n", script);
  return 1;
}

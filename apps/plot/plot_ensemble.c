#include "plot/plot_ensemble.h"

#include <math.h>
#include <string.h>

#include "plot/gnuplot.h"
#include "plot/plot_panel.h"

#define MOST_HYPERS 7
#define NAME_SIZE 128
#define HUGE_NUMBER 1e120

typedef struct {
  const char *name;
  long value, base; /* columns; base −1: none, the mean is drawn */
  double lo, hi;    /* over the whole log                         */
} Band;

static long find(const BtCsv *log, const char *name, const char *end) {
  char full[NAME_SIZE];
  const int n = snprintf(full, sizeof full, "%s%s", name, end);
  return n > 0 && n < NAME_SIZE ? bt_csv_column(log, full) : -1;
}

int bt_plot_is_ensemble(const BtCsv *log) {
  return find(log, "replica", "") >= 0 && find(log, "train_loss", "") >= 0 && find(log, "sync", "") >= 0 &&
         find(log, "step", "") >= 0;
}

static int bands_of(const BtCsv *log, Band *bands) {
  int count = 0;
  bands[count++] = (Band){"Training loss of the replicas", find(log, "train_loss", ""), -1, NAN, NAN};
  for (size_t c = 0; c < log->columns && count <= MOST_HYPERS; c++)
    if (find(log, log->names[c], "_base") >= 0 && find(log, log->names[c], "_multiplier") >= 0)
      bands[count++] = (Band){log->names[c], (long)c, find(log, log->names[c], "_base"), NAN, NAN};
  return count;
}

static double cell(const BtCsv *log, size_t row, long column) {
  const double x = bt_csv_cell(log, row, column);
  return fabs(x) < HUGE_NUMBER ? x : NAN;
}

static void put(FILE *out, double x) { (void)fprintf(out, isfinite(x) ? " %.12g" : " NaN", x); }

/* Of one sync's rows: least, base or mean, largest. */
static void put_band(FILE *out, const BtCsv *log, size_t from, size_t to, Band *b) {
  double lo = NAN, hi = NAN, sum = 0;
  int count = 0;
  for (size_t row = from; row < to; row++) {
    const double x = cell(log, row, b->value);
    if (!isfinite(x)) continue;
    lo = fmin(lo, x), hi = fmax(hi, x);
    sum += x;
    count++;
  }
  const double middle = b->base >= 0 ? cell(log, from, b->base) : sum / count;
  put(out, lo), put(out, middle), put(out, hi);
  b->lo = fmin(b->lo, fmin(lo, middle)), b->hi = fmax(b->hi, fmax(hi, middle));
}

/* A line for each sync: step, then three columns for each band. */
static void put_data(FILE *out, const BtCsv *log, Band *bands, int count) {
  const long sync = find(log, "sync", ""), step = find(log, "step", "");
  (void)fputs("$run << END_OF_RUN\n", out);
  for (size_t from = 0, to; from < log->rows; from = to) {
    to = from + 1;
    while (to < log->rows && bt_csv_cell(log, to, sync) == bt_csv_cell(log, from, sync)) to++;
    put(out, cell(log, from, step));
    for (int b = 0; b < count; b++) put_band(out, log, from, to, &bands[b]);
    (void)fputc('\n', out);
  }
  (void)fputs("END_OF_RUN\n", out);
}

static void put_panel(FILE *out, const Band *b, int index) {
  const char *light = index ? BT_LIGHT_BLUE : BT_LIGHT_ORANGE, *dark = index ? BT_BLUE : BT_ORANGE;
  const int at = 2 + 3 * index;
  (void)fputs("set title ", out);
  bt_gnuplot_quote(out, b->name);
  (void)fputs(" noenhanced\n", out);
  if (!isfinite(b->lo) || !isfinite(b->hi)) {
    (void)fputs("unset logscale y\nset yrange [0:1]\nplot NaN notitle\n", out);
    return;
  }
  const BtPlotRange all = {b->lo, b->hi, 0}, none = BT_PLOT_NOTHING;
  bt_plot_axis(out, "y", bt_plot_choose(all, b->lo > 0 ? all : none));
  (void)fprintf(out,
                "plot $run using 1:%d:%d with filledcurves linecolor rgb '%s' title '%s', "
                "$run using 1:%d with linespoints pointtype 7 pointsize 0.4 linewidth 2 linecolor rgb '%s' "
                "title '%s'\n",
                at, at + 2, light, index ? "explored" : "least to largest", at + 1, dark,
                index ? "base" : "mean");
}

int bt_plot_ensemble(FILE *out, const BtCsv *log, BtPictureFormat format, const char *title) {
  Band bands[MOST_HYPERS + 1];
  if (log->rows == 0 || !bt_plot_is_ensemble(log)) return 0;
  const int count = bands_of(log, bands), rows = (count + 1) / 2;
  bt_plot_style(out, format, 1);
  put_data(out, log, bands, count);
  (void)fputs("set xlabel 'step of each replica'\nset xrange [*:*]\nset title font ',14' offset 0, 0.6\n",
              out);
  (void)fprintf(out, "set multiplot layout %d,%d", rows, count > 1 ? 2 : 1);
  if (title) {
    (void)fputs(" title ", out);
    bt_gnuplot_quote(out, title);
    (void)fputs(" noenhanced", out);
  }
  (void)fputc('\n', out);
  for (int b = 0; b < count; b++) put_panel(out, &bands[b], b);
  (void)fputs("unset multiplot\n", out);
  return 1;
}

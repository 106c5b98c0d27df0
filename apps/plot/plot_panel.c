#include "plot/plot_panel.h"

#include <math.h>

#include "plot/gnuplot.h"
#include "plot/log_axis.h"

#define LOG_SPAN 20.0   /* largest / smallest value above which an axis is logarithmic */
#define FEW_ROWS 10     /* below, every whole number has its tic                       */
#define AXIS_LETTERS 30 /* that an axis of a panel is long, at least                  */
#define MANY_DECADES 6  /* beyond, a logarithmic axis has no small tics                */

void bt_plot_widen(BtPlotRange *r, double x) {
  if (!isfinite(x)) return;
  if (!(r->lo <= x)) r->lo = x;
  if (!(r->hi >= x)) r->hi = x;
}

BtPlotRange bt_plot_choose(BtPlotRange all, BtPlotRange positive) {
  positive.log = 1;
  return all.lo >= 0 && positive.hi > LOG_SPAN * positive.lo ? positive : all;
}

/* Of the tics' numbers, so that these differ. */
static int digits(double lo, double hi) {
  const double needed = 2 + ceil(log10(fmax(fabs(lo), fabs(hi)) / (hi - lo)));
  return (int)fmin(fmax(needed, 4), 12);
}

void bt_plot_axis(FILE *out, const char *axis, BtPlotRange r) {
  const double lo = r.lo, hi = r.hi;
  if (r.log) {
    const double air = pow(hi / lo, 0.06);
    bt_plot_log_axis(out, axis, lo / air, hi * air, AXIS_LETTERS);
    (void)fprintf(out, "set m%stics %s\n", axis, log10(hi / lo) > MANY_DECADES ? "1" : "default");
    return;
  }
  const double air = hi > lo ? 0.06 * (hi - lo) : 0.1 * fabs(hi) + (hi == 0);
  const double bottom = lo >= 0 && lo <= 0.3 * hi + (hi == 0) ? 0 : lo - air;
  (void)fprintf(out,
                "unset logscale %s\nset %stics autofreq\nset %srange [%.12g:%.12g]\nset format %s '%%.%dg'\n",
                axis, axis, axis, bottom, hi + air, axis, digits(bottom, hi + air));
}

void bt_plot_x_axis(FILE *out, BtPlotRange r) {
  if (isnan(r.lo)) r.lo = r.hi = 0;
  const double air = r.hi > r.lo ? 0.015 * (r.hi - r.lo) : 0.5;
  (void)fprintf(out, "set xrange [%.12g:%.12g]\n", r.lo - air, r.hi + air);
  if (r.hi - r.lo < FEW_ROWS) (void)fputs("set xtics 1\n", out);
}

void bt_plot_style(FILE *out, BtPictureFormat format, double height) {
  static const struct {
    const char *name;
    double width, height;
    const char *unit, *look;
  } terminals[] = {
      {"pngcairo", 1500, 1100, "", "font 'sans,15' linewidth 1.6"},
      {"svg", 1100, 800, "",
       "dynamic font 'DejaVu Sans,Helvetica,Arial,sans-serif,13' background rgb 'white'"},
      {"pdfcairo", 25, 18.3, "cm", "font 'sans,13' linewidth 1.6"}};
  (void)fprintf(out, "set encoding utf8\nset terminal %s size %g%s,%.5g%s %s\n", terminals[format].name,
                terminals[format].width, terminals[format].unit, terminals[format].height * height,
                terminals[format].unit, terminals[format].look);
  (void)fprintf(
      out,
      "set termoption enhanced\n"
      "set style line 9 linecolor rgb '#E3E3E3' linewidth 0.6\nset grid linestyle 9\n"
      "set border 3 linecolor rgb '#444444'\nset tics nomirror out scale 0.6 textcolor rgb '#222222'\n"
      "set key at graph 0, 1.01 bottom left horizontal Left reverse maxrows 1 samplen 1.2 font ',%d'\n"
      "set style fill solid 1.0 noborder\nset format x '%%g'\n",
      format == BT_PICTURE_PNG ? 14 : 12);
}

void bt_plot_begin(FILE *out, int rows, int columns, int right, const char *title) {
  (void)fprintf(
      out, "set multiplot layout %d,%d margins char 9, char %d, char 3.5, char %s spacing char 15, char 7\n",
      rows, columns, right, title ? "5.5" : "4");
  if (!title) return;
  (void)fputs("set label 100 ", out);
  bt_gnuplot_quote(out, title);
  (void)fputs(" at screen 0.5, 0.985 center front noenhanced font ',18'\n", out);
}

void bt_plot_end(FILE *out) { (void)fputs("unset multiplot\n", out); }

void bt_plot_panel(FILE *out, const char *heading) {
  (void)fprintf(out,
                "unset label 2\nunset y2tics\nset border 3\n"
                "set label 1 '{/:Bold %s}' at graph 0, 1 offset character 0, 2.8 left\n",
                heading);
}

void bt_plot_empty(FILE *out) {
  (void)fputs(
      "unset logscale y\nset yrange [0:1]\nset format y ''\n"
      "set label 2 'not in this log' at graph 0.5, 0.5 center textcolor rgb '#888888'\nplot NaN notitle\n",
      out);
}

void bt_plot_number(FILE *out, double x) {
  if (isfinite(x))
    (void)fprintf(out, "%.12g ", x);
  else
    (void)fputs("NaN ", out);
}

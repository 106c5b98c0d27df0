/* The comparison as pictures, through gnuplot. A method has one colour and one dash pattern in all of them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_draw.h"
#include "core/file.h"
#include "plot/gnuplot.h"
#include "plot/log_axis.h"

#define LEGEND_ROW 22  /* height of a row of the legend, px                */
#define LEGEND_BASE 70 /* room for an axis below a panel, px               */
#define LEGEND_LINE 28 /* its sample of line                               */
#define LEGEND_GAP 8
#define LEGEND_SPACE 26 /* between two entries                              */
#define LEGEND_TAG ((size_t)1000)
#define LEAST_PANEL 0.4 /* width of the narrowest panel as a share of the picture's */

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

void bt_draw_number(FILE *out, double x) {
  if (isfinite(x))
    (void)fprintf(out, " %.10g", x);
  else
    (void)fputs(" NaN", out);
}

void bt_draw_look(FILE *out, size_t method, double width) {
  (void)fprintf(out, "linecolor rgb '%s' dashtype %s linewidth %g", bt_compare_color(method),
                gnuplot_dash(method), width);
}

static int shown(const BtCompare *all, size_t method) {
  for (size_t i = 0; i < all->run_count; i++)
    if (all->runs[i].method == method && (bt_draw_has(&all->runs[i]) || all->runs[i].diverged)) return 1;
  return 0;
}

/* Characters of UTF-8 text. */
static int text_length(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

double bt_draw_names_width(const BtCompare *all) {
  size_t longest = 0;
  for (size_t m = 0; m < all->spec.method_count; m++)
    if (strlen(all->spec.methods[m].name) > longest) longest = strlen(all->spec.methods[m].name);
  return BT_DRAW_LETTER * (double)longest;
}

void bt_draw_names(const BtDraw *p) {
  const size_t count = p->all->spec.method_count;
  (void)fprintf(p->out, "set yrange [0.4:%zu.6]\nset ytics (", count);
  for (size_t m = 0; m < count; m++) {
    (void)fputs(m ? ", " : "", p->out);
    bt_gnuplot_quote(p->out, p->all->spec.methods[m].name);
    (void)fprintf(p->out, " %zu", count - m);
  }
  (void)fputs(") noenhanced\n", p->out);
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

void bt_draw_log_axis(FILE *out, const char *axis, double lo, double hi) {
  const double air = fmax(1.12, pow(hi / lo, 0.03));
  bt_plot_log_axis(out, axis, lo / air, hi * air, LEAST_PANEL * BT_DRAW_WIDTH / BT_DRAW_LETTER);
}

void bt_draw_x_label(FILE *out, const char *text) {
  (void)fputs("set xlabel ", out);
  bt_gnuplot_quote(out, text);
  (void)fputs(" noenhanced textcolor rgb '#222222'\n", out);
}

void bt_draw_title(FILE *out, const char *title) {
  (void)fprintf(out, "set label 1 '{/:Bold %s}' at graph 0, 1.06 left textcolor rgb '#222222'\n", title);
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
  any = all->spec.command.form->kind->draw(&p, plot);
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

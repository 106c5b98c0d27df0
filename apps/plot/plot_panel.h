/* apps/plot/plot_panel.h: what the pictures of runs have in common: panels of curves over a data block, in
 * gnuplot's language. */
#ifndef BITUNE_APPS_PLOT_PANEL_H
#define BITUNE_APPS_PLOT_PANEL_H

#include <stdio.h>

#include "plot/plot_script.h"

/* Okabe and Ito's colours, told apart by colour-blind readers. */
#define BT_BLUE "#0072B2"
#define BT_ORANGE "#D55E00"
#define BT_GREEN "#009E73"
#define BT_LIGHT_BLUE "#C6DDEE"
#define BT_LIGHT_ORANGE "#F6D5BF"

/* Of finite values, of the positive ones on a logarithmic axis; lo and hi are NAN if there are none. */
typedef struct {
  double lo, hi;
  int log;
} BtPlotRange;

#define BT_PLOT_NOTHING ((BtPlotRange){(double)NAN, (double)NAN, 0})

/* Widens a range so that it holds x, if that is finite. */
void bt_plot_widen(BtPlotRange *range, double x);
/* The range of all values, or that of the positive ones, logarithmic, if they span enough and none is
 * negative. */
BtPlotRange bt_plot_choose(BtPlotRange all, BtPlotRange positive);
/* Sets one axis ("y" or "y2") to a range with some air. */
void bt_plot_axis(FILE *out, const char *axis, BtPlotRange range);
/* The x axis of all panels; whole numbers have each their tic if there are few. */
void bt_plot_x_axis(FILE *out, BtPlotRange range);

/* Terminal, grid, borders, tics and key. height: of the picture, in those of one with two rows of panels. */
void bt_plot_style(FILE *out, BtPictureFormat format, double height);
/* Panels in rows × columns with `right` characters beside the last, and a title above (NULL: none). */
void bt_plot_begin(FILE *out, int rows, int columns, int right, const char *title);
void bt_plot_end(FILE *out);

void bt_plot_panel(FILE *out, const char *heading);
/* A panel must have something to draw, or gnuplot gives up. */
void bt_plot_empty(FILE *out);
/* A number of the data block, with a blank behind it. */
void bt_plot_number(FILE *out, double x);

#endif

/* apps/compare/compare_draw.h: what the plots of a comparison share: axes, legend and the look of a method. Each function
 * prints a part of a gnuplot script. */
#ifndef BITUNE_APPS_COMPARE_DRAW_H
#define BITUNE_APPS_COMPARE_DRAW_H

#include <stdio.h>

#include "compare/compare.h"

#define BT_DRAW_WIDTH 820  /* of a picture, px          */
#define BT_DRAW_LETTER 7.4 /* mean width of a letter, px */

struct BtDraw {
  const BtCompare *all;
  FILE *out;
  double lo, hi; /* of the axis of losses or distances        */
  int crowded;   /* many runs a method                        */
  int height;    /* of the picture, px; grows with the legend */
  double bottom; /* of the panels, as a share of the height   */
};

/* Whether a run has something to draw. */
int bt_draw_has(const BtCompareRun *run);
/* " 0.1", " NaN" of what is not finite. */
void bt_draw_number(FILE *out, double x);
/* "linecolor … dashtype … linewidth …" */
void bt_draw_look(FILE *out, size_t method, double width);
/* Terminal, legend and what all panels share; `height` without the legend. */
void bt_draw_style(BtDraw *p, const char *name, int height);
/* Later panels of a picture must not draw the legend again. */
void bt_draw_drop_legend(const BtDraw *p);
/* The next panel's left and right end, as shares of the width. */
void bt_draw_panel(const BtDraw *p, double left, double right);
void bt_draw_title(FILE *out, const char *title);
void bt_draw_x_label(FILE *out, const char *text);
/* A logarithmic axis from lo to hi with some air; numbers rather than powers where there are few decades. */
void bt_draw_log_axis(FILE *out, const char *axis, double lo, double hi);
/* Room in px for the names of all methods to the left of a panel. */
double bt_draw_names_width(const BtCompare *all);
/* The y axis of a panel with a line a method, by its name: method m of n at height n − m. */
void bt_draw_names(const BtDraw *p);

#endif

/* apps/compare/compare_bilevel.h: what the files of comparisons of bilevel learning share. */
#ifndef BITUNE_APPS_COMPARE_BILEVEL_H
#define BITUNE_APPS_COMPARE_BILEVEL_H

#include "compare/compare_draw.h"

/* compare_bilevel_tables.c: trajectories.csv, summary.csv, methods.csv. */
BtStatus bt_bilevel_tables(BtContext *ctx, const BtCompare *all);

/* compare_bilevel_page.c */
void bt_bilevel_summary(BtPage *p);
void bt_bilevel_runs(BtPage *p);

/* compare_bilevel_plots.c: a picture; 0 if there is nothing to draw. */
int bt_bilevel_draw(BtDraw *p, int plot);

enum { BT_AT_EPS = 2, BT_AT_DELTA = 3, BT_AT_WORK = 4, BT_AT_SECONDS = 5 }; /* columns of a course */

/* compare_bilevel_axes.c */
/* A distance, or NAN; not below what can be told apart. */
double bt_draw_clipped(const BtDraw *p, double distance);
/* That of a row of a run's course. */
double bt_draw_distance(const BtDraw *p, const BtCompareRun *run, size_t row);
/* Least and greatest positive value of a column where there is a distance to draw; 0 if there is none. */
int bt_draw_range(const BtDraw *p, size_t column, double *lo, double *hi);
/* The axis of distances with lines at 1 % and 0.1 %, and these off again. */
void bt_draw_distance_axis(const BtDraw *p);
void bt_draw_drop_levels(FILE *out);

/* compare_bilevel_spread.c: how results spread over runs, and how they depend on what is swept. */
int bt_draw_spread(BtDraw *p);
int bt_draw_sweep(BtDraw *p);

#endif

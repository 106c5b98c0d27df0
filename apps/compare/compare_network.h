/* apps/compare/compare_network.h: what the files of comparisons of networks share. */
#ifndef BITUNE_APPS_COMPARE_NETWORK_H
#define BITUNE_APPS_COMPARE_NETWORK_H

#include "compare/compare_draw.h"
#include "compare/compare_settings.h"

/* Places of figures that plots and tables name. */
enum { BT_NETWORK_TEST_LOSS };

/* From where on a distance is told by its magnitude: columns have no room for it. */
#define BT_NETWORK_FAR 99.0

/* compare_network_tables.c: trajectories.csv, summary.csv, methods.csv. */
BtStatus bt_network_tables(BtContext *ctx, const BtCompare *all);

/* compare_network_page.c */
void bt_network_summary(BtPage *p);
void bt_network_runs(BtPage *p);

/* compare_network_plots.c: a picture; 0 if there is nothing to draw. */
int bt_network_draw(BtDraw *p, int plot);

/* The hyperparameters of the weights compared, "dropout_1 0.31, rotation 4.2"; malloc'ed. */
char *bt_network_found(const BtCompare *all, const BtCompareRun *run);

#endif

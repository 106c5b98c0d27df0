/* apps/plot/plot_script.h: the picture of a run as a gnuplot script. */
#ifndef BITUNE_APPS_PLOT_SCRIPT_H
#define BITUNE_APPS_PLOT_SCRIPT_H

#include <stdio.h>

#include "program/csv.h"

typedef enum { BT_PICTURE_PNG, BT_PICTURE_SVG, BT_PICTURE_PDF } BtPictureFormat;

/* Writes a script that draws four panels of a log's rows to gnuplot's standard output: loss with its bounds,
 * the accuracies ε and δ, gradient norm and step, and cumulative work. Columns that the log lacks leave their
 * curve out; logarithmic axes are chosen where the values span more than a decade. `title` may be NULL.
 * Returns 0 if the log has nothing to draw. */
int bt_plot_script(FILE *script, const BtCsv *log, BtPictureFormat format, const char *title);

#endif

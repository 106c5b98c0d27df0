/* apps/plot/log_axis.h: logarithmic axes that have numbers to read, however short. */
#ifndef BITUNE_APPS_PLOT_LOG_AXIS_H
#define BITUNE_APPS_PLOT_LOG_AXIS_H

#include <stdio.h>

/* Sets gnuplot's axis ("x", "y" or "y2") to [lo, hi], 0 < lo < hi. Powers of ten have tics; if there may be less than
 * two of them, multiples do as far as their labels have room on an axis as long as `letters` letters; below a
 * factor of 2.5 tics are evenly spaced. An axis that is linear afterwards wants `set …tics autofreq`. */
void bt_plot_log_axis(FILE *out, const char *axis, double lo, double hi, double letters);

#endif

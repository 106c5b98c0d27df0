/* apps/plot/plot_model.h: the picture of a learned model. Without the imaging part there are no models:
 * BT_ERR_UNSUPPORTED. */
#ifndef BITUNE_APPS_PLOT_MODEL_H
#define BITUNE_APPS_PLOT_MODEL_H

#include <stdio.h>

#include "plot/plot_script.h"
#include "program/app.h"

typedef struct {
  const char *title; /* NULL: the model's name and level               */
  double sigma;      /* NAN: as learned                                  */
  int adapt;         /* BtAdaptation                                     */
} BtModelPlot;

/* True if `path` names a model rather than a log: a file ending in .json, or no file. */
int bt_plot_is_model(const char *path);

/* Writes a gnuplot script for standard output: for fields of experts the filters by falling strength w_k
 * ‖c_k‖, each in its own range with number, weight and smoothing; and for every model its potentials and
 * their derivatives, per filter of unit norm, over the response on the 0–255 scale. *count ← filters drawn.
 * Puts "model" into the result. Errors: those of the model library. */
BtStatus bt_plot_model(BtApp *app, const char *model, const BtModelPlot *plot, BtPictureFormat format,
                       FILE *script, size_t *count);

#endif

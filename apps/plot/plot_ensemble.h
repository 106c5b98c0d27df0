/* apps/plot/plot_ensemble.h: the picture of an ensemble's replica log. */
#ifndef BITUNE_APPS_PLOT_ENSEMBLE_H
#define BITUNE_APPS_PLOT_ENSEMBLE_H

#include "plot/plot_script.h"

/* True if the columns are those of `bitune nn train --replica-log`. */
int bt_plot_is_ensemble(const BtCsv *log);

/* Writes a script that draws, over the steps of each replica, the band of the replicas' training losses and a
 * panel for each hyperparameter (the first seven): the band that the replicas explored and the base that was
 * chosen. `title` may be NULL. Returns 0 if the log has nothing to draw. */
int bt_plot_ensemble(FILE *script, const BtCsv *log, BtPictureFormat format, const char *title);

#endif

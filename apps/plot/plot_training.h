/* apps/plot/plot_training.h: pictures of networks' trainings and of searches over them. */
#ifndef BITUNE_APPS_PLOT_TRAINING_H
#define BITUNE_APPS_PLOT_TRAINING_H

#include "plot/plot_script.h"

/* Whether a table is what `nn train --log`, `nn train --schedule` or `nn search` (trials.csv) has written, by
 * its columns. */
int bt_plot_is_training(const BtCsv *log);

/* A log: losses and accuracies (or perplexities) over epochs, hyperparameters below. A schedule: loss of the
 * validation steps and hyperparameters over training steps. A search: each trial's loss with the best so far,
 * the best over the epochs spent, and losses over the hyperparameters' values. Returns 0 if it has nothing to
 * draw. */
int bt_plot_training(FILE *script, const BtCsv *log, BtPictureFormat format, const char *title);

#endif

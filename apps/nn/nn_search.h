/* apps/nn/nn_search.h: what the files of `bitune nn search` share.
 *
 * A search trains the task's network anew for every trial, from the same weights, with hyperparameters that
 * stay. Its state is the folder it writes: search.json says what is searched, trial-0001.json what a trial
 * has come to, and trial-0001.safetensors is the checkpoint of one that goes on. Methods (src/linesearch)
 * choose a point from the values so far and from nothing else, so that a search that goes on asks for the
 * same points again and finds them on disk. */
#ifndef BITUNE_APPS_NN_SEARCH_H
#define BITUNE_APPS_NN_SEARCH_H

#include "nn/nn.h"

/* Coordinates θ of the search: values of hyperparameters whose range has two ends, λ of the others; or λ of
 * all. */
typedef struct {
  const NnHyperSet *hyper; /* borrowed                          */
  int unconstrained;       /* λ of all                          */
  double *start;           /* [3 × count], owned                */
  double *low, *high;      /* [count] the box, inside of start  */
} BtNnSpace;

/* λ reaches `width` to each side of the declared initial value's. BT_ERR_MEMORY, or BT_ERR_ARG for an initial
 * value outside its range. */
BtStatus bt_nn_space_create(BtContext *ctx, const NnHyperSet *hyper, int unconstrained, double width,
                            BtNnSpace *space);
void bt_nn_space_clear(BtNnSpace *space);
void bt_nn_space_values(const BtNnSpace *space, const double *theta, double *values);

/* Successive halving (Jamieson, Talwalkar 2016; with a ratio η as in Li et al. 2018): in rung k the n/η^k
 * best of n trials are trained up to E·η^(k−s) epochs, k = 0 … s, so that each rung costs about as many
 * epochs. */
#define BT_NN_MOST_RUNGS 32
typedef struct {
  int count;
  int64_t epochs[BT_NN_MOST_RUNGS]; /* up to which a trial is trained */
  size_t trials[BT_NN_MOST_RUNGS];  /* that take part                 */
} BtNnRungs;

/* ratio < 2: a single rung. */
BtNnRungs bt_nn_rungs(size_t trials, int64_t epochs, int64_t ratio, int64_t least_epochs);
/* Epochs of all trials together, if none fails. */
int64_t bt_nn_rungs_epochs(const BtNnRungs *rungs);

typedef struct {
  int rungs;                     /* finished; a trial that failed has finished all    */
  double loss[BT_NN_MOST_RUNGS]; /* least validation loss at the end of each          */
  int64_t epochs, best_epoch;
  NnScore valid, test; /* of the epoch with the least validation loss */
  double seconds;
  int failed;   /* a loss or gradient was not finite                   */
  int selected; /* goes on to the next rung                            */
  char error[240];
} BtNnTrial;

typedef struct {
  BtApp *app;
  const BtNn *set;
  BtNnSession session;
  BtNnSpace space;
  BtNnRungs rungs;
  int64_t epochs, grid_points;
  int64_t epoch_work; /* gradients of an epoch, see nn/train.h        */
  size_t count;      /* planned trials                       */
  size_t known;      /* trials whose point is known          */
  double *theta;     /* [count × hyperparameters], owned     */
  BtNnTrial *trial;  /* [count], owned                       */
  const char **name; /* [count] "trial-0001", owned with     */
  char *names;       /* their text                           */
  double deadline;   /* bt_app_clock(), +∞: none             */
  int claim;         /* of search.json, rank 0: core/file.h  */
} BtNnSearch;

/* nn_trial.c */

/* Trains trial i to the end of `rung` or takes up what a file says of it. A training that diverges is a
 * failed trial and BT_OK. BT_MAX_ITERS when the time is up, BT_STOPPED, or an error. */
BtStatus bt_nn_trial_run(BtNnSearch *search, size_t i, int rung);
/* Takes up the file of trial i, if there is one. BT_ERR_FORMAT if it is of another point. */
BtStatus bt_nn_trial_read(BtNnSearch *search, size_t i);
/* Removes its checkpoint. */
void bt_nn_trial_drop(const BtNnSearch *search, size_t i);
/* DIR/NAME + extension; free(). NULL if out of memory. */
char *bt_nn_search_path(const BtNnSearch *search, const char *name, const char *extension);
static inline int bt_nn_trial_finished(const BtNnTrial *trial, int rung) { return trial->rungs > rung; }

/* nn_search_results.c */

/* The trial with the least validation loss; -1 if all failed or none has ended. */
long bt_nn_search_best(const BtNnSearch *search);
/* trials.csv: a row for each trial that has ended a rung, with the best so far and the epochs in all. */
BtStatus bt_nn_search_table(const BtNnSearch *search);
/* best.json, best-task.json (the task with the values found as initial ones) and best.safetensors; other
 * checkpoints are removed. The program's results. */
BtStatus bt_nn_search_report(BtNnSearch *search, int time_up);

#endif

/* nn/loader.h: batches of a data set, formed ahead of their use by threads.
 *
 * A batch is a pure function of (data, split, batch size, seed, shuffle; epoch, index): there is no state to
 * save, and a run that resumes at (epoch, index) reads what an unbroken one would have read, with any number
 * of threads.
 *
 * Examples: batch `index` holds the places index·batch … of the epoch's order, a permutation keyed by (seed,
 * split, epoch) with shuffle, else the order of the data. With shuffle, a last incomplete batch is left out,
 * as training wants it; without, it is kept and `rows` tells how many there are.
 *
 * Text: the split is cut into `batch` streams of equal length (what is left over at its end is not read) and
 * batch `index` is the window of T tokens at index·T of each: x [batch × T], label the tokens one further on.
 * Windows come in order in every epoch; `carried` tells that the recurrent state of the batch before goes on.
 * The last window, if it is shorter, is left out with shuffle; without, positions from `steps` on are padding
 * (token and label 0), whose loss does not count. */
#ifndef BITUNE_NN_LOADER_H
#define BITUNE_NN_LOADER_H

#include "nn/data.h"

typedef struct {
  NnSplit split;
  size_t batch;  /* rows, ≥ 1                                                                          */
  uint64_t seed; /* of the order and, in NN_DATA_IMAGES, of patches and noise                          */
  int shuffle;   /* training; evaluation takes the same examples, patches and noise in every epoch     */
  int threads;   /* that prefetch, each one batch; 0: batches are formed by nn_loader_get              */
} NnLoaderOptions;

/* Valid until the next nn_loader_get or nn_loader_destroy. */
typedef struct {
  size_t rows;         /* examples, batch but for a last incomplete one                                  */
  size_t steps;        /* positions of each row that count: T; fewer in the last window; 1 if no text    */
  int carried;         /* text: this window continues that of index − 1                                  */
  const NnReal *x;     /* [rows × x's shape]                                                             */
  const NnReal *label; /* [rows × label's shape]                                                        */
} NnBatch;

typedef struct NnLoader NnLoader;

/* data is borrowed. Errors: BT_ERR_ARG where the split is empty, or with shuffle too small for one batch, or
 * a text too short for its streams; BT_ERR_MEMORY; BT_ERR_LIBRARY (threads). */
BtStatus nn_loader_create(BtContext *ctx, const NnData *data, const NnLoaderOptions *options,
                          NnLoader **loader);
/* Batches of an epoch of such a loader, as nn_loader_batches; of info, rows, text and x count. Errors:
 * BT_ERR_ARG as above. */
BtStatus nn_loader_count(BtContext *ctx, const NnDataInfo *info, const NnLoaderOptions *options,
                         size_t *batches);
/* Waits for its threads. NULL is allowed. */
void nn_loader_destroy(NnLoader *loader);

/* Batches of an epoch. */
size_t nn_loader_batches(const NnLoader *loader);

/* Batch index < nn_loader_batches of the epoch; those that follow it are then formed in the background.
 * Errors: BT_ERR_ARG, no such batch. A loader belongs to one thread. */
BtStatus nn_loader_get(BtContext *ctx, NnLoader *loader, uint64_t epoch, size_t index, NnBatch *batch);

#endif

/* nn/optimizer.h: first-order optimizers of one group of a graph's parameters. */
#ifndef BITUNE_NN_OPTIMIZER_H
#define BITUNE_NN_OPTIMIZER_H

#include "nn/graph.h"

typedef enum {
  NN_SGD,    /* m ← µm + g, w ← w − η m; Nesterov: w ← w − η(g + µm)    */
  NN_ADAM,   /* Kingma, Ba 2014, arXiv:1412.6980   */
  NN_ADAMW,  /* decoupled weight decay: Loshchilov, Hutter 2017, arXiv:1711.05101  */
  NN_RMSPROP /* v ← αv + (1−α)g², w ← w − η g/(√v + ε), or with momentum: m ← µm + g/(√v + ε), w ← w − η m */
} NnOptimizerKind;

typedef struct {
  NnOptimizerKind kind;
  double momentum;     /* SGD, RMSprop: in [0, 1)                                                          */
  int nesterov;        /* SGD with momentum                                                                 */
  double beta1, beta2; /* Adam: in [0, 1); usual 0.9, 0.999                                             */
  double alpha;        /* RMSprop: in [0, 1); usual 0.99                                                    */
  double epsilon;      /* Adam, RMSprop: > 0; usual 1e-8                                                    */
  double decay;        /* of the weights: added to the gradient, AdamW: decoupled                           */
  double clip;         /* the group's gradient is scaled to this Euclidean norm if it is longer; 0: never   */
} NnOptimizerOptions;

/* The usual values of a kind: no momentum, decay or clipping. */
NnOptimizerOptions nn_optimizer_defaults(NnOptimizerKind kind);

typedef struct NnOptimizer NnOptimizer;

/* For a group of a closed graph, borrowed. Errors: BT_ERR_ARG (an option outside its range, an empty group),
 * BT_ERR_MEMORY. */
BtStatus nn_optimizer_create(BtContext *ctx, const NnOptimizerOptions *options, NnGraph *graph, NnGroup group,
                             NnOptimizer **optimizer);
/* NULL is allowed. Before its graph. */
void nn_optimizer_destroy(NnOptimizer *optimizer);

/* One step of size `rate` with the gradient that nn_graph_backward left. With norm NULL nothing waits for the
 * backend. Otherwise *norm becomes the gradient's norm before clipping, and BT_ERR_NUMERIC is returned if
 * that is not finite; then nothing has changed. */
BtStatus nn_optimizer_step(BtContext *ctx, NnOptimizer *optimizer, double rate, double *norm);

/* A step in two parts, for those who collect what changes from step to step in one copy to the backend, and
 * start the same kernels again (nn/recorder.h). */
typedef union {
  NnSgd sgd;
  NnAdam adam;
  NnRmsprop rmsprop;
} NnUpdate;

/* Counts a step of size `rate` and tells what its kernels read. BT_ERR_ARG where the rate is not finite. */
BtStatus nn_optimizer_next(BtContext *ctx, NnOptimizer *optimizer, double rate, NnUpdate *update);
/* Starts its kernels, with the update, and the place for the gradient's squared norm, which is written if
 * clip > 0, in memory of the backend. */
void nn_optimizer_apply(NnOptimizer *optimizer, const NnUpdate *update, NnReal *square);

/* Steps taken; setting them is for those who put another state into the buffers below. */
int64_t nn_optimizer_steps(const NnOptimizer *optimizer);
void nn_optimizer_set_steps(NnOptimizer *optimizer, int64_t steps);

/* Options of the next steps: the same kind, and momentum or none as before. BT_ERR_ARG, and nothing has changed. */
const NnOptimizerOptions *nn_optimizer_options(const NnOptimizer *optimizer);
BtStatus nn_optimizer_change(BtContext *ctx, NnOptimizer *optimizer, const NnOptimizerOptions *options);
/* How often they have been changed. */
int64_t nn_optimizer_changes(const NnOptimizer *optimizer);

/* State buffers on the backend, laid out as nn_graph_group_values: momentum; Adam: first, second moment;
 * RMSprop: mean square, momentum. NULL beyond the last, for averages over replicas. */
NnReal *nn_optimizer_state(const NnOptimizer *optimizer, int which, size_t *count);

/* In a checkpoint: PREFIX steps, PREFIX state0, PREFIX state1. Declare, then append in the same order. */
BtStatus nn_optimizer_declare(BtContext *ctx, const NnOptimizer *optimizer, BtTensorWriter *writer,
                              const char *prefix);
BtStatus nn_optimizer_append(BtContext *ctx, const NnOptimizer *optimizer, BtTensorWriter *writer);
BtStatus nn_optimizer_load(BtContext *ctx, NnOptimizer *optimizer, BtTensorReader *reader,
                           const char *prefix);

#endif

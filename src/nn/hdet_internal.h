/* nn/hdet_internal.h: the parts of an ensemble. hdet.c runs the replicas in turn, hdet_converge.c averages
 * and steers, hdet_replica.c moves replicas in and out of the graph, hdet_options.c checks, hdet_state.c
 * saves. */
#ifndef BITUNE_NN_HDET_INTERNAL_H
#define BITUNE_NN_HDET_INTERNAL_H

#include "nn/hdet.h"

#define NN_HDET_PARTS 4 /* weights, running statistics, two states of the optimizer */

/* A stretch of a replica's state on the backend. */
typedef struct {
  NnReal *values;
  size_t count;
} NnHdetPart;

struct NnHdet {
  NnHdetOptions o;
  BtTeam *team;
  NnGraph *graph;
  NnBackend *backend;
  NnOptimizer *optimizer;
  NnOptimizerOptions tuned;  /* of the replica in the graph */
  int rate, decay, momentum; /* indices of hyperparameters, −1: none */

  NnHdetPart part[NN_HDET_PARTS];
  int parts, trained; /* trained: the first of them, on which a gradient depends         */
  size_t state;       /* numbers of a replica's state                                          */
  size_t ending;      /* of a slot: the replica's report: vote, validity, training loss of each, stop */
  size_t slot;        /* numbers of a slot, state + ending                                      */
  size_t owned;       /* replicas of this rank                                                 */
  NnReal *slots;      /* [owned × slot]                                                        */
  NnReal *reports;    /* COPY: [owned × ending] */
  NnReal *anchor;     /* [state] the last average                                             */
  double *total;      /* [max(slot, gradient + 2)]                                             */

  NnReal *gradient; /* of the graph, on the backend                                      */
  size_t gradient_count;
  NnReal *gradients; /* SHARED: [owned × (gradient_count + 2)]: gradient, validity, stop */

  int asked;             /* to stop */
  int64_t start, length; /* first step of the block, its steps                            */
  int64_t local;         /* steps of the block done by the replica in the graph (SHARED: by all) */
  size_t turn;           /* index of that replica among the owned                         */
  int64_t syncs, collectives, gradient_collectives;
  int64_t optimizer_start; /* its steps at the start of the block                         */

  double *vote; /* [owned] losses that vote */
  double *loss; /* [owned] sums over the block                                           */
  int *failed;  /* [owned] in this block                                                 */

  /* Steering. */
  double base[NN_HDET_MAX_HYPERS], velocity[NN_HDET_MAX_HYPERS];
  double gamma, damping; /* damping: of the schedule, by retreats */
  int steering, retreats;
  int *place; /* [hypers × N] of this block */

  /* Of a sync: [N] and [hypers × N]. */
  double *losses, *training, *weight, *multiplier, *value;
  int *kept;
};

/* Copies between the graph and a slot or the anchor: all of a state, or `count` parts of it. */
BtStatus nn_hdet_load_state(BtContext *ctx, NnHdet *h, const NnReal *from);
BtStatus nn_hdet_save_state(BtContext *ctx, NnHdet *h, NnReal *to);
BtStatus nn_hdet_load_parts(BtContext *ctx, NnHdet *h, const NnReal *from, int first, int count);
BtStatus nn_hdet_save_parts(BtContext *ctx, NnHdet *h, NnReal *to, int first, int count);
NnReal *nn_hdet_slot(const NnHdet *h, size_t turn);
int nn_hdet_finite(const NnReal *x, size_t n);

/* The block that begins at `start`: new places, and the first replica (SHARED: all). */
BtStatus nn_hdet_start_block(BtContext *ctx, NnHdet *h);
/* The replica of this turn at the start of the block: the average, and noise before the first step. */
BtStatus nn_hdet_start_replica(BtContext *ctx, NnHdet *h);
/* Gives the optimizer the values of the replica of this turn. */
BtStatus nn_hdet_tune(BtContext *ctx, NnHdet *h);

/* Base of a hyperparameter in a step, in the coordinate that is steered; multiplier and value of a replica.
 */
double nn_hdet_base_at(const NnHdet *h, int hyper, int64_t step);
double nn_hdet_multiplier_of(const NnHdet *h, int hyper, int replica);
double nn_hdet_value_at(const NnHdet *h, int hyper, int replica, int64_t step);

BtStatus nn_hdet_check(BtContext *ctx, const NnHdetOptions *o);
/* All replicas have done the block's steps and are in their slots. */
BtStatus nn_hdet_converge(BtContext *ctx, NnHdet *h);
/* Tells all ranks to stop in place of an average. */
BtStatus nn_hdet_converge_stopped(BtContext *ctx, NnHdet *h);
/* Back to the start of the block: BT_STOPPED. */
BtStatus nn_hdet_give_up(BtContext *ctx, NnHdet *h);

#endif

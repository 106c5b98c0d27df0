/* nn/hdet/hdet_internal.h: the parts of an ensemble. hdet.c runs the replicas in turn, hdet_converge.c averages
 * them, hdet_steering.c moves the bases, hdet_mixture.c lets mixtures vote, hdet_replica.c moves replicas in
 * and out of the graph, hdet_options.c checks, hdet_state.c saves. */
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
  size_t mixed;       /* MIXTURES: numbers of its trained parts, which are mixed, else 0               */
  int mixtures;       /* MIXTURES: steered hyperparameters, each with two of them                      */
  size_t body;        /* of a slot: state; in blocks whose mixtures vote also the mean of its iterates, and
                         that times its place for each of them                                         */
  size_t ending;      /* of a slot: the replica's report: vote, validity, training loss of each, stop */
  size_t slot;        /* numbers of a slot, body + ending                                       */
  size_t owned;       /* replicas of this rank                                                 */
  NnReal *slots;      /* [owned × slot]                                                        */
  NnReal *reports;    /* [owned × max(ending, 2 mixtures + 1)], for short collectives */
  NnReal *mixture;    /* [mixed] one of them, or an iterate */
  NnReal *anchor;     /* [state] the last average                                             */
  NnReal *origin;     /* [state] of a trial: the initial values, with which the run starts anew */
  double *total;      /* [max(slot, gradient + 2)]                                             */

  NnReal *gradient; /* of the graph, on the backend                                      */
  size_t gradient_count;
  NnReal *gradients; /* SHARED: [owned × (gradient_count + 2)]: gradient, validity, stop */

  int asked;             /* to stop */
  BtStatus others;       /* after an error: what the other ranks have returned; BT_OK: they go on */
  int64_t start, length; /* first step of the block, its steps                            */
  int64_t local;         /* steps of the block done by the replica in the graph (SHARED: by all) */
  size_t turn;           /* index of that replica among the owned                         */
  int64_t syncs, collectives, gradient_collectives;
  NnHdetSeconds seconds;
  int64_t optimizer_start; /* its steps at the start of the block                         */

  double *vote; /* [owned] losses that vote */
  double *loss; /* [owned] sums over the block                                           */
  int *failed;  /* [owned] in this block                                                 */

  /* Steering. */
  double base[NN_HDET_MAX_HYPERS], velocity[NN_HDET_MAX_HYPERS];
  double gamma, damping;     /* damping: of the schedule, by retreats */
  int steering, retreats;    /* retreats: in a row */
  int64_t averages;          /* that the weights hold, since they started or started anew */
  int64_t failures, dropped; /* blocks in which all replicas failed; replicas left out of averages */
  int searches;              /* blocks of search left                                      */
  int64_t settled;           /* step from which the rate is steered no more; 0: it is      */
  int trials;                /* whose time is over */
  int64_t finds;             /* trials that have found a rate, and these bases */
  double found[NN_HDET_MAX_TRIALS];
  int64_t votes; /* of this trial on the rate; sums of the replicas' mean rates in the blocks that voted,
                    and of these over the base */
  double rates, lifts;
  NnHdetVotes told; /* by its mixtures */
  int *place;       /* [hypers × N] of this block */

  /* Of a sync: [N], [hypers × 2], [hypers × N]. */
  double *losses, *training, *mixture_loss, *weight, *multiplier, *value;
  int *kept;
};

/* Copies between the graph and a slot or the anchor: all of a state, or `count` parts of it. */
BtStatus nn_hdet_load_state(BtContext *ctx, NnHdet *h, const NnReal *from);
BtStatus nn_hdet_save_state(BtContext *ctx, NnHdet *h, NnReal *to);
BtStatus nn_hdet_load_parts(BtContext *ctx, NnHdet *h, const NnReal *from, int first, int count);
BtStatus nn_hdet_save_parts(BtContext *ctx, NnHdet *h, NnReal *to, int first, int count);
NnReal *nn_hdet_slot(const NnHdet *h, size_t turn);
int nn_hdet_finite(const NnReal *x, size_t n);

/* The judge's loss for what the graph holds. */
BtStatus nn_hdet_judge(BtContext *ctx, NnHdet *h, double *loss);

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

/* hdet_mixture.c. Mixtures vote at the end of this block. */
int nn_hdet_mixes(const NnHdet *h);
/* Before the first step; after each step of the replica in the graph, to remember some of its iterates;
 * before the collective, for a replica that is valid: their mean, and what mixtures need. */
void nn_hdet_mix_start(NnHdet *h);
BtStatus nn_hdet_mix_step(BtContext *ctx, NnHdet *h);
void nn_hdet_mix_end(NnHdet *h, size_t turn);
/* After the collective: judges the mixtures in its totals; weights of the replicas for each steered
 * hyperparameter. */
BtStatus nn_hdet_mix_vote(BtContext *ctx, NnHdet *h);

/* hdet_steering.c. All go on from the best replica. */
int nn_hdet_copies(const NnHdet *h);
int nn_hdet_best(const NnHdet *h);
/* In a search: the best replica has one of the lowest rates. */
int nn_hdet_too_high(const NnHdet *h);
/* Hyperparameter moves by the votes of this block. */
int nn_hdet_steers(const NnHdet *h, int hyper);
/* The next bases, once the valid replicas are averaged; `step` steps are done. Returns whether they moved. */
int nn_hdet_steer_all(NnHdet *h, int64_t step);
/* Nothing to average: back to the anchor with a lower rate. */
void nn_hdet_retreat(BtContext *ctx, NnHdet *h);

/* nn_hdet_sum: one collective over numbers of all replicas, in `total`. */
BtStatus nn_hdet_sum(BtContext *ctx, NnHdet *h, const NnReal *mine, size_t n);

BtStatus nn_hdet_check(BtContext *ctx, const NnHdetOptions *o);
/* All replicas have done the block's steps and are in their slots. */
BtStatus nn_hdet_converge(BtContext *ctx, NnHdet *h);
/* Tells all ranks to stop in place of an average. */
BtStatus nn_hdet_converge_stopped(BtContext *ctx, NnHdet *h);
/* The same for a rank whose backend may fail: it does not go on. */
BtStatus nn_hdet_tell_stop(BtContext *ctx, NnHdet *h);
/* Back to the start of the block: BT_STOPPED. */
BtStatus nn_hdet_give_up(BtContext *ctx, NnHdet *h);

#endif

/* nn/hdet.h: hyperparameter-divergent ensemble training (arXiv:2604.24708).
 *
 * N replicas of a training run take steps with their own hyperparameters, spread around a base (fan-out);
 * every T steps their weights are averaged by one collective (converge), and which replicas had lower losses
 * steers the base. The total work is that of data-parallel training on N shards, and the learning rate finds
 * its own schedule.
 *
 * In a training loop it stands where a schedule and the optimizer's step were:
 *
 *   nn_hdet_create(ctx, &options, team, graph, optimizer, &hdet);
 *   while (!nn_hdet_done(hdet)) {
 *     …forward and gradient on batch nn_hdet_draw(hdet)…
 *     nn_hdet_step(ctx, hdet, loss);
 *   }
 *   nn_hdet_destroy(hdet);
 *
 * Replica r belongs to rank r mod size of the team. A rank runs its replicas in turn on its one graph: with
 * local gradients the T steps of one after those of the other, with shared gradients all in each step. Which
 * replica the graph holds changes inside nn_hdet_step alone. Weights, optimizer state and running statistics
 * are averaged in the order of the replicas (core/team.h, sum_items), so that a run's result has the same
 * bits wherever its replicas live: one process, forked processes, MPI ranks. A rank holds, on the host, the
 * state of each of its replicas and three more (the last average, and the next one in double precision; of a
 * trial also the first); an average moves each replica's state once. Where mixtures vote, the weights of each
 * replica come once more, and once more for each steered hyperparameter.
 *
 * A replica whose loss, gradient or weights are not finite has no vote and no part in the next average, from
 * which it goes on; the context is warned. If all fail, they go back to the last average and the rate is
 * halved. */
#ifndef BITUNE_NN_HDET_H
#define BITUNE_NN_HDET_H

#include "core/team.h"
#include "nn/hdet_rule.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"

#define NN_HDET_MAX_HYPERS 32
#define NN_HDET_MAX_TRIALS 16

/* Who applies a hyperparameter. */
typedef enum {
  NN_HDET_RATE,     /* the optimizer's step size: base from the schedule until it is steered */
  NN_HDET_DECAY,    /* the optimizer's weight decay                                           */
  NN_HDET_MOMENTUM, /* the optimizer's momentum (Adam: beta1)                                 */
  NN_HDET_OTHER     /* the caller, who reads nn_hdet_value before each forward run            */
} NnHdetRole;

typedef struct {
  char name[32];   /* for logs and warnings                                                     */
  NnHdetRole role; /* each of the first three at most once                                      */
  NnSpreadSpace space;
  double initial; /* base value at the start; of the rate: not used                            */
  double spread;  /* α >= 0, MULTIPLE: < 1; 0: the same on all replicas                        */
  int steered;    /* by the losses, from step `steer_from` on; otherwise the base stays        */
} NnHdetHyper;

typedef enum {
  NN_HDET_LOCAL, /* replicas train on their own gradients                                            */
  NN_HDET_SHARED /* gradients are averaged in every step (a collective each): replicas differ by their own
                    hyperparameters alone                                                            */
} NnHdetGradients;

typedef enum {
  NN_HDET_AVERAGE, /* weights are averaged, the softmax of losses steers                            */
  NN_HDET_COPY /* all go on with weights and values of the replica with the lowest loss, as population-based
                  training does (arXiv:1711.09846): a baseline; a second, short collective tells which */
} NnHdetConverge;

/* Whose losses steer. */
typedef enum {
  NN_HDET_REPLICAS, /* those of each replica, the paper's: its mean training loss, or what the judge says */
  NN_HDET_MIXTURES  /* for each steered hyperparameter those of two weighted averages of all replicas, one
                       leaning to the low values, the other to the high ones, by the judge; see
                       hdet_mixture.c. A second, short collective tells these losses to all           */
} NnHdetVoters;

/* How the rate's base is found from a first guess that may be wrong by orders of magnitude. */
typedef struct {
  int blocks;    /* the first blocks at most that search: replicas differ by their rates alone, all go on from
                    the best one, and its rate is the next base; if it is among the lowest quarter, they go back
                    to the start of the block instead, since a state that too high a rate has spoilt needs high
                    rates ever after. Ends with a best rate inside the range. 0: no search; else the rate must
                    be steered and spread in its logarithm, and is steered from the end of the search on    */
  double spread; /* α of the rate meanwhile, usual log 10                                               */
  int64_t settle; /* the first sync at or after this step ends the steering of the rate: its base is what the
                     votes have found, times the schedule's value over its peak; no spread from there on.
                     Mixtures find nn_hdet_votes_zero, times the mean of the replicas' multiples of their
                     base, with which averages have moved; replicas the mean of their rates over all blocks
                     that have voted on it. 0: never */
  int trials; /* > 0: the steps up to there are trials, so many (at most NN_HDET_MAX_TRIALS) and of about the
                 same length. At the end of each weights and optimizer start anew, so that no harm done by too
                 high a rate remains, and a next one searches and votes again, from what was found. The result
                 is nn_hdet_consensus of all in the coordinate that is spread, the reach being the larger α
                 (of a rate in its logarithm). After the last the schedule starts, stretched over the steps
                 left, of which there must be some */
} NnHdetSearch;

typedef struct NnHdet NnHdet;

/* What a sync found and did; borrowed for the call. Arrays [hypers × replicas] are hyperparameter by
 * hyperparameter. */
typedef struct {
  int64_t sync, step; /* number of the sync, from 1; steps done by each replica                   */
  int replicas, hypers, valid;
  const double *loss;    /* [replicas] by the judge, or the training losses                          */
  const double *trained; /* [replicas] mean training losses, the same without a judge               */
  const double *weight;  /* [hypers × replicas] of the vote; 0 where dropped                         */
  const double *mixture; /* [hypers × 2] losses of the low and the high mixture; NULL: there were none */
  const int *kept;       /* [replicas] 0: dropped                                                    */
  const double *multiplier, *value; /* [hypers × replicas] in the last step                         */
  const double *before, *after;     /* [hypers] base values of the block that ended, of the next    */
  const double *velocity;           /* [hypers] v                                                   */
  double gamma;          /* decay of the rate's base, 0 before it is steered                         */
  int steered, retreat;  /* the vote moved the bases; all replicas had failed, or too high a rate    */
  int searched, settled; /* a block of the search; the rate is steered no more                       */
} NnHdetSync;

typedef struct {
  int replicas;  /* N >= 1                                                                   */
  int64_t total; /* steps of the run, of each replica                                        */
  int64_t sync;  /* T, 1 … total; a shorter block ends the run                               */
  NnHdetGradients gradients;
  NnHdetConverge converge;
  NnHdetVoters voters;
  NnHdetSearch search;
  NnSchedule schedule; /* of the rate's base until it is steered, times 1 − α … 1 + α              */
  int64_t steer_from;  /* S_warm: the first sync at or after this step steers                      */
  double floor;        /* of the rate's base, which decays to it; 0: neither floor nor decay       */
  double sigma;        /* of the vote; 0: z-scored losses                                          */
  NnSteering steering; /* usual: β 0.9, λ 0.5                                                      */
  double noise;  /* ν: replicas start at θ + N(0, ν²‖θ‖²/d) for each tensor; usual 0 or 0.01 */
  uint64_t seed; /* of permutations and noise                                                */
  int hypers;    /* entries of hyper; a rate must be among them                              */
  NnHdetHyper hyper[NN_HDET_MAX_HYPERS];

  /* The loss that a replica votes with, instead of its mean training loss; called at the end of its block
   * with the replica in the graph. Needed by MIXTURES, which are judged in the place of replicas but for the
   * search, as long as they vote; otherwise optional. To be comparable, losses of one sync (nn_hdet_syncs)
   * should be those of the same examples. Must leave parameters as they are (NnRun.keep_statistics). */
  BtStatus (*judge)(void *user, BtContext *ctx, NnHdet *hdet, double *loss);
  /* Optional: told of each sync, on every rank alike. */
  void (*observe)(void *user, const NnHdetSync *sync);
  void *user;
} NnHdetOptions;

/* One-cycle schedule of peak `rate`; rate spread by α = 1/9 and steered from the peak on, to a hundredth of
 * it; local gradients, z-scored losses, β 0.9, λ 0.5, no noise. */
NnHdetOptions nn_hdet_defaults(int replicas, int64_t total, int64_t sync, double rate);

/* In place of these, for a first guess that may be wrong by a factor of ten and more: three trials of
 * 0.06·total each (one of 0.12·total, where they would have fewer than five syncs), in each a search of at
 * most eight blocks, then votes of mixtures over replicas spread by e^±1.1; after these the run starts anew
 * with the rate found; β 0, λ 1. The caller sets total and sync before, and a judge. */
void nn_hdet_find_rate(NnHdetOptions *options);

/* Team, graph (closed, initial values set, also for a run that a checkpoint then continues) and optimizer of
 * its group NN_GENERAL are borrowed. All ranks must have the same options and values. Errors: BT_ERR_ARG
 * (says which option), BT_ERR_MEMORY. */
BtStatus nn_hdet_create(BtContext *ctx, const NnHdetOptions *options, BtTeam *team, NnGraph *graph,
                        NnOptimizer *optimizer, NnHdet **hdet);
/* NULL is allowed. */
void nn_hdet_destroy(NnHdet *hdet);

/* All steps of all of this rank's replicas are done; the graph holds the average. */
int nn_hdet_done(const NnHdet *hdet);
/* Replica that the graph holds, 0 … replicas − 1, and the number of its next step. */
int nn_hdet_replica(const NnHdet *hdet);
int64_t nn_hdet_at(const NnHdet *hdet);
/* step·N + replica: key of the batch and of NnRun's random numbers in this step, different for all. */
uint64_t nn_hdet_draw(const NnHdet *hdet);
/* The replica's value of a hyperparameter in this step. */
double nn_hdet_value(const NnHdet *hdet, int hyper);

/* The optimizer's step of this replica with the gradient in the graph; `loss` is its training loss before the
 * step. Converges when all replicas have done a block's steps. BT_ERR_TEAM: another process is lost (or MPI's
 * error); BT_ERR_NUMERIC: all replicas failed in `NN_HDET_RETREATS` blocks in a row, or the run is over and
 * no block could be kept (of a trial: since the weights started anew), of which `observe` is told first:
 * all ranks end with the same of these. Errors of the optimizer, judge, backend are those of one rank: it
 * must call nn_hdet_leave. */
#define NN_HDET_RETREATS 20
BtStatus nn_hdet_step(BtContext *ctx, NnHdet *hdet, double loss);

/* A stop that one rank wants (bt_stop_requested, or nn_hdet_stop) becomes the stop of all: their next
 * steps give the block up and return BT_STOPPED (local gradients: once the others have ended it), with the
 * ensemble as it was at the block's start; steps after that begin it anew. */
void nn_hdet_stop(NnHdet *hdet);

/* For a rank that cannot go on, by an error of its own in nn_hdet_step or between two steps: the others, who
 * wait for it in their next collective, learn this as a stop, after which the ensemble can only be destroyed.
 * Needs neither backend nor judge. Returns what the others have returned: BT_STOPPED, or the error that is
 * that of all; BT_OK if they need nothing more of this rank. */
BtStatus nn_hdet_leave(BtContext *ctx, NnHdet *hdet);

/* Collectives so far: averages of weights (one a sync; one more, short, for COPY, MIXTURES that steer, and in
 * the search, whose long one is left out where all go back; one if stopped), averages of gradients
 * (SHARED: one a step). */
int64_t nn_hdet_syncs(const NnHdet *hdet);
int64_t nn_hdet_collectives(const NnHdet *hdet);
int64_t nn_hdet_gradient_collectives(const NnHdet *hdet);
/* Blocks so far in which all replicas failed, and replicas left out of averages (those of such blocks too).
 */
int64_t nn_hdet_failures(const NnHdet *hdet);
int64_t nn_hdet_dropped(const NnHdet *hdet);
/* What this rank spent beside steps, in seconds of the wall clock. */
typedef struct {
  double fan_out;  /* replicas into the graph and out of it, places and values of a block                 */
  double converge; /* averages and steering, the wait for other ranks included                           */
  double mixtures; /* remembering iterates for MIXTURES                                                  */
  double votes;    /* the caller's judge: computing, not moving                                          */
} NnHdetSeconds;
NnHdetSeconds nn_hdet_seconds(const NnHdet *hdet);
/* Base value of a hyperparameter now. */
double nn_hdet_base(const NnHdet *hdet, int hyper);

/* Right after a sync (and before the first step) all replicas are the same, and a checkpoint holds the whole
 * ensemble: graph, optimizer and these tensors, PREFIX counts and PREFIX values. Elsewhere: BT_ERR_ARG.
 * nn_hdet_load comes after those of graph and optimizer; BT_ERR_FORMAT if the checkpoint is of another
 * ensemble. */
int nn_hdet_converged(const NnHdet *hdet);
BtStatus nn_hdet_declare(BtContext *ctx, const NnHdet *hdet, BtTensorWriter *writer, const char *prefix);
BtStatus nn_hdet_append(BtContext *ctx, const NnHdet *hdet, BtTensorWriter *writer);
BtStatus nn_hdet_load(BtContext *ctx, NnHdet *hdet, BtTensorReader *reader, const char *prefix);

#endif

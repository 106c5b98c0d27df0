/* tests/nn/hdet_net.h: a small network with batch norm and dropout, its data, and ensembles of it. */
#ifndef BITUNE_TESTS_HDET_NET_H
#define BITUNE_TESTS_HDET_NET_H

#include "nn/hdet.h"

#define HDET_BATCH 8

typedef struct {
  BtContext ctx;
  NnBackend *backend;
  NnGraph *graph;
  NnOptimizer *optimizer;
  NnId x, label, rate, loss;
  size_t count; /* of the group NN_GENERAL */
} HdetNet;

/* The same initial values each time. */
void hdet_net_open(HdetNet *net, const NnOptimizerOptions *optimizer);
void hdet_net_close(HdetNet *net);

/* Forward and gradient on batch and masks number `draw`; returns the loss. */
double hdet_net_gradient(HdetNet *net, uint64_t draw, double dropout);

/* All steps of an ensemble on this rank, or up to its sync number `until` (0: to the end). Dropout is
 * hyperparameter 1 if there are two or more. */
BtStatus hdet_net_train(HdetNet *net, NnHdet *hdet, int hypers, int64_t until);

/* For NnHdetOptions.judge; user: the HdetNet. Its loss on a batch that is none of the training's. */
BtStatus hdet_net_judge(void *user, BtContext *ctx, NnHdet *hdet, double *loss);

/* Weights, then running statistics, then the optimizer's states; at most `most` numbers, whose count is
 * returned. */
size_t hdet_net_state(HdetNet *net, NnReal *to, size_t most);

/* A dropout rate for the place of hyperparameter 1. */
NnHdetHyper hdet_dropout(void);
/* A constant rate of 0.001, steered from the start without decay. */
NnHdetOptions hdet_constant_rate(int replicas, int64_t total, int64_t sync);

/* An ensemble on one process whose losses the test tells: a gradient is in the graph, so that nn_hdet_step
 * can be called at once. */
typedef struct {
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
} HdetTold;

void hdet_told_open(HdetTold *t, const NnHdetOptions *o);
void hdet_told_close(HdetTold *t);

#endif

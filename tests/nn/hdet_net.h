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

/* Weights, then running statistics, then the optimizer's states; at most `most` numbers, whose count is
 * returned. */
size_t hdet_net_state(HdetNet *net, NnReal *to, size_t most);

#endif

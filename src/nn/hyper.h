/* nn/hyper.h: hyperparameters, declared in JSON, and their nodes in a graph.
 *
 * A hyperparameter is stored unconstrained (λ) and mapped to its range (nn/ops.h, NnRange). Perturbation:
 * λ' = λ + softplus(s)⊙ε with an ε for each example; those that act on a batch as a whole take the first
 * example's λ' in all rows, so that the response is fed what acted. */
#ifndef BITUNE_NN_HYPER_H
#define BITUNE_NN_HYPER_H

#include <jansson.h>

#include "nn/ops.h"

typedef struct {
  char *name, *unit; /* owned; the unit may be ""                                      */
  NnRange range;
  double initial; /* inside its range                                               */
  double scale;   /* softplus(s) at the start: deviation of the perturbation of λ   */
  int per_batch;  /* acts on the batch as a whole: weight decay, DropConnect, …     */
} NnHyper;

typedef struct {
  size_t count;
  NnHyper *item; /* [count], owned */
} NnHyperSet;

/* An array of {"name", "low", "high" (missing: open), "discrete", "log", "initial", "scale", "unit",
 * "per_batch"}; NULL: no hyperparameters. `file` names the description in errors (BT_ERR_FORMAT). "log":
 * value = low + e^λ instead of low + softplus(λ), for weights of penalties. */
BtStatus nn_hyper_parse(BtContext *ctx, const char *file, const json_t *array, NnHyperSet *set);
void nn_hyper_clear(NnHyperSet *set);

/* −1 if there is none of that name. */
long nn_hyper_find(const NnHyperSet *set, const char *name);

/* λ of a value. BT_ERR_ARG naming hyperparameter, value and range where it is not inside. A discrete
 * hyperparameter's value may be any number of its range. */
BtStatus nn_hyper_unconstrained(BtContext *ctx, const NnHyper *hyper, double value, double *lambda);

/* Nodes, once for each graph. Without hyperparameters all are NN_NONE. */
typedef struct {
  NnId lambda, s; /* NN_HYPER parameters "lambda" and "s" [n]                             */
  NnId perturbed; /* λ' [n], batched                                                      */
  NnId delta;     /* what the response is fed: λ' − λ (λ constant) if centred, else λ'    */
  NnId rates;     /* values in their ranges [n], batched                                  */
} NnHyperNodes;

NnHyperNodes nn_hyper_nodes(NnGraph *g, const NnHyperSet *set, int centred);

/* Sets λ, s and the constants in a closed graph; values[n] in their ranges, NULL for the initial ones. */
BtStatus nn_hyper_initial(BtContext *ctx, NnGraph *g, const NnHyperSet *set, const NnHyperNodes *nodes,
                          const double *values);

/* Sets λ alone. */
BtStatus nn_hyper_set(BtContext *ctx, NnGraph *g, const NnHyperSet *set, const NnHyperNodes *nodes,
                      const double *values);

/* Their present values, before discrete ones are floored; values[n], scales[n] (softplus(s), may be NULL). */
BtStatus nn_hyper_values(BtContext *ctx, const NnGraph *g, const NnHyperSet *set, const NnHyperNodes *nodes,
                         double *values, double *scales);

#endif

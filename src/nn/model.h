/* nn/model.h: a network described in JSON, as a graph.
 *
 *   {"layers": [{"type": "dropout", "rate": "dropout_input"},
 *               {"type": "flatten"},
 *               {"type": "linear", "out": 1200}, {"type": "relu"},
 *               {"type": "linear", "out": "classes"}],
 *    "loss": "cross-entropy", "l2": "weight_decay"}
 *
 * Layers are listed in docs/networks.md, with their fields. Where a strength or rate is wanted, a text names
 * a hyperparameter and a number is fixed. Weights W and b belong to NN_GENERAL; with `responds`, each layer
 * with weights has a response (U, u, V, C; NN_RESPONSE) that is fed δ. */
#ifndef BITUNE_NN_MODEL_H
#define BITUNE_NN_MODEL_H

#include "nn/hyper.h"

/* What the network's data look like. */
typedef struct {
  NnShape x, label;               /* of one example                                            */
  size_t classes;                 /* of the labels, words of the vocabulary; 0: labels are numbers */
  int tokens;                     /* x [T] are tokens, label [T] the ones that follow          */
  size_t channels;                /* entries of mean and deviation                    */
  const double *mean, *deviation; /* of the training images, for a layer "standardise"; may be NULL; borrowed
                                     for nn_model_create */
} NnProblem;

typedef struct {
  size_t max_batch;
  int responds;   /* layers have a response                                        */
  int centred;    /* which is fed λ' − λ, not λ'                                    */
  double entropy; /* τ: weight of the perturbation's entropy in `upper`           */
} NnModelOptions;

/* A recurrent state: an input, and the node that the next batch's comes from. */
typedef struct {
  NnId before, after;
} NnState;

#define NN_MAX_STATES 8

typedef struct NnInitial NnInitial; /* how a parameter starts; model_internal.h */

typedef struct {
  NnGraph *graph; /* owned, closed                                                            */
  NnProblem problem;
  const NnHyperSet *hyper; /* borrowed                                                          */
  NnHyperNodes nodes;
  NnId x, label;  /* inputs                                                                   */
  NnId output;    /* logits or prediction, in a linearised run y0 + J δ                       */
  NnId losses;    /* of each example and position [label]; of squared errors one for each example [1] */
  NnId loss;      /* mean over the examples (and positions), without penalties: L_V           */
  NnId objective; /* loss and penalties: L_T                                                  */
  NnId upper;     /* loss − τ H: what tuning with learned scales descends                     */
  NnState state[NN_MAX_STATES];
  int states;
  int responds;
  NnInitial *initial; /* owned                                                                  */
  size_t initials, initial_room;
} NnModel;

/* `file` names the description in errors, which tell layer and cause. The backend, `hyper` and what else is
 * borrowed must outlive the model. Errors: BT_ERR_FORMAT (description), BT_ERR_ARG (layers that do not fit
 * the data), BT_ERR_MEMORY with the size that was needed. */
BtStatus nn_model_create(BtContext *ctx, NnBackend *backend, const char *file, const json_t *description,
                         const NnHyperSet *hyper, const NnProblem *problem, const NnModelOptions *options,
                         NnModel **model);
/* NULL is allowed. */
void nn_model_destroy(NnModel *model);

/* W, U, b, u uniform on ±1/sqrt(fan_in) (or as a layer's "initial" says), V, C normal with `deviation`, batch
 * norm 1 and 0, hyperparameters values[n] or as declared (NULL). Draws depend on (seed, parameter's name). */
BtStatus nn_model_initial(BtContext *ctx, NnModel *model, uint64_t seed, double deviation,
                          const double *values);

/* Elements of all recurrent states of `rows` examples; the states one after the other, each [rows × size].
 * Copies, in memory of the backend, of what comes after the last run, and to what goes before the next;
 * before NULL: zero, where a stream begins. */
size_t nn_model_state_size(const NnModel *model, size_t rows);
void nn_model_get_state(const NnModel *model, size_t rows, NnReal *after);
void nn_model_set_state(NnModel *model, size_t rows, const NnReal *before);

#endif

/* nn/graph.h: a static tape: what a network computes, recorded once, run many times.
 *
 * Build: nn_graph_create, leaves and operations (nn/ops.h) in the order in which they are computed,
 * nn_graph_close. A builder function that fails returns NN_NONE, which all others pass on; nn_graph_close
 * reports the first error, so that a model reads as a list of layers.
 *
 * A node is *batched* (one row per example) or not (parameters, scalars). Values, tangents and adjoints lie
 * in one arena that the backend allocates when the graph is closed; parameters of a group are contiguous in
 * each.
 *
 * The response of the weights to the hyperparameters (MacKay et al. 2019, arXiv:1903.03088; Bae,
 * Grosse 2020, arXiv:2010.13514) is part of the layers (nn/ops.h, NnResponse). A run chooses what the offsets
 * δ act on:
 * - NN_RESPONSE_OFF: nothing, as if δ = 0 and no derivative in U, u, V, C or δ was wanted;
 * - NN_RESPONSE_FULL: the weights W + diag(Vδ)U and biases b + Cδ⊙u, in value and in all derivatives;
 * - NN_RESPONSE_LINEARISED: values are those at δ = 0; each tangent is the derivative along δ, and an output
 * of the linearised network (nn_linearised_output) has the value y0 + J δ. Adjoints are those of y0 + J δ
 * with respect to the response's parameters U, u, V, C and to δ: one nn_graph_backward gives them. */
#ifndef BITUNE_NN_GRAPH_H
#define BITUNE_NN_GRAPH_H

#include "core/safetensors.h"
#include "nn/backend.h"

#define NN_MAX_DIMS 4

/* NnReal in a checkpoint. */
#define NN_REAL_TENSOR (sizeof(NnReal) == sizeof(double) ? BT_TENSOR_F64 : BT_TENSOR_F32)

typedef int NnId;
#define NN_NONE (-1)

/* Sizes without the batch: an image is {channels, height, width}, a scalar {1}. */
typedef struct {
  int dims;
  size_t dim[NN_MAX_DIMS];
} NnShape;

#define NN_SHAPE(...) ((NnShape){(int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)), {__VA_ARGS__}})

size_t nn_shape_size(NnShape shape);

/* Groups of parameters, also bits of a set of groups. */
typedef enum {
  NN_GENERAL = 1,  /* W, b                                                    */
  NN_RESPONSE = 2, /* U, u, V, C                                              */
  NN_HYPER = 4,    /* λ, s                                                    */
  NN_BUFFER = 8,   /* running statistics: kept and saved, never differentiated */
  NN_GROUPS = 4
} NnGroup;

typedef enum { NN_RESPONSE_OFF, NN_RESPONSE_FULL, NN_RESPONSE_LINEARISED } NnResponseMode;

/* How a graph is run. */
typedef struct {
  size_t batch; /* rows in use, 1 … max_batch                                                       */
  uint64_t seed, step; /* keys of masks and noise: the same pair draws the same                            */
  const uint64_t *base; /* in memory of the backend, added to `step` when the run comes to it; NULL: 0      */
  NnResponseMode response;
  int training;  /* dropout and DropConnect draw masks, batch norm uses the batch's statistics       */
  int perturbed; /* nn_perturb draws; otherwise λ' = λ                                               */
  int keep_statistics; /* batch norm leaves its running statistics as they are                             */
} NnRun;

typedef struct NnGraph NnGraph;

BtStatus nn_graph_create(BtContext *ctx, NnBackend *backend, size_t max_batch, NnGraph **graph);
/* NULL is allowed. */
void nn_graph_destroy(NnGraph *graph);

/* Leaves. Names are copied; parameters must have names of their own. */
NnId nn_input(NnGraph *g, const char *name, NnShape shape);    /* batched, set before each run      */
NnId nn_constant(NnGraph *g, const char *name, NnShape shape); /* not batched, set when needed      */
NnId nn_parameter(NnGraph *g, const char *name, NnGroup group, NnShape shape);

/* Names a node in between, for errors; one that has a name keeps it. */
void nn_name(NnGraph *g, NnId node, const char *name);

/* Allocates everything. The first error of the builder functions; BT_ERR_MEMORY tells how much was needed. */
BtStatus nn_graph_close(BtContext *ctx, NnGraph *g);

/* Evaluates all nodes; in NN_RESPONSE_LINEARISED their tangents too. The text of an error names the node. */
BtStatus nn_graph_forward(BtContext *ctx, NnGraph *g, const NnRun *run);

/* Forward mode: the tangents of all nodes for those seeded since the last forward, at the values of that
 * forward. Not for NN_RESPONSE_LINEARISED, whose tangents are taken: BT_ERR_ARG. */
BtStatus nn_graph_tangent(BtContext *ctx, NnGraph *g);

/* Reverse mode: adjoints from the seeds set since the last forward; parameters of the groups in `groups` (a
 * sum of NnGroup; others cost nothing) and inputs whose adjoints were asked for by nn_graph_want receive
 * gradients. NN_GENERAL with NN_RESPONSE_LINEARISED is BT_ERR_ARG: the derivative of J δ in W has
 * second-order terms. A second call without a forward in between starts from its own seeds: seeds are used
 * up. */
BtStatus nn_graph_backward(BtContext *ctx, NnGraph *g, int groups);

/* The common case: seed 1 on a scalar node, then backward. */
BtStatus nn_graph_gradient(BtContext *ctx, NnGraph *g, NnId scalar, int groups);

/* Inputs and nodes in between: have nn_graph_backward compute the adjoint of this leaf as well. */
void nn_graph_want(NnGraph *g, NnId leaf);

/* Host copies in and out: `count` elements from the first on, at most the node's size (times max_batch if
 * batched). */
BtStatus nn_graph_set(BtContext *ctx, NnGraph *g, NnId node, const NnReal *values, size_t count);
BtStatus nn_graph_get(BtContext *ctx, const NnGraph *g, NnId node, NnReal *values, size_t count);
BtStatus nn_graph_get_tangent(BtContext *ctx, const NnGraph *g, NnId node, NnReal *values, size_t count);
/* Zeros where no gradient flowed. Derivatives are read after a run: BT_ERR_ARG before. */
BtStatus nn_graph_get_adjoint(BtContext *ctx, const NnGraph *g, NnId node, NnReal *values, size_t count);
/* Seeds for the next tangent (leaves, in all but linearised runs) or backward (any node); whole rows of the
 * batch. */
BtStatus nn_graph_seed_tangent(BtContext *ctx, NnGraph *g, NnId node, const NnReal *values, size_t count);
BtStatus nn_graph_seed_adjoint(BtContext *ctx, NnGraph *g, NnId node, const NnReal *values, size_t count);

/* The node's value where it lies on the backend; valid until the next forward run. */
const NnReal *nn_graph_value(const NnGraph *g, NnId node);

/* Copies within the backend, of the first `count` elements; to a leaf, from NULL: zeros. */
void nn_graph_copy(const NnGraph *g, NnId node, size_t count, NnReal *to);
void nn_graph_put(NnGraph *g, NnId leaf, size_t count, const NnReal *from);

/* What a graph consists of. */
int nn_graph_nodes(const NnGraph *g);
const char *nn_graph_name(const NnGraph *g, NnId node); /* "conv2d 7" where none was given */
const char *nn_graph_op(const NnGraph *g, NnId node);   /* "parameter", "linear", …       */
NnShape nn_graph_shape(const NnGraph *g, NnId node);
int nn_graph_batched(const NnGraph *g, NnId node);
NnGroup nn_graph_group(const NnGraph *g, NnId node);    /* 0 if no parameter */
NnId nn_graph_find(const NnGraph *g, const char *name); /* NN_NONE if there is none */
NnBackend *nn_graph_backend(const NnGraph *g);
size_t nn_graph_bytes(const NnGraph *g); /* of the arena */
size_t nn_graph_max_batch(const NnGraph *g);

/* All parameters of a group as one buffer on the backend, padding (zero) included: for optimizers and
 * averages. */
NnReal *nn_graph_group_values(const NnGraph *g, NnGroup group, size_t *count);
NnReal *nn_graph_group_adjoints(const NnGraph *g, NnGroup group, size_t *count);

/* graph_watch.c, for the report of a run that diverges: a search that is started behind the last run and does
 * not wait. If all of watched [count], in memory of the backend, are finite, *first there becomes −1
 * (NN_NONE); else the first node whose value is not finite, or the number of nodes if all are. */
void nn_graph_watch(NnGraph *g, size_t count, const NnReal *watched, NnReal *first);
/* The same for the gradients of a group that the last backward run has computed. */
void nn_graph_watch_gradients(NnGraph *g, NnGroup group, size_t count, const NnReal *watched, NnReal *first);

/* To be told when a recorded run has been replayed (nn/recorder.h): values are those of that run, tangents
 * and adjoints cannot be asked for before the next forward. */
void nn_graph_replayed(NnGraph *g);

/* Parameters and buffers in a checkpoint, names with `prefix` before them; declare all, then append in the
 * same order. Loading: BT_ERR_FORMAT also for elements that are not finite. */
BtStatus nn_graph_declare(BtContext *ctx, const NnGraph *g, BtTensorWriter *writer, const char *prefix);
BtStatus nn_graph_append(BtContext *ctx, const NnGraph *g, BtTensorWriter *writer);
BtStatus nn_graph_load(BtContext *ctx, NnGraph *g, BtTensorReader *reader, const char *prefix);

#endif

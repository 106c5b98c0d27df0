/* nn/model_internal.h: how a layer is written: a function that reads its fields and calls nn/ops.h, and a
 * line in the table of its file. */
#ifndef BITUNE_NN_MODEL_INTERNAL_H
#define BITUNE_NN_MODEL_INTERNAL_H

#include "nn/fields.h"
#include "nn/model.h"

typedef enum { NN_START_UNIFORM, NN_START_OFFSETS, NN_START_CONSTANT, NN_START_VALUES } NnStart;

struct NnInitial {
  NnId node;
  NnStart kind; /* uniform on ±value; normal with the tuner's deviation; value; `values`                 */
  double value;
  double *values; /* owned, as many as the node has elements */
};

typedef struct {
  BtContext *ctx;
  NnGraph *g;
  NnModel *model;
  const char *file;
  char layer[64];   /* "layer3", "layer3.2" inside a residual block: what parameters' names begin with */
  NnId delta;       /* NN_NONE: no responses                                                          */
  NnId penalties;   /* their sum so far                                                               */
  const json_t *l2; /* of the model, for layers that have none of their own; may be NULL           */
  int fixed;        /* fixed rates so far: for their names                                         */
  int depth;        /* of nested blocks                                                            */
  BtStatus status;  /* of the first layer that failed                                              */
  NnId table;       /* of the embedding, and its response, for the decoder                         */
  NnResponse table_response;
} NnBuilder;

/* NN_NONE after an error, which the fields or the graph keep. */
typedef NnId NnLayerBuild(NnBuilder *b, NnFields *f, NnId x);
typedef struct {
  const char *type;
  NnLayerBuild *build;
} NnLayerType;

/* Ending with a row {NULL, NULL}. */
extern const NnLayerType nn_weight_layers[], nn_plain_layers[], nn_sequence_layers[], nn_augment_layers[];

/* The layers of an array, from x to the result; `prefix` before their numbers. */
NnId nn_build_layers(NnBuilder *b, const json_t *layers, const char *prefix, NnId x);

/* How a parameter or constant starts; values, for NN_START_VALUES, are taken over. */
void nn_build_start(NnBuilder *b, NnId node, NnStart kind, double value, double *values);

/* A node of `count` constants without batch; values are taken over. */
NnId nn_build_constants(NnBuilder *b, size_t count, double *values);

/* A parameter "LAYER.part" that starts uniform on ±bound, or at a constant. */
NnId nn_build_parameter(NnBuilder *b, const char *part, NnGroup group, NnShape shape, NnStart start,
                        double value);

/* Weights W (U), drawn from ±bound, and, unless bias_size is 0, b (u); V with a row for each of `scaled`
 * channels. */
typedef struct {
  NnId W, b;
  NnResponse response;
  const NnResponse *use; /* &response, or NULL without responses: what layers take */
} NnWeights;
void nn_build_weights(NnBuilder *b, const char *part, NnShape shape, size_t scaled, size_t bias_size,
                      double bound, NnWeights *w);

/* A strength: a hyperparameter's name or a number, as a column of a node for nn_dropout etc. Returns 0 where
 * the field is missing or wrong. batched: the node must have a row for each example. */
typedef struct {
  NnId rates;
  size_t column;
} NnRate;
int nn_build_rate(NnBuilder *b, NnFields *f, const char *key, int batched, NnRate *rate);
int nn_build_rate_value(NnBuilder *b, NnFields *f, const char *key, const json_t *value, int batched,
                        NnRate *rate);
/* The share of what is dropped: a number below 1, or a hyperparameter whose range ends at 1 or below. */
int nn_build_share(NnBuilder *b, NnFields *f, const char *key, NnRate *rate);

/* "weight_drop": DropConnect with one mask for W and U. */
void nn_build_weight_drop(NnBuilder *b, NnFields *f, NnWeights *w);
/* "l2" of the layer or the model, on W. */
void nn_build_l2(NnBuilder *b, NnFields *f, const NnWeights *w);
void nn_build_penalty(NnBuilder *b, NnId penalty);

/* Shape of x, {0} after an error. */
NnShape nn_build_shape(const NnBuilder *b, NnId x);

#endif

/* nn/graph_internal.h: nodes, and how an operation is written.
 *
 * An operation is a file op_*.c: a builder function that checks shapes and calls nn_node_add, and a table
 * with
 * - forward: value from the inputs' values;
 * - jvp: tangent from the inputs' tangents; inputs without a live tangent have a zero one;
 * - vjp: adds to the adjoints of the inputs that are wanted.
 * Results are written with the beta of nn_tangent_beta or nn_adjoint_beta: 0 for the first to write, 1 after.
 */
#ifndef BITUNE_NN_GRAPH_INTERNAL_H
#define BITUNE_NN_GRAPH_INTERNAL_H

#include "nn/graph.h"

#define NN_MAX_INPUTS 8

typedef struct NnNode NnNode;

/* A view has the elements of its first input in another shape: others read and write that input in its place,
 * and it is not run. */
typedef enum { NN_NO_VIEW, NN_VIEW, NN_VIEW_UNLESS_LINEARISED } NnView;

typedef struct {
  const char *name;
  void (*forward)(NnGraph *g, NnNode *n); /* NULL: a leaf, or always a view */
  void (*jvp)(NnGraph *g, NnNode *n);
  void (*vjp)(NnGraph *g, NnNode *n);
} NnOp;

struct NnNode {
  const NnOp *op;
  char *name; /* owned, may be NULL */
  NnShape shape;
  int batched;
  NnGroup group; /* of a parameter, else 0 */
  NnView view;
  int inputs; /* entries of input; NN_NONE for one that is absent */
  NnId input[NN_MAX_INPUTS];

  NnReal *value, *tangent, *adjoint; /* [rows × size] in the arena                                     */
  NnReal *saved;                     /* [saved_size + rows·saved_row] kept from forward to backward    */
  int32_t *index;                    /* [rows·index_row]                                               */
  size_t saved_size, saved_row, index_row;
  size_t work; /* elements of the graph's work space that the operation needs    */

  int tangent_live, adjoint_live; /* holds a value; zero otherwise                */
  int tangent_seeded, adjoint_seeded, wanted_leaf;
  int wants; /* an adjoint is needed in this backward        */

  /* What the operation needs to know; by op_*.c */
  int kind;
  uint32_t stream; /* of random numbers, 0 for none */
  NnReal alpha, shift;
  unsigned constants; /* bit i: no derivative in input i */
  size_t offset, column, outer, dim, inner;
  int strength[NN_MOST_STRENGTHS]; /* columns, −1: none */
  NnRows rows; /* rows.rows is filled in by nn_rows */
  NnConv conv;
  NnPool pool;
};

/* What a search for numbers that are not finite goes through: the values of all nodes, the same in linearised
 * runs, the gradients of each group. */
enum { NN_TABLE_VALUES, NN_TABLE_LINEARISED, NN_TABLE_GRADIENTS, NN_TABLES = NN_TABLE_GRADIENTS + NN_GROUPS };

struct NnGraph {
  NnBackend *backend;
  const NnKernels *k;
  BtContext *ctx; /* of the builder functions */
  size_t max_batch;
  NnNode **nodes;
  int count, capacity, closed, forwarded;
  BtStatus status; /* first error of a builder function */
  uint32_t streams;
  NnRun run;
  void *arena;
  size_t bytes;
  NnReal *work;
  NnArray *watched; /* on the backend: [NN_TABLES × count], see graph_watch.c */
  NnReal *group_value[NN_GROUPS], *group_adjoint[NN_GROUPS];
  size_t group_count[NN_GROUPS];
};

/* Records a node; n is copied. NN_NONE after an error. */
NnId nn_node_add(NnGraph *g, const NnNode *n);
/* Records an error of a builder function and returns NN_NONE. */
NnId nn_node_fail(NnGraph *g, BtStatus status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* True if all of the `count` ids are nodes; otherwise an error unless there is one already. */
int nn_nodes_valid(NnGraph *g, const char *op, int count, const NnId *ids);
/* Text of a shape: "8 x 3 x 3", static for the next 4 calls of the thread's owner's buffer `text`. */
const char *nn_shape_text(NnShape shape, char text[64]);

static inline NnNode *nn_node(const NnGraph *g, NnId id) { return g->nodes[id]; }
static inline int nn_is_view(const NnGraph *g, const NnNode *n) {
  return n->view == NN_VIEW ||
         (n->view == NN_VIEW_UNLESS_LINEARISED && g->run.response != NN_RESPONSE_LINEARISED);
}
/* The node that holds what `n` shows in the present run. */
static inline NnNode *nn_seen(const NnGraph *g, NnNode *n) {
  while (nn_is_view(g, n)) n = g->nodes[n->input[0]];
  return n;
}
static inline NnNode *nn_in(const NnGraph *g, const NnNode *n, int i) {
  return i < n->inputs && n->input[i] >= 0 ? nn_seen(g, g->nodes[n->input[i]]) : NULL;
}
/* Rows in use and elements in use. */
static inline size_t nn_row_count(const NnGraph *g, const NnNode *n) { return n->batched ? g->run.batch : 1; }
static inline size_t nn_count(const NnGraph *g, const NnNode *n) {
  return nn_row_count(g, n) * nn_shape_size(n->shape);
}
/* The node's layout with the rows in use. */
static inline NnRows nn_rows(const NnGraph *g, const NnNode *n) {
  NnRows r = n->rows;
  r.rows = nn_row_count(g, n);
  return r;
}

/* graph_watch.c: fills g->watched once everything has its place. */
BtStatus nn_graph_list_arrays(BtContext *ctx, NnGraph *g);

int nn_group_index(NnGroup group); /* −1 if there is no such group */
int nn_same_shape(NnShape a, NnShape b);
/* Images, sequences of vectors and vectors as rows of channels; rows is left 0. */
NnRows nn_layout(NnShape shape);

static inline int nn_has_tangent(const NnNode *n) { return n && n->tangent_live; }
static inline int nn_wants(const NnNode *n) { return n && n->wants; }
static inline NnReal nn_tangent_beta(NnNode *n) {
  const int live = n->tangent_live;
  n->tangent_live = 1;
  return (NnReal)live;
}
static inline NnReal nn_adjoint_beta(NnNode *n) {
  const int live = n->adjoint_live;
  n->adjoint_live = 1;
  return (NnReal)live;
}
static inline NnKey nn_key(const NnGraph *g, uint32_t stream) {
  return (NnKey){g->run.seed, g->run.step, stream, g->run.base};
}

#endif

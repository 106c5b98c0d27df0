/* The search for numbers that are not finite: tables of arrays, on the backend, that a kernel goes through
 * once it finds that a number it is to watch is not finite. An array's place in its table is its node's. */
#include <stdlib.h>

#include "nn/graph_internal.h"

/* Nodes that hold nothing of their own are arrays without elements. */
static NnArray array_of(const NnNode *n, int table) {
  const NnArray none = {NULL, 0, 0};
  const size_t size = nn_shape_size(n->shape);
  if (table >= NN_TABLE_GRADIENTS)
    return (int)n->group == 1 << (table - NN_TABLE_GRADIENTS) ? (NnArray){n->adjoint, size, 0} : none;
  const int view =
      n->view == NN_VIEW || (n->view == NN_VIEW_UNLESS_LINEARISED && table != NN_TABLE_LINEARISED);
  return view ? none : (NnArray){n->value, size, n->batched};
}

BtStatus nn_graph_list_arrays(BtContext *ctx, NnGraph *g) {
  const size_t n = (size_t)g->count, bytes = NN_TABLES * n * sizeof(NnArray);
  NnArray *tables = malloc(bytes + 1);
  if (!tables) return bt_fail_memory(ctx, "network", (double)bytes);
  for (int t = 0; t < NN_TABLES; t++)
    for (size_t i = 0; i < n; i++) tables[(size_t)t * n + i] = array_of(g->nodes[i], t);
  const BtStatus st = g->backend->upload(ctx, g->backend, g->watched, tables, bytes);
  free(tables);
  return st;
}

static void search(NnGraph *g, int table, size_t count, const NnReal *watched, NnReal *first) {
  const size_t n = (size_t)g->count;
  g->k->find_nonfinite(g->backend, count, watched, n, g->watched + (size_t)table * n, g->run.batch, first);
}

void nn_graph_watch(NnGraph *g, size_t count, const NnReal *watched, NnReal *first) {
  search(g, g->run.response == NN_RESPONSE_LINEARISED ? NN_TABLE_LINEARISED : NN_TABLE_VALUES, count, watched,
         first);
}

void nn_graph_watch_gradients(NnGraph *g, NnGroup group, size_t count, const NnReal *watched, NnReal *first) {
  search(g, NN_TABLE_GRADIENTS + nn_group_index(group), count, watched, first);
}

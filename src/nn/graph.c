#include "nn/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "nn/graph_internal.h"

#define ALIGNMENT 64 /* elements: cache lines, and what the device likes */

static const NnOp input_op = {.name = "input"}, constant_op = {.name = "constant"},
                  parameter_op = {.name = "parameter"};

size_t nn_shape_size(NnShape shape) {
  size_t n = 1;
  for (int i = 0; i < shape.dims; i++) n *= shape.dim[i];
  return n;
}

int nn_same_shape(NnShape a, NnShape b) {
  return a.dims == b.dims && memcmp(a.dim, b.dim, (size_t)a.dims * sizeof *a.dim) == 0;
}

NnRows nn_layout(NnShape s) {
  if (s.dims == 3) return (NnRows){0, 1, s.dim[0], s.dim[1] * s.dim[2]};
  if (s.dims == 2) return (NnRows){0, s.dim[0], s.dim[1], 1};
  return (NnRows){0, 1, nn_shape_size(s), 1};
}

const char *nn_shape_text(NnShape shape, char text[64]) {
  size_t at = 0;
  text[0] = 0;
  for (int i = 0; i < shape.dims && at < 50; i++)
    at += (size_t)snprintf(text + at, 64 - at, "%s%zu", i ? " x " : "", shape.dim[i] % 1000000000);
  return text;
}

BtStatus nn_graph_create(BtContext *ctx, NnBackend *backend, size_t max_batch, NnGraph **graph) {
  *graph = NULL;
  if (max_batch < 1 || max_batch > 1 << 24)
    return bt_fail(ctx, BT_ERR_ARG, "network: the batch must be 1 to %d", 1 << 24);
  NnGraph *g = calloc(1, sizeof *g);
  if (!g) return bt_fail_memory(ctx, "graph", sizeof *g);
  g->backend = backend;
  g->k = backend->kernels;
  g->ctx = ctx;
  g->max_batch = max_batch;
  g->run.batch = max_batch;
  *graph = g;
  return BT_OK;
}

void nn_graph_destroy(NnGraph *g) {
  if (!g) return;
  if (g->arena) g->backend->release(g->backend, g->arena);
  for (int i = 0; i < g->count; i++) {
    free(g->nodes[i]->name);
    free(g->nodes[i]);
  }
  free(g->nodes);
  free(g);
}

NnId nn_node_fail(NnGraph *g, BtStatus status, const char *format, ...) {
  char text[512];
  va_list args;
  if (g->status < 0) return NN_NONE;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  g->status = bt_fail(g->ctx, status, "network: %s", text);
  return NN_NONE;
}

int nn_nodes_valid(NnGraph *g, const char *op, int count, const NnId *ids) {
  if (g->status < 0) return 0;
  for (int i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= g->count) {
      nn_node_fail(g, BT_ERR_ARG, "%s: input %d is no node", op, i + 1);
      return 0;
    }
  return 1;
}

/* The product of the sizes is kept below 2^40, so that no sum of them overflows, and each size to what BLAS
 * takes. */
static int shape_fits(NnShape s) {
  double n = 1;
  for (int i = 0; i < s.dims && i < NN_MAX_DIMS; i++) n *= s.dim[i] <= INT32_MAX ? (double)s.dim[i] : 0;
  return s.dims >= 1 && s.dims <= NN_MAX_DIMS && n >= 1 && n < 0x1p40;
}

NnId nn_node_add(NnGraph *g, const NnNode *n) {
  char text[64];
  if (g->status < 0) return NN_NONE;
  if (g->closed) return nn_node_fail(g, BT_ERR_ARG, "%s: the graph is closed", n->op->name);
  if (!shape_fits(n->shape) || (double)nn_shape_size(n->shape) * (double)g->max_batch > 0x1p46)
    return nn_node_fail(g, BT_ERR_ARG, "%s: impossible shape %s", n->op->name, nn_shape_text(n->shape, text));
  if (g->count == g->capacity) {
    const int capacity = g->capacity ? 2 * g->capacity : 64;
    NnNode **nodes = realloc(g->nodes, (size_t)capacity * sizeof *nodes);
    if (!nodes) return nn_node_fail(g, BT_ERR_MEMORY, "out of memory");
    g->nodes = nodes;
    g->capacity = capacity;
  }
  NnNode *copy = malloc(sizeof *copy);
  if (!copy) return nn_node_fail(g, BT_ERR_MEMORY, "out of memory");
  *copy = *n;
  g->nodes[g->count] = copy;
  return g->count++;
}

static NnId add_leaf(NnGraph *g, const NnOp *op, const char *name, NnShape shape, int batched,
                     NnGroup group) {
  if (g->status < 0) return NN_NONE;
  if (!name || !*name) return nn_node_fail(g, BT_ERR_ARG, "%s: needs a name", op->name);
  if (nn_graph_find(g, name) != NN_NONE)
    return nn_node_fail(g, BT_ERR_ARG, "there are two nodes \"%s\"", name);
  char *copy = bt_copy_text(name);
  if (!copy) return nn_node_fail(g, BT_ERR_MEMORY, "out of memory");
  const NnId id =
      nn_node_add(g, &(NnNode){.op = op, .name = copy, .shape = shape, .batched = batched, .group = group});
  if (id == NN_NONE) free(copy);
  return id;
}

NnId nn_input(NnGraph *g, const char *name, NnShape shape) {
  return add_leaf(g, &input_op, name, shape, 1, 0);
}

NnId nn_constant(NnGraph *g, const char *name, NnShape shape) {
  return add_leaf(g, &constant_op, name, shape, 0, 0);
}

int nn_group_index(NnGroup group) {
  for (int i = 0; i < NN_GROUPS; i++)
    if ((int)group == 1 << i) return i;
  return -1;
}

NnId nn_parameter(NnGraph *g, const char *name, NnGroup group, NnShape shape) {
  if (nn_group_index(group) < 0) return nn_node_fail(g, BT_ERR_ARG, "parameter \"%s\": no such group", name);
  return add_leaf(g, &parameter_op, name, shape, 0, group);
}

void nn_name(NnGraph *g, NnId node, const char *name) {
  if (!nn_nodes_valid(g, "name", 1, &node) || nn_node(g, node)->name) return;
  nn_node(g, node)->name = bt_copy_text(name);
  if (!nn_node(g, node)->name) nn_node_fail(g, BT_ERR_MEMORY, "out of memory");
}

static size_t padded(size_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static size_t capacity_of(const NnGraph *g, const NnNode *n) {
  return nn_shape_size(n->shape) * (n->batched ? g->max_batch : 1);
}

/* Lays everything out, in elements; a first call with base NULL counts. Order: values, tangents, adjoints of
 * each group, then those of the other nodes. */
static size_t lay_out(NnGraph *g, NnReal *base) {
  size_t at = 0, work = 0;
#define PLACE(pointer, n)            \
  do {                               \
    if (base) (pointer) = base + at; \
    at += padded(n);                 \
  } while (0)
  for (int q = 0; q < NN_GROUPS; q++) {
    const size_t start = at;
    if (base) g->group_value[q] = base + at;
    for (int i = 0; i < g->count; i++)
      if ((int)g->nodes[i]->group == 1 << q) PLACE(g->nodes[i]->value, capacity_of(g, g->nodes[i]));
    g->group_count[q] = at - start;
    if (base) g->group_adjoint[q] = base + at;
    for (int i = 0; i < g->count; i++)
      if ((int)g->nodes[i]->group == 1 << q) PLACE(g->nodes[i]->adjoint, capacity_of(g, g->nodes[i]));
  }
  for (int i = 0; i < g->count; i++) {
    NnNode *n = g->nodes[i];
    const size_t rows = n->batched ? g->max_batch : 1;
    if (n->view == NN_VIEW) continue;
    if (!n->group) {
      PLACE(n->value, capacity_of(g, n));
      PLACE(n->adjoint, capacity_of(g, n));
    }
    PLACE(n->tangent, capacity_of(g, n));
    if (n->saved_size + n->saved_row) PLACE(n->saved, n->saved_size + rows * n->saved_row);
    if (n->index_row) {
      if (base) n->index = (int32_t *)(void *)(base + at);
      at += padded(rows * n->index_row);
    }
    if (n->work > work) work = n->work;
  }
  PLACE(g->work, work);
  if (base) g->watched = (NnArray *)(void *)(base + at);
  at += padded(NN_TABLES * (size_t)g->count * sizeof(NnArray) / sizeof(NnReal));
#undef PLACE
  return at;
}

BtStatus nn_graph_close(BtContext *ctx, NnGraph *g) {
  if (g->status < 0) return g->status;
  if (g->closed) return bt_fail(ctx, BT_ERR_ARG, "network: closed twice");
  const size_t elements = lay_out(g, NULL);
  g->bytes = elements * sizeof(NnReal);
  const BtStatus st = g->backend->allocate(ctx, g->backend, g->bytes, &g->arena);
  if (st < 0) return st;
  (void)lay_out(g, g->arena);
  g->closed = 1;
  return nn_graph_list_arrays(ctx, g);
}

const NnReal *nn_graph_value(const NnGraph *g, NnId node) { return nn_seen(g, nn_node(g, node))->value; }

int nn_graph_nodes(const NnGraph *g) { return g->count; }

const char *nn_graph_name(const NnGraph *g, NnId node) {
  const NnNode *n = g->nodes[node];
  return n->name ? n->name : n->op->name;
}

const char *nn_graph_op(const NnGraph *g, NnId node) { return g->nodes[node]->op->name; }
NnShape nn_graph_shape(const NnGraph *g, NnId node) { return g->nodes[node]->shape; }
int nn_graph_batched(const NnGraph *g, NnId node) { return g->nodes[node]->batched; }
NnGroup nn_graph_group(const NnGraph *g, NnId node) { return g->nodes[node]->group; }
NnBackend *nn_graph_backend(const NnGraph *g) { return g->backend; }
size_t nn_graph_bytes(const NnGraph *g) { return g->bytes; }
size_t nn_graph_max_batch(const NnGraph *g) { return g->max_batch; }

NnId nn_graph_find(const NnGraph *g, const char *name) {
  for (int i = 0; i < g->count; i++)
    if (g->nodes[i]->name && strcmp(g->nodes[i]->name, name) == 0) return i;
  return NN_NONE;
}

NnReal *nn_graph_group_values(const NnGraph *g, NnGroup group, size_t *count) {
  const int q = nn_group_index(group);
  *count = q < 0 ? 0 : g->group_count[q];
  return q < 0 ? NULL : g->group_value[q];
}

NnReal *nn_graph_group_adjoints(const NnGraph *g, NnGroup group, size_t *count) {
  const int q = nn_group_index(group);
  *count = q < 0 ? 0 : g->group_count[q];
  return q < 0 ? NULL : g->group_adjoint[q];
}

void nn_graph_want(NnGraph *g, NnId leaf) { g->nodes[leaf]->wanted_leaf = 1; }

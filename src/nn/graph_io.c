#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/graph_internal.h"

static BtStatus check(BtContext *ctx, const NnGraph *g, NnId node, size_t count) {
  if (!g->closed) return bt_fail(ctx, BT_ERR_ARG, "network: used before nn_graph_close");
  if (node < 0 || node >= g->count) return bt_fail(ctx, BT_ERR_ARG, "network: there is no node %d", node);
  const NnNode *n = nn_node(g, node);
  const size_t most = nn_shape_size(n->shape) * (n->batched ? g->max_batch : 1);
  if (count <= most) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG, "network: %zu elements for node %s, which has %zu", count,
                 nn_graph_name(g, node), most);
}

BtStatus nn_graph_set(BtContext *ctx, NnGraph *g, NnId node, const NnReal *values, size_t count) {
  const BtStatus st = check(ctx, g, node, count);
  return st < 0 ? st
                : g->backend->upload(ctx, g->backend, nn_seen(g, nn_node(g, node))->value, values,
                                     count * sizeof *values);
}

BtStatus nn_graph_get(BtContext *ctx, const NnGraph *g, NnId node, NnReal *values, size_t count) {
  const BtStatus st = check(ctx, g, node, count);
  return st < 0 ? st
                : g->backend->download(ctx, g->backend, values, nn_seen(g, nn_node(g, node))->value,
                                       count * sizeof *values);
}

void nn_graph_copy(const NnGraph *g, NnId node, size_t count, NnReal *to) {
  g->k->axpby(g->backend, count, 1, nn_graph_value(g, node), 0, to);
}

void nn_graph_put(NnGraph *g, NnId leaf, size_t count, const NnReal *from) {
  NnReal *to = nn_node(g, leaf)->value;
  if (from)
    g->k->axpby(g->backend, count, 1, from, 0, to);
  else
    g->k->fill(g->backend, count, 0, to);
}

void nn_graph_replayed(NnGraph *g) { g->forwarded = 0; }

static BtStatus get(BtContext *ctx, const NnGraph *g, int live, const NnReal *device, NnReal *values,
                    size_t count) {
  if (!g->forwarded) return bt_fail(ctx, BT_ERR_ARG, "network: derivatives are read after a run");
  if (live) return g->backend->download(ctx, g->backend, values, device, count * sizeof *values);
  memset(values, 0, count * sizeof *values);
  return BT_OK;
}

BtStatus nn_graph_get_tangent(BtContext *ctx, const NnGraph *g, NnId node, NnReal *values, size_t count) {
  const BtStatus st = check(ctx, g, node, count);
  if (st < 0) return st;
  const NnNode *n = nn_seen(g, nn_node(g, node));
  return get(ctx, g, n->tangent_live, n->tangent, values, count);
}

BtStatus nn_graph_get_adjoint(BtContext *ctx, const NnGraph *g, NnId node, NnReal *values, size_t count) {
  const BtStatus st = check(ctx, g, node, count);
  if (st < 0) return st;
  const NnNode *n = nn_seen(g, nn_node(g, node));
  return get(ctx, g, n->adjoint_live, n->adjoint, values, count);
}

static BtStatus check_seed(BtContext *ctx, const NnGraph *g, NnId node, size_t count) {
  const BtStatus st = check(ctx, g, node, count);
  if (st < 0) return st;
  if (!g->forwarded) return bt_fail(ctx, BT_ERR_ARG, "network: seeds are set after a forward run");
  if (count == nn_count(g, nn_node(g, node))) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG, "network: a seed of %zu elements for node %s, whose rows in use have %zu",
                 count, nn_graph_name(g, node), nn_count(g, nn_node(g, node)));
}

BtStatus nn_graph_seed_tangent(BtContext *ctx, NnGraph *g, NnId node, const NnReal *values, size_t count) {
  const BtStatus st = check_seed(ctx, g, node, count);
  if (st < 0) return st;
  NnNode *n = nn_seen(g, nn_node(g, node));
  if (n->op->forward) return bt_fail(ctx, BT_ERR_ARG, "network: only leaves take tangents");
  n->tangent_seeded = 1;
  return g->backend->upload(ctx, g->backend, n->tangent, values, count * sizeof *values);
}

BtStatus nn_graph_seed_adjoint(BtContext *ctx, NnGraph *g, NnId node, const NnReal *values, size_t count) {
  const BtStatus st = check_seed(ctx, g, node, count);
  if (st < 0) return st;
  NnNode *n = nn_seen(g, nn_node(g, node));
  n->adjoint_seeded = 1;
  return g->backend->upload(ctx, g->backend, n->adjoint, values, count * sizeof *values);
}

/* Every parameter in turn, its elements on the host. */
static BtStatus each_parameter(BtContext *ctx, const NnGraph *g,
                               BtStatus (*fn)(BtContext *ctx, const NnGraph *g, NnId node, NnReal *host,
                                              size_t count, void *user),
                               void *user) {
  BtStatus st = g->closed ? BT_OK : bt_fail(ctx, BT_ERR_ARG, "network: used before nn_graph_close");
  size_t most = 1;
  for (int i = 0; i < g->count; i++)
    if (g->nodes[i]->group && nn_shape_size(g->nodes[i]->shape) > most)
      most = nn_shape_size(g->nodes[i]->shape);
  NnReal *host = malloc(most * sizeof *host);
  if (!host) return bt_fail_memory(ctx, "parameters", (double)(most * sizeof *host));
  for (int i = 0; i < g->count && st >= 0; i++)
    if (g->nodes[i]->group) st = fn(ctx, g, i, host, nn_shape_size(g->nodes[i]->shape), user);
  free(host);
  return st;
}

BtStatus nn_graph_declare(BtContext *ctx, const NnGraph *g, BtTensorWriter *writer, const char *prefix) {
  for (int i = 0; i < g->count; i++) {
    const NnNode *n = g->nodes[i];
    char name[256];
    if (!n->group) continue;
    snprintf(name, sizeof name, "%s%s", prefix, n->name);
    const BtStatus st = bt_tensors_declare(ctx, writer, name, NN_REAL_TENSOR, n->shape.dims, n->shape.dim);
    if (st < 0) return st;
  }
  return BT_OK;
}

static BtStatus append(BtContext *ctx, const NnGraph *g, NnId node, NnReal *host, size_t count, void *user) {
  const BtStatus st = nn_graph_get(ctx, g, node, host, count);
  return st < 0 ? st : bt_tensors_append(ctx, user, host, count);
}

BtStatus nn_graph_append(BtContext *ctx, const NnGraph *g, BtTensorWriter *writer) {
  return each_parameter(ctx, g, append, writer);
}

typedef struct {
  NnGraph *graph;
  BtTensorReader *reader;
  const char *prefix;
} Source;

static BtStatus load(BtContext *ctx, const NnGraph *g, NnId node, NnReal *host, size_t count, void *user) {
  const Source *s = user;
  char name[256];
  snprintf(name, sizeof name, "%s%s", s->prefix, nn_graph_name(g, node));
  const BtStatus st = bt_tensors_read_finite(ctx, s->reader, name, NN_REAL_TENSOR, count, host);
  return st < 0 ? st : nn_graph_set(ctx, s->graph, node, host, count);
}

BtStatus nn_graph_load(BtContext *ctx, NnGraph *g, BtTensorReader *reader, const char *prefix) {
  return each_parameter(ctx, g, load, &(Source){g, reader, prefix});
}

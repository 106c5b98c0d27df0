#include <string.h>

#include "nn/graph_internal.h"

static BtStatus check(BtContext *ctx, const NnGraph *g) {
  if (g->closed) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG, "network: run before nn_graph_close");
}

BtStatus nn_graph_forward(BtContext *ctx, NnGraph *g, const NnRun *run) {
  const BtStatus st = check(ctx, g);
  if (st < 0) return st;
  if (run->batch < 1 || run->batch > g->max_batch)
    return bt_fail(ctx, BT_ERR_ARG, "network: batch %zu, must be 1 to %zu", run->batch, g->max_batch);
  g->run = *run;
  g->forwarded = 1;
  const int linearised = run->response == NN_RESPONSE_LINEARISED;
  for (int i = 0; i < g->count; i++) {
    NnNode *n = g->nodes[i];
    n->tangent_live = n->tangent_seeded = n->adjoint_live = n->adjoint_seeded = 0;
    if (!n->op->forward || nn_is_view(g, n)) continue;
    n->op->forward(g, n);
    if (linearised) n->op->jvp(g, n);
  }
  return g->backend->check(ctx, g->backend);
}

BtStatus nn_graph_tangent(BtContext *ctx, NnGraph *g) {
  const BtStatus st = check(ctx, g);
  if (st < 0) return st;
  if (!g->forwarded || g->run.response == NN_RESPONSE_LINEARISED)
    return bt_fail(ctx, BT_ERR_ARG, "network: tangents need a forward run that is not linearised");
  for (int i = 0; i < g->count; i++) {
    NnNode *n = g->nodes[i];
    n->tangent_live = n->tangent_seeded;
    if (n->op->forward && !nn_is_view(g, n)) n->op->jvp(g, n);
  }
  return g->backend->check(ctx, g->backend);
}

BtStatus nn_graph_backward(BtContext *ctx, NnGraph *g, int groups) {
  const BtStatus st = check(ctx, g);
  if (st < 0) return st;
  if (!g->forwarded) return bt_fail(ctx, BT_ERR_ARG, "network: backward before forward");
  if (g->run.response == NN_RESPONSE_LINEARISED && groups & NN_GENERAL)
    return bt_fail(ctx, BT_ERR_ARG, "network: a linearised run has no gradient in the general parameters");
  for (int i = 0; i < g->count; i++) {
    NnNode *n = g->nodes[i];
    n->adjoint_live = n->adjoint_seeded;
    n->wants = n->wanted_leaf || (n->group && n->group != NN_BUFFER && groups & n->group);
    for (int j = 0; j < n->inputs; j++) n->wants |= !(n->constants >> j & 1) && nn_wants(nn_in(g, n, j));
  }
  for (int i = g->count - 1; i >= 0; i--) {
    NnNode *n = g->nodes[i];
    if (n->wants && n->adjoint_live && n->op->vjp) n->op->vjp(g, n);
    n->adjoint_seeded = 0;
  }
  /* Optimizers take whole groups. */
  for (int i = 0; i < g->count; i++) {
    NnNode *n = g->nodes[i];
    if (n->group && n->wants && !n->adjoint_live) {
      g->k->fill(g->backend, nn_count(g, n), 0, n->adjoint);
      n->adjoint_live = 1;
    }
  }
  return g->backend->check(ctx, g->backend);
}

BtStatus nn_graph_gradient(BtContext *ctx, NnGraph *g, NnId scalar, int groups) {
  NnNode *n = nn_seen(g, nn_node(g, scalar));
  if (n->batched || nn_shape_size(n->shape) != 1)
    return bt_fail(ctx, BT_ERR_ARG, "network: node %s is no scalar", nn_graph_name(g, scalar));
  const BtStatus st = check(ctx, g);
  if (st < 0) return st;
  g->k->fill(g->backend, 1, 1, n->adjoint);
  n->adjoint_seeded = 1;
  return nn_graph_backward(ctx, g, groups);
}

#include "nn/graph_internal.h"
#include "nn/ops.h"

enum { X, SCALE, SHIFT };

static void forward(NnGraph *g, NnNode *n) {
  const NnRows r = nn_rows(g, n);
  g->k->scale(g->backend, r, nn_in(g, n, SCALE)->value, 0, nn_in(g, n, X)->value, 0, n->value);
  if (nn_in(g, n, SHIFT)) g->k->broadcast(g->backend, r, nn_in(g, n, SHIFT)->value, NULL, 0, 1, n->value);
}

static void jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, X), *scale = nn_in(g, n, SCALE), *shift = nn_in(g, n, SHIFT);
  const NnRows r = nn_rows(g, n);
  if (nn_has_tangent(x))
    g->k->scale(g->backend, r, scale->value, 0, x->tangent, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(scale))
    g->k->scale(g->backend, r, scale->tangent, 0, x->value, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(shift))
    g->k->broadcast(g->backend, r, shift->tangent, NULL, 0, nn_tangent_beta(n), n->tangent);
}

static void vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, X), *scale = nn_in(g, n, SCALE), *shift = nn_in(g, n, SHIFT);
  const NnRows r = nn_rows(g, n);
  if (nn_wants(x)) g->k->scale(g->backend, r, scale->value, 0, n->adjoint, nn_adjoint_beta(x), x->adjoint);
  if (nn_wants(scale))
    g->k->channel_sum(g->backend, r, NULL, 0, n->adjoint, x->value, nn_adjoint_beta(scale), scale->adjoint);
  if (nn_wants(shift))
    g->k->channel_sum(g->backend, r, NULL, 0, n->adjoint, NULL, nn_adjoint_beta(shift), shift->adjoint);
}

static const NnOp channel_affine_op = {"channel_affine", forward, jvp, vjp};

static int one_per_channel(const NnNode *v, size_t channels) {
  return !v->batched && v->shape.dims == 1 && v->shape.dim[0] == channels;
}

NnId nn_channel_affine(NnGraph *g, NnId x, NnId scale, NnId shift) {
  const NnId ids[] = {x, scale, shift};
  if (!nn_nodes_valid(g, "channel_affine", shift == NN_NONE ? 2 : 3, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  NnNode n = {.op = &channel_affine_op,
              .shape = u->shape,
              .batched = 1,
              .inputs = 3,
              .input = {x, scale, shift},
              .rows = nn_layout(u->shape)};
  if (!u->batched || !one_per_channel(nn_node(g, scale), n.rows.channels) ||
      (shift != NN_NONE && !one_per_channel(nn_node(g, shift), n.rows.channels)))
    return nn_node_fail(g, BT_ERR_ARG,
                        "channel_affine: scale and shift must have one entry per channel of x, "
                        "without batch");
  return nn_node_add(g, &n);
}

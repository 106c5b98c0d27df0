#include "nn/graph_internal.h"
#include "nn/ops.h"

/* rows.rows·rows.repeat distributions of `inner` classes */
static size_t rows_of(const NnGraph *g, const NnNode *n) { return nn_row_count(g, n) * n->outer; }

static void entropy_forward(NnGraph *g, NnNode *n) {
  g->k->cross_entropy(g->backend, rows_of(g, n), n->inner, nn_in(g, n, 0)->value, nn_in(g, n, 1)->value,
                      n->saved, n->value);
}

static void entropy_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x))
    g->k->cross_entropy_jvp(g->backend, rows_of(g, n), n->inner, n->saved, nn_in(g, n, 1)->value, x->tangent,
                            nn_tangent_beta(n), n->tangent);
}

static void entropy_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0);
  if (nn_wants(x))
    g->k->cross_entropy_vjp(g->backend, rows_of(g, n), n->inner, n->saved, nn_in(g, n, 1)->value, n->adjoint,
                            nn_adjoint_beta(x), x->adjoint);
}

static const NnOp entropy_op = {"cross_entropy", entropy_forward, entropy_jvp, entropy_vjp};

NnId nn_cross_entropy(NnGraph *g, NnId x, NnId label) {
  const NnId ids[] = {x, label};
  if (!nn_nodes_valid(g, "cross_entropy", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x), *v = nn_node(g, label);
  const int last = u->shape.dims - 1;
  const size_t positions = last == 1 ? u->shape.dim[0] : 1;
  if (!u->batched || !v->batched || last > 1 || v->shape.dims != 1 || v->shape.dim[0] != positions)
    return nn_node_fail(g, BT_ERR_ARG,
                        "cross_entropy: x must be [classes] or [T x classes], labels [1] or [T]");
  NnNode n = {.op = &entropy_op,
              .shape = NN_SHAPE(positions),
              .batched = 1,
              .inputs = 2,
              .input = {x, label},
              .outer = positions,
              .inner = u->shape.dim[last],
              .constants = 2};
  n.saved_row = nn_shape_size(u->shape);
  return nn_node_add(g, &n);
}

/* saved: x − y. Weight 1/size for the value, 2/size for derivatives. */
static void square_forward(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  const size_t count = nn_count(g, x);
  const NnRows r = nn_rows(g, n);
  g->k->axpby(g->backend, count, 1, x->value, 0, n->saved);
  g->k->axpby(g->backend, count, -1, nn_in(g, n, 1)->value, 1, n->saved);
  g->k->row_sum(g->backend, r, NULL, n->saved, n->saved, 0, n->value, 1);
  g->k->axpby(g->backend, r.rows, 1 / (NnReal)n->inner, n->value, 0, n->value);
}

static void square_jvp(NnGraph *g, NnNode *n) {
  const NnRows r = nn_rows(g, n);
  for (int i = 0; i < 2; i++) {
    const NnNode *x = nn_in(g, n, i);
    if (!nn_has_tangent(x)) continue;
    g->k->row_sum(g->backend, r, NULL, n->saved, x->tangent, 0, g->work, 1);
    g->k->axpby(g->backend, r.rows, (i ? -2 : 2) / (NnReal)n->inner, g->work, nn_tangent_beta(n), n->tangent);
  }
}

static void square_vjp(NnGraph *g, NnNode *n) {
  const NnRows r = nn_rows(g, n);
  for (int i = 0; i < 2; i++) {
    NnNode *x = nn_in(g, n, i);
    if (!nn_wants(x)) continue;
    g->k->axpby(g->backend, r.rows, (i ? -2 : 2) / (NnReal)n->inner, n->adjoint, 0, g->work);
    g->k->scale(g->backend, r, g->work, 1, n->saved, nn_adjoint_beta(x), x->adjoint);
  }
}

static const NnOp square_op = {"squared_error", square_forward, square_jvp, square_vjp};

NnId nn_squared_error(NnGraph *g, NnId x, NnId y) {
  const NnId ids[] = {x, y};
  if (!nn_nodes_valid(g, "squared_error", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x), *v = nn_node(g, y);
  if (!u->batched || !v->batched || !nn_same_shape(u->shape, v->shape))
    return nn_node_fail(g, BT_ERR_ARG, "squared_error: x and y must be batched and of one shape");
  const size_t size = nn_shape_size(u->shape);
  return nn_node_add(g, &(NnNode){.op = &square_op,
                                  .shape = NN_SHAPE(1),
                                  .batched = 1,
                                  .inputs = 2,
                                  .input = {x, y},
                                  .inner = size,
                                  .rows = {0, 1, 1, size},
                                  .saved_row = size,
                                  .work = g->max_batch});
}

#include "nn/graph_internal.h"
#include "nn/ops.h"

/* x ± y: alpha is the sign of y. */
static void add_forward(NnGraph *g, NnNode *n) {
  g->k->axpby(g->backend, nn_count(g, n), 1, nn_in(g, n, 0)->value, 0, n->value);
  g->k->axpby(g->backend, nn_count(g, n), n->alpha, nn_in(g, n, 1)->value, 1, n->value);
}

static void add_jvp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++)
    if (nn_has_tangent(nn_in(g, n, i)))
      g->k->axpby(g->backend, nn_count(g, n), i ? n->alpha : 1, nn_in(g, n, i)->tangent, nn_tangent_beta(n),
                  n->tangent);
}

static void add_vjp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++) {
    NnNode *x = nn_in(g, n, i);
    if (nn_wants(x))
      g->k->axpby(g->backend, nn_count(g, n), i ? n->alpha : 1, n->adjoint, nn_adjoint_beta(x), x->adjoint);
  }
}

static void multiply_forward(NnGraph *g, NnNode *n) {
  g->k->multiply(g->backend, nn_count(g, n), 1, nn_in(g, n, 0)->value, nn_in(g, n, 1)->value, 0, n->value);
}

static void multiply_jvp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++)
    if (nn_has_tangent(nn_in(g, n, i)))
      g->k->multiply(g->backend, nn_count(g, n), 1, nn_in(g, n, i)->tangent, nn_in(g, n, 1 - i)->value,
                     nn_tangent_beta(n), n->tangent);
}

static void multiply_vjp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++) {
    NnNode *x = nn_in(g, n, i);
    if (nn_wants(x))
      g->k->multiply(g->backend, nn_count(g, n), 1, n->adjoint, nn_in(g, n, 1 - i)->value, nn_adjoint_beta(x),
                     x->adjoint);
  }
}

static void scale_forward(NnGraph *g, NnNode *n) {
  g->k->fill(g->backend, nn_count(g, n), n->shift, n->value);
  g->k->axpby(g->backend, nn_count(g, n), n->alpha, nn_in(g, n, 0)->value, 1, n->value);
}

static void scale_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x))
    g->k->axpby(g->backend, nn_count(g, n), n->alpha, x->tangent, nn_tangent_beta(n), n->tangent);
}

static void scale_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0);
  if (nn_wants(x))
    g->k->axpby(g->backend, nn_count(g, n), n->alpha, n->adjoint, nn_adjoint_beta(x), x->adjoint);
}

static void row_dot_forward(NnGraph *g, NnNode *n) {
  g->k->row_sum(g->backend, n->rows, NULL, nn_in(g, n, 0)->value, nn_in(g, n, 1)->value, 0, n->value, 1);
}

static void row_dot_jvp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++)
    if (nn_has_tangent(nn_in(g, n, i)))
      g->k->row_sum(g->backend, n->rows, NULL, nn_in(g, n, i)->tangent, nn_in(g, n, 1 - i)->value,
                    nn_tangent_beta(n), n->tangent, 1);
}

static void row_dot_vjp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++) {
    NnNode *x = nn_in(g, n, i);
    if (nn_wants(x))
      g->k->scale(g->backend, n->rows, n->adjoint, 1, nn_in(g, n, 1 - i)->value, nn_adjoint_beta(x),
                  x->adjoint);
  }
}

static const NnOp add_op = {"add", add_forward, add_jvp, add_vjp};
static const NnOp subtract_op = {"subtract", add_forward, add_jvp, add_vjp};
static const NnOp multiply_op = {"multiply", multiply_forward, multiply_jvp, multiply_vjp};
static const NnOp scale_op = {"scale", scale_forward, scale_jvp, scale_vjp};
static const NnOp row_dot_op = {"row_dot", row_dot_forward, row_dot_jvp, row_dot_vjp};

static NnId binary(NnGraph *g, const NnOp *op, NnId x, NnId y, NnReal sign) {
  const NnId ids[] = {x, y};
  char a[64], b[64];
  if (!nn_nodes_valid(g, op->name, 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x), *v = nn_node(g, y);
  if (!nn_same_shape(u->shape, v->shape) || u->batched != v->batched)
    return nn_node_fail(g, BT_ERR_ARG, "%s: %s%s and %s%s differ", op->name, u->batched ? "batched " : "",
                        nn_shape_text(u->shape, a), v->batched ? "batched " : "", nn_shape_text(v->shape, b));
  return nn_node_add(
      g,
      &(NnNode){
          .op = op, .shape = u->shape, .batched = u->batched, .inputs = 2, .input = {x, y}, .alpha = sign});
}

NnId nn_add(NnGraph *g, NnId x, NnId y) { return binary(g, &add_op, x, y, 1); }
NnId nn_subtract(NnGraph *g, NnId x, NnId y) { return binary(g, &subtract_op, x, y, -1); }
NnId nn_multiply(NnGraph *g, NnId x, NnId y) { return binary(g, &multiply_op, x, y, 1); }

NnId nn_scale(NnGraph *g, NnId x, double factor, double shift) {
  if (!nn_nodes_valid(g, "scale", 1, &x)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  return nn_node_add(g, &(NnNode){.op = &scale_op,
                                  .shape = u->shape,
                                  .batched = u->batched,
                                  .inputs = 1,
                                  .input = {x},
                                  .alpha = (NnReal)factor,
                                  .shift = (NnReal)shift});
}

NnId nn_row_dot(NnGraph *g, NnId a, NnId b) {
  const NnId ids[] = {a, b};
  if (!nn_nodes_valid(g, "row_dot", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, a), *v = nn_node(g, b);
  if (!nn_same_shape(u->shape, v->shape) || u->batched || v->batched)
    return nn_node_fail(g, BT_ERR_ARG, "row_dot: both must have the same shape and no batch");
  const size_t rows = u->shape.dim[0];
  return nn_node_add(g, &(NnNode){.op = &row_dot_op,
                                  .shape = NN_SHAPE(rows),
                                  .inputs = 2,
                                  .input = {a, b},
                                  .rows = {rows, 1, 1, nn_shape_size(u->shape) / rows}});
}

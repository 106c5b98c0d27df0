#include "nn/graph_internal.h"
#include "nn/ops.h"

static const char *const unary_names[NN_UNARY_COUNT] = {"relu", "tanh", "sigmoid", "softplus",
                                                        "exp",  "log",  "floor"};

static void unary_forward(NnGraph *g, NnNode *n) {
  g->k->unary(g->backend, (NnUnary)n->kind, nn_count(g, n), nn_in(g, n, 0)->value, n->value);
}

static void unary_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x))
    g->k->unary_chain(g->backend, (NnUnary)n->kind, nn_count(g, n), x->value, n->value, x->tangent,
                      nn_tangent_beta(n), n->tangent);
}

static void unary_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0);
  if (nn_wants(x))
    g->k->unary_chain(g->backend, (NnUnary)n->kind, nn_count(g, n), x->value, n->value, n->adjoint,
                      nn_adjoint_beta(x), x->adjoint);
}

static const NnOp unary_ops[NN_UNARY_COUNT] = {
    {"relu", unary_forward, unary_jvp, unary_vjp},    {"tanh", unary_forward, unary_jvp, unary_vjp},
    {"sigmoid", unary_forward, unary_jvp, unary_vjp}, {"softplus", unary_forward, unary_jvp, unary_vjp},
    {"exp", unary_forward, unary_jvp, unary_vjp},     {"log", unary_forward, unary_jvp, unary_vjp},
    {"floor", unary_forward, unary_jvp, unary_vjp},
};

NnId nn_unary(NnGraph *g, NnUnary f, NnId x) {
  if ((int)f < 0 || f >= NN_UNARY_COUNT) return nn_node_fail(g, BT_ERR_ARG, "no such function");
  if (!nn_nodes_valid(g, unary_names[f], 1, &x)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  return nn_node_add(g, &(NnNode){.op = &unary_ops[f],
                                  .shape = u->shape,
                                  .batched = u->batched,
                                  .inputs = 1,
                                  .input = {x},
                                  .kind = (int)f});
}

static NnPool pool_of(const NnGraph *g, const NnNode *n) {
  NnPool p = n->pool;
  p.planes *= nn_row_count(g, n);
  return p;
}

static void max_forward(NnGraph *g, NnNode *n) {
  const NnPool p = pool_of(g, n);
  g->k->max_pool(g->backend, &p, nn_in(g, n, 0)->value, n->value, n->index);
}

static void max_jvp(NnGraph *g, NnNode *n) {
  const NnPool p = pool_of(g, n);
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x))
    g->k->max_pool_gather(g->backend, &p, x->tangent, n->index, nn_tangent_beta(n), n->tangent);
}

static void max_vjp(NnGraph *g, NnNode *n) {
  const NnPool p = pool_of(g, n);
  NnNode *x = nn_in(g, n, 0);
  if (nn_wants(x))
    g->k->max_pool_scatter(g->backend, &p, n->adjoint, n->index, nn_adjoint_beta(x), x->adjoint);
}

static void average_forward(NnGraph *g, NnNode *n) {
  const NnPool p = pool_of(g, n);
  g->k->average_pool(g->backend, &p, nn_in(g, n, 0)->value, 0, n->value);
}

static void average_jvp(NnGraph *g, NnNode *n) {
  const NnPool p = pool_of(g, n);
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x)) g->k->average_pool(g->backend, &p, x->tangent, nn_tangent_beta(n), n->tangent);
}

static void average_vjp(NnGraph *g, NnNode *n) {
  const NnPool p = pool_of(g, n);
  NnNode *x = nn_in(g, n, 0);
  if (nn_wants(x)) g->k->average_pool_data(g->backend, &p, n->adjoint, nn_adjoint_beta(x), x->adjoint);
}

static const NnOp max_op = {"max_pool", max_forward, max_jvp, max_vjp};
static const NnOp average_op = {"average_pool", average_forward, average_jvp, average_vjp};

static NnId pool(NnGraph *g, const NnOp *op, NnId x, size_t kernel, size_t stride, size_t pad) {
  char text[64];
  if (!nn_nodes_valid(g, op->name, 1, &x)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  const size_t *d = u->shape.dim;
  if (!u->batched || u->shape.dims != 3)
    return nn_node_fail(g, BT_ERR_ARG, "%s: x must be an image", op->name);
  if (kernel < 1 || stride < 1 || pad >= kernel || d[1] + 2 * pad < kernel || d[2] + 2 * pad < kernel ||
      d[1] * d[2] > INT32_MAX)
    return nn_node_fail(g, BT_ERR_ARG,
                        "%s: windows of %zu with stride %zu and padding %zu do not fit an image %s", op->name,
                        kernel, stride, pad, nn_shape_text(u->shape, text));
  NnNode n = {.op = op, .batched = 1, .inputs = 1, .input = {x}};
  n.pool = (NnPool){d[0],
                    d[1],
                    d[2],
                    kernel,
                    stride,
                    pad,
                    (d[1] + 2 * pad - kernel) / stride + 1,
                    (d[2] + 2 * pad - kernel) / stride + 1};
  n.shape = NN_SHAPE(d[0], n.pool.out_height, n.pool.out_width);
  if (op == &max_op) n.index_row = nn_shape_size(n.shape);
  return nn_node_add(g, &n);
}

NnId nn_max_pool(NnGraph *g, NnId x, size_t kernel, size_t stride, size_t pad) {
  return pool(g, &max_op, x, kernel, stride, pad);
}

NnId nn_average_pool(NnGraph *g, NnId x, size_t kernel, size_t stride, size_t pad) {
  return pool(g, &average_op, x, kernel, stride, pad);
}

/* The mean over a plane is a product with ones: row_sum and broadcast, with a factor by axpby. */
static void global_sum(NnGraph *g, const NnNode *n, const NnReal *x, NnReal beta, NnReal *y) {
  const NnRows r = nn_rows(g, n);
  g->k->row_sum(g->backend, r, NULL, x, NULL, 0, g->work, r.channels);
  g->k->axpby(g->backend, nn_count(g, n), 1 / (NnReal)r.plane, g->work, beta, y);
}

static void global_forward(NnGraph *g, NnNode *n) { global_sum(g, n, nn_in(g, n, 0)->value, 0, n->value); }

static void global_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x)) global_sum(g, n, x->tangent, nn_tangent_beta(n), n->tangent);
}

static void global_vjp(NnGraph *g, NnNode *n) {
  const NnRows r = nn_rows(g, n);
  NnNode *x = nn_in(g, n, 0);
  if (!nn_wants(x)) return;
  g->k->axpby(g->backend, nn_count(g, n), 1 / (NnReal)r.plane, n->adjoint, 0, g->work);
  g->k->broadcast(g->backend, r, NULL, g->work, r.channels, nn_adjoint_beta(x), x->adjoint);
}

static const NnOp global_op = {"global_pool", global_forward, global_jvp, global_vjp};

NnId nn_global_pool(NnGraph *g, NnId x) {
  if (!nn_nodes_valid(g, "global_pool", 1, &x)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  if (!u->batched || u->shape.dims != 3)
    return nn_node_fail(g, BT_ERR_ARG, "global_pool: x must be an image");
  NnNode n = {.op = &global_op, .batched = 1, .inputs = 1, .input = {x}, .shape = NN_SHAPE(u->shape.dim[0])};
  n.rows = nn_layout(u->shape);
  n.work = g->max_batch * u->shape.dim[0];
  return nn_node_add(g, &n);
}

static void bias_forward(NnGraph *g, NnNode *n) {
  g->k->axpby(g->backend, nn_count(g, n), 1, nn_in(g, n, 0)->value, 0, n->value);
  g->k->broadcast(g->backend, nn_rows(g, n), nn_in(g, n, 1)->value, NULL, 0, 1, n->value);
}

static void bias_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0), *b = nn_in(g, n, 1);
  if (nn_has_tangent(x))
    g->k->axpby(g->backend, nn_count(g, n), 1, x->tangent, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(b))
    g->k->broadcast(g->backend, nn_rows(g, n), b->tangent, NULL, 0, nn_tangent_beta(n), n->tangent);
}

static void bias_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0), *b = nn_in(g, n, 1);
  if (nn_wants(x)) g->k->axpby(g->backend, nn_count(g, n), 1, n->adjoint, nn_adjoint_beta(x), x->adjoint);
  if (nn_wants(b))
    g->k->channel_sum(g->backend, nn_rows(g, n), NULL, 0, n->adjoint, NULL, nn_adjoint_beta(b), b->adjoint);
}

static const NnOp bias_op = {"bias", bias_forward, bias_jvp, bias_vjp};

NnId nn_bias(NnGraph *g, NnId x, NnId b) {
  const NnId ids[] = {x, b};
  if (!nn_nodes_valid(g, "bias", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x), *v = nn_node(g, b);
  NnNode n = {.op = &bias_op,
              .shape = u->shape,
              .batched = 1,
              .inputs = 2,
              .input = {x, b},
              .rows = nn_layout(u->shape)};
  if (!u->batched || v->batched || v->shape.dims != 1 || v->shape.dim[0] != n.rows.channels)
    return nn_node_fail(g, BT_ERR_ARG, "bias: b must have one entry per channel of x, without batch");
  return nn_node_add(g, &n);
}

/* Dropout with a rate per example, and DropConnect on weights. Masks are drawn in the forward run, kept for
 * tangents and adjoints, and have no derivative in the rate. */
#include "nn/graph_internal.h"
#include "nn/ops.h"

enum { X, RATES, LIKE, DROP_INPUTS };

static void mask(NnGraph *g, const NnNode *n, const NnReal *x, NnReal beta, NnReal *y) {
  const NnNode *like = nn_in(g, n, LIKE);
  const NnRows r = nn_rows(g, n);
  if (g->run.training)
    g->k->scale(g->backend, r, (like ? like : n)->saved, r.channels, x, beta, y);
  else
    g->k->axpby(g->backend, nn_count(g, n), 1, x, beta, y);
}

static void drop_forward(NnGraph *g, NnNode *n) {
  const NnNode *rates = nn_in(g, n, RATES);
  const NnRows r = nn_rows(g, n);
  if (g->run.training && !nn_in(g, n, LIKE))
    g->k->dropout_mask(g->backend, nn_key(g, n->stream), r.rows, r.channels, rates->value + n->column,
                       rates->batched ? nn_shape_size(rates->shape) : 0, n->saved);
  mask(g, n, nn_in(g, n, X)->value, 0, n->value);
}

static void drop_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, X);
  if (nn_has_tangent(x)) mask(g, n, x->tangent, nn_tangent_beta(n), n->tangent);
}

static void drop_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, X);
  if (nn_wants(x)) mask(g, n, n->adjoint, nn_adjoint_beta(x), x->adjoint);
}

static const NnOp dropout_op = {"dropout", drop_forward, drop_jvp, drop_vjp};
static const NnOp connect_op = {"drop_connect", drop_forward, drop_jvp, drop_vjp};

static int rates_valid(NnGraph *g, const char *op, NnId rates, size_t column) {
  const NnNode *u = nn_node(g, rates);
  if (u->shape.dims == 1 && column < u->shape.dim[0]) return 1;
  nn_node_fail(g, BT_ERR_ARG, "%s: the rates have no column %zu", op, column);
  return 0;
}

NnId nn_dropout(NnGraph *g, NnId x, NnId rates, size_t column, NnDrop what) {
  const NnId ids[] = {x, rates};
  if (!nn_nodes_valid(g, "dropout", 2, ids) || !rates_valid(g, "dropout", rates, column)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  NnNode n = {.op = &dropout_op,
              .shape = u->shape,
              .batched = 1,
              .inputs = 2,
              .input = {x, rates},
              .column = column,
              .constants = 1u << RATES};
  if (!u->batched)
    return nn_node_fail(g, BT_ERR_ARG, "dropout: x must be batched; weights take drop_connect");
  if (what == NN_DROP_CHANNELS && u->shape.dims == 3 && u->shape.dim[0] == 1)
    return nn_node_fail(g, BT_ERR_ARG,
                        "dropout: dropping channels of images with one channel drops whole images");
  if ((what == NN_DROP_CHANNELS && u->shape.dims != 3) || (what == NN_DROP_SEQUENCE && u->shape.dims != 2))
    return nn_node_fail(g, BT_ERR_ARG, "dropout: channels need an image, sequences [T x n]");
  n.rows = what == NN_DROP_ELEMENTS ? (NnRows){0, 1, nn_shape_size(u->shape), 1} : nn_layout(u->shape);
  n.saved_row = n.rows.channels;
  n.stream = ++g->streams;
  return nn_node_add(g, &n);
}

NnId nn_drop_connect(NnGraph *g, NnId W, NnId rates, size_t column, int whole_rows, NnId like) {
  const NnId ids[] = {W, rates, like};
  if (!nn_nodes_valid(g, "drop_connect", like == NN_NONE ? 2 : 3, ids) ||
      !rates_valid(g, "drop_connect", rates, column))
    return NN_NONE;
  const NnNode *u = nn_node(g, W);
  NnNode n = {.op = &connect_op,
              .shape = u->shape,
              .inputs = DROP_INPUTS,
              .input = {W, rates, like},
              .column = column,
              .constants = 1u << RATES | 1u << LIKE};
  const size_t size = nn_shape_size(u->shape);
  if (u->batched) return nn_node_fail(g, BT_ERR_ARG, "drop_connect: W must have no batch");
  n.rows = whole_rows ? (NnRows){0, 1, u->shape.dim[0], size / u->shape.dim[0]} : (NnRows){0, 1, size, 1};
  if (like != NN_NONE) {
    const NnNode *v = nn_node(g, like);
    if (v->op != &connect_op || v->rows.channels != n.rows.channels || !v->saved_row)
      return nn_node_fail(g, BT_ERR_ARG,
                          "drop_connect: a mask is shared with a drop_connect of the same shape");
  } else {
    n.saved_row = n.rows.channels;
    n.stream = ++g->streams;
  }
  return nn_node_add(g, &n);
}

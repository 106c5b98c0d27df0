#include "nn/graph_internal.h"
#include "nn/ops.h"

static void first_row_forward(NnGraph *g, NnNode *n) {
  g->k->axpby(g->backend, nn_count(g, n), 1, nn_in(g, n, 0)->value, 0, n->value);
}

static void first_row_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x))
    g->k->axpby(g->backend, nn_count(g, n), 1, x->tangent, nn_tangent_beta(n), n->tangent);
}

/* Adjoint of an input of which only a part is read: zero before the first part comes. */
static void adjoint_ready(NnGraph *g, NnNode *x) {
  if (nn_adjoint_beta(x) == 0) g->k->fill(g->backend, nn_count(g, x), 0, x->adjoint);
}

static void first_row_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0);
  if (!nn_wants(x)) return;
  adjoint_ready(g, x);
  g->k->axpby(g->backend, nn_count(g, n), 1, n->adjoint, 1, x->adjoint);
}

/* A slice: `dim` of the input's `column` indices from `offset` on, in `outer` blocks, `inner` elements each.
 */
static void slice_copy(NnGraph *g, const NnNode *n, const NnReal *x, NnReal beta, NnReal *y) {
  g->k->copy_rows(g->backend, nn_row_count(g, n) * n->outer, n->dim * n->inner, 1, x + n->offset * n->inner,
                  n->column * n->inner, beta, y, n->dim * n->inner);
}

static void slice_forward(NnGraph *g, NnNode *n) { slice_copy(g, n, nn_in(g, n, 0)->value, 0, n->value); }

static void slice_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x)) slice_copy(g, n, x->tangent, nn_tangent_beta(n), n->tangent);
}

static void slice_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0);
  if (!nn_wants(x)) return;
  adjoint_ready(g, x);
  g->k->copy_rows(g->backend, nn_row_count(g, n) * n->outer, n->dim * n->inner, 1, n->adjoint,
                  n->dim * n->inner, 1, x->adjoint + n->offset * n->inner, n->column * n->inner);
}

/* A join: `dim` indices of the first, then `column` of the second. */
static size_t part_size(const NnNode *n, int i) { return (i ? n->column : n->dim) * n->inner; }

static void concat_copy(NnGraph *g, const NnNode *n, int i, const NnReal *x, NnReal beta, NnReal *y) {
  g->k->copy_rows(g->backend, nn_row_count(g, n) * n->outer, part_size(n, i), 1, x, part_size(n, i), beta,
                  y + (i ? part_size(n, 0) : 0), part_size(n, 0) + part_size(n, 1));
}

static void concat_forward(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++) concat_copy(g, n, i, nn_in(g, n, i)->value, 0, n->value);
}

static void concat_jvp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++) {
    const NnNode *x = nn_in(g, n, i);
    if (!nn_has_tangent(x)) continue;
    if (nn_tangent_beta(n) == 0) g->k->fill(g->backend, nn_count(g, n), 0, n->tangent);
    concat_copy(g, n, i, x->tangent, 1, n->tangent);
  }
}

static void concat_vjp(NnGraph *g, NnNode *n) {
  for (int i = 0; i < 2; i++) {
    NnNode *x = nn_in(g, n, i);
    if (!nn_wants(x)) continue;
    g->k->copy_rows(g->backend, nn_row_count(g, n) * n->outer, part_size(n, i), 1,
                    n->adjoint + (i ? part_size(n, 0) : 0), part_size(n, 0) + part_size(n, 1),
                    nn_adjoint_beta(x), x->adjoint, part_size(n, i));
  }
}

/* alpha·Σ; kind 1 divides by the number of elements. */
static NnReal sum_factor(const NnGraph *g, const NnNode *n) {
  return n->kind ? 1 / (NnReal)nn_count(g, nn_in(g, n, 0)) : 1;
}

static void sum_forward(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  g->k->dot(g->backend, nn_count(g, x), sum_factor(g, n), x->value, NULL, 0, n->value);
}

static void sum_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x))
    g->k->dot(g->backend, nn_count(g, x), sum_factor(g, n), x->tangent, NULL, nn_tangent_beta(n), n->tangent);
}

static void sum_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0);
  if (!nn_wants(x)) return;
  g->k->axpby(g->backend, 1, sum_factor(g, n), n->adjoint, 0, g->work);
  g->k->broadcast(g->backend, (NnRows){1, 1, 1, nn_count(g, x)}, g->work, NULL, 0, nn_adjoint_beta(x),
                  x->adjoint);
}

static const NnOp reshape_op = {"reshape", NULL, NULL, NULL};
static const NnOp first_row_op = {"first_row", first_row_forward, first_row_jvp, first_row_vjp};
static const NnOp slice_op = {"slice", slice_forward, slice_jvp, slice_vjp};
static const NnOp concat_op = {"concat", concat_forward, concat_jvp, concat_vjp};
static const NnOp sum_op = {"sum", sum_forward, sum_jvp, sum_vjp};
static const NnOp mean_op = {"mean", sum_forward, sum_jvp, sum_vjp};

NnId nn_reshape(NnGraph *g, NnId x, NnShape shape) {
  char a[64], b[64];
  if (!nn_nodes_valid(g, "reshape", 1, &x)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  if (shape.dims < 1 || shape.dims > NN_MAX_DIMS || nn_shape_size(shape) != nn_shape_size(u->shape))
    return nn_node_fail(g, BT_ERR_ARG, "reshape: %s into %s", nn_shape_text(u->shape, a),
                        nn_shape_text(shape, b));
  return nn_node_add(g, &(NnNode){.op = &reshape_op,
                                  .shape = shape,
                                  .batched = u->batched,
                                  .view = NN_VIEW,
                                  .inputs = 1,
                                  .input = {x}});
}

NnId nn_first_row(NnGraph *g, NnId x) {
  if (!nn_nodes_valid(g, "first_row", 1, &x)) return NN_NONE;
  if (!nn_node(g, x)->batched) return x;
  return nn_node_add(
      g, &(NnNode){.op = &first_row_op, .shape = nn_node(g, x)->shape, .inputs = 1, .input = {x}});
}

/* Sizes before and behind a dimension. */
static void split(NnNode *n, int dim) {
  n->outer = n->inner = 1;
  for (int i = 0; i < dim; i++) n->outer *= n->shape.dim[i];
  for (int i = dim + 1; i < n->shape.dims; i++) n->inner *= n->shape.dim[i];
}

NnId nn_slice(NnGraph *g, NnId x, int dim, size_t first, size_t count) {
  if (!nn_nodes_valid(g, "slice", 1, &x)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  if (dim < 0 || dim >= u->shape.dims || count < 1 || first >= u->shape.dim[dim] ||
      count > u->shape.dim[dim] - first)
    return nn_node_fail(g, BT_ERR_ARG, "slice: %zu from %zu on of dimension %d is outside", count, first,
                        dim);
  NnNode n = {.op = &slice_op, .shape = u->shape, .batched = u->batched, .inputs = 1, .input = {x}};
  n.column = u->shape.dim[dim], n.dim = count, n.offset = first;
  n.shape.dim[dim] = count;
  split(&n, dim);
  return nn_node_add(g, &n);
}

NnId nn_concat(NnGraph *g, NnId x, NnId y, int dim) {
  const NnId ids[] = {x, y};
  if (!nn_nodes_valid(g, "concat", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x), *v = nn_node(g, y);
  int fits = u->batched == v->batched && u->shape.dims == v->shape.dims && dim >= 0 && dim < u->shape.dims;
  for (int i = 0; fits && i < u->shape.dims; i++) fits = i == dim || u->shape.dim[i] == v->shape.dim[i];
  if (!fits) return nn_node_fail(g, BT_ERR_ARG, "concat: shapes differ beside dimension %d", dim);
  NnNode n = {.op = &concat_op, .shape = u->shape, .batched = u->batched, .inputs = 2, .input = {x, y}};
  n.dim = u->shape.dim[dim], n.column = v->shape.dim[dim];
  n.shape.dim[dim] += n.column;
  split(&n, dim);
  return nn_node_add(g, &n);
}

static NnId total(NnGraph *g, const NnOp *op, NnId x, int mean) {
  if (!nn_nodes_valid(g, op->name, 1, &x)) return NN_NONE;
  return nn_node_add(
      g, &(NnNode){.op = op, .shape = NN_SHAPE(1), .inputs = 1, .input = {x}, .kind = mean, .work = 1});
}

NnId nn_sum(NnGraph *g, NnId x) { return total(g, &sum_op, x, 0); }
NnId nn_mean(NnGraph *g, NnId x) { return total(g, &mean_op, x, 1); }

/* Layers with weights: y = W x + b, where W x is a product, a convolution or a look-up, and the structured
 * response of their weights to the hyperparameters (arXiv:1903.03088; arXiv:2010.13514):
 *
 *   full:        y = W x + b + s⊙(U x) + c⊙u,  [s; c] = [V; C] δ of each example
 *   linearised:  y = W x + b,  ẏ = W ẋ + s⊙(U x) + c⊙u
 *
 * With ḡ the adjoint of y (full) or of ẏ (linearised) both have the derivatives
 *   ∂U = Σ (s⊙ḡ) xᵀ, ∂u = Σ c⊙ḡ, ∂V = Σ [ḡ⊙(U x)] δᵀ, ∂C = Σ [ḡ⊙u] δᵀ, ∂δ = Vᵀ[ḡ⊙(U x)] + Cᵀ[ḡ⊙u],
 * and x̄ = Wᵀ ḡ, to which full adds Uᵀ(s⊙ḡ). For `columns`, U acts on s⊙x instead. */
#include "nn/graph_internal.h"
#include "nn/ops.h"

enum { X, W, B, DELTA, U, SHIFT, V, C, LAYER_INPUTS };
enum { LINEAR, COLUMNS, CONV, GATHER };
static const char *const kinds[] = {"linear", "linear_columns", "conv2d", "embedding"};

/* Where a run's intermediate results lie. */
typedef struct {
  size_t n, S, ld;     /* hyperparameters; scaled channels; elements of a row of sc  */
  NnRows y, scaled;    /* layout of y; of what s scales: y, or x for columns          */
  NnReal *t, *s, *c;   /* saved: U x, or s⊙x for columns; [s; c]                      */
  NnReal *q, *ds, *dc; /* work: like t; like s, c                                     */
} Parts;

static Parts parts(const NnGraph *g, const NnNode *n) {
  Parts p = {.y = nn_rows(g, n), .S = n->dim, .ld = n->offset};
  p.n = nn_shape_size(nn_in(g, n, DELTA)->shape);
  p.scaled = p.y;
  if (n->kind == COLUMNS) p.scaled.channels = n->inner;
  const size_t row = nn_rows_count(p.scaled) / p.scaled.rows;
  p.t = n->saved;
  p.s = n->saved + g->max_batch * row;
  p.c = p.s + p.S;
  p.q = g->work + n->outer;
  p.ds = p.q + g->max_batch * row;
  p.dc = p.ds + p.S;
  return p;
}

static int responds(const NnGraph *g, const NnNode *n) {
  return nn_in(g, n, DELTA) && g->run.response != NN_RESPONSE_OFF;
}

static NnConv conv_of(const NnGraph *g, const NnNode *n) {
  NnConv c = n->conv;
  c.batch = nn_row_count(g, n);
  return c;
}

static void apply(NnGraph *g, const NnNode *n, const NnReal *w, const NnReal *x, NnReal beta, NnReal *y) {
  const NnRows r = nn_rows(g, n);
  const size_t rows = r.rows * r.repeat, out = r.channels;
  if (n->kind == CONV) {
    const NnConv c = conv_of(g, n);
    g->k->conv2d(g->backend, &c, x, w, beta, y, g->work);
  } else if (n->kind == GATHER) {
    g->k->gather(g->backend, rows, out, n->inner, x, w, beta, y);
  } else {
    g->k->gemm(g->backend, 0, 1, rows, out, n->inner, 1, x, n->inner, w, n->inner, beta, y, out);
  }
}

static void to_data(NnGraph *g, const NnNode *n, const NnReal *w, const NnReal *gy, NnReal beta, NnReal *gx) {
  const NnRows r = nn_rows(g, n);
  if (n->kind == CONV) {
    const NnConv c = conv_of(g, n);
    g->k->conv2d_data(g->backend, &c, w, gy, beta, gx, g->work);
  } else {
    g->k->gemm(g->backend, 0, 0, r.rows * r.repeat, n->inner, r.channels, 1, gy, r.channels, w, n->inner,
               beta, gx, n->inner);
  }
}

static void to_weights(NnGraph *g, const NnNode *n, const NnReal *x, const NnReal *gy, NnReal beta,
                       NnReal *gw) {
  const NnRows r = nn_rows(g, n);
  const size_t rows = r.rows * r.repeat, out = r.channels;
  if (n->kind == CONV) {
    const NnConv c = conv_of(g, n);
    g->k->conv2d_filter(g->backend, &c, x, gy, beta, gw, g->work);
  } else if (n->kind == GATHER) {
    if (beta == 0) g->k->fill(g->backend, n->inner * out, 0, gw);
    g->k->scatter(g->backend, rows, out, n->inner, x, gy, gw);
  } else {
    g->k->gemm(g->backend, 1, 0, out, n->inner, rows, 1, gy, out, x, n->inner, beta, gw, n->inner);
  }
}

/* out [rows × channels] = delta·Mᵀ */
static void offsets(NnGraph *g, const Parts *p, const NnReal *delta, const NnReal *M, size_t channels,
                    NnReal beta, NnReal *out) {
  g->k->gemm(g->backend, 0, 1, p->y.rows, channels, p->n, 1, delta, p->n, M, p->n, beta, out, p->ld);
}

static void layer_forward(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, X), *b = nn_in(g, n, B);
  apply(g, n, nn_in(g, n, W)->value, x->value, 0, n->value);
  if (b) g->k->broadcast(g->backend, nn_rows(g, n), b->value, NULL, 0, 1, n->value);
  if (!responds(g, n)) return;

  const Parts p = parts(g, n);
  const NnNode *delta = nn_in(g, n, DELTA), *u = nn_in(g, n, SHIFT);
  const NnReal *weights = nn_in(g, n, U)->value;
  const int full = g->run.response == NN_RESPONSE_FULL;
  offsets(g, &p, delta->value, nn_in(g, n, V)->value, p.S, 0, p.s);
  if (n->kind == COLUMNS) {
    g->k->scale(g->backend, p.scaled, p.s, p.ld, x->value, 0, p.t);
    if (full) apply(g, n, weights, p.t, 1, n->value);
  } else {
    apply(g, n, weights, x->value, 0, p.t);
    if (full) g->k->scale(g->backend, p.y, p.s, p.ld, p.t, 1, n->value);
  }
  if (!u) return;
  offsets(g, &p, delta->value, nn_in(g, n, C)->value, p.y.channels, 0, p.c);
  if (full) g->k->broadcast(g->backend, p.y, u->value, p.c, p.ld, 1, n->value);
}

/* ẏ of the linearised mode without W ẋ. */
static void linearised_tangent(NnGraph *g, NnNode *n) {
  const Parts p = parts(g, n);
  const NnNode *u = nn_in(g, n, SHIFT);
  const NnReal beta = nn_tangent_beta(n);
  if (n->kind == COLUMNS)
    apply(g, n, nn_in(g, n, U)->value, p.t, beta, n->tangent);
  else
    g->k->scale(g->backend, p.y, p.s, p.ld, p.t, beta, n->tangent);
  if (u) g->k->broadcast(g->backend, p.y, u->value, p.c, p.ld, 1, n->tangent);
}

/* The derivative of the full response along all tangents. */
static void full_tangent(NnGraph *g, NnNode *n) {
  const Parts p = parts(g, n);
  const NnNode *x = nn_in(g, n, X), *delta = nn_in(g, n, DELTA), *u = nn_in(g, n, SHIFT),
               *weights = nn_in(g, n, U);
  const NnNode *v = nn_in(g, n, V), *c = nn_in(g, n, C);
  const int moves = nn_has_tangent(x) && n->kind != GATHER;
  const int scales = nn_has_tangent(delta) || nn_has_tangent(v);
  NnReal beta = 0;
  if (nn_has_tangent(delta)) offsets(g, &p, delta->tangent, v->value, p.S, 0, p.ds);
  if (nn_has_tangent(v)) offsets(g, &p, delta->value, v->tangent, p.S, nn_has_tangent(delta) ? 1 : 0, p.ds);
  if (n->kind == COLUMNS) {
    if (moves) g->k->scale(g->backend, p.scaled, p.s, p.ld, x->tangent, 0, p.q), beta = 1;
    if (scales) g->k->scale(g->backend, p.scaled, p.ds, p.ld, x->value, beta, p.q);
    if (moves || scales) apply(g, n, weights->value, p.q, nn_tangent_beta(n), n->tangent);
    if (nn_has_tangent(weights)) apply(g, n, weights->tangent, p.t, nn_tangent_beta(n), n->tangent);
  } else {
    if (moves) apply(g, n, weights->value, x->tangent, 0, p.q), beta = 1;
    if (nn_has_tangent(weights)) apply(g, n, weights->tangent, x->value, beta, p.q), beta = 1;
    if (beta > 0) g->k->scale(g->backend, p.y, p.s, p.ld, p.q, nn_tangent_beta(n), n->tangent);
    if (scales) g->k->scale(g->backend, p.y, p.ds, p.ld, p.t, nn_tangent_beta(n), n->tangent);
  }
  if (!u) return;
  if (nn_has_tangent(u))
    g->k->broadcast(g->backend, p.y, u->tangent, p.c, p.ld, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(delta)) offsets(g, &p, delta->tangent, c->value, p.y.channels, 0, p.dc);
  if (nn_has_tangent(c))
    offsets(g, &p, delta->value, c->tangent, p.y.channels, nn_has_tangent(delta) ? 1 : 0, p.dc);
  if (nn_has_tangent(delta) || nn_has_tangent(c))
    g->k->broadcast(g->backend, p.y, u->value, p.dc, p.ld, nn_tangent_beta(n), n->tangent);
}

static void layer_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, X), *w = nn_in(g, n, W), *b = nn_in(g, n, B);
  if (nn_has_tangent(x) && n->kind != GATHER)
    apply(g, n, w->value, x->tangent, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(w)) apply(g, n, w->tangent, x->value, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(b))
    g->k->broadcast(g->backend, nn_rows(g, n), b->tangent, NULL, 0, nn_tangent_beta(n), n->tangent);
  if (!responds(g, n)) return;
  if (g->run.response == NN_RESPONSE_LINEARISED)
    linearised_tangent(g, n);
  else
    full_tangent(g, n);
}

/* Adjoints of M and δ from that of M δ, in d. */
static void offsets_vjp(NnGraph *g, const Parts *p, NnNode *delta, NnNode *M, size_t channels,
                        const NnReal *d) {
  if (nn_wants(M))
    g->k->gemm(g->backend, 1, 0, channels, p->n, p->y.rows, 1, d, p->ld, delta->value, p->n,
               nn_adjoint_beta(M), M->adjoint, p->n);
  if (nn_wants(delta))
    g->k->gemm(g->backend, 0, 0, p->y.rows, p->n, channels, 1, d, p->ld, M->value, p->n,
               nn_adjoint_beta(delta), delta->adjoint, p->n);
}

static void response_vjp(NnGraph *g, NnNode *n) {
  const Parts p = parts(g, n);
  NnNode *x = nn_in(g, n, X), *delta = nn_in(g, n, DELTA), *u = nn_in(g, n, SHIFT), *weights = nn_in(g, n, U);
  NnNode *v = nn_in(g, n, V), *c = nn_in(g, n, C);
  const int down = nn_wants(x) && n->kind != GATHER && g->run.response == NN_RESPONSE_FULL;
  const int scales = nn_wants(delta) || nn_wants(v);
  if (n->kind == COLUMNS) {
    if (down || scales) to_data(g, n, weights->value, n->adjoint, 0, p.q);
    if (down) g->k->scale(g->backend, p.scaled, p.s, p.ld, p.q, nn_adjoint_beta(x), x->adjoint);
    if (scales) g->k->row_sum(g->backend, p.scaled, NULL, p.q, x->value, 0, p.ds, p.ld);
    if (nn_wants(weights)) to_weights(g, n, p.t, n->adjoint, nn_adjoint_beta(weights), weights->adjoint);
  } else {
    if (scales) g->k->row_sum(g->backend, p.y, NULL, n->adjoint, p.t, 0, p.ds, p.ld);
    if (down || nn_wants(weights)) g->k->scale(g->backend, p.y, p.s, p.ld, n->adjoint, 0, p.q);
    if (down) to_data(g, n, weights->value, p.q, nn_adjoint_beta(x), x->adjoint);
    if (nn_wants(weights)) to_weights(g, n, x->value, p.q, nn_adjoint_beta(weights), weights->adjoint);
  }
  if (scales) offsets_vjp(g, &p, delta, v, p.S, p.ds);
  if (!u) return;
  if (nn_wants(u))
    g->k->channel_sum(g->backend, p.y, p.c, p.ld, n->adjoint, NULL, nn_adjoint_beta(u), u->adjoint);
  if (nn_wants(delta) || nn_wants(c)) {
    g->k->row_sum(g->backend, p.y, u->value, n->adjoint, NULL, 0, p.dc, p.ld);
    offsets_vjp(g, &p, delta, c, p.y.channels, p.dc);
  }
}

static void layer_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, X), *w = nn_in(g, n, W), *b = nn_in(g, n, B);
  if (nn_wants(x) && n->kind != GATHER) to_data(g, n, w->value, n->adjoint, nn_adjoint_beta(x), x->adjoint);
  if (nn_wants(w)) to_weights(g, n, x->value, n->adjoint, nn_adjoint_beta(w), w->adjoint);
  if (nn_wants(b))
    g->k->channel_sum(g->backend, nn_rows(g, n), NULL, 0, n->adjoint, NULL, nn_adjoint_beta(b), b->adjoint);
  if (responds(g, n)) response_vjp(g, n);
}

static const NnOp layer_ops[] = {
    [LINEAR] = {"linear", layer_forward, layer_jvp, layer_vjp},
    [COLUMNS] = {"linear_columns", layer_forward, layer_jvp, layer_vjp},
    [CONV] = {"conv2d", layer_forward, layer_jvp, layer_vjp},
    [GATHER] = {"embedding", layer_forward, layer_jvp, layer_vjp},
};

/* A parameter-like node of the wanted shape. */
static int has_shape(NnGraph *g, const char *op, const char *what, NnId id, NnShape wanted) {
  char is[64], should[64];
  if (!nn_nodes_valid(g, op, 1, &id)) return 0;
  const NnNode *n = nn_node(g, id);
  if (!n->batched && nn_same_shape(n->shape, wanted)) return 1;
  nn_node_fail(g, BT_ERR_ARG, "%s: %s is %s%s, must be %s", op, what, n->batched ? "batched " : "",
               nn_shape_text(n->shape, is), nn_shape_text(wanted, should));
  return 0;
}

/* Checks and adds what all kinds have in common; n has kind, rows (of y) and inner, `w` is the shape of W. */
static NnId add_layer(NnGraph *g, NnNode *n, NnId x, NnId weights, NnId b, const NnResponse *r, NnShape w) {
  const char *op = kinds[n->kind];
  const size_t out = n->rows.channels;
  n->op = &layer_ops[n->kind];
  n->batched = 1;
  n->inputs = LAYER_INPUTS;
  for (int i = 0; i < LAYER_INPUTS; i++) n->input[i] = NN_NONE;
  n->input[X] = x, n->input[W] = weights, n->input[B] = b;
  if (!has_shape(g, op, "W", weights, w)) return NN_NONE;
  if (b != NN_NONE && !has_shape(g, op, "b", b, NN_SHAPE(out))) return NN_NONE;
  if (n->kind == CONV) {
    NnConv c = n->conv;
    c.batch = g->max_batch;
    n->outer = (g->k->conv2d_work(g->backend, &c) + 63) / 64 * 64;
  }
  if (n->kind == GATHER) n->constants = 1u << X;
  n->work = n->outer;
  if (!r) return nn_node_add(g, n);

  if (!nn_nodes_valid(g, op, 1, &r->delta)) return NN_NONE;
  const NnNode *delta = nn_node(g, r->delta);
  if (!delta->batched || delta->shape.dims != 1)
    return nn_node_fail(g, BT_ERR_ARG, "%s: delta must be batched, one vector per example", op);
  const size_t h = delta->shape.dim[0];
  n->dim = n->kind == COLUMNS ? n->inner : out;
  if (!has_shape(g, op, "U", r->U, w) || !has_shape(g, op, "V", r->V, NN_SHAPE(n->dim, h))) return NN_NONE;
  if ((r->u == NN_NONE) != (r->C == NN_NONE))
    return nn_node_fail(g, BT_ERR_ARG, "%s: u and C go together", op);
  n->input[DELTA] = r->delta, n->input[U] = r->U, n->input[V] = r->V;
  if (r->u != NN_NONE) {
    if (!has_shape(g, op, "u", r->u, NN_SHAPE(out)) || !has_shape(g, op, "C", r->C, NN_SHAPE(out, h)))
      return NN_NONE;
    n->input[SHIFT] = r->u, n->input[C] = r->C;
  }
  n->offset = n->dim + (r->u == NN_NONE ? 0 : out);
  const size_t row = n->rows.repeat * n->dim * n->rows.plane;
  n->saved_row = row + n->offset;
  n->work = n->outer + g->max_batch * n->saved_row;
  return nn_node_add(g, n);
}

static NnId linear(NnGraph *g, int kind, NnId x, NnId weights, NnId b, const NnResponse *r) {
  const NnId ids[] = {x, weights};
  char text[64];
  if (!nn_nodes_valid(g, kinds[kind], 2, ids)) return NN_NONE;
  const NnNode *in = nn_node(g, x), *w = nn_node(g, weights);
  if (!in->batched || in->shape.dims > 2 || w->shape.dims != 2)
    return nn_node_fail(g, BT_ERR_ARG, "%s: x must be [in] or [T x in] and W [out x in], x is %s",
                        kinds[kind], nn_shape_text(in->shape, text));
  if (in->shape.dims == 2 && in->shape.dim[0] > INT32_MAX / g->max_batch)
    return nn_node_fail(g, BT_ERR_ARG, "%s: batch times length is too large", kinds[kind]);
  NnNode n = {.kind = kind, .shape = in->shape, .inner = in->shape.dim[in->shape.dims - 1]};
  n.rows = (NnRows){0, in->shape.dims == 2 ? in->shape.dim[0] : 1, w->shape.dim[0], 1};
  n.shape.dim[n.shape.dims - 1] = w->shape.dim[0];
  return add_layer(g, &n, x, weights, b, r, NN_SHAPE(w->shape.dim[0], n.inner));
}

NnId nn_linear(NnGraph *g, NnId x, NnId weights, NnId b, const NnResponse *response) {
  return linear(g, LINEAR, x, weights, b, response);
}

NnId nn_linear_columns(NnGraph *g, NnId x, NnId weights, NnId b, const NnResponse *response) {
  return linear(g, COLUMNS, x, weights, b, response);
}

NnId nn_conv2d(NnGraph *g, NnId x, NnId weights, NnId b, size_t stride, size_t pad,
               const NnResponse *response) {
  const NnId ids[] = {x, weights};
  char text[64], text2[64];
  if (!nn_nodes_valid(g, "conv2d", 2, ids)) return NN_NONE;
  const NnNode *in = nn_node(g, x), *w = nn_node(g, weights);
  const size_t *d = in->shape.dim, *k = w->shape.dim;
  if (!in->batched || in->shape.dims != 3 || w->shape.dims != 4)
    return nn_node_fail(g, BT_ERR_ARG, "conv2d: x must be an image and W have 4 dimensions");
  if (stride < 1 || pad >= k[2] || pad >= k[3] || d[1] + 2 * pad < k[2] || d[2] + 2 * pad < k[3])
    return nn_node_fail(g, BT_ERR_ARG,
                        "conv2d: filters %s with stride %zu and padding %zu do not fit an image %s",
                        nn_shape_text(w->shape, text), stride, pad, nn_shape_text(in->shape, text2));
  NnNode n = {.kind = CONV};
  n.conv = (NnConv){.channels = d[0],
                    .height = d[1],
                    .width = d[2],
                    .filters = k[0],
                    .kernel_height = k[2],
                    .kernel_width = k[3],
                    .stride = stride,
                    .pad = pad,
                    .out_height = (d[1] + 2 * pad - k[2]) / stride + 1,
                    .out_width = (d[2] + 2 * pad - k[3]) / stride + 1};
  n.shape = NN_SHAPE(k[0], n.conv.out_height, n.conv.out_width);
  n.rows = (NnRows){0, 1, k[0], n.conv.out_height * n.conv.out_width};
  return add_layer(g, &n, x, weights, b, response, NN_SHAPE(k[0], d[0], k[2], k[3]));
}

NnId nn_embedding(NnGraph *g, NnId token, NnId table, const NnResponse *response) {
  const NnId ids[] = {token, table};
  if (!nn_nodes_valid(g, "embedding", 2, ids)) return NN_NONE;
  const NnNode *in = nn_node(g, token), *w = nn_node(g, table);
  if (!in->batched || in->shape.dims != 1 || w->shape.dims != 2)
    return nn_node_fail(g, BT_ERR_ARG, "embedding: token must be [T] and the table [entries x width]");
  NnNode n = {.kind = GATHER, .inner = w->shape.dim[0]};
  n.rows = (NnRows){0, in->shape.dim[0], w->shape.dim[1], 1};
  n.shape = in->shape.dim[0] == 1 ? NN_SHAPE(w->shape.dim[1]) : NN_SHAPE(in->shape.dim[0], w->shape.dim[1]);
  return add_layer(g, &n, token, table, NN_NONE, response, w->shape);
}

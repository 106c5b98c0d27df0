/* Batch norm (Ioffe, Szegedy 2015, arXiv:1502.03167). */
#include "nn/graph_internal.h"
#include "nn/ops.h"

enum { X, GAMMA, BETA, MEAN, VARIANCE, NORM_INPUTS };

typedef struct {
  NnReal *mean, *inverse, *variance, *factor, *xhat;
} Saved;

static Saved saved(const NnNode *n) {
  const size_t c = n->rows.channels;
  return (Saved){n->saved, n->saved + c, n->saved + 2 * c, n->saved + 3 * c, n->saved + n->saved_size};
}

static void norm_forward(NnGraph *g, NnNode *n) {
  const NnRows r = nn_rows(g, n);
  const Saved s = saved(n);
  const NnReal *x = nn_in(g, n, X)->value, *gamma = nn_in(g, n, GAMMA)->value;
  NnReal *mean = nn_in(g, n, MEAN)->value, *variance = nn_in(g, n, VARIANCE)->value;
  const NnReal *used = mean;
  if (g->run.training) {
    g->k->norm_statistics(g->backend, r, x, n->shift, s.mean, s.inverse, s.variance);
    used = s.mean;
    if (!g->run.keep_statistics) {
      const double count = (double)(r.rows * r.repeat * r.plane);
      const NnReal unbiased = (NnReal)(count > 1 ? count / (count - 1) : 1);
      g->k->axpby(g->backend, r.channels, n->alpha, s.mean, 1 - n->alpha, mean);
      g->k->axpby(g->backend, r.channels, n->alpha * unbiased, s.variance, 1 - n->alpha, variance);
    }
  } else {
    g->k->norm_inverse(g->backend, r.channels, variance, n->shift, s.inverse);
  }
  g->k->norm_apply(g->backend, r, x, used, s.inverse, gamma, nn_in(g, n, BETA)->value, s.xhat, n->value);
  g->k->multiply(g->backend, r.channels, 1, gamma, s.inverse, 0, s.factor);
}

/* out = beta·out + J u, J the Jacobian in x, which is symmetric. */
static void jacobian(NnGraph *g, const NnNode *n, const NnReal *u, NnReal beta, NnReal *out) {
  const Saved s = saved(n);
  if (g->run.training)
    g->k->norm_project(g->backend, nn_rows(g, n), u, s.xhat, s.inverse, nn_in(g, n, GAMMA)->value, beta, out);
  else
    g->k->scale(g->backend, nn_rows(g, n), s.factor, 0, u, beta, out);
}

static void norm_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, X), *gamma = nn_in(g, n, GAMMA), *shift = nn_in(g, n, BETA);
  const NnRows r = nn_rows(g, n);
  if (nn_has_tangent(x)) jacobian(g, n, x->tangent, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(gamma))
    g->k->scale(g->backend, r, gamma->tangent, 0, saved(n).xhat, nn_tangent_beta(n), n->tangent);
  if (nn_has_tangent(shift))
    g->k->broadcast(g->backend, r, shift->tangent, NULL, 0, nn_tangent_beta(n), n->tangent);
}

static void norm_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, X), *gamma = nn_in(g, n, GAMMA), *shift = nn_in(g, n, BETA);
  const NnRows r = nn_rows(g, n);
  if (nn_wants(x)) jacobian(g, n, n->adjoint, nn_adjoint_beta(x), x->adjoint);
  if (nn_wants(gamma))
    g->k->channel_sum(g->backend, r, NULL, 0, n->adjoint, saved(n).xhat, nn_adjoint_beta(gamma),
                      gamma->adjoint);
  if (nn_wants(shift))
    g->k->channel_sum(g->backend, r, NULL, 0, n->adjoint, NULL, nn_adjoint_beta(shift), shift->adjoint);
}

static const NnOp norm_op = {"batch_norm", norm_forward, norm_jvp, norm_vjp};

NnId nn_batch_norm(NnGraph *g, NnId x, NnId gamma, NnId beta, NnId mean, NnId variance, double momentum,
                   double epsilon) {
  const NnId ids[NORM_INPUTS] = {x, gamma, beta, mean, variance};
  if (!nn_nodes_valid(g, "batch_norm", NORM_INPUTS, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  NnNode n = {.op = &norm_op,
              .shape = u->shape,
              .batched = 1,
              .inputs = NORM_INPUTS,
              .rows = nn_layout(u->shape),
              .alpha = (NnReal)momentum,
              .shift = (NnReal)epsilon,
              .constants = 1u << MEAN | 1u << VARIANCE};
  for (int i = 0; i < NORM_INPUTS; i++) {
    const NnNode *v = nn_node(g, ids[i]);
    n.input[i] = ids[i];
    if (i > X && (v->batched || v->shape.dims != 1 || v->shape.dim[0] != n.rows.channels))
      return nn_node_fail(g, BT_ERR_ARG, "batch_norm: parameters must have one entry per channel of x");
    if (i >= MEAN && v->group != NN_BUFFER)
      return nn_node_fail(g, BT_ERR_ARG, "batch_norm: running statistics must be of the group of buffers");
  }
  if (!u->batched || !(momentum >= 0 && momentum <= 1) || !(epsilon > 0))
    return nn_node_fail(g, BT_ERR_ARG, "batch_norm: needs a batched x, momentum in [0, 1] and epsilon > 0");
  n.saved_size = 4 * n.rows.channels;
  n.saved_row = nn_shape_size(u->shape);
  return nn_node_add(g, &n);
}

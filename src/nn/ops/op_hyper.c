#include <math.h>

#include "nn/graph_internal.h"
#include "nn/ops.h"

/* λ' = λ + softplus(s)⊙ε. saved: softplus(s) [n], its tangent or adjoint [n], ε [rows × n]. */
enum { LAMBDA, SCALE };

static void perturb_forward(NnGraph *g, NnNode *n) {
  const NnRows r = nn_rows(g, n);
  const size_t h = r.channels;
  NnReal *noise = n->saved + 2 * h;
  g->k->broadcast(g->backend, r, nn_in(g, n, LAMBDA)->value, NULL, 0, 0, n->value);
  if (!g->run.perturbed) return;
  g->k->unary(g->backend, NN_SOFTPLUS, h, nn_in(g, n, SCALE)->value, n->saved);
  g->k->normal(g->backend, nn_key(g, n->stream), nn_count(g, n), noise);
  g->k->scale(g->backend, r, n->saved, 0, noise, 1, n->value);
}

static void perturb_jvp(NnGraph *g, NnNode *n) {
  const NnNode *lambda = nn_in(g, n, LAMBDA), *s = nn_in(g, n, SCALE);
  const NnRows r = nn_rows(g, n);
  const size_t h = r.channels;
  if (nn_has_tangent(lambda))
    g->k->broadcast(g->backend, r, lambda->tangent, NULL, 0, nn_tangent_beta(n), n->tangent);
  if (!nn_has_tangent(s) || !g->run.perturbed) return;
  g->k->unary_chain(g->backend, NN_SOFTPLUS, h, s->value, n->saved, s->tangent, 0, n->saved + h);
  g->k->scale(g->backend, r, n->saved + h, 0, n->saved + 2 * h, nn_tangent_beta(n), n->tangent);
}

static void perturb_vjp(NnGraph *g, NnNode *n) {
  NnNode *lambda = nn_in(g, n, LAMBDA), *s = nn_in(g, n, SCALE);
  const NnRows r = nn_rows(g, n);
  const size_t h = r.channels;
  if (nn_wants(lambda))
    g->k->channel_sum(g->backend, r, NULL, 0, n->adjoint, NULL, nn_adjoint_beta(lambda), lambda->adjoint);
  if (!nn_wants(s) || !g->run.perturbed) return;
  g->k->channel_sum(g->backend, r, NULL, 0, n->adjoint, n->saved + 2 * h, 0, n->saved + h);
  g->k->unary_chain(g->backend, NN_SOFTPLUS, h, s->value, n->saved, n->saved + h, nn_adjoint_beta(s),
                    s->adjoint);
}

static const NnOp perturb_op = {"perturb", perturb_forward, perturb_jvp, perturb_vjp};

static int is_vector(const NnNode *n, int batched) { return n->batched == batched && n->shape.dims == 1; }

NnId nn_perturb(NnGraph *g, NnId lambda, NnId s) {
  const NnId ids[] = {lambda, s};
  if (!nn_nodes_valid(g, "perturb", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, lambda), *v = nn_node(g, s);
  if (!is_vector(u, 0) || !is_vector(v, 0) || u->shape.dim[0] != v->shape.dim[0])
    return nn_node_fail(g, BT_ERR_ARG, "perturb: lambda and s must be vectors of one length, without batch");
  const size_t h = u->shape.dim[0];
  return nn_node_add(g, &(NnNode){.op = &perturb_op,
                                  .shape = u->shape,
                                  .batched = 1,
                                  .inputs = 2,
                                  .input = {lambda, s},
                                  .rows = {0, 1, h, 1},
                                  .saved_size = 2 * h,
                                  .saved_row = h,
                                  .stream = ++g->streams});
}

static void centre_forward(NnGraph *g, NnNode *n) {
  g->k->broadcast(g->backend, nn_rows(g, n), nn_in(g, n, 1)->value, NULL, 0, 0, n->value);
  g->k->axpby(g->backend, nn_count(g, n), 1, nn_in(g, n, 0)->value, -1, n->value);
}

/* Tangents and adjoints pass as they are, from and to the first input. */
static void pass_jvp(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  if (nn_has_tangent(x))
    g->k->axpby(g->backend, nn_count(g, n), 1, x->tangent, nn_tangent_beta(n), n->tangent);
}

static void pass_vjp(NnGraph *g, NnNode *n) {
  NnNode *x = nn_in(g, n, 0);
  if (nn_wants(x)) g->k->axpby(g->backend, nn_count(g, n), 1, n->adjoint, nn_adjoint_beta(x), x->adjoint);
}

static const NnOp centre_op = {"centre", centre_forward, pass_jvp, pass_vjp};

NnId nn_centre(NnGraph *g, NnId perturbed, NnId lambda) {
  const NnId ids[] = {perturbed, lambda};
  if (!nn_nodes_valid(g, "centre", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, perturbed), *v = nn_node(g, lambda);
  if (!is_vector(u, 1) || !is_vector(v, 0) || u->shape.dim[0] != v->shape.dim[0])
    return nn_node_fail(g, BT_ERR_ARG, "centre: needs a batched vector and one without batch, of one length");
  return nn_node_add(g, &(NnNode){.op = &centre_op,
                                  .shape = u->shape,
                                  .batched = 1,
                                  .inputs = 2,
                                  .input = {perturbed, lambda},
                                  .rows = {0, 1, u->shape.dim[0], 1},
                                  .constants = 2});
}

/* y0 + J δ; in other runs the network's output itself, of which it is a view. */
static void output_forward(NnGraph *g, NnNode *n) {
  const NnNode *x = nn_in(g, n, 0);
  g->k->axpby(g->backend, nn_count(g, n), 1, x->value, 0, n->value);
  if (nn_has_tangent(x)) g->k->axpby(g->backend, nn_count(g, n), 1, x->tangent, 1, n->value);
}

static void output_jvp(NnGraph *g, NnNode *n) { (void)g, (void)n; }

static const NnOp output_op = {"linearised_output", output_forward, output_jvp, pass_vjp};

NnId nn_linearised_output(NnGraph *g, NnId x) {
  if (!nn_nodes_valid(g, "linearised_output", 1, &x)) return NN_NONE;
  const NnNode *u = nn_node(g, x);
  return nn_node_add(g, &(NnNode){.op = &output_op,
                                  .shape = u->shape,
                                  .batched = u->batched,
                                  .view = NN_VIEW_UNLESS_LINEARISED,
                                  .inputs = 1,
                                  .input = {x}});
}

NnId nn_entropy(NnGraph *g, NnId s) {
  static const double half_log_2_pi_e = 1.4189385332046727;
  if (!nn_nodes_valid(g, "entropy", 1, &s)) return NN_NONE;
  const double n = (double)nn_shape_size(nn_node(g, s)->shape);
  return nn_scale(g, nn_sum(g, nn_unary(g, NN_LOG, nn_unary(g, NN_SOFTPLUS, s))), 1, n * half_log_2_pi_e);
}

NnId nn_range(NnGraph *g, NnId x, size_t column, NnRange r) {
  if (!(r.low < r.high)) return nn_node_fail(g, BT_ERR_ARG, "range: %g to %g is empty", r.low, r.high);
  NnId y = nn_slice(g, x, 0, column, 1);
  if (isfinite(r.low) && isfinite(r.high))
    y = nn_scale(g, nn_unary(g, NN_SIGMOID, y), r.high - r.low, r.low);
  else if (isfinite(r.low))
    y = nn_scale(g, nn_unary(g, r.logarithmic ? NN_EXP : NN_SOFTPLUS, y), 1, r.low);
  else if (isfinite(r.high))
    y = nn_scale(g, nn_unary(g, NN_SOFTPLUS, y), -1, r.high);
  return r.discrete ? nn_unary(g, NN_FLOOR, y) : y;
}

static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
/* log(exp(y) − 1) for y > 0 */
static double softplus_inverse(double y) { return y + log(-expm1(-y)); }

double nn_range_value(NnRange r, double x) {
  double y = x;
  if (isfinite(r.low) && isfinite(r.high))
    y = r.low + (r.high - r.low) / (1 + exp(-x));
  else if (isfinite(r.low))
    y = r.low + (r.logarithmic ? exp(x) : softplus(x));
  else if (isfinite(r.high))
    y = r.high - softplus(x);
  return r.discrete ? floor(y) : y;
}

double nn_range_inverse(NnRange r, double value) {
  if (isfinite(r.low) && isfinite(r.high)) return log((value - r.low) / (r.high - value));
  if (isfinite(r.low)) return r.logarithmic ? log(value - r.low) : softplus_inverse(value - r.low);
  if (isfinite(r.high)) return softplus_inverse(r.high - value);
  return value;
}

#include "nn/graph_internal.h"
#include "nn/ops.h"

static void cell_forward(NnGraph *g, NnNode *n) {
  g->k->lstm(g->backend, nn_row_count(g, n), n->inner, nn_in(g, n, 0)->value, nn_in(g, n, 1)->value, n->value,
             n->saved);
}

static void cell_jvp(NnGraph *g, NnNode *n) {
  const NnNode *gates = nn_in(g, n, 0), *state = nn_in(g, n, 1);
  if (!nn_has_tangent(gates) && !nn_has_tangent(state)) return;
  (void)nn_tangent_beta(n);
  g->k->lstm_jvp(g->backend, nn_row_count(g, n), n->inner, state->value, n->saved,
                 nn_has_tangent(gates) ? gates->tangent : NULL, nn_has_tangent(state) ? state->tangent : NULL,
                 n->tangent);
}

static void cell_vjp(NnGraph *g, NnNode *n) {
  NnNode *gates = nn_in(g, n, 0), *state = nn_in(g, n, 1);
  NnReal *to_gates = nn_wants(gates) ? gates->adjoint : NULL,
         *to_state = nn_wants(state) ? state->adjoint : NULL;
  const NnReal beta_gates = to_gates ? nn_adjoint_beta(gates) : 0,
               beta_state = to_state ? nn_adjoint_beta(state) : 0;
  g->k->lstm_vjp(g->backend, nn_row_count(g, n), n->inner, state->value, n->saved, n->adjoint, beta_gates,
                 to_gates, beta_state, to_state);
}

static const NnOp cell_op = {"lstm_cell", cell_forward, cell_jvp, cell_vjp};

NnId nn_lstm_cell(NnGraph *g, NnId gates, NnId state) {
  const NnId ids[] = {gates, state};
  if (!nn_nodes_valid(g, "lstm_cell", 2, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, gates), *v = nn_node(g, state);
  if (!u->batched || !v->batched || u->shape.dims != 1 || v->shape.dims != 1 || u->shape.dim[0] % 4 ||
      u->shape.dim[0] != 2 * v->shape.dim[0])
    return nn_node_fail(g, BT_ERR_ARG, "lstm_cell: gates must be [4 hidden], the state [2 hidden], batched");
  const size_t hidden = u->shape.dim[0] / 4;
  return nn_node_add(g, &(NnNode){.op = &cell_op,
                                  .shape = v->shape,
                                  .batched = 1,
                                  .inputs = 2,
                                  .input = {gates, state},
                                  .inner = hidden,
                                  .saved_row = 5 * hidden});
}

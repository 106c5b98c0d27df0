/* Penalties, put together from other operations. */
#include "nn/graph_internal.h"
#include "nn/ops.h"

/* The weight of a penalty that acts on the whole batch. */
static NnId batch_weight(NnGraph *g, NnId rates, size_t column) {
  return nn_first_row(g, nn_slice(g, rates, 0, column, 1));
}

/* ‖W + diag(s)U‖² = Σ_j ‖W_j‖² + 2 s_j W_j·U_j + s_j² ‖U_j‖², j the outputs. */
NnId nn_l2_penalty(NnGraph *g, NnId W, NnId rates, size_t column, const NnResponse *response) {
  const NnId norm = nn_sum(g, nn_row_dot(g, W, W));
  if (!response) return nn_scale(g, nn_multiply(g, batch_weight(g, rates, column), norm), 0.5, 0);
  const NnId cross = nn_row_dot(g, W, response->U), square = nn_row_dot(g, response->U, response->U);
  if (!nn_nodes_valid(g, "l2_penalty", 1, &square)) return NN_NONE;
  const NnShape row = NN_SHAPE(1, nn_node(g, square)->shape.dim[0]);
  const NnId s = nn_linear(g, response->delta, response->V, NN_NONE, NULL);
  const NnId first = nn_scale(g, nn_linear(g, s, nn_reshape(g, cross, row), NN_NONE, NULL), 2, 0);
  const NnId second = nn_linear(g, nn_multiply(g, s, s), nn_reshape(g, square, row), norm, NULL);
  const NnId weight = nn_slice(g, rates, 0, column, 1);
  return nn_scale(g, nn_mean(g, nn_multiply(g, weight, nn_add(g, first, second))), 0.5, 0);
}

NnId nn_ar_penalty(NnGraph *g, NnId h, NnId rates, size_t column) {
  return nn_multiply(g, batch_weight(g, rates, column), nn_mean(g, nn_multiply(g, h, h)));
}

NnId nn_tar_penalty(NnGraph *g, NnId h, NnId rates, size_t column) {
  if (!nn_nodes_valid(g, "tar_penalty", 1, &h)) return NN_NONE;
  const NnShape s = nn_node(g, h)->shape;
  if (s.dims != 2 || s.dim[0] < 2)
    return nn_node_fail(g, BT_ERR_ARG, "tar_penalty: needs a sequence [T x n], T > 1");
  const NnId d = nn_subtract(g, nn_slice(g, h, 0, 1, s.dim[0] - 1), nn_slice(g, h, 0, 0, s.dim[0] - 1));
  return nn_multiply(g, batch_weight(g, rates, column), nn_mean(g, nn_multiply(g, d, d)));
}

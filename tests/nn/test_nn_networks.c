/* Small networks with dropout and responses: gradients in all three modes, and what linearisation means. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "nn_check.h"

#define H 3

static NnId named(NnGraph *g, const char *layer, const char *part, NnGroup group, NnShape s) {
  char name[64];
  snprintf(name, sizeof name, "%s.%s", layer, part);
  return nn_parameter(g, name, group, s);
}

static NnResponse response(NnGraph *g, const char *layer, NnId delta, NnShape w, size_t scaled, size_t out) {
  NnResponse r = {.delta = delta, .u = NN_NONE, .C = NN_NONE};
  r.U = named(g, layer, "U", NN_RESPONSE, w);
  r.V = named(g, layer, "V", NN_RESPONSE, NN_SHAPE(scaled, H));
  if (out) {
    r.u = named(g, layer, "u", NN_RESPONSE, NN_SHAPE(out));
    r.C = named(g, layer, "C", NN_RESPONSE, NN_SHAPE(out, H));
  }
  return r;
}

static NnId dense(NnGraph *g, const char *layer, NnId x, NnId delta, size_t in, size_t out) {
  const NnResponse r = response(g, layer, delta, NN_SHAPE(out, in), out, out);
  return nn_linear(g, x, named(g, layer, "W", NN_GENERAL, NN_SHAPE(out, in)),
                   named(g, layer, "b", NN_GENERAL, NN_SHAPE(out)), &r);
}

static NnId conv(NnGraph *g, const char *layer, NnId x, NnId delta, size_t in, size_t out) {
  const NnShape w = NN_SHAPE(out, in, 3, 3);
  const NnResponse r = response(g, layer, delta, w, out, out);
  return nn_conv2d(g, x, named(g, layer, "W", NN_GENERAL, w), named(g, layer, "b", NN_GENERAL, NN_SHAPE(out)),
                   1, 1, &r);
}

static NnId loss(NnGraph *g, NnId logits) {
  return nn_mean(g,
                 nn_cross_entropy(g, nn_linearised_output(g, logits), nn_input(g, "label:4", NN_SHAPE(1))));
}

static NnId mlp_logits(NnGraph *g, NnId delta) {
  const NnId rates = nn_input(g, "rates", NN_SHAPE(H));
  NnId x = nn_dropout(g, nn_input(g, "x", NN_SHAPE(6)), rates, 0, NN_DROP_ELEMENTS);
  x = nn_unary(g, NN_TANH, dense(g, "fc1", x, delta, 6, 7));
  x = nn_dropout(g, x, rates, 1, NN_DROP_ELEMENTS);
  x = nn_unary(g, NN_RELU, dense(g, "fc2", x, delta, 7, 5));
  return dense(g, "fc3", nn_dropout(g, x, rates, 2, NN_DROP_ELEMENTS), delta, 5, 4);
}

static NnId mlp(NnGraph *g) { return loss(g, mlp_logits(g, nn_input(g, "delta", NN_SHAPE(H)))); }
static NnId mlp_output(NnGraph *g) {
  return nn_linearised_output(g, mlp_logits(g, nn_input(g, "delta", NN_SHAPE(H))));
}

/* The validation step: δ = λ' − stopgrad(λ), loss − τ entropy, gradients in λ and s. */
static NnId tuned(NnGraph *g) {
  const NnId lambda = nn_parameter(g, "lambda", NN_HYPER, NN_SHAPE(H)),
             s = nn_parameter(g, "s", NN_HYPER, NN_SHAPE(H));
  const NnId centred = nn_parameter(g, "centre", NN_BUFFER, NN_SHAPE(H));
  const NnId delta = nn_centre(g, nn_perturb(g, lambda, s), centred);
  return nn_add(g, loss(g, mlp_logits(g, delta)), nn_scale(g, nn_entropy(g, s), -0.1, 0));
}

static NnId cnn_logits(NnGraph *g) {
  const NnId rates = nn_input(g, "rates", NN_SHAPE(H)), delta = nn_input(g, "delta", NN_SHAPE(H));
  NnId x = nn_dropout(g, nn_input(g, "x", NN_SHAPE(2, 8, 8)), rates, 0, NN_DROP_ELEMENTS);
  x = nn_max_pool(g, nn_unary(g, NN_RELU, conv(g, "conv1", x, delta, 2, 3)), 2, 2, 0);
  x = nn_dropout(g, x, rates, 1, NN_DROP_CHANNELS);
  NnId y = nn_batch_norm(
      g, conv(g, "conv2", x, delta, 3, 3), named(g, "bn", "gamma", NN_GENERAL, NN_SHAPE(3)),
      named(g, "bn", "beta", NN_GENERAL, NN_SHAPE(3)), named(g, "bn", "mean", NN_BUFFER, NN_SHAPE(3)),
      named(g, "bn", "variance", NN_BUFFER, NN_SHAPE(3)), 0.1, 1e-5);
  x = nn_unary(g, NN_SIGMOID, nn_add(g, x, y));
  x = nn_concat(g, nn_reshape(g, nn_average_pool(g, x, 2, 2, 0), NN_SHAPE(12)), nn_global_pool(g, x), 0);
  return dense(g, "fc", nn_dropout(g, x, rates, 2, NN_DROP_ELEMENTS), delta, 15, 4);
}

static NnId cnn(NnGraph *g) { return loss(g, cnn_logits(g)); }
static NnId cnn_output(NnGraph *g) { return nn_linearised_output(g, cnn_logits(g)); }

/* Two steps of time, everything that the language model needs: tied table, DropConnect shared by W and U,
 * penalties. */
static NnId lstm_hidden(NnGraph *g, NnId rates, NnId delta, NnId table, const NnResponse *embedded) {
  enum { T = 3, N = 4 };
  NnId x = nn_dropout(g, nn_embedding(g, nn_input(g, "token:5", NN_SHAPE(T)), table, embedded), rates, 0,
                      NN_DROP_SEQUENCE);
  const NnResponse inputs = response(g, "ih", delta, NN_SHAPE(4 * N, N), 4 * N, 4 * N);
  x = nn_linear(g, x, named(g, "ih", "W", NN_GENERAL, NN_SHAPE(4 * N, N)),
                named(g, "ih", "b", NN_GENERAL, NN_SHAPE(4 * N)), &inputs);
  NnResponse recurrent = response(g, "hh", delta, NN_SHAPE(4 * N, N), 4 * N, 0);
  const NnId W =
      nn_drop_connect(g, named(g, "hh", "W", NN_GENERAL, NN_SHAPE(4 * N, N)), rates, 1, 0, NN_NONE);
  recurrent.U = nn_drop_connect(g, recurrent.U, rates, 1, 0, W);
  NnId state = nn_input(g, "state", NN_SHAPE(2 * N)), out = NN_NONE;
  for (size_t t = 0; t < T; t++) {
    const NnId h = nn_slice(g, state, 0, 0, N);
    const NnId gates = nn_add(g, nn_reshape(g, nn_slice(g, x, 0, t, 1), NN_SHAPE(4 * N)),
                              nn_linear(g, h, W, NN_NONE, &recurrent));
    state = nn_lstm_cell(g, gates, state);
    const NnId row = nn_reshape(g, nn_slice(g, state, 0, 0, N), NN_SHAPE(1, N));
    out = t ? nn_concat(g, out, row, 0) : row;
  }
  return out;
}

static NnId lstm(NnGraph *g) {
  const NnId rates = nn_input(g, "rates", NN_SHAPE(H)), delta = nn_input(g, "delta", NN_SHAPE(H));
  const NnId table = named(g, "table", "W", NN_GENERAL, NN_SHAPE(5, 4));
  const NnResponse embedded = response(g, "table", delta, NN_SHAPE(5, 4), 4, 0);
  const NnId h = lstm_hidden(g, rates, delta, table, &embedded);
  NnResponse tied = response(g, "decoder", delta, NN_SHAPE(5, 4), 4, 5);
  tied.U = embedded.U, tied.V = embedded.V;
  const NnId bias = named(g, "decoder", "b", NN_GENERAL, NN_SHAPE(5));
  const NnId logits = nn_linear_columns(g, nn_dropout(g, h, rates, 2, NN_DROP_SEQUENCE), table, bias, &tied);
  const NnId labels = nn_input(g, "label:5", NN_SHAPE(3)), read = nn_linearised_output(g, h);
  NnId total = nn_mean(g, nn_cross_entropy(g, nn_linearised_output(g, logits), labels));
  total = nn_add(g, total, nn_ar_penalty(g, read, rates, 0));
  total = nn_add(g, total, nn_tar_penalty(g, read, rates, 1));
  const NnResponse biases = {.delta = delta, .U = tied.u, .V = tied.C};
  return nn_add(g, total, nn_l2_penalty(g, bias, rates, 1, &biases));
}

static const NnCase cases[] = {
    {"MLP, plain", mlp, NN_RESPONSE_OFF, 1, 0, 5},
    {"MLP, full", mlp, NN_RESPONSE_FULL, 1, 0, 5},
    {"MLP, linearised", mlp, NN_RESPONSE_LINEARISED, 1, 0, 5},
    {"MLP, validation", tuned, NN_RESPONSE_FULL, 0, 1, 5},
    {"CNN, plain", cnn, NN_RESPONSE_OFF, 1, 0, 4},
    {"CNN, full", cnn, NN_RESPONSE_FULL, 1, 0, 4},
    {"CNN, linearised", cnn, NN_RESPONSE_LINEARISED, 1, 0, 4},
    {"CNN, evaluation", cnn, NN_RESPONSE_FULL, 0, 0, 4},
    {"LSTM, plain", lstm, NN_RESPONSE_OFF, 1, 0, 3},
    {"LSTM, full", lstm, NN_RESPONSE_FULL, 1, 0, 3},
    {"LSTM, linearised", lstm, NN_RESPONSE_LINEARISED, 1, 0, 3},
};

static void gradients(void) {
#ifdef NN_DOUBLE
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) nn_check_case(&cases[i]);
#else
  /* Steps that single precision can tell from rounding go over the kinks of a network; its smooth parts
   * remain. */
  nn_check_case(&cases[8]);
  nn_check_case(&cases[9]);
  nn_check_case(&cases[10]);
#endif
}

/* y0 + J δ of a linearised run against differences of the full network around δ = 0. */
static void linearised(NnId (*build)(NnGraph *g), const char *name) {
  enum { BATCH = 4 };
  const double step = NN_TOLERANCE(1e-3, 1e-5);
  BtContext ctx;
  NnGraph *g;
  NnBackend *backend = nn_test_backend(2);
  NnReal delta[BATCH * H], moved[BATCH * H], y[4][BATCH * 4];
  NnRun run = {.batch = BATCH, .seed = 1, .step = 2, .training = 1, .keep_statistics = 1};
  bt_context_init(&ctx);
  BT_NEED(backend);
  BT_CHECK_STATUS(nn_graph_create(&ctx, backend, BATCH, &g), BT_OK, &ctx);
  const NnId out = build(g), id = nn_graph_find(g, "delta");
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  nn_fill_leaves(g, 3);
  BT_CHECK_STATUS(nn_graph_get(&ctx, g, id, delta, BATCH * H), BT_OK, &ctx);
  for (int k = 0; k < 4; k++) { /* F(0), F(h δ), F(−h δ), linearised at δ */
    const double h = k == 3 ? 1 : k == 2 ? -step : k * step;
    for (size_t i = 0; i < BATCH * H; i++) moved[i] = (NnReal)(h * (double)delta[i]);
    run.response = k == 3 ? NN_RESPONSE_LINEARISED : NN_RESPONSE_FULL;
    BT_CHECK_STATUS(nn_graph_set(&ctx, g, id, moved, BATCH * H), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &run), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_get(&ctx, g, out, y[k], BATCH * 4), BT_OK, &ctx);
  }
  double change = 0;
  for (size_t i = 0; i < BATCH * 4; i++) {
    const double wanted = (double)y[0][i] + ((double)y[1][i] - (double)y[2][i]) / (2 * step);
    change = fmax(change, fabs(wanted - (double)y[0][i]));
    BT_CHECK_ROW(fabs((double)y[3][i] - wanted) <= NN_TOLERANCE(5e-3, 1e-6), "%s: %g, by differences %g",
                 name, (double)y[3][i], wanted);
  }
  BT_CHECK(change > 0.01);
  BT_CHECK_STATUS(nn_graph_backward(&ctx, g, NN_GENERAL), BT_ERR_ARG, &ctx);
  nn_graph_destroy(g);
  nn_backend_close(backend);
}

static void linearised_networks(void) {
  linearised(mlp_output, "MLP");
  linearised(cnn_output, "CNN");
}

static void parity(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) nn_check_parity(&cases[i]);
}

/* The last one compares the device with the CPU. */
static const BtTest tests[] = {{"gradients in every mode", gradients},
                               {"linearised outputs", linearised_networks},
                               {"every network as on the CPU", parity}};

int main(int argc, char **argv) { return nn_test_main(argc, argv, "networks", tests, argc > 1 ? 3 : 2); }

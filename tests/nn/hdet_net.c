#include "hdet_net.h"

#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "nn/ops.h"
#include "nn_check.h"

#define IN 5
#define HIDDEN 7
#define CLASSES 3

void hdet_net_open(HdetNet *net, const NnOptimizerOptions *optimizer) {
  const NnReal one[HIDDEN] = {1, 1, 1, 1, 1, 1, 1};
  bt_context_init(&net->ctx);
  net->backend = nn_test_backend(1);
  BT_CHECK_STATUS(nn_graph_create(&net->ctx, net->backend, HDET_BATCH, &net->graph), BT_OK, &net->ctx);
  NnGraph *g = net->graph;
  net->x = nn_input(g, "x", NN_SHAPE(IN));
  net->label = nn_input(g, "label:3", NN_SHAPE(1));
  net->rate = nn_constant(g, "rate", NN_SHAPE(1));
  const NnId W1 = nn_parameter(g, "W1", NN_GENERAL, NN_SHAPE(HIDDEN, IN)),
             gamma = nn_parameter(g, "gamma", NN_GENERAL, NN_SHAPE(HIDDEN)),
             beta = nn_parameter(g, "beta", NN_GENERAL, NN_SHAPE(HIDDEN)),
             W2 = nn_parameter(g, "W2", NN_GENERAL, NN_SHAPE(CLASSES, HIDDEN)),
             b2 = nn_parameter(g, "b2", NN_GENERAL, NN_SHAPE(CLASSES)),
             mean = nn_parameter(g, "mean", NN_BUFFER, NN_SHAPE(HIDDEN)),
             variance = nn_parameter(g, "variance", NN_BUFFER, NN_SHAPE(HIDDEN));
  NnId h = nn_batch_norm(g, nn_linear(g, net->x, W1, NN_NONE, NULL), gamma, beta, mean, variance, 0.1, 1e-5);
  h = nn_dropout(g, nn_unary(g, NN_TANH, h), net->rate, 0, NN_DROP_ELEMENTS);
  net->loss = nn_mean(g, nn_cross_entropy(g, nn_linear(g, h, W2, b2, NULL), net->label));
  BT_CHECK_STATUS(nn_graph_close(&net->ctx, g), BT_OK, &net->ctx);
  nn_fill_leaves(g, 3);
  BT_CHECK_STATUS(nn_graph_set(&net->ctx, g, gamma, one, HIDDEN), BT_OK, &net->ctx);
  BT_CHECK_STATUS(nn_optimizer_create(&net->ctx, optimizer, g, NN_GENERAL, &net->optimizer), BT_OK,
                  &net->ctx);
  (void)nn_graph_group_values(g, NN_GENERAL, &net->count);
}

void hdet_net_close(HdetNet *net) {
  nn_optimizer_destroy(net->optimizer);
  nn_graph_destroy(net->graph);
  nn_backend_close(net->backend);
}

static void feed(HdetNet *net, uint64_t draw, double dropout) {
  NnReal x[HDET_BATCH * IN], label[HDET_BATCH];
  const NnReal rate = (NnReal)dropout;
  for (size_t i = 0; i < HDET_BATCH * IN; i++) x[i] = (NnReal)bt_rng_normal(2, draw, i);
  for (size_t i = 0; i < HDET_BATCH; i++) label[i] = (NnReal)((x[i * IN] > 0) + (x[i * IN + 1] > 0));
  BT_CHECK_STATUS(nn_graph_set(&net->ctx, net->graph, net->x, x, HDET_BATCH * IN), BT_OK, &net->ctx);
  BT_CHECK_STATUS(nn_graph_set(&net->ctx, net->graph, net->label, label, HDET_BATCH), BT_OK, &net->ctx);
  BT_CHECK_STATUS(nn_graph_set(&net->ctx, net->graph, net->rate, &rate, 1), BT_OK, &net->ctx);
}

static double forward(HdetNet *net, const NnRun *run) {
  NnReal loss;
  BT_CHECK_STATUS(nn_graph_forward(&net->ctx, net->graph, run), BT_OK, &net->ctx);
  BT_CHECK_STATUS(nn_graph_get(&net->ctx, net->graph, net->loss, &loss, 1), BT_OK, &net->ctx);
  return (double)loss;
}

double hdet_net_gradient(HdetNet *net, uint64_t draw, double dropout) {
  feed(net, draw, dropout);
  const double loss = forward(net, &(NnRun){.batch = HDET_BATCH, .seed = 1, .step = draw, .training = 1});
  BT_CHECK_STATUS(nn_graph_gradient(&net->ctx, net->graph, net->loss, NN_GENERAL), BT_OK, &net->ctx);
  return loss;
}

BtStatus hdet_net_judge(void *user, BtContext *ctx, NnHdet *hdet, double *loss) {
  HdetNet *net = user;
  (void)ctx;
  feed(net, 1000000 + (uint64_t)nn_hdet_syncs(hdet), 0);
  *loss = forward(net, &(NnRun){.batch = HDET_BATCH});
  return BT_OK;
}

BtStatus hdet_net_train(HdetNet *net, NnHdet *hdet, int hypers, int64_t until) {
  BtStatus st = BT_OK;
  while (st >= 0 && !nn_hdet_done(hdet) && (until == 0 || nn_hdet_syncs(hdet) < until)) {
    const double dropout = hypers > 1 ? nn_hdet_value(hdet, 1) : 0.2;
    st = nn_hdet_step(&net->ctx, hdet, hdet_net_gradient(net, nn_hdet_draw(hdet), dropout));
  }
  return st;
}

size_t hdet_net_state(HdetNet *net, NnReal *to, size_t most) {
  size_t at = 0, count;
  const NnReal *part[4];
  size_t size[4];
  part[0] = nn_graph_group_values(net->graph, NN_GENERAL, &size[0]);
  part[1] = nn_graph_group_values(net->graph, NN_BUFFER, &size[1]);
  for (int i = 0; i < 2; i++) {
    part[2 + i] = nn_optimizer_state(net->optimizer, i, &count);
    size[2 + i] = part[2 + i] ? count : 0;
  }
  for (int i = 0; i < 4; i++) {
    if (!BT_CHECK(at + size[i] <= most)) return 0;
    if (size[i] > 0)
      BT_CHECK_STATUS(net->backend->download(&net->ctx, net->backend, to + at, part[i], size[i] * sizeof *to),
                      BT_OK, &net->ctx);
    at += size[i];
  }
  return at;
}

NnHdetHyper hdet_dropout(void) {
  return (NnHdetHyper){.name = "dropout",
                       .role = NN_HDET_OTHER,
                       .space = {NN_SPREAD_LOGIT, 0, 0.9},
                       .initial = 0.2,
                       .spread = 0.5,
                       .steered = 1};
}

void hdet_told_open(HdetTold *t, const NnHdetOptions *o) {
  const NnOptimizerOptions optimizer = {.kind = NN_SGD};
  bt_team_self(&t->team);
  hdet_net_open(&t->net, &optimizer);
  BT_CHECK_STATUS(nn_hdet_create(&t->net.ctx, o, &t->team, t->net.graph, t->net.optimizer, &t->hdet), BT_OK,
                  &t->net.ctx);
  (void)hdet_net_gradient(&t->net, 0, 0.2);
}

void hdet_told_close(HdetTold *t) {
  nn_hdet_destroy(t->hdet);
  hdet_net_close(&t->net);
}

NnHdetOptions hdet_constant_rate(int replicas, int64_t total, int64_t sync) {
  NnHdetOptions o = nn_hdet_defaults(replicas, total, sync, 1e-3);
  o.schedule = (NnSchedule){.kind = NN_SCHEDULE_CONSTANT, .rate = 1e-3};
  o.steer_from = 0;
  o.floor = 0; /* γ = 0 */
  return o;
}

/* A training loop of one's own with hyperparameter-divergent ensembles in place of a learning rate schedule.
 *
 * Eight replicas of a small network learn which half of a ring a point is in; the first guess of the learning
 * rate is ten times too low. Build: cc hdet.c $(pkg-config --cflags --libs bitune) */
#include <math.h>
#include <stdio.h>

#include "core/rng.h"
#include "nn/hdet.h"
#include "nn/initial.h"
#include "nn/ops.h"

#define BATCH 32
#define REPLICAS 8
#define STEPS 1000 /* of each replica */
#define SYNC 10

/* Batch number `draw`: the same for everybody who asks. */
static void make_batch(uint64_t draw, float x[BATCH * 2], float label[BATCH]) {
  for (uint64_t i = 0; i < BATCH; i++) {
    const double angle = 6.283185307179586 * bt_rng_uniform(1, draw, 2 * i);
    const double radius = 1 + 0.3 * bt_rng_uniform(1, draw, 2 * i + 1);
    x[2 * i] = (float)(radius * cos(angle));
    x[2 * i + 1] = (float)(radius * sin(angle));
    label[i] = (float)(sin(2 * angle) > 0);
  }
}

static NnId dense(NnGraph *g, const char *W, const char *b, NnId x, size_t in, size_t out) {
  return nn_linear(g, x, nn_parameter(g, W, NN_GENERAL, NN_SHAPE(out, in)),
                   nn_parameter(g, b, NN_GENERAL, NN_SHAPE(out)), NULL);
}

int main(void) {
  BtContext ctx;
  BtTeam team;
  NnBackend *backend = NULL;
  NnGraph *g = NULL;
  NnOptimizer *optimizer = NULL;
  NnHdet *hdet = NULL;
  BtStatus st;
  float x[BATCH * 2], label[BATCH], loss, first = 0, mean = 0;
  bt_context_init(&ctx);
  bt_team_self(&team); /* or bt_team_fork, bt_team_mpi: the result is the same */

  BT_TRY(nn_backend_open(&ctx, "cpu", 1, &backend));
  BT_TRY(nn_graph_create(&ctx, backend, BATCH, &g));
  const NnId input = nn_input(g, "x", NN_SHAPE(2)), target = nn_input(g, "label", NN_SHAPE(1));
  const NnId hidden = nn_unary(g, NN_TANH, dense(g, "W1", "b1", input, 2, 32));
  const NnId output = nn_mean(g, nn_cross_entropy(g, dense(g, "W2", "b2", hidden, 32, 2), target));
  BT_TRY(nn_graph_close(&ctx, g));
  BT_TRY(nn_initial_uniform(&ctx, g, nn_graph_find(g, "W1"), 1, 1));
  BT_TRY(nn_initial_uniform(&ctx, g, nn_graph_find(g, "W2"), 1, 0.2));
  const NnOptimizerOptions adam = nn_optimizer_defaults(NN_ADAM);
  BT_TRY(nn_optimizer_create(&ctx, &adam, g, NN_GENERAL, &optimizer));

  NnHdetOptions options = nn_hdet_defaults(REPLICAS, STEPS, SYNC, 1e-3);
  options.schedule.kind = NN_SCHEDULE_CONSTANT;
  options.steer_from = 0;        /* the losses steer from the first sync on       */
  options.floor = 0;             /* alone: the rate does not decay by itself      */
  options.hyper[0].spread = 0.8; /* rates of replicas: 0.2 … 1.8 times the base    */
  BT_TRY(nn_hdet_create(&ctx, &options, &team, g, optimizer, &hdet));
  while (!nn_hdet_done(hdet)) {
    const NnRun run = {.batch = BATCH, .seed = 1, .step = nn_hdet_draw(hdet), .training = 1};
    make_batch(nn_hdet_draw(hdet), x, label);
    BT_TRY(nn_graph_set(&ctx, g, input, x, BATCH * 2));
    BT_TRY(nn_graph_set(&ctx, g, target, label, BATCH));
    BT_TRY(nn_graph_forward(&ctx, g, &run));
    BT_TRY(nn_graph_get(&ctx, g, output, &loss, 1));
    BT_TRY(nn_graph_gradient(&ctx, g, output, NN_GENERAL));
    if (nn_hdet_at(hdet) == 0 && nn_hdet_replica(hdet) == 0) first = loss;
    mean += 0.01f * (loss - mean);
    const int64_t syncs = nn_hdet_syncs(hdet);
    BT_TRY(nn_hdet_step(&ctx, hdet, (double)loss));
    if (nn_hdet_syncs(hdet) > syncs && nn_hdet_syncs(hdet) % 10 == 0)
      printf("step %4lld: rate %.2e, loss %.3f\n", (long long)nn_hdet_at(hdet), nn_hdet_base(hdet, 0),
             (double)mean);
  }

done:
  if (st < 0) fprintf(stderr, "%s\n", ctx.error);
  nn_hdet_destroy(hdet);
  nn_optimizer_destroy(optimizer);
  nn_graph_destroy(g);
  nn_backend_close(backend);
  return st < 0 || !(mean < 0.3f * first);
}

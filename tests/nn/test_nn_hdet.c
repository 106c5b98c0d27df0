/* Ensembles on one process: against plain and data-parallel training written out, what is averaged, what is
 * dropped, how often is communicated. */
#include "nn/hdet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "hdet_net.h"
#include "nn_check.h"

#define STATE 4096 /* numbers of the network's state at most */
#define RATE 0.05

static NnOptimizerOptions adam(void) { return nn_optimizer_defaults(NN_ADAM); }

static NnOptimizerOptions momentum(void) {
  NnOptimizerOptions o = nn_optimizer_defaults(NN_SGD);
  o.momentum = 0.9;
  o.decay = 1e-3;
  return o;
}

/* A new ensemble, trained to its end; its state. */
static size_t train(const NnHdetOptions *o, const NnOptimizerOptions *optimizer, NnReal *state) {
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
  bt_team_self(&team);
  hdet_net_open(&net, optimizer);
  BT_CHECK_STATUS(nn_hdet_create(&net.ctx, o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
  BT_CHECK_STATUS(hdet_net_train(&net, hdet, o->hypers, 0), BT_OK, &net.ctx);
  const size_t n = hdet_net_state(&net, state, STATE);
  nn_hdet_destroy(hdet);
  hdet_net_close(&net);
  return n;
}

/* Data-parallel training: one set of weights, the average gradient of n shards. */
static void data_parallel(int n, int64_t total, const NnSchedule *schedule,
                          const NnOptimizerOptions *optimizer, NnReal *weights, size_t *count) {
  HdetNet net;
  size_t m;
  hdet_net_open(&net, optimizer);
  NnReal *on_device = nn_graph_group_adjoints(net.graph, NN_GENERAL, &m),
         *gradient = malloc(m * sizeof *gradient);
  double *sum = malloc(m * sizeof *sum);
  if (!gradient || !sum) abort();
  for (int64_t step = 0; step < total; step++) {
    for (size_t i = 0; i < m; i++) sum[i] = -0.0;
    for (int r = 0; r < n; r++) {
      (void)hdet_net_gradient(&net, (uint64_t)(step * n + r), 0.2);
      BT_CHECK_STATUS(net.backend->download(&net.ctx, net.backend, gradient, on_device, m * sizeof *gradient),
                      BT_OK, &net.ctx);
      for (size_t i = 0; i < m; i++) sum[i] += (double)gradient[i];
    }
    for (size_t i = 0; i < m; i++) gradient[i] = (NnReal)(sum[i] / n);
    BT_CHECK_STATUS(net.backend->upload(&net.ctx, net.backend, on_device, gradient, m * sizeof *gradient),
                    BT_OK, &net.ctx);
    BT_CHECK_STATUS(nn_optimizer_step(&net.ctx, net.optimizer, nn_schedule_rate(schedule, step), NULL), BT_OK,
                    &net.ctx);
  }
  BT_CHECK_STATUS(
      net.backend->download(&net.ctx, net.backend, weights,
                            nn_graph_group_values(net.graph, NN_GENERAL, count), m * sizeof *weights),
      BT_OK, &net.ctx);
  free(gradient), free(sum);
  hdet_net_close(&net);
}

static void no_spread_is_data_parallel(void) {
  const NnOptimizerOptions optimizers[] = {adam(), momentum()};
  static NnReal state[STATE], wanted[STATE];
  /* The sum of equal numbers is exact; in double precision only for powers of two. */
  for (int n = 1; n <= 4; n += 1 + (n > 1 && sizeof(NnReal) == sizeof(double)))
    for (int k = 0; k < 2; k++) {
      size_t count;
      NnHdetOptions o = nn_hdet_defaults(n, 23, 5, RATE);
      o.gradients = NN_HDET_SHARED;
      o.hyper[0].spread = 0;
      o.hyper[0].steered = 0;
      BT_CHECK(train(&o, &optimizers[k], state) > 0);
      data_parallel(n, 23, &o.schedule, &optimizers[k], wanted, &count);
      BT_CHECK_ROW(memcmp(state, wanted, count * sizeof *state) == 0, "%d replicas, optimizer %d", n, k);
    }
}

/* One replica: plain training, whatever the spread and in both gradient modes. */
static void one_replica_is_plain(void) {
  const NnOptimizerOptions optimizer = adam();
  static NnReal state[STATE], wanted[STATE];
  for (int shared = 0; shared < 2; shared++) {
    NnHdetOptions o = nn_hdet_defaults(1, 20, 4, RATE);
    size_t count;
    o.gradients = shared ? NN_HDET_SHARED : NN_HDET_LOCAL;
    o.hyper[0].steered = 0;
    BT_CHECK(train(&o, &optimizer, state) > 0);
    data_parallel(1, 20, &o.schedule, &optimizer, wanted, &count);
    BT_CHECK_ROW(memcmp(state, wanted, count * sizeof *state) == 0, "shared %d", shared);
  }
}

#define N 4

/* What the observers below see. */
typedef struct {
  HdetNet *net;
  NnReal end[N][STATE]; /* of each replica's block */
  size_t count;
  double base, next, gamma, loss[N], weight[N], value[N];
  int kept[N], valid, steered, retreats, syncs;
} Seen;

/* The mean training loss, as without a judge; keeps the state that the replica ends with. */
static BtStatus keep_state(void *user, BtContext *ctx, NnHdet *hdet, double *loss) {
  Seen *seen = user;
  (void)ctx, (void)loss;
  seen->count = hdet_net_state(seen->net, seen->end[nn_hdet_replica(hdet)], STATE);
  return BT_OK;
}

static void keep_sync(void *user, const NnHdetSync *sync) {
  Seen *seen = user;
  seen->syncs++;
  seen->base = sync->before[0], seen->next = sync->after[0], seen->gamma = sync->gamma;
  seen->valid = sync->valid, seen->steered = sync->steered, seen->retreats += sync->retreat;
  for (int r = 0; r < sync->replicas && r < N; r++) {
    seen->loss[r] = sync->loss[r], seen->weight[r] = sync->weight[r], seen->kept[r] = sync->kept[r];
    seen->value[r] = sync->value[r];
  }
}

/* At the start of each block all replicas have the same state: the average of those that ended the one
 * before. */
static void replicas_start_alike(void) {
  const NnOptimizerOptions optimizers[] = {momentum(), adam()};
  static NnReal first[STATE], state[STATE];
  static Seen seen;
  for (int k = 0; k < 4; k++) {
    NnHdetOptions o = nn_hdet_defaults(N, 13, 3, RATE);
    HdetNet net;
    NnHdet *hdet;
    BtTeam team;
    int starts = 0, spread = 0;
    seen = (Seen){.net = &net};
    o.gradients = k / 2 ? NN_HDET_SHARED : NN_HDET_LOCAL;
    o.judge = keep_state;
    o.user = &seen;
    bt_team_self(&team);
    hdet_net_open(&net, &optimizers[k % 2]);
    BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
    while (!nn_hdet_done(hdet)) {
      const int r = nn_hdet_replica(hdet);
      if (nn_hdet_at(hdet) % 3 == 0) {
        starts++;
        const size_t n = hdet_net_state(&net, state, STATE);
        if (r == 0) memcpy(first, state, n * sizeof *first);
        /* With shared gradients the optimizer's state is not loaded before the step, but it is averaged. */
        BT_CHECK_ROW(memcmp(first, state, (k / 2 ? net.count : n) * sizeof *first) == 0,
                     "case %d, replica %d", k, r);
        for (size_t i = 0; i < n && r == 0 && starts > 1; i++) {
          double sum = -0.0;
          for (int q = 0; q < N; q++) sum += (double)seen.end[q][i];
          if (!BT_CHECK_ROW(state[i] == (NnReal)(sum / N), "case %d, number %zu", k, i)) break;
          spread += seen.end[0][i] != seen.end[1][i];
        }
      }
      const double loss = hdet_net_gradient(&net, nn_hdet_draw(hdet), 0.2);
      BT_CHECK_STATUS(nn_hdet_step(&net.ctx, hdet, loss), BT_OK, &net.ctx);
    }
    BT_CHECK_ROW(starts == 5 * N && spread > 100, "%d starts, %d numbers apart", starts, spread);
    BT_CHECK(nn_optimizer_steps(net.optimizer) == 13);
    nn_hdet_destroy(hdet);
    hdet_net_close(&net);
  }
}

static int calls;
static BtStatus (*real_sum_items)(BtTeam *, BtContext *, const BtTeamItems *, double *);

static BtStatus count_call(BtTeam *team, BtContext *ctx, const BtTeamItems *items, double *total) {
  calls++;
  return real_sum_items(team, ctx, items, total);
}

static BtStatus forbidden_sum(BtTeam *team, BtContext *ctx, double *buffer, size_t n) {
  (void)team, (void)buffer, (void)n;
  calls += 1000;
  return bt_fail(ctx, BT_ERR_TEAM, "no other collective is expected");
}

static void one_collective_a_sync(void) {
  const NnOptimizerOptions optimizer = adam();
  for (int k = 0; k < 3; k++) {
    NnHdetOptions o = nn_hdet_defaults(3, 22, 5, RATE);
    HdetNet net;
    NnHdet *hdet;
    BtTeam team;
    if (k == 1) o.gradients = NN_HDET_SHARED;
    if (k == 2) o.converge = NN_HDET_COPY;
    bt_team_self(&team);
    real_sum_items = team.sum_items;
    team.sum_items = count_call;
    team.sum = forbidden_sum;
    calls = 0;
    hdet_net_open(&net, &optimizer);
    BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
    BT_CHECK_STATUS(hdet_net_train(&net, hdet, 1, 0), BT_OK, &net.ctx);
    BT_CHECK(nn_hdet_syncs(hdet) == 5);
    BT_CHECK(nn_hdet_collectives(hdet) == (k == 2 ? 10 : 5));
    BT_CHECK(nn_hdet_gradient_collectives(hdet) == (k == 1 ? 22 : 0));
    BT_CHECK(calls == nn_hdet_collectives(hdet) + nn_hdet_gradient_collectives(hdet));
    nn_hdet_destroy(hdet);
    hdet_net_close(&net);
  }
}

static int count_warnings(void *user, const BtEvent *event) {
  int *count = user;
  *count += event->type == BT_EVENT_WARNING;
  return 0;
}

/* What makes replica 2 fail in the block of steps 3 … 5. */
enum { BAD_LOSS, BAD_WEIGHT, BAD_WAYS };

/* It is left out of the vote and of the average, and goes on from there. */
static void drops_a_replica(void) {
  const NnOptimizerOptions optimizer = momentum();
  static NnReal state[STATE];
  static Seen seen;
  for (int k = 0; k < 2 * BAD_WAYS; k++) {
    const int way = k % BAD_WAYS, shared = k / BAD_WAYS;
    NnHdetOptions o = nn_hdet_defaults(N, 12, 3, RATE);
    HdetNet net;
    NnHdet *hdet;
    BtTeam team;
    int warnings = 0;
    seen = (Seen){.net = &net};
    o.steer_from = 0;
    o.gradients = shared ? NN_HDET_SHARED : NN_HDET_LOCAL;
    o.judge = keep_state, o.observe = keep_sync;
    o.user = &seen;
    bt_team_self(&team);
    hdet_net_open(&net, &optimizer);
    BT_CHECK_STATUS(bt_context_observe(&net.ctx, count_warnings, &warnings), BT_OK, &net.ctx);
    BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
    while (!nn_hdet_done(hdet)) {
      const int bad = nn_hdet_replica(hdet) == 2 && nn_hdet_at(hdet) == 4;
      const int syncs = seen.syncs;
      double loss = hdet_net_gradient(&net, nn_hdet_draw(hdet), 0.2);
      if (bad && way == BAD_LOSS) loss = NAN;
      if (bad && way == BAD_WEIGHT) {
        const NnReal huge = (NnReal)INFINITY;
        size_t m;
        BT_CHECK_STATUS(
            net.backend->upload(&net.ctx, net.backend, nn_graph_group_adjoints(net.graph, NN_GENERAL, &m),
                                &huge, sizeof huge),
            BT_OK, &net.ctx);
      }
      BT_CHECK_STATUS(nn_hdet_step(&net.ctx, hdet, loss), BT_OK, &net.ctx);
      if (seen.syncs == syncs) continue;
      BT_CHECK(seen.valid == (seen.syncs == 2 ? N - 1 : N));
      BT_CHECK(seen.kept[2] == (seen.syncs != 2));
      BT_CHECK((seen.weight[2] == 0) == (seen.syncs == 2));
      const size_t n = hdet_net_state(&net, state, STATE);
      for (size_t i = 0; i < n && seen.syncs == 2; i++) {
        double sum = -0.0;
        for (int r = 0; r < N; r++)
          if (r != 2) sum += (double)seen.end[r][i];
        if (!BT_CHECK_ROW(state[i] == (NnReal)(sum / (N - 1)), "case %d, number %zu", k, i)) break;
      }
    }
    BT_CHECK_ROW(warnings == 1, "case %d: %d warnings", k, warnings);
    nn_hdet_destroy(hdet);
    hdet_net_close(&net);
  }
}

/* All fail once: back to the average with half the rate. They never recover: an error in the end. */
static void all_fail(void) {
  for (int k = 0; k < 4; k++) {
    const int forever = k % 2;
    NnHdetOptions o = hdet_constant_rate(2, 200, 2);
    static NnReal before[STATE], after[STATE];
    static Seen seen;
    HdetTold t;
    BtStatus st = BT_OK;
    seen = (Seen){.net = NULL};
    o.gradients = k / 2 ? NN_HDET_SHARED : NN_HDET_LOCAL;
    o.observe = keep_sync, o.user = &seen;
    hdet_told_open(&t, &o);
    while (nn_hdet_syncs(t.hdet) < 2) BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
    const size_t n = hdet_net_state(&t.net, before, STATE);
    const double base = nn_hdet_base(t.hdet, 0);
    while (st >= 0 && nn_hdet_syncs(t.hdet) < (forever ? 100 : 3))
      st = nn_hdet_step(&t.net.ctx, t.hdet, INFINITY);
    if (forever) {
      BT_CHECK_STATUS(st, BT_ERR_NUMERIC, &t.net.ctx);
      BT_CHECK(nn_hdet_syncs(t.hdet) == 2 + NN_HDET_RETREATS);
      BT_CHECK(seen.retreats == NN_HDET_RETREATS && nn_hdet_failures(t.hdet) == NN_HDET_RETREATS);
    } else {
      BT_CHECK_STATUS(st, BT_OK, &t.net.ctx);
      BT_CHECK(hdet_net_state(&t.net, after, STATE) == n && memcmp(before, after, n * sizeof *after) == 0);
      BT_CHECK_NEAR(nn_hdet_base(t.hdet, 0), base / 2, 1e-15);
      BT_CHECK(seen.retreats == 1 && seen.valid == 0);
      while (!nn_hdet_done(t.hdet)) BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
      BT_CHECK(seen.retreats == 1);
    }
    hdet_told_close(&t);
  }
}

/* A run in which no block could be kept is an error at its end, of which all that is to be told is told
 * first; one good block is enough for a result, or one replica that is sound all the time. */
static void nothing_learned(void) {
  for (int k = 0; k < 12; k++) {
    const int n = k % 2 ? 2 : 1, good = k / 2 % 3, sound = good == 2 && n == 2;
    const int64_t blocks = 3;
    NnHdetOptions o = hdet_constant_rate(n, 2 * blocks, 2);
    static Seen seen;
    HdetTold t;
    BtStatus st = BT_OK;
    seen = (Seen){.net = NULL};
    o.gradients = k / 6 ? NN_HDET_SHARED : NN_HDET_LOCAL;
    o.observe = keep_sync, o.user = &seen;
    hdet_told_open(&t, &o);
    while (st >= 0 && !nn_hdet_done(t.hdet)) {
      const int fine = sound ? nn_hdet_replica(t.hdet) == 1 : nn_hdet_syncs(t.hdet) < good;
      st = nn_hdet_step(&t.net.ctx, t.hdet, fine ? 1 : (double)NAN);
    }
    const int64_t failures = sound ? 0 : blocks - good;
    BT_CHECK_STATUS(st, good ? BT_OK : BT_ERR_NUMERIC, &t.net.ctx);
    BT_CHECK(good || strstr(t.net.ctx.error, "nothing is learned") != NULL);
    BT_CHECK(nn_hdet_done(t.hdet) && seen.syncs == blocks && seen.retreats == failures);
    BT_CHECK(nn_hdet_failures(t.hdet) == failures &&
             nn_hdet_dropped(t.hdet) == (sound ? blocks : n * failures));
    hdet_told_close(&t);
  }
}

/* COPY: all go on with the best replica's state and value. */
static void copies_the_best(void) {
  NnHdetOptions o = hdet_constant_rate(N, 12, 3);
  const NnOptimizerOptions optimizer = momentum();
  static NnReal state[STATE];
  static Seen seen;
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
  seen = (Seen){.net = &net};
  o.converge = NN_HDET_COPY;
  o.floor = 1e-9;
  o.judge = keep_state, o.observe = keep_sync, o.user = &seen;
  bt_team_self(&team);
  hdet_net_open(&net, &optimizer);
  BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
  while (!nn_hdet_done(hdet)) {
    const int syncs = seen.syncs;
    BT_CHECK_STATUS(nn_hdet_step(&net.ctx, hdet, hdet_net_gradient(&net, nn_hdet_draw(hdet), 0.2)), BT_OK,
                    &net.ctx);
    if (seen.syncs == syncs) continue;
    int best = 0;
    for (int r = 1; r < N; r++)
      if (seen.loss[r] < seen.loss[best]) best = r;
    const size_t n = hdet_net_state(&net, state, STATE);
    BT_CHECK(memcmp(state, seen.end[best], n * sizeof *state) == 0);
    /* Its value as it was, but for the decay. */
    BT_CHECK_NEAR(seen.next / fmax(seen.value[best] * (1 - seen.gamma), o.floor), 1, 1e-12);
  }
  BT_CHECK(seen.syncs == 4);
  nn_hdet_destroy(hdet);
  hdet_net_close(&net);
}

/* Noise at the start: of the given size in each tensor, different for replicas, the same for a seed. */
static void noisy_start(void) {
  const NnOptimizerOptions optimizer = {.kind = NN_SGD};
  static NnReal plain[STATE], noisy[3][STATE];
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
  NnHdetOptions o = nn_hdet_defaults(2, 4, 2, RATE);
  bt_team_self(&team);
  o.noise = 0.01;
  for (int run = 0; run < 3; run += 2) {
    hdet_net_open(&net, &optimizer);
    (void)hdet_net_state(&net, plain, STATE);
    BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
    BT_CHECK(!nn_hdet_converged(hdet));
    for (int i = 0; i < 4 && nn_hdet_syncs(hdet) == 0; i++) {
      if (i % 2 == 0) (void)hdet_net_state(&net, noisy[run ? 2 : i / 2], STATE);
      BT_CHECK_STATUS(nn_hdet_step(&net.ctx, hdet, hdet_net_gradient(&net, nn_hdet_draw(hdet), 0)), BT_OK,
                      &net.ctx);
      if (run && i == 0) break;
    }
    const NnId W = nn_graph_find(net.graph, "W1");
    const size_t d = nn_shape_size(nn_graph_shape(net.graph, W));
    double change = 0, norm = 0, apart = 0;
    for (size_t i = 0; i < d && run == 0; i++) {
      change += pow((double)(noisy[0][i] - plain[i]), 2);
      apart += pow((double)(noisy[0][i] - noisy[1][i]), 2);
      norm += pow((double)plain[i], 2);
    }
    /* The noise has norm ν‖θ‖ to within a few parts in sqrt(2·35). */
    if (run == 0) BT_CHECK_NEAR(sqrt(change / norm) / 0.01, 1, 0.4);
    if (run == 0) BT_CHECK_NEAR(sqrt(apart / norm) / 0.01, sqrt(2), 0.5);
    nn_hdet_destroy(hdet);
    hdet_net_close(&net);
  }
  BT_CHECK(memcmp(noisy[0], noisy[2], sizeof noisy[0]) == 0);
}

static void refusals(void) {
  const NnHdetOptions good = nn_hdet_defaults(4, 100, 10, RATE);
  NnHdetOptions o;
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
  const NnOptimizerOptions optimizer = adam();
  bt_team_self(&team);
  hdet_net_open(&net, &optimizer);
#define REFUSED(change, text)                                                                              \
  do {                                                                                                     \
    o = good;                                                                                              \
    change;                                                                                                \
    BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_ERR_ARG,      \
                    &net.ctx);                                                                             \
    BT_CHECK_ROW(hdet == NULL && strstr(net.ctx.error, text), "\"%s\" lacks \"%s\"", net.ctx.error, text); \
  } while (0)
  REFUSED(o.sync = 101, "never converge");
  REFUSED(o.total = o.schedule.total = 0, "total");
  REFUSED(o.total = 0, "must be given");
  REFUSED(o.sync = 0, "syncs");
  REFUSED(o.replicas = 0, "replicas");
  REFUSED(o.hyper[0].spread = 1, "below 1");
  REFUSED(o.hyper[0].spread = NAN, "spread");
  REFUSED(o.hyper[0].role = NN_HDET_OTHER; o.hyper[0].initial = 1, "no rate");
  REFUSED(o.hyper[0].space.spread = NN_SPREAD_FREE, "rate");
  REFUSED(o.hypers = 0, "hyperparameters");
  REFUSED(o.hypers = 2; o.hyper[1] = hdet_dropout(); o.hyper[1].initial = 0.95, "inside its range");
  REFUSED(o.hypers = 2; o.hyper[1] = o.hyper[0], "already");
  REFUSED(o.floor = -1, "floor");
  REFUSED(o.sigma = -1, "sigma");
  REFUSED(o.steering.beta = 1, "momentum");
  REFUSED(o.noise = NAN, "noise");
  REFUSED(o.steer_from = -1, "steering");
  REFUSED(o.schedule.rate = 0, "rate");
  team.size = 5;
  team.rank = 4;
  REFUSED((void)0, "at most one process a replica");
  team.size = 1;
  team.rank = 0;
  BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &good, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
  BT_CHECK_STATUS(hdet_net_train(&net, hdet, 1, 0), BT_OK, &net.ctx);
  BT_CHECK_STATUS(nn_hdet_step(&net.ctx, hdet, 1), BT_ERR_ARG, &net.ctx);
  nn_hdet_destroy(hdet);
  hdet_net_close(&net);
}

static const BtTest tests[] = {
    {"no spread is data-parallel training", no_spread_is_data_parallel},
    {"one replica is plain training", one_replica_is_plain},
    {"replicas start alike", replicas_start_alike},
    {"one collective a sync", one_collective_a_sync},
    {"drops a replica that is not finite", drops_a_replica},
    {"all fail", all_fail},
    {"nothing learned", nothing_learned},
    {"copies the best", copies_the_best},
    {"noisy start", noisy_start},
    {"refusals", refusals},
};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "nn hdet", tests, sizeof tests / sizeof *tests);
}

/* What steers an ensemble: votes of replicas and of mixtures, the schedule and its decay, the search for the
 * rate and the trial, values that reach the optimizer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "hdet_net.h"
#include "nn_check.h"

#define STATE 4096 /* numbers of the network's state at most */
#define RATE 0.05
#define N 8

/* The last sync. */
typedef struct {
  double next, gamma, value[N], weight[N], delta;
  int steered, retreat, searched, settled, syncs, mixed;
} Seen;

static void keep_sync(void *user, const NnHdetSync *sync) {
  Seen *seen = user;
  seen->syncs++;
  seen->next = sync->after[0], seen->gamma = sync->gamma;
  seen->steered = sync->steered, seen->retreat = sync->retreat;
  seen->searched = sync->searched, seen->settled = sync->settled, seen->mixed = sync->mixture != NULL;
  for (int r = 0; r < sync->replicas && r < N; r++)
    seen->value[r] = sync->value[r], seen->weight[r] = sync->weight[r];
}

/* Losses monotone in the rate move it to where they are lower, in either space; equal losses leave it. */
static void steers_the_right_way(void) {
  for (int k = 0; k < 6; k++) {
    const int way = k % 3 - 1; /* the loss rises, stays or falls with the rate */
    NnHdetOptions o = hdet_constant_rate(8, 60, 2);
    HdetTold t;
    o.hyper[0].space.spread = k < 3 ? NN_SPREAD_MULTIPLE : NN_SPREAD_LOG;
    hdet_told_open(&t, &o);
    double before = nn_hdet_base(t.hdet, 0);
    int moved = 0;
    while (!nn_hdet_done(t.hdet)) {
      const int64_t syncs = nn_hdet_syncs(t.hdet);
      BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 2 + way * nn_hdet_value(t.hdet, 0)), BT_OK,
                      &t.net.ctx);
      if (nn_hdet_syncs(t.hdet) == syncs) continue;
      const double base = nn_hdet_base(t.hdet, 0), change = base / before - 1;
      moved += way > 0 ? change < -1e-3 : way < 0 ? change > 1e-3 : fabs(change) < 1e-12;
      before = base;
    }
    BT_CHECK_ROW(moved == 30, "case %d: the rate moved rightly at %d of 30 syncs", k, moved);
    hdet_told_close(&t);
  }
}

/* Two hyperparameters and the rate at once, each towards its own best value. */
static void steers_several(void) {
  NnHdetOptions o = hdet_constant_rate(8, 600, 1);
  HdetTold t;
  o.hypers = 3;
  o.hyper[1] = hdet_dropout();
  o.hyper[2] = (NnHdetHyper){.name = "free",
                             .role = NN_HDET_OTHER,
                             .space = {NN_SPREAD_FREE, 0, 0},
                             .initial = 1,
                             .spread = 0.4,
                             .steered = 1};
  for (int i = 1; i < 3; i++) o.hyper[i].spread = 0.2;
  hdet_told_open(&t, &o);
  while (!nn_hdet_done(t.hdet)) {
    const double a = nn_hdet_value(t.hdet, 1) - 0.6, b = nn_hdet_value(t.hdet, 2) + 0.5;
    BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 20 * a * a + b * b), BT_OK, &t.net.ctx);
  }
  BT_CHECK_NEAR(nn_hdet_base(t.hdet, 1), 0.6, 0.05);
  BT_CHECK_NEAR(nn_hdet_base(t.hdet, 2), -0.5, 0.15);
  hdet_told_close(&t);
}

/* Without steering, and before it, the rate's base is the schedule; then γ takes it to the floor at the last
 * sync. */
static void follows_schedule_then_decays(void) {
  NnHdetOptions o = nn_hdet_defaults(2, 100, 5, RATE);
  HdetTold t;
  Seen seen = {0};
  o.floor = RATE / 50;
  o.observe = keep_sync;
  o.user = &seen;
  hdet_told_open(&t, &o);
  while (!nn_hdet_done(t.hdet)) {
    const int64_t step = nn_hdet_at(t.hdet);
    if (step < 30) BT_CHECK_NEAR(nn_hdet_base(t.hdet, 0), nn_schedule_rate(&o.schedule, step), 1e-15);
    BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
    BT_CHECK(seen.steered == (nn_hdet_syncs(t.hdet) >= 6));
  }
  /* 15 decays: after steps 30, 35, …, 100, from the schedule's rate in step 30. */
  const double start = nn_schedule_rate(&o.schedule, 30);
  BT_CHECK_NEAR(seen.gamma, 1 - pow(o.floor / start, 1.0 / 15), 1e-14);
  BT_CHECK_NEAR(seen.next, o.floor, 1e-15);
  BT_CHECK(seen.syncs == 20);
  hdet_told_close(&t);

  o.hyper[0].steered = 0;
  hdet_told_open(&t, &o);
  while (!nn_hdet_done(t.hdet)) {
    BT_CHECK_NEAR(nn_hdet_base(t.hdet, 0), nn_schedule_rate(&o.schedule, nn_hdet_at(t.hdet)), 1e-15);
    /* The spread acts all the same. */
    BT_CHECK_NEAR(fabs(nn_hdet_value(t.hdet, 0) / nn_hdet_base(t.hdet, 0) - 1), 1.0 / 9, 1e-12);
    BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
  }
  hdet_told_close(&t);
}

/* A loss with its least value at one rate. */
static double valley(double rate, double best) { return pow(log(rate / best), 2); }

/* From a thousand times too low and too high the search comes within its spread of the best rate; where the
 * best replica has one of the lowest rates, all go back to where they were. */
static void searches(void) {
  for (int k = 0; k < 4; k++) {
    const double best = k % 2 ? 1e-6 : 1;
    NnHdetOptions o = hdet_constant_rate(N, 60, 2);
    static NnReal start[STATE], state[STATE];
    Seen seen = {0};
    HdetTold t;
    o.gradients = k / 2 ? NN_HDET_SHARED : NN_HDET_LOCAL;
    o.hyper[0].space.spread = NN_SPREAD_LOG;
    o.search = (NnHdetSearch){5, log(10), 0, 0};
    o.observe = keep_sync, o.user = &seen;
    hdet_told_open(&t, &o);
    (void)hdet_net_state(&t.net, start, STATE);
    int searched = 0, back = 0;
    while (!nn_hdet_done(t.hdet) && (seen.syncs == 0 || seen.searched)) {
      const int syncs = seen.syncs;
      BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, valley(nn_hdet_value(t.hdet, 0), best)), BT_OK,
                      &t.net.ctx);
      if (seen.syncs == syncs || !seen.searched) continue;
      searched++, back += seen.retreat;
      (void)hdet_net_state(&t.net, state, STATE);
      /* Every block begins anew as long as rates are too high. */
      if (seen.retreat) BT_CHECK(memcmp(state, start, t.net.count * sizeof *state) == 0);
      if (seen.retreat) BT_CHECK(nn_optimizer_steps(t.net.optimizer) == 0);
      BT_CHECK(nn_hdet_collectives(t.hdet) == 2 * searched - back);
    }
    BT_CHECK_ROW(searched >= 3 && searched <= 5, "case %d: %d blocks of search", k, searched);
    BT_CHECK_ROW((back >= 2) == (k % 2), "case %d: %d times back", k, back);
    BT_CHECK(fabs(log(seen.next / best)) < log(10) + 1.1);
    hdet_told_close(&t);
  }
}

/* Weights are θ − (sum of rates)·g, since the gradient that is told never changes: so mixtures tell theirs.
 */
typedef struct {
  Seen seen; /* first, for keep_sync */
  HdetTold *told;
  NnReal start[STATE], g[STATE];
  double moved[2]; /* of the low, the high mixture */
  int calls;
  double way; /* losses rise with the rate, or fall */
} Mixtures;

static BtStatus judge(void *user, BtContext *ctx, NnHdet *hdet, double *loss) {
  Mixtures *m = user;
  static NnReal now[STATE];
  double product = 0, square = 0;
  (void)ctx, (void)hdet;
  (void)hdet_net_state(&m->told->net, now, STATE);
  for (size_t i = 0; i < m->told->net.count; i++) {
    product += (double)(m->start[i] - now[i]) * (double)m->g[i];
    square += (double)m->g[i] * (double)m->g[i];
  }
  m->moved[m->calls++ % 2] = product / square;
  *loss = m->way * product / square;
  return BT_OK;
}

/* Σ (1 ± s_r) x_r / Σ (1 ± s_r) by the replicas' values, whose logarithms have s_r as their place. */
static double mixed(const Seen *seen, double base, double alpha, int sign) {
  double sum = 0, all = 0;
  for (int r = 0; r < N; r++) {
    const double s = log(seen->value[r] / base) / alpha;
    sum += (1 + sign * s) * seen->value[r];
    all += 1 + sign * s;
  }
  return sum / all;
}

/* The mixtures are those of the formulas, of the iterates of the second half of the block, and the base moves
 * towards the better one by tanh(1)·α·mean s². */
static void mixtures_vote(void) {
  const double alpha = 0.8;
  for (int k = 0; k < 4; k++) {
    const int length = k % 2 ? 4 : 1;
    NnHdetOptions o = hdet_constant_rate(N, 3 * length, length);
    static Mixtures m;
    HdetTold t;
    m = (Mixtures){.told = &t, .way = k / 2 ? 1 : -1};
    o.hyper[0].space.spread = NN_SPREAD_LOG, o.hyper[0].spread = alpha;
    o.schedule.rate = RATE;
    o.voters = NN_HDET_MIXTURES, o.judge = judge, o.observe = keep_sync, o.user = &m;
    o.steering = (NnSteering){0, 1};
    o.gradients = k / 2 ? NN_HDET_SHARED : NN_HDET_LOCAL;
    hdet_told_open(&t, &o);
    (void)hdet_net_state(&t.net, m.start, STATE);
    size_t count;
    const NnReal *g = nn_graph_group_adjoints(t.net.graph, NN_GENERAL, &count);
    BT_CHECK_STATUS(t.net.backend->download(&t.net.ctx, t.net.backend, m.g, g, count * sizeof *g), BT_OK,
                    &t.net.ctx);
    while (m.seen.syncs < 1) BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
    const double steps = length == 1 ? 1 : 3.5, tolerance = sizeof(NnReal) == sizeof(float) ? 1e-4 : 1e-9;
    double square = 0, sum = 0;
    for (int i = 0; i < 2; i++)
      BT_CHECK_NEAR(m.moved[i] / (steps * mixed(&m.seen, RATE, alpha, 2 * i - 1)), 1, tolerance);
    for (int r = 0; r < N; r++) square += pow(2.0 * r / (N - 1) - 1, 2) / N, sum += m.seen.weight[r];
    BT_CHECK(m.calls == 2 && m.seen.mixed && nn_hdet_collectives(t.hdet) == 2);
    BT_CHECK_NEAR(sum, 1, 1e-14);
    BT_CHECK_NEAR(log(m.seen.next / RATE), -m.way * tanh(1) * alpha * square, 1e-6);
    hdet_told_close(&t);
  }
}

/* The rate settles on the mean of what the replicas had in the blocks that voted, and follows the schedule
 * from there on: with the weights it has, or, after a trial, anew from the first ones, over the steps that
 * are left. Of several trials, each begins so, and the rate is what they agree on. */
static void settles(void) {
  for (int trials = 0; trials < 4; trials++) {
    NnHdetOptions o = nn_hdet_defaults(N, 40, 2, RATE);
    static NnReal start[STATE], state[STATE];
    Seen seen = {0};
    HdetTold t;
    double sum = 0, found[4] = {0}, agreed = 0;
    int blocks = 0, ended = 0;
    o.steer_from = 2, o.floor = 0;
    o.hyper[0].space.spread = NN_SPREAD_LOG;
    o.search.settle = 20, o.search.trials = trials;
    o.observe = keep_sync, o.user = &seen;
    hdet_told_open(&t, &o);
    (void)hdet_net_state(&t.net, start, STATE);
    while (!seen.settled) {
      const int syncs = seen.syncs, wanted = trials > 0 ? trials : 1;
      BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, valley(nn_hdet_value(t.hdet, 0), 0.1)), BT_OK,
                      &t.net.ctx);
      if (seen.syncs == syncs) continue;
      for (int r = 0; r < N; r++) sum += seen.value[r] / N;
      blocks++;
      const int ends = nn_hdet_at(t.hdet) >= 20 * (ended + 1) / wanted;
      (void)hdet_net_state(&t.net, state, STATE);
      BT_CHECK((memcmp(state, start, t.net.count * sizeof *state) == 0) == (ends && trials > 0));
      BT_CHECK(nn_optimizer_steps(t.net.optimizer) == 0 || !ends || trials == 0);
      if (!ends) continue;
      found[ended++] = log(sum / blocks);
      agreed = nn_hdet_consensus(ended, found, o.hyper[0].spread);
      sum = blocks = 0;
      if (ended < wanted) BT_CHECK_NEAR(log(nn_hdet_base(t.hdet, 0)), agreed, 1e-12);
    }
    BT_CHECK(seen.syncs == 10 && ended == (trials > 0 ? trials : 1));
    BT_CHECK(nn_optimizer_steps(t.net.optimizer) == (trials > 0 ? 0 : 20));
    const double settled = exp(agreed);
    while (!nn_hdet_done(t.hdet)) {
      const int64_t at = nn_hdet_at(t.hdet), scheduled = trials > 0 ? 2 * (at - 20) : at;
      const double wanted = settled * nn_schedule_rate(&o.schedule, scheduled) / RATE;
      BT_CHECK_NEAR(nn_hdet_base(t.hdet, 0) / wanted, 1, 1e-12);
      BT_CHECK_NEAR(nn_hdet_value(t.hdet, 0) / wanted, 1, 1e-12);
      BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
    }
    BT_CHECK(seen.settled && !seen.steered);
    hdet_told_close(&t);
  }
}

/* A search that has not ended when the rate settles ends with it, on the best rate so far: replicas that do
 * not differ any more are averaged and follow the schedule. */
static void settles_while_searching(void) {
  for (int trials = 0; trials < 3; trials++) {
    NnHdetOptions o = nn_hdet_defaults(N, 40, 5, 1e-6);
    Seen seen = {0};
    HdetTold t;
    o.steer_from = 0, o.floor = 0;
    o.hyper[0].space.spread = NN_SPREAD_LOG;
    o.search = (NnHdetSearch){8, log(10), 8, trials};
    o.observe = keep_sync, o.user = &seen;
    hdet_told_open(&t, &o);
    while (!seen.settled)
      BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, -log(nn_hdet_value(t.hdet, 0))), BT_OK, &t.net.ctx);
    BT_CHECK(seen.searched && seen.syncs == 2);
    while (!nn_hdet_done(t.hdet)) {
      const int64_t at = nn_hdet_at(t.hdet), scheduled = trials > 0 ? (at - 10) * 40 / 30 : at;
      const double wanted = 1e-4 * nn_schedule_rate(&o.schedule, scheduled) / o.schedule.rate;
      BT_CHECK_NEAR(nn_hdet_base(t.hdet, 0) / wanted, 1, 1e-12);
      BT_CHECK_NEAR(nn_hdet_value(t.hdet, 0) / wanted, 1, 1e-12);
      BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, nn_hdet_replica(t.hdet)), BT_OK, &t.net.ctx);
      BT_CHECK(!seen.retreat && (seen.syncs == 2 || !seen.searched));
    }
    BT_CHECK(seen.syncs == 8 && nn_hdet_collectives(t.hdet) == 2 * 2 + 6);
    hdet_told_close(&t);
  }
}

/* A run that never came down to a rate at which the best replica is not among the lowest: what was seen is
 * told. */
static void searches_in_vain(void) {
  NnHdetOptions o = hdet_constant_rate(N, 12, 4);
  HdetTold t;
  BtStatus st = BT_OK;
  o.hyper[0].space.spread = NN_SPREAD_LOG;
  o.search = (NnHdetSearch){8, log(10), 0, 0};
  hdet_told_open(&t, &o);
  while (st >= 0 && !nn_hdet_done(t.hdet))
    st = nn_hdet_step(&t.net.ctx, t.hdet, valley(nn_hdet_value(t.hdet, 0), 1e-12));
  BT_CHECK_STATUS(st, BT_ERR_NUMERIC, &t.net.ctx);
  BT_CHECK_ROW(strstr(t.net.ctx.error, "in all 3 blocks") &&
                   strstr(t.net.ctx.error, "the last one 1e-06 with a loss of 190.9"),
               "%s", t.net.ctx.error);
  hdet_told_close(&t);
}

/* Losses of mixtures that lean to either side of the base by 0.4. */
static BtStatus judge_valley(void *user, BtContext *ctx, NnHdet *hdet, double *loss) {
  Mixtures *m = user;
  (void)ctx;
  *loss = valley(nn_hdet_base(hdet, 0) * exp(m->calls++ % 2 ? 0.4 : -0.4), 0.03);
  return BT_OK;
}

/* By mixtures the rate settles where their losses are the same, times what averages have moved with; in each
 * of several trials, from whichever side the votes come. */
static void mixtures_settle(void) {
  for (int k = 0; k < 4; k++) {
    const int trials = k % 2 ? 3 : 0;
    NnHdetOptions o = nn_hdet_defaults(N, 100, 1, k / 2 ? 0.1 : 0.01);
    static Mixtures m;
    HdetTold t;
    double lift = 0;
    m = (Mixtures){.told = &t};
    nn_hdet_find_rate(&o);
    o.schedule.kind = NN_SCHEDULE_CONSTANT;
    o.search.blocks = 0, o.search.settle = 30, o.search.trials = trials;
    o.judge = judge_valley, o.observe = keep_sync, o.user = &m;
    hdet_told_open(&t, &o);
    while (!m.seen.settled) BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
    for (int r = 0; r < N; r++) lift += exp(o.hyper[0].spread * (2.0 * r / (N - 1) - 1)) / N;
    BT_CHECK(m.seen.syncs == 30 && m.calls == 60);
    BT_CHECK_ROW(fabs(m.seen.next / (0.03 * lift) - 1) < 1e-5, "case %d: %g", k, m.seen.next / lift);
    while (!nn_hdet_done(t.hdet)) BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, 1), BT_OK, &t.net.ctx);
    BT_CHECK(m.calls == 60); /* nobody votes any more */
    hdet_told_close(&t);
  }
}

/* The whole of it, on losses that have no noise: the rate found is near the best. */
static void finds_the_rate(void) {
  for (int k = 0; k < 2; k++) {
    NnHdetOptions o = nn_hdet_defaults(N, 300, 1, k ? 1e-4 : 10);
    static Mixtures m;
    HdetTold t;
    m = (Mixtures){.told = &t, .way = -1};
    o.judge = judge, o.observe = keep_sync, o.user = &m;
    nn_hdet_find_rate(&o);
    o.voters = NN_HDET_REPLICAS, o.judge = NULL;
    hdet_told_open(&t, &o);
    while (!m.seen.settled)
      BT_CHECK_STATUS(nn_hdet_step(&t.net.ctx, t.hdet, valley(nn_hdet_value(t.hdet, 0), 0.03)), BT_OK,
                      &t.net.ctx);
    /* Settled on, over the last of the schedule's steps by its start: 1/25 of the peak. */
    BT_CHECK_ROW(fabs(log(m.seen.next * 25 / 0.03)) < 0.5, "case %d: %g", k, m.seen.next * 25);
    hdet_told_close(&t);
  }
}

/* Weight decay and momentum of each replica reach the optimizer. */
static void optimizer_values(void) {
  NnOptimizerOptions optimizer = nn_optimizer_defaults(NN_SGD);
  optimizer.momentum = 0.9, optimizer.decay = 1e-3;
  NnHdetOptions o = nn_hdet_defaults(3, 8, 4, RATE);
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
  o.hypers = 3;
  o.hyper[1] = (NnHdetHyper){.name = "decay",
                             .role = NN_HDET_DECAY,
                             .space = {NN_SPREAD_LOG, 0, 0},
                             .initial = 1e-3,
                             .spread = 1,
                             .steered = 1};
  o.hyper[2] = (NnHdetHyper){.name = "momentum",
                             .role = NN_HDET_MOMENTUM,
                             .space = {NN_SPREAD_LOGIT, 0, 1},
                             .initial = 0.9,
                             .spread = 0.5};
  bt_team_self(&team);
  hdet_net_open(&net, &optimizer);
  BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
  double least = 1, most = 0;
  while (!nn_hdet_done(hdet)) {
    const NnOptimizerOptions *now = nn_optimizer_options(net.optimizer);
    BT_CHECK_NEAR(now->decay, nn_hdet_value(hdet, 1), 0);
    BT_CHECK_NEAR(now->momentum, nn_hdet_value(hdet, 2), 0);
    least = fmin(least, now->decay), most = fmax(most, now->decay);
    BT_CHECK_STATUS(nn_hdet_step(&net.ctx, hdet, hdet_net_gradient(&net, nn_hdet_draw(hdet), 0)), BT_OK,
                    &net.ctx);
  }
  BT_CHECK(least < 1e-3 * exp(-0.9) && most > 1e-3 * exp(0.9));
  nn_hdet_destroy(hdet);
  hdet_net_close(&net);
}

static void refusals(void) {
  const NnOptimizerOptions optimizer = {.kind = NN_SGD};
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
  bt_team_self(&team);
  hdet_net_open(&net, &optimizer);
  static const char *const texts[] = {"judge",  "copied", "logarithm", "logarithm",
                                      "spread", "settle", "search",    "leave no step"};
  for (int k = 0; k < 8; k++) {
    NnHdetOptions o = nn_hdet_defaults(N, 100, 10, RATE);
    nn_hdet_find_rate(&o);
    o.judge = judge;
    if (k == 0) o.judge = NULL;
    if (k == 1) o.converge = NN_HDET_COPY;
    if (k == 2) o.hyper[0].steered = 0;
    if (k == 3) o.hyper[0].space.spread = NN_SPREAD_MULTIPLE, o.hyper[0].spread = 0.1;
    if (k == 4) o.search.spread = NAN;
    if (k == 5) o.search.settle = -1;
    if (k == 6) o.search.blocks = -1;
    if (k == 7) o.search.settle = 91; /* that is, at the last sync */
    BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_ERR_ARG,
                    &net.ctx);
    BT_CHECK_ROW(strstr(net.ctx.error, texts[k]) != NULL, "\"%s\" lacks \"%s\"", net.ctx.error, texts[k]);
  }
  hdet_net_close(&net);
}

static const BtTest tests[] = {
    {"steers the right way", steers_the_right_way},
    {"steers several", steers_several},
    {"follows the schedule, then decays", follows_schedule_then_decays},
    {"searches", searches},
    {"mixtures vote", mixtures_vote},
    {"settles", settles},
    {"settles while searching", settles_while_searching},
    {"searches in vain", searches_in_vain},
    {"mixtures settle", mixtures_settle},
    {"finds the rate", finds_the_rate},
    {"values of the optimizer", optimizer_values},
    {"refusals", refusals},
};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "nn hdet steering", tests, sizeof tests / sizeof *tests);
}

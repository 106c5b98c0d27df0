/* Where replicas live changes nothing: teams of 1, 2 and 3 forked processes end with the same bits; so does a
 * run that is saved by one team and continued by another. A lost process is an error of all. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "hdet_net.h"

#define REPLICAS 5
#define RANKS 3
#define STATE 4096
#define TOTAL 22
#define SYNC 4

typedef struct {
  BtStatus status, others; /* others: by nn_hdet_leave */
  size_t count;
  double base[2];
  NnReal state[STATE];
  char text[BT_ERROR_TEXT];
} Outcome;

static Outcome *seen; /* [RANKS], in memory that all processes share */

static int share_outcomes(void) {
  const size_t size = RANKS * sizeof *seen;
  const int fd = open(bt_test_path("outcomes"), O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, (off_t)size) != 0) return 0;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  (void)close(fd);
  seen = memory == MAP_FAILED ? NULL : memory;
  return seen != NULL;
}

static NnHdetOptions options(int shared) {
  NnHdetOptions o = nn_hdet_defaults(REPLICAS, TOTAL, SYNC, 0.05);
  o.gradients = shared ? NN_HDET_SHARED : NN_HDET_LOCAL;
  o.steer_from = SYNC;
  o.seed = 9;
  o.noise = 0.01;
  o.hypers = 2;
  o.hyper[1] = (NnHdetHyper){.name = "dropout",
                             .space = {NN_SPREAD_LOGIT, 0, 0.9},
                             .role = NN_HDET_OTHER,
                             .initial = 0.2,
                             .spread = 0.5,
                             .steered = 1};
  return o;
}

static BtStatus save(HdetNet *net, const NnHdet *hdet, const char *path) {
  BtTensorWriter *writer;
  BtStatus st = bt_tensors_create(&net->ctx, path, NULL, &writer);
  if (st < 0) return st;
  st = nn_graph_declare(&net->ctx, net->graph, writer, "model.");
  if (st >= 0) st = nn_optimizer_declare(&net->ctx, net->optimizer, writer, "optimizer.");
  if (st >= 0) st = nn_hdet_declare(&net->ctx, hdet, writer, "hdet.");
  if (st >= 0) st = nn_graph_append(&net->ctx, net->graph, writer);
  if (st >= 0) st = nn_optimizer_append(&net->ctx, net->optimizer, writer);
  if (st >= 0) st = nn_hdet_append(&net->ctx, hdet, writer);
  if (st >= 0) return bt_tensors_commit(&net->ctx, writer);
  bt_tensors_abandon(writer);
  return st;
}

static BtStatus load(HdetNet *net, NnHdet *hdet, const char *path) {
  BtTensorReader *reader;
  BtStatus st = bt_tensors_open(&net->ctx, path, &reader);
  if (st < 0) return st;
  st = nn_graph_load(&net->ctx, net->graph, reader, "model.");
  if (st >= 0) st = nn_optimizer_load(&net->ctx, net->optimizer, reader, "optimizer.");
  if (st >= 0) st = nn_hdet_load(&net->ctx, hdet, reader, "hdet.");
  bt_tensors_close(reader);
  return st;
}

static volatile sig_atomic_t stop;

typedef struct {
  int stops; /* 1 + the rank that wants a stop in the third block, in which the run goes on after all; 0: none
              */
  int copies, finds;
  int shared, leaves; /* rank that ends after the second sync, −1: none */
  const char *from,
      *to; /* checkpoint to start from; to write after the third sync, where the run then ends */
} Case;

/* Up to the middle of the third block, where one rank asks for a stop that all see. */
static BtStatus stop_once(HdetNet *net, NnHdet *hdet, const Case *c, const BtTeam *team) {
  static NnReal before[STATE], after[STATE];
  BtStatus st = hdet_net_train(net, hdet, 2, 2);
  const size_t n = hdet_net_state(net, before, STATE);
  net->ctx.stop.flag = &stop;
  for (int i = 0; st == BT_OK && nn_hdet_syncs(hdet) == 2; i++) {
    stop = i == 3 && team->rank == c->stops - 1;
    const double loss = hdet_net_gradient(net, nn_hdet_draw(hdet), nn_hdet_value(hdet, 1));
    st = nn_hdet_step(&net->ctx, hdet, loss);
  }
  stop = 0;
  (void)hdet_net_state(net, after, STATE);
  const int same = nn_hdet_converged(hdet) && memcmp(before, after, n * sizeof *after) == 0;
  return st == BT_STOPPED && same && nn_hdet_syncs(hdet) == 2
             ? BT_OK
             : bt_fail(&net->ctx, BT_ERR_ARG, "not stopped: %d", st);
}

static void train(BtTeam *team, const Case *c, Outcome *mine) {
  NnHdetOptions o = options(c->shared);
  if (c->copies) o.converge = NN_HDET_COPY;
  const NnOptimizerOptions adam = nn_optimizer_defaults(NN_ADAM);
  HdetNet net;
  NnHdet *hdet;
  if (c->finds) {
    nn_hdet_find_rate(&o);
    o.search = (NnHdetSearch){1, 1, 3 * SYNC, 1};
    o.judge = hdet_net_judge, o.user = &net;
  }
  hdet_net_open(&net, &adam);
  BtStatus st = nn_hdet_create(&net.ctx, &o, team, net.graph, net.optimizer, &hdet);
  if (st >= 0 && c->from) st = load(&net, hdet, c->from);
  if (st >= 0 && team->rank == c->leaves) {
    (void)hdet_net_train(&net, hdet, 2, 2);
    _exit(0);
  }
  if (st >= 0 && c->stops) st = stop_once(&net, hdet, c, team);
  if (st >= 0) st = hdet_net_train(&net, hdet, 2, c->to ? 3 : 0);
  if (st >= 0 && c->to && team->rank == 0) st = save(&net, hdet, c->to);
  mine->status = st;
  mine->count = hdet_net_state(&net, mine->state, STATE);
  for (int i = 0; i < 2 && hdet; i++) mine->base[i] = nn_hdet_base(hdet, i);
  snprintf(mine->text, sizeof mine->text, "%s", net.ctx.error);
  nn_hdet_destroy(hdet);
  hdet_net_close(&net);
}

/* Returns on rank 0 when all have ended. */
static void run_team(int size, const Case *c) {
  BtContext ctx;
  BtTeam team;
  memset(seen, 0, RANKS * sizeof *seen);
  bt_context_init(&ctx);
  const BtStatus st = bt_team_fork(&ctx, size, &team);
  const int rank = team.rank;
  if (st >= 0) train(&team, c, &seen[rank]);
  team.destroy(&team);
  if (rank > 0) _exit(0);
  BT_CHECK_STATUS(st, BT_OK, &ctx);
}

static void same_as(const Outcome *one, int size, const char *what) {
  for (int r = 0; r < size; r++) {
    BT_CHECK_STATUS(seen[r].status, BT_OK, NULL);
    BT_CHECK_ROW(seen[r].count == one->count && memcmp(seen[r].base, one->base, sizeof one->base) == 0 &&
                     memcmp(seen[r].state, one->state, one->count * sizeof *one->state) == 0,
                 "%s: rank %d of %d: %s", what, r, size, seen[r].text);
  }
}

static void placement(void) {
  static Outcome one;
  for (int k = 0; k < 4; k++) {
    const int shared = k % 2;
    const Case c = {.shared = shared, .finds = k / 2, .leaves = -1};
    run_team(1, &c);
    one = seen[0];
    BT_CHECK(one.count > 100);
    for (int size = 1; size <= RANKS; size++) {
      run_team(size, &c);
      same_as(&one, size, shared ? "shared" : "local");
    }
  }
}

static void resume(void) {
  static Outcome one;
  const char *path = bt_test_path("hdet.safetensors");
  for (int k = 0; k < 4; k++) {
    const int shared = k % 2, finds = k / 2;
    const Case unbroken = {.shared = shared, .finds = finds, .leaves = -1},
               first = {.shared = shared, .finds = finds, .leaves = -1, .to = path},
               rest = {.shared = shared, .finds = finds, .leaves = -1, .from = path};
    run_team(1, &unbroken);
    one = seen[0];
    run_team(2, &first);
    BT_CHECK_STATUS(seen[0].status, BT_OK, NULL);
    BT_CHECK(memcmp(seen[0].state, one.state, one.count * sizeof *one.state) != 0);
    for (int size = 1; size <= RANKS; size += 2) {
      run_team(size, &rest);
      same_as(&one, size, "resumed");
    }
  }
}

/* A stop is that of all, at the start of the block; what follows is as if it had not been. */
static void stops(void) {
  static Outcome one;
  for (int k = 0; k < 5; k++) {
    Case c = {.shared = k == 1 || k == 4, .copies = k == 2, .finds = k > 2, .leaves = -1};
    run_team(1, &c);
    one = seen[0];
    for (int size = 1; size <= RANKS; size++) {
      c.stops = size;
      run_team(size, &c);
      same_as(&one, size, "stopped");
    }
  }
}

/* The last of the ensemble's values becomes NaN: it ends the file. */
static int spoil(const char *path) {
  const double nan = (double)NAN;
  FILE *f = fopen(path, "r+b");
  if (!f) return 0;
  const int good = fseek(f, -(long)sizeof nan, SEEK_END) == 0 && fwrite(&nan, sizeof nan, 1, f) == 1;
  return fclose(f) == 0 && good;
}

/* The wrong moment to save, checkpoints of other ensembles, and a damaged one. */
static void checkpoints_refused(void) {
  const char *path = bt_test_path("hdet.safetensors");
  const NnOptimizerOptions adam = nn_optimizer_defaults(NN_ADAM);
  NnHdetOptions o = options(0);
  HdetNet net;
  NnHdet *hdet;
  BtTeam team;
  bt_team_self(&team);
  hdet_net_open(&net, &adam);
  BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
  BT_CHECK_STATUS(save(&net, hdet, path), BT_ERR_ARG, &net.ctx); /* the noise sets them apart */
  BT_CHECK_STATUS(hdet_net_train(&net, hdet, 2, 1), BT_OK, &net.ctx);
  BT_CHECK_STATUS(save(&net, hdet, path), BT_OK, &net.ctx);
  BT_CHECK_STATUS(nn_hdet_step(&net.ctx, hdet, hdet_net_gradient(&net, nn_hdet_draw(hdet), 0)), BT_OK,
                  &net.ctx);
  BT_CHECK_STATUS(save(&net, hdet, path), BT_ERR_ARG, &net.ctx);
  nn_hdet_destroy(hdet);
  for (int i = 0; i < 4; i++) {
    static const char *const texts[] = {"replicas: 5 there, but this run has 4; resume with the same",
                                        "steps of each replica", "the seed",
                                        "\"hdet.values\" holds what is no finite number"};
    o = options(0);
    if (i == 0) o.replicas = 4;
    if (i == 1) o.total++, o.schedule.total++;
    if (i == 2) o.seed++;
    if (i == 3) BT_CHECK(spoil(path));
    BT_CHECK_STATUS(nn_hdet_create(&net.ctx, &o, &team, net.graph, net.optimizer, &hdet), BT_OK, &net.ctx);
    BT_CHECK_STATUS(load(&net, hdet, path), BT_ERR_FORMAT, &net.ctx);
    BT_CHECK_ROW(strstr(net.ctx.error, texts[i]) != NULL, "%s", net.ctx.error);
    BT_CHECK_ROW(strstr(net.ctx.error, path) == net.ctx.error, "%s", net.ctx.error);
    nn_hdet_destroy(hdet);
  }
  hdet_net_close(&net);
}

/* A rank whose judge, or whose backend within nn_hdet_step, fails from a call on. */
typedef struct {
  int rank, judge; /* judge 0: the backend's transfers */
  int left;        /* calls until then */
  int armed;
  BtStatus (*upload)(BtContext *ctx, NnBackend *b, void *device, const void *host, size_t bytes);
  BtStatus (*download)(BtContext *ctx, NnBackend *b, void *host, const void *device, size_t bytes);
} Fault;
static Fault fault;

static int fails(int judge) { return fault.armed && fault.judge == judge && fault.left-- <= 0; }

static BtStatus upload(BtContext *ctx, NnBackend *b, void *device, const void *host, size_t bytes) {
  return fails(0) ? bt_fail_memory(ctx, "upload", 1) : fault.upload(ctx, b, device, host, bytes);
}

static BtStatus download(BtContext *ctx, NnBackend *b, void *host, const void *device, size_t bytes) {
  return fails(0) ? bt_fail_memory(ctx, "download", 1) : fault.download(ctx, b, host, device, bytes);
}

static BtStatus judge(void *user, BtContext *ctx, NnHdet *hdet, double *loss) {
  const int armed = fault.armed;
  if (fails(1)) return bt_fail_memory(ctx, "judge", 1);
  fault.armed = 0;
  const BtStatus st = hdet_net_judge(user, ctx, hdet, loss);
  fault.armed = armed;
  return st;
}

static void train_with_fault(BtTeam *team, const Case *c, Outcome *mine) {
  NnHdetOptions o = options(c->shared);
  const NnOptimizerOptions adam = nn_optimizer_defaults(NN_ADAM);
  const int mine_fails = team->rank == fault.rank;
  HdetNet net;
  NnHdet *hdet;
  hdet_net_open(&net, &adam);
  if (c->finds) nn_hdet_find_rate(&o), o.search = (NnHdetSearch){1, 1, 3 * SYNC, 1};
  o.judge = judge, o.user = &net;
  fault.upload = net.backend->upload, fault.download = net.backend->download;
  if (mine_fails) net.backend->upload = upload, net.backend->download = download;
  BtStatus st = nn_hdet_create(&net.ctx, &o, team, net.graph, net.optimizer, &hdet);
  while (st == BT_OK && !nn_hdet_done(hdet)) {
    const double loss = hdet_net_gradient(&net, nn_hdet_draw(hdet), 0.2);
    fault.armed = mine_fails;
    st = nn_hdet_step(&net.ctx, hdet, loss);
    fault.armed = 0;
  }
  mine->status = st;
  fault.armed = mine_fails;
  mine->others = mine_fails && st < 0 ? nn_hdet_leave(&net.ctx, hdet) : BT_OK;
  fault.armed = 0;
  net.backend->upload = fault.upload, net.backend->download = fault.download;
  nn_hdet_destroy(hdet);
  hdet_net_close(&net);
}

/* Wherever one rank fails, the others end with what nn_hdet_leave says; without it they would wait. */
static void one_rank_fails(void) {
  BtContext ctx;
  bt_context_init(&ctx);
  alarm(60);
  for (int k = 0; k < 16; k++) {
    const Case c = {.shared = k & 1, .finds = k >> 1 & 1};
    const int rank = k >> 2 & 1, judges = k >> 3 & 1;
    int stopped = 0, over = 0;
    for (int calls = 0; !over; calls += judges ? 1 : 11) {
      BtTeam team;
      memset(seen, 0, RANKS * sizeof *seen);
      fault = (Fault){.rank = rank, .judge = judges, .left = calls};
      BT_CHECK_STATUS(bt_team_fork(&ctx, 2, &team), BT_OK, &ctx);
      const int child = team.rank > 0;
      train_with_fault(&team, &c, &seen[team.rank]);
      team.destroy(&team);
      if (child) _exit(0);
      const BtStatus one = seen[rank].status, other = seen[1 - rank].status;
      BT_CHECK_ROW((one == BT_OK || one == BT_ERR_MEMORY) && other == seen[rank].others &&
                       (other == BT_OK || other == BT_STOPPED),
                   "case %d, %d calls: %d, the other %d, told %d", k, calls, one, other, seen[rank].others);
      stopped += other == BT_STOPPED;
      over = one == BT_OK || calls > 5000;
    }
    BT_CHECK_ROW(stopped > 4, "case %d: stopped %d times", k, stopped);
  }
  alarm(0);
}

static void a_process_is_lost(void) {
  const Case c = {.leaves = 1};
  run_team(3, &c);
  for (int r = 0; r < 3; r += 2) {
    BT_CHECK_STATUS(seen[r].status, BT_ERR_TEAM, NULL);
    BT_CHECK_TEXT(seen[r].text, "process 1 of 3 died");
  }
}

static const BtTest tests[] = {
    {"placement of replicas", placement},
    {"a resumed run is the unbroken one", resume},
    {"a stop", stops},
    {"checkpoints that are refused", checkpoints_refused},
    {"one rank fails", one_rank_fails},
    {"a process is lost", a_process_is_lost},
};

int main(void) {
  if (!share_outcomes()) return 1;
  return bt_test_main("nn hdet ranks", tests, sizeof tests / sizeof *tests);
}

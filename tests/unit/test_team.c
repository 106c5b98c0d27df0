#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/rng.h"
#include "core/team.h"
#include "harness.h"

#define MAX_SIZE 4
#define ITEMS 1001
#define LARGE (4 << 20)

static BtContext ctx;

/* What a rank saw, in memory that all processes share. */
typedef struct {
  int finished;
  BtStatus status, again; /* of two calls in a row, where a case makes them */
  int count;
  char text[BT_ERROR_TEXT];
  double values[ITEMS];
} Outcome;

static Outcome *seen;

static int share_outcomes(void) {
  const size_t size = MAX_SIZE * sizeof *seen;
  const int fd = open(bt_test_path("outcomes"), O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, (off_t)size) != 0) return 0;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  (void)close(fd);
  seen = memory == MAP_FAILED ? NULL : memory;
  return seen != NULL;
}

/* Runs a body on every rank of a new team; returns on rank 0 when all have ended. */
static void run_team(int size, void (*body)(BtTeam *team, Outcome *mine)) {
  BtTeam team;
  memset(seen, 0, MAX_SIZE * sizeof *seen);
  bt_context_init(&ctx);
  const BtStatus st = bt_team_fork(&ctx, size, &team);
  const int rank = team.rank;
  if (st == BT_OK) body(&team, &seen[rank]);
  if (st == BT_OK) seen[rank].finished = 1;
  team.destroy(&team);
  if (rank > 0) _exit(0);
  BT_CHECK_STATUS(st, BT_OK, &ctx);
}

static void pause_seconds(double seconds) {
  struct timespec left = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static double now(void) {
  struct timespec t;
  BT_CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void one_process(void) {
  BtTeam team;
  double x[2] = {1, 2};
  bt_team_self(&team);
  BT_CHECK(team.rank == 0 && team.size == 1 && bt_team_owns(&team, 5));
  BT_CHECK_STATUS(team.sum(&team, &ctx, x, 2), BT_OK, &ctx);
  BT_CHECK(x[0] == 1 && x[1] == 2);
  BT_CHECK_STATUS(bt_team_agree(&team, &ctx, BT_MAX_ITERS), BT_MAX_ITERS, &ctx);
  BT_CHECK_STATUS(bt_team_agree(&team, &ctx, bt_fail(&ctx, BT_ERR_IO, "a: b")), BT_ERR_IO, &ctx);
  BT_CHECK_TEXT(ctx.error, "a: b");
  team.destroy(&team);

  BT_CHECK_STATUS(bt_team_fork(&ctx, 1, &team), BT_OK, &ctx);
  BT_CHECK(team.rank == 0 && team.size == 1);
  team.destroy(&team);
  BT_CHECK_STATUS(bt_team_fork(&ctx, 0, &team), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(bt_team_fork(&ctx, -3, &team), BT_ERR_ARG, &ctx);
}

/* Item by item, then everybody's everything, whose rounding tells the order of the additions. */
static void sum_items(BtTeam *team, Outcome *mine) {
  double all[ITEMS];
  memset(mine->values, 0, sizeof mine->values);
  for (size_t i = 0; i < ITEMS; i++)
    if (bt_team_owns(team, i)) mine->values[i] = bt_rng_normal(1, 0, i);
  mine->status = team->sum(team, &ctx, mine->values, ITEMS);
  bt_rng_fill_normal(2, (uint64_t)team->rank, 0, ITEMS, all);
  mine->again = team->sum(team, &ctx, all, ITEMS);
  for (size_t i = 0; i < ITEMS; i++) {
    double wanted = 0;
    for (int r = 0; r < team->size; r++)
      wanted = r ? wanted + bt_rng_normal(2, (uint64_t)r, i) : bt_rng_normal(2, 0, i);
    mine->count += all[i] == wanted;
  }
}

static void sums_do_not_depend_on_size(void) {
  double wanted[ITEMS];
  bt_rng_fill_normal(1, 0, 0, ITEMS, wanted);
  for (int size = 1; size <= MAX_SIZE; size++) {
    run_team(size, sum_items);
    for (int r = 0; r < size; r++) {
      BT_CHECK_ROW(seen[r].finished && seen[r].status == BT_OK && seen[r].again == BT_OK, "rank %d of %d", r,
                   size);
      BT_CHECK_ROW(memcmp(seen[r].values, wanted, sizeof wanted) == 0, "sum on rank %d of %d", r, size);
      BT_CHECK_ROW(seen[r].count == ITEMS, "rounding on rank %d of %d", r, size);
    }
  }
}

#define SLOTS 5
#define SLOT 9001 /* numbers, several pieces of a transfer */

static double slot_number(size_t item, size_t i) {
  return bt_rng_normal(3, item, i) * pow(10, (double)(i % 40) - 20);
}

/* What owners have adds up to the same bits on all ranks, in either precision. */
static void sum_slots(BtTeam *team, Outcome *mine) {
  static double own[SLOTS * SLOT], total[SLOT];
  static float own_single[SLOTS * SLOT];
  size_t k = 0;
  for (size_t item = 0; item < SLOTS; item++)
    for (size_t i = 0; i < SLOT && bt_team_owns(team, item); i++, k++) {
      own[k] = slot_number(item, i);
      own_single[k] = (float)own[k];
    }
  mine->status = k == SLOT * bt_team_owned(team, SLOTS) ? BT_OK : BT_ERR_ARG;
  for (int single = 0; single < 2 && mine->status == BT_OK; single++) {
    const BtTeamItems items = {SLOTS, SLOT, single ? (const void *)own_single : own, single};
    mine->status = team->sum_items(team, &ctx, &items, total);
    for (size_t i = 0; i < SLOT; i++) {
      double wanted = 0;
      for (size_t item = 0; item < SLOTS; item++)
        wanted += single ? (double)(float)slot_number(item, i) : slot_number(item, i);
      mine->count += total[i] == wanted;
    }
  }
  mine->again = team->sum_items(team, &ctx, &(BtTeamItems){SLOTS, 0, own, 0}, total);
}

static void sums_of_items(void) {
  for (int size = 1; size <= MAX_SIZE; size++) {
    run_team(size, sum_slots);
    for (int r = 0; r < size; r++)
      BT_CHECK_ROW(seen[r].status == BT_OK && seen[r].again == BT_OK && seen[r].count == 2 * SLOT,
                   "rank %d of %d", r, size);
  }
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signal_number) {
  (void)signal_number;
  alarms++;
}

/* Large buffers under a rain of signals that interrupt the transfers. */
static void sum_large(BtTeam *team, Outcome *mine) {
  const struct sigaction interrupt = {.sa_handler = count_alarm};
  const struct itimerval rain = {{0, 3000}, {0, 3000}}, dry = {{0, 0}, {0, 0}};
  double *x = malloc(LARGE * sizeof *x);
  if (!x || sigaction(SIGALRM, &interrupt, NULL) != 0 || setitimer(ITIMER_REAL, &rain, NULL) != 0) _exit(1);
  for (size_t i = 0; i < LARGE; i++) x[i] = (double)i * (team->rank + 1);
  mine->status = team->sum(team, &ctx, x, LARGE);
  mine->again = team->sum(team, &ctx, x, 0);
  if (setitimer(ITIMER_REAL, &dry, NULL) != 0) _exit(1);
  for (size_t i = 0; i < LARGE; i++) mine->count += x[i] == 10.0 * (double)i;
  free(x);
}

static void large_buffers(void) {
  run_team(4, sum_large);
  BT_CHECK(alarms > 0);
  for (int r = 0; r < 4; r++) BT_CHECK_ROW(seen[r].finished && seen[r].count == LARGE, "rank %d", r);
  for (int r = 0; r < 4; r++) BT_CHECK_ROW(seen[r].status == BT_OK && seen[r].again == BT_OK, "rank %d", r);
}

static void sum_twice(BtTeam *team, Outcome *mine, size_t n) {
  double *x = calloc(n, sizeof *x);
  if (!x) _exit(1);
  mine->status = team->sum(team, &ctx, x, n);
  strcpy(mine->text, ctx.error);
  mine->again = team->sum(team, &ctx, x, n);
  free(x);
}

/* What a loss must not need: the end of the main process or of its team. */
static void see_last_rank_finish(const BtTeam *team, Outcome *mine) {
  for (int i = 0; i < 100 && team->rank == 0 && !mine->count; i++) {
    pause_seconds(0.05);
    mine->count = *(volatile int *)&seen[team->size - 1].finished;
  }
}

/* Rank 2 is gone before the sum; ranks before it have sent, rank 3 is stuck in a buffer larger than a
 * socket's. */
static void die_before(BtTeam *team, Outcome *mine) {
  if (team->rank == 2) _exit(0);
  sum_twice(team, mine, LARGE / 4);
  see_last_rank_finish(team, mine);
}

/* Rank 2 dies while its large buffer is half sent: the main process does not read before. */
static void die_within(BtTeam *team, Outcome *mine) {
  if (team->rank == 2) {
    const struct sigaction deadly = {.sa_handler = SIG_DFL};
    if (sigaction(SIGALRM, &deadly, NULL) != 0) _exit(1);
    (void)alarm(1);
  }
  if (team->rank == 0) pause_seconds(2);
  sum_twice(team, mine, LARGE / 4);
  see_last_rank_finish(team, mine);
}

static void leave_step(BtTeam *team, Outcome *mine) {
  sum_twice(team, mine, team->rank == 2 ? LARGE / 4 : 5);
  see_last_rank_finish(team, mine);
}

/* A plain sum of as many numbers is no sum of items; then rank 2 dies before one. */
static void mix_sums(BtTeam *team, Outcome *mine) {
  double x[3] = {1, 2, 3}, total[3];
  const BtTeamItems items = {1, 3, x, 0};
  mine->status = team->rank == 2 ? team->sum(team, &ctx, x, 3) : team->sum_items(team, &ctx, &items, total);
  strcpy(mine->text, ctx.error);
  mine->again = team->sum_items(team, &ctx, &items, total);
  see_last_rank_finish(team, mine);
}

static void die_before_items(BtTeam *team, Outcome *mine) {
  static double x[LARGE / 4], total[LARGE / 4];
  if (team->rank == 2) _exit(0);
  const BtTeamItems items = {4, LARGE / 4, x, 0};
  mine->status = team->sum_items(team, &ctx, &items, total);
  strcpy(mine->text, ctx.error);
  mine->again = team->sum_items(team, &ctx, &items, total);
  see_last_rank_finish(team, mine);
}

static void losses(void) {
  static const struct {
    void (*body)(BtTeam *, Outcome *);
    int finishes; /* whether rank 2 does */
    const char *want;
  } rows[] = {
      {die_before, 0, "process 2 of 4 died"},
      {die_within, 0, "process 2 of 4 died"},
      {leave_step, 1, "process 2 of 4 is out of step with the main process"},
      {mix_sums, 1, "process 2 of 4 is out of step with the main process"},
      {die_before_items, 0, "process 2 of 4 died"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    run_team(4, rows[i].body);
    BT_CHECK_ROW(seen[0].count == 1, "case %zu: the others waited for the main process", i);
    for (int r = 0; r < 4; r++) {
      BT_CHECK_ROW(seen[r].finished == (r == 2 ? rows[i].finishes : 1), "case %zu, rank %d", i, r);
      if (!seen[r].finished) continue;
      BT_CHECK_STATUS(seen[r].status, BT_ERR_TEAM, NULL);
      BT_CHECK_STATUS(seen[r].again, BT_ERR_TEAM, NULL);
      BT_CHECK_TEXT(seen[r].text, rows[i].want);
    }
  }
}

/* Leaving without a sum: the children learn of it from their sockets. */
static void main_leaves(BtTeam *team, Outcome *mine) {
  if (team->rank > 0) sum_twice(team, mine, 10);
}

static void main_process_leaves(void) {
  run_team(3, main_leaves);
  for (int r = 1; r < 3; r++) {
    BT_CHECK_ROW(seen[r].finished, "rank %d", r);
    BT_CHECK_STATUS(seen[r].status, BT_ERR_TEAM, NULL);
    BT_CHECK_STATUS(seen[r].again, BT_ERR_TEAM, NULL);
    BT_CHECK_TEXT(seen[r].text, "the main process died");
  }
}

static void children_die_with_main(void) {
#ifdef __linux__
  /* Once the main process dies before the children have quite started, once after. */
  for (int started = 0; started < 2; started++) {
    int ends[2], status = -1;
    char byte;
    BT_NEED(pipe(ends) == 0);
    const pid_t main_process = fork();
    BT_NEED(main_process >= 0);
    if (main_process == 0) {
      const struct sigaction deadly = {.sa_handler = SIG_DFL};
      double none = 0;
      BtTeam team;
      BtStatus st = sigaction(SIGALRM, &deadly, NULL) == 0 ? bt_team_fork(&ctx, 3, &team) : BT_ERR_IO;
      (void)alarm(30); /* in case they do not */
      if (st == BT_OK && started) st = team.sum(&team, &ctx, &none, 1);
      while (st == BT_OK && team.rank > 0) (void)pause();
      _exit(st == BT_OK ? 0 : 1);
    }
    /* The pipe ends once every process that could write to it is gone. */
    BT_CHECK(close(ends[1]) == 0);
    BT_CHECK_ROW(poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 10000) == 1, "a child lives, started = %d",
                 started);
    BT_CHECK(read(ends[0], &byte, 1) == 0);
    BT_CHECK(close(ends[0]) == 0);
    BT_CHECK(waitpid(main_process, &status, 0) == main_process && status == 0);
  }
#endif
}

/* A child that does not end is killed in the end; a child that is none of the team's is left alone. */
static void hang(BtTeam *team, Outcome *mine) {
  (void)mine;
  while (team->rank == 1) (void)pause();
}

static void destroy_waits_for_its_own(void) {
  int status = -1;
  const pid_t stranger = fork();
  if (stranger == 0) _exit(7);
  BT_NEED(stranger > 0);
  const double start = now();
  run_team(3, hang);
  const double seconds = now() - start;
  BT_CHECK_ROW(seconds > 4 && seconds < 30, "destroy took %g s", seconds);
  BT_CHECK(!seen[1].finished && seen[2].finished);
  BT_CHECK(waitpid(stranger, &status, 0) == stranger && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  BT_CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
}

static int open_sockets(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) {
    struct stat info;
    count += fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
  }
  return count;
}

static void count_sockets(BtTeam *team, Outcome *mine) {
  double none = 0;
  mine->count = open_sockets();
  mine->status = team->sum(team, &ctx, &none, 1);
}

static void children_hold_one_socket(void) {
  const int before = open_sockets();
  run_team(4, count_sockets);
  for (int r = 0; r < 4; r++)
    BT_CHECK_ROW(seen[r].count == before + (r ? 1 : 3), "%d on rank %d", seen[r].count, r);
  BT_CHECK(open_sockets() == before);
}

/* Too few descriptors for the whole team: those started already are ended again. */
static void failing_start(void) {
  struct rlimit before, low;
  BtTeam team;
  memset(seen, 0, sizeof *seen);
  const int sockets = open_sockets(), free_fd = dup(0);
  BT_NEED(free_fd >= 0 && close(free_fd) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
  low = before;
  low.rlim_cur = (rlim_t)free_fd + 4;
  BT_NEED(setrlimit(RLIMIT_NOFILE, &low) == 0);
  const BtStatus st = bt_team_fork(&ctx, 8, &team);
  if (team.rank > 0) {
    seen[0].count++;
    _exit(0);
  }
  BT_CHECK_ROW(seen[0].count == 0, "%d children left the call", seen[0].count);
  BT_CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
  BT_CHECK_STATUS(st, BT_ERR_LIBRARY, &ctx);
  BT_CHECK_ROW(strstr(ctx.error, "of 8 cannot be ") != NULL, "%s", ctx.error);
  BT_CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
  BT_CHECK(open_sockets() == sockets);
  team.destroy(&team);
}

static BtStatus (*real_sum)(BtTeam *, BtContext *, double *, size_t);
static int sums;

static BtStatus counting_sum(BtTeam *team, BtContext *c, double *buffer, size_t n) {
  sums++;
  return real_sum(team, c, buffer, n);
}

#define NO_STOP (-1)

static const struct {
  int size;
  BtStatus local[MAX_SIZE];
  int stop; /* rank whose stop flag is set */
  BtStatus want;
  int speaker; /* rank whose text all carry, −1 without an error */
  int sums;
} agreements[] = {
    {1, {BT_OK}, NO_STOP, BT_OK, -1, 1},
    {4, {BT_OK, BT_OK, BT_OK, BT_OK}, NO_STOP, BT_OK, -1, 1},
    {4, {BT_OK, BT_NOT_CERTIFIED, BT_OK, BT_OK}, NO_STOP, BT_NOT_CERTIFIED, -1, 1},
    {4, {BT_STEP_FAILED, BT_NOT_CERTIFIED, BT_OK, BT_MAX_ITERS}, NO_STOP, BT_STEP_FAILED, -1, 1},
    {4, {BT_OK, BT_OK, BT_OK, BT_ERR_IO}, NO_STOP, BT_ERR_IO, 3, 2},
    {4, {BT_ERR_IO, BT_STOPPED, BT_OK, BT_OK}, NO_STOP, BT_ERR_IO, 0, 2},
    {4, {BT_OK, BT_ERR_IO, BT_ERR_IO, BT_OK}, NO_STOP, BT_ERR_IO, 1, 2},
    {4, {BT_ERR_ARG, BT_ERR_IO, BT_ERR_NUMERIC, BT_ERR_IO}, NO_STOP, BT_ERR_NUMERIC, 2, 2},
    {4, {BT_OK, BT_OK, BT_OK, BT_OK}, 2, BT_STOPPED, -1, 1},
    {4, {BT_OK, BT_OK, BT_MAX_ITERS, BT_OK}, 2, BT_STOPPED, -1, 1},
    {3, {BT_OK, BT_ERR_FORMAT, BT_OK}, 0, BT_ERR_FORMAT, 1, 2},
    {3, {BT_OK, BT_ERR_FORMAT, BT_OK}, 1, BT_ERR_FORMAT, 1, 2},
    {1, {BT_OK}, 0, BT_STOPPED, -1, 1},
};
static size_t row;

static void agree(BtTeam *team, Outcome *mine) {
  static const volatile sig_atomic_t stop = 1;
  const BtStatus local = agreements[row].local[team->rank];
  ctx.stop.flag = agreements[row].stop == team->rank ? &stop : NULL;
  if (local < 0) (void)bt_fail(&ctx, local, "image %d: caf\xc3\xa9", team->rank);
  real_sum = team->sum;
  team->sum = counting_sum;
  sums = 0;
  mine->status = bt_team_agree(team, &ctx, local);
  mine->count = sums;
  strcpy(mine->text, ctx.error);
}

static void agreement(void) {
  for (row = 0; row < sizeof agreements / sizeof *agreements; row++) {
    char wanted[64] = "";
    run_team(agreements[row].size, agree);
    if (agreements[row].speaker >= 0)
      snprintf(wanted, sizeof wanted, "image %d: caf\xc3\xa9", agreements[row].speaker);
    for (int r = 0; r < agreements[row].size; r++) {
      BT_CHECK_ROW(seen[r].finished && seen[r].count == agreements[row].sums, "case %zu, rank %d", row, r);
      BT_CHECK_STATUS(seen[r].status, agreements[row].want, NULL);
      BT_CHECK_TEXT(seen[r].text, wanted);
    }
  }
}

static void deadline(void) {
  BtContext run;
  bt_context_init(&run);
  BT_CHECK(!bt_stop_requested(&run) && !bt_stop_requested(NULL));
  run.stop.deadline = bt_clock() + 1000;
  BT_CHECK(!bt_stop_requested(&run));
  run.stop.deadline = bt_clock();
  BT_CHECK(bt_stop_requested(&run));
}

static void agree_after_loss(BtTeam *team, Outcome *mine) {
  if (team->rank == 1) _exit(0);
  mine->status = bt_team_agree(team, &ctx, BT_OK);
  strcpy(mine->text, ctx.error);
}

static void agreement_after_a_loss(void) {
  run_team(3, agree_after_loss);
  for (int r = 0; r < 3; r += 2) {
    BT_CHECK_STATUS(seen[r].status, BT_ERR_TEAM, NULL);
    BT_CHECK_TEXT(seen[r].text, "process 1 of 3 died");
  }
}

static const BtTest tests[] = {
    {"a team of one", one_process},
    {"sums do not depend on the number of processes", sums_do_not_depend_on_size},
    {"sums of items do not depend on the number of processes", sums_of_items},
    {"large buffers, interrupted", large_buffers},
    {"a process is lost", losses},
    {"the main process leaves", main_process_leaves},
    {"children die with the main process", children_die_with_main},
    {"destroy waits for its own children, not forever", destroy_waits_for_its_own},
    {"children hold one socket", children_hold_one_socket},
    {"a start that fails", failing_start},
    {"agreement", agreement},
    {"a deadline", deadline},
    {"agreement after a loss", agreement_after_a_loss},
};

int main(void) {
  if (!share_outcomes()) return 1;
  return bt_test_main("team", tests, sizeof tests / sizeof *tests);
}

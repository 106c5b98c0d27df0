#include "core/team.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "core/clock.h"

#define CHUNK 4096     /* doubles added at a time                                              */
#define PIECE 262144   /* bytes a system call moves at most, so that signals cannot starve it   */
#define EXIT_SECONDS 5 /* what children are given to exit before SIGKILL                       */
#define POLL_NANOSECONDS 2000000

static BtStatus self_sum(BtTeam *team, BtContext *ctx, double *buffer, size_t n) {
  (void)team, (void)ctx, (void)buffer, (void)n;
  return BT_OK;
}

void bt_team_zero(double *total, size_t n) {
  for (size_t i = 0; i < n; i++) total[i] = -0.0;
}

void bt_team_add(double *total, const void *x, size_t n, int single) {
  const float *f = x;
  const double *d = x;
  if (single)
    for (size_t i = 0; i < n; i++) total[i] += (double)f[i];
  else
    for (size_t i = 0; i < n; i++) total[i] += d[i];
}

static size_t number_size(const BtTeamItems *items) { return items->single ? sizeof(float) : sizeof(double); }

/* The numbers from `at` on of this rank's item number `own`. */
static const char *own_numbers(const BtTeamItems *items, size_t own, size_t at) {
  return (const char *)items->mine + (own * items->n + at) * number_size(items);
}

static BtStatus self_sum_items(BtTeam *team, BtContext *ctx, const BtTeamItems *items, double *total) {
  (void)team, (void)ctx;
  bt_team_zero(total, items->n);
  for (size_t i = 0; i < items->items; i++)
    bt_team_add(total, own_numbers(items, i, 0), items->n, items->single);
  return BT_OK;
}

static void self_destroy(BtTeam *team) { (void)team; }

void bt_team_self(BtTeam *team) {
  *team = (BtTeam){.size = 1, .sum = self_sum, .sum_items = self_sum_items, .destroy = self_destroy};
}

typedef enum { FATE_DIED, FATE_OUT_OF_STEP } Fate;

typedef struct {
  int fd;    /* socket to that process, -1 once closed            */
  pid_t pid; /* known on rank 0; 0 elsewhere                      */
} Peer;

typedef struct {
  int lost; /* rank of the process that ended the team, -1 while all are well */
  Fate fate;
  int count; /* of peers: size − 1 on rank 0, one on the others   */
  Peer peers[];
} Fork;

/* Precedes a buffer in either direction; in an answer with lost >= 0 no buffer follows. */
typedef struct {
  uint64_t count;
  int32_t lost, fate;
} Header;

static int send_all(int fd, const void *bytes, size_t size) {
  const char *at = bytes;
  while (size > 0) {
    const ssize_t n = send(fd, at, size < PIECE ? size : PIECE, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    at += n;
    size -= (size_t)n;
  }
  return 0;
}

static int receive_all(int fd, void *bytes, size_t size) {
  char *at = bytes;
  while (size > 0) {
    const ssize_t n = recv(fd, at, size < PIECE ? size : PIECE, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    at += n;
    size -= (size_t)n;
  }
  return 0;
}

static void close_peers(Fork *f) {
  for (int i = 0; i < f->count; i++) {
    if (f->peers[i].fd >= 0) (void)close(f->peers[i].fd);
    f->peers[i].fd = -1;
  }
}

static BtStatus fail_lost(const BtTeam *team, BtContext *ctx) {
  const Fork *f = team->data;
  if (!f) return bt_fail(ctx, BT_ERR_TEAM, "the team of processes has ended");
  if (f->lost == 0) return bt_fail(ctx, BT_ERR_TEAM, "the main process died");
  return bt_fail(ctx, BT_ERR_TEAM, "process %d of %d %s", f->lost, team->size,
                 f->fate == FATE_DIED ? "died" : "is out of step with the main process");
}

/* After a loss nobody can be served any more: closed sockets make the others' calls return. */
static BtStatus end_team(const BtTeam *team, BtContext *ctx, int lost, Fate fate) {
  Fork *f = team->data;
  f->lost = lost;
  f->fate = fate;
  close_peers(f);
  return fail_lost(team, ctx);
}

/* buffer += what the peer sends; 0, or -1 with the peer's fate. */
static int receive_add(int fd, double *buffer, size_t n, Fate *fate) {
  double chunk[CHUNK];
  Header header;
  *fate = FATE_DIED;
  if (receive_all(fd, &header, sizeof header) != 0) return -1;
  if (header.count != n) {
    *fate = FATE_OUT_OF_STEP;
    return -1;
  }
  while (n > 0) {
    const size_t m = n < CHUNK ? n : CHUNK;
    if (receive_all(fd, chunk, m * sizeof *chunk) != 0) return -1;
    for (size_t i = 0; i < m; i++) buffer[i] += chunk[i];
    buffer += m;
    n -= m;
  }
  return 0;
}

/* Rank 0 answers everybody with the sum or who was lost. */
static BtStatus answer_all(BtTeam *team, BtContext *ctx, const double *buffer, size_t n, int lost,
                           Fate fate) {
  Fork *f = team->data;
  for (int i = 0; i < f->count; i++) {
    const Header answer = {n, lost, (int32_t)fate};
    const int fd = f->peers[i].fd;
    const int sent = send_all(fd, &answer, sizeof answer) == 0 &&
                     (lost >= 0 || send_all(fd, buffer, n * sizeof *buffer) == 0);
    if (!sent && lost < 0) {
      lost = i + 1;
      fate = FATE_DIED;
    }
  }
  return lost < 0 ? BT_OK : end_team(team, ctx, lost, fate);
}

/* Rank 0: adds the buffers in the order of ranks. */
static BtStatus main_sum(BtTeam *team, BtContext *ctx, double *buffer, size_t n) {
  Fork *f = team->data;
  Fate fate = FATE_DIED;
  int lost = -1;
  if (!f || f->lost >= 0) return fail_lost(team, ctx);

  for (int i = 0; i < f->count && lost < 0; i++)
    if (receive_add(f->peers[i].fd, buffer, n, &fate) != 0) lost = i + 1;
  return answer_all(team, ctx, buffer, n, lost, fate);
}

/* The rest of a child's collective, after it has sent its numbers. */
static BtStatus child_answer(BtTeam *team, BtContext *ctx, double *buffer, size_t n) {
  const int fd = ((Fork *)team->data)->peers[0].fd;
  Header answer;
  if (receive_all(fd, &answer, sizeof answer) != 0) return end_team(team, ctx, 0, FATE_DIED);
  if (answer.lost >= 0) return end_team(team, ctx, answer.lost, (Fate)answer.fate);
  if (receive_all(fd, buffer, n * sizeof *buffer) != 0) return end_team(team, ctx, 0, FATE_DIED);
  return BT_OK;
}

static BtStatus child_sum(BtTeam *team, BtContext *ctx, double *buffer, size_t n) {
  Fork *f = team->data;
  if (!f || f->lost >= 0) return fail_lost(team, ctx);

  const Header mine = {n, -1, 0};
  const int fd = f->peers[0].fd;
  /* A refused send does not stop the reading: the answer may tell who was lost. */
  if (send_all(fd, &mine, sizeof mine) == 0) (void)send_all(fd, buffer, n * sizeof *buffer);
  return child_answer(team, ctx, buffer, n);
}

/* Tells a sum of items from a plain one of as many numbers. */
static uint64_t items_count(const BtTeamItems *items) { return ~(uint64_t)(items->items * items->n); }

/* total[m] += numbers at … at + m − 1 of all items, the peers' as they arrive: what is not read yet waits in
 * the sockets. Returns the rank that was lost or −1. */
static int add_piece(BtTeam *team, const BtTeamItems *items, size_t at, size_t m, double *total) {
  Fork *f = team->data;
  union {
    double full[CHUNK];
    float single[CHUNK];
  } piece;
  for (size_t i = 0; i < items->items; i++) {
    const int owner = (int)(i % (size_t)team->size);
    const void *numbers = &piece;
    if (owner == 0)
      numbers = own_numbers(items, i / (size_t)team->size, at);
    else if (receive_all(f->peers[owner - 1].fd, &piece, m * number_size(items)) != 0)
      return owner;
    bt_team_add(total, numbers, m, items->single);
  }
  return -1;
}

static BtStatus main_sum_items(BtTeam *team, BtContext *ctx, const BtTeamItems *items, double *total) {
  Fork *f = team->data;
  Fate fate = FATE_DIED;
  int lost = -1;
  if (!f || f->lost >= 0) return fail_lost(team, ctx);

  for (int i = 0; i < f->count && lost < 0; i++) {
    Header header;
    if (receive_all(f->peers[i].fd, &header, sizeof header) != 0)
      lost = i + 1;
    else if (header.count != items_count(items)) {
      lost = i + 1;
      fate = FATE_OUT_OF_STEP;
    }
  }
  bt_team_zero(total, items->n);
  for (size_t at = 0; at < items->n && lost < 0; at += CHUNK)
    lost = add_piece(team, items, at, items->n - at < CHUNK ? items->n - at : CHUNK, total + at);
  return answer_all(team, ctx, total, items->n, lost, fate);
}

static BtStatus child_sum_items(BtTeam *team, BtContext *ctx, const BtTeamItems *items, double *total) {
  Fork *f = team->data;
  if (!f || f->lost >= 0) return fail_lost(team, ctx);

  const Header mine = {items_count(items), -1, 0};
  const int fd = f->peers[0].fd;
  const size_t owned = bt_team_owned(team, items->items);
  int sent = send_all(fd, &mine, sizeof mine) == 0;
  /* Piece by piece, as the main process adds them. */
  for (size_t at = 0; at < items->n; at += CHUNK) {
    const size_t m = items->n - at < CHUNK ? items->n - at : CHUNK;
    for (size_t own = 0; own < owned && sent; own++)
      sent = send_all(fd, own_numbers(items, own, at), m * number_size(items)) == 0;
  }
  return child_answer(team, ctx, total, items->n);
}

/* Waits for one child until the deadline, then kills it; other children of the process are not touched. */
static void await_exit(pid_t pid, double deadline) {
  for (;;) {
    const pid_t done = waitpid(pid, NULL, WNOHANG);
    if (done == pid || (done < 0 && errno != EINTR)) return;
    if (bt_clock() >= deadline) break;
    (void)nanosleep(&(struct timespec){0, POLL_NANOSECONDS}, NULL);
  }
  (void)kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

static void fork_destroy(BtTeam *team) {
  Fork *f = team->data;
  if (!f) return;
  close_peers(f);
  const double deadline = bt_clock() + EXIT_SECONDS;
  for (int i = 0; i < f->count; i++)
    if (f->peers[i].pid > 0) await_exit(f->peers[i].pid, deadline);
  free(f);
  team->data = NULL;
}

static void die_with_parent(void) {
#ifdef __linux__
  /* Without it a child still notices at its next sum(). */
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

/* The child's end of bt_team_fork: drops what belongs to rank 0 and waits until all processes are there. */
static BtStatus join_as_child(BtContext *ctx, BtTeam *team, int rank, int fd, pid_t parent) {
  Fork *f = team->data;
  char go;
  die_with_parent();
  close_peers(f);
  f->count = 1;
  f->peers[0] = (Peer){fd, 0};
  team->rank = rank;
  team->sum = child_sum;
  team->sum_items = child_sum_items;
  /* A parent that died before the request for its death signal sends none. */
  if (receive_all(fd, &go, 1) != 0 || getppid() != parent) return end_team(team, ctx, 0, FATE_DIED);
  return BT_OK;
}

/* Forks rank `rank`; returns in both processes, in the child with team->rank set. */
static BtStatus add_child(BtContext *ctx, BtTeam *team, int rank) {
  Fork *f = team->data;
  const pid_t parent = getpid();
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
    return bt_fail(ctx, BT_ERR_LIBRARY, "process %d of %d cannot be joined: %s", rank, team->size,
                   strerror(errno));
  const int marked = fcntl(pair[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(pair[1], F_SETFD, FD_CLOEXEC) == 0;
  const pid_t pid = marked ? fork() : -1;
  if (pid < 0) {
    const int error = errno;
    (void)close(pair[0]);
    (void)close(pair[1]);
    return bt_fail(ctx, BT_ERR_LIBRARY, "process %d of %d cannot be started: %s", rank, team->size,
                   strerror(error));
  }
  if (pid == 0) {
    (void)close(pair[0]);
    return join_as_child(ctx, team, rank, pair[1], parent);
  }
  (void)close(pair[1]);
  f->peers[f->count++] = (Peer){pair[0], pid};
  return BT_OK;
}

BtStatus bt_team_fork(BtContext *ctx, int size, BtTeam *team) {
  BtStatus st = BT_OK;
  bt_team_self(team);
  if (size < 1) return bt_fail(ctx, BT_ERR_ARG, "a team needs at least one process, got %d", size);
  if (size == 1) return BT_OK;

  Fork *f = calloc(1, sizeof *f + (size_t)(size - 1) * sizeof f->peers[0]);
  if (!f) return bt_fail_memory(ctx, "a team of processes", (double)size * sizeof f->peers[0]);
  f->lost = -1;
  *team = (BtTeam){
      .size = size, .sum = main_sum, .sum_items = main_sum_items, .destroy = fork_destroy, .data = f};
  /* What is buffered now must not be written once more by each child. */
  (void)fflush(NULL);
  for (int rank = 1; rank < size && team->rank == 0; rank++) BT_TRY(add_child(ctx, team, rank));
  if (team->rank == 0)
    for (int i = 0; i < f->count; i++)
      if (send_all(f->peers[i].fd, "", 1) != 0) BT_TRY(end_team(team, ctx, i + 1, FATE_DIED));

done:
  if (st < 0) {
    /* Children still wait for their start, so nothing of theirs is lost. */
    for (int i = 0; i < f->count; i++)
      if (f->peers[i].pid > 0) (void)kill(f->peers[i].pid, SIGKILL);
    fork_destroy(team);
    team->sum = self_sum;
    team->sum_items = self_sum_items;
    team->destroy = self_destroy;
  }
  return st;
}

/* Errors before outcomes, the most negative first, then the largest outcome. */
static int worse(double a, double b) { return a < 0 || b < 0 ? a < b : a > b; }

/* Gives every rank the error text of rank `speaker`, one character in each number of a sum. */
static BtStatus share_text(BtTeam *team, BtContext *ctx, int speaker) {
  double text[BT_ERROR_TEXT] = {0};
  if (ctx && team->rank == speaker)
    for (size_t i = 0; ctx->error[i]; i++) text[i] = (unsigned char)ctx->error[i];
  const BtStatus st = team->sum(team, ctx, text, BT_ERROR_TEXT);
  if (st < 0 || !ctx) return st;
  for (size_t i = 0; i < BT_ERROR_TEXT; i++) ctx->error[i] = (char)(unsigned char)text[i];
  return st;
}

BtStatus bt_team_agree(BtTeam *team, BtContext *ctx, BtStatus local) {
  BtStatus st = BT_OK;
  int speaker = 0;
  if (local >= 0 && bt_stop_requested(ctx)) local = BT_STOPPED;
  double *all = calloc((size_t)team->size, sizeof *all);
  if (!all) return bt_fail_memory(ctx, "the statuses of a team", (double)team->size * sizeof *all);
  all[team->rank] = (double)local;
  BT_TRY(team->sum(team, ctx, all, (size_t)team->size));
  for (int rank = 1; rank < team->size; rank++)
    if (worse(all[rank], all[speaker])) speaker = rank;
  const BtStatus worst = (BtStatus)all[speaker];
  if (worst < 0) BT_TRY(share_text(team, ctx, speaker));
  st = worst;
done:
  free(all);
  return st;
}

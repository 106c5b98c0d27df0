#include "lowerlevel/mpi_team.h"

#include <stdlib.h>
#include <string.h>

/* MPI counts are ints; long buffers travel in pieces of this many doubles. */
#define PIECE ((size_t)1 << 27)
/* Numbers of one item that a sum of items moves at a time: bounds its memory. */
#define ITEMS_PIECE ((size_t)1 << 20)

static BtStatus mpi_fail(BtContext *ctx, int code, const char *what) {
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  return bt_fail(ctx, BT_ERR_LIBRARY, "MPI error in %s: %s", what, text);
}

static BtStatus mpi_sum(BtTeam *team, BtContext *ctx, double *buffer, size_t n) {
  MPI_Comm comm = *(MPI_Comm *)team->data;
  for (size_t at = 0; at < n; at += PIECE) {
    const int count = (int)(n - at < PIECE ? n - at : PIECE);
    const int code = MPI_Allreduce(MPI_IN_PLACE, buffer + at, count, MPI_DOUBLE, MPI_SUM, comm);
    if (code != MPI_SUCCESS) return mpi_fail(ctx, code, "MPI_Allreduce");
  }
  return BT_OK;
}

/* Where rank r's segment of m numbers begins. */
static size_t segment(size_t m, int r, int size) {
  return m / (size_t)size * (size_t)r + (m % (size_t)size * (size_t)r) / (size_t)size;
}

/* What the exchange of a piece works on. */
typedef struct {
  char *packed, *segments; /* this rank's items cut by receiver; all items' segment of this rank */
  double *sum;             /* of that segment                                                    */
  int *counts;             /* [6 × size]                                                         */
  MPI_Datatype type;
  size_t bytes; /* of a number                                                        */
} Exchange;

/* An AllReduce in a fixed order, in its two halves: every rank receives its segment of all items and adds
 * them in their order; then the sums are gathered. */
static int add_piece(BtTeam *team, const BtTeamItems *items, size_t at, size_t m, Exchange *e,
                     double *total) {
  MPI_Comm comm = *(MPI_Comm *)team->data;
  const int size = team->size;
  const size_t owned = bt_team_owned(team, items->items);
  const size_t mine = segment(m, team->rank + 1, size) - segment(m, team->rank, size);
  int *send = e->counts, *send_at = send + size, *receive = send_at + size, *receive_at = receive + size,
      *share = receive_at + size, *share_at = share + size;
  char *packed = e->packed;
  for (int r = 0; r < size; r++) {
    const size_t first = segment(m, r, size), length = segment(m, r + 1, size) - first;
    const BtTeam other = {.rank = r, .size = size};
    share[r] = (int)length, share_at[r] = (int)first;
    send[r] = (int)(owned * length), send_at[r] = (int)(owned * first);
    receive[r] = (int)(bt_team_owned(&other, items->items) * mine);
    receive_at[r] = r ? receive_at[r - 1] + receive[r - 1] : 0;
    for (size_t i = 0; i < owned; i++, packed += length * e->bytes)
      memcpy(packed, (const char *)items->mine + (i * items->n + at + first) * e->bytes, length * e->bytes);
  }
  int code =
      MPI_Alltoallv(e->packed, send, send_at, e->type, e->segments, receive, receive_at, e->type, comm);
  if (code != MPI_SUCCESS) return code;
  bt_team_zero(e->sum, mine);
  for (size_t i = 0; i < items->items; i++) {
    const size_t from = (size_t)receive_at[i % (size_t)size] + i / (size_t)size * mine;
    bt_team_add(e->sum, e->segments + from * e->bytes, mine, items->single);
  }
  return MPI_Allgatherv(e->sum, (int)mine, MPI_DOUBLE, total, share, share_at, MPI_DOUBLE, comm);
}

static BtStatus mpi_sum_items(BtTeam *team, BtContext *ctx, const BtTeamItems *items, double *total) {
  const size_t size = (size_t)team->size;
  /* Counts of all items of a piece stay below those of MPI. */
  const size_t most = items->items > PIECE / ITEMS_PIECE ? PIECE / items->items : ITEMS_PIECE;
  const size_t piece = items->n < most ? items->n : most, owned = bt_team_owned(team, items->items);
  Exchange e = {.type = items->single ? MPI_FLOAT : MPI_DOUBLE,
                .bytes = items->single ? sizeof(float) : sizeof(double)};
  int code = MPI_SUCCESS;
  e.packed = malloc(owned * piece * e.bytes + 1);
  e.segments = malloc(items->items * (piece / size + 1) * e.bytes + 1);
  e.sum = malloc((piece / size + 1) * sizeof *e.sum);
  e.counts = malloc(6 * size * sizeof *e.counts);
  BtStatus st = e.packed && e.segments && e.sum && e.counts
                    ? BT_OK
                    : bt_fail_memory(ctx, "a sum over processes", (double)(items->items * piece * e.bytes));
  for (size_t at = 0; at < items->n && st >= 0; at += piece) {
    code = add_piece(team, items, at, items->n - at < piece ? items->n - at : piece, &e, total + at);
    if (code != MPI_SUCCESS) st = mpi_fail(ctx, code, "a sum of items");
  }
  free(e.packed), free(e.segments), free(e.sum), free(e.counts);
  return st;
}

static void mpi_destroy(BtTeam *team) {
  MPI_Comm_free((MPI_Comm *)team->data);
  free(team->data);
  bt_team_self(team);
}

BtStatus bt_team_mpi(BtContext *ctx, MPI_Comm comm, BtTeam *team) {
  MPI_Comm *own = malloc(sizeof *own);
  if (!own) return bt_fail_memory(ctx, "an MPI communicator", sizeof *own);
  int code = MPI_Comm_dup(comm, own);
  if (code != MPI_SUCCESS) {
    free(own);
    return mpi_fail(ctx, code, "MPI_Comm_dup");
  }
  *team = (BtTeam){.sum = mpi_sum, .sum_items = mpi_sum_items, .destroy = mpi_destroy, .data = own};
  code = MPI_Comm_set_errhandler(*own, MPI_ERRORS_RETURN);
  if (code == MPI_SUCCESS) code = MPI_Comm_rank(*own, &team->rank);
  if (code == MPI_SUCCESS) code = MPI_Comm_size(*own, &team->size);
  if (code != MPI_SUCCESS) {
    mpi_destroy(team);
    return mpi_fail(ctx, code, "MPI_Comm_dup");
  }
  return BT_OK;
}

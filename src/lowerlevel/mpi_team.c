#include "lowerlevel/mpi_team.h"

#include <stdlib.h>

/* MPI counts are ints; long buffers travel in pieces of this many doubles. */
#define PIECE ((size_t)1 << 27)

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
  *team = (BtTeam){.sum = mpi_sum, .destroy = mpi_destroy, .data = own};
  code = MPI_Comm_set_errhandler(*own, MPI_ERRORS_RETURN);
  if (code == MPI_SUCCESS) code = MPI_Comm_rank(*own, &team->rank);
  if (code == MPI_SUCCESS) code = MPI_Comm_size(*own, &team->size);
  if (code != MPI_SUCCESS) {
    mpi_destroy(team);
    return mpi_fail(ctx, code, "MPI_Comm_dup");
  }
  return BT_OK;
}

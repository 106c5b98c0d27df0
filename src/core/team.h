/* core/team.h: the processes that share one run.
 *
 * Work items (images) are dealt round robin: item i belongs to rank i mod size. All results travel through one
 * collective: the element-wise sum of a buffer in which every entry is set by exactly one rank and zero on the others.
 * Such a sum is exact, so results do not depend on the number of ranks.
 *
 * Implementations: a single process (here), forked processes on one machine (here: no MPI needed), MPI ranks
 * (lowerlevel/mpi_team.h). */
#ifndef BITUNE_CORE_TEAM_H
#define BITUNE_CORE_TEAM_H

#include <stddef.h>

#include "core/context.h"

typedef struct BtTeam BtTeam;
struct BtTeam {
  int rank, size;
  /* buffer[n] ← element-wise sum over ranks, the same on all of them. BT_ERR_TEAM when a process is gone. */
  BtStatus (*sum)(BtTeam *team, BtContext *ctx, double *buffer, size_t n);
  /* Frees what the implementation holds; a forked child's remaining duty is to exit. */
  void (*destroy)(BtTeam *team);
  void *data;
};

/* One process: sum() leaves the buffer as it is. */
void bt_team_self(BtTeam *team);

/* Forks size − 1 children that return from this call as ranks 1 … size−1, joined to rank 0 by sockets. Call it before
 * any threads, MPI or PETSc exist. If a process dies, the others' next sum() returns BT_ERR_TEAM; children are killed
 * with their parent. Errors: BT_ERR_ARG (size < 1), BT_ERR_LIBRARY (fork, socketpair). */
BtStatus bt_team_fork(BtContext *ctx, int size, BtTeam *team);

/* True if item i is this rank's. */
static inline int bt_team_owns(const BtTeam *team, size_t i) { return (int)(i % (size_t)team->size) == team->rank; }

/* Makes the outcome of local work common: every rank returns the worst status (errors before outcomes, most negative
 * first, then the largest outcome) and, if it is an error, carries its text. Also the place where a stop request of
 * one rank becomes BT_STOPPED on all. */
BtStatus bt_team_agree(BtTeam *team, BtContext *ctx, BtStatus local);

#endif

/* core/team.h: the processes that share one run.
 *
 * Work items (images) are dealt round robin: item i belongs to rank i mod size. All results travel through
 * one collective: the element-wise sum of a buffer in which every entry is set by exactly one rank and zero
 * on the others. Such a sum is exact, so results do not depend on the number of ranks. Where every item has a
 * value for every entry (the weights of replicas), the second collective adds them in the order of the items,
 * whoever owns them: its rounding does not depend on the number of ranks either.
 *
 * Implementations: a single process (here), forked processes on one machine (here: no MPI needed), MPI ranks
 * (lowerlevel/mpi_team.h). */
#ifndef BITUNE_CORE_TEAM_H
#define BITUNE_CORE_TEAM_H

#include <stddef.h>

#include "core/context.h"

/* What a rank gives to a sum of items. */
typedef struct {
  size_t items;     /* of the whole team, the same on all ranks                                         */
  size_t n;         /* numbers of one item, the same on all ranks                                       */
  const void *mine; /* this rank's items in ascending order, [owned × n]; NULL if it owns none; borrowed */
  int single;       /* numbers are float, else double                                                   */
} BtTeamItems;

typedef struct BtTeam BtTeam;
struct BtTeam {
  int rank, size;
  /* buffer[n] ← element-wise sum over ranks, the same on all of them. BT_ERR_TEAM when a process is gone. */
  BtStatus (*sum)(BtTeam *team, BtContext *ctx, double *buffer, size_t n);
  /* total[n] ← −0 + item 0 + item 1 + …, added in double precision in this order; the same bits on all ranks
   * and for any number of them. A rank sends its own items once and receives one total. BT_ERR_TEAM as above.
   */
  BtStatus (*sum_items)(BtTeam *team, BtContext *ctx, const BtTeamItems *items, double *total);
  /* Frees what the implementation holds; a forked child's remaining duty is to exit. */
  void (*destroy)(BtTeam *team);
  void *data;
};

/* One process: sum() leaves the buffer as it is. */
void bt_team_self(BtTeam *team);

/* Forks size − 1 children that return from this call as ranks 1 … size−1, joined to rank 0 by sockets. Call
 * it before any threads, MPI or PETSc exist. If a process dies, the others' next sum() returns BT_ERR_TEAM;
 * children are killed with their parent. Errors: BT_ERR_ARG (size < 1), BT_ERR_LIBRARY (fork, socketpair). */
BtStatus bt_team_fork(BtContext *ctx, int size, BtTeam *team);

/* True if item i is this rank's. */
static inline int bt_team_owns(const BtTeam *team, size_t i) {
  return (int)(i % (size_t)team->size) == team->rank;
}

/* Items that this rank owns of `items`. */
static inline size_t bt_team_owned(const BtTeam *team, size_t items) {
  const size_t rank = (size_t)team->rank;
  return items > rank ? (items - rank - 1) / (size_t)team->size + 1 : 0;
}

/* What sums of items are made of: total[i] ← −0, which added to leaves any number as it is, and total[i] +=
 * x[i], x float or double; i < n. */
void bt_team_zero(double *total, size_t n);
void bt_team_add(double *total, const void *x, size_t n, int single);

/* Makes the outcome of local work common: every rank returns the worst status (errors before outcomes, most
 * negative first, then the largest outcome) and, if it is an error, carries its text. Also the place where a
 * stop request of one rank becomes BT_STOPPED on all. */
BtStatus bt_team_agree(BtTeam *team, BtContext *ctx, BtStatus local);

#endif

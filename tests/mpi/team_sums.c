/* Under mpirun: the sum of items over MPI ranks has the bits of one process's; the first argument is the
 * number of items. Exit code 0, or 1 with a line on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lowerlevel/mpi_team.h"

#define LONGEST 2500001 /* numbers of an item: several pieces of a transfer */
#define MAX_ITEMS 9

static void fill_item(size_t item, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = (float)(bt_rng_uniform(5, item, i) - 0.5);
}

/* The ranks' own items one after the other against all of them on one. */
static int differs(BtContext *ctx, BtTeam *team, size_t items, size_t n, float *numbers, double *total,
                   double *wanted) {
  BtTeam self;
  size_t own = 0;
  for (size_t i = 0; i < items; i++)
    if (bt_team_owns(team, i)) fill_item(i, n, numbers + own++ * n);
  if (team->sum_items(team, ctx, &(BtTeamItems){items, n, numbers, 1}, total) < 0) return 1;
  for (size_t i = 0; i < items; i++) fill_item(i, n, numbers + i * n);
  bt_team_self(&self);
  if (self.sum_items(&self, ctx, &(BtTeamItems){items, n, numbers, 1}, wanted) < 0) return 1;
  return memcmp(total, wanted, n * sizeof *total) != 0;
}

int main(int argc, char **argv) {
  static const size_t lengths[] = {0, 1, 7, 1000, LONGEST};
  const size_t items = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
  BtContext ctx;
  BtTeam team;
  int bad = items < 1 || items > MAX_ITEMS;
  bt_context_init(&ctx);
  if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 1;
  if (bt_team_mpi(&ctx, MPI_COMM_WORLD, &team) < 0) return 1;
  float *numbers = malloc(MAX_ITEMS * (size_t)LONGEST * sizeof *numbers);
  double *total = malloc(LONGEST * sizeof *total), *wanted = malloc(LONGEST * sizeof *wanted);
  bad |= !numbers || !total || !wanted;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths && !bad; i++)
    bad = differs(&ctx, &team, items, lengths[i], numbers, total, wanted);
  if (bad)
    fprintf(stderr, "rank %d of %d: %zu items: wrong sum %s\n", team.rank, team.size, items, ctx.error);
  free(numbers), free(total), free(wanted);
  team.destroy(&team);
  return MPI_Finalize() != MPI_SUCCESS || bad;
}

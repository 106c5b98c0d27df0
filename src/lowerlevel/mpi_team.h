/* lowerlevel/mpi_team.h: the ranks of an MPI communicator as a team. */
#ifndef BITUNE_LOWERLEVEL_MPI_TEAM_H
#define BITUNE_LOWERLEVEL_MPI_TEAM_H

#include <mpi.h>

#include "core/team.h"

/* MPI must be initialised; the communicator is duplicated and set to return errors. Errors: BT_ERR_LIBRARY. */
BtStatus bt_team_mpi(BtContext *ctx, MPI_Comm comm, BtTeam *team);

#endif

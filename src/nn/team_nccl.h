/* nn/team_nccl.h: sums of items over GPUs by NCCL: the ranks of a team, each with a device of its own. */
#ifndef BITUNE_NN_TEAM_NCCL_H
#define BITUNE_NN_TEAM_NCCL_H

#include "core/team.h"

/* A team like `base` (borrowed), whose sum_items goes from device to device: an exchange in which each rank receives its
 * segment of all items, their addition in the order of the items, and a gathering of the sums: the bits of any other
 * team's. Collective over `base`, through which the ranks find each other and, before each sum, that all are there.
 * device: CUDA's number of this rank's GPU, that of no other rank. Errors, the same on all ranks: BT_ERR_UNSUPPORTED (built
 * without NCCL, library not found), BT_ERR_LIBRARY (NCCL's or CUDA's text), BT_ERR_TEAM. */
BtStatus nn_team_nccl(BtContext *ctx, BtTeam *base, int device, BtTeam *team);

/* What libbitune_nccl.so exports under the name nn_nccl_team; team_nccl_load.c loads it when it is asked for. */
typedef BtStatus NnNcclTeam(BtContext *ctx, BtTeam *base, int device, BtTeam *team);

#endif

#include "nn/team_nccl.h"

BtStatus nn_team_nccl(BtContext *ctx, BtTeam *base, int device, BtTeam *team) {
  (void)base, (void)team;
  return bt_fail(ctx, BT_ERR_UNSUPPORTED, "cuda:%d: built without NCCL", device);
}

#include <dlfcn.h>
#include <string.h>

#include "nn/team_nccl.h"

#define LIBRARY "libbitune_nccl.so"

/* The loader keeps the library for the rest of the process: CUDA does not bear being unloaded. A rank that cannot load it
 * must not leave the others waiting. */
BtStatus nn_team_nccl(BtContext *ctx, BtTeam *base, int device, BtTeam *team) {
  NnNcclTeam *open = NULL;
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void *entry = library ? dlsym(library, "nn_nccl_team") : NULL;
  if (entry) memcpy(&open, &entry, sizeof open); /* ISO C knows no cast between them */
  BtStatus st = open ? BT_OK : bt_fail(ctx, BT_ERR_UNSUPPORTED, "cuda:%d: %s", device, dlerror());
  if (library) (void)dlclose(library);
  st = bt_team_agree(base, ctx, st);
  return st == BT_OK ? open(ctx, base, device, team) : st;
}

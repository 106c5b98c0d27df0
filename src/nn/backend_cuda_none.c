#include "nn/backend_internal.h"

BtStatus nn_backend_cuda_open(BtContext *ctx, int index, int tf32, NnBackend **backend) {
  (void)tf32;
  *backend = NULL;
  return bt_fail(ctx, BT_ERR_UNSUPPORTED, "cuda:%d: built without CUDA; use the device cpu", index);
}

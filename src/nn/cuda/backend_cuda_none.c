#include "nn/backend_internal.h"

BtStatus nn_backend_cuda_open(BtContext *ctx, const NnCudaOptions *options, NnBackend **backend) {
  *backend = NULL;
  return bt_fail(ctx, BT_ERR_UNSUPPORTED, "cuda:%d: built without CUDA; use the device cpu", options->index);
}

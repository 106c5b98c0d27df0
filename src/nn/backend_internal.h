/* nn/backend_internal.h: the backends there are. */
#ifndef BITUNE_NN_BACKEND_INTERNAL_H
#define BITUNE_NN_BACKEND_INTERNAL_H

#include "nn/backend.h"

BtStatus nn_backend_cpu_open(BtContext *ctx, int threads, NnBackend **backend);

/* backend_cuda_none.c stands in where CUDA is not built: BT_ERR_UNSUPPORTED. */
BtStatus nn_backend_cuda_open(BtContext *ctx, int index, NnBackend **backend);

#endif

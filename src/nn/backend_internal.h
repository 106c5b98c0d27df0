/* nn/backend_internal.h: the backends there are. */
#ifndef BITUNE_NN_BACKEND_INTERNAL_H
#define BITUNE_NN_BACKEND_INTERNAL_H

#include "nn/backend.h"

BtStatus nn_backend_cpu_open(BtContext *ctx, int threads, NnBackend **backend);

/* Where CUDA is built this is backend_cuda_load.c: it loads the library bitune_cuda (backend_cuda.cu,
 * cuda_*.cu), which loads cuBLAS and cuDNN, when the first such device is opened: these take a third of a
 * second and 200 MB. The library's entry is nn_cuda_open. Elsewhere it is backend_cuda_none.c:
 * BT_ERR_UNSUPPORTED. */
typedef struct {
  int index;       /* of the device */
  int tf32, graph; /* as in nn_backend_open */
} NnCudaOptions;

BtStatus nn_backend_cuda_open(BtContext *ctx, const NnCudaOptions *options, NnBackend **backend);

typedef BtStatus NnCudaOpen(BtContext *ctx, const NnCudaOptions *options, NnBackend **backend);
NnCudaOpen nn_cuda_open;

#endif

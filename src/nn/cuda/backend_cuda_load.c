#include <dlfcn.h>
#include <string.h>

#include "nn/backend_internal.h"

#define LIBRARY "libbitune_cuda.so"

/* The loader keeps the library for the rest of the process: CUDA does not bear being unloaded. */
BtStatus nn_backend_cuda_open(BtContext *ctx, const NnCudaOptions *options, NnBackend **backend) {
  NnCudaOpen *open = NULL;
  *backend = NULL;
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "cuda:%d: %s; use the device cpu", options->index, dlerror());
  void *entry = dlsym(library, "nn_cuda_open");
  if (entry) memcpy(&open, &entry, sizeof open); /* ISO C knows no cast between them */
  const BtStatus st = open ? open(ctx, options, backend)
                           : bt_fail(ctx, BT_ERR_UNSUPPORTED, "cuda:%d: %s", options->index, dlerror());
  (void)dlclose(library);
  return st;
}

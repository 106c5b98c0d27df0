#include "nn/backend.h"

#include <stdlib.h>
#include <string.h>

#include "nn/backend_internal.h"

BtStatus nn_backend_open(BtContext *ctx, const char *device, int threads, NnBackend **backend) {
  *backend = NULL;
  if (threads < 0) return bt_fail(ctx, BT_ERR_ARG, "threads %d: must be 0 (all cores) or more", threads);
  if (strcmp(device, "cpu") == 0) return nn_backend_cpu_open(ctx, threads, backend);
  if (strcmp(device, "cuda") == 0) return nn_backend_cuda_open(ctx, 0, backend);
  if (strncmp(device, "cuda:", 5) == 0 && device[5] >= '0' && device[5] <= '9') {
    char *end;
    const long index = strtol(device + 5, &end, 10);
    if (!*end && index < 1024) return nn_backend_cuda_open(ctx, (int)index, backend);
  }
  return bt_fail(ctx, BT_ERR_ARG, "no device \"%s\"; use cpu, cuda or cuda:K", device);
}

void nn_backend_close(NnBackend *backend) {
  if (backend) backend->destroy(backend);
}

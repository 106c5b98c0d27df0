#include "nn/backend.h"

#include <stdlib.h>
#include <string.h>

#include "nn/backend_internal.h"

/* "", ":K", ",tf32" or ":K,tf32"; 0 if it is none of them. */
static int parse_cuda(const char *text, int *index, int *tf32) {
  *index = *tf32 = 0;
  if (text[0] == ':') {
    char *end;
    if (text[1] < '0' || text[1] > '9') return 0;
    const long value = strtol(text + 1, &end, 10);
    if (value >= 1024) return 0;
    *index = (int)value;
    text = end;
  }
  *tf32 = strcmp(text, ",tf32") == 0;
  return *tf32 || !*text;
}

BtStatus nn_backend_open(BtContext *ctx, const char *device, int threads, NnBackend **backend) {
  int index, tf32;
  *backend = NULL;
  if (threads < 0) return bt_fail(ctx, BT_ERR_ARG, "threads %d: must be 0 (all cores) or more", threads);
  if (strcmp(device, "cpu") == 0) return nn_backend_cpu_open(ctx, threads, backend);
  if (strncmp(device, "cuda", 4) == 0 && parse_cuda(device + 4, &index, &tf32))
    return nn_backend_cuda_open(ctx, index, tf32, backend);
  return bt_fail(ctx, BT_ERR_ARG, "no device \"%s\"; use cpu, cuda, cuda:K or cuda:K,tf32", device);
}

void nn_backend_close(NnBackend *backend) {
  if (backend) backend->destroy(backend);
}

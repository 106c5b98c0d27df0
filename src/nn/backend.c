#include "nn/backend.h"

#include <stdlib.h>
#include <string.h>

#include "nn/backend_internal.h"

/* "" or ":K", then, each at most once, ",tf32" and ",graph"; 0 if it is not that. */
static int parse_cuda(const char *text, NnCudaOptions *o) {
  struct {
    const char *name;
    int *on;
  } const choices[] = {{",tf32", &o->tf32}, {",graph", &o->graph}};
  *o = (NnCudaOptions){0};
  if (text[0] == ':') {
    char *end;
    if (text[1] < '0' || text[1] > '9') return 0;
    const long value = strtol(text + 1, &end, 10);
    if (value >= 1024) return 0;
    o->index = (int)value;
    text = end;
  }
  while (*text) {
    const char *before = text;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
      const size_t length = strlen(choices[i].name);
      if (strncmp(text, choices[i].name, length) != 0 || *choices[i].on) continue;
      *choices[i].on = 1;
      text += length;
    }
    if (text == before) return 0;
  }
  return 1;
}

BtStatus nn_backend_open(BtContext *ctx, const char *device, int threads, NnBackend **backend) {
  NnCudaOptions cuda;
  *backend = NULL;
  if (threads < 0) return bt_fail(ctx, BT_ERR_ARG, "threads %d: must be 0 (all cores) or more", threads);
  if (strcmp(device, "cpu") == 0) return nn_backend_cpu_open(ctx, threads, backend);
  if (strncmp(device, "cuda", 4) == 0 && parse_cuda(device + 4, &cuda))
    return nn_backend_cuda_open(ctx, &cuda, backend);
  return bt_fail(ctx, BT_ERR_ARG, "no device \"%s\"; use cpu, cuda or cuda:K, with ,tf32 or ,graph behind it",
                 device);
}

void nn_backend_close(NnBackend *backend) {
  if (backend) backend->destroy(backend);
}

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nn/backend_internal.h"
#include "nn/cpu/cpu_internal.h"

#define ALIGNMENT 256

typedef struct {
  NnBackend backend;
  NnKernels kernels;
} Cpu;

static BtStatus cpu_allocate(BtContext *ctx, NnBackend *b, size_t bytes, void **memory) {
  (void)b;
  *memory = NULL;
  const double physical = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  /* Systems that promise more memory than they have would end the process when it is touched. */
  if ((double)bytes > physical) return bt_fail_memory(ctx, "network", (double)bytes);
  const size_t padded = (bytes / ALIGNMENT + 1) * ALIGNMENT;
  void *p = aligned_alloc(ALIGNMENT, padded);
  if (!p) return bt_fail_memory(ctx, "network", (double)bytes);
  memset(p, 0, padded);
  *memory = p;
  return BT_OK;
}

static void cpu_release(NnBackend *b, void *memory) {
  (void)b;
  free(memory);
}

static BtStatus cpu_copy(BtContext *ctx, NnBackend *b, void *to, const void *from, size_t bytes) {
  (void)ctx, (void)b;
  if (bytes) memcpy(to, from, bytes);
  return BT_OK;
}

static BtStatus cpu_finish(BtContext *ctx, NnBackend *b) {
  (void)ctx, (void)b;
  return BT_OK;
}

static void cpu_destroy(NnBackend *b) { free(b->data); }

BtStatus nn_backend_cpu_open(BtContext *ctx, int threads, NnBackend **backend) {
  Cpu *cpu = calloc(1, sizeof *cpu);
  if (!cpu) return bt_fail_memory(ctx, "cpu backend", sizeof *cpu);
  nn_gemm_one_thread();
  cpu->kernels.gemm = nn_cpu_gemm;
  cpu->kernels.conv2d_work = nn_cpu_conv2d_work;
  cpu->kernels.conv2d = nn_cpu_conv2d;
  cpu->kernels.conv2d_data = nn_cpu_conv2d_data;
  cpu->kernels.conv2d_filter = nn_cpu_conv2d_filter;
  nn_cpu_pool_kernels(&cpu->kernels);
  nn_cpu_elementwise_kernels(&cpu->kernels);
  nn_cpu_channel_kernels(&cpu->kernels);
  nn_cpu_norm_kernels(&cpu->kernels);
  nn_cpu_loss_kernels(&cpu->kernels);
  nn_cpu_sequence_kernels(&cpu->kernels);
  nn_cpu_random_kernels(&cpu->kernels);
  nn_cpu_augment_kernels(&cpu->kernels);
  nn_cpu_optimizer_kernels(&cpu->kernels);
  cpu->backend = (NnBackend){.kernels = &cpu->kernels,
                             .name = "cpu",
                             .threads = threads > 0 ? threads : omp_get_max_threads(),
                             .allocate = cpu_allocate,
                             .release = cpu_release,
                             .upload = cpu_copy,
                             .download = cpu_copy,
                             .check = cpu_finish,
                             .finish = cpu_finish,
                             .destroy = cpu_destroy,
                             .data = cpu};
  *backend = &cpu->backend;
  return BT_OK;
}

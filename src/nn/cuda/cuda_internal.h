/* nn/cuda/cuda_internal.h: what the files of the CUDA backend share.
 *
 * A kernel is named NAME_kernel and started by the function NAME that stands behind it, on the backend's own
 * stream; nothing waits but download and finish. Loops stride over the grid, so that any grid is right; the
 * grids of reductions follow from the sizes alone, sums are added in a fixed order without atomics, so
 * results are the same bits in every run and on every device of a kind. Reductions sum in double.
 *
 * Code is C as far as C++ takes it, and uses no more of CUDA than tests/nn/cuda_emulation can run on a CPU.
 */
#ifndef BITUNE_NN_CUDA_INTERNAL_H
#define BITUNE_NN_CUDA_INTERNAL_H

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "nn/backend_internal.h"
#ifdef __cplusplus
}
#endif
#include "nn/element_internal.h"

#define NN_THREADS 256                /* of a block, a power of two                           */
#define NN_MAX_BLOCKS ((size_t)4096)  /* of an elementwise kernel: some for each multiprocessor */
#define NN_SUM_BLOCKS ((size_t)512)   /* of a reduction                                       */
#define NN_PARTIALS ((size_t)1 << 20) /* partial sums that a reduction may keep              */

#define NN_STAGES 8 /* uploads that may wait for the device at a time: those of two training steps */
#define NN_STAGE_BYTES ((size_t)2 << 20)

typedef struct NnConvPlan NnConvPlan;

typedef struct {
  NnBackend backend;
  NnKernels kernels;
  int device, tf32; /* tf32: products and convolutions may round their factors to 10 bits */
  int recording;    /* kernels are kept, not run                                          */
  cudaStream_t stream;
  cublasHandle_t cublas;
  cudnnHandle_t cudnn;
  void *blas_work;
  void *stage[NN_STAGES];        /* [NN_STAGE_BYTES] of pinned memory on the host */
  cudaEvent_t staged[NN_STAGES]; /* once the copy from it is done */
  int next_stage;
  double *partial;   /* [2 · NN_PARTIALS] on the device */
  NnConvPlan *plans; /* cuda_conv.cu, a list            */
  BtStatus status;   /* of the first error since the last finish() */
  char error[512];
} NnCuda;

/* The backend's state; its device becomes the thread's. */
NnCuda *nn_cuda(NnBackend *b);

/* 0 if the device runs none of the code that was built, cudaGetLastError() tells why. */
int nn_cuda_runs_kernels(void);

/* Keeps the first error for finish(). */
void nn_cuda_fail(NnCuda *cuda, BtStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* After the start of a kernel. */
void nn_cuda_started(NnCuda *cuda, const char *kernel);

/* Starts NAME_kernel with blocks of NN_THREADS; `grid` is a number of blocks or a dim3, none if it is 0. */
#ifndef NN_START
#define NN_START(cuda, name, grid, ...)                                    \
  do {                                                                     \
    name##_kernel<<<(grid), NN_THREADS, 0, (cuda)->stream>>>(__VA_ARGS__); \
    nn_cuda_started((cuda), #name);                                        \
  } while (0)
#endif

/* Starts an elementwise kernel for n elements. */
#define NN_START_EACH(cuda, name, n, ...)                                            \
  do {                                                                               \
    const size_t nn_count_ = (n);                                                    \
    if (nn_count_ > 0) NN_START(cuda, name, nn_cuda_blocks(nn_count_), __VA_ARGS__); \
  } while (0)

/* The thread's share of 0 … n−1. */
#define NN_EACH(i, n) \
  for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (size_t)gridDim.x * blockDim.x)

static inline unsigned nn_cuda_blocks(size_t n) {
  return (unsigned)nn_min((n + NN_THREADS - 1) / NN_THREADS, NN_MAX_BLOCKS);
}

/* i / n, in 32 bits where they do: a quarter of the instructions. */
NN_BOTH size_t nn_quotient(size_t i, size_t n) {
  return (i | n) >> 32 ? i / n : (size_t)((uint32_t)i / (uint32_t)n);
}

/* Where element i of [rows][repeat][channels][plane] belongs. */
typedef struct {
  size_t row, channel;
} NnPlace;

NN_BOTH NnPlace nn_place(NnRows n, size_t i) {
  const size_t k = n.plane == 1 ? i : nn_quotient(i, n.plane), line = nn_quotient(k, n.channels);
  NnPlace p;
  p.channel = k - line * n.channels;
  p.row = n.repeat == 1 ? line : nn_quotient(line, n.repeat);
  return p;
}

/* Four numbers as one load or store; pointers must be aligned to it. */
typedef struct __attribute__((aligned(16))) {
  NnReal v[4];
} NnFour;

NN_BOTH int nn_aligned(const void *p) { return ((uintptr_t)p & (sizeof(NnFour) - 1)) == 0; }

/* Sums over groups of `lanes` threads, a power of two that divides the block: all get their group's sum. All
 * threads of the block must call it; `shared` [NN_THREADS] may be used again afterwards. */
static __device__ inline double nn_group_sum(double v, double *shared, unsigned lanes) {
  const unsigned t = threadIdx.x, lane = t & (lanes - 1);
  shared[t] = v;
  __syncthreads();
  for (unsigned step = lanes / 2; step > 0; step /= 2) {
    if (lane < step) shared[t] += shared[t + step];
    __syncthreads();
  }
  const double sum = shared[t - lane];
  __syncthreads();
  return sum;
}

/* Threads of a group that shares `n` elements: the power of two from n on, at most a block. */
static inline unsigned nn_cuda_lanes(size_t n) {
  unsigned lanes = 1;
  while (lanes < n && lanes < NN_THREADS) lanes *= 2;
  return lanes;
}

/* Partial sums per channel, [splits][channels], on the device. */
typedef struct {
  const double *sum;
  size_t splits, channels;
} NnPartials;

static __device__ inline double nn_partial_total(NnPartials p, size_t channel) {
  double total = 0;
  for (size_t s = 0; s < p.splits; s++) total += p.sum[s * p.channels + channel];
  return total;
}

/* Σ over all but the channel of s·x·z (s, z NULL: ones), or, with `centre` [channels], of (x − centre)²; into
 * the first or second area of partial sums. No splits after an error: too many channels. */
NnPartials nn_cuda_channel_sums(NnCuda *cuda, int area, NnRows n, const NnReal *s, size_t stride,
                                const NnReal *x, const NnReal *z, const NnReal *centre);

/* Each of these sets the kernels of its file. */
void nn_cuda_gemm_kernels(NnKernels *kernels);
void nn_cuda_conv_kernels(NnKernels *kernels);
void nn_cuda_pool_kernels(NnKernels *kernels);
void nn_cuda_elementwise_kernels(NnKernels *kernels);
void nn_cuda_channel_kernels(NnKernels *kernels);
void nn_cuda_norm_kernels(NnKernels *kernels);
void nn_cuda_loss_kernels(NnKernels *kernels);
void nn_cuda_sequence_kernels(NnKernels *kernels);
void nn_cuda_random_kernels(NnKernels *kernels);
void nn_cuda_augment_kernels(NnKernels *kernels);
void nn_cuda_optimizer_kernels(NnKernels *kernels);

void nn_cuda_conv_destroy(NnCuda *cuda);

/* cuda_record.cu: has the backend record kernels. */
void nn_cuda_recording(NnBackend *b);

#endif

/* tests/nn/cuda_emulation/cuda_runtime.h: enough of CUDA to run the kernels of src/nn on a CPU.
 *
 * In place of the toolkit's headers it has the .cu files compile as C++, unchanged. A kernel's blocks run one
 * after the other; a block's threads run one after the other up to a barrier, where each waits on a stack of
 * its own until the last has come. The order of threads and blocks can be chosen (emulation.h): sums that
 * depend on it, or values read before the barrier that they need, show as different bits. Device memory is
 * full of NaN at first and cannot be touched but by kernels and copies; it ends where its page ends, as
 * nearly as its alignment allows. With the address sanitizer it is plain memory instead, whose ends that
 * watches.
 *
 * Everything runs when it is started, but for a stream that is captured: then kernels, copies and the
 * libraries' work are kept, with their arguments, for cudaGraphLaunch. What ends a capture on a device ends
 * it here: waits, allocations, copies from memory that is not pinned, kernels and libraries that have to set
 * themselves up first, products without a work space of their own.
 *
 * What it cannot show: how memory is seen by threads that run at the same time, host pointers given to
 * kernels, anything about speed, and what cuBLAS and cuDNN do; those are plain loops here, which check the
 * arguments that they get. */
#ifndef BITUNE_CUDA_EMULATION_H
#define BITUNE_CUDA_EMULATION_H

#include <stddef.h>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __shared__ static /* one block runs at a time */

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

extern dim3 gridDim, blockDim, blockIdx, threadIdx;

void __syncthreads(void);
int __syncthreads_or(int condition);

/* Device memory may be touched from the first to the last; pairs may be nested. */
void emulate_access(bool allowed);
void emulate_kernel(dim3 grid, unsigned threads, const std::function<void()> &body);

typedef struct EmulatedStream *cudaStream_t;
/* Does it now, or when the graph is launched that the stream is captured for. `setup`: what must have been
 * started without a capture before. False after an error. */
bool emulate_queue(cudaStream_t stream, const void *setup, const std::function<void()> &work);

template <typename T>
struct EmulatedArgument {
  typedef T type; /* converted as in a call, not deduced */
};

template <typename... P>
void emulate_start(cudaStream_t stream, dim3 grid, unsigned threads, void (*kernel)(P...),
                   typename EmulatedArgument<P>::type... arguments) {
  emulate_queue(stream, (const void *)kernel,
                [=] { emulate_kernel(grid, threads, [&] { kernel(arguments...); }); });
}

#define NN_START(cuda, name, grid, ...)                                            \
  do {                                                                             \
    emulate_start((cuda)->stream, (grid), NN_THREADS, name##_kernel, __VA_ARGS__); \
    nn_cuda_started((cuda), #name);                                                \
  } while (0)

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorIllegalAddress = 700,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor, cudaDevAttrComputeCapabilityMinor };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
#define CUDART_VERSION 0

typedef struct EmulatedGraph *cudaGraph_t;
typedef struct EmulatedGraph *cudaGraphExec_t;
typedef struct EmulatedEvent *cudaEvent_t;
struct cudaFuncAttributes {
  int version;
};

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *function);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMemGetInfo(size_t *left, size_t *total);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMallocHost(void **memory, size_t bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

#endif

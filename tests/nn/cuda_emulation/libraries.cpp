/* Memory, streams and errors of CUDA; cuBLAS and cuDNN as plain loops that check their arguments. */
#include <cublas_v2.h>
#include <cudnn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <set>
#include <vector>

extern "C" {
#include "nn/backend_internal.h"
}

#include "emulation.h"

#define DEVICES 2
#define ALIGNMENT ((size_t)256)
#define MOST_NAN \
  ((size_t)256 << 10) /* bytes of an allocation that are filled: touched pages take time to protect */

static cudaError_t last_error = cudaSuccess;

/* In place of backend_cuda_load.c. */
extern "C" BtStatus nn_backend_cuda_open(BtContext *ctx, const NnCudaOptions *options, NnBackend **backend) {
  return nn_cuda_open(ctx, options, backend);
}

void emulation_fail(void) { last_error = cudaErrorIllegalAddress; }

typedef std::vector<std::function<void()>> Work;

struct EmulatedGraph {
  Work work;
};

struct EmulatedStream {
  bool captured, broken;
  Work work;
};

static EmulatedStream *capture = NULL; /* of the one thread that there is */
static bool fail_capture = false;
static EmulationCounts counts;

void emulation_fail_capture(void) { fail_capture = true; }
EmulationCounts emulation_counts(void) { return counts; }

/* A call that a capture does not bear. */
static bool breaks_capture(void) {
  if (!capture) return false;
  capture->broken = true;
  last_error = cudaErrorStreamCaptureUnsupported;
  return true;
}

bool emulate_queue(cudaStream_t stream, const void *setup, const std::function<void()> &work) {
  static std::set<const void *> known;
  if (!stream->captured) {
    if (setup) known.insert(setup);
    counts.single++;
    work();
    return true;
  }
  if (stream->broken) return last_error = cudaErrorStreamCaptureInvalidated, false;
  if (setup && !known.count(setup)) return breaks_capture(), false;
  stream->work.push_back(work);
  return true;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (capture) return last_error = cudaErrorStreamCaptureUnsupported;
  stream->captured = true;
  stream->broken = false;
  capture = stream;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  const bool broken = stream->broken || fail_capture;
  *graph = NULL;
  if (capture != stream) return last_error = cudaErrorStreamCaptureUnsupported;
  if (!broken) *graph = new EmulatedGraph{stream->work};
  stream->captured = fail_capture = false;
  stream->work.clear();
  capture = NULL;
  return broken ? last_error = cudaErrorStreamCaptureInvalidated : cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  return *exec = new EmulatedGraph(*graph), cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (stream->captured) return breaks_capture(), last_error;
  counts.graphs++;
  emulate_access(true);
  for (const std::function<void()> &work : exec->work) work();
  emulate_access(false);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }

cudaError_t cudaGetDeviceCount(int *count) { return *count = DEVICES, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return device < DEVICES ? cudaSuccess : cudaErrorIllegalAddress; }
cudaError_t cudaDriverGetVersion(int *version) { return *version = 0, cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr, int) { return *value = 0, cudaSuccess; }
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *, const void *) { return cudaSuccess; }

cudaError_t cudaGetLastError(void) {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorStreamCaptureUnsupported: return "not permitted when the stream is captured";
    case cudaErrorStreamCaptureInvalidated: return "the capture was ended by an error";
    default: return "an illegal memory access";
  }
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total) {
  *left = *total = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
  return cudaSuccess;
}

#ifdef __SANITIZE_ADDRESS__
void emulate_access(bool) {}

static void *new_memory(size_t bytes) {
  void *memory = NULL;
  return posix_memalign(&memory, ALIGNMENT, bytes) == 0 ? memory : NULL;
}

static void end_memory(void *memory) { free(memory); }
#else
struct Pages {
  char *first, *memory;
  size_t bytes; /* of the pages that may be touched; one more lies behind them */
};
static std::vector<Pages> pages;

void emulate_access(bool allowed) {
  static int allowing = 0;
  if (allowed ? allowing++ > 0 : --allowing > 0) return;
  for (const Pages &p : pages)
    if (mprotect(p.first, p.bytes, allowed ? PROT_READ | PROT_WRITE : PROT_NONE) != 0) abort();
}

static void *new_memory(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), padded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  Pages p = {NULL, NULL, (padded + page - 1) / page * page};
  void *first = mmap(NULL, p.bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (first == MAP_FAILED) return NULL;
  p.first = (char *)first;
  p.memory = p.first + p.bytes - padded;
  pages.push_back(p);
  return p.memory;
}

static void end_memory(void *memory) {
  for (size_t i = 0; i < pages.size(); i++) {
    if (pages[i].memory != memory) continue;
    munmap(pages[i].first, pages[i].bytes + (size_t)sysconf(_SC_PAGESIZE));
    pages.erase(pages.begin() + (long)i);
    return;
  }
  if (memory) abort(); /* what was never allocated */
}
#endif

static void fill(void *memory, int value, size_t bytes) {
  emulate_access(true);
  memset(memory, value, bytes);
  emulate_access(false);
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
  size_t left, total;
  *memory = NULL;
  if (breaks_capture()) return last_error;
  cudaMemGetInfo(&left, &total);
  *memory = bytes <= total ? new_memory(bytes) : NULL;
  if (!*memory) return last_error = cudaErrorMemoryAllocation;
  fill(*memory, 0xff, bytes < MOST_NAN ? bytes : MOST_NAN);
  return cudaSuccess;
}

cudaError_t cudaFree(void *memory) {
  return breaks_capture() ? last_error : (end_memory(memory), cudaSuccess);
}

static std::map<const char *, size_t> pinned;

static bool is_pinned(const void *host, size_t bytes) {
  auto next = pinned.upper_bound((const char *)host);
  if (next == pinned.begin()) return false;
  --next;
  return (const char *)host + bytes <= next->first + next->second;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
  *memory = NULL;
  if (breaks_capture()) return last_error;
  *memory = calloc(1, bytes);
  if (!*memory) return last_error = cudaErrorMemoryAllocation;
  pinned[(const char *)*memory] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory) {
  return pinned.erase((const char *)memory), free(memory), cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream) {
  return emulate_queue(stream, NULL, [=] { fill(memory, value, bytes); }) ? cudaSuccess : last_error;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (!is_pinned(kind == cudaMemcpyHostToDevice ? from : to, bytes) && breaks_capture()) return last_error;
  const bool queued = emulate_queue(stream, NULL, [=] {
    emulate_access(true);
    memcpy(to, from, bytes);
    emulate_access(false);
  });
  return queued ? cudaSuccess : last_error;
}

template <typename T>
static void make(T **handle) {
  *handle = new T();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) { return make(stream), cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  counts.waits++;
  return breaks_capture() ? last_error : cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream, cudaSuccess; }

struct EmulatedEvent {};
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) { return make(event), cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return breaks_capture() ? last_error : cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }

struct EmulatedBlas {
  cudaStream_t stream;
  void *work; /* of the caller; NULL: it allocates its own */
};

cublasStatus_t cublasCreate(cublasHandle_t *handle) { return make(handle), CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasDestroy(cublasHandle_t handle) { return delete handle, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  *handle = {stream, NULL};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void *work, size_t) {
  return handle->work = work, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t, cublasAtomicsMode_t) { return CUBLAS_STATUS_SUCCESS; }
const char *cublasGetStatusString(cublasStatus_t status) { return status ? "invalid value" : "success"; }

cublasStatus_t cublasSgemm_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                              int64_t m, int64_t n, int64_t k, const float *alpha, const float *A,
                              int64_t lda, const float *B, int64_t ldb, const float *beta, float *C,
                              int64_t ldc) {
  if (m < 1 || n < 1 || k < 1 || lda < (op_a == CUBLAS_OP_N ? m : k) || ldb < (op_b == CUBLAS_OP_N ? k : n) ||
      ldc < m || (!handle->work && breaks_capture()))
    return CUBLAS_STATUS_INVALID_VALUE;
  const float alpha_now = *alpha, beta_now = *beta;
  const bool queued = emulate_queue(handle->stream, (const void *)cublasSgemm_64, [=] {
    emulate_access(true);
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i < m; i++) {
        float sum = 0, *c = C + j * ldc + i;
        for (int64_t l = 0; l < k; l++)
          sum += A[op_a == CUBLAS_OP_N ? l * lda + i : i * lda + l] *
                 B[op_b == CUBLAS_OP_N ? j * ldb + l : l * ldb + j];
        *c = alpha_now * sum + (beta_now == 0 ? 0 : beta_now * *c);
      }
    emulate_access(false);
  });
  return queued ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

struct EmulatedDnn {
  cudaStream_t stream;
};

size_t cudnnGetVersion(void) { return 0; }
const char *cudnnGetErrorString(cudnnStatus_t status) { return status ? "bad parameter" : "success"; }
cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) { return make(handle), CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return delete handle, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  return handle->stream = stream, CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *t) {
  return make(t), CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t t) {
  return delete t, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *f) {
  return make(f), CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t f) {
  return delete f, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *c) {
  return make(c), CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t c) {
  return delete c, CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t t, cudnnTensorFormat_t, cudnnDataType_t,
                                         int n, int c, int h, int w) {
  if (n < 1 || c < 1 || h < 1 || w < 1) return CUDNN_STATUS_BAD_PARAM;
  *t = {n, c, h, w};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t f, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  return cudnnSetTensor4dDescriptor(f, format, type, k, c, h, w);
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t c, int pad_h, int pad_w,
                                              int stride_h, int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t, cudnnDataType_t) {
  if (pad_h != pad_w || stride_h != stride_w || stride_h < 1 || dilation_h != 1 || dilation_w != 1)
    return CUDNN_STATUS_BAD_PARAM;
  *c = {pad_h, stride_h, CUDNN_DEFAULT_MATH};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t c, cudnnMathType_t math) {
  return c->math = math, CUDNN_STATUS_SUCCESS;
}

/* One that is not deterministic, one that needs more memory than there is, one that rounds its factors, and a
 * good one: only that one is accepted below. */
template <typename Performance, typename Algorithm>
static cudnnStatus_t list(int most, int *count, Performance *listed, Algorithm good) {
  const Algorithm bad = (Algorithm)0;
  if (breaks_capture()) return CUDNN_STATUS_BAD_PARAM; /* it may load code */
  const Performance all[] = {{bad, CUDNN_STATUS_SUCCESS, 1, 0, CUDNN_NON_DETERMINISTIC, CUDNN_FMA_MATH},
                             {bad, CUDNN_STATUS_SUCCESS, 2, SIZE_MAX, CUDNN_DETERMINISTIC, CUDNN_FMA_MATH},
                             {bad, CUDNN_STATUS_SUCCESS, 3, 0, CUDNN_DETERMINISTIC, CUDNN_TENSOR_OP_MATH},
                             {good, CUDNN_STATUS_SUCCESS, 4, 1024, CUDNN_DETERMINISTIC, CUDNN_FMA_MATH},
                             {bad, CUDNN_STATUS_BAD_PARAM, -1, 0, CUDNN_DETERMINISTIC, CUDNN_FMA_MATH}};
  *count = most < 5 ? most : 5;
  for (int i = 0; i < *count; i++) listed[i] = all[i];
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t,
                                                     cudnnFilterDescriptor_t, cudnnConvolutionDescriptor_t,
                                                     cudnnTensorDescriptor_t, int most, int *count,
                                                     cudnnConvolutionFwdAlgoPerf_t *listed) {
  return list(most, count, listed, CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t, cudnnFilterDescriptor_t,
                                                          cudnnTensorDescriptor_t,
                                                          cudnnConvolutionDescriptor_t,
                                                          cudnnTensorDescriptor_t, int most, int *count,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *listed) {
  return list(most, count, listed, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t,
                                                            cudnnTensorDescriptor_t,
                                                            cudnnConvolutionDescriptor_t,
                                                            cudnnFilterDescriptor_t, int most, int *count,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t *listed) {
  return list(most, count, listed, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
}

enum What { FORWARD, DATA, FILTER };

static size_t size_of(const EmulatedTensor *t) {
  return (size_t)t->n * (size_t)t->c * (size_t)t->h * (size_t)t->w;
}

/* All three run over the same products; `out` is the one that is written. */
static void convolve(What what, EmulatedTensor x, EmulatedTensor w, EmulatedTensor y, EmulatedConvolution c,
                     const float *a, const float *b, void *work, size_t bytes, float beta, float *out) {
  const EmulatedTensor *target = what == FORWARD ? &y : what == DATA ? &x : &w;
  emulate_access(true);
  memset(work, 0xff, bytes); /* it must be there, and nothing else may lie in it */
  for (size_t i = 0; i < size_of(target); i++) out[i] = beta == 0 ? 0 : beta * out[i];
  for (int n = 0; n < y.n; n++)
    for (int k = 0; k < y.c; k++)
      for (int oy = 0; oy < y.h; oy++)
        for (int ox = 0; ox < y.w; ox++)
          for (int q = 0; q < w.c; q++)
            for (int i = 0; i < w.h; i++)
              for (int j = 0; j < w.w; j++) {
                const int iy = oy * c.stride + i - c.pad, ix = ox * c.stride + j - c.pad;
                if (iy < 0 || ix < 0 || iy >= x.h || ix >= x.w) continue;
                const size_t at_x = (((size_t)n * x.c + q) * x.h + iy) * x.w + ix,
                             at_w = (((size_t)k * w.c + q) * w.h + i) * w.w + j,
                             at_y = (((size_t)n * y.c + k) * y.h + oy) * y.w + ox;
                if (what == FORWARD) out[at_y] += a[at_x] * b[at_w];
                if (what == DATA) out[at_x] += a[at_w] * b[at_y];
                if (what == FILTER) out[at_w] += a[at_x] * b[at_y];
              }
  emulate_access(false);
}

static cudnnStatus_t queue(cudnnHandle_t handle, What what, const EmulatedTensor *x, const EmulatedTensor *w,
                           const EmulatedTensor *y, const EmulatedConvolution *c, const void *a,
                           const void *b, void *work, size_t bytes, const void *beta, void *out) {
  static const char setup[FILTER + 1] = {0};
  if (w->c != x->c || y->n != x->n || y->c != w->n || y->h != (x->h + 2 * c->pad - w->h) / c->stride + 1 ||
      y->w != (x->w + 2 * c->pad - w->w) / c->stride + 1 || c->math != CUDNN_FMA_MATH || bytes < 1024)
    return CUDNN_STATUS_BAD_PARAM;
  const EmulatedTensor tx = *x, tw = *w, ty = *y;
  const EmulatedConvolution how = *c;
  const float beta_now = *(const float *)beta;
  const bool queued = emulate_queue(handle->stream, setup + what, [=] {
    convolve(what, tx, tw, ty, how, (const float *)a, (const float *)b, work, bytes, beta_now, (float *)out);
  });
  return queued ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x,
                                      const void *x_data, cudnnFilterDescriptor_t w, const void *w_data,
                                      cudnnConvolutionDescriptor_t c, cudnnConvolutionFwdAlgo_t algorithm,
                                      void *work, size_t bytes, const void *beta, cudnnTensorDescriptor_t y,
                                      void *y_data) {
  if (*(const float *)alpha != 1 || algorithm != CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED)
    return CUDNN_STATUS_BAD_PARAM;
  return queue(handle, FORWARD, x, w, y, c, x_data, w_data, work, bytes, beta, y_data);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, cudnnFilterDescriptor_t w,
                                           const void *w_data, cudnnTensorDescriptor_t y, const void *y_data,
                                           cudnnConvolutionDescriptor_t c,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void *work, size_t bytes,
                                           const void *beta, cudnnTensorDescriptor_t x, void *x_data) {
  if (*(const float *)alpha != 1 || algorithm != CUDNN_CONVOLUTION_BWD_DATA_ALGO_1)
    return CUDNN_STATUS_BAD_PARAM;
  return queue(handle, DATA, x, w, y, c, w_data, y_data, work, bytes, beta, x_data);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha,
                                             cudnnTensorDescriptor_t x, const void *x_data,
                                             cudnnTensorDescriptor_t y, const void *y_data,
                                             cudnnConvolutionDescriptor_t c,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *work,
                                             size_t bytes, const void *beta, cudnnFilterDescriptor_t w,
                                             void *w_data) {
  if (*(const float *)alpha != 1 || algorithm != CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1)
    return CUDNN_STATUS_BAD_PARAM;
  return queue(handle, FILTER, x, w, y, c, x_data, y_data, work, bytes, beta, w_data);
}

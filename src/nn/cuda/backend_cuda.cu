/* The CUDA backend: one device, one stream. Kernels are queued behind each other; check() looks at errors
 * without waiting, download() and finish() wait. Uploads go through pinned buffers in turn: the caller may
 * change its own at once, and the device takes the data when it comes to it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/cuda/cuda_internal.h"

#define BLAS_WORK ((size_t)32 << 20) /* bytes, what cuBLAS recommends for its fastest products */
#define MIB (1.0 / (1 << 20))

NnCuda *nn_cuda(NnBackend *b) {
  NnCuda *cuda = (NnCuda *)b->data;
  const cudaError_t error = cudaSetDevice(cuda->device);
  if (error != cudaSuccess)
    nn_cuda_fail(cuda, BT_ERR_LIBRARY, "device %d: %s", cuda->device, cudaGetErrorString(error));
  return cuda;
}

void nn_cuda_fail(NnCuda *cuda, BtStatus status, const char *format, ...) {
  va_list args;
  if (cuda->status < 0) return;
  cuda->status = status;
  va_start(args, format);
  vsnprintf(cuda->error, sizeof cuda->error, format, args);
  va_end(args);
}

void nn_cuda_started(NnCuda *cuda, const char *kernel) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess)
    nn_cuda_fail(cuda, BT_ERR_LIBRARY, "kernel %s or one before it: %s; CUDA_LAUNCH_BLOCKING=1 tells which",
                 kernel, cudaGetErrorString(error));
}

static BtStatus report(BtContext *ctx, NnCuda *cuda) {
  const BtStatus status = cuda->status;
  if (status >= 0) return BT_OK;
  cuda->status = BT_OK;
  return bt_fail(ctx, status, "%s: %s", cuda->backend.name, cuda->error);
}

static BtStatus cuda_check(BtContext *ctx, NnBackend *b) { return report(ctx, (NnCuda *)b->data); }

/* What would end a recording is not begun; the recording then fails with this cause. */
static int refused(NnCuda *cuda, const char *what) {
  if (cuda->recording) nn_cuda_fail(cuda, BT_ERR_ARG, "%s while kernels are recorded", what);
  return cuda->recording;
}

static BtStatus cuda_finish(BtContext *ctx, NnBackend *b) {
  NnCuda *cuda = nn_cuda(b);
  if (refused(cuda, "a wait")) return report(ctx, cuda);
  const cudaError_t error = cudaStreamSynchronize(cuda->stream);
  if (error != cudaSuccess) {
    (void)cudaGetLastError();
    nn_cuda_fail(cuda, BT_ERR_LIBRARY, "a kernel or copy failed: %s; CUDA_LAUNCH_BLOCKING=1 tells which",
                 cudaGetErrorString(error));
  }
  return report(ctx, cuda);
}

/* Memory that is not zeroed. */
static BtStatus reserve(BtContext *ctx, NnCuda *cuda, size_t bytes, void **memory) {
  size_t left = 0, total = 0;
  *memory = NULL;
  const cudaError_t error = cudaMalloc(memory, bytes);
  if (error == cudaSuccess) return BT_OK;
  *memory = NULL;
  (void)cudaGetLastError();
  if (error != cudaErrorMemoryAllocation)
    return bt_fail(ctx, BT_ERR_LIBRARY, "%s: allocation: %s", cuda->backend.name, cudaGetErrorString(error));
  (void)cudaMemGetInfo(&left, &total);
  return bt_fail(
      ctx, BT_ERR_MEMORY, "%s: needs %.0f bytes (%.0f MiB); %.0f of %.0f MiB are free; use a smaller batch",
      cuda->backend.name, (double)bytes, (double)bytes * MIB, (double)left * MIB, (double)total * MIB);
}

static BtStatus cuda_allocate(BtContext *ctx, NnBackend *b, size_t bytes, void **memory) {
  NnCuda *cuda = nn_cuda(b);
  if (bytes == 0) bytes = 1;
  const BtStatus st = reserve(ctx, cuda, bytes, memory);
  if (st < 0) return st;
  const cudaError_t error = cudaMemsetAsync(*memory, 0, bytes, cuda->stream);
  if (error == cudaSuccess) return BT_OK;
  (void)cudaFree(*memory);
  (void)cudaGetLastError();
  *memory = NULL;
  return bt_fail(ctx, BT_ERR_LIBRARY, "%s: zeroing: %s", b->name, cudaGetErrorString(error));
}

static void cuda_release(NnBackend *b, void *memory) {
  NnCuda *cuda = nn_cuda(b);
  const cudaError_t error = cudaFree(memory);
  if (error != cudaSuccess) nn_cuda_fail(cuda, BT_ERR_LIBRARY, "release: %s", cudaGetErrorString(error));
}

static BtStatus cuda_upload(BtContext *ctx, NnBackend *b, void *device, const void *host, size_t bytes) {
  NnCuda *cuda = nn_cuda(b);
  cudaError_t error = cudaSuccess;
  if (refused(cuda, "an upload")) return report(ctx, cuda);
  for (size_t at = 0; at < bytes && error == cudaSuccess; at += NN_STAGE_BYTES) {
    const int k = cuda->next_stage;
    const size_t part = nn_min(bytes - at, NN_STAGE_BYTES);
    cuda->next_stage = (k + 1) % NN_STAGES;
    error = cudaEventSynchronize(cuda->staged[k]);
    if (error != cudaSuccess) break;
    memcpy(cuda->stage[k], (const char *)host + at, part);
    error = cudaMemcpyAsync((char *)device + at, cuda->stage[k], part, cudaMemcpyHostToDevice, cuda->stream);
    if (error == cudaSuccess) error = cudaEventRecord(cuda->staged[k], cuda->stream);
  }
  if (error != cudaSuccess) {
    (void)cudaGetLastError();
    nn_cuda_fail(cuda, BT_ERR_LIBRARY, "upload of %zu bytes: %s", bytes, cudaGetErrorString(error));
  }
  return report(ctx, cuda);
}

static BtStatus cuda_download(BtContext *ctx, NnBackend *b, void *host, const void *device, size_t bytes) {
  NnCuda *cuda = nn_cuda(b);
  if (refused(cuda, "a download")) return report(ctx, cuda);
  const cudaError_t error =
      bytes ? cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, cuda->stream) : cudaSuccess;
  if (error != cudaSuccess) {
    (void)cudaGetLastError();
    nn_cuda_fail(cuda, BT_ERR_LIBRARY, "download of %zu bytes: %s", bytes, cudaGetErrorString(error));
  }
  return cuda_finish(ctx, b);
}

static void cuda_destroy(NnBackend *b) {
  NnCuda *cuda = nn_cuda(b);
  if (cuda->stream) (void)cudaStreamSynchronize(cuda->stream);
  nn_cuda_conv_destroy(cuda);
  if (cuda->cudnn) (void)cudnnDestroy(cuda->cudnn);
  if (cuda->cublas) (void)cublasDestroy(cuda->cublas);
  if (cuda->blas_work) (void)cudaFree(cuda->blas_work);
  if (cuda->partial) (void)cudaFree(cuda->partial);
  for (int k = 0; k < NN_STAGES; k++) {
    if (cuda->staged[k]) (void)cudaEventDestroy(cuda->staged[k]);
    if (cuda->stage[k]) (void)cudaFreeHost(cuda->stage[k]);
  }
  if (cuda->stream) (void)cudaStreamDestroy(cuda->stream);
  free(cuda);
}

/* BT_ERR_UNSUPPORTED where the device is missing or none of the built kernels runs on it. */
static BtStatus find_device(BtContext *ctx, int index) {
  int count = 0, driver = 0, major = 0, minor = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  (void)cudaGetLastError();
  if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0;
  (void)cudaGetLastError();
  if (error != cudaSuccess)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED,
                   "cuda:%d: 0 devices: %s (driver for CUDA %d.%d, built with %d.%d)", index,
                   cudaGetErrorString(error), driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000,
                   CUDART_VERSION % 1000 / 10);
  if (index >= count)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "cuda:%d: there are %d devices, counted from 0", index, count);
  if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) != cudaSuccess ||
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index) != cudaSuccess)
    major = minor = 0;
  (void)cudaGetLastError();
  if (cudaSetDevice(index) != cudaSuccess || !nn_cuda_runs_kernels()) {
    const cudaError_t reason = cudaGetLastError();
    return bt_fail(ctx, BT_ERR_UNSUPPORTED,
                   "cuda:%d: compute capability %d.%d: %s; build with CMAKE_CUDA_ARCHITECTURES=%d%d", index,
                   major, minor, cudaGetErrorString(reason), major, minor);
  }
  return BT_OK;
}

static BtStatus open_libraries(BtContext *ctx, NnCuda *cuda) {
  cudaError_t created = cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking);
  for (int k = 0; k < NN_STAGES && created == cudaSuccess; k++) {
    created = cudaMallocHost(&cuda->stage[k], NN_STAGE_BYTES);
    if (created == cudaSuccess) created = cudaEventCreateWithFlags(&cuda->staged[k], cudaEventDisableTiming);
  }
  if (created != cudaSuccess)
    return bt_fail(ctx, BT_ERR_LIBRARY, "%s: %s", cuda->backend.name, cudaGetErrorString(created));
  BtStatus st = reserve(ctx, cuda, BLAS_WORK, &cuda->blas_work);
  if (st >= 0) st = reserve(ctx, cuda, 2 * NN_PARTIALS * sizeof *cuda->partial, (void **)&cuda->partial);
  if (st < 0) return st;

  cublasStatus_t blas = cublasCreate(&cuda->cublas);
  if (blas == CUBLAS_STATUS_SUCCESS) blas = cublasSetStream(cuda->cublas, cuda->stream);
  /* After the stream, which would put back cuBLAS's own. */
  if (blas == CUBLAS_STATUS_SUCCESS) blas = cublasSetWorkspace(cuda->cublas, cuda->blas_work, BLAS_WORK);
  if (blas == CUBLAS_STATUS_SUCCESS)
    blas = cublasSetMathMode(cuda->cublas, cuda->tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
  if (blas == CUBLAS_STATUS_SUCCESS) blas = cublasSetAtomicsMode(cuda->cublas, CUBLAS_ATOMICS_NOT_ALLOWED);
  if (blas != CUBLAS_STATUS_SUCCESS)
    return bt_fail(ctx, BT_ERR_LIBRARY, "%s: cuBLAS: %s", cuda->backend.name, cublasGetStatusString(blas));

  cudnnStatus_t dnn = cudnnCreate(&cuda->cudnn);
  if (dnn == CUDNN_STATUS_SUCCESS) dnn = cudnnSetStream(cuda->cudnn, cuda->stream);
  if (dnn != CUDNN_STATUS_SUCCESS)
    return bt_fail(ctx, BT_ERR_LIBRARY, "%s: cuDNN: %s", cuda->backend.name, cudnnGetErrorString(dnn));
  return BT_OK;
}

static void set_tables(NnCuda *cuda, int graph) {
  NnBackend *b = &cuda->backend;
  nn_cuda_gemm_kernels(&cuda->kernels);
  nn_cuda_conv_kernels(&cuda->kernels);
  nn_cuda_pool_kernels(&cuda->kernels);
  nn_cuda_elementwise_kernels(&cuda->kernels);
  nn_cuda_channel_kernels(&cuda->kernels);
  nn_cuda_norm_kernels(&cuda->kernels);
  nn_cuda_loss_kernels(&cuda->kernels);
  nn_cuda_sequence_kernels(&cuda->kernels);
  nn_cuda_random_kernels(&cuda->kernels);
  nn_cuda_augment_kernels(&cuda->kernels);
  nn_cuda_optimizer_kernels(&cuda->kernels);
  snprintf(b->name, sizeof b->name, "cuda:%d%s%s", cuda->device, cuda->tf32 ? ",tf32" : "",
           graph ? ",graph" : "");
  b->kernels = &cuda->kernels;
  b->threads = 1;
  b->allocate = cuda_allocate;
  b->release = cuda_release;
  b->upload = cuda_upload;
  b->download = cuda_download;
  b->check = cuda_check;
  b->finish = cuda_finish;
  if (graph) nn_cuda_recording(b);
  b->destroy = cuda_destroy;
  b->data = cuda;
}

extern "C" BtStatus nn_cuda_open(BtContext *ctx, const NnCudaOptions *options, NnBackend **backend) {
  *backend = NULL;
  BtStatus st = find_device(ctx, options->index);
  if (st < 0) return st;
  NnCuda *cuda = (NnCuda *)calloc(1, sizeof *cuda);
  if (!cuda) return bt_fail_memory(ctx, "cuda backend", sizeof *cuda);
  cuda->device = options->index;
  cuda->tf32 = options->tf32;
  set_tables(cuda, options->graph);
  st = open_libraries(ctx, cuda);
  if (st >= 0) st = cuda_finish(ctx, &cuda->backend);
  if (st < 0)
    cuda_destroy(&cuda->backend);
  else
    *backend = &cuda->backend;
  return st;
}

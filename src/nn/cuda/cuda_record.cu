/* Recordings are CUDA graphs, captured from the backend's stream. cuBLAS and cuDNN take part: their work
 * space is given to them, so that they allocate nothing, and their scalars are host numbers, kept with the
 * kernels. */
#include "nn/cuda/cuda_internal.h"

struct NnRecording {
  cudaGraphExec_t exec;
};

static BtStatus unsupported(BtContext *ctx, NnCuda *cuda, const char *what, cudaError_t error) {
  (void)cudaGetLastError();
  return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: CUDA graph: %s: %s", cuda->backend.name, what,
                 cudaGetErrorString(error));
}

/* Of this thread: others may allocate and wait meanwhile. */
static BtStatus record(BtContext *ctx, NnBackend *b) {
  NnCuda *cuda = nn_cuda(b);
  const cudaError_t error = cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal);
  if (error != cudaSuccess) return unsupported(ctx, cuda, "beginning", error);
  cuda->recording = 1;
  return BT_OK;
}

static BtStatus instantiate(BtContext *ctx, NnCuda *cuda, cudaGraph_t graph, NnRecording **recording) {
  NnRecording *r = (NnRecording *)calloc(1, sizeof *r);
  if (!r) return bt_fail_memory(ctx, "recording", sizeof *r);
  const cudaError_t error = cudaGraphInstantiate(&r->exec, graph, 0);
  if (error == cudaSuccess) {
    *recording = r;
    return BT_OK;
  }
  free(r);
  return unsupported(ctx, cuda, "instantiation", error);
}

static BtStatus recorded(BtContext *ctx, NnBackend *b, NnRecording **recording) {
  NnCuda *cuda = nn_cuda(b);
  cudaGraph_t graph = NULL;
  *recording = NULL;
  cuda->recording = 0;
  const cudaError_t error = cudaStreamEndCapture(cuda->stream, &graph);
  /* What a kernel or library said is the cause of what the capture says. */
  BtStatus st = b->check(ctx, b);
  (void)cudaGetLastError();
  if (st >= 0 && error != cudaSuccess) st = unsupported(ctx, cuda, "capture", error);
  if (st >= 0) st = instantiate(ctx, cuda, graph, recording);
  if (graph) (void)cudaGraphDestroy(graph);
  return st;
}

static BtStatus replay(BtContext *ctx, NnBackend *b, NnRecording *recording) {
  NnCuda *cuda = nn_cuda(b);
  const cudaError_t error = cudaGraphLaunch(recording->exec, cuda->stream);
  if (error != cudaSuccess) {
    (void)cudaGetLastError();
    nn_cuda_fail(cuda, BT_ERR_LIBRARY, "CUDA graph: start: %s", cudaGetErrorString(error));
  }
  return b->check(ctx, b);
}

static void forget(NnBackend *b, NnRecording *recording) {
  (void)nn_cuda(b);
  (void)cudaGraphExecDestroy(recording->exec);
  free(recording);
}

void nn_cuda_recording(NnBackend *b) {
  b->record = record;
  b->recorded = recorded;
  b->replay = replay;
  b->forget = forget;
}

/* Convolutions by cuDNN. A plan, made when a shape is met for the first time, holds its descriptors and the
 * algorithms: of those that cuDNN's heuristics list, fastest first, the first that is deterministic, computes
 * in the precision asked for and fits into the work space. That space is a function of the sizes alone that
 * grows with the batch, so that what a graph reserves for its largest batch is enough for each smaller one.
 */
#include <stdlib.h>
#include <string.h>

#include "nn/cuda/cuda_internal.h"

#define MAX_ALGORITHMS 16
#define LEAST_WORK ((size_t)1 << 20) /* bytes */
#define MOST_WORK ((size_t)256 << 20)

typedef struct {
  int algorithm;
  cudnnMathType_t math;
} Choice;

struct NnConvPlan {
  NnConv conv;
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t conv_descriptor;
  Choice forward, data, filter;
  size_t work; /* bytes */
  NnConvPlan *next;
};

/* Four times what the convolution reads and writes (Winograd's transforms of 4 × 4 tiles take 2.25 times
 * that) and something for small ones. */
static size_t work_bytes(const NnConv *c) {
  const size_t x = c->batch * c->channels * c->height * c->width,
               y = c->batch * c->filters * c->out_height * c->out_width,
               w = c->filters * c->channels * c->kernel_height * c->kernel_width;
  return nn_min(4 * (x + y + w) * sizeof(NnReal) + LEAST_WORK, MOST_WORK);
}

static size_t conv2d_work(NnBackend *b, const NnConv *c) {
  (void)b;
  return work_bytes(c) / sizeof(NnReal);
}

static int failed(NnCuda *cuda, const NnConv *c, const char *what, cudnnStatus_t status) {
  if (status == CUDNN_STATUS_SUCCESS) return 0;
  nn_cuda_fail(cuda, BT_ERR_LIBRARY, "cuDNN: %s of %zu x %zu x %zu x %zu with %zu filters %zu x %zu: %s",
               what, c->batch, c->channels, c->height, c->width, c->filters, c->kernel_height,
               c->kernel_width, cudnnGetErrorString(status));
  return 1;
}

/* True of an algorithm that may be taken. */
static int suits(const NnCuda *cuda, size_t work, cudnnStatus_t status, size_t memory,
                 cudnnDeterminism_t determinism, cudnnMathType_t math) {
  return status == CUDNN_STATUS_SUCCESS && memory <= work && determinism == CUDNN_DETERMINISTIC &&
         (cuda->tf32 || math == CUDNN_FMA_MATH || math == CUDNN_DEFAULT_MATH);
}

/* Takes the first of `count` listed algorithms that suits. */
#define CHOOSE(choice, listed)                                                                \
  for (int i = count - 1; i >= 0; i--)                                                        \
    if (suits(cuda, p->work, (listed)[i].status, (listed)[i].memory, (listed)[i].determinism, \
              (listed)[i].mathType))                                                          \
  (choice).algorithm = (int)(listed)[i].algo,                                                 \
  (choice).math = cuda->tf32 ? (listed)[i].mathType : CUDNN_FMA_MATH

static int choose(NnCuda *cuda, NnConvPlan *p) {
  cudnnConvolutionFwdAlgoPerf_t forward[MAX_ALGORITHMS];
  cudnnConvolutionBwdDataAlgoPerf_t data[MAX_ALGORITHMS];
  cudnnConvolutionBwdFilterAlgoPerf_t filter[MAX_ALGORITHMS];
  const char *what = "algorithms";
  int count = 0;
  /* Where no listed algorithm suits, those that need little or no work space. */
  p->forward.algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;
  p->data.algorithm = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
  p->filter.algorithm = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
  p->forward.math = p->data.math = p->filter.math = cuda->tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
  if (failed(cuda, &p->conv, what,
             cudnnGetConvolutionForwardAlgorithm_v7(cuda->cudnn, p->x, p->w, p->conv_descriptor, p->y,
                                                    MAX_ALGORITHMS, &count, forward)))
    return 0;
  CHOOSE(p->forward, forward);
  if (failed(cuda, &p->conv, what,
             cudnnGetConvolutionBackwardDataAlgorithm_v7(cuda->cudnn, p->w, p->y, p->conv_descriptor, p->x,
                                                         MAX_ALGORITHMS, &count, data)))
    return 0;
  CHOOSE(p->data, data);
  if (failed(cuda, &p->conv, what,
             cudnnGetConvolutionBackwardFilterAlgorithm_v7(cuda->cudnn, p->x, p->y, p->conv_descriptor, p->w,
                                                           MAX_ALGORITHMS, &count, filter)))
    return 0;
  CHOOSE(p->filter, filter);
  return 1;
}

static int describe(NnCuda *cuda, NnConvPlan *p) {
  const NnConv *c = &p->conv;
  const char *what = "description";
  return !failed(cuda, c, what, cudnnCreateTensorDescriptor(&p->x)) &&
         !failed(cuda, c, what, cudnnCreateTensorDescriptor(&p->y)) &&
         !failed(cuda, c, what, cudnnCreateFilterDescriptor(&p->w)) &&
         !failed(cuda, c, what, cudnnCreateConvolutionDescriptor(&p->conv_descriptor)) &&
         !failed(cuda, c, what,
                 cudnnSetTensor4dDescriptor(p->x, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, (int)c->batch,
                                            (int)c->channels, (int)c->height, (int)c->width)) &&
         !failed(cuda, c, what,
                 cudnnSetTensor4dDescriptor(p->y, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, (int)c->batch,
                                            (int)c->filters, (int)c->out_height, (int)c->out_width)) &&
         !failed(cuda, c, what,
                 cudnnSetFilter4dDescriptor(p->w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, (int)c->filters,
                                            (int)c->channels, (int)c->kernel_height, (int)c->kernel_width)) &&
         !failed(cuda, c, what,
                 cudnnSetConvolution2dDescriptor(p->conv_descriptor, (int)c->pad, (int)c->pad, (int)c->stride,
                                                 (int)c->stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                                 CUDNN_DATA_FLOAT)) &&
         !failed(cuda, c, what,
                 cudnnSetConvolutionMathType(p->conv_descriptor,
                                             cuda->tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH));
}

static void release(NnConvPlan *p) {
  if (p->x) (void)cudnnDestroyTensorDescriptor(p->x);
  if (p->y) (void)cudnnDestroyTensorDescriptor(p->y);
  if (p->w) (void)cudnnDestroyFilterDescriptor(p->w);
  if (p->conv_descriptor) (void)cudnnDestroyConvolutionDescriptor(p->conv_descriptor);
  free(p);
}

void nn_cuda_conv_destroy(NnCuda *cuda) {
  while (cuda->plans) {
    NnConvPlan *p = cuda->plans;
    cuda->plans = p->next;
    release(p);
  }
}

static int same(const NnConv *a, const NnConv *b) {
  return a->batch == b->batch && a->channels == b->channels && a->height == b->height &&
         a->width == b->width && a->filters == b->filters && a->kernel_height == b->kernel_height &&
         a->kernel_width == b->kernel_width && a->stride == b->stride && a->pad == b->pad;
}

/* cuDNN counts elements in 32 bits. */
static int fits(const NnConv *c) {
  return c->batch * c->channels * c->height * c->width <= INT32_MAX &&
         c->batch * c->filters * c->out_height * c->out_width <= INT32_MAX &&
         c->filters * c->channels * c->kernel_height * c->kernel_width <= INT32_MAX;
}

/* NULL after an error. */
static NnConvPlan *plan_of(NnCuda *cuda, const NnConv *c) {
  for (NnConvPlan *p = cuda->plans; p; p = p->next)
    if (same(&p->conv, c)) return p;
  if (!fits(c)) {
    nn_cuda_fail(
        cuda, BT_ERR_UNSUPPORTED,
        "convolution of %zu x %zu x %zu x %zu: cuDNN takes fewer than 2^31 elements; use a smaller batch",
        c->batch, c->channels, c->height, c->width);
    return NULL;
  }
  NnConvPlan *p = (NnConvPlan *)calloc(1, sizeof *p);
  if (!p) {
    nn_cuda_fail(cuda, BT_ERR_MEMORY, "out of memory");
    return NULL;
  }
  p->conv = *c;
  p->work = work_bytes(c);
  if (!describe(cuda, p) || !choose(cuda, p)) {
    release(p);
    return NULL;
  }
  p->next = cuda->plans;
  cuda->plans = p;
  return p;
}

/* The plan, set up for the precision of one of its choices. */
static int set_math(NnCuda *cuda, NnConvPlan *p, Choice choice) {
  return !failed(cuda, &p->conv, "precision", cudnnSetConvolutionMathType(p->conv_descriptor, choice.math));
}

static void conv2d(NnBackend *b, const NnConv *c, const NnReal *x, const NnReal *w, NnReal beta, NnReal *y,
                   NnReal *work) {
  NnCuda *cuda = nn_cuda(b);
  NnConvPlan *p = plan_of(cuda, c);
  const NnReal one = 1;
  if (!p || !set_math(cuda, p, p->forward)) return;
  (void)failed(cuda, c, "convolution",
               cudnnConvolutionForward(cuda->cudnn, &one, p->x, x, p->w, w, p->conv_descriptor,
                                       (cudnnConvolutionFwdAlgo_t)p->forward.algorithm, work, p->work, &beta,
                                       p->y, y));
}

static void conv2d_data(NnBackend *b, const NnConv *c, const NnReal *w, const NnReal *gy, NnReal beta,
                        NnReal *gx, NnReal *work) {
  NnCuda *cuda = nn_cuda(b);
  NnConvPlan *p = plan_of(cuda, c);
  const NnReal one = 1;
  if (!p || !set_math(cuda, p, p->data)) return;
  (void)failed(cuda, c, "data gradient of convolution",
               cudnnConvolutionBackwardData(cuda->cudnn, &one, p->w, w, p->y, gy, p->conv_descriptor,
                                            (cudnnConvolutionBwdDataAlgo_t)p->data.algorithm, work, p->work,
                                            &beta, p->x, gx));
}

static void conv2d_filter(NnBackend *b, const NnConv *c, const NnReal *x, const NnReal *gy, NnReal beta,
                          NnReal *gw, NnReal *work) {
  NnCuda *cuda = nn_cuda(b);
  NnConvPlan *p = plan_of(cuda, c);
  const NnReal one = 1;
  if (!p || !set_math(cuda, p, p->filter)) return;
  (void)failed(cuda, c, "filter gradient of convolution",
               cudnnConvolutionBackwardFilter(cuda->cudnn, &one, p->x, x, p->y, gy, p->conv_descriptor,
                                              (cudnnConvolutionBwdFilterAlgo_t)p->filter.algorithm, work,
                                              p->work, &beta, p->w, gw));
}

void nn_cuda_conv_kernels(NnKernels *k) {
  k->conv2d_work = conv2d_work;
  k->conv2d = conv2d;
  k->conv2d_data = conv2d_data;
  k->conv2d_filter = conv2d_filter;
}

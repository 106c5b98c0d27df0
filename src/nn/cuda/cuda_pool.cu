/* Pooling. Adjoints are gathered: an element adds up the windows that it lies in, in their order, as the CPU
 * does. cuDNN's pooling keeps no index, and its tangent would need another pass. */
#include "nn/cuda/cuda_internal.h"

static __global__ void max_pool_kernel(NnPool p, size_t outputs, const NnReal *x, NnReal *y, int32_t *index) {
  const size_t in = p.height * p.width, out = p.out_height * p.out_width;
  NN_EACH(i, outputs) {
    const size_t k = nn_quotient(i, out), o = i - k * out, oy = nn_quotient(o, p.out_width);
    const NnReal *plane = x + k * in;
    const size_t best = nn_window_best(&p, nn_window(&p, oy, o - oy * p.out_width), plane);
    y[i] = plane[best];
    index[i] = (int32_t)best;
  }
}

static size_t outputs_of(const NnPool *p) { return p->planes * p->out_height * p->out_width; }
static size_t inputs_of(const NnPool *p) { return p->planes * p->height * p->width; }

static void max_pool(NnBackend *b, const NnPool *p, const NnReal *x, NnReal *y, int32_t *index) {
  NN_START_EACH(nn_cuda(b), max_pool, outputs_of(p), *p, outputs_of(p), x, y, index);
}

static __global__ void max_pool_gather_kernel(NnPool p, size_t outputs, const NnReal *x, const int32_t *index,
                                              NnReal beta, NnReal *y) {
  const size_t in = p.height * p.width, out = p.out_height * p.out_width;
  NN_EACH(i, outputs) y[i] = nn_blend(x[nn_quotient(i, out) * in + (size_t)index[i]], beta, y + i);
}

static void max_pool_gather(NnBackend *b, const NnPool *p, const NnReal *x, const int32_t *index, NnReal beta,
                            NnReal *y) {
  NN_START_EACH(nn_cuda(b), max_pool_gather, outputs_of(p), *p, outputs_of(p), x, index, beta, y);
}

/* The windows that a row or column lies in: first, and one past the last. */
typedef struct {
  size_t first, end;
} Windows;

static __device__ inline Windows windows_over(const NnPool *p, size_t at, size_t count) {
  const size_t q = at + p->pad; /* window o covers o·stride … o·stride + kernel − 1 */
  Windows w;
  w.first = q < p->kernel ? 0 : nn_quotient(q - p->kernel, p->stride) + 1;
  w.end = nn_min(nn_quotient(q, p->stride) + 1, count);
  return w;
}

/* index NULL: the average's adjoint. */
static __global__ void pool_adjoint_kernel(NnPool p, size_t inputs, const NnReal *gy, const int32_t *index,
                                           NnReal beta, NnReal *gx) {
  const size_t in = p.height * p.width, out = p.out_height * p.out_width;
  NN_EACH(i, inputs) {
    const size_t k = nn_quotient(i, in), at = i - k * in, row = nn_quotient(at, p.width);
    const Windows y = windows_over(&p, row, p.out_height),
                  x = windows_over(&p, at - row * p.width, p.out_width);
    NnReal sum = beta == 0 ? 0 : beta * gx[i];
    for (size_t oy = y.first; oy < y.end; oy++)
      for (size_t ox = x.first; ox < x.end; ox++) {
        const size_t o = k * out + oy * p.out_width + ox;
        if (!index)
          sum += gy[o] / nn_window_size(nn_window(&p, oy, ox));
        else if ((size_t)index[o] == at)
          sum += gy[o];
      }
    gx[i] = sum;
  }
}

static void max_pool_scatter(NnBackend *b, const NnPool *p, const NnReal *gy, const int32_t *index,
                             NnReal beta, NnReal *gx) {
  NN_START_EACH(nn_cuda(b), pool_adjoint, inputs_of(p), *p, inputs_of(p), gy, index, beta, gx);
}

static __global__ void average_pool_kernel(NnPool p, size_t outputs, const NnReal *x, NnReal beta,
                                           NnReal *y) {
  const size_t in = p.height * p.width, out = p.out_height * p.out_width;
  NN_EACH(i, outputs) {
    const size_t k = nn_quotient(i, out), o = i - k * out, oy = nn_quotient(o, p.out_width);
    const NnWindow w = nn_window(&p, oy, o - oy * p.out_width);
    y[i] = nn_blend(nn_window_mean(&p, w, x + k * in), beta, y + i);
  }
}

static void average_pool(NnBackend *b, const NnPool *p, const NnReal *x, NnReal beta, NnReal *y) {
  NN_START_EACH(nn_cuda(b), average_pool, outputs_of(p), *p, outputs_of(p), x, beta, y);
}

static void average_pool_data(NnBackend *b, const NnPool *p, const NnReal *gy, NnReal beta, NnReal *gx) {
  NN_START_EACH(nn_cuda(b), pool_adjoint, inputs_of(p), *p, inputs_of(p), gy, NULL, beta, gx);
}

void nn_cuda_pool_kernels(NnKernels *k) {
  k->max_pool = max_pool;
  k->max_pool_gather = max_pool_gather;
  k->max_pool_scatter = max_pool_scatter;
  k->average_pool = average_pool;
  k->average_pool_data = average_pool_data;
}

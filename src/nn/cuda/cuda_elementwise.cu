/* Elementwise kernels; those that only stream through memory take four elements at a time. */
#include "nn/cuda/cuda_internal.h"

static __global__ void fill_kernel(size_t n, NnReal value, NnReal *x) { NN_EACH(i, n) x[i] = value; }

int nn_cuda_runs_kernels(void) {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, (const void *)fill_kernel) == cudaSuccess;
}

static void fill(NnBackend *b, size_t n, NnReal value, NnReal *x) {
  NN_START_EACH(nn_cuda(b), fill, n, n, value, x);
}

/* x may be y. `fours`: both are aligned; the last n mod 4 elements come one by one. */
static __global__ void axpby_kernel(size_t n, int fours, NnReal alpha, const NnReal *x, NnReal beta,
                                    NnReal *y) {
  const size_t quads = fours ? n / 4 : 0;
  NN_EACH(q, quads) {
    const NnFour u = ((const NnFour *)x)[q];
    NnFour v;
    if (beta != 0) v = ((const NnFour *)y)[q];
    for (int k = 0; k < 4; k++) v.v[k] = beta == 0 ? alpha * u.v[k] : alpha * u.v[k] + beta * v.v[k];
    ((NnFour *)y)[q] = v;
  }
  NN_EACH(r, n - 4 * quads) {
    const size_t i = 4 * quads + r;
    y[i] = nn_blend(alpha * x[i], beta, y + i);
  }
}

static void axpby(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, NnReal beta, NnReal *y) {
  const int fours = nn_aligned(x) && nn_aligned(y);
  NN_START_EACH(nn_cuda(b), axpby, fours ? (n + 3) / 4 : n, n, fours, alpha, x, beta, y);
}

static __global__ void multiply_kernel(size_t n, int fours, NnReal alpha, const NnReal *x, const NnReal *y,
                                       NnReal beta, NnReal *z) {
  const size_t quads = fours ? n / 4 : 0;
  NN_EACH(q, quads) {
    const NnFour u = ((const NnFour *)x)[q], v = ((const NnFour *)y)[q];
    NnFour w;
    if (beta != 0) w = ((const NnFour *)z)[q];
    for (int k = 0; k < 4; k++)
      w.v[k] = beta == 0 ? alpha * u.v[k] * v.v[k] : alpha * u.v[k] * v.v[k] + beta * w.v[k];
    ((NnFour *)z)[q] = w;
  }
  NN_EACH(r, n - 4 * quads) {
    const size_t i = 4 * quads + r;
    z[i] = nn_blend(alpha * x[i] * y[i], beta, z + i);
  }
}

static void multiply(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
                     NnReal *z) {
  const int fours = nn_aligned(x) && nn_aligned(y) && nn_aligned(z);
  NN_START_EACH(nn_cuda(b), multiply, fours ? (n + 3) / 4 : n, n, fours, alpha, x, y, beta, z);
}

static __device__ inline NnReal unary_value(NnUnary f, NnReal x) {
  switch (f) {
    case NN_RELU: return nn_relu(x);
    case NN_TANH: return NN_MATH(tanh)(x);
    case NN_SIGMOID: return nn_sigmoid(x);
    case NN_SOFTPLUS: return nn_softplus(x);
    case NN_EXP: return NN_MATH(exp)(x);
    case NN_LOG: return NN_MATH(log)(x);
    case NN_FLOOR: return NN_MATH(floor)(x);
    default: return x;
  }
}

static __device__ inline NnReal unary_slope(NnUnary f, NnReal x, NnReal y) {
  switch (f) {
    case NN_RELU: return (NnReal)(x > 0);
    case NN_TANH: return 1 - y * y;
    case NN_SIGMOID: return y * (1 - y);
    case NN_SOFTPLUS: return nn_sigmoid(x);
    case NN_EXP: return y;
    case NN_LOG: return 1 / x;
    default: return 0;
  }
}

static __global__ void unary_kernel(NnUnary f, size_t n, int fours, const NnReal *x, NnReal *y) {
  const size_t quads = fours ? n / 4 : 0;
  NN_EACH(q, quads) {
    NnFour u = ((const NnFour *)x)[q];
    for (int k = 0; k < 4; k++) u.v[k] = unary_value(f, u.v[k]);
    ((NnFour *)y)[q] = u;
  }
  NN_EACH(r, n - 4 * quads) {
    const size_t i = 4 * quads + r;
    y[i] = unary_value(f, x[i]);
  }
}

static void unary(NnBackend *b, NnUnary f, size_t n, const NnReal *x, NnReal *y) {
  const int fours = nn_aligned(x) && nn_aligned(y);
  NN_START_EACH(nn_cuda(b), unary, fours ? (n + 3) / 4 : n, f, n, fours, x, y);
}

static __global__ void unary_chain_kernel(NnUnary f, size_t n, const NnReal *x, const NnReal *y,
                                          const NnReal *u, NnReal beta, NnReal *v) {
  NN_EACH(i, n) v[i] = nn_blend(unary_slope(f, x[i], y[i]) * u[i], beta, v + i);
}

static void unary_chain(NnBackend *b, NnUnary f, size_t n, const NnReal *x, const NnReal *y, const NnReal *u,
                        NnReal beta, NnReal *v) {
  NN_START_EACH(nn_cuda(b), unary_chain, n, f, n, x, y, u, beta, v);
}

static __global__ void copy_rows_kernel(size_t rows, size_t columns, NnReal alpha, const NnReal *src,
                                        size_t src_stride, NnReal beta, NnReal *dst, size_t dst_stride) {
  NN_EACH(i, rows * columns) {
    const size_t r = nn_quotient(i, columns), j = i - r * columns;
    NnReal *to = dst + r * dst_stride + j;
    *to = nn_blend(alpha * src[r * src_stride + j], beta, to);
  }
}

static void copy_rows(NnBackend *b, size_t rows, size_t columns, NnReal alpha, const NnReal *src,
                      size_t src_stride, NnReal beta, NnReal *dst, size_t dst_stride) {
  NN_START_EACH(nn_cuda(b), copy_rows, rows * columns, rows, columns, alpha, src, src_stride, beta, dst,
                dst_stride);
}

void nn_cuda_elementwise_kernels(NnKernels *k) {
  k->fill = fill;
  k->axpby = axpby;
  k->multiply = multiply;
  k->unary = unary;
  k->unary_chain = unary_chain;
  k->copy_rows = copy_rows;
}

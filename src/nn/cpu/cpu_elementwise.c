#include "nn/cpu/cpu_internal.h"

BT_SIMD static void fill_chunk(size_t n, NnReal value, NnReal *restrict x) {
  for (size_t i = 0; i < n; i++) x[i] = value;
}

static void fill(NnBackend *b, size_t n, NnReal value, NnReal *x) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK) fill_chunk(nn_min(NN_CHUNK, n - i), value, x + i);
}

BT_SIMD static void axpby_chunk(size_t n, NnReal alpha, const NnReal *x, NnReal beta, NnReal *y) {
  if (beta == 0)
    for (size_t i = 0; i < n; i++) y[i] = alpha * x[i];
  else
    for (size_t i = 0; i < n; i++) y[i] = alpha * x[i] + beta * y[i];
}

static void axpby(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, NnReal beta, NnReal *y) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK) axpby_chunk(nn_min(NN_CHUNK, n - i), alpha, x + i, beta, y + i);
}

BT_SIMD static void multiply_chunk(size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
                                   NnReal *z) {
  if (beta == 0)
    for (size_t i = 0; i < n; i++) z[i] = alpha * x[i] * y[i];
  else
    for (size_t i = 0; i < n; i++) z[i] = alpha * x[i] * y[i] + beta * z[i];
}

static void multiply(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
                     NnReal *z) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    multiply_chunk(nn_min(NN_CHUNK, n - i), alpha, x + i, y + i, beta, z + i);
}

static void copy_rows(NnBackend *b, size_t rows, size_t columns, NnReal alpha, const NnReal *src,
                      size_t src_stride, NnReal beta, NnReal *dst, size_t dst_stride) {
  NN_PARALLEL(b, rows * columns)
  for (size_t r = 0; r < rows; r++)
    axpby_chunk(columns, alpha, src + r * src_stride, beta, dst + r * dst_stride);
}

BT_SIMD static void relu_chunk(size_t n, const NnReal *x, NnReal *y) {
  for (size_t i = 0; i < n; i++) y[i] = nn_relu(x[i]);
}

BT_SIMD static void tanh_chunk(size_t n, const NnReal *x, NnReal *y) {
  for (size_t i = 0; i < n; i++) y[i] = nn_tanh(x[i]);
}

BT_SIMD static void sigmoid_chunk(size_t n, const NnReal *x, NnReal *y) {
  for (size_t i = 0; i < n; i++) y[i] = nn_sigmoid(x[i]);
}

static void unary_chunk(NnUnary f, size_t n, const NnReal *x, NnReal *y) {
  switch (f) {
    case NN_RELU: relu_chunk(n, x, y); break;
    case NN_TANH: tanh_chunk(n, x, y); break;
    case NN_SIGMOID: sigmoid_chunk(n, x, y); break;
    case NN_SOFTPLUS:
      for (size_t i = 0; i < n; i++) y[i] = nn_softplus(x[i]);
      break;
    case NN_EXP:
      for (size_t i = 0; i < n; i++) y[i] = NN_MATH(exp)(x[i]);
      break;
    case NN_LOG:
      for (size_t i = 0; i < n; i++) y[i] = NN_MATH(log)(x[i]);
      break;
    case NN_FLOOR:
      for (size_t i = 0; i < n; i++) y[i] = (NnReal)floor((double)x[i]);
      break;
    case NN_UNARY_COUNT: break;
  }
}

static void unary(NnBackend *b, NnUnary f, size_t n, const NnReal *x, NnReal *y) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK) unary_chunk(f, nn_min(NN_CHUNK, n - i), x + i, y + i);
}

/* v = d·u + beta·v with the derivative d as an expression of x[i] and y[i] */
#define CHAIN(d)                                                  \
  if (beta == 0)                                                  \
    for (size_t i = 0; i < n; i++) v[i] = (d)*u[i];               \
  else                                                            \
    for (size_t i = 0; i < n; i++) v[i] = (d)*u[i] + beta * v[i]; \
  break

BT_SIMD static void chain_chunk(NnUnary f, size_t n, const NnReal *x, const NnReal *y, const NnReal *u,
                                NnReal beta, NnReal *v) {
  switch (f) {
    case NN_RELU: CHAIN((NnReal)(x[i] > 0));
    case NN_TANH: CHAIN(1 - y[i] * y[i]);
    case NN_SIGMOID: CHAIN(y[i] * (1 - y[i]));
    case NN_SOFTPLUS: CHAIN(nn_sigmoid(x[i]));
    case NN_EXP: CHAIN(y[i]);
    case NN_LOG: CHAIN(1 / x[i]);
    case NN_FLOOR: CHAIN(0);
    case NN_UNARY_COUNT: break;
  }
}

static void unary_chain(NnBackend *b, NnUnary f, size_t n, const NnReal *x, const NnReal *y, const NnReal *u,
                        NnReal beta, NnReal *v) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    chain_chunk(f, nn_min(NN_CHUNK, n - i), x + i, y + i, u + i, beta, v + i);
}

void nn_cpu_elementwise_kernels(NnKernels *k) {
  k->fill = fill;
  k->axpby = axpby;
  k->multiply = multiply;
  k->unary = unary;
  k->unary_chain = unary_chain;
  k->copy_rows = copy_rows;
}

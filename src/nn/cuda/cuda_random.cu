/* A thread draws a block of Philox: four elements. Masks are the CPU's bits; normal numbers are computed in
 * double and agree with the CPU's to the rounding of log, sqrt, sin and cos, that is in all but rare last
 * bits. */
#include "nn/cuda/cuda_internal.h"
#include "nn/draw_internal.h"

static __global__ void dropout_mask_kernel(NnKey key, size_t n, size_t count, const NnReal *rate,
                                           size_t stride, NnReal *mask) {
  key = nn_key_here(key);
  NN_EACH(q, (n + 3) / 4) {
    const NnWords c = nn_draw(key, q);
    size_t row = nn_quotient(4 * q, count);
    NnDropRule rule = nn_drop_rule(rate[row * stride]);
    NnFour m;
    for (int k = 0; k < 4; k++) {
      const size_t i = 4 * q + (size_t)k;
      for (; i < n && i >= (row + 1) * count; row++) rule = nn_drop_rule(rate[(row + 1) * stride]);
      m.v[k] = nn_dropped(rule, c.w[k]);
    }
    if (4 * q + 4 <= n && nn_aligned(mask))
      ((NnFour *)mask)[q] = m;
    else
      for (int k = 0; k < 4 && 4 * q + (size_t)k < n; k++) mask[4 * q + (size_t)k] = m.v[k];
  }
}

static void dropout_mask(NnBackend *b, NnKey key, size_t rows, size_t count, const NnReal *rate,
                         size_t stride, NnReal *mask) {
  const size_t n = rows * count;
  NN_START_EACH(nn_cuda(b), dropout_mask, (n + 3) / 4, key, n, count, rate, stride, mask);
}

static __global__ void normal_kernel(NnKey key, size_t n, NnReal *x) {
  key = nn_key_here(key);
  NN_EACH(q, (n + 3) / 4) {
    const NnWords c = nn_draw(key, q);
    for (int k = 0; k < 4 && 4 * q + (size_t)k < n; k++) x[4 * q + (size_t)k] = nn_normal_of(&c, k);
  }
}

static void normal(NnBackend *b, NnKey key, size_t n, NnReal *x) {
  NN_START_EACH(nn_cuda(b), normal, (n + 3) / 4, key, n, x);
}

void nn_cuda_random_kernels(NnKernels *k) {
  k->dropout_mask = dropout_mask;
  k->normal = normal;
}

#include "nn/cuda/cuda_internal.h"

static __global__ void sgd_kernel(const NnSgd *o, size_t n, const NnReal *g, NnReal *w, NnReal *m) {
  const NnSgd s = *o;
  NN_EACH(i, n) {
    if (m)
      nn_sgd_momentum(s, g[i], w + i, m + i);
    else
      nn_sgd_plain(s, g[i], w + i);
  }
}

static void sgd(NnBackend *b, const NnSgd *o, size_t n, const NnReal *g, NnReal *w, NnReal *momentum) {
  NN_START_EACH(nn_cuda(b), sgd, n, o, n, g, w, momentum);
}

static __global__ void adam_kernel(const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *m,
                                   NnReal *v) {
  const NnAdam s = *o;
  NN_EACH(i, n) nn_adam_one(s, g[i], w + i, m + i, v + i);
}

static void adam(NnBackend *b, const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *first,
                 NnReal *second) {
  NN_START_EACH(nn_cuda(b), adam, n, o, n, g, w, first, second);
}

static __global__ void rmsprop_kernel(const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *v,
                                      NnReal *m) {
  const NnRmsprop s = *o;
  NN_EACH(i, n) nn_rmsprop_one(s, g[i], w + i, v + i, m ? m + i : NULL);
}

static void rmsprop(NnBackend *b, const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *square,
                    NnReal *momentum) {
  NN_START_EACH(nn_cuda(b), rmsprop, n, o, n, g, w, square, momentum);
}

static __global__ void clip_kernel(size_t n, double most, const NnReal *square, NnReal *x) {
  const NnReal factor = nn_clip_factor(most, *square);
  if (factor == 1) return;
  NN_EACH(i, n) x[i] = factor * x[i];
}

static void clip(NnBackend *b, size_t n, double most, const NnReal *square, NnReal *x) {
  NN_START_EACH(nn_cuda(b), clip, n, n, most, square, x);
}

/* Whether an element of the block's threads' shares is not finite: the same answer in all of them. */
static __device__ inline int any_nonfinite(size_t n, const NnReal *x) {
  int found = 0;
  for (size_t i = threadIdx.x; i < n && !found; i += NN_THREADS) found = !nn_finite(x[i]);
  return __syncthreads_or(found);
}

/* One block: each of its threads reads the few numbers; once in a run they go through the arrays together. */
static __global__ void find_nonfinite_kernel(size_t count, const NnReal *watched, size_t arrays,
                                             const NnArray *array, size_t rows, NnReal *first) {
  size_t k = 0;
  int bad = 0;
  for (size_t i = 0; i < count; i++) bad |= !nn_finite(watched[i]);
  if (bad)
    while (k < arrays && !any_nonfinite(array[k].size * (array[k].batched ? rows : 1), array[k].x)) k++;
  if (threadIdx.x == 0) *first = bad ? (NnReal)k : -1;
}

static void find_nonfinite(NnBackend *b, size_t count, const NnReal *watched, size_t arrays,
                           const NnArray *array, size_t rows, NnReal *first) {
  NN_START(nn_cuda(b), find_nonfinite, 1u, count, watched, arrays, array, rows, first);
}

void nn_cuda_optimizer_kernels(NnKernels *k) {
  k->clip = clip;
  k->find_nonfinite = find_nonfinite;
  k->sgd = sgd;
  k->adam = adam;
  k->rmsprop = rmsprop;
}

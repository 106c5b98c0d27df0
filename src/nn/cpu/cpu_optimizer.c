#include "nn/cpu/cpu_internal.h"

BT_SIMD static void sgd_chunk(NnSgd s, size_t n, const NnReal *g, NnReal *w, NnReal *m) {
  if (m)
    for (size_t i = 0; i < n; i++) nn_sgd_momentum(s, g[i], w + i, m + i);
  else
    for (size_t i = 0; i < n; i++) nn_sgd_plain(s, g[i], w + i);
}

static void sgd(NnBackend *b, const NnSgd *o, size_t n, const NnReal *g, NnReal *w, NnReal *momentum) {
  const NnSgd s = *o;
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    sgd_chunk(s, nn_min(NN_CHUNK, n - i), g + i, w + i, momentum ? momentum + i : NULL);
}

BT_SIMD static void adam_chunk(NnAdam s, size_t n, const NnReal *g, NnReal *w, NnReal *m, NnReal *v) {
  for (size_t i = 0; i < n; i++) nn_adam_one(s, g[i], w + i, m + i, v + i);
}

static void adam(NnBackend *b, const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *first,
                 NnReal *second) {
  const NnAdam s = *o;
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    adam_chunk(s, nn_min(NN_CHUNK, n - i), g + i, w + i, first + i, second + i);
}

BT_SIMD static void rmsprop_chunk(NnRmsprop s, size_t n, const NnReal *g, NnReal *w, NnReal *v, NnReal *m) {
  if (m)
    for (size_t i = 0; i < n; i++) nn_rmsprop_one(s, g[i], w + i, v + i, m + i);
  else
    for (size_t i = 0; i < n; i++) nn_rmsprop_one(s, g[i], w + i, v + i, NULL);
}

static void rmsprop(NnBackend *b, const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *square,
                    NnReal *momentum) {
  const NnRmsprop s = *o;
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    rmsprop_chunk(s, nn_min(NN_CHUNK, n - i), g + i, w + i, square + i, momentum ? momentum + i : NULL);
}

BT_SIMD static void scale_chunk(size_t n, NnReal factor, NnReal *x) {
  for (size_t i = 0; i < n; i++) x[i] = factor * x[i];
}

static void clip(NnBackend *b, size_t n, double most, const NnReal *square, NnReal *x) {
  const NnReal factor = nn_clip_factor(most, *square);
  if (factor == 1) return;
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK) scale_chunk(nn_min(NN_CHUNK, n - i), factor, x + i);
}

static int all_finite(size_t n, const NnReal *x) {
  for (size_t i = 0; i < n; i++)
    if (!nn_finite(x[i])) return 0;
  return 1;
}

/* On one thread: it is looked for once. */
static void find_nonfinite(NnBackend *b, size_t count, const NnReal *watched, size_t arrays,
                           const NnArray *array, size_t rows, NnReal *first) {
  (void)b;
  *first = -1;
  if (all_finite(count, watched)) return;
  size_t k = 0;
  while (k < arrays && all_finite(array[k].size * (array[k].batched ? rows : 1), array[k].x)) k++;
  *first = (NnReal)k;
}

void nn_cpu_optimizer_kernels(NnKernels *k) {
  k->clip = clip;
  k->find_nonfinite = find_nonfinite;
  k->sgd = sgd;
  k->adam = adam;
  k->rmsprop = rmsprop;
}

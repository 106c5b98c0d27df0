#include "nn/cpu_internal.h"

BT_SIMD static void sgd_chunk(NnSgdStep s, size_t n, const NnReal *g, NnReal *w, NnReal *m) {
  if (m)
    for (size_t i = 0; i < n; i++) nn_sgd_momentum(s, g[i], w + i, m + i);
  else
    for (size_t i = 0; i < n; i++) nn_sgd_plain(s, g[i], w + i);
}

static void sgd(NnBackend *b, const NnSgd *o, size_t n, const NnReal *g, NnReal *w, NnReal *momentum) {
  const NnSgdStep s = nn_sgd_step(o);
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    sgd_chunk(s, nn_min(NN_CHUNK, n - i), g + i, w + i, momentum ? momentum + i : NULL);
}

BT_SIMD static void adam_chunk(NnAdamStep s, size_t n, const NnReal *g, NnReal *w, NnReal *m, NnReal *v) {
  for (size_t i = 0; i < n; i++) nn_adam_one(s, g[i], w + i, m + i, v + i);
}

static void adam(NnBackend *b, const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *first,
                 NnReal *second) {
  const NnAdamStep s = nn_adam_step(o);
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    adam_chunk(s, nn_min(NN_CHUNK, n - i), g + i, w + i, first + i, second + i);
}

BT_SIMD static void rmsprop_chunk(NnRmspropStep s, size_t n, const NnReal *g, NnReal *w, NnReal *v,
                                  NnReal *m) {
  if (m)
    for (size_t i = 0; i < n; i++) nn_rmsprop_one(s, g[i], w + i, v + i, m + i);
  else
    for (size_t i = 0; i < n; i++) nn_rmsprop_one(s, g[i], w + i, v + i, NULL);
}

static void rmsprop(NnBackend *b, const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *square,
                    NnReal *momentum) {
  const NnRmspropStep s = nn_rmsprop_step(o);
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    rmsprop_chunk(s, nn_min(NN_CHUNK, n - i), g + i, w + i, square + i, momentum ? momentum + i : NULL);
}

void nn_cpu_optimizer_kernels(NnKernels *k) {
  k->sgd = sgd;
  k->adam = adam;
  k->rmsprop = rmsprop;
}

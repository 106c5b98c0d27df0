#include "nn/cpu_internal.h"

BT_SIMD static void sgd_chunk(const NnSgd *o, size_t n, const NnReal *g, NnReal *w, NnReal *m) {
  const NnReal rate = (NnReal)o->rate, momentum = (NnReal)o->momentum, decay = (NnReal)o->decay;
  if (!m) {
    for (size_t i = 0; i < n; i++) w[i] -= rate * (g[i] + decay * w[i]);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    const NnReal d = g[i] + decay * w[i];
    m[i] = momentum * m[i] + d;
    w[i] -= rate * (o->nesterov ? d + momentum * m[i] : m[i]);
  }
}

static void sgd(NnBackend *b, const NnSgd *o, size_t n, const NnReal *g, NnReal *w, NnReal *momentum) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    sgd_chunk(o, nn_min(NN_CHUNK, n - i), g + i, w + i, momentum ? momentum + i : NULL);
}

BT_SIMD static void adam_chunk(const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *m, NnReal *v) {
  const NnReal b1 = (NnReal)o->beta1, b2 = (NnReal)o->beta2, epsilon = (NnReal)o->epsilon;
  const NnReal step = (NnReal)(o->rate / o->correction1), root = (NnReal)(1 / sqrt(o->correction2));
  const NnReal added = o->decoupled ? 0 : (NnReal)o->decay;
  const NnReal shrink = o->decoupled ? (NnReal)(1 - o->rate * o->decay) : 1;
  for (size_t i = 0; i < n; i++) {
    const NnReal d = g[i] + added * w[i];
    m[i] = b1 * m[i] + (1 - b1) * d;
    v[i] = b2 * v[i] + (1 - b2) * d * d;
    w[i] = shrink * w[i] - step * m[i] / (NN_MATH(sqrt)(v[i]) * root + epsilon);
  }
}

static void adam(NnBackend *b, const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *first,
                 NnReal *second) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    adam_chunk(o, nn_min(NN_CHUNK, n - i), g + i, w + i, first + i, second + i);
}

BT_SIMD static void rmsprop_chunk(const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *v,
                                  NnReal *m) {
  const NnReal rate = (NnReal)o->rate, alpha = (NnReal)o->alpha, epsilon = (NnReal)o->epsilon;
  const NnReal momentum = (NnReal)o->momentum, decay = (NnReal)o->decay;
  for (size_t i = 0; i < n; i++) {
    const NnReal d = g[i] + decay * w[i];
    v[i] = alpha * v[i] + (1 - alpha) * d * d;
    NnReal step = d / (NN_MATH(sqrt)(v[i]) + epsilon);
    if (m) step = m[i] = momentum * m[i] + step;
    w[i] -= rate * step;
  }
}

static void rmsprop(NnBackend *b, const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *square,
                    NnReal *momentum) {
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    rmsprop_chunk(o, nn_min(NN_CHUNK, n - i), g + i, w + i, square + i, momentum ? momentum + i : NULL);
}

void nn_cpu_optimizer_kernels(NnKernels *k) {
  k->sgd = sgd;
  k->adam = adam;
  k->rmsprop = rmsprop;
}

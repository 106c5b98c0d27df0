#include "nn/cuda_internal.h"

static __global__ void sgd_kernel(NnSgdStep s, size_t n, const NnReal *g, NnReal *w, NnReal *m) {
  NN_EACH(i, n) {
    if (m)
      nn_sgd_momentum(s, g[i], w + i, m + i);
    else
      nn_sgd_plain(s, g[i], w + i);
  }
}

static void sgd(NnBackend *b, const NnSgd *o, size_t n, const NnReal *g, NnReal *w, NnReal *momentum) {
  NN_START_EACH(nn_cuda(b), sgd, n, nn_sgd_step(o), n, g, w, momentum);
}

static __global__ void adam_kernel(NnAdamStep s, size_t n, const NnReal *g, NnReal *w, NnReal *m, NnReal *v) {
  NN_EACH(i, n) nn_adam_one(s, g[i], w + i, m + i, v + i);
}

static void adam(NnBackend *b, const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *first,
                 NnReal *second) {
  NN_START_EACH(nn_cuda(b), adam, n, nn_adam_step(o), n, g, w, first, second);
}

static __global__ void rmsprop_kernel(NnRmspropStep s, size_t n, const NnReal *g, NnReal *w, NnReal *v,
                                      NnReal *m) {
  NN_EACH(i, n) nn_rmsprop_one(s, g[i], w + i, v + i, m ? m + i : NULL);
}

static void rmsprop(NnBackend *b, const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *square,
                    NnReal *momentum) {
  NN_START_EACH(nn_cuda(b), rmsprop, n, nn_rmsprop_step(o), n, g, w, square, momentum);
}

void nn_cuda_optimizer_kernels(NnKernels *k) {
  k->sgd = sgd;
  k->adam = adam;
  k->rmsprop = rmsprop;
}

#include "nn/cpu_internal.h"

static void cross_entropy(NnBackend *b, size_t rows, size_t classes, const NnReal *x, const NnReal *label,
                          NnReal *p, NnReal *loss) {
  NN_PARALLEL(b, rows * classes)
  for (size_t r = 0; r < rows; r++) {
    const NnReal *v = x + r * classes;
    NnReal *q = p + r * classes, most = v[0];
    double sum = 0;
    for (size_t c = 1; c < classes; c++) most = v[c] > most ? v[c] : most;
    for (size_t c = 0; c < classes; c++) {
      q[c] = NN_MATH(exp)(v[c] - most);
      sum += (double)q[c];
    }
    for (size_t c = 0; c < classes; c++) q[c] = (NnReal)((double)q[c] / sum);
    const size_t k = nn_index_of(label[r], classes);
    loss[r] = k < classes ? (NnReal)(log(sum) - (double)(v[k] - most)) : (NnReal)NAN;
  }
}

static void cross_entropy_jvp(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                              const NnReal *u, NnReal beta, NnReal *out) {
  NN_PARALLEL(b, rows * classes)
  for (size_t r = 0; r < rows; r++) {
    const size_t k = nn_index_of(label[r], classes);
    NnReal sum = k < classes ? -u[r * classes + k] : (NnReal)NAN;
    for (size_t i = r * classes; i < (r + 1) * classes; i++) sum += p[i] * u[i];
    out[r] = nn_blend(sum, beta, out + r);
  }
}

static void cross_entropy_vjp(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                              const NnReal *g, NnReal beta, NnReal *out) {
  NN_PARALLEL(b, rows * classes)
  for (size_t r = 0; r < rows; r++) {
    const size_t k = nn_index_of(label[r], classes);
    const NnReal a = k < classes ? g[r] : (NnReal)NAN;
    for (size_t c = 0; c < classes; c++) {
      const size_t i = r * classes + c;
      out[i] = nn_blend(a * (p[i] - (NnReal)(c == k)), beta, out + i);
    }
  }
}

void nn_cpu_loss_kernels(NnKernels *k) {
  k->cross_entropy = cross_entropy;
  k->cross_entropy_jvp = cross_entropy_jvp;
  k->cross_entropy_vjp = cross_entropy_vjp;
}

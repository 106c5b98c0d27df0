#include "nn/cpu/cpu_internal.h"

/* p = softmax(x); its logarithm's denominator relative to the largest, and that. */
BT_SIMD static double softmax_row(size_t classes, const NnReal *restrict x, NnReal *restrict p,
                                  NnReal *largest) {
  NnReal most = x[0];
  double sum = 0;
#pragma omp simd reduction(max : most)
  for (size_t c = 1; c < classes; c++) most = x[c] > most ? x[c] : most;
#pragma omp simd reduction(+ : sum)
  for (size_t c = 0; c < classes; c++) {
    p[c] = nn_exp_below(x[c] - most);
    sum += (double)p[c];
  }
  const NnReal share = (NnReal)(1 / sum);
  for (size_t c = 0; c < classes; c++) p[c] *= share;
  *largest = most;
  return sum;
}

static void cross_entropy(NnBackend *b, size_t rows, size_t classes, const NnReal *x, const NnReal *label,
                          NnReal *p, NnReal *loss) {
  NN_PARALLEL(b, rows * classes)
  for (size_t r = 0; r < rows; r++) {
    NnReal most;
    const double sum = softmax_row(classes, x + r * classes, p + r * classes, &most);
    const size_t k = nn_index_of(label[r], classes);
    loss[r] = k < classes ? (NnReal)(log(sum) - (double)(x[r * classes + k] - most)) : (NnReal)NAN;
  }
}

BT_SIMD static NnReal product_sum(size_t n, const NnReal *p, const NnReal *u) {
  NnReal sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t c = 0; c < n; c++) sum += p[c] * u[c];
  return sum;
}

static void cross_entropy_jvp(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                              const NnReal *u, NnReal beta, NnReal *out) {
  NN_PARALLEL(b, rows * classes)
  for (size_t r = 0; r < rows; r++) {
    const size_t k = nn_index_of(label[r], classes), first = r * classes;
    const NnReal sum = product_sum(classes, p + first, u + first);
    out[r] = nn_blend(k < classes ? sum - u[first + k] : (NnReal)NAN, beta, out + r);
  }
}

/* out = a·p + beta·out */
BT_SIMD static void spread_row(size_t n, NnReal a, const NnReal *restrict p, NnReal beta,
                               NnReal *restrict out) {
  if (beta == 0)
    for (size_t c = 0; c < n; c++) out[c] = a * p[c];
  else
    for (size_t c = 0; c < n; c++) out[c] = a * p[c] + beta * out[c];
}

static void cross_entropy_vjp(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                              const NnReal *g, NnReal beta, NnReal *out) {
  NN_PARALLEL(b, rows * classes)
  for (size_t r = 0; r < rows; r++) {
    const size_t k = nn_index_of(label[r], classes), first = r * classes;
    spread_row(classes, k < classes ? g[r] : (NnReal)NAN, p + first, beta, out + first);
    if (k < classes) out[first + k] -= g[r];
  }
}

void nn_cpu_loss_kernels(NnKernels *k) {
  k->cross_entropy = cross_entropy;
  k->cross_entropy_jvp = cross_entropy_jvp;
  k->cross_entropy_vjp = cross_entropy_vjp;
}

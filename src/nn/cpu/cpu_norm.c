/* Normalisation by batch statistics (Ioffe, Szegedy 2015, arXiv:1502.03167), a channel at a time; sums in
 * double. */
#include "nn/cpu/cpu_internal.h"

/* Σ (x − shift)², or Σ (x − shift)·z, or Σ (x − shift) where z is NULL, over n elements. */
BT_SIMD static NnReal line_moment(size_t n, const NnReal *x, const NnReal *z, NnReal shift, int square) {
  NnReal sum = 0;
  if (square) {
#pragma omp simd reduction(+ : sum)
    for (size_t p = 0; p < n; p++) sum += (x[p] - shift) * (x[p] - shift);
  } else if (z) {
#pragma omp simd reduction(+ : sum)
    for (size_t p = 0; p < n; p++) sum += (x[p] - shift) * z[p];
  } else {
#pragma omp simd reduction(+ : sum)
    for (size_t p = 0; p < n; p++) sum += x[p] - shift;
  }
  return sum;
}

/* The same over a channel. */
static double channel_moment(NnRows n, size_t c, const NnReal *x, const NnReal *z, NnReal shift, int square) {
  double sum = 0;
  for (size_t l = 0; l < n.rows * n.repeat; l++) {
    const size_t at = (l * n.channels + c) * n.plane;
    sum += (double)line_moment(n.plane, x + at, z ? z + at : NULL, shift, square);
  }
  return sum;
}

BT_SIMD static void apply_line(size_t n, const NnReal *x, NnReal mean, NnReal inverse, NnReal gamma,
                               NnReal shift, NnReal *xhat, NnReal *y) {
  for (size_t p = 0; p < n; p++) {
    xhat[p] = (x[p] - mean) * inverse;
    y[p] = gamma * xhat[p] + shift;
  }
}

/* out = a·(u − m − xhat·k) + beta·out */
BT_SIMD static void project_line(size_t n, NnReal a, const NnReal *u, NnReal m, const NnReal *xhat, NnReal k,
                                 NnReal beta, NnReal *out) {
  if (beta == 0)
    for (size_t p = 0; p < n; p++) out[p] = a * (u[p] - m - xhat[p] * k);
  else
    for (size_t p = 0; p < n; p++) out[p] = a * (u[p] - m - xhat[p] * k) + beta * out[p];
}

static double per_channel(NnRows n) { return (double)(n.rows * n.repeat * n.plane); }

static void norm_statistics(NnBackend *b, NnRows n, const NnReal *x, NnReal epsilon, NnReal *mean,
                            NnReal *inverse, NnReal *variance) {
  NN_PARALLEL(b, nn_rows_count(n))
  for (size_t c = 0; c < n.channels; c++) {
    mean[c] = (NnReal)(channel_moment(n, c, x, NULL, 0, 0) / per_channel(n));
    const double v = channel_moment(n, c, x, NULL, mean[c], 1) / per_channel(n);
    variance[c] = (NnReal)v;
    inverse[c] = (NnReal)(1 / sqrt(v + (double)epsilon));
  }
}

static void norm_inverse(NnBackend *b, size_t channels, const NnReal *variance, NnReal epsilon,
                         NnReal *inverse) {
  (void)b;
  for (size_t c = 0; c < channels; c++)
    inverse[c] = (NnReal)(1 / sqrt((double)variance[c] + (double)epsilon));
}

static void norm_apply(NnBackend *b, NnRows n, const NnReal *x, const NnReal *mean, const NnReal *inverse,
                       const NnReal *gamma, const NnReal *shift, NnReal *xhat, NnReal *y) {
  const size_t lines = n.rows * n.repeat * n.channels;
  NN_PARALLEL(b, nn_rows_count(n))
  for (size_t l = 0; l < lines; l++) {
    const size_t c = l % n.channels;
    apply_line(n.plane, x + l * n.plane, mean[c], inverse[c], gamma[c], shift[c], xhat + l * n.plane,
               y + l * n.plane);
  }
}

static void norm_project(NnBackend *b, NnRows n, const NnReal *u, const NnReal *xhat, const NnReal *inverse,
                         const NnReal *gamma, NnReal beta, NnReal *out) {
  NN_PARALLEL(b, nn_rows_count(n))
  for (size_t c = 0; c < n.channels; c++) {
    const NnReal m = (NnReal)(channel_moment(n, c, u, NULL, 0, 0) / per_channel(n));
    const NnReal k = (NnReal)(channel_moment(n, c, u, xhat, 0, 0) / per_channel(n));
    const NnReal a = gamma[c] * inverse[c];
    for (size_t l = 0; l < n.rows * n.repeat; l++) {
      const size_t at = (l * n.channels + c) * n.plane;
      project_line(n.plane, a, u + at, m, xhat + at, k, beta, out + at);
    }
  }
}

void nn_cpu_norm_kernels(NnKernels *k) {
  k->norm_statistics = norm_statistics;
  k->norm_inverse = norm_inverse;
  k->norm_apply = norm_apply;
  k->norm_project = norm_project;
}

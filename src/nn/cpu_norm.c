/* Normalisation by batch statistics (Ioffe, Szegedy 2015, arXiv:1502.03167), a channel at a time; sums in
 * double. */
#include <math.h>

#include "nn/cpu_internal.h"

/* Σ (x − shift)·(z or x − shift) over a channel */
static double channel_moment(NnRows n, size_t c, const NnReal *x, const NnReal *z, NnReal shift, int square) {
  double sum = 0;
  for (size_t l = 0; l < n.rows * n.repeat; l++) {
    const size_t at = (l * n.channels + c) * n.plane;
    NnReal part = 0;
    for (size_t p = at; p < at + n.plane; p++) {
      const NnReal v = x[p] - shift;
      part += square ? v * v : z ? v * z[p] : v;
    }
    sum += (double)part;
  }
  return sum;
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
    for (size_t p = l * n.plane; p < (l + 1) * n.plane; p++) {
      xhat[p] = (x[p] - mean[c]) * inverse[c];
      y[p] = gamma[c] * xhat[p] + shift[c];
    }
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
      for (size_t p = at; p < at + n.plane; p++) {
        const NnReal v = a * (u[p] - m - xhat[p] * k);
        out[p] = beta == 0 ? v : v + beta * out[p];
      }
    }
  }
}

void nn_cpu_norm_kernels(NnKernels *k) {
  k->norm_statistics = norm_statistics;
  k->norm_inverse = norm_inverse;
  k->norm_apply = norm_apply;
  k->norm_project = norm_project;
}

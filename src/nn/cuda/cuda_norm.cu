/* Normalisation by batch statistics (Ioffe, Szegedy 2015, arXiv:1502.03167): sums as in cuda_channels.cu, the
 * variance around the mean in a second pass. */
#include "nn/cuda/cuda_internal.h"

static __global__ void norm_mean_kernel(NnPartials p, double count, NnReal *mean) {
  NN_EACH(c, p.channels) mean[c] = (NnReal)(nn_partial_total(p, c) / count);
}

static __global__ void norm_variance_kernel(NnPartials p, double count, NnReal epsilon, NnReal *inverse,
                                            NnReal *variance) {
  NN_EACH(c, p.channels) {
    const double v = nn_partial_total(p, c) / count;
    variance[c] = (NnReal)v;
    inverse[c] = (NnReal)(1 / sqrt(v + (double)epsilon));
  }
}

static double per_channel(NnRows n) { return (double)(n.rows * n.repeat * n.plane); }

static void norm_statistics(NnBackend *b, NnRows n, const NnReal *x, NnReal epsilon, NnReal *mean,
                            NnReal *inverse, NnReal *variance) {
  NnCuda *cuda = nn_cuda(b);
  NnPartials p = nn_cuda_channel_sums(cuda, 0, n, NULL, 0, x, NULL, NULL);
  if (!p.splits) return;
  NN_START_EACH(cuda, norm_mean, n.channels, p, per_channel(n), mean);
  p = nn_cuda_channel_sums(cuda, 0, n, NULL, 0, x, NULL, mean);
  NN_START_EACH(cuda, norm_variance, n.channels, p, per_channel(n), epsilon, inverse, variance);
}

static __global__ void norm_inverse_kernel(size_t channels, const NnReal *variance, NnReal epsilon,
                                           NnReal *inverse) {
  NN_EACH(c, channels) inverse[c] = (NnReal)(1 / sqrt((double)variance[c] + (double)epsilon));
}

static void norm_inverse(NnBackend *b, size_t channels, const NnReal *variance, NnReal epsilon,
                         NnReal *inverse) {
  NN_START_EACH(nn_cuda(b), norm_inverse, channels, channels, variance, epsilon, inverse);
}

static __global__ void norm_apply_kernel(NnRows n, size_t count, const NnReal *x, const NnReal *mean,
                                         const NnReal *inverse, const NnReal *gamma, const NnReal *shift,
                                         NnReal *xhat, NnReal *y) {
  NN_EACH(i, count) {
    const size_t c = nn_place(n, i).channel;
    const NnReal v = (x[i] - mean[c]) * inverse[c];
    xhat[i] = v;
    y[i] = gamma[c] * v + shift[c];
  }
}

static void norm_apply(NnBackend *b, NnRows n, const NnReal *x, const NnReal *mean, const NnReal *inverse,
                       const NnReal *gamma, const NnReal *shift, NnReal *xhat, NnReal *y) {
  NN_START_EACH(nn_cuda(b), norm_apply, nn_rows_count(n), n, nn_rows_count(n), x, mean, inverse, gamma, shift,
                xhat, y);
}

/* The means of u and of u·xhat take the place of the first of their partial sums: each thread has a channel
 * of its own. */
static __global__ void norm_means_kernel(NnPartials u, NnPartials product, double count, double *mean,
                                         double *slope) {
  NN_EACH(c, u.channels) {
    const double m = nn_partial_total(u, c) / count, k = nn_partial_total(product, c) / count;
    mean[c] = m;
    slope[c] = k;
  }
}

static __global__ void norm_project_kernel(NnRows n, size_t count, const NnReal *u, const NnReal *xhat,
                                           const double *mean, const double *slope, const NnReal *inverse,
                                           const NnReal *gamma, NnReal beta, NnReal *out) {
  NN_EACH(i, count) {
    const size_t c = nn_place(n, i).channel;
    const NnReal m = (NnReal)mean[c], k = (NnReal)slope[c];
    out[i] = nn_blend(gamma[c] * inverse[c] * (u[i] - m - xhat[i] * k), beta, out + i);
  }
}

static void norm_project(NnBackend *b, NnRows n, const NnReal *u, const NnReal *xhat, const NnReal *inverse,
                         const NnReal *gamma, NnReal beta, NnReal *out) {
  NnCuda *cuda = nn_cuda(b);
  double *mean = cuda->partial, *slope = cuda->partial + NN_PARTIALS;
  const NnPartials sum = nn_cuda_channel_sums(cuda, 0, n, NULL, 0, u, NULL, NULL);
  const NnPartials product = nn_cuda_channel_sums(cuda, 1, n, NULL, 0, u, xhat, NULL);
  if (!sum.splits) return;
  NN_START_EACH(cuda, norm_means, n.channels, sum, product, per_channel(n), mean, slope);
  NN_START_EACH(cuda, norm_project, nn_rows_count(n), n, nn_rows_count(n), u, xhat, mean, slope, inverse,
                gamma, beta, out);
}

void nn_cuda_norm_kernels(NnKernels *k) {
  k->norm_statistics = norm_statistics;
  k->norm_inverse = norm_inverse;
  k->norm_apply = norm_apply;
  k->norm_project = norm_project;
}

#include "nn/cpu/cpu_internal.h"

static void max_pool(NnBackend *b, const NnPool *p, const NnReal *x, NnReal *y, int32_t *index) {
  const size_t in = p->height * p->width, out = p->out_height * p->out_width;
  NN_PARALLEL(b, p->planes * in)
  for (size_t k = 0; k < p->planes; k++) {
    const NnReal *plane = x + k * in;
    for (size_t o = 0; o < out; o++) {
      const size_t best = nn_window_best(p, nn_window(p, o / p->out_width, o % p->out_width), plane);
      y[k * out + o] = plane[best];
      index[k * out + o] = (int32_t)best;
    }
  }
}

static void max_pool_gather(NnBackend *b, const NnPool *p, const NnReal *x, const int32_t *index, NnReal beta,
                            NnReal *y) {
  const size_t in = p->height * p->width, out = p->out_height * p->out_width;
  NN_PARALLEL(b, p->planes * in)
  for (size_t k = 0; k < p->planes; k++)
    for (size_t o = k * out; o < (k + 1) * out; o++)
      y[o] = nn_blend(x[k * in + (size_t)index[o]], beta, y + o);
}

static void prepare(size_t n, NnReal beta, NnReal *x) {
  if (beta == 0)
    for (size_t i = 0; i < n; i++) x[i] = 0;
  else if (beta != 1)
    for (size_t i = 0; i < n; i++) x[i] *= beta;
}

static void max_pool_scatter(NnBackend *b, const NnPool *p, const NnReal *gy, const int32_t *index,
                             NnReal beta, NnReal *gx) {
  const size_t in = p->height * p->width, out = p->out_height * p->out_width;
  NN_PARALLEL(b, p->planes * in)
  for (size_t k = 0; k < p->planes; k++) {
    prepare(in, beta, gx + k * in);
    for (size_t o = k * out; o < (k + 1) * out; o++) gx[k * in + (size_t)index[o]] += gy[o];
  }
}

static void average_pool(NnBackend *b, const NnPool *p, const NnReal *x, NnReal beta, NnReal *y) {
  const size_t in = p->height * p->width, out = p->out_height * p->out_width;
  NN_PARALLEL(b, p->planes * in)
  for (size_t k = 0; k < p->planes; k++)
    for (size_t o = 0; o < out; o++) {
      const NnWindow w = nn_window(p, o / p->out_width, o % p->out_width);
      y[k * out + o] = nn_blend(nn_window_mean(p, w, x + k * in), beta, y + k * out + o);
    }
}

static void average_pool_data(NnBackend *b, const NnPool *p, const NnReal *gy, NnReal beta, NnReal *gx) {
  const size_t in = p->height * p->width, out = p->out_height * p->out_width;
  NN_PARALLEL(b, p->planes * in)
  for (size_t k = 0; k < p->planes; k++) {
    prepare(in, beta, gx + k * in);
    for (size_t o = 0; o < out; o++) {
      const NnWindow w = nn_window(p, o / p->out_width, o % p->out_width);
      const NnReal g = gy[k * out + o] / nn_window_size(w);
      for (size_t i = w.y0; i < w.y1; i++)
        for (size_t j = w.x0; j < w.x1; j++) gx[k * in + i * p->width + j] += g;
    }
  }
}

void nn_cpu_pool_kernels(NnKernels *k) {
  k->max_pool = max_pool;
  k->max_pool_gather = max_pool_gather;
  k->max_pool_scatter = max_pool_scatter;
  k->average_pool = average_pool;
  k->average_pool_data = average_pool_data;
}

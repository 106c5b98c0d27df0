#include "nn/cpu_internal.h"

typedef struct {
  size_t y0, y1, x0, x1; /* the part of a window that lies inside, ends excluded; never empty */
} Window;

static Window window(const NnPool *p, size_t oy, size_t ox) {
  const size_t y = oy * p->stride, x = ox * p->stride; /* + pad */
  return (Window){y > p->pad ? y - p->pad : 0, nn_min(y + p->kernel - p->pad, p->height),
                  x > p->pad ? x - p->pad : 0, nn_min(x + p->kernel - p->pad, p->width)};
}

static void max_pool(NnBackend *b, const NnPool *p, const NnReal *x, NnReal *y, int32_t *index) {
  const size_t in = p->height * p->width, out = p->out_height * p->out_width;
  NN_PARALLEL(b, p->planes * in)
  for (size_t k = 0; k < p->planes; k++) {
    const NnReal *plane = x + k * in;
    for (size_t o = 0; o < out; o++) {
      const Window w = window(p, o / p->out_width, o % p->out_width);
      size_t best = w.y0 * p->width + w.x0;
      for (size_t i = w.y0; i < w.y1; i++)
        for (size_t j = w.x0; j < w.x1; j++)
          if (plane[i * p->width + j] > plane[best]) best = i * p->width + j;
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
    for (size_t o = k * out; o < (k + 1) * out; o++) {
      const NnReal v = x[k * in + (size_t)index[o]];
      y[o] = beta == 0 ? v : v + beta * y[o];
    }
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
      const Window w = window(p, o / p->out_width, o % p->out_width);
      NnReal sum = 0, *to = y + k * out + o;
      for (size_t i = w.y0; i < w.y1; i++)
        for (size_t j = w.x0; j < w.x1; j++) sum += x[k * in + i * p->width + j];
      sum /= (NnReal)((w.y1 - w.y0) * (w.x1 - w.x0));
      *to = beta == 0 ? sum : sum + beta * *to;
    }
}

static void average_pool_data(NnBackend *b, const NnPool *p, const NnReal *gy, NnReal beta, NnReal *gx) {
  const size_t in = p->height * p->width, out = p->out_height * p->out_width;
  NN_PARALLEL(b, p->planes * in)
  for (size_t k = 0; k < p->planes; k++) {
    prepare(in, beta, gx + k * in);
    for (size_t o = 0; o < out; o++) {
      const Window w = window(p, o / p->out_width, o % p->out_width);
      const NnReal g = gy[k * out + o] / (NnReal)((w.y1 - w.y0) * (w.x1 - w.x0));
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

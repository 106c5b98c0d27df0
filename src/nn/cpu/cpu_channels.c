/* Products and sums over [rows][repeat][channels][plane]. Each sum belongs to one thread. */
#include "nn/cpu/cpu_internal.h"

#define SUM_BLOCK ((size_t)4096) /* elements of a partial sum of dot */

/* Σ x[i]·z[i]; z may be NULL. The order depends on n and on the instruction set, not on threads. */
BT_SIMD static NnReal dot_chunk(size_t n, const NnReal *x, const NnReal *z) {
  NnReal sum = 0;
  if (z) {
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += x[i] * z[i];
  } else {
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += x[i];
  }
  return sum;
}

/* y = a[i]·x[i]·factor + beta·y; a and x may be NULL: ones. */
BT_SIMD static void product_chunk(size_t n, NnReal factor, const NnReal *a, const NnReal *x, NnReal beta,
                                  NnReal *y) {
  if (beta == 0)
    for (size_t i = 0; i < n; i++) y[i] = 0;
  else if (beta != 1)
    for (size_t i = 0; i < n; i++) y[i] *= beta;
  if (a && x)
    for (size_t i = 0; i < n; i++) y[i] += factor * a[i] * x[i];
  else if (a || x) {
    const NnReal *v = a ? a : x;
    for (size_t i = 0; i < n; i++) y[i] += factor * v[i];
  } else
    for (size_t i = 0; i < n; i++) y[i] += factor;
}

static void scale(NnBackend *b, NnRows n, const NnReal *s, size_t stride, const NnReal *x, NnReal beta,
                  NnReal *y) {
  const size_t lines = n.rows * n.repeat, line = n.channels * n.plane;
  NN_PARALLEL(b, lines * line)
  for (size_t l = 0; l < lines; l++) {
    const NnReal *a = s + l / n.repeat * stride, *in = x + l * line;
    NnReal *out = y + l * line;
    if (n.plane == 1)
      product_chunk(line, 1, a, in, beta, out);
    else
      for (size_t c = 0; c < n.channels; c++)
        product_chunk(n.plane, a[c], NULL, in + c * n.plane, beta, out + c * n.plane);
  }
}

static void broadcast(NnBackend *b, NnRows n, const NnReal *u, const NnReal *s, size_t stride, NnReal beta,
                      NnReal *y) {
  const size_t lines = n.rows * n.repeat, line = n.channels * n.plane;
  NN_PARALLEL(b, lines * line)
  for (size_t l = 0; l < lines; l++) {
    const NnReal *a = s ? s + l / n.repeat * stride : NULL;
    NnReal *out = y + l * line;
    if (n.plane == 1)
      product_chunk(line, 1, u, a, beta, out);
    else
      for (size_t c = 0; c < n.channels; c++)
        product_chunk(n.plane, (u ? u[c] : 1) * (a ? a[c] : 1), NULL, NULL, beta, out + c * n.plane);
  }
}

/* out[c] over a block of channels, plane 1: rows in order. */
static void column_sums(NnRows n, size_t first, size_t count, const NnReal *s, size_t stride, const NnReal *x,
                        const NnReal *z, NnReal beta, NnReal *out) {
  product_chunk(count, 0, NULL, NULL, beta, out + first);
  for (size_t l = 0; l < n.rows * n.repeat; l++) {
    const NnReal *v = x + l * n.channels + first, *a = s ? s + l / n.repeat * stride + first : NULL;
    const NnReal *w = z ? z + l * n.channels + first : NULL;
    if (a && w)
      for (size_t c = 0; c < count; c++) out[first + c] += a[c] * v[c] * w[c];
    else
      product_chunk(count, 1, a ? a : w, v, 1, out + first);
  }
}

static void channel_sum(NnBackend *b, NnRows n, const NnReal *s, size_t stride, const NnReal *x,
                        const NnReal *z, NnReal beta, NnReal *out) {
  const size_t lines = n.rows * n.repeat, work = nn_rows_count(n);
  if (n.plane == 1) {
    const size_t block = 64;
    NN_PARALLEL(b, work)
    for (size_t c = 0; c < n.channels; c += block)
      column_sums(n, c, nn_min(block, n.channels - c), s, stride, x, z, beta, out);
    return;
  }
  NN_PARALLEL(b, work)
  for (size_t c = 0; c < n.channels; c++) {
    NnReal sum = 0;
    for (size_t l = 0; l < lines; l++) {
      const size_t at = (l * n.channels + c) * n.plane;
      sum += (s ? s[l / n.repeat * stride + c] : 1) * dot_chunk(n.plane, x + at, z ? z + at : NULL);
    }
    out[c] = beta == 0 ? sum : sum + beta * out[c];
  }
}

static void row_sum(NnBackend *b, NnRows n, const NnReal *u, const NnReal *x, const NnReal *z, NnReal beta,
                    NnReal *out, size_t stride) {
  NN_PARALLEL(b, nn_rows_count(n))
  for (size_t r = 0; r < n.rows; r++) {
    const size_t size = n.repeat * n.channels * n.plane;
    const NnReal *v = x + r * size, *w = z ? z + r * size : NULL;
    NnReal *to = out + r * stride;
    if (n.plane == 1) {
      product_chunk(n.channels, 0, NULL, NULL, beta, to);
      for (size_t t = 0; t < n.repeat; t++) {
        const size_t at = t * n.channels;
        if (u && w)
          for (size_t c = 0; c < n.channels; c++) to[c] += u[c] * v[at + c] * w[at + c];
        else
          product_chunk(n.channels, 1, u ? u : w ? w + at : NULL, v + at, 1, to);
      }
      continue;
    }
    for (size_t c = 0; c < n.channels; c++) {
      NnReal sum = 0;
      for (size_t t = 0; t < n.repeat; t++) {
        const size_t at = (t * n.channels + c) * n.plane;
        sum += dot_chunk(n.plane, v + at, w ? w + at : NULL);
      }
      if (u) sum *= u[c];
      to[c] = beta == 0 ? sum : sum + beta * to[c];
    }
  }
}

static void dot(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
                NnReal *out) {
  double sum = 0;
  /* Up to 64 blocks at a time go to the threads; their sums are added in order. */
  for (size_t first = 0; first < n; first += 64 * SUM_BLOCK) {
    double part[64];
    const size_t blocks = nn_min(64, (n - first + SUM_BLOCK - 1) / SUM_BLOCK);
    NN_PARALLEL(b, n)
    for (size_t k = 0; k < blocks; k++) {
      const size_t i = first + k * SUM_BLOCK;
      part[k] = (double)dot_chunk(nn_min(SUM_BLOCK, n - i), x + i, y ? y + i : NULL);
    }
    for (size_t k = 0; k < blocks; k++) sum += part[k];
  }
  *out = (NnReal)((double)alpha * sum) + (beta == 0 ? 0 : beta * *out);
}

void nn_cpu_channel_kernels(NnKernels *k) {
  k->scale = scale;
  k->broadcast = broadcast;
  k->channel_sum = channel_sum;
  k->row_sum = row_sum;
  k->dot = dot;
}

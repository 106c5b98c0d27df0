/* Products and sums over [rows][repeat][channels][plane]. A sum is split over blocks whose number follows
 * from the sizes; each block adds its elements in a tree, and the blocks' sums are added in order. */
#include "nn/cuda/cuda_internal.h"

#define TILE_COLUMNS 32 /* of a block of column sums: a line of the cache */
#define TILE_LINES (NN_THREADS / TILE_COLUMNS)
#define THREAD_WORK ((size_t)8) /* elements, about, that are worth a thread */

static __global__ void scale_kernel(NnRows n, size_t count, const NnReal *s, size_t stride, const NnReal *x,
                                    NnReal beta, NnReal *y) {
  NN_EACH(i, count) {
    const NnPlace p = nn_place(n, i);
    y[i] = nn_blend(s[p.row * stride + p.channel] * x[i], beta, y + i);
  }
}

static void scale(NnBackend *b, NnRows n, const NnReal *s, size_t stride, const NnReal *x, NnReal beta,
                  NnReal *y) {
  NN_START_EACH(nn_cuda(b), scale, nn_rows_count(n), n, nn_rows_count(n), s, stride, x, beta, y);
}

static __global__ void broadcast_kernel(NnRows n, size_t count, const NnReal *u, const NnReal *s,
                                        size_t stride, NnReal beta, NnReal *y) {
  NN_EACH(i, count) {
    const NnPlace p = nn_place(n, i);
    const NnReal v = (u ? u[p.channel] : 1) * (s ? s[p.row * stride + p.channel] : 1);
    y[i] = nn_blend(v, beta, y + i);
  }
}

static void broadcast(NnBackend *b, NnRows n, const NnReal *u, const NnReal *s, size_t stride, NnReal beta,
                      NnReal *y) {
  NN_START_EACH(nn_cuda(b), broadcast, nn_rows_count(n), n, nn_rows_count(n), u, s, stride, beta, y);
}

/* The term of element `at`, channel c, of a row's line. */
static __device__ inline double term(size_t at, size_t row, size_t c, const NnReal *s, size_t stride,
                                     const NnReal *x, const NnReal *z, const NnReal *centre) {
  if (centre) {
    const double d = (double)x[at] - (double)centre[c];
    return d * d;
  }
  return (s ? (double)s[row * stride + c] : 1) * (double)x[at] * (z ? (double)z[at] : 1);
}

/* Plane 1: block (i, k) takes columns 32·i … 32·i+31 and every splits-th group of lines, its k-th. */
static __global__ void column_sums_kernel(NnRows n, const NnReal *s, size_t stride, const NnReal *x,
                                          const NnReal *z, const NnReal *centre, double *partial) {
  __shared__ double shared[NN_THREADS];
  const unsigned t = threadIdx.x;
  const size_t c = (size_t)blockIdx.x * TILE_COLUMNS + t % TILE_COLUMNS, lines = n.rows * n.repeat;
  double sum = 0;
  if (c < n.channels)
    for (size_t l = (size_t)blockIdx.y * TILE_LINES + t / TILE_COLUMNS; l < lines;
         l += (size_t)gridDim.y * TILE_LINES)
      sum +=
          term(l * n.channels + c, n.repeat == 1 ? l : nn_quotient(l, n.repeat), c, s, stride, x, z, centre);
  shared[t] = sum;
  __syncthreads();
  for (unsigned step = NN_THREADS / 2; step >= TILE_COLUMNS; step /= 2) {
    if (t < step) shared[t] += shared[t + step];
    __syncthreads();
  }
  if (t < TILE_COLUMNS && c < n.channels) partial[(size_t)blockIdx.y * n.channels + c] = shared[t];
}

/* Planes: block (c, k) takes channel c and every splits-th group of its elements, its k-th. */
static __global__ void plane_sums_kernel(NnRows n, const NnReal *s, size_t stride, const NnReal *x,
                                         const NnReal *z, const NnReal *centre, double *partial) {
  __shared__ double shared[NN_THREADS];
  const size_t c = blockIdx.x, count = n.rows * n.repeat * n.plane;
  double sum = 0;
  for (size_t e = (size_t)blockIdx.y * NN_THREADS + threadIdx.x; e < count;
       e += (size_t)gridDim.y * NN_THREADS) {
    const size_t l = nn_quotient(e, n.plane), at = (l * n.channels + c) * n.plane + (e - l * n.plane);
    sum += term(at, n.repeat == 1 ? l : nn_quotient(l, n.repeat), c, s, stride, x, z, centre);
  }
  sum = nn_group_sum(sum, shared, NN_THREADS);
  if (threadIdx.x == 0) partial[(size_t)blockIdx.y * n.channels + c] = sum;
}

NnPartials nn_cuda_channel_sums(NnCuda *cuda, int area, NnRows n, const NnReal *s, size_t stride,
                                const NnReal *x, const NnReal *z, const NnReal *centre) {
  double *partial = cuda->partial + (size_t)area * NN_PARTIALS;
  const size_t lines = n.rows * n.repeat;
  const size_t blocks = n.plane == 1 ? (n.channels + TILE_COLUMNS - 1) / TILE_COLUMNS : n.channels;
  const size_t each = THREAD_WORK * (n.plane == 1 ? TILE_LINES : NN_THREADS);
  NnPartials p = {partial, 0, n.channels};
  if (n.channels > NN_PARTIALS) {
    nn_cuda_fail(cuda, BT_ERR_UNSUPPORTED, "sums over %zu channels; at most %zu", n.channels, NN_PARTIALS);
    return p;
  }
  p.splits = (lines * n.plane + each - 1) / each;
  p.splits = nn_min(p.splits, (NN_SUM_BLOCKS + blocks - 1) / blocks);
  p.splits = nn_min(p.splits, NN_PARTIALS / n.channels);
  if (p.splits < 1) p.splits = 1;
  const dim3 grid((unsigned)blocks, (unsigned)p.splits, 1);
  if (n.plane == 1)
    NN_START(cuda, column_sums, grid, n, s, stride, x, z, centre, partial);
  else
    NN_START(cuda, plane_sums, grid, n, s, stride, x, z, centre, partial);
  return p;
}

static __global__ void channel_sum_kernel(NnPartials p, NnReal beta, NnReal *out) {
  NN_EACH(c, p.channels) out[c] = nn_blend((NnReal)nn_partial_total(p, c), beta, out + c);
}

static void channel_sum(NnBackend *b, NnRows n, const NnReal *s, size_t stride, const NnReal *x,
                        const NnReal *z, NnReal beta, NnReal *out) {
  NnCuda *cuda = nn_cuda(b);
  const NnPartials p = nn_cuda_channel_sums(cuda, 0, n, s, stride, x, z, NULL);
  if (p.splits) NN_START_EACH(cuda, channel_sum, n.channels, p, beta, out);
}

/* Plane 1: a thread for each sum. */
static __global__ void row_sum_kernel(NnRows n, const NnReal *u, const NnReal *x, const NnReal *z,
                                      NnReal beta, NnReal *out, size_t stride) {
  NN_EACH(i, n.rows * n.channels) {
    const size_t r = nn_quotient(i, n.channels), c = i - r * n.channels;
    double sum = 0;
    for (size_t t = 0; t < n.repeat; t++) {
      const size_t at = (r * n.repeat + t) * n.channels + c;
      sum += (double)x[at] * (z ? (double)z[at] : 1);
    }
    NnReal *to = out + r * stride + c;
    *to = nn_blend((NnReal)(u ? (double)u[c] * sum : sum), beta, to);
  }
}

/* Planes: `lanes` threads for each sum. */
static __global__ void row_plane_sum_kernel(NnRows n, unsigned lanes, const NnReal *u, const NnReal *x,
                                            const NnReal *z, NnReal beta, NnReal *out, size_t stride) {
  __shared__ double shared[NN_THREADS];
  const unsigned lane = threadIdx.x & (lanes - 1), groups = NN_THREADS / lanes;
  const size_t sums = n.rows * n.channels;
  for (size_t first = (size_t)blockIdx.x * groups; first < sums; first += (size_t)gridDim.x * groups) {
    const size_t i = first + threadIdx.x / lanes, r = nn_quotient(i, n.channels), c = i - r * n.channels;
    double sum = 0;
    if (i < sums)
      for (size_t t = 0; t < n.repeat; t++) {
        const size_t at = ((r * n.repeat + t) * n.channels + c) * n.plane;
        for (size_t p = lane; p < n.plane; p += lanes) sum += (double)x[at + p] * (z ? (double)z[at + p] : 1);
      }
    sum = nn_group_sum(sum, shared, lanes);
    if (i < sums && lane == 0) {
      NnReal *to = out + r * stride + c;
      *to = nn_blend((NnReal)(u ? (double)u[c] * sum : sum), beta, to);
    }
  }
}

static void row_sum(NnBackend *b, NnRows n, const NnReal *u, const NnReal *x, const NnReal *z, NnReal beta,
                    NnReal *out, size_t stride) {
  NnCuda *cuda = nn_cuda(b);
  if (n.plane == 1) {
    NN_START_EACH(cuda, row_sum, n.rows * n.channels, n, u, x, z, beta, out, stride);
    return;
  }
  const unsigned lanes = nn_cuda_lanes(n.plane);
  NN_START_EACH(cuda, row_plane_sum, n.rows * n.channels * lanes, n, lanes, u, x, z, beta, out, stride);
}

/* One block finishes by itself; several leave their sums in `partial`. */
static __global__ void dot_kernel(size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
                                  NnReal *out, double *partial) {
  __shared__ double shared[NN_THREADS];
  double sum = 0;
  NN_EACH(i, n) sum += (double)x[i] * (y ? (double)y[i] : 1);
  sum = nn_group_sum(sum, shared, NN_THREADS);
  if (threadIdx.x != 0) return;
  if (gridDim.x == 1)
    *out = nn_blend((NnReal)((double)alpha * sum), beta, out);
  else
    partial[blockIdx.x] = sum;
}

static __global__ void dot_total_kernel(size_t blocks, NnReal alpha, const double *partial, NnReal beta,
                                        NnReal *out) {
  __shared__ double shared[NN_THREADS];
  double sum = 0;
  for (size_t i = threadIdx.x; i < blocks; i += NN_THREADS) sum += partial[i];
  sum = nn_group_sum(sum, shared, NN_THREADS);
  if (threadIdx.x == 0) *out = nn_blend((NnReal)((double)alpha * sum), beta, out);
}

static void dot(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
                NnReal *out) {
  NnCuda *cuda = nn_cuda(b);
  size_t blocks = nn_min((n + NN_THREADS * THREAD_WORK - 1) / (NN_THREADS * THREAD_WORK), NN_SUM_BLOCKS);
  if (blocks < 1) blocks = 1;
  NN_START(cuda, dot, (unsigned)blocks, n, alpha, x, y, beta, out, cuda->partial);
  if (blocks > 1) NN_START(cuda, dot_total, 1u, blocks, alpha, cuda->partial, beta, out);
}

void nn_cuda_channel_kernels(NnKernels *k) {
  k->scale = scale;
  k->broadcast = broadcast;
  k->channel_sum = channel_sum;
  k->row_sum = row_sum;
  k->dot = dot;
}

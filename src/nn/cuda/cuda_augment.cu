/* Augmentations: block (r, k) takes row r and every parts-th group of its pixels, its k-th. What is drawn for
 * a row is drawn once a block. */
#include "nn/augment_internal.h"
#include "nn/cuda/cuda_internal.h"

#define PIXELS ((size_t)1024) /* of a row that are worth a block */

/* The rows of a block, and a thread's pixels among n of them. */
#define EACH_ROW(r, rows) for (size_t r = blockIdx.x; r < (rows); r += gridDim.x)
#define EACH_PIXEL(p, n) \
  for (size_t p = (size_t)blockIdx.y * NN_THREADS + threadIdx.x; p < (n); p += (size_t)gridDim.y * NN_THREADS)

static __host__ __device__ inline size_t plane_of(const NnImages *n) { return n->height * n->width; }
static __host__ __device__ inline size_t size_of(const NnImages *n) { return n->channels * plane_of(n); }

static dim3 grid_of(const NnImages *n, size_t pixels) {
  const size_t parts = nn_min((pixels + PIXELS - 1) / PIXELS, 64);
  return dim3((unsigned)nn_min(n->rows, NN_MAX_BLOCKS), (unsigned)parts, 1);
}

static __global__ void flip_kernel(NnKey key, NnImages n, const NnReal *x, NnReal *y) {
  const size_t size = size_of(&n);
  key = nn_key_here(key);
  EACH_ROW(r, n.rows) {
    const int mirror = nn_flip_draw(key, r);
    EACH_PIXEL(p, size) {
      const size_t line = nn_quotient(p, n.width) * n.width;
      y[r * size + p] = x[r * size + (mirror ? line + (n.width - 1 - (p - line)) : p)];
    }
  }
}

static void flip(NnBackend *b, NnKey key, const NnImages *n, const NnReal *x, NnReal *y) {
  NN_START(nn_cuda(b), flip, grid_of(n, size_of(n)), key, *n, x, y);
}

static __global__ void crop_kernel(NnKey key, NnImages n, size_t pad, const NnReal *x, NnReal *y) {
  const size_t size = size_of(&n);
  key = nn_key_here(key);
  EACH_ROW(r, n.rows) {
    size_t down, right;
    nn_crop_draw(key, r, pad, &down, &right);
    EACH_PIXEL(p, size) {
      const size_t line = nn_quotient(p, n.width), c = nn_quotient(line, n.height);
      const size_t i = line - c * n.height + down, j = p - line * n.width + right; /* + pad */
      const int inside = i >= pad && j >= pad && i - pad < n.height && j - pad < n.width;
      y[r * size + p] = inside ? x[r * size + (c * n.height + i - pad) * n.width + j - pad] : 0;
    }
  }
}

static void crop(NnBackend *b, NnKey key, const NnImages *n, size_t pad, const NnReal *x, NnReal *y) {
  NN_START(nn_cuda(b), crop, grid_of(n, size_of(n)), key, *n, pad, x, y);
}

static __global__ void cutout_kernel(NnKey key, NnImages n, NnStrengths s, const NnReal *x, NnReal *y) {
  __shared__ NnHoles holes;
  const size_t size = size_of(&n), plane = plane_of(&n);
  key = nn_key_here(key);
  EACH_ROW(r, n.rows) {
    if (threadIdx.x == 0) nn_cutout_draw(key, &n, &s, r, &holes);
    __syncthreads();
    EACH_PIXEL(p, plane) {
      const size_t i = nn_quotient(p, n.width);
      const int hole = nn_in_hole(&holes, (int)i, (int)(p - i * n.width));
      for (size_t at = r * size + p; at < (r + 1) * size; at += plane) y[at] = hole ? 0 : x[at];
    }
    __syncthreads(); /* before the holes of the next row */
  }
}

static void cutout(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                   NnReal *y) {
  NN_START(nn_cuda(b), cutout, grid_of(n, plane_of(n)), key, *n, *s, x, y);
}

/* A pixel: brightness and contrast, then, of three channels, saturation and hue. */
static __device__ inline void jitter_pixel(NnJitter j, NnReal mean, size_t plane, size_t channels,
                                           const NnReal *x, NnReal *y) {
  if (channels != 3) {
    for (size_t at = 0; at < channels * plane; at += plane)
      y[at] = nn_towards(nn_towards(x[at], 0, j.brightness), mean, j.contrast);
    return;
  }
  NnReal rgb[3];
  for (int c = 0; c < 3; c++)
    rgb[c] = nn_towards(nn_towards(x[(size_t)c * plane], 0, j.brightness), mean, j.contrast);
  const NnReal gray = nn_gray(rgb[0], rgb[1], rgb[2]);
  for (int c = 0; c < 3; c++) rgb[c] = nn_towards(rgb[c], gray, j.saturation);
  nn_turn_hue(j.turn, rgb);
  for (int c = 0; c < 3; c++) y[(size_t)c * plane] = rgb[c];
}

/* One block a row: contrast needs the mean of the whole image. */
static __global__ void jitter_kernel(NnKey key, NnImages n, NnStrengths s, const NnReal *x, NnReal *y) {
  __shared__ double shared[NN_THREADS];
  const size_t size = size_of(&n), plane = plane_of(&n);
  key = nn_key_here(key);
  EACH_ROW(r, n.rows) {
    const NnJitter j = nn_jitter_draw(key, &s, r);
    const NnReal *in = x + r * size;
    double sum = 0;
    for (size_t p = threadIdx.x; p < plane && j.contrast != 1; p += NN_THREADS) {
      NnReal v = nn_towards(in[p], 0, j.brightness);
      if (n.channels == 3)
        v = nn_gray(v, nn_towards(in[plane + p], 0, j.brightness),
                    nn_towards(in[2 * plane + p], 0, j.brightness));
      sum += (double)v;
    }
    const NnReal mean = (NnReal)(nn_group_sum(sum, shared, NN_THREADS) / (double)plane);
    for (size_t p = threadIdx.x; p < plane; p += NN_THREADS)
      jitter_pixel(j, mean, plane, n.channels, in + p, y + r * size + p);
  }
}

static void jitter(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                   NnReal *y) {
  NN_START(nn_cuda(b), jitter, grid_of(n, 1), key, *n, *s, x, y);
}

static __global__ void affine_kernel(NnKey key, NnImages n, NnStrengths s, const NnReal *x, NnReal *y) {
  __shared__ NnAffine f;
  const size_t size = size_of(&n), plane = plane_of(&n);
  key = nn_key_here(key);
  EACH_ROW(r, n.rows) {
    if (threadIdx.x == 0) f = nn_affine_draw(key, &n, &s, r);
    __syncthreads();
    EACH_PIXEL(p, plane) {
      const size_t i = nn_quotient(p, n.width);
      const NnSample at = nn_affine_sample(&f, &n, i, p - i * n.width);
      for (size_t c = r * size; c < (r + 1) * size; c += plane) y[c + p] = nn_interpolate(x + c, &n, at);
    }
    __syncthreads(); /* before the map of the next row */
  }
}

static void affine(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                   NnReal *y) {
  NN_START(nn_cuda(b), affine, grid_of(n, plane_of(n)), key, *n, *s, x, y);
}

void nn_cuda_augment_kernels(NnKernels *k) {
  k->flip = flip;
  k->crop = crop;
  k->cutout = cutout;
  k->jitter = jitter;
  k->affine = affine;
}

/* Masks and noise from Philox4x32-10: block i/4 of (stream, step) under the key `seed` gives elements i …
 * i+3. */
#include <math.h>

#include "core/rng.h"
#include "nn/cpu_internal.h"

#define LANES 16

/* Sixteen blocks, [word][lane]: the loop over the lanes becomes vector instructions. */
BT_SIMD static void philox_lanes(NnKey key, uint64_t first, uint32_t out[4][LANES]) {
  uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
  uint32_t k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);
  for (size_t l = 0; l < LANES; l++) {
    c0[l] = (uint32_t)(first + l);
    c1[l] = key.stream ^ (uint32_t)((first + l) >> 32) << 24; /* beyond 2^34 elements */
    c2[l] = (uint32_t)key.step;
    c3[l] = (uint32_t)(key.step >> 32);
  }
  for (int round = 0; round < 10; round++) {
    for (size_t l = 0; l < LANES; l++) {
      const uint64_t p0 = (uint64_t)0xD2511F53u * c0[l], p1 = (uint64_t)0xCD9E8D57u * c2[l];
      c0[l] = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0;
      c1[l] = (uint32_t)p1;
      c2[l] = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1;
      c3[l] = (uint32_t)p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (size_t l = 0; l < LANES; l++)
    out[0][l] = c0[l], out[1][l] = c1[l], out[2][l] = c2[l], out[3][l] = c3[l];
}

/* Least uniform that is kept, of 2^32; 2^32 keeps nothing. */
static uint64_t threshold(NnReal rate) {
  if (!(rate > 0)) return 0;
  return rate < 1 ? (uint64_t)((double)rate * 0x1p32) : (uint64_t)1 << 32;
}

/* Elements first … first+count−1 of the whole draw; `first` is a multiple of 4·LANES. */
static void mask_chunk(NnKey key, size_t first, size_t end, size_t count, const NnReal *rate, size_t stride,
                       NnReal *mask) {
  size_t row = first / count, left = count - first % count;
  uint64_t least = threshold(rate[row * stride]);
  NnReal keep = least >> 32 ? 0 : 1 / (1 - (least ? rate[row * stride] : 0));
  for (size_t i = first; i < end; i += 4 * LANES) {
    uint32_t u[4][LANES];
    philox_lanes(key, i / 4, u);
    for (size_t k = 0; k < 4 * LANES && i + k < end; k++, left--) {
      if (left == 0) {
        row++, left = count;
        least = threshold(rate[row * stride]);
        keep = least >> 32 ? 0 : 1 / (1 - (least ? rate[row * stride] : 0));
      }
      mask[i + k] = u[k % 4][k / 4] >= least ? keep : 0;
    }
  }
}

static void dropout_mask(NnBackend *b, NnKey key, size_t rows, size_t count, const NnReal *rate,
                         size_t stride, NnReal *mask) {
  const size_t n = rows * count;
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    mask_chunk(key, i, nn_min(i + NN_CHUNK, n), count, rate, stride, mask);
}

/* Box–Muller, two of a block's words for two numbers. */
static void normal(NnBackend *b, NnKey key, size_t n, NnReal *x) {
  NN_PARALLEL(b, n)
  for (size_t first = 0; first < n; first += 4 * LANES) {
    uint32_t u[4][LANES];
    philox_lanes(key, first / 4, u);
    for (size_t k = 0; k < 4 * LANES && first + k < n; k++) {
      const uint32_t *lane0 = u[k % 4 & 2], *lane1 = u[(k % 4 & 2) + 1];
      const double radius = sqrt(-2 * log(((double)lane0[k / 4] + 0.5) * 0x1p-32));
      const double angle = 6.283185307179586 * ((double)lane1[k / 4] + 0.5) * 0x1p-32;
      x[first + k] = (NnReal)(radius * (k & 1 ? sin(angle) : cos(angle)));
    }
  }
}

void nn_cpu_random_kernels(NnKernels *k) {
  k->dropout_mask = dropout_mask;
  k->normal = normal;
}

#include "nn/cpu/cpu_internal.h"
#include "nn/draw_internal.h"

#define LANES 16

/* Sixteen blocks, [word][lane]: the loop over the lanes becomes vector instructions. */
BT_SIMD static void draw_lanes(NnKey key, uint64_t first, uint32_t out[4][LANES]) {
  uint32_t k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);
  for (size_t l = 0; l < LANES; l++) {
    const NnWords c = nn_draw_counter(key, first + l);
    out[0][l] = c.w[0], out[1][l] = c.w[1], out[2][l] = c.w[2], out[3][l] = c.w[3];
  }
  for (int round = 0; round < NN_DRAW_ROUNDS; round++, k0 += NN_DRAW_KEY0, k1 += NN_DRAW_KEY1)
    for (size_t l = 0; l < LANES; l++) {
      const NnWords c = nn_draw_round((NnWords){{out[0][l], out[1][l], out[2][l], out[3][l]}}, k0, k1);
      out[0][l] = c.w[0], out[1][l] = c.w[1], out[2][l] = c.w[2], out[3][l] = c.w[3];
    }
}

/* Elements first … end−1 of the whole draw; `first` is a multiple of 4·LANES. */
static void mask_chunk(NnKey key, size_t first, size_t end, size_t count, const NnReal *rate, size_t stride,
                       NnReal *mask) {
  size_t row = first / count, left = count - first % count;
  NnDropRule rule = nn_drop_rule(rate[row * stride]);
  for (size_t i = first; i < end; i += 4 * LANES) {
    uint32_t u[4][LANES];
    draw_lanes(key, i / 4, u);
    for (size_t k = 0; k < 4 * LANES && i + k < end; k++, left--) {
      if (left == 0) row++, left = count, rule = nn_drop_rule(rate[row * stride]);
      mask[i + k] = nn_dropped(rule, u[k % 4][k / 4]);
    }
  }
}

static void dropout_mask(NnBackend *b, NnKey key, size_t rows, size_t count, const NnReal *rate,
                         size_t stride, NnReal *mask) {
  const size_t n = rows * count;
  key = nn_key_here(key);
  NN_PARALLEL(b, n)
  for (size_t i = 0; i < n; i += NN_CHUNK)
    mask_chunk(key, i, nn_min(i + NN_CHUNK, n), count, rate, stride, mask);
}

static void normal(NnBackend *b, NnKey key, size_t n, NnReal *x) {
  key = nn_key_here(key);
  NN_PARALLEL(b, n)
  for (size_t first = 0; first < n; first += 4) {
    const NnWords c = nn_draw(key, first / 4);
    for (size_t k = 0; k < 4 && first + k < n; k++) x[first + k] = nn_normal_of(&c, (int)k);
  }
}

void nn_cpu_random_kernels(NnKernels *k) {
  k->dropout_mask = dropout_mask;
  k->normal = normal;
}

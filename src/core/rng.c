#include "core/rng.h"

#include <math.h>

void bt_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static void block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]) {
  const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  bt_philox(counter, key, out);
}

/* Midpoints of 2^53 cells, so that the logarithm of Box–Muller is finite. */
static double open_unit(uint32_t hi, uint32_t lo) {
  const uint64_t bits = ((uint64_t)hi << 32 | lo) >> 11;
  return fmin(((double)bits + 0.5) * 0x1p-53, 1.0 - 0x1p-53);
}

double bt_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t r[4];
  block(seed, stream, index, r);
  return open_unit(r[0], r[1]);
}

double bt_rng_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  static const double two_pi = 6.283185307179586;
  uint32_t r[4];
  block(seed, stream, index, r);
  return sqrt(-2.0 * log(open_unit(r[0], r[1]))) * cos(two_pi * open_unit(r[2], r[3]));
}

void bt_rng_fill_normal(uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out) {
  for (size_t i = 0; i < n; i++) out[i] = bt_rng_normal(seed, stream, first + i);
}

/* core/rng.h: counter-based random numbers, Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011).
 *
 * A number depends on (seed, stream, index) alone, never on the order of the calls: noise keyed by (seed, image,
 * pixel) is the same on every rank, thread and machine. */
#ifndef BITUNE_CORE_RNG_H
#define BITUNE_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* The ten-round Philox4x32 bijection: counter[4], key[2] → out[4]. */
void bt_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Uniform on (0,1), 53 bits, never 0 or 1. */
double bt_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal by Box–Muller on the two uniforms of one Philox block. */
double bt_rng_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* out[i] = normal(seed, stream, first + i), i < n. */
void bt_rng_fill_normal(uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out);

#endif

/* nn/draw_internal.h: random numbers of masks and noise, the same on every backend.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): block i/4 of (stream, step) under the key `seed` gives
 * elements i … i+3. core/rng.h has the same generator with counters of its own for what is not drawn by
 * kernels. */
#ifndef BITUNE_NN_DRAW_INTERNAL_H
#define BITUNE_NN_DRAW_INTERNAL_H

#include "nn/element_internal.h"

#define NN_DRAW_ROUNDS 10
#define NN_DRAW_KEY0 0x9E3779B9u /* added to the two halves of the key after each round */
#define NN_DRAW_KEY1 0xBB67AE85u

typedef struct {
  uint32_t w[4];
} NnWords;

/* What a kernel begins with: the key whose base has been added. */
NN_BOTH NnKey nn_key_here(NnKey key) {
  if (key.base) key.step += *key.base;
  key.base = NULL;
  return key;
}

NN_BOTH NnWords nn_draw_counter(NnKey key, uint64_t block) {
  NnWords c;
  c.w[0] = (uint32_t)block;
  c.w[1] = key.stream ^ (uint32_t)(block >> 32) << 24; /* beyond 2^34 elements */
  c.w[2] = (uint32_t)key.step;
  c.w[3] = (uint32_t)(key.step >> 32);
  return c;
}

NN_BOTH NnWords nn_draw_round(NnWords c, uint32_t k0, uint32_t k1) {
  const uint64_t p0 = (uint64_t)0xD2511F53u * c.w[0], p1 = (uint64_t)0xCD9E8D57u * c.w[2];
  NnWords next;
  next.w[0] = (uint32_t)(p1 >> 32) ^ c.w[1] ^ k0;
  next.w[1] = (uint32_t)p1;
  next.w[2] = (uint32_t)(p0 >> 32) ^ c.w[3] ^ k1;
  next.w[3] = (uint32_t)p0;
  return next;
}

/* Four words. */
NN_BOTH NnWords nn_draw(NnKey key, uint64_t block) {
  NnWords c = nn_draw_counter(key, block);
  uint32_t k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);
  for (int round = 0; round < NN_DRAW_ROUNDS; round++, k0 += NN_DRAW_KEY0, k1 += NN_DRAW_KEY1)
    c = nn_draw_round(c, k0, k1);
  return c;
}

/* What a rate of dropout makes of a word. */
typedef struct {
  uint64_t least; /* words from this on are kept; 2^32 keeps nothing */
  NnReal kept;    /* 1/(1 − rate)                                    */
} NnDropRule;

NN_BOTH NnDropRule nn_drop_rule(NnReal rate) {
  NnDropRule d;
  d.least = 0, d.kept = 1;
  if (rate >= 1)
    d.least = (uint64_t)1 << 32, d.kept = 0;
  else if (rate > 0)
    d.least = (uint64_t)((double)rate * 0x1p32), d.kept = 1 / (1 - rate);
  return d;
}

NN_BOTH NnReal nn_dropped(NnDropRule d, uint32_t word) { return word >= d.least ? d.kept : 0; }

/* Element i of a draw of normal numbers by Box–Muller: words 0, 1 of a block give its first two, words 2, 3
 * the others. */
NN_BOTH NnReal nn_normal_of(const NnWords *c, int i) {
  const double radius = sqrt(-2 * log(((double)c->w[i & 2] + 0.5) * 0x1p-32));
  const double angle = 6.283185307179586 * ((double)c->w[(i & 2) + 1] + 0.5) * 0x1p-32;
  return (NnReal)(radius * (i & 1 ? sin(angle) : cos(angle)));
}

#endif

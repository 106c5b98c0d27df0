#include "nn/initial.h"

#include <stdlib.h>

#include "core/rng.h"

enum { UNIFORM, NORMAL, CONSTANT };

/* FNV-1a of the name: the stream of its numbers. */
static uint64_t stream_of(const char *name) {
  uint64_t h = 0xcbf29ce484222325u;
  for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
  return h;
}

static BtStatus initial(BtContext *ctx, NnGraph *g, NnId parameter, int kind, uint64_t seed, double a) {
  if (parameter < 0 || parameter >= nn_graph_nodes(g))
    return bt_fail(ctx, BT_ERR_ARG, "initial values: there is no node %d", parameter);
  const size_t n = nn_shape_size(nn_graph_shape(g, parameter));
  const uint64_t stream = stream_of(nn_graph_name(g, parameter));
  NnReal *x = malloc(n * sizeof *x);
  if (!x) return bt_fail_memory(ctx, nn_graph_name(g, parameter), (double)(n * sizeof *x));
  for (size_t i = 0; i < n; i++)
    x[i] = (NnReal)(kind == UNIFORM  ? a * (2 * bt_rng_uniform(seed, stream, i) - 1)
                    : kind == NORMAL ? a * bt_rng_normal(seed, stream, i)
                                     : a);
  const BtStatus st = nn_graph_set(ctx, g, parameter, x, n);
  free(x);
  return st;
}

BtStatus nn_initial_uniform(BtContext *ctx, NnGraph *g, NnId parameter, uint64_t seed, double bound) {
  return initial(ctx, g, parameter, UNIFORM, seed, bound);
}

BtStatus nn_initial_normal(BtContext *ctx, NnGraph *g, NnId parameter, uint64_t seed, double deviation) {
  return initial(ctx, g, parameter, NORMAL, seed, deviation);
}

BtStatus nn_initial_constant(BtContext *ctx, NnGraph *g, NnId parameter, double value) {
  return initial(ctx, g, parameter, CONSTANT, 0, value);
}

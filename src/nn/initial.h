/* nn/initial.h: initial values of parameters, drawn from (seed, name): independent of the order of the nodes.
 */
#ifndef BITUNE_NN_INITIAL_H
#define BITUNE_NN_INITIAL_H

#include "nn/graph.h"

/* Uniform on ±bound: bound = 1/sqrt(fan_in) for W, U, b, u. */
BtStatus nn_initial_uniform(BtContext *ctx, NnGraph *g, NnId parameter, uint64_t seed, double bound);
/* Normal with this standard deviation: 0.01 for V, C of an STN. */
BtStatus nn_initial_normal(BtContext *ctx, NnGraph *g, NnId parameter, uint64_t seed, double deviation);
BtStatus nn_initial_constant(BtContext *ctx, NnGraph *g, NnId parameter, double value);

#endif

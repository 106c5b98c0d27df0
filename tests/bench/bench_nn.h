/* tests/bench/bench_nn.h: convolutions of another library, for comparison. */
#ifndef BITUNE_BENCH_NN_H
#define BITUNE_BENCH_NN_H

#include "nn/kernels.h"

typedef struct {
  double forward, data, filter; /* seconds of one call, the least of several; 0: not built in */
} ConvTimes;

double bench_seconds(void);

/* oneDNN on plain NCHW arrays (`plain`) or in the layout that it likes best, without the cost of getting
 * there. */
ConvTimes bench_onednn(const NnConv *conv, int plain);

#endif

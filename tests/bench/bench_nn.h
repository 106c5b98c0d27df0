/* tests/bench/bench_nn.h: what the benchmark of the networks consists of. */
#ifndef BITUNE_BENCH_NN_H
#define BITUNE_BENCH_NN_H

#include "nn/backend.h"

typedef struct {
  double forward, data, filter; /* seconds of one call, the least of several; 0: not built in */
} ConvTimes;

double bench_seconds(void);

/* n numbers in the backend's memory; ends the program if there is none. */
NnReal *bench_numbers(NnBackend *b, size_t n);

/* Seconds of a call, the least of several; waits for devices. */
typedef void BenchCall(NnBackend *b, void *user);
double bench_best(NnBackend *b, BenchCall *call, void *user);

/* Kernels that are bound by memory: bytes a second. */
void bench_kernels(NnBackend *b);

/* oneDNN on plain NCHW arrays (`plain`) or in the layout that it likes best, without the cost of getting
 * there. */
ConvTimes bench_onednn(const NnConv *conv, int plain);

#endif

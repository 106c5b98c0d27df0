/* tests/bench/bench.h: what the benchmarks share. They print and exit, unlike the library. */
#ifndef BITUNE_TESTS_BENCH_H
#define BITUNE_TESTS_BENCH_H

#include "hypergrad/bilevel.h"
#include "lowerlevel/denoising.h"

/* Monotonic seconds. */
double bench_clock(void);

/* Prints the context's text and exits with 1 if st is an error. */
void bench_check(const BtContext *ctx, BtStatus st, const char *what);

/* Pairs of clean and noisy gray images. */
typedef struct {
  size_t count;
  BtNoisyImage *noisy;
  const double **truth;
} BenchImages;

/* The first `count` images of a folder (or one file), luminance, centre crop × crop (0: whole), noise of `sigma` on
 * the 0–255 scale with seed 1. */
BenchImages bench_images(BtContext *ctx, const char *folder, size_t count, size_t crop, double sigma);

/* Starts PETSc so that errors come back as codes. */
void bench_start(int *argc, char ***argv);

#endif

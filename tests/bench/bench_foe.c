/* Speed of the filter bank's sweep against what matrix multiplication reaches on the same core, one thread.
 *
 *   bench_foe [HEIGHT WIDTH]      default 321 × 481
 *
 * Times are of the processor, not of the clock on the wall, and the best of several runs. Flops of C and Cᵀ
 * are 2Ks² for each pixel. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "core/rng.h"
#include "regularizers/filter_bank.h"
#include "regularizers/foe.h"

#define REPEATS 12
#define ORDER 1024

static double processor_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *alloc(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  return memory;
}

static double *randoms(uint64_t stream, size_t n, double shift) {
  double *x = alloc(n, sizeof *x);
  for (size_t j = 0; j < n; j++) x[j] = bt_rng_uniform(1, stream, j) - shift;
  return x;
}

/* Gflop/s of ORDER³. */
static double multiplication_rate(int single) {
  const size_t n = (size_t)ORDER * ORDER;
  double *a = randoms(1, n, 0.5), *b = randoms(2, n, 0.5), *c = randoms(3, n, 0.5), best = (double)INFINITY;
  if (single)
    for (size_t j = 0; j < n; j++) ((float *)a)[j] = (float)a[j], ((float *)b)[j] = (float)b[j];
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    const double start = processor_clock();
    if (single)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ORDER, ORDER, ORDER, 1, (float *)a, ORDER,
                  (float *)b, ORDER, 0, (float *)c, ORDER);
    else
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ORDER, ORDER, ORDER, 1, a, ORDER, b, ORDER, 0, c,
                  ORDER);
    best = fmin(best, processor_clock() - start);
  }
  free(a);
  free(b);
  free(c);
  return 2e-9 * ORDER * ORDER * ORDER / best;
}

static void leave(void *user, const BtBankRow *row) {
  (void)user;
  (void)row;
}

static double sweep_time(const BtBankSweep *sweep, BtShape shape) {
  double best = (double)INFINITY;
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    const double start = processor_clock();
    if (bt_bank_sweep(sweep, shape) < 0) exit(1);
    best = fmin(best, processor_clock() - start);
  }
  return best;
}

static double gradient_time(BtShape shape, size_t filters, size_t size, int single, const double *x,
                            double *gradient) {
  BtRegularizer reg = bt_foe(BT_FOE_CONVEX, filters, size);
  double *theta = alloc(reg.parameters, sizeof *theta), best = (double)INFINITY;
  reg.ops->initial_random(&reg, 25.0 / 255, 1, theta);
  reg.single = single;
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    const double start = processor_clock();
    if (!isfinite(reg.ops->value_grad(&reg, shape, theta, x, gradient))) exit(1);
    best = fmin(best, processor_clock() - start);
  }
  free(theta);
  return best;
}

int main(int argc, char **argv) {
  static const size_t banks[][2] = {{24, 5}, {48, 7}, {80, 9}, {48, 15}, {48, 31}};
  BtShape shape = {321, 481};
  if (argc == 3) shape = (BtShape){strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10)};
  if ((argc != 1 && argc != 3) || shape.height < 1 || shape.width < 1) {
    fprintf(stderr, "usage: bench_foe [HEIGHT WIDTH]\n");
    return 2;
  }
  openblas_set_num_threads(1);
  const size_t n = bt_shape_size(shape);
  double *x = randoms(4, n, 0), *out = alloc(n, sizeof *out);
  printf("%zu x %zu pixels\n", shape.height, shape.width);
  for (int single = 1; single >= 0; single--) {
    const double rate = multiplication_rate(single);
    printf("\n%s precision: matrix multiplication %.1f Gflop/s\n", single ? "single" : "double", rate);
    printf("filters       C and C'                  C and tap sums            value and gradient\n");
    printf("                  ms Gflop/s  of GEMM       ms Gflop/s  of GEMM       ms  of GEMM\n");
    for (size_t j = 0; j < sizeof banks / sizeof *banks; j++) {
      const size_t filters = banks[j][0], size = banks[j][1], taps = filters * size * size;
      double *weights = randoms(5, taps, 0.5), *sums = alloc(taps, sizeof *sums);
      const BtFilterBank bank = {filters, size, weights};
      const double gflop = 4e-9 * (double)taps * (double)n;
      const BtBankSweep adjoint = {.bank = {&bank},
                                   .image = {x},
                                   .inputs = 1,
                                   .outputs = 1,
                                   .out = out,
                                   .act = leave,
                                   .single = single};
      const BtBankSweep correlation = {
          .bank = {&bank}, .image = {x}, .inputs = 1, .tap_sums = sums, .act = leave, .single = single};
      const double a = sweep_time(&adjoint, shape), c = sweep_time(&correlation, shape);
      const double g = gradient_time(shape, filters, size, single, x, out);
      printf("%2zu of %2zux%-2zu %8.2f %7.1f %7.0f%% %8.2f %7.1f %7.0f%% %8.2f %7.0f%%\n", filters, size,
             size, 1e3 * a, gflop / a, 100 * gflop / a / rate, 1e3 * c, gflop / c, 100 * gflop / c / rate,
             1e3 * g, 100 * gflop / g / rate);
      fflush(stdout);
      free(weights);
      free(sums);
    }
  }
  free(x);
  free(out);
  return 0;
}

/* Time to reach a value of the (unsmoothed, isotropic) TV denoising objective, for comparison with other
 * programs.
 *
 *   bench_tv NOISY HEIGHT WIDTH WEIGHT TARGET [TARGET …]
 *
 * NOISY holds raw doubles in native order. For each target the first (smoothing, tolerance) of a fixed ladder
 * whose solution reaches it is timed: the best of 5 runs, cold start and solver included. */
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "lowerlevel/solve.h"
#include "regularizers/tv.h"

typedef struct {
  double smoothing, rms;
} Rung;

static const Rung ladder[] = {{3e-3, 3e-2}, {2e-3, 1e-2}, {1e-3, 1e-2}, {1e-3, 5e-3}, {1e-3, 3e-3},
                              {5e-4, 3e-3}, {5e-4, 1e-3}, {3e-4, 1e-3}, {2e-4, 1e-3}, {1e-4, 1e-3},
                              {1e-4, 3e-4}, {5e-5, 3e-4}, {2e-5, 1e-4}};

static double objective(BtShape shape, const double *x, const double *y, double weight) {
  double sum = 0;
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c = 0; c < shape.width; c++) {
      const size_t i = r * shape.width + c;
      const double dx = c + 1 < shape.width ? x[i + 1] - x[i] : 0;
      const double dy = r + 1 < shape.height ? x[i + shape.width] - x[i] : 0;
      sum += 0.5 * (x[i] - y[i]) * (x[i] - y[i]) + weight * hypot(dx, dy);
    }
  return sum;
}

int main(int argc, char **argv) {
  BtContext ctx;
  bt_context_init(&ctx);
  if (argc < 6) {
    fprintf(stderr, "usage: bench_tv NOISY HEIGHT WIDTH WEIGHT TARGET ...\n");
    return 2;
  }
  const char *path = argv[1];
  const BtShape shape = {(size_t)atol(argv[2]), (size_t)atol(argv[3])};
  const double weight = atof(argv[4]);
  const size_t n = bt_shape_size(shape);
  double targets[16];
  int target_count = 0;
  for (int k = 5; k < argc && target_count < 16; k++) targets[target_count++] = atof(argv[k]);
  double *noisy = malloc(n * sizeof *noisy);
  FILE *file = fopen(path, "rb");
  if (!noisy || !file || fread(noisy, sizeof *noisy, n, file) != n) {
    fprintf(stderr, "%s: cannot read %zu doubles\n", path, n);
    return 1;
  }
  fclose(file);
  bench_start(&argc, &argv);

  const BtRegularizer tv = bt_tv(BT_TV_ISOTROPIC);
  const BtNoisyImage image = {shape, noisy};
  const BtDenoising denoising = {&tv, &image};
  const BtProblem problem = bt_denoising_problem(&denoising, 1);
  const BtLowerSettings settings = {"auto", 100000};
  const BtLowerPoint point = {malloc(n * sizeof(double)), malloc(2 * n * sizeof(double))};
  BtLower *lower;
  bench_check(&ctx, bt_lower_create(&ctx, &problem, &settings, &lower), "solver");
  size_t rung = 0;
  for (int k = 0; k < target_count; k++)
    for (; rung < sizeof ladder / sizeof *ladder; rung++) {
      const double theta[2] = {log(weight), log(ladder[rung].smoothing)};
      double best = (double)INFINITY;
      for (int repeat = 0; repeat < 5; repeat++) {
        BtCertificate cert;
        const double start = bench_clock();
        bt_lower_cold_start(lower, 0, theta, point);
        bench_check(&ctx,
                    bt_lower_solve(lower, &ctx, 0, theta, ladder[rung].rms * sqrt((double)n), point, &cert),
                    path);
        best = fmin(best, bench_clock() - start);
      }
      const double reached = objective(shape, point.x, noisy, weight);
      if (reached > targets[k]) continue;
      printf("%.6f %.6f %.6f\n", targets[k], reached, best);
      fflush(stdout);
      break;
    }
  bt_lower_destroy(lower);
  return PetscFinalize() != 0;
}

/* Lower-level solvers on one image: work and time to given accuracies, cold start. Decided the default
 * solver.
 *
 *   bench_solvers IMAGE [SIGMA] */
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "lowerlevel/solve.h"
#include "regularizers/tv.h"

static const char *const solvers[] = {"bt_pdnewton", "bt_fista", "bt_lbfgs", "lmvm", "bncg", "nls"};
static const double smoothings[] = {1e-2, 1e-3, 1e-4};
static const double accuracies[] = {1e-3, 1e-4, 1e-6};

static void measure(BtContext *ctx, const BtProblem *problem, const char *solver, const double *theta,
                    double rms) {
  const size_t n = problem->ops->dimension(problem, 0);
  const BtLowerSettings settings = {solver, 100000};
  const BtLowerPoint point = {malloc(n * sizeof(double)),
                              malloc(bt_problem_dual_size(problem, 0) * sizeof(double))};
  BtCertificate cert = {0};
  BtLower *lower;
  BtStatus st = BT_OK;
  BtWork work = {0};
  double best = (double)INFINITY;
  bench_check(ctx, bt_lower_create(ctx, problem, &settings, &lower), solver);
  for (int repeat = 0; repeat < 3; repeat++) {
    const BtWork before = bt_lower_work(lower);
    const double start = bench_clock();
    bt_lower_cold_start(lower, 0, theta, point);
    st = bt_lower_solve(lower, ctx, 0, theta, rms * sqrt((double)n), point, &cert);
    best = fmin(best, bench_clock() - start);
    work = bt_lower_work(lower);
    work.gradients -= before.gradients;
    work.hessian_products -= before.hessian_products;
    if (bench_clock() - start > 20) break;
  }
  printf("| %-11s | %7.0e | %7lld | %7lld | %8.1f | %s |\n", solver, rms, (long long)work.gradients,
         (long long)work.hessian_products, 1e3 * best, st == BT_OK ? "proven" : bt_status_name(st));
  fflush(stdout);
  bt_lower_destroy(lower);
  free(point.x);
  free(point.dual);
}

int main(int argc, char **argv) {
  BtContext ctx;
  bt_context_init(&ctx);
  if (argc < 2) {
    fprintf(stderr, "usage: bench_solvers IMAGE [SIGMA]\n");
    return 2;
  }
  const char *path = argv[1];
  const double sigma = argc > 2 ? atof(argv[2]) : 25;
  bench_start(&argc, &argv);
  const BenchImages images = bench_images(&ctx, path, 1, 0, sigma);
  const size_t height = images.noisy[0].shape.height, width = images.noisy[0].shape.width;
  for (int variant = 0; variant < 2; variant++) {
    const BtRegularizer tv = bt_tv((BtTvVariant)variant);
    const BtDenoising denoising = {&tv, images.noisy};
    const BtProblem problem = bt_denoising_problem(&denoising, 1);
    for (size_t s = 0; s < sizeof smoothings / sizeof *smoothings; s++) {
      const double theta[2] = {log(0.07), log(smoothings[s])};
      printf("\n%s TV, %zux%zu, sigma %g, weight 0.07, smoothing %g\n\n",
             variant ? "anisotropic" : "isotropic", height, width, sigma, smoothings[s]);
      printf(
          "| solver      | rms     |   grads | H prods |  time ms | certificate "
          "|\n|---|---|---|---|---|---|\n");
      for (size_t k = 0; k < sizeof solvers / sizeof *solvers; k++)
        for (size_t a = 0; a < sizeof accuracies / sizeof *accuracies; a++) {
          if (k == 4 && smoothings[s] < 1e-3) continue; /* plain Newton: thousands of products */
          measure(&ctx, &problem, solvers[k], theta, accuracies[a]);
        }
    }
  }
  return PetscFinalize() != 0;
}

/* One image denoised by a model: passes, time and PSNR at given accuracies, by lower-level solver, one
 * thread, cold start. Decided the default solver for fields of experts.
 *
 *   bench_denoise MODEL.json CLEAN-IMAGE [SOLVER …] */
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "lowerlevel/denoising.h"
#include "lowerlevel/solve.h"
#include "regularizers/model.h"

static const char *const all_solvers[] = {"bt_lbfgs", "lmvm", "bt_fista", "nls", "bncg"};
/* Per-pixel rms on the 0–255 scale. */
static const double accuracies[] = {10, 3, 1, 1e-1, 1e-2, 1e-3};

static double psnr(const double *x, const double *truth, size_t n) {
  double sum = 0;
  for (size_t j = 0; j < n; j++) {
    const double d = fmin(1, fmax(0, x[j])) - truth[j];
    sum += d * d;
  }
  return -10 * log10(sum / (double)n);
}

static void measure(BtContext *ctx, const BtProblem *problem, const char *solver, const double *theta,
                    double rms, const double *truth) {
  const size_t n = problem->ops->dimension(problem, 0);
  const BtLowerSettings settings = {solver, 2000};
  const size_t dual = bt_problem_dual_size(problem, 0);
  const BtLowerPoint point = {malloc(n * sizeof(double)), dual ? malloc(dual * sizeof(double)) : NULL};
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
    st = bt_lower_solve(lower, ctx, 0, theta, rms / 255 * sqrt((double)n), point, &cert);
    best = fmin(best, bench_clock() - start);
    work = bt_lower_work(lower);
    work.gradients -= before.gradients;
    work.hessian_products -= before.hessian_products;
    if (bench_clock() - start > 10) break;
  }
  printf("| %-9s | %7.0e | %6lld | %6lld | %7.3f | %7.4f | %9.1e | %s, %s |\n", solver, rms,
         (long long)work.gradients, (long long)work.hessian_products, best, psnr(point.x, truth, n),
         255 * cert.bound / sqrt((double)n), bt_proof_name(cert.proof), bt_status_name(st));
  fflush(stdout);
  bt_lower_destroy(lower);
  free(point.x);
  free(point.dual);
}

int main(int argc, char **argv) {
  BtContext ctx;
  BtModel model;
  BtDenoisingTwin twin;
  bt_context_init(&ctx);
  if (argc < 3) {
    fprintf(stderr, "usage: bench_denoise MODEL.json CLEAN-IMAGE [SOLVER ...]\n");
    return 2;
  }
  const char *const *solvers = argc > 3 ? (const char *const *)argv + 3 : all_solvers;
  const int count = argc > 3 ? argc - 3 : (int)(sizeof all_solvers / sizeof *all_solvers);
  int none = 0;
  bench_start(&none, &argv);
  bench_check(&ctx, bt_model_load(&ctx, argv[1], &model), argv[1]);
  const BenchImages images = bench_images(&ctx, argv[2], 1, 0, model.sigma);
  const BtDenoising denoising = {&model.regularizer, images.noisy};
  BtProblem problem = bt_denoising_problem(&denoising, 1);
  bt_denoising_add_twin(&problem, &twin);
  printf("%zux%zu, sigma %g, noisy %.2f dB\n\n", images.noisy[0].shape.height, images.noisy[0].shape.width,
         model.sigma, psnr(images.noisy[0].noisy, images.truth[0], bt_shape_size(images.noisy[0].shape)));
  printf(
      "| solver    | rms/255 |  grads | H prod |  time s |    PSNR | bound/255 | certificate |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (int k = 0; k < count; k++)
    for (size_t a = 0; a < sizeof accuracies / sizeof *accuracies; a++)
      measure(&ctx, &problem, solvers[k], model.theta, accuracies[a], images.truth[0]);
  bt_model_clear(&model);
  return PetscFinalize() != 0;
}

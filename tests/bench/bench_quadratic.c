/* The quadratic problem with closed form: MAID's results and certificates against the exact ones.
 *
 *   bench_quadratic [N] [M]
 *
 * N unknowns (1000), M hyperparameters (10), three data sets; tests/conformance/quadratic.h has the formulas.
 * For each start the error of every hypergradient and value that MAID was given is compared with its bound.
 * Exit code 1 if any bound is violated. */
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "conformance/quadratic.h"
#include "linesearch/maid.h"
#include "lowerlevel/vector.h"

#define MAX_M 64

/* The oracle, each answer compared with the exact one. */
typedef struct {
  BtOracle inner;
  const Quadratic *quadratic;
  double value_share, gradient_share; /* largest error / bound so far */
} Judge;

static double exact(const Quadratic *q, const double *theta, double *gradient) {
  double f = 0, g[MAX_M];
  for (size_t k = 0; k < q->m; k++) gradient[k] = 0;
  for (size_t i = 0; i < QUADRATIC_IMAGES; i++) {
    f += quadratic_value(q, i, theta, g) / QUADRATIC_IMAGES;
    for (size_t k = 0; k < q->m; k++) gradient[k] += g[k] / QUADRATIC_IMAGES;
  }
  return f;
}

static void judge_value(Judge *j, const double *theta, const BtInexactValue *out) {
  double g[MAX_M];
  const double f = exact(j->quadratic, theta, g), off = f - out->value;
  const double room = off > 0 ? out->upper - out->value : out->value - out->lower;
  /* Below this the closed form itself is rounded. */
  if (fabs(off) > 1e-13 * fabs(f)) j->value_share = fmax(j->value_share, fabs(off) / room);
}

static BtStatus value(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                      BtInexactValue *out) {
  Judge *j = self;
  const BtStatus st = j->inner.value(j->inner.self, ctx, theta, eps, threshold, out);
  if (st >= 0) judge_value(j, theta, out);
  return st;
}

static BtStatus gradient(void *self, BtContext *ctx, const double *theta, double eps, double delta, int want,
                         double *z, BtInexactGradient *out) {
  Judge *j = self;
  double g[MAX_M];
  const BtStatus st = j->inner.gradient(j->inner.self, ctx, theta, eps, delta, want, z, out);
  if (st < 0) return st;
  judge_value(j, theta, &out->value);
  (void)exact(j->quadratic, theta, g);
  const double off = bt_distance(z, g, j->quadratic->m);
  if (off > 1e-12 * bt_norm(g, j->quadratic->m))
    j->gradient_share = fmax(j->gradient_share, off / out->bound);
  return st;
}

static BtWork work(const void *self) {
  const Judge *j = self;
  return j->inner.work(j->inner.self);
}

static void accept(void *self, const double *theta) {
  const Judge *j = self;
  j->inner.accept(j->inner.self, theta);
}

/* Returns whether all bounds held. */
static int run(const Quadratic *q, const double *best, double least, const char *name, int accelerated,
               int test, double accuracy) {
  static const BtLowerSettings lower = {.solver = "auto", .max_iterations = 100000};
  BtContext ctx;
  BtTeam team;
  BtBilevel *bilevel;
  BtMaidSettings set = {0};
  BtMaid maid;
  double start[MAX_M], g[MAX_M];
  const BtProblem problem = quadratic_problem(q);
  const BtUpperLoss loss = quadratic_loss(q);
  bt_context_init(&ctx);
  bt_team_self(&team);
  bench_check(&ctx, bt_bilevel_create(&ctx, &problem, &loss, &lower, &team, NULL, NULL, &bilevel), "problem");
  Judge judge = {.inner = bt_bilevel_oracle(bilevel), .quadratic = q};
  BtOracle oracle = {.self = &judge,
                     .parameters = judge.inner.parameters,
                     .value = value,
                     .gradient = gradient,
                     .work = work,
                     .accept = accept};
  bt_options_default(bt_maid_options, &set);
  set.accelerated = accelerated;
  set.direction_test = test;
  set.eps0 = set.delta0 = accuracy;
  set.tolerance = 1e-5;
  set.max_outer = 2000;
  for (size_t k = 0; k < q->m; k++) start[k] = 2;
  bench_check(&ctx, bt_maid_create(&ctx, &set, q->m, start, &maid), "MAID");
  const BtStatus st = bt_maid_run(&ctx, &oracle, &set, &maid);
  const double f = exact(q, maid.theta, g);
  const BtWork total = oracle.work(oracle.self);
  double distance = 0;
  for (size_t k = 0; k < q->m; k++) distance = fmax(distance, fabs(maid.theta[k] - best[k]));
  printf("| %s | %g | %lld | %lld | %.2e | %.2e | %.2e | %.2e | %.3f | %.3f | %s |\n", name, accuracy,
         (long long)maid.iteration, (long long)bt_work_total(&total), (f - least) / least, distance,
         bt_distance(maid.z, g, q->m), maid.gradient.bound, judge.gradient_share, judge.value_share,
         st < 0 ? ctx.error : bt_maid_reason_name(maid.reason));
  (void)fflush(stdout);
  bt_maid_clear(&maid);
  bt_bilevel_destroy(bilevel);
  return st >= 0 && judge.gradient_share <= 1 && judge.value_share <= 1;
}

int main(int argc, char **argv) {
  static const double accuracies[] = {1e2, 1, 1e-2, 1e-5};
  int held = 1;
  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 1;
  const long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000, m = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
  Quadratic q;
  double best[MAX_M];
  if (n < 1 || m < 1 || m > MAX_M || m > n || !quadratic_create(&q, (size_t)n, (size_t)m, 77)) {
    (void)fprintf(stderr, "bench_quadratic [N] [M], 1 <= M <= N, M <= %d\n", MAX_M);
    return 1;
  }
  const double least = quadratic_minimum(&q, best);
  printf(
      "| method | eps0 = delta0 | outer | work | (f - f*)/f* | max abs(theta - theta*) | error of z | its "
      "bound | largest "
      "error/bound of z | of f | ended |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (size_t k = 0; k < sizeof accuracies / sizeof *accuracies; k++) {
    held &= run(&q, best, least, "maid", 1, BT_MAID_PROVEN, accuracies[k]);
    held &= run(&q, best, least, "maid, estimated directions", 1, BT_MAID_ESTIMATED, accuracies[k]);
    held &= run(&q, best, least, "maid-plain", 0, BT_MAID_PROVEN, accuracies[k]);
  }
  quadratic_clear(&q);
  return PetscFinalize() || !held;
}

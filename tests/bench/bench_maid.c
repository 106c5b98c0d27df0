/* MAID on the TV problem of Salehi et al. 2023: robustness to its initial accuracies and step, and
 * lower-level work against fixed accuracies.
 *
 *   bench_maid FOLDER [sweep|fixed] [PLAIN]
 *
 * 25 gray images 96×96, σ = 25.5, squared loss, start (−5,−5). A fixed accuracy is the same method on an
 * oracle whose ε = δ never change and whose values count as exact. True losses along each trajectory are
 * found afterwards by solves to 1e-6, which are not counted. */
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "linesearch/maid.h"
#include "regularizers/tv.h"

#define MAX_POINTS 1024

typedef struct {
  BtBilevel *tight;
  BtContext ctx;
  BtRegularizer tv;
  BtProblem problem;
  BtUpperLoss loss;
  BtTeam team;
  BtLowerSettings lower;
} Bench;

typedef struct {
  int count;
  double theta[MAX_POINTS][2];
  int64_t work[MAX_POINTS];
} Trajectory;

static int record(void *user, const BtEvent *event) {
  Trajectory *t = user;
  if (event->type != BT_EVENT_OUTER || t->count == MAX_POINTS) return 0;
  memcpy(t->theta[t->count], event->as.outer.theta, sizeof t->theta[0]);
  t->work[t->count++] = bt_work_total(&event->as.outer.work);
  return 0;
}

static int in_domain(const void *regularizer, const double *theta) {
  return bt_regularizer_accepts(regularizer, theta);
}

/* The oracle at one accuracy, taken at its word. */
typedef struct {
  BtOracle inner;
  double eps;
} Fixed;

static void trust(BtInexactValue *v) { v->lower = v->upper = v->value; }

static BtStatus fixed_value(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                            BtInexactValue *out) {
  Fixed *f = self;
  (void)eps, (void)threshold;
  const BtStatus st = f->inner.value(f->inner.self, ctx, theta, f->eps, (double)NAN, out);
  trust(out);
  return st;
}

static BtStatus fixed_gradient(void *self, BtContext *ctx, const double *theta, double eps, double delta,
                               int want, double *z, BtInexactGradient *out) {
  Fixed *f = self;
  (void)eps, (void)delta, (void)want;
  const BtStatus st = f->inner.gradient(f->inner.self, ctx, theta, f->eps, f->eps, 0, z, out);
  out->bound = 0;
  trust(&out->value);
  return st;
}

static BtWork fixed_work(const void *self) {
  const Fixed *f = self;
  return f->inner.work(f->inner.self);
}

static void fixed_accept(void *self, const double *theta) {
  Fixed *f = self;
  f->inner.accept(f->inner.self, theta);
}

static BtBilevel *new_problem(Bench *b) {
  BtBilevel *bilevel;
  bench_check(
      &b->ctx,
      bt_bilevel_create(&b->ctx, &b->problem, &b->loss, &b->lower, &b->team, in_domain, &b->tv, &bilevel),
      "bilevel problem");
  return bilevel;
}

static double true_loss(Bench *b, const double *theta) {
  BtOracle oracle = bt_bilevel_oracle(b->tight);
  BtInexactValue value;
  bench_check(&b->ctx, oracle.value(oracle.self, &b->ctx, theta, 1e-6, (double)NAN, &value), "true loss");
  oracle.accept(oracle.self, theta);
  return value.value;
}

typedef struct {
  double loss, seconds;
  int64_t iterations, work;
  BtMaidReason reason;
  Trajectory path;
} Outcome;

static void run(Bench *b, BtMaidSettings *settings, double fixed, Outcome *out) {
  static const double start[2] = {-5, -5};
  BtBilevel *bilevel = new_problem(b);
  BtOracle oracle = bt_bilevel_oracle(bilevel);
  Fixed wrapper = {oracle, fixed};
  const BtOracle frozen = {.self = &wrapper,
                           .parameters = oracle.parameters,
                           .value = fixed_value,
                           .gradient = fixed_gradient,
                           .work = fixed_work,
                           .accept = fixed_accept};
  BtOracle used = fixed > 0 ? frozen : oracle;
  BtMaid maid;
  memset(out, 0, sizeof *out);
  b->ctx.observer_count = 0;
  bench_check(&b->ctx, bt_context_observe(&b->ctx, record, &out->path), "observer");
  bench_check(&b->ctx, bt_maid_create(&b->ctx, settings, 2, start, &maid), "MAID");
  bench_check(&b->ctx, bt_maid_run(&b->ctx, &used, settings, &maid), "MAID");
  const BtWork work = oracle.work(oracle.self);
  out->loss = true_loss(b, maid.theta);
  out->work = bt_work_total(&work);
  out->iterations = maid.iteration;
  out->seconds = maid.seconds;
  out->reason = maid.reason;
  bt_maid_clear(&maid);
  bt_bilevel_destroy(bilevel);
}

/* Work when the true loss first came within `share` of `best`; -1 if never. */
static int64_t work_to(Bench *b, const Outcome *o, double best, double share) {
  for (int k = 0; k < o->path.count; k++)
    if (true_loss(b, o->path.theta[k]) <= best * (1 + share)) return o->path.work[k];
  return -1;
}

static void print_row(Bench *b, const char *name, const Outcome *o, double best) {
  printf("| %-30s | %.6f | %+.4f%% | %4lld | %8lld | %8lld | %8lld | %6.1f | %s |\n", name, o->loss,
         100 * (o->loss / best - 1), (long long)o->iterations, (long long)work_to(b, o, best, 1e-2),
         (long long)work_to(b, o, best, 1e-3), (long long)o->work, o->seconds,
         bt_maid_reason_name(o->reason));
  fflush(stdout);
}

static void header(void) {
  printf(
      "| run | true loss | over best | outer | work to 1%% | work to 0.1%% | work in all | s | end |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
}

static const double accuracies0[] = {1e2, 1, 1e-2, 1e-5}, steps0[] = {1e-4, 1e-2, 1};

static void sweep(Bench *b, BtMaidSettings *settings, double best) {
  header();
  for (size_t e = 0; e < 4; e++)
    for (size_t a = 0; a < 3; a++) {
      static Outcome o;
      char name[80];
      settings->eps0 = settings->delta0 = accuracies0[e];
      settings->alpha0 = steps0[a];
      run(b, settings, 0, &o);
      snprintf(name, sizeof name, "eps0 = delta0 = %g, alpha0 = %g", accuracies0[e], steps0[a]);
      print_row(b, name, &o, best);
    }
}

static void against_fixed(Bench *b, BtMaidSettings *settings, double best) {
  static Outcome o;
  header();
  run(b, settings, 0, &o);
  print_row(b, "MAID", &o, best);
  for (double eps = 1e-1; eps > 0.5e-5; eps *= 0.1) {
    char name[80];
    run(b, settings, eps, &o);
    snprintf(name, sizeof name, "fixed accuracy %.0e", eps);
    print_row(b, name, &o, best);
  }
}

int main(int argc, char **argv) {
  static Bench b;
  static Outcome reference;
  BtMaidSettings settings;
  bt_context_init(&b.ctx);
  if (argc < 2) {
    fprintf(stderr, "usage: bench_maid FOLDER [sweep|fixed] [plain]\n");
    return 2;
  }
  const char *folder = argv[1], *mode = argc > 2 ? argv[2] : "sweep";
  const int plain = argc > 3;
  bench_start(&argc, &argv);
  const BenchImages images = bench_images(&b.ctx, folder, 25, 96, 25.5);
  b.tv = bt_tv(BT_TV_ISOTROPIC);
  const BtDenoising denoising = {&b.tv, images.noisy};
  b.problem = bt_denoising_problem(&denoising, images.count);
  b.loss = bt_squared_error(images.truth);
  b.lower = (BtLowerSettings){"auto", 10000};
  bt_team_self(&b.team);
  b.tight = new_problem(&b);
  bt_options_default(bt_maid_options, &settings);
  settings.accelerated = 1;
  settings.tolerance = 1e-4;
  run(&b, &settings, 0, &reference);
  printf("best known loss %.8f (accelerated MAID to a relative gradient of 1e-4)\n\n", reference.loss);
  bt_options_default(bt_maid_options, &settings);
  settings.accelerated = !plain;
  settings.max_outer = 100;
  if (strcmp(mode, "fixed") == 0)
    against_fixed(&b, &settings, reference.loss);
  else
    sweep(&b, &settings, reference.loss);
  return PetscFinalize() != 0;
}

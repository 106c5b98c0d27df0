/* MAID on the bilevel oracle: what it claims of f and ∇f against what they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "harness.h"
#include "hypergrad/bilevel.h"
#include "linesearch/maid.h"
#include "lowerlevel/vector.h"
#include "quadratic.h"
#include "regularizers/tv.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MAX_P 10

/* An oracle between MAID and the bilevel one that compares every answer with the exact one. */
typedef struct {
  BtOracle inner;
  double (*exact)(void *data, const double *theta, double *gradient); /* mean f; gradient NULL: not wanted */
  void *data;
  double slack; /* accuracy of the exact value */
  int calls, wrong_values, wrong_gradients;
} Judge;

static void judge_value(Judge *j, const double *theta, const BtInexactValue *out) {
  const double f = j->exact(j->data, theta, NULL), slack = j->slack * (1 + fabs(f));
  j->calls++;
  if (!(out->lower <= f + slack && f <= out->upper + slack)) j->wrong_values++;
}

static BtStatus value(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                      BtInexactValue *out) {
  Judge *j = self;
  const BtStatus st = j->inner.value(j->inner.self, ctx, theta, eps, threshold, out);
  if (st == BT_OK || st == BT_NOT_CERTIFIED) judge_value(j, theta, out);
  return st;
}

static BtStatus gradient(void *self, BtContext *ctx, const double *theta, double eps, double delta, int want,
                         double *z, BtInexactGradient *out) {
  Judge *j = self;
  const size_t p = (size_t)j->inner.parameters;
  double g[MAX_P];
  const BtStatus st = j->inner.gradient(j->inner.self, ctx, theta, eps, delta, want, z, out);
  if (st != BT_OK && st != BT_NOT_CERTIFIED) return st;
  judge_value(j, theta, &out->value);
  (void)j->exact(j->data, theta, g);
  if (!(bt_distance(z, g, p) <= out->bound + j->slack * (1 + bt_norm(g, p)))) j->wrong_gradients++;
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

/* One run, whose accepted steps must end below the largest exact f of the window (the last iterate's for the plain method)
 * by λ zᵀ(θ − θ₊). */
typedef struct {
  Judge judge;
  BtMaidSettings set;
  BtMaid maid;
  double before[MAX_P], value[BT_MAID_WINDOW]; /* exact f of the last iterates, the last one first */
  int accepted, untrue;
} Learning;

static int observe(void *user, const BtEvent *event) {
  Learning *l = user;
  if (event->type != BT_EVENT_OUTER) return 0;
  const BtOuterEvent *e = &event->as.outer;
  const size_t p = (size_t)e->parameters;
  const double f = l->judge.exact(l->judge.data, e->theta, NULL);
  if (e->accepted) {
    double claimed = 0;
    for (size_t k = 0; k < p; k++) claimed += l->set.lambda * l->maid.previous_z[k] * (l->before[k] - e->theta[k]);
    const int64_t window = l->set.accelerated ? l->set.window : 1;
    double largest = l->value[0];
    for (int64_t k = 1; k < window && k <= l->accepted; k++) largest = fmax(largest, l->value[k]);
    if (!(claimed >= 0 && f <= largest - claimed + 2 * l->judge.slack * (1 + fabs(f)))) l->untrue++;
    l->accepted++;
  }
  memmove(l->value + 1, l->value, (BT_MAID_WINDOW - 1) * sizeof *l->value);
  l->value[0] = f;
  memcpy(l->before, e->theta, p * sizeof *l->before);
  return 0;
}

static BtStatus learn(Learning *l, BtContext *ctx, const BtProblem *problem, const BtUpperLoss *loss,
                      const double *start) {
  static const BtLowerSettings settings = {.solver = "auto", .max_iterations = 5000};
  BtBilevel *bilevel = NULL;
  BtTeam team;
  BtStatus st = BT_OK;
  bt_team_self(&team);
  BT_TRY(bt_bilevel_create(ctx, problem, loss, &settings, &team, NULL, NULL, &bilevel));
  l->judge.inner = bt_bilevel_oracle(bilevel);
  BtOracle oracle = {.self = &l->judge,
                     .parameters = l->judge.inner.parameters,
                     .value = value,
                     .gradient = gradient,
                     .work = work,
                     .accept = accept};
  BT_TRY(bt_maid_create(ctx, &l->set, problem->parameters, start, &l->maid));
  BT_TRY(bt_context_observe(ctx, observe, l));
  st = bt_maid_run(ctx, &oracle, &l->set, &l->maid);
done:
  bt_bilevel_destroy(bilevel);
  return st;
}

static double exact_quadratic(void *data, const double *theta, double *gradient) {
  const Quadratic *q = data;
  double f = 0, g[MAX_P], mean[MAX_P] = {0};
  for (size_t i = 0; i < QUADRATIC_IMAGES; i++) {
    f += quadratic_value(q, i, theta, g) / QUADRATIC_IMAGES;
    for (size_t k = 0; k < q->m; k++) mean[k] += g[k] / QUADRATIC_IMAGES;
  }
  if (gradient) memcpy(gradient, mean, q->m * sizeof *mean);
  return f;
}

void maid_learns_the_quadratic(void) {
  static const struct {
    size_t n, m;
    int accelerated, test;
    double accuracy, closeness; /* ε0 = δ0; f − f* at the end relative to the start's */
  } runs[] = {{50, 5, 0, BT_MAID_PROVEN, 1, 1e-3},       {50, 5, 1, BT_MAID_PROVEN, 1, 1e-4},
              {50, 5, 1, BT_MAID_PROVEN, 1e-4, 1e-4},    {50, 5, 1, BT_MAID_ESTIMATED, 1, 1e-4},
              {1000, 10, 0, BT_MAID_PROVEN, 1, 1e-2},    {1000, 10, 1, BT_MAID_PROVEN, 1, 1e-4},
              {1000, 10, 1, BT_MAID_PROVEN, 1e-4, 1e-4}, {1000, 10, 1, BT_MAID_ESTIMATED, 1, 1e-4}};
  for (size_t r = 0; r < COUNT(runs); r++) {
    static const double start[MAX_P] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    Quadratic q;
    BtContext ctx;
    double best[MAX_P];
    BT_NEED(quadratic_create(&q, runs[r].n, runs[r].m, 77));
    Learning l = {.judge = {.exact = exact_quadratic, .data = &q, .slack = 1e-11}};
    const BtProblem problem = quadratic_problem(&q);
    const BtUpperLoss loss = quadratic_loss(&q);
    bt_context_init(&ctx);
    bt_options_default(bt_maid_options, &l.set);
    l.set.accelerated = runs[r].accelerated;
    l.set.direction_test = runs[r].test;
    l.set.eps0 = l.set.delta0 = runs[r].accuracy;
    l.set.tolerance = 1e-5;
    l.set.max_outer = 300;
    const BtStatus st = learn(&l, &ctx, &problem, &loss, start);
    BT_CHECK_ROW(st >= 0, "quadratic n %zu: %s", q.n, ctx.error);
    const double least = quadratic_minimum(&q, best), first = exact_quadratic(&q, start, NULL);
    const double last = exact_quadratic(&q, l.maid.theta, NULL);
    BT_CHECK_ROW(last - least <= runs[r].closeness * (first - least),
                 "quadratic n %zu accelerated %d: f went from %g to %g, minimum %g, in %d steps", q.n,
                 runs[r].accelerated, first, last, least, l.accepted);
    BT_CHECK_ROW(l.judge.wrong_values == 0 && l.judge.wrong_gradients == 0 && l.untrue == 0 && l.accepted > 3,
                 "quadratic n %zu: %d values, %d gradients of %d calls and %d of %d steps untrue", q.n,
                 l.judge.wrong_values, l.judge.wrong_gradients, l.judge.calls, l.untrue, l.accepted);
    if (getenv("BITUNE_VERBOSE"))
      printf("quadratic n %zu m %zu accelerated %d: f - f* from %.3g to %.3g in %d steps, %s\n", q.n, q.m,
             runs[r].accelerated, first - least, last - least, l.accepted,
             bt_maid_reason_name(l.maid.reason));
    bt_maid_clear(&l.maid);
    quadratic_clear(&q);
  }
}

/* The estimated error, taken off z, must leave a small part of it, and the bound must still hold. */
void correction_improves_the_hypergradient(void) {
  static const BtLowerSettings settings = {.solver = "auto", .max_iterations = 5000};
  static const double accuracies[] = {3e-1, 3e-2, 3e-3}, theta[MAX_P] = {1, 2, 0, -1, 1};
  Quadratic q;
  BT_NEED(quadratic_create(&q, 200, 5, 78));
  const BtProblem problem = quadratic_problem(&q);
  const BtUpperLoss loss = quadratic_loss(&q);
  for (size_t k = 0; k < COUNT(accuracies); k++) {
    BtContext ctx;
    BtTeam team;
    BtBilevel *bilevel = NULL;
    double error[2], g[MAX_P], z[MAX_P];
    bt_context_init(&ctx);
    bt_team_self(&team);
    (void)exact_quadratic(&q, theta, g);
    for (int corrected = 0; corrected < 2; corrected++) {
      BtInexactGradient out;
      BT_CHECK_STATUS(bt_bilevel_create(&ctx, &problem, &loss, &settings, &team, NULL, NULL, &bilevel), BT_OK, &ctx);
      BtOracle oracle = bt_bilevel_oracle(bilevel);
      BT_CHECK_STATUS(oracle.gradient(oracle.self, &ctx, theta, accuracies[k], accuracies[k],
                                      BT_WANT_BOUND | BT_WANT_ESTIMATE | (corrected ? BT_WANT_CORRECTED : 0), z, &out),
                      BT_OK, &ctx);
      error[corrected] = bt_distance(z, g, q.m);
      BT_CHECK_ROW(error[corrected] <= out.bound, "accuracy %g corrected %d: error %g, bound %g", accuracies[k],
                   corrected, error[corrected], out.bound);
      bt_bilevel_destroy(bilevel);
    }
    BT_CHECK_ROW(error[1] < 0.3 * error[0], "accuracy %g: error %g, %g after correction", accuracies[k], error[0],
                 error[1]);
  }
  quadratic_clear(&q);
}

typedef struct {
  BtProblem problem;
  BtUpperLoss loss;
  BtBilevel *bilevel;
} Tight;

static double exact_tv(void *data, const double *theta, double *gradient) {
  Tight *t = data;
  const BtOracle oracle = bt_bilevel_oracle(t->bilevel);
  BtInexactGradient out = {0};
  BtContext ctx;
  double z[MAX_P];
  bt_context_init(&ctx);
  BT_CHECK(oracle.gradient(oracle.self, &ctx, theta, 1e-11, 1e-11, 0, gradient ? gradient : z, &out) >= 0);
  return out.value.value;
}

void maid_truly_decreases_tv(void) {
  enum { SCENES = 2 };
  static const double start[2] = {-5, -5};
  for (int run = 0; run < 4; run++) {
    static const BtLowerSettings settings = {.solver = "auto", .max_iterations = 5000};
    const int accelerated = run % 2, psnr = run / 2;
    Scene scenes[SCENES];
    BtNoisyImage images[SCENES];
    const double *truths[SCENES];
    const BtRegularizer reg = bt_tv(BT_TV_ISOTROPIC);
    BtContext ctx;
    BtTeam team;
    bt_context_init(&ctx);
    bt_team_self(&team);
    for (int k = 0; k < SCENES; k++) {
      BT_NEED(scene_create(&scenes[k], reg, (BtShape){16, 16}, IMAGE_EDGES, 300 + (uint64_t)k));
      images[k] = scenes[k].image;
      truths[k] = scenes[k].truth;
    }
    const BtDenoising denoising = {.regularizer = &reg, .images = images};
    Tight tight = {.problem = bt_denoising_problem(&denoising, SCENES),
                   .loss = psnr ? bt_negative_psnr(truths) : bt_squared_error(truths)};
    BT_CHECK_STATUS(
        bt_bilevel_create(&ctx, &tight.problem, &tight.loss, &settings, &team, NULL, NULL, &tight.bilevel),
        BT_OK, &ctx);
    Learning l = {.judge = {.exact = exact_tv, .data = &tight, .slack = 1e-9}};
    bt_options_default(bt_maid_options, &l.set);
    l.set.accelerated = accelerated;
    l.set.max_outer = 30;
    const BtStatus st = learn(&l, &ctx, &tight.problem, &tight.loss, start);
    BT_CHECK_ROW(st >= 0, "TV accelerated %d: %s %s", accelerated, bt_status_name(st), ctx.error);
    BT_CHECK_ROW(l.judge.wrong_values == 0 && l.judge.wrong_gradients == 0 && l.untrue == 0 && l.accepted > 3,
                 "TV accelerated %d loss %s: %d values, %d gradients of %d calls and %d of %d steps untrue",
                 accelerated, tight.loss.ops->name, l.judge.wrong_values, l.judge.wrong_gradients,
                 l.judge.calls, l.untrue, l.accepted);
    if (getenv("BITUNE_VERBOSE"))
      printf("TV accelerated %d loss %s: f %.6g after %d steps, %s\n", accelerated, tight.loss.ops->name,
             l.value[0], l.accepted, bt_maid_reason_name(l.maid.reason));
    bt_maid_clear(&l.maid);
    bt_bilevel_destroy(tight.bilevel);
    for (int k = 0; k < SCENES; k++) scene_clear(&scenes[k]);
  }
}

/* HOAG and gradient descent on analytic functions with injected errors: against a plain account of the same
 * formulas, the schedules, the adaptive step, budgets, failures, and across checkpoints. */
#include "inexact.h"
#include "linesearch/hoag.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { MOST = 3000 };

typedef struct {
  Inexact inexact;
  BtHoagSettings set;
  BtHoag hoag;
  BtContext ctx;
  double start[INEXACT_P], lo[INEXACT_P], hi[INEXACT_P];
  double path[MOST + 1][INEXACT_P], eps[MOST + 1], steps[MOST + 1];
  int64_t events, rejected, stop_at, save_at;
  const char *file;
  int untrue;
} Trial;

static void save(Trial *t) {
  BtTensorWriter *writer = NULL;
  BT_CHECK_STATUS(bt_tensors_create(&t->ctx, t->file, NULL, &writer), BT_OK, &t->ctx);
  if (!writer) return;
  BT_CHECK_STATUS(bt_hoag_declare(&t->ctx, &t->hoag, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_hoag_save(&t->ctx, &t->hoag, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_tensors_commit(&t->ctx, writer), BT_OK, &t->ctx);
}

static int observe(void *user, const BtEvent *event) {
  Trial *t = user;
  if (event->type != BT_EVENT_OUTER) return 0;
  const BtOuterEvent *e = &event->as.outer;
  t->events++;
  t->rejected += !e->accepted;
  if (e->iteration != t->events || e->iteration != t->hoag.iteration ||
      e->parameters != (int64_t)t->inexact.p || e->work.hypergradients != t->inexact.gradients)
    t->untrue++;
  if (e->iteration <= MOST) {
    memcpy(t->path[e->iteration], e->theta, t->inexact.p * sizeof *e->theta);
    t->eps[e->iteration] = e->eps;
    t->steps[e->iteration] = e->step;
  }
  if (e->iteration == t->save_at) save(t);
  return e->iteration == t->stop_at;
}

static void prepare(Trial *t, double (*f)(const double *, size_t, double *), size_t p) {
  memset(t, 0, sizeof *t);
  t->inexact = inexact_of(f, p);
  t->stop_at = t->save_at = -1;
  bt_options_default(bt_hoag_options, &t->set);
  for (size_t k = 0; k < p; k++) t->lo[k] = -3, t->hi[k] = 3, t->start[k] = -1.2 + 0.1 * (double)k;
  t->set.lo = t->lo, t->set.hi = t->hi;
  t->inexact.lo = -3, t->inexact.hi = 3;
  t->set.max_outer = MOST;
  bt_context_init(&t->ctx);
  (void)bt_context_observe(&t->ctx, observe, t);
}

static BtStatus go_on(Trial *t) {
  BtOracle oracle = inexact_oracle(&t->inexact);
  return bt_hoag_run(&t->ctx, &oracle, &t->set, &t->hoag);
}

static BtStatus run(Trial *t) {
  const BtStatus st = bt_hoag_create(&t->ctx, &t->set, t->inexact.p, t->start, &t->hoag);
  return st < 0 ? st : go_on(t);
}

static double truth(const Trial *t) {
  double g[INEXACT_P];
  return t->inexact.f(t->hoag.best, t->inexact.p, g);
}

static void minima_are_found(void) {
  static const struct {
    double (*f)(const double *, size_t, double *);
    size_t p;
    double least, within;
  } cases[] = {{inexact_bowl, 1, 1, 1e-3},
               {inexact_bowl, 12, 1, 1e-2},
               {inexact_rosenbrock, 2, 1, 1e-2},
               {inexact_negative, 3, -29, 5e-3}};
  static Trial t;
  for (size_t c = 0; c < COUNT(cases); c++)
    for (int schedule = BT_HOAG_EXPONENTIAL; schedule <= BT_HOAG_CUBIC; schedule++) {
      prepare(&t, cases[c].f, cases[c].p);
      t.set.schedule = schedule;
      t.set.tolerance = fabs(cases[c].least) > 2 ? 1e-3 / 29 : 1e-3;
      const BtStatus st = run(&t);
      const double f = truth(&t);
      BT_CHECK_ROW((st == BT_OK || st == BT_MAX_ITERS) && f <= cases[c].least + cases[c].within,
                   "case %zu schedule %d: %s, f %.8g after %lld, L %g", c, schedule, bt_status_name(st), f,
                   (long long)t.events, t.hoag.lipschitz);
      BT_CHECK(t.untrue == 0 && t.inexact.outside == 0 && t.inexact.values == 0);
      BT_CHECK(t.hoag.value.lower <= f + 1e-12 && t.hoag.value.upper >= f - 1e-12);
      bt_hoag_clear(&t.hoag);
    }
}

static void schedules_are_kept(void) {
  static Trial t;
  for (int schedule = BT_HOAG_EXPONENTIAL; schedule <= BT_HOAG_CUBIC; schedule++) {
    prepare(&t, inexact_negative, 2);
    t.set.schedule = schedule;
    t.set.first_step = 0.01, t.set.eps0 = 2, t.set.tolerance = 1e-12, t.set.max_outer = 40;
    t.set.eps_floor = 1e-4;
    BT_CHECK_STATUS(run(&t), BT_MAX_ITERS, &t.ctx);
    BT_CHECK(t.hoag.reason == BT_HOAG_BUDGET && t.events == 40 && t.rejected == 0);
    for (int k = 1; k <= 40; k++) {
      const double factors[] = {pow(0.9, k - 1), 1.0 / (k * k), 1.0 / ((double)k * k * k)};
      BT_CHECK_NEAR(t.eps[k], fmax(1e-4, 2 * factors[schedule]), 1e-12);
    }
    bt_hoag_clear(&t.hoag);
  }
}

/* Each iterate from the one before by z/L, L by the test, told again. */
static void steps_follow_the_test(void) {
  static Trial t;
  prepare(&t, inexact_rosenbrock, 2);
  t.set.eps0 = t.set.delta0 = 1e-3, t.set.tolerance = 1e-9, t.set.max_outer = 200, t.set.first_step = 0.5;
  BT_CHECK_STATUS(run(&t), BT_MAX_ITERS, &t.ctx);
  BT_CHECK(t.rejected > 0);
  double l = 2, old_value = 0, old_eps = 0, theta[2], old[2] = {0}, refined = 1;
  Inexact again = inexact_of(inexact_rosenbrock, 2);
  int compare = 0;
  memcpy(theta, t.start, sizeof theta);
  for (int k = 1; k <= 200; k++) {
    double z[2];
    BtInexactGradient out;
    const double a = fmin(1e-3, fmax(1e-10, 1e-3 * pow(0.9, k - 1) * refined));
    BT_CHECK(memcmp(theta, t.path[k], sizeof theta) == 0 && fabs(a - t.eps[k]) < 1e-15);
    (void)inexact_gradient(&again, &t.ctx, theta, t.eps[k], t.eps[k], 0, z, &out);
    const double g = out.value.value, d = hypot(theta[0] - old[0], theta[1] - old[1]);
    if (compare) {
      if (g <= old_value + 0.25 * t.eps[k] + old_eps * 1.25 * d - l * d * d) {
        l *= 0.95;
      } else if (g >= 1.2 * old_value) {
        l *= 2, refined /= 2, compare = 0;
        memcpy(theta, old, sizeof theta);
        continue;
      }
    }
    memcpy(old, theta, sizeof old);
    old_value = g, old_eps = t.eps[k], compare = 1;
    for (int j = 0; j < 2; j++) theta[j] = fmin(3, fmax(-3, theta[j] - z[j] / l));
    BT_CHECK_NEAR(t.steps[k], 1 / l, 1e-12 / l);
  }
  BT_CHECK_NEAR(t.hoag.lipschitz, l, 1e-9 * l);
  bt_hoag_clear(&t.hoag);
}

/* With a constant step the error of the bowl contracts by 1 − αλ. */
static void constant_steps_contract(void) {
  static Trial t;
  prepare(&t, inexact_bowl, 3);
  t.set.constant = 1, t.set.first_step = 0.2, t.set.eps0 = t.set.delta0 = 1e-9, t.set.max_outer = 20;
  t.set.tolerance = 1e-12;
  BT_CHECK_STATUS(run(&t), BT_MAX_ITERS, &t.ctx);
  for (size_t j = 0; j < 3; j++) {
    const double at = 0.3 * (double)j - 0.4, lambda = 1 + (double)j;
    BT_CHECK_NEAR(t.path[20][j] - at, (t.start[j] - at) * pow(1 - 0.2 * lambda, 19), 1e-8);
  }
  BT_CHECK(t.eps[20] == 1e-9);
  bt_hoag_clear(&t.hoag);
  t.set.first_step = 0;
  BT_CHECK_STATUS(run(&t), BT_ERR_ARG, NULL);
  bt_hoag_clear(&t.hoag);
}

/* A minimum outside the box: the run ends at its edge as converged, the entry that is held back being left
 * out. */
static void box_is_kept(void) {
  static Trial t;
  prepare(&t, inexact_bowl, 2);
  t.lo[0] = t.inexact.lo = -0.1, t.lo[1] = 0;
  t.start[0] = 1, t.start[1] = 1;
  t.set.schedule = BT_HOAG_CUBIC;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  BT_CHECK(t.inexact.outside == 0 && t.hoag.reason == BT_HOAG_CONVERGED);
  BT_CHECK_NEAR(t.hoag.best[0], -0.1, 1e-3);
  BT_CHECK_NEAR(t.hoag.best[1], 0, 1e-3);
  bt_hoag_clear(&t.hoag);
  t.start[0] = 4;
  BT_CHECK_STATUS(run(&t), BT_ERR_ARG, NULL);
  bt_hoag_clear(&t.hoag);
}

static void ends_are_told_apart(void) {
  static Trial t;
  prepare(&t, inexact_rosenbrock, 2);
  t.set.max_work = 300;
  BT_CHECK_STATUS(run(&t), BT_MAX_ITERS, &t.ctx);
  BT_CHECK(bt_work_total(&t.inexact.work) >= 300 && bt_work_total(&t.inexact.work) < 500);
  bt_hoag_clear(&t.hoag);
  prepare(&t, inexact_rosenbrock, 2);
  t.inexact.nan_at = 4;
  BT_CHECK_STATUS(run(&t), BT_ERR_NUMERIC, NULL);
  BT_CHECK_ROW(strstr(t.ctx.error, "iteration 5") != NULL, "error text is \"%s\"", t.ctx.error);
  bt_hoag_clear(&t.hoag);
  prepare(&t, inexact_rosenbrock, 2);
  t.inexact.fail_at = 4, t.inexact.failure = BT_ERR_ARG;
  BT_CHECK_STATUS(run(&t), BT_ERR_ARG, NULL);
  BT_CHECK(strstr(t.ctx.error, "iteration 5: made to fail; try a smaller --first-step") != NULL);
  bt_hoag_clear(&t.hoag);
  prepare(&t, inexact_rosenbrock, 2);
  t.inexact.fail_at = 4, t.inexact.failure = BT_STOPPED;
  BT_CHECK_STATUS(run(&t), BT_STOPPED, &t.ctx);
  BT_CHECK(t.hoag.iteration == 4 && t.hoag.reason == BT_HOAG_STOPPED);
  bt_hoag_clear(&t.hoag);
  prepare(&t, inexact_rosenbrock, 2);
  t.set.max_outer = 0;
  BT_CHECK_STATUS(run(&t), BT_MAX_ITERS, &t.ctx);
  BT_CHECK(memcmp(t.hoag.best, t.start, 2 * sizeof(double)) == 0);
  bt_hoag_clear(&t.hoag);
}

static void resumed_is_unbroken(void) {
  static Trial whole, part, rest;
  static const int64_t breaks[] = {1, 2, 7, 40};
  for (int constant = 0; constant < 2; constant++)
    for (size_t r = 0; r < COUNT(breaks); r++) {
      Trial *const trials[] = {&whole, &part, &rest};
      for (size_t i = 0; i < COUNT(trials); i++) {
        prepare(trials[i], inexact_rosenbrock, 2);
        trials[i]->set.max_outer = 100, trials[i]->set.tolerance = 1e-9;
        trials[i]->set.constant = constant, trials[i]->set.first_step = constant ? 0.01 : 0.5;
      }
      part.stop_at = part.save_at = breaks[r];
      part.file = bt_test_path("hoag.ckpt");
      const BtStatus end = run(&whole);
      BT_CHECK_STATUS(run(&part), BT_STOPPED, &part.ctx);
      BtTensorReader *reader = NULL;
      BT_CHECK_STATUS(bt_hoag_create(&rest.ctx, &rest.set, 2, rest.start, &rest.hoag), BT_OK, &rest.ctx);
      BT_CHECK_STATUS(bt_tensors_open(&rest.ctx, part.file, &reader), BT_OK, &rest.ctx);
      BT_CHECK_STATUS(bt_hoag_load(&rest.ctx, reader, &rest.hoag), BT_OK, &rest.ctx);
      bt_tensors_close(reader);
      rest.events = breaks[r], rest.inexact.gradients = 0, rest.untrue = 0;
      BT_CHECK_STATUS(go_on(&rest), end, &rest.ctx);
      BT_CHECK_ROW(memcmp(rest.hoag.theta, whole.hoag.theta, 6 * sizeof(double)) == 0 &&
                       rest.hoag.iteration == whole.hoag.iteration &&
                       rest.hoag.lipschitz == whole.hoag.lipschitz &&
                       rest.hoag.value.value == whole.hoag.value.value,
                   "constant %d broken after %lld differs", constant, (long long)breaks[r]);
      /* Damaged. */
      part.hoag.refinement = 2;
      save(&part);
      BT_CHECK_STATUS(bt_tensors_open(&rest.ctx, part.file, &reader), BT_OK, &rest.ctx);
      BT_CHECK_STATUS(bt_hoag_load(&rest.ctx, reader, &rest.hoag), BT_ERR_FORMAT, NULL);
      bt_tensors_close(reader);
      bt_hoag_clear(&whole.hoag), bt_hoag_clear(&part.hoag), bt_hoag_clear(&rest.hoag);
    }
}

static const BtTest tests[] = {
    {"minima are found", minima_are_found},
    {"schedules are kept", schedules_are_kept},
    {"steps follow the test", steps_follow_the_test},
    {"constant steps contract", constant_steps_contract},
    {"the box is kept", box_is_kept},
    {"ends are told apart", ends_are_told_apart},
    {"a resumed run is the unbroken one", resumed_is_unbroken},
};

int main(void) { return bt_test_main("hoag", tests, COUNT(tests)); }

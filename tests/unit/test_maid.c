/* MAID on analytic functions whose oracle errs as much as its bounds allow: the truth on one of the bounds of a value,
 * hypergradients wrong by exactly ω in random or in the worst directions. Errors are a function of the arguments alone,
 * so that runs can be repeated. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "linesearch/maid.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MAX_P 6
#define MAX_STEPS 400

typedef struct {
  const char *name;
  size_t p;
  double (*f)(const double *theta, double *gradient); /* +∞ outside its domain */
  double start[MAX_P];
} Function;

static double quadratic(const double *t, const double *scale, const double *centre, size_t p, double *g) {
  double f = 1;
  for (size_t k = 0; k < p; k++) {
    g[k] = scale[k] * (t[k] - centre[k]);
    f += 0.5 * g[k] * (t[k] - centre[k]);
  }
  return f;
}

static double bowl(const double *t, double *g) {
  static const double scale[] = {1, 2, 0.5, 1.5, 3}, centre[] = {1, -2, 0, 0.5, 3};
  return quadratic(t, scale, centre, 5, g);
}

static double stretched(const double *t, double *g) {
  static const double scale[] = {1e-1, 1, 10, 100}, centre[] = {2, -1, 0.5, 0.1};
  return quadratic(t, scale, centre, 4, g);
}

static double rosenbrock(const double *t, double *g) {
  const double a = 1 - t[0], b = t[1] - t[0] * t[0];
  g[0] = -2 * a - 40 * b * t[0];
  g[1] = 20 * b;
  return 1 + a * a + 10 * b * b;
}

/* Finite for positive arguments only. */
static double barrier(const double *t, double *g) {
  double f = 0;
  for (size_t k = 0; k < 2; k++) {
    if (!(t[k] > 0)) return (double)INFINITY;
    g[k] = 1 - 1 / t[k];
    f += t[k] - log(t[k]);
  }
  return f;
}

static const Function functions[] = {
    {"bowl", 5, bowl, {5, 5, 5, 5, 5}},
    {"stretched", 4, stretched, {0, 0, 0, 0}},
    {"rosenbrock", 2, rosenbrock, {-1.2, 1}},
    {"barrier", 2, barrier, {5, 0.05}},
};

/* A steep valley whose floor falls in a straight line, then bends: what is learned of its walls says nothing of its
 * length. Not for every start. */
static double valley(const double *t, double *g) {
  const double root = sqrt(1 + t[1] * t[1]);
  g[0] = 50 * (t[0] - 1);
  g[1] = 0.1 * t[1] / root;
  return 1 + 25 * (t[0] - 1) * (t[0] - 1) + 0.1 * root;
}

static const Function straight = {"valley", 2, valley, {0, 300}};

/* Where the truth lies between the bounds. */
typedef enum {
  TRUTH_LOWER,  /* on the lower one                                                              */
  TRUTH_UPPER,  /* on the upper one                                                              */
  TRUTH_INSIDE, /* somewhere around the middle                                                   */
  TRUTH_JUMPS,  /* on either or between, drawn anew with each evaluation, as no solver would err */
  TRUTHS
} Truth;

typedef struct {
  const Function *fn;
  Truth truth;
  double floor;          /* accuracy below which the oracle cannot go                       */
  double delta_floor;    /* the same of the adjoint solve                                   */
  double estimate_factor; /* estimate / true error                                          */
  int nan_gradient;      /* return NaN                                                      */
  double nan_beyond;     /* values are NaN for ‖θ‖ beyond this, 0: never                    */
  BtStatus fail_with;    /* returned by value() after the first iteration, BT_OK: never     */
  BtWork work;
  double z[MAX_P];       /* last hypergradient                                              */
  int64_t calls;
} Inexact;

static double norm(const double *v, size_t n) {
  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += v[k] * v[k];
  return sqrt(sum);
}

static uint64_t hash(const double *theta, size_t p, double eps, double delta) {
  const double all[] = {eps, delta};
  uint64_t h = 1469598103934665603u;
  for (size_t k = 0; k < p + 2; k++) {
    uint64_t bits;
    memcpy(&bits, k < p ? &theta[k] : &all[k - p], sizeof bits);
    h = (h ^ bits) * 1099511628211u;
    h ^= h >> 29;
  }
  return h;
}

static BtStatus evaluate(Inexact *o, const double *theta, double eps, BtInexactValue *out) {
  double g[MAX_P] = {0};
  const double f = o->fn->f(theta, g), reached = fmax(eps, o->floor);
  const uint64_t h = hash(theta, o->fn->p, eps, 0);
  const double width = fmin(2 * reached + 0.5 * reached * reached, 1e6), u = bt_rng_uniform(3, h, 0);
  const double jumping = u < 1.0 / 3 ? 0 : u > 2.0 / 3 ? 1 : u;
  const double below[TRUTHS] = {0, 1, 0.4 + 0.2 * u, jumping};
  o->work.gradients += 1 + (int64_t)fmax(0, -log10(reached));
  *out = (BtInexactValue){.lower = f - below[o->truth] * width, .upper = f + (1 - below[o->truth]) * width,
                          .eps = reached, .proof = BT_PROVEN};
  out->value = 0.5 * (out->lower + out->upper);
  if (isinf(f)) out->value = out->lower = out->upper = f;
  if (o->nan_beyond > 0 && norm(theta, o->fn->p) > o->nan_beyond) out->value = out->lower = out->upper = (double)NAN;
  return reached > eps ? BT_NOT_CERTIFIED : BT_OK;
}

static BtStatus value(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                      BtInexactValue *out) {
  Inexact *o = self;
  o->calls++;
  if (o->fail_with != BT_OK) return o->fail_with < 0 ? bt_fail(ctx, o->fail_with, "made to fail") : o->fail_with;
  for (double stage = isnan(threshold) ? eps : 1e3 * eps;; stage *= 0.1) {
    const BtStatus st = evaluate(o, theta, fmax(stage, eps), out);
    if (stage <= eps * (1 + 1e-12) || out->upper <= threshold || out->lower > threshold) return st;
  }
}

/* z = ∇f + e, ‖e‖ = ω: at random, or against ∇f. */
static BtStatus gradient(void *self, BtContext *ctx, const double *theta, double eps, double delta, int want,
                         double *z, BtInexactGradient *out) {
  Inexact *o = self;
  const size_t p = o->fn->p;
  double g[MAX_P], e[MAX_P];
  (void)ctx;
  o->calls++;
  o->work.hypergradients++;
  o->work.hessian_products += 3;
  *out = (BtInexactGradient){.estimate = (double)NAN, .uncorrected = (double)NAN, .proof = BT_PROVEN};
  const BtStatus st = evaluate(o, theta, eps, &out->value);
  out->eps = fmax(eps, o->floor);
  out->delta = fmax(delta, fmax(o->floor, o->delta_floor));
  out->bound_adjoint = 2 * out->delta;
  out->bound = 3 * out->eps + out->bound_adjoint;
  (void)o->fn->f(theta, g);
  const uint64_t h = hash(theta, p, eps, delta);
  const int against = bt_rng_uniform(4, h, 99) < 0.3;
  for (size_t k = 0; k < p; k++) e[k] = against ? -g[k] : bt_rng_normal(4, h, k);
  const double length = norm(e, p);
  for (size_t k = 0; k < p; k++) z[k] = g[k] + (length > 0 ? out->bound / length * e[k] : 0);
  if (o->nan_gradient) z[0] = (double)NAN;
  memcpy(o->z, z, p * sizeof *z);
  out->norm = norm(z, p);
  if (want & BT_WANT_ESTIMATE) out->estimate = out->uncorrected = o->estimate_factor * out->bound;
  return st;
}

static BtWork work_of(const void *self) { return ((const Inexact *)self)->work; }

static BtOracle oracle_of(Inexact *o) {
  return (BtOracle){.self = o, .parameters = (int64_t)o->fn->p, .value = value, .gradient = gradient, .work = work_of};
}

/* One run under observation. */
typedef struct {
  Inexact inexact;
  BtMaidSettings set;
  BtMaid maid;
  BtContext ctx;
  const char *label;
  double before[MAX_P];             /* the iterate before                        */
  double path[MAX_STEPS][MAX_P];    /* iterates by iteration                     */
  int64_t last;                     /* iteration of the last event, -1: none      */
  int64_t accepted, stop_at;        /* stop_at < 0: never                        */
  int64_t save_at;                  /* < 0: never                                */
  const char *file;
  BtMaid saved;                     /* scalars of the state at save_at            */
  double truth[BT_MAID_WINDOW];     /* f at the last iterates, the last one first */
  int untrue;                       /* steps that did not decrease f as claimed   */
  int outside;                      /* events whose bounds miss f                 */
} Trial;

static void save(Trial *t) {
  BtTensorWriter *writer = NULL;
  t->saved = t->maid;
  BT_CHECK_STATUS(bt_tensors_create(&t->ctx, t->file, NULL, &writer), BT_OK, &t->ctx);
  if (!writer) return;
  BT_CHECK_STATUS(bt_maid_declare(&t->ctx, &t->maid, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_maid_save(&t->ctx, &t->maid, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_tensors_commit(&t->ctx, writer), BT_OK, &t->ctx);
}

/* Every accepted step must end below the largest true f of the window (the last iterate for the plain method) by λα zᵀd,
 * d = (θ − θ₊)/α being what was really stepped along. */
static int observe(void *user, const BtEvent *event) {
  Trial *t = user;
  if (event->type != BT_EVENT_OUTER) return 0;
  const BtOuterEvent *e = &event->as.outer;
  const size_t p = t->inexact.fn->p;
  double g[MAX_P];
  const double f = t->inexact.fn->f(e->theta, g);
  const double rounding = 1e-13 * (1 + fabs(f));
  if (f < e->lower - rounding || f > e->upper + rounding) t->outside++;
  if (e->accepted) {
    double decrease = 0;
    for (size_t k = 0; k < p; k++) decrease += t->set.lambda * t->maid.previous_z[k] * (t->before[k] - e->theta[k]);
    const int64_t window = t->set.accelerated ? t->set.window : 1;
    double old = t->truth[0];
    for (int64_t k = 1; k < window && k <= t->accepted; k++) old = fmax(old, t->truth[k]);
    if (!(decrease >= -1e-20) || !(f <= old - decrease + 1e-13 * (1 + fabs(old)))) t->untrue++;
    t->accepted++;
  }
  memmove(t->truth + 1, t->truth, (BT_MAID_WINDOW - 1) * sizeof *t->truth);
  t->truth[0] = f;
  memcpy(t->before, e->theta, p * sizeof *t->before);
  if (e->iteration < MAX_STEPS) memcpy(t->path[e->iteration], e->theta, p * sizeof *t->before);
  t->last = e->iteration;
  if (e->iteration == t->save_at) save(t);
  return e->iteration == t->stop_at;
}

static void prepare(Trial *t, const Function *fn) {
  memset(t, 0, sizeof *t);
  t->inexact = (Inexact){.fn = fn, .estimate_factor = 1};
  t->stop_at = t->save_at = t->last = -1;
  t->label = fn->name;
  bt_options_default(bt_maid_options, &t->set);
  t->set.max_outer = 20000;
  bt_context_init(&t->ctx);
  (void)bt_context_observe(&t->ctx, observe, t);
}

/* The maid must be cleared by the caller. */
static BtStatus run_from(Trial *t, const double *start) {
  BtOracle oracle = oracle_of(&t->inexact);
  const BtStatus st = bt_maid_create(&t->ctx, &t->set, t->inexact.fn->p, start, &t->maid);
  return st < 0 ? st : bt_maid_run(&t->ctx, &oracle, &t->set, &t->maid);
}

static double true_gradient(const Trial *t) {
  double g[MAX_P];
  (void)t->inexact.fn->f(t->maid.theta, g);
  return norm(g, t->inexact.fn->p);
}

/* The paper's claim: any initial accuracies and step lead to a stationary point, by true decreases alone. */
static void check_start(Trial *t, const Function *fn, Truth truth, const double start[3]) {
  t->inexact.truth = truth;
  t->set.eps0 = start[0], t->set.delta0 = start[1], t->set.alpha0 = start[2];
  const BtStatus st = run_from(t, fn->start);
  const double g = true_gradient(t), tolerance = t->set.tolerance * t->maid.value.value;
  /* Bounds that jump can accept minute steps by luck and starve the search; what is accepted is true all the same. */
  if (truth != TRUTH_JUMPS) {
    const BtMaidReason reason = t->maid.reason;
    const int converged = reason == BT_MAID_CONVERGED || (reason == BT_MAID_CONVERGED_AS_ESTIMATED &&
                                                          t->set.direction_test != BT_MAID_PROVEN);
    BT_CHECK_ROW(st == BT_OK && converged && g <= 1.25 * tolerance,
                 "%s accelerated %d truth %d eps0 %g delta0 %g alpha0 %g: %s, %s after %lld steps, |grad| %g, f %g",
                 t->label, t->set.accelerated, (int)truth, start[0], start[1], start[2], bt_status_name(st),
                 bt_maid_reason_name(t->maid.reason), (long long)t->accepted, g, t->maid.value.value);
  }
  BT_CHECK_ROW(t->untrue == 0 && t->outside == 0 && t->accepted == t->maid.iteration && t->accepted > 0,
               "%s accelerated %d truth %d eps0 %g delta0 %g alpha0 %g: %d of %lld steps untrue, %d bounds wrong",
               t->label, t->set.accelerated, (int)truth, start[0], start[1], start[2], t->untrue,
               (long long)t->accepted, t->outside);
  bt_maid_clear(&t->maid);
}

static void any_start(int accelerated, int direction_test) {
  static const double accuracies[] = {1e2, 1, 1e-2, 1e-5}, steps[] = {1e-4, 1e-2, 1};
  static Trial t;
  for (size_t f = 0; f < COUNT(functions); f++)
    for (size_t run = 0; run < COUNT(accuracies) * COUNT(accuracies) * COUNT(steps) * TRUTHS; run++) {
      const size_t e = run % 4, d = run / 4 % 4, a = run / 16 % 3, truth = run / 48;
      prepare(&t, &functions[f]);
      t.set.accelerated = accelerated;
      t.set.direction_test = direction_test;
      t.inexact.estimate_factor = 0.8;
      check_start(&t, &functions[f], (Truth)truth, (const double[]){accuracies[e], accuracies[d], steps[a]});
    }
}

static void plain_from_anywhere(void) { any_start(0, BT_MAID_PROVEN); }
static void accelerated_from_anywhere(void) { any_start(1, BT_MAID_PROVEN); }
static void plain_on_estimates(void) { any_start(0, BT_MAID_ESTIMATED); }
static void accelerated_on_estimates(void) { any_start(1, BT_MAID_ESTIMATED); }

/* Estimates ten times too small mislead directions, never a step. */
static void wrong_estimates_cost_no_guarantee(void) {
  for (int accelerated = 0; accelerated < 2; accelerated++)
    for (size_t f = 0; f < COUNT(functions); f++) {
      static Trial t;
      prepare(&t, &functions[f]);
      t.set.accelerated = accelerated, t.set.direction_test = BT_MAID_ESTIMATED;
      t.inexact.estimate_factor = 0.1;
      const BtStatus st = run_from(&t, functions[f].start);
      BT_CHECK_ROW(st == BT_OK || st == BT_STEP_FAILED, "%s: %s", t.label, bt_status_name(st));
      BT_CHECK_ROW(t.untrue == 0 && t.outside == 0, "%s: %d steps untrue", t.label, t.untrue);
      bt_maid_clear(&t.maid);
    }
}

/* No parameter moves farther than max_step at once, and one that would does not hold back the others. */
static void largest_step_is_a_box(void) {
  static Trial t;
  prepare(&t, &functions[1]);
  t.set.accelerated = 1;
  t.set.max_step = 0.05;
  BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_OK, &t.ctx);
  double largest = 0;
  int64_t together = 0;
  for (int64_t i = 1; i <= t.maid.iteration && i < MAX_STEPS; i++) {
    int at_the_side = 0;
    for (size_t k = 0; k < t.inexact.fn->p; k++) {
      const double moved = fabs(t.path[i][k] - t.path[i - 1][k]);
      largest = fmax(largest, moved);
      at_the_side += moved > 0.999 * t.set.max_step;
    }
    together += at_the_side > 1;
  }
  BT_CHECK_ROW(largest <= t.set.max_step * (1 + 1e-12), "a parameter moved by %g", largest);
  BT_CHECK_ROW(together > 0, "no two of %lld steps' parameters moved by the most at once",
               (long long)t.maid.iteration);
  BT_CHECK(t.untrue == 0);
  bt_maid_clear(&t.maid);
}

/* Along the valley's floor steps must grow although L-BFGS, which knows its walls, has nothing to learn there. */
static void straight_slopes_are_run_down(void) {
  static Trial t;
  prepare(&t, &straight);
  t.set.accelerated = 1;
  t.set.max_step = 1e3;
  t.set.tolerance = 1e-3;
  t.set.direction_test = BT_MAID_ESTIMATED;
  const BtStatus st = run_from(&t, straight.start);
  BT_CHECK_STATUS(st, BT_OK, &t.ctx);
  BT_CHECK_ROW(t.maid.iteration < 60, "%lld steps", (long long)t.maid.iteration);
  BT_CHECK(t.untrue == 0);
  bt_maid_clear(&t.maid);
}

/* A first step far outside the domain is taken back until it is inside. */
static void domain_is_respected(void) {
  for (int accelerated = 0; accelerated < 2; accelerated++) {
    static Trial t;
    prepare(&t, &functions[3]);
    t.set.accelerated = accelerated;
    t.set.alpha0 = 1e3;
    t.set.max_trials = 40;
    BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_OK, &t.ctx);
    BT_CHECK_NEAR(t.maid.theta[0], 1, 5e-3);
    BT_CHECK_NEAR(t.maid.theta[1], 1, 5e-3);
    BT_CHECK(t.untrue == 0);
    bt_maid_clear(&t.maid);
  }
}

/* An oracle that gets no better than its floor, in the solutions or in the adjoints alone: the run ends, says so, and
 * has not moved on unproven ground. */
static void floor_is_reported(void) {
  static const double floors[] = {1e-1, 1e-3, 1e-6};
  for (int mode = 0; mode < 4; mode++)
    for (size_t f = 0; f < COUNT(functions); f++)
      for (size_t k = 0; k < COUNT(floors); k++) {
        static Trial t;
        prepare(&t, &functions[f]);
        t.set.accelerated = mode % 2;
        t.set.tolerance = 1e-12;
        if (mode < 2) t.inexact.floor = floors[k];
        t.inexact.delta_floor = floors[k];
        const BtStatus st = run_from(&t, functions[f].start);
        const int told = (st == BT_STEP_FAILED && t.maid.reason == BT_MAID_STUCK) ||
                         (st == BT_OK && t.maid.reason == BT_MAID_FLOOR);
        BT_CHECK_ROW(told, "%s mode %d floor %g: %s, %s", t.label,
                     mode, floors[k], bt_status_name(st), bt_maid_reason_name(t.maid.reason));
        BT_CHECK_ROW(t.untrue == 0, "%s floor %g: %d steps untrue", t.label, floors[k], t.untrue);
        BT_CHECK_ROW(t.inexact.calls < 200000, "%s floor %g: %lld oracle calls", t.label, floors[k],
                     (long long)t.inexact.calls);
        bt_maid_clear(&t.maid);
      }
}

static void outer_budget(void) {
  for (int accelerated = 0; accelerated < 2; accelerated++)
    for (int64_t budget = 0; budget < 4; budget++) {
      static Trial t;
      prepare(&t, &functions[1]);
      t.set.accelerated = accelerated;
      t.set.max_outer = budget;
      BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_MAX_ITERS, &t.ctx);
      BT_CHECK(t.accepted == budget && t.last == budget && t.maid.reason == BT_MAID_BUDGET);
      bt_maid_clear(&t.maid);
    }
}

/* The budget may be overrun by the oracle call that is under way, and by the bounds of one more. */
static void work_budget(void) {
  static const int64_t budgets[] = {1, 30, 100, 1000};
  static const int64_t one_call = 60;
  for (int accelerated = 0; accelerated < 2; accelerated++)
    for (size_t k = 0; k < COUNT(budgets); k++) {
      static Trial t;
      prepare(&t, &functions[2]);
      t.set.accelerated = accelerated;
      t.set.tolerance = 1e-12;
      t.set.max_work = budgets[k];
      BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_MAX_ITERS, &t.ctx);
      BT_CHECK_ROW(bt_work_total(&t.inexact.work) <= budgets[k] + one_call, "work %lld of %lld",
                   (long long)bt_work_total(&t.inexact.work), (long long)budgets[k]);
      BT_CHECK(t.maid.reason == BT_MAID_BUDGET);
      bt_maid_clear(&t.maid);
    }
}

static void observer_stops(void) {
  for (int64_t at = 0; at < 3; at++) {
    static Trial t;
    prepare(&t, &functions[1]);
    t.stop_at = at;
    BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_STOPPED, &t.ctx);
    BT_CHECK(t.last == at && t.maid.iteration == at && t.maid.reason == BT_MAID_STOPPED);
    bt_maid_clear(&t.maid);
  }
}

static void oracle_failures_are_passed_on(void) {
  static const BtStatus statuses[] = {BT_ERR_NUMERIC, BT_ERR_TEAM, BT_STOPPED};
  for (int accelerated = 0; accelerated < 2; accelerated++)
    for (size_t k = 0; k < COUNT(statuses); k++) {
      static Trial t;
      prepare(&t, &functions[0]);
      t.set.accelerated = accelerated;
      t.inexact.fail_with = statuses[k];
      BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), statuses[k], &t.ctx);
      BT_CHECK(t.accepted == 0);
      bt_maid_clear(&t.maid);
    }
}

/* NaN is an error in the hypergradient, and in a trial's value a reason to step less far. */
static void nan_is_never_progress(void) {
  for (int accelerated = 0; accelerated < 2; accelerated++) {
    static Trial t;
    prepare(&t, &functions[0]);
    t.set.accelerated = accelerated;
    t.inexact.nan_gradient = 1;
    BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_ERR_NUMERIC, &t.ctx);
    BT_CHECK(t.accepted == 0);
    bt_maid_clear(&t.maid);

    prepare(&t, &functions[0]);
    t.set.accelerated = accelerated;
    t.set.alpha0 = 1e3;
    t.set.max_trials = 40;
    t.inexact.nan_beyond = 20;
    BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_OK, &t.ctx);
    BT_CHECK(t.untrue == 0 && t.accepted > 0);
    bt_maid_clear(&t.maid);
  }
}

static void lambda_must_be_below_eta(void) {
  static Trial t;
  prepare(&t, &functions[0]);
  t.set.lambda = t.set.eta;
  BT_CHECK_STATUS(bt_maid_create(&t.ctx, &t.set, 5, functions[0].start, &t.maid), BT_ERR_ARG, &t.ctx);
  bt_maid_clear(&t.maid);
}

/* saved: scalars that the state must come back with, NULL if it must not come back. */
static BtStatus resume(Trial *t, const char *path, const BtMaid *saved) {
  static const double elsewhere[MAX_P] = {9, 9, 9, 9, 9, 9};
  BtTensorReader *reader = NULL;
  BtOracle oracle = oracle_of(&t->inexact);
  BtStatus st = bt_maid_create(&t->ctx, &t->set, t->inexact.fn->p, elsewhere, &t->maid);
  if (st >= 0) st = bt_tensors_open(&t->ctx, path, &reader);
  if (st >= 0) st = bt_maid_load(&t->ctx, reader, &t->maid);
  bt_tensors_close(reader);
  const BtMaid *m = &t->maid;
  if (saved)
    BT_CHECK(m->eps == saved->eps && m->delta == saved->delta && m->alpha == saved->alpha &&
             m->iteration == saved->iteration && m->trials == saved->trials && m->seconds == saved->seconds &&
             m->previous_error == saved->previous_error && m->have_previous == saved->have_previous);
  memcpy(t->before, t->maid.theta, t->inexact.fn->p * sizeof *t->before);
  return st < 0 ? st : bt_maid_run(&t->ctx, &oracle, &t->set, &t->maid);
}

/* A run resumed from any of its iterations takes the same steps to the last bit. */
static void resumed_run_is_the_same(void) {
  static const int64_t at[] = {0, 1, 5, 12};
  for (int mode = 0; mode < 4; mode++)
    for (size_t k = 0; k < COUNT(at); k++) {
      static Trial whole, rest;
      prepare(&whole, &functions[1]);
      whole.set.accelerated = mode % 2;
      whole.set.direction_test = mode / 2;
      whole.set.max_outer = 25;
      whole.set.tolerance = 1e-9;
      whole.save_at = at[k];
      whole.file = bt_test_path("maid.safetensors");
      const BtStatus st = run_from(&whole, functions[1].start);
      prepare(&rest, &functions[1]);
      rest.set = whole.set;
      BT_CHECK_STATUS(resume(&rest, whole.file, &whole.saved), st, &rest.ctx);
      BT_CHECK(rest.maid.iteration == whole.maid.iteration && whole.maid.iteration > 12);
      BT_CHECK(rest.maid.reason == whole.maid.reason);
      int differing = 0;
      for (int64_t i = at[k] + 1; i <= whole.maid.iteration; i++)
        differing += memcmp(whole.path[i], rest.path[i], sizeof whole.path[i]) != 0;
      BT_CHECK_ROW(differing == 0, "mode %d resumed at %lld: %d iterates differ", mode, (long long)at[k], differing);
      bt_maid_clear(&whole.maid);
      bt_maid_clear(&rest.maid);
    }
}

/* A state of another size or with nonsense in it is refused. */
static void foreign_state_is_refused(void) {
  static Trial t, other;
  prepare(&t, &functions[1]);
  t.set.max_outer = 2;
  t.save_at = 1;
  t.file = bt_test_path("foreign.safetensors");
  BT_CHECK_STATUS(run_from(&t, t.inexact.fn->start), BT_MAX_ITERS, &t.ctx);
  prepare(&other, &functions[2]);
  BT_CHECK_STATUS(resume(&other, t.file, NULL), BT_ERR_FORMAT, &other.ctx);
  bt_maid_clear(&other.maid);
  t.maid.eps = (double)NAN;
  save(&t);
  prepare(&other, &functions[1]);
  BT_CHECK_STATUS(resume(&other, t.file, NULL), BT_ERR_FORMAT, &other.ctx);
  bt_maid_clear(&other.maid);
  bt_maid_clear(&t.maid);
}

static const BtTest tests[] = {
    {"plain MAID converges from any accuracy and step", plain_from_anywhere},
    {"accelerated MAID converges from any accuracy and step", accelerated_from_anywhere},
    {"plain MAID on the estimated direction test", plain_on_estimates},
    {"accelerated MAID on the estimated direction test", accelerated_on_estimates},
    {"wrong estimates cost no guarantee", wrong_estimates_cost_no_guarantee},
    {"the largest step is a box", largest_step_is_a_box},
    {"straight slopes are run down", straight_slopes_are_run_down},
    {"the domain is respected", domain_is_respected},
    {"the accuracy floor ends the run", floor_is_reported},
    {"budget of outer iterations", outer_budget},
    {"budget of work", work_budget},
    {"an observer stops the run", observer_stops},
    {"failures of the oracle are passed on", oracle_failures_are_passed_on},
    {"NaN is never progress", nan_is_never_progress},
    {"lambda must be below eta", lambda_must_be_below_eta},
    {"a resumed run takes the same steps", resumed_run_is_the_same},
    {"a foreign state is refused", foreign_state_is_refused},
};

int main(void) { return bt_test_main("maid", tests, COUNT(tests)); }

/* ISGD on quadratic functions whose gradients carry noise drawn anew at each step: against closed forms,
 * against a plain account of the same formulas, and across checkpoints. */
#include "linesearch/isgd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { P = 60, STEPS = 10000 };

/* f_k(θ) = scale Σ_j λ_j/2 (θ_j − target_j)² + noise_kᵀθ */
typedef struct {
  double lambda[P], target[P], scale, noise;
  double bias;             /* error of the gradient, times eps, in every entry           */
  int64_t drawn, last;     /* the sample in force, the step after which none is asked     */
  int64_t nan_at, fail_at; /* steps at which the gradient is not finite or an error, -1 */
  BtStatus outcome;        /* what gradient() returns                                     */
  int wrong;               /* calls not as they should be                                 */
  const BtIsgdSettings *set;
  BtWork work;
} Noisy;

static double noise_of(const Noisy *o, int64_t k, size_t j) {
  return o->noise > 0 ? o->noise * bt_rng_normal(17, (uint64_t)k, j) : 0;
}

static BtStatus draw(void *self, BtContext *ctx, int64_t k) {
  Noisy *o = self;
  (void)ctx;
  o->drawn = k;
  return BT_OK;
}

static BtStatus value(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                      BtInexactValue *out) {
  (void)self, (void)theta, (void)eps, (void)threshold, (void)out;
  return bt_fail(ctx, BT_ERR_UNSUPPORTED, "ISGD asks for no values");
}

static BtStatus gradient(void *self, BtContext *ctx, const double *theta, double eps, double delta, int want,
                         double *z, BtInexactGradient *out) {
  Noisy *o = self;
  const double improved = pow((double)o->drawn + 1, -o->set->accuracy_power);
  double f = 0, sum = 0;
  if (want != 0 || fabs(eps - o->set->eps0 * improved) > 1e-12 ||
      fabs(delta - o->set->delta0 * improved) > 1e-12)
    o->wrong++;
  if (o->drawn == o->fail_at) return bt_fail(ctx, BT_ERR_NUMERIC, "lower-level problem 3: NaN");
  for (size_t j = 0; j < P; j++) {
    const double d = theta[j] - o->target[j], n = noise_of(o, o->drawn, j);
    z[j] = o->scale * (o->lambda[j] * d + n) + o->bias * eps;
    f += o->scale * (0.5 * o->lambda[j] * d * d + n * theta[j]);
    sum += z[j] * z[j];
  }
  if (o->drawn == o->nan_at) z[P - 1] = (double)NAN;
  *out = (BtInexactGradient){.norm = sqrt(sum), .bound = (double)INFINITY, .eps = eps, .delta = delta};
  out->value = (BtInexactValue){.value = f, .lower = f - 1, .upper = f + 1};
  o->work.hypergradients++;
  o->work.gradients += 3;
  return o->outcome;
}

static BtWork work_of(const void *self) { return ((const Noisy *)self)->work; }

typedef struct {
  Noisy noisy;
  BtIsgdSettings set;
  BtIsgd isgd;
  BtContext ctx;
  double start[P];
  double (*path)[P]; /* [STEPS] iterates, NULL: not kept */
  double values[STEPS];
  int64_t events, stop_at, save_at;
  const char *file;
  int untrue; /* events that do not say what happened */
} Trial;

static void save(Trial *t) {
  BtTensorWriter *writer = NULL;
  BT_CHECK_STATUS(bt_tensors_create(&t->ctx, t->file, NULL, &writer), BT_OK, &t->ctx);
  if (!writer) return;
  BT_CHECK_STATUS(bt_isgd_declare(&t->ctx, &t->isgd, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_isgd_save(&t->ctx, &t->isgd, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_tensors_commit(&t->ctx, writer), BT_OK, &t->ctx);
}

static int observe(void *user, const BtEvent *event) {
  Trial *t = user;
  if (event->type != BT_EVENT_OUTER) return 0;
  const BtOuterEvent *e = &event->as.outer;
  t->events++;
  if (!e->stochastic || e->theta != t->isgd.average || e->iteration != t->isgd.iteration ||
      e->parameters != P || e->planned != t->set.iterations || !(e->step >= 0) ||
      e->work.hypergradients != t->noisy.work.hypergradients)
    t->untrue++;
  if (e->iteration <= STEPS) t->values[e->iteration - 1] = e->value;
  if (t->path && e->iteration <= STEPS) memcpy(t->path[e->iteration - 1], t->isgd.theta, sizeof *t->path);
  if (e->iteration == t->save_at) save(t);
  return e->iteration == t->stop_at;
}

static void prepare(Trial *t) {
  memset(t, 0, sizeof *t);
  bt_options_default(bt_isgd_options, &t->set);
  t->noisy = (Noisy){.scale = 1, .nan_at = -1, .fail_at = -1, .set = &t->set, .drawn = -1};
  for (size_t j = 0; j < P; j++) {
    t->noisy.lambda[j] = 1 + 2 * bt_rng_uniform(5, 0, j);
    t->noisy.target[j] = bt_rng_normal(5, 1, j);
    t->start[j] = bt_rng_normal(5, 2, j);
  }
  t->stop_at = t->save_at = -1;
  bt_context_init(&t->ctx);
  (void)bt_context_observe(&t->ctx, observe, t);
}

static BtStatus go_on(Trial *t) {
  BtOracle oracle = {.self = &t->noisy,
                     .parameters = P,
                     .value = value,
                     .gradient = gradient,
                     .work = work_of,
                     .draw = draw};
  return bt_isgd_run(&t->ctx, &oracle, &t->set, &t->isgd);
}

static BtStatus run(Trial *t) {
  const BtStatus st = bt_isgd_create(&t->ctx, &t->set, P, t->start, &t->isgd);
  return st < 0 ? st : go_on(t);
}

static void unscaled(Trial *t, double rate, double power) {
  t->set.scaling = BT_ISGD_UNSCALED;
  t->set.decay = BT_ISGD_POWER;
  t->set.rate = rate;
  t->set.rate_power = power;
  t->set.average = 0;
}

static double squared_distance(const double *a, const double *b) {
  double sum = 0;
  for (size_t j = 0; j < P; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

/* Without noise, constant steps contract each error by 1 − αλ. */
static void exact_gradients_contract(void) {
  static Trial t;
  prepare(&t);
  unscaled(&t, 0.2, 0);
  t.set.iterations = 40;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  for (size_t j = 0; j < P; j++)
    BT_CHECK_NEAR(t.isgd.average[j] - t.noisy.target[j],
                  (t.start[j] - t.noisy.target[j]) * pow(1 - 0.2 * t.noisy.lambda[j], 40), 1e-12);
  BT_CHECK(t.events == 40 && t.untrue == 0 && t.noisy.wrong == 0 && t.isgd.reason == BT_ISGD_DONE);
  bt_isgd_clear(&t.isgd);
}

/* A budget ends a run after the iteration that uses it up. */
static void budget_of_work(void) {
  static Trial t;
  prepare(&t);
  unscaled(&t, 0.2, 0);
  t.set.iterations = 40;
  t.set.max_work = 10;
  BT_CHECK_STATUS(run(&t), BT_MAX_ITERS, &t.ctx);
  BT_CHECK(t.events == 4 && t.isgd.iteration == 4 && t.isgd.reason == BT_ISGD_BUDGET);
  for (size_t j = 0; j < P; j++) BT_CHECK(t.isgd.average[j] == t.isgd.theta[j]);
  bt_isgd_clear(&t.isgd);
}

/* With steps 1/(λ(k+1)) the error is that of the mean of all noise: variance falls as 1/N, whatever the
 * start. */
static void errors_fall_as_one_over_n(void) {
  static const int64_t lengths[] = {100, 10000};
  static Trial t;
  double error[2];
  for (int r = 0; r < 2; r++) {
    prepare(&t);
    unscaled(&t, 0.5, 1);
    for (size_t j = 0; j < P; j++) t.noisy.lambda[j] = 2;
    t.noisy.noise = 1;
    t.set.iterations = lengths[r];
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    double worst = 0;
    for (size_t j = 0; j < P; j++) {
      double mean = 0;
      for (int64_t k = 0; k < lengths[r]; k++) mean += noise_of(&t.noisy, k, j) / (double)lengths[r];
      worst = fmax(worst, fabs(t.isgd.theta[j] - t.noisy.target[j] + mean / 2));
    }
    BT_CHECK_NEAR(worst, 0, 1e-12);
    error[r] = squared_distance(t.isgd.theta, t.noisy.target) / P * (double)lengths[r];
    bt_isgd_clear(&t.isgd);
  }
  BT_CHECK_NEAR(error[0], 0.25, 0.125);
  BT_CHECK_NEAR(error[1], 0.25, 0.125);
}

/* Errors of the solves, of size eps_k, do not keep it away where the accuracy rises. */
static void inexactness_vanishes(void) {
  static const double powers[] = {0, 1};
  static Trial t;
  double error[2];
  for (int r = 0; r < 2; r++) {
    prepare(&t);
    unscaled(&t, 0.2, 0);
    t.noisy.bias = 1;
    t.set.eps0 = 0.1;
    t.set.accuracy_power = powers[r];
    t.set.iterations = 5000;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    error[r] = sqrt(squared_distance(t.isgd.theta, t.noisy.target));
    BT_CHECK(t.noisy.wrong == 0);
    bt_isgd_clear(&t.isgd);
  }
  BT_CHECK_ROW(error[0] > 0.1, "a lasting error of 0.1 a parameter leaves %g", error[0]);
  BT_CHECK_ROW(error[1] < 1e-3, "a vanishing error leaves %g", error[1]);
}

/* Adam with cosine decay, told again in the plainest way. */
static void adam_is_adam(void) {
  static Trial t;
  prepare(&t);
  t.noisy.noise = 0.3;
  t.set.iterations = 200;
  t.set.rate = 0.03;
  t.set.average = 0;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  for (size_t j = 0; j < P; j++) {
    double theta = t.start[j], m = 0, v = 0, bias1 = 1, bias2 = 1;
    for (int64_t k = 0; k < 200; k++) {
      const double z = t.noisy.lambda[j] * (theta - t.noisy.target[j]) + noise_of(&t.noisy, k, j);
      m = t.set.beta1 * m + (1 - t.set.beta1) * z;
      v = t.set.beta2 * v + (1 - t.set.beta2) * z * z;
      bias1 *= t.set.beta1;
      bias2 *= t.set.beta2;
      const double step = 0.03 * (1 + cos(acos(-1) * (double)k / 200)) / 2;
      theta -= step * (m / (1 - bias1)) / sqrt(v / (1 - bias2));
    }
    BT_CHECK_NEAR(t.isgd.theta[j], theta, 1e-9);
  }
  bt_isgd_clear(&t.isgd);
}

/* The loss's unit does not matter to Adam, parameters are reached from far. */
static void adam_knows_no_unit(void) {
  static const double scales[] = {1e-5, 1e5};
  static Trial t;
  for (size_t r = 0; r < COUNT(scales); r++) {
    prepare(&t);
    t.noisy.scale = scales[r];
    t.noisy.noise = 1;
    t.set.iterations = 3000;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    const double error = sqrt(squared_distance(t.isgd.average, t.noisy.target) / P);
    BT_CHECK_ROW(error < 0.05, "scale %g: rms error %g", scales[r], error);
    bt_isgd_clear(&t.isgd);
  }
}

/* A share of 1 is the plain mean of all iterates, of 0 the last, between them recent iterates weigh more. */
static void average_is_what_it_says(void) {
  static Trial t;
  static double path[STEPS][P];
  static const double shares[] = {1, 0.5, 0.1, 0};
  for (size_t r = 0; r < COUNT(shares); r++) {
    prepare(&t);
    unscaled(&t, 0.1, 0);
    t.noisy.noise = 1;
    t.set.average = shares[r];
    t.set.iterations = 300;
    t.path = path;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    for (size_t j = 0; j < 5; j++) {
      double sum = 0, weights = 0;
      for (int64_t k = 0; k < 300; k++) {
        /* (k+1)(k+2)…(k+η) for 1/share = η + 1, polynomial decay of order η; 1 for the mean. */
        double weight = shares[r] > 0 ? 1 : k == 299;
        for (int64_t i = 1; shares[r] > 0 && i < (int64_t)lround(1 / shares[r]); i++)
          weight *= (double)(k + i) / 300;
        weights += weight;
        sum += weight * path[k][j];
      }
      BT_CHECK_NEAR(t.isgd.average[j], sum / weights, 1e-11);
    }
    bt_isgd_clear(&t.isgd);
  }
}

static void averaging_takes_noise_away(void) {
  static Trial t;
  double error[2];
  for (int averaged = 0; averaged < 2; averaged++) {
    prepare(&t);
    unscaled(&t, 0.1, 0);
    t.noisy.noise = 1;
    t.set.iterations = 5000;
    if (averaged) t.set.average = 0.2;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    error[averaged] = squared_distance(t.isgd.average, t.noisy.target);
    bt_isgd_clear(&t.isgd);
  }
  BT_CHECK_ROW(error[1] < 0.05 * error[0], "squared error %g averaged, %g not", error[1], error[0]);
}

static void value_mean_follows(void) {
  static Trial t;
  prepare(&t);
  t.noisy.noise = 1;
  t.set.iterations = 30;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  double sum = 0;
  for (int k = 0; k < 30; k++) sum += t.values[k] / 30;
  BT_CHECK_NEAR(t.isgd.value_mean, sum, 1e-10);
  bt_isgd_clear(&t.isgd);
}

static void box_is_kept(void) {
  static double path[STEPS][P], lo[P], hi[P];
  for (int scaling = BT_ISGD_ADAM; scaling <= BT_ISGD_UNSCALED; scaling++) {
    static Trial t;
    prepare(&t);
    t.path = path;
    t.set.scaling = scaling;
    t.set.rate = scaling == BT_ISGD_ADAM ? 0.05 : 0.3;
    t.set.iterations = 2000;
    for (size_t j = 0; j < P; j++) lo[j] = fmin(t.start[j], -0.3), hi[j] = fmax(t.start[j], 0.1);
    t.set.lo = lo, t.set.hi = hi;
    t.noisy.noise = 0.1;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    int outside = 0;
    for (int64_t k = 0; k < t.set.iterations; k++)
      for (size_t j = 0; j < P; j++) outside += path[k][j] < lo[j] || path[k][j] > hi[j];
    BT_CHECK(outside == 0);
    for (size_t j = 0; j < P; j++) {
      BT_CHECK(t.isgd.average[j] >= lo[j] && t.isgd.average[j] <= hi[j]);
      BT_CHECK_NEAR(t.isgd.average[j], fmin(hi[j], fmax(lo[j], t.noisy.target[j])), 0.05);
    }
    bt_isgd_clear(&t.isgd);
    t.start[3] = hi[3] + 1;
    BT_CHECK_STATUS(bt_isgd_create(&t.ctx, &t.set, P, t.start, &t.isgd), BT_ERR_ARG, NULL);
    bt_isgd_clear(&t.isgd);
  }
}

static void failures_name_the_iteration(void) {
  static Trial t;
  prepare(&t);
  t.noisy.nan_at = 6;
  BT_CHECK_STATUS(run(&t), BT_ERR_NUMERIC, NULL);
  BT_CHECK_ROW(strstr(t.ctx.error, "iteration 7:") != NULL, "error text is \"%s\"", t.ctx.error);
  BT_CHECK(t.isgd.iteration == 6 && t.events == 6 && isfinite(t.isgd.average[P - 1]));
  bt_isgd_clear(&t.isgd);
  prepare(&t);
  t.noisy.fail_at = 3;
  BT_CHECK_STATUS(run(&t), BT_ERR_NUMERIC, NULL);
  BT_CHECK_ROW(strstr(t.ctx.error, "iteration 4: lower-level problem 3") != NULL, "error text is \"%s\"",
               t.ctx.error);
  bt_isgd_clear(&t.isgd);
}

/* Missing an accuracy is no reason to end; a stop is, before the step. */
static void outcomes_are_kept_apart(void) {
  static Trial t;
  prepare(&t);
  t.set.iterations = 20;
  t.noisy.outcome = BT_NOT_CERTIFIED;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  BT_CHECK(t.isgd.iteration == 20);
  bt_isgd_clear(&t.isgd);
  prepare(&t);
  t.noisy.outcome = BT_STOPPED;
  BT_CHECK_STATUS(run(&t), BT_STOPPED, &t.ctx);
  BT_CHECK(t.isgd.iteration == 0 && t.isgd.reason == BT_ISGD_STOPPED && t.isgd.theta[0] == t.start[0]);
  bt_isgd_clear(&t.isgd);
  prepare(&t);
  t.set.iterations = 0;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  BT_CHECK(memcmp(t.isgd.average, t.start, sizeof t.start) == 0);
  bt_isgd_clear(&t.isgd);
}

static int same_state(const BtIsgd *a, const BtIsgd *b) {
  const size_t bytes = P * sizeof(double);
  return memcmp(a->theta, b->theta, bytes) == 0 && memcmp(a->average, b->average, bytes) == 0 &&
         memcmp(a->moment1, b->moment1, bytes) == 0 && memcmp(a->moment2, b->moment2, bytes) == 0 &&
         a->iteration == b->iteration && a->value_mean == b->value_mean;
}

/* To the last bit, from a file into a fresh run and within one that was stopped. */
static void resumed_is_unbroken(void) {
  static Trial whole, part, rest;
  static const int64_t breaks[] = {1, 2, 17, 99};
  for (int scaling = BT_ISGD_ADAM; scaling <= BT_ISGD_UNSCALED; scaling++)
    for (size_t r = 0; r < COUNT(breaks); r++) {
      prepare(&whole), prepare(&part), prepare(&rest);
      Trial *const trials[] = {&whole, &part, &rest};
      for (size_t i = 0; i < COUNT(trials); i++) {
        trials[i]->set.scaling = scaling;
        trials[i]->set.iterations = 100;
        trials[i]->noisy.noise = 0.5;
      }
      part.stop_at = part.save_at = breaks[r];
      part.file = bt_test_path("isgd.ckpt");
      BT_CHECK_STATUS(run(&whole), BT_OK, &whole.ctx);
      BT_CHECK_STATUS(run(&part), BT_STOPPED, &part.ctx);
      BtTensorReader *reader = NULL;
      BT_CHECK_STATUS(bt_isgd_create(&rest.ctx, &rest.set, P, rest.start, &rest.isgd), BT_OK, &rest.ctx);
      BT_CHECK_STATUS(bt_tensors_open(&rest.ctx, part.file, &reader), BT_OK, &rest.ctx);
      BT_NEED(reader != NULL);
      BT_CHECK_STATUS(bt_isgd_load(&rest.ctx, reader, &rest.isgd), BT_OK, &rest.ctx);
      bt_tensors_close(reader);
      BT_CHECK_STATUS(go_on(&rest), BT_OK, &rest.ctx);
      BT_CHECK_ROW(same_state(&rest.isgd, &whole.isgd), "resumed after %d iterations", (int)breaks[r]);
      part.stop_at = part.save_at = -1;
      BT_CHECK_STATUS(go_on(&part), BT_OK, &part.ctx);
      BT_CHECK(same_state(&part.isgd, &whole.isgd) && part.isgd.seconds > 0);
      for (size_t i = 0; i < COUNT(trials); i++) bt_isgd_clear(&trials[i]->isgd);
    }
}

static void bad_states_are_refused(void) {
  for (int damage = 0; damage < 5; damage++) {
    static Trial t;
    prepare(&t);
    t.set.iterations = 5;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    if (damage == 1) t.isgd.theta[2] = (double)NAN;
    if (damage == 2) t.isgd.moment2[0] = -1;
    if (damage == 3) t.isgd.iteration = -1;
    if (damage == 4) t.isgd.value_mean = (double)INFINITY;
    t.file = bt_test_path("bad.ckpt");
    save(&t);
    BtTensorReader *reader = NULL;
    BT_CHECK_STATUS(bt_tensors_open(&t.ctx, t.file, &reader), BT_OK, &t.ctx);
    BT_NEED(reader != NULL);
    BT_CHECK_STATUS(bt_isgd_load(&t.ctx, reader, &t.isgd), damage ? BT_ERR_FORMAT : BT_OK, NULL);
    bt_tensors_close(reader);
    bt_isgd_clear(&t.isgd);
  }
}

static const BtTest tests[] = {
    {"exact gradients contract", exact_gradients_contract},
    {"budget of work", budget_of_work},
    {"errors fall as 1/N", errors_fall_as_one_over_n},
    {"inexactness vanishes", inexactness_vanishes},
    {"Adam is Adam", adam_is_adam},
    {"Adam knows no unit", adam_knows_no_unit},
    {"the average is what it says", average_is_what_it_says},
    {"averaging takes noise away", averaging_takes_noise_away},
    {"the mean value follows", value_mean_follows},
    {"the box is kept", box_is_kept},
    {"failures name the iteration", failures_name_the_iteration},
    {"outcomes are kept apart", outcomes_are_kept_apart},
    {"resumed is unbroken", resumed_is_unbroken},
    {"bad states are refused", bad_states_are_refused},
};

int main(void) { return bt_test_main("isgd", tests, COUNT(tests)); }

/* ISGD of Salehi et al. 2024 with Adam's scaling and averaging. */
#include "linesearch/isgd.h"

#include <math.h>
#include <string.h>

#include "core/clock.h"

#define BELOW_ONE 0.0, 1.0, 0, 1

const BtOption bt_isgd_options[] = {
    BT_OPT_INT("iterations", BtIsgdSettings, iterations, 2000, BT_NONNEGATIVE, "N",
               "steps, each on a new batch"),
    BT_OPT_REAL("rate", BtIsgdSettings, rate, 0.05, BT_POSITIVE, "ALPHA", "step size at the start"),
    BT_OPT_CHOICE("decay", BtIsgdSettings, decay, BT_ISGD_COSINE, "cosine|power",
                  "how the step size falls: to 0 at the last iteration, or as 1/k^Q"),
    BT_OPT_REAL("rate-power", BtIsgdSettings, rate_power, 0.5, BT_WITHIN(0, 2), "Q",
                "exponent of the step size, --decay power"),
    BT_OPT_REAL(
        "accuracy", BtIsgdSettings, eps0, 3e-4, BT_POSITIVE, "EPS",
        "rms per pixel of the lower-level gradient at the start: the distance to the minimizer where the "
        "regularizer is convex, an underestimate of it else"),
    BT_OPT_REAL("adjoint-accuracy", BtIsgdSettings, delta0, 0.03, BT_POSITIVE, "DELTA",
                "adjoint residual at the start, relative to its typical right-hand side"),
    BT_OPT_REAL("accuracy-power", BtIsgdSettings, accuracy_power, 0.1, BT_WITHIN(0, 4), "P",
                "accuracies improve as 1/k^P"),
    BT_OPT_CHOICE("scaling", BtIsgdSettings, scaling, BT_ISGD_ADAM, "adam|none",
                  "direction: the hypergradient scaled by Adam's moments, or itself"),
    BT_OPT_REAL("beta1", BtIsgdSettings, beta1, 0.9, BELOW_ONE, "B", "memory of Adam's first moment"),
    BT_OPT_REAL("beta2", BtIsgdSettings, beta2, 0.99, BELOW_ONE, "B", "memory of Adam's second moment"),
    BT_OPT_REAL("average", BtIsgdSettings, average, 0.1, BT_WITHIN(0, 1), "SHARE",
                "last share of the iterations over which the result is averaged; 0: the last iterate"),
    BT_OPT_END};

const char *bt_isgd_reason_name(BtIsgdReason reason) {
  switch (reason) {
    case BT_ISGD_DONE: return "all iterations done";
    case BT_ISGD_BUDGET: return "budget used up";
    case BT_ISGD_STOPPED: return "stopped";
    case BT_ISGD_RUNNING: break;
  }
  return "running";
}

typedef struct {
  BtContext *ctx;
  BtOracle *oracle;
  const BtIsgdSettings *set;
  BtIsgd *isgd;
  double start; /* clock when isgd->seconds was up to date */
} Run;

/* Brings isgd->seconds up to date. */
static void tick(Run *run) {
  const double now = bt_clock();
  run->isgd->seconds += now - run->start;
  run->start = now;
}

static double step_size(const BtIsgdSettings *set, int64_t k) {
  static const double pi = 3.141592653589793;
  if (set->decay == BT_ISGD_POWER) return set->rate / pow((double)k + 1, set->rate_power);
  return set->rate * 0.5 * (1 + cos(pi * fmin(1, (double)k / (double)set->iterations)));
}

static double clip(const BtIsgdSettings *set, size_t j, double value) {
  if (set->lo) value = fmax(value, set->lo[j]);
  if (set->hi) value = fmin(value, set->hi[j]);
  return value;
}

/* z ≈ ∇f_k(θ_k), neither bounds nor estimates asked for. */
static BtStatus sampled_gradient(Run *run) {
  BtIsgd *s = run->isgd;
  BtOracle *oracle = run->oracle;
  BtContext *ctx = run->ctx;
  const double k1 = (double)s->iteration + 1, improved = pow(k1, -run->set->accuracy_power);
  BtStatus st = oracle->draw ? oracle->draw(oracle->self, ctx, s->iteration) : BT_OK;
  if (st < 0 || st == BT_STOPPED) return st;
  st = oracle->gradient(oracle->self, ctx, s->theta, run->set->eps0 * improved, run->set->delta0 * improved,
                        0, s->z, &s->gradient);
  /* Not finite, or outside the regularizer's domain. */
  if (st == BT_ERR_NUMERIC || st == BT_ERR_ARG) {
    char text[BT_ERROR_TEXT];
    memcpy(text, ctx->error, sizeof text);
    return bt_fail(ctx, st, "iteration %lld: %.900s; try a smaller --rate", (long long)s->iteration + 1,
                   text);
  }
  if (st < 0 || st == BT_STOPPED) return st;
  double sum = 0;
  for (size_t j = 0; j < s->p; j++) sum += s->z[j] * s->z[j];
  if (!isfinite(sum))
    return bt_fail(ctx, BT_ERR_NUMERIC,
                   "iteration %lld: the hypergradient is not finite; try a smaller --rate",
                   (long long)s->iteration + 1);
  return BT_OK;
}

/* Adam's moments with the bias of their zero start divided out; else z itself. */
static double direction(const BtIsgdSettings *set, BtIsgd *s, size_t j) {
  static const double least = 1e-12; /* far below any hypergradient that matters, above 0 */
  const double z = s->z[j], k1 = (double)s->iteration + 1;
  if (set->scaling == BT_ISGD_UNSCALED) return z;
  s->moment1[j] = set->beta1 * s->moment1[j] + (1 - set->beta1) * z;
  s->moment2[j] = set->beta2 * s->moment2[j] + (1 - set->beta2) * z * z;
  const double mean = s->moment1[j] / (1 - pow(set->beta1, k1)),
               square = s->moment2[j] / (1 - pow(set->beta2, k1));
  return mean / (sqrt(square) + least);
}

/* Weight of the newest iterate: the average's memory grows with k, so that it always reaches over the same
 * share. */
static double average_weight(const BtIsgdSettings *set, int64_t k) {
  if (!(set->average > 0)) return 1;
  const double span = 1 / set->average;
  return span / ((double)k + span);
}

static void take_step(Run *run) {
  BtIsgd *s = run->isgd;
  const BtIsgdSettings *set = run->set;
  static const double span = 50;
  const double alpha = step_size(set, s->iteration), weight = average_weight(set, s->iteration);
  for (size_t j = 0; j < s->p; j++) {
    s->theta[j] = clip(set, j, s->theta[j] - alpha * direction(set, s, j));
    s->average[j] = clip(set, j, s->average[j] + weight * (s->theta[j] - s->average[j]));
  }
  s->iteration++;
  s->value_mean += (s->gradient.value.value - s->value_mean) / fmin(span, (double)s->iteration);
}

static BtStatus tell(Run *run, double alpha) {
  const BtIsgd *s = run->isgd;
  const BtInexactGradient *g = &s->gradient;
  tick(run);
  const BtEvent event = {.type = BT_EVENT_OUTER,
                         .as.outer = {.iteration = s->iteration,
                                      .value = g->value.value,
                                      .lower = g->value.lower,
                                      .upper = g->value.upper,
                                      .eps = g->eps,
                                      .delta = g->delta,
                                      .step = alpha,
                                      .gradient_norm = g->norm,
                                      .gradient_bound = (double)NAN,
                                      .gradient_estimate = (double)NAN,
                                      .accepted = 1,
                                      .trials = 1,
                                      .theta = s->average,
                                      .parameters = (int64_t)s->p,
                                      .stochastic = 1,
                                      .value_mean = s->value_mean,
                                      .planned = run->set->iterations,
                                      .work = run->oracle->work(run->oracle->self),
                                      .seconds = s->seconds}};
  return bt_emit(run->ctx, &event);
}

static int out_of_work(const Run *run) {
  const BtWork work = run->oracle->work(run->oracle->self);
  return run->set->max_work > 0 && bt_work_total(&work) >= run->set->max_work;
}

static BtStatus iterate(Run *run) {
  BtIsgd *s = run->isgd;
  BtStatus st = BT_OK;
  while (s->iteration < run->set->iterations) {
    if (out_of_work(run)) return BT_MAX_ITERS;
    const double alpha = step_size(run->set, s->iteration);
    st = sampled_gradient(run);
    if (st < 0 || st == BT_STOPPED) return st;
    take_step(run);
    st = tell(run, alpha);
    if (st == BT_STOPPED) return st;
  }
  return BT_OK;
}

BtStatus bt_isgd_run(BtContext *ctx, BtOracle *oracle, const BtIsgdSettings *settings, BtIsgd *isgd) {
  Run run = {.ctx = ctx, .oracle = oracle, .set = settings, .isgd = isgd, .start = bt_clock()};
  isgd->reason = BT_ISGD_RUNNING;
  const BtStatus st = iterate(&run);
  tick(&run);
  if (st >= 0)
    isgd->reason = st == BT_STOPPED     ? BT_ISGD_STOPPED
                   : st == BT_MAX_ITERS ? BT_ISGD_BUDGET
                                        : BT_ISGD_DONE;
  return st;
}

/* HOAG of Pedregosa 2016 with its adaptive step, and gradient descent. */
#include "linesearch/hoag.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "linesearch/box_internal.h"

const BtOption bt_hoag_options[] = {
    BT_OPT_REAL("eps0", BtHoagSettings, eps0, 1, BT_POSITIVE, "EPS",
                "accuracy ‖x̃ − x̂‖₂ of the first iteration"),
    BT_OPT_REAL("delta0", BtHoagSettings, delta0, 1, BT_POSITIVE, "DELTA",
                "residual norm of adjoint solves of the first iteration"),
    BT_OPT_REAL("eps-floor", BtHoagSettings, eps_floor, 1e-10, BT_POSITIVE, "EPS", "no accuracy is finer"),
    BT_OPT_CHOICE("schedule", BtHoagSettings, schedule, BT_HOAG_EXPONENTIAL, "exponential|quadratic|cubic",
                  "hoag: accuracies of iteration K: the first ones times 0.9^(K-1), 1/K^2 or 1/K^3"),
    BT_OPT_REAL(
        "first-step", BtHoagSettings, first_step, 0, BT_NONNEGATIVE, "S",
        "hoag: step size of the first iteration; 0: one that is 1/p long, p the number of parameters"),
    BT_OPT_REAL("tolerance", BtHoagSettings, tolerance, 1e-3, BT_POSITIVE, "T",
                "converged when the hypergradient is below T times the loss"),
    BT_OPT_INT("max-outer", BtHoagSettings, max_outer, 200, BT_NONNEGATIVE, "N", "outer iterations at most"),
    BT_OPT_INT("max-work", BtHoagSettings, max_work, 0, BT_NONNEGATIVE, "N",
               "lower-level gradients and Hessian products at most; 0: no limit"),
    BT_OPT_END};

const char *bt_hoag_reason_name(BtHoagReason reason) {
  switch (reason) {
    case BT_HOAG_CONVERGED: return "converged";
    case BT_HOAG_STUCK: return "no acceptable step, however short";
    case BT_HOAG_BUDGET: return "budget used up";
    case BT_HOAG_STOPPED: return "stopped";
    case BT_HOAG_RUNNING: break;
  }
  return "running";
}

typedef struct {
  BtContext *ctx;
  BtOracle *oracle;
  const BtHoagSettings *set;
  BtHoag *hoag;
  double clock;
} Run;

static double clip(const BtHoagSettings *set, size_t j, double value) {
  if (set->lo) value = fmax(value, set->lo[j]);
  if (set->hi) value = fmin(value, set->hi[j]);
  return value;
}

static double schedule(const BtHoagSettings *set, int64_t k) {
  static const double factor = 0.9;
  if (set->constant) return 1;
  switch ((BtHoagSchedule)set->schedule) {
    case BT_HOAG_QUADRATIC: return pow((double)k, -2);
    case BT_HOAG_CUBIC: return pow((double)k, -3);
    case BT_HOAG_EXPONENTIAL: break;
  }
  return pow(factor, (double)(k - 1));
}

static double accuracy(const Run *run, double first) {
  const double eps = first * schedule(run->set, run->hoag->iteration + 1) * run->hoag->refinement;
  return fmin(first, fmax(run->set->eps_floor, eps));
}

static int out_of_work(const Run *run) {
  const BtWork work = run->oracle->work(run->oracle->self);
  return run->set->max_work > 0 && bt_work_total(&work) >= run->set->max_work;
}

static BtStatus hypergradient(Run *run) {
  BtHoag *h = run->hoag;
  BtContext *ctx = run->ctx;
  const char *cure = run->set->constant ? "--alpha0" : "--first-step";
  BtStatus st = run->oracle->gradient(run->oracle->self, ctx, h->theta, accuracy(run, run->set->eps0),
                                      accuracy(run, run->set->delta0), 0, h->z, &h->gradient);
  /* Not finite, or outside the domain. */
  if (st == BT_ERR_NUMERIC || st == BT_ERR_ARG) {
    char text[BT_ERROR_TEXT];
    memcpy(text, ctx->error, sizeof text);
    return bt_fail(ctx, st, "iteration %lld: %.900s; try a smaller %s", (long long)h->iteration + 1, text,
                   cure);
  }
  if (st < 0 || st == BT_STOPPED) return st;
  double sum = 0;
  for (size_t j = 0; j < h->p; j++) sum += h->z[j] * h->z[j];
  if (!isfinite(sum) || isnan(h->gradient.value.value))
    return bt_fail(ctx, BT_ERR_NUMERIC, "iteration %lld: the hypergradient is not finite; try a smaller %s",
                   (long long)h->iteration + 1, cure);
  h->iteration++;
  return BT_OK;
}

typedef enum { STEP_GOOD, STEP_PASSES, STEP_REJECTED } Verdict;

/* Pedregosa's test with C = 1/4. His rise by a fifth, g ≥ 1.2 g_old, is told by the size of g_old: losses may
 * be negative. */
static Verdict judge(const BtHoag *h) {
  static const double c = 0.25, rise = 0.2;
  const double g = h->gradient.value.value, eps = h->gradient.eps;
  double delta = 0;
  for (size_t j = 0; j < h->p; j++) delta += (h->theta[j] - h->previous[j]) * (h->theta[j] - h->previous[j]);
  delta = sqrt(delta);
  if (g <= h->old_value + c * eps + h->old_eps * (c + 1) * delta - h->lipschitz * delta * delta)
    return STEP_GOOD;
  return g - h->old_value >= rise * fabs(h->old_value) ? STEP_REJECTED : STEP_PASSES;
}

static double rank(const BtInexactValue *v) { return isfinite(v->upper) ? v->upper : v->value; }

static void keep_best(Run *run) {
  BtHoag *h = run->hoag;
  const BtInexactValue *value = &h->gradient.value;
  if (h->iteration > 1 && !(rank(value) < rank(&h->value))) return;
  memcpy(h->best, h->theta, h->p * sizeof *h->best);
  h->value = *value;
}

static double size(const BtHoag *h) {
  double sum = 0;
  for (size_t j = 0; j < h->p; j++) sum += h->z[j] * h->z[j];
  return sqrt(sum);
}

/* θ ← Π[θ − z/L]; 0 if that is where it was. */
static int take_step(Run *run) {
  BtHoag *h = run->hoag;
  const double norm = size(h);
  int moved = 0;
  if (!(h->lipschitz > 0))
    h->lipschitz = run->set->first_step > 0 ? 1 / run->set->first_step : norm * (double)h->p;
  memcpy(h->previous, h->theta, h->p * sizeof *h->theta);
  h->old_value = h->gradient.value.value;
  h->old_eps = h->gradient.eps;
  for (size_t j = 0; j < h->p; j++) {
    h->theta[j] = clip(run->set, j, h->theta[j] - h->z[j] / h->lipschitz);
    moved |= h->theta[j] != h->previous[j];
  }
  h->compare = !run->set->constant;
  return moved;
}

static void take_back(Run *run) {
  BtHoag *h = run->hoag;
  h->lipschitz *= 2;
  h->refinement *= 0.5;
  memcpy(h->theta, h->previous, h->p * sizeof *h->theta);
  h->compare = 0;
}

/* Norm of what of z the domain lets act. */
static double free_norm(const Run *run) {
  const BtHoag *h = run->hoag;
  double sum = 0;
  for (size_t j = 0; j < h->p; j++) {
    const int held = (run->set->lo && h->theta[j] <= run->set->lo[j] && h->z[j] > 0) ||
                     (run->set->hi && h->theta[j] >= run->set->hi[j] && h->z[j] < 0);
    if (!held) sum += h->z[j] * h->z[j];
  }
  return sqrt(sum);
}

static void tick(Run *run) {
  const double now = bt_clock();
  run->hoag->seconds += now - run->clock;
  run->clock = now;
}

/* `at` is the iterate that the gradient belongs to; the state is that of the next iteration already. */
static BtStatus tell(Run *run, const double *at, int accepted, double step) {
  const BtHoag *h = run->hoag;
  const BtInexactGradient *g = &h->gradient;
  tick(run);
  const BtEvent event = {.type = BT_EVENT_OUTER,
                         .as.outer = {.iteration = h->iteration,
                                      .value = g->value.value,
                                      .lower = g->value.lower,
                                      .upper = g->value.upper,
                                      .eps = g->eps,
                                      .delta = g->delta,
                                      .step = step,
                                      .gradient_norm = g->norm,
                                      .gradient_bound = (double)NAN,
                                      .gradient_estimate = (double)NAN,
                                      .accepted = accepted,
                                      .trials = 1,
                                      .theta = at,
                                      .parameters = (int64_t)h->p,
                                      .work = run->oracle->work(run->oracle->self),
                                      .seconds = h->seconds}};
  return bt_emit(run->ctx, &event);
}

/* One iteration; the event comes last, so that what a checkpoint holds goes on with the next hypergradient.
 */
static BtStatus step(Run *run, double *at) {
  BtHoag *h = run->hoag;
  static const double beyond = 1e30;
  BtStatus st = hypergradient(run);
  if (st < 0 || st == BT_STOPPED) return st;
  memcpy(at, h->theta, h->p * sizeof *at);
  keep_best(run);
  const Verdict verdict = h->compare ? judge(h) : STEP_PASSES;
  if (verdict == STEP_REJECTED) {
    take_back(run);
    if (h->lipschitz > beyond) h->reason = BT_HOAG_STUCK;
    return tell(run, at, 0, 0);
  }
  if (run->oracle->accept) run->oracle->accept(run->oracle->self, h->theta);
  if (verdict == STEP_GOOD) h->lipschitz *= 0.95;
  if (free_norm(run) <= run->set->tolerance * fabs(h->gradient.value.value))
    h->reason = BT_HOAG_CONVERGED;
  else if (!take_step(run))
    h->reason = BT_HOAG_STUCK;
  return tell(run, at, 1, h->lipschitz > 0 ? 1 / h->lipschitz : 0);
}

static BtStatus iterate(Run *run, double *at) {
  BtHoag *h = run->hoag;
  while (h->reason == BT_HOAG_RUNNING) {
    if (h->iteration >= run->set->max_outer || out_of_work(run)) {
      h->reason = BT_HOAG_BUDGET;
      break;
    }
    const BtStatus st = step(run, at);
    if (st < 0 || st == BT_STOPPED) return st;
  }
  return BT_OK;
}

BtStatus bt_hoag_run(BtContext *ctx, BtOracle *oracle, const BtHoagSettings *settings, BtHoag *hoag) {
  Run run = {.ctx = ctx, .oracle = oracle, .set = settings, .hoag = hoag, .clock = bt_clock()};
  double *at = malloc(hoag->p * sizeof *at);
  if (!at) return bt_fail_memory(ctx, "HOAG", 8.0 * (double)hoag->p);
  /* A finished run that is taken up again is finished still. */
  if (hoag->reason != BT_HOAG_CONVERGED && hoag->reason != BT_HOAG_STUCK) hoag->reason = BT_HOAG_RUNNING;
  const BtStatus st = iterate(&run, at);
  tick(&run);
  free(at);
  if (st < 0) return st;
  if (st == BT_STOPPED && hoag->reason == BT_HOAG_RUNNING) hoag->reason = BT_HOAG_STOPPED;
  switch (hoag->reason) {
    case BT_HOAG_STUCK: return BT_STEP_FAILED;
    case BT_HOAG_BUDGET: return BT_MAX_ITERS;
    case BT_HOAG_STOPPED: return BT_STOPPED;
    default: return st;
  }
}

enum {
  LIPSCHITZ,
  REFINEMENT,
  OLD_VALUE,
  OLD_EPS,
  SECONDS,
  BEST_VALUE,
  BEST_LOWER,
  BEST_UPPER,
  BEST_EPS,
  SCALARS
};
enum { ITERATION, COMPARE, BEST_PROOF, REASON, COUNTERS };
enum { VECTORS = 3 }; /* theta, previous, best */

BtStatus bt_hoag_create(BtContext *ctx, const BtHoagSettings *settings, size_t p, const double *theta,
                        BtHoag *hoag) {
  *hoag = (BtHoag){.p = p, .refinement = 1};
  const BtStatus st = bt_box_holds(ctx, settings->lo, settings->hi, p, theta);
  if (st < 0) return st;
  if (settings->constant && !(settings->first_step > 0))
    return bt_fail(ctx, BT_ERR_ARG, "gradient descent needs a step size above 0, got %g",
                   settings->first_step);
  hoag->theta = calloc((VECTORS + 1) * p, sizeof *hoag->theta);
  if (!hoag->theta) return bt_fail_memory(ctx, "HOAG", 8.0 * (VECTORS + 1) * (double)p);
  hoag->previous = hoag->theta + p;
  hoag->best = hoag->theta + 2 * p;
  hoag->z = hoag->theta + VECTORS * p;
  memcpy(hoag->theta, theta, p * sizeof *theta);
  memcpy(hoag->best, theta, p * sizeof *theta);
  return BT_OK;
}

void bt_hoag_clear(BtHoag *hoag) {
  free(hoag->theta);
  *hoag = (BtHoag){0};
}

BtStatus bt_hoag_declare(BtContext *ctx, const BtHoag *hoag, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  BT_TRY(
      bt_tensors_declare(ctx, writer, "hoag.vectors", BT_TENSOR_F64, 2, (const size_t[]){VECTORS, hoag->p}));
  BT_TRY(bt_tensors_declare(ctx, writer, "hoag.scalars", BT_TENSOR_F64, 1, (const size_t[]){SCALARS}));
  BT_TRY(bt_tensors_declare(ctx, writer, "hoag.counters", BT_TENSOR_I64, 1, (const size_t[]){COUNTERS}));
done:
  return st;
}

BtStatus bt_hoag_save(BtContext *ctx, const BtHoag *hoag, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  const double scalars[SCALARS] = {
      [LIPSCHITZ] = hoag->lipschitz,    [REFINEMENT] = hoag->refinement,  [OLD_VALUE] = hoag->old_value,
      [OLD_EPS] = hoag->old_eps,        [SECONDS] = hoag->seconds,        [BEST_VALUE] = hoag->value.value,
      [BEST_LOWER] = hoag->value.lower, [BEST_UPPER] = hoag->value.upper, [BEST_EPS] = hoag->value.eps};
  const int64_t counters[COUNTERS] = {[ITERATION] = hoag->iteration,
                                      [COMPARE] = hoag->compare,
                                      [BEST_PROOF] = hoag->value.proof,
                                      [REASON] = hoag->reason};
  BT_TRY(bt_tensors_append(ctx, writer, hoag->theta, VECTORS * hoag->p));
  BT_TRY(bt_tensors_append(ctx, writer, scalars, SCALARS));
  BT_TRY(bt_tensors_append(ctx, writer, counters, COUNTERS));
done:
  return st;
}

static int sound(const BtHoag *hoag, const double *scalars, const int64_t *counters) {
  int ok = counters[ITERATION] >= 0 && (counters[COMPARE] == 0 || counters[COMPARE] == 1) &&
           counters[BEST_PROOF] >= BT_PROOF_NONE && counters[BEST_PROOF] <= BT_PROVEN &&
           counters[REASON] >= BT_HOAG_RUNNING && counters[REASON] <= BT_HOAG_STOPPED &&
           scalars[LIPSCHITZ] >= 0 && scalars[REFINEMENT] > 0 && scalars[REFINEMENT] <= 1 &&
           scalars[SECONDS] >= 0 && !isnan(scalars[BEST_VALUE]) && !isnan(scalars[OLD_VALUE]);
  for (size_t j = 0; j < VECTORS * hoag->p; j++) ok = ok && isfinite(hoag->theta[j]);
  return ok;
}

BtStatus bt_hoag_load(BtContext *ctx, BtTensorReader *reader, BtHoag *hoag) {
  BtStatus st = BT_OK;
  double scalars[SCALARS];
  int64_t counters[COUNTERS];
  BT_TRY(bt_tensors_read(ctx, reader, "hoag.vectors", BT_TENSOR_F64, VECTORS * hoag->p, hoag->theta));
  BT_TRY(bt_tensors_read(ctx, reader, "hoag.scalars", BT_TENSOR_F64, SCALARS, scalars));
  BT_TRY(bt_tensors_read(ctx, reader, "hoag.counters", BT_TENSOR_I64, COUNTERS, counters));
  if (!sound(hoag, scalars, counters))
    return bt_fail(ctx, BT_ERR_FORMAT, "the checkpoint's HOAG state is out of range");
  hoag->lipschitz = scalars[LIPSCHITZ];
  hoag->refinement = scalars[REFINEMENT];
  hoag->old_value = scalars[OLD_VALUE];
  hoag->old_eps = scalars[OLD_EPS];
  hoag->seconds = scalars[SECONDS];
  hoag->iteration = counters[ITERATION];
  hoag->compare = (int)counters[COMPARE];
  hoag->reason = (BtHoagReason)counters[REASON];
  hoag->value = (BtInexactValue){.value = scalars[BEST_VALUE],
                                 .lower = scalars[BEST_LOWER],
                                 .upper = scalars[BEST_UPPER],
                                 .eps = scalars[BEST_EPS],
                                 .proof = (BtProof)counters[BEST_PROOF]};
  hoag->gradient = (BtInexactGradient){.norm = (double)NAN, .bound = (double)NAN};
done:
  return st;
}

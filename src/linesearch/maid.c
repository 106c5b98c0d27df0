/* MAID, algorithm 3.1 and 3.2 of Salehi et al. 2023, and its accelerated variant. */
#include "linesearch/maid_internal.h"

#include <math.h>
#include <string.h>

#include "core/clock.h"

const BtOption bt_maid_options[] = {
    BT_OPT_REAL("eps0", BtMaidSettings, eps0, 1, BT_POSITIVE, "EPS",
                "initial lower-level accuracy ‖x̃ − x̂‖₂ per image"),
    BT_OPT_REAL("delta0", BtMaidSettings, delta0, 1, BT_POSITIVE, "DELTA",
                "initial residual norm of adjoint solves"),
    BT_OPT_REAL("alpha0", BtMaidSettings, alpha0, 0.01, BT_POSITIVE, "ALPHA", "initial step size"),
    BT_OPT_REAL("rho", BtMaidSettings, rho, 0.5, BT_IN(0, 1), "R", "backtracking factor of the step"),
    BT_OPT_REAL("rho-bar", BtMaidSettings, rho_bar, 1.25, BT_WITHIN(1, 100), "R",
                "growth of the step after success"),
    BT_OPT_REAL("nu", BtMaidSettings, nu, 0.5, BT_IN(0, 1), "N", "factor of the accuracies after failure"),
    BT_OPT_REAL("nu-bar", BtMaidSettings, nu_bar, 1.05, BT_WITHIN(1, 100), "N",
                "growth of the accuracies after success"),
    BT_OPT_REAL("eta", BtMaidSettings, eta, 0.5, BT_IN(0, 1), "E", "descent test: error ≤ (1 − E)‖z‖"),
    BT_OPT_REAL("lambda", BtMaidSettings, lambda, 0.1, BT_IN(0, 1), "L",
                "sufficient decrease L·step·‖z‖², L < E"),
    BT_OPT_INT("max-trials", BtMaidSettings, max_trials, 10, BT_WITHIN(1, 1000), "N",
               "steps tried per line search"),
    BT_OPT_INT("max-outer", BtMaidSettings, max_outer, 200, BT_NONNEGATIVE, "N", "outer iterations at most"),
    BT_OPT_INT("max-work", BtMaidSettings, max_work, 0, BT_NONNEGATIVE, "N",
               "lower-level gradients and Hessian products at most, over all images; 0: no limit"),
    BT_OPT_REAL("tolerance", BtMaidSettings, tolerance, 1e-3, BT_POSITIVE, "T",
                "converged when the hypergradient, error included, is below T times the loss"),
    BT_OPT_REAL("max-step", BtMaidSettings, max_step, 2, BT_POSITIVE, "S",
                "accelerated method: change of a parameter in one step at most"),
    BT_OPT_INT("window", BtMaidSettings, window, 3, BT_WITHIN(1, BT_MAID_WINDOW), "N",
               "accelerated method: decreases are proven against the largest loss of the last N iterates; 1: "
               "against the "
               "last one"),
    BT_OPT_REAL("eps-floor", BtMaidSettings, eps_floor, 1e-10, BT_POSITIVE, "EPS",
                "accuracy below which the search gives up"),
    BT_OPT_CHOICE("direction-test", BtMaidSettings, direction_test, BT_MAID_AUTO, "proven|estimated|auto",
                  "error of the hypergradient that the descent test uses; auto: the proven bound where it "
                  "suffices, else the estimate "
                  "(maid-plain: the estimate for more than 64 parameters only)"),
    BT_OPT_END};

const char *bt_maid_reason_name(BtMaidReason reason) {
  switch (reason) {
    case BT_MAID_CONVERGED: return "converged";
    case BT_MAID_CONVERGED_AS_ESTIMATED: return "converged, as the estimated error has it";
    case BT_MAID_FLOOR: return "converged to the accuracy floor";
    case BT_MAID_STUCK:
      return "no acceptable step (at the edge of the parameters' domain, or at the accuracy floor)";
    case BT_MAID_BUDGET: return "budget used up";
    case BT_MAID_STOPPED: return "stopped";
    case BT_MAID_RUNNING: break;
  }
  return "running";
}

int bt_maid_converged(BtMaidReason reason) {
  return reason == BT_MAID_CONVERGED || reason == BT_MAID_CONVERGED_AS_ESTIMATED || reason == BT_MAID_FLOOR;
}

int bt_maid_out_of_work(const BtMaidRun *run) {
  const BtWork work = run->oracle->work(run->oracle->self);
  return run->set->max_work > 0 && bt_work_total(&work) >= run->set->max_work;
}

/* The floor is convergence where rounding hides what is left, ten times the tolerance at most. */
BtMaidReason bt_maid_reason_at_floor(const BtMaidRun *run) {
  const BtInexactGradient *g = &run->maid->gradient;
  return g->norm + bt_maid_gradient_error(run) <= 10 * run->set->tolerance * fabs(g->value.value)
             ? BT_MAID_FLOOR
             : BT_MAID_STUCK;
}

/* Brings maid->seconds up to date. */
static void tick(BtMaidRun *run) {
  const double now = bt_clock();
  run->maid->seconds += now - run->start;
  run->start = now;
}

static BtStatus tell(BtMaidRun *run, int accepted) {
  const BtMaid *m = run->maid;
  /* An accelerated run asks for whatever a proof takes; what was reached tells more. */
  const int reached = run->set->accelerated && !run->set->fixed;
  tick(run);
  const BtEvent event = {.type = BT_EVENT_OUTER,
                         .as.outer = {.iteration = m->iteration,
                                      .value = m->value.value,
                                      .lower = m->value.lower,
                                      .upper = m->value.upper,
                                      .eps = reached ? m->value.eps : m->eps,
                                      .delta = reached ? m->gradient.delta : m->delta,
                                      .step = accepted ? run->step : 0,
                                      .gradient_norm = m->gradient.norm,
                                      .gradient_bound = m->gradient.bound,
                                      .gradient_estimate = m->gradient.estimate,
                                      .accepted = accepted,
                                      .trials = run->tried,
                                      .theta = m->theta,
                                      .parameters = (int64_t)m->p,
                                      .work = run->oracle->work(run->oracle->self),
                                      .seconds = m->seconds}};
  return bt_emit(run->ctx, &event);
}

static void remember(BtMaidRun *run) {
  BtMaid *m = run->maid;
  memcpy(m->previous, m->theta, m->p * sizeof *m->theta);
  memcpy(m->previous_z, m->z, m->p * sizeof *m->z);
  m->previous_error = bt_maid_estimated_error(&m->gradient);
  m->have_previous = 1;
}

/* Success: θ ← θ − αd, ε ← ν̄ε, δ ← ν̄δ, α ← ρ̄α. */
static BtStatus take_step(BtMaidRun *run, const BtInexactValue *value) {
  BtMaid *m = run->maid;
  const double decrease = m->value.value - value->value, norm = m->gradient.norm;
  /* A decrease near the linear prediction, or beyond it, says that much longer steps are possible. */
  const int linear = run->set->accelerated && decrease > 0.8 * run->step * run->slope;
  const double growth = linear ? fmax(4, run->set->rho_bar) : run->set->rho_bar;
  remember(run);
  for (size_t k = 0; k < m->p; k++) m->theta[k] -= run->step * run->d[k];
  if (run->oracle->accept) run->oracle->accept(run->oracle->self, m->theta);
  memmove(m->earlier + 1, m->earlier, (BT_MAID_WINDOW - 1) * sizeof *m->earlier);
  m->earlier[0] = m->value.lower;
  if (m->earlier_count < BT_MAID_WINDOW) m->earlier_count++;
  m->value = *value;
  if (!run->set->fixed) {
    m->eps *= run->set->nu_bar;
    m->delta *= run->set->nu_bar;
    if (run->set->accelerated) bt_maid_relax_accuracy(run);
  }
  if (run->have_trial) {
    memcpy(m->z, run->trial_z, m->p * sizeof *m->z);
    m->gradient = run->trial_gradient;
    m->gradient.value = *value; /* which may have been sharpened since */
    m->have_gradient = 1;
  }
  /* In units of z, so that it serves when the scaling is dropped. */
  m->alpha = run->step * sqrt(bt_maid_dot(run->d, run->d, m->p)) / norm * growth;
  m->iteration++;
  return tell(run, 1);
}

/* Iteration 0 is told, and may be saved, between its hypergradient and the first step. */
static BtStatus tell_start(BtMaidRun *run) {
  run->maid->have_gradient = 1;
  const BtStatus st = tell(run, 0);
  if (st != BT_STOPPED) run->maid->have_gradient = 0;
  return st;
}

static BtStatus iterate(BtMaidRun *run) {
  BtMaid *m = run->maid;
  BtStatus st = BT_OK;
  BtInexactValue value;
  while (m->reason == BT_MAID_RUNNING) {
    st = bt_maid_direction(run);
    if (st < 0 || st == BT_STOPPED) return st;
    if (run->oracle->accept) run->oracle->accept(run->oracle->self, m->theta);
    if (m->iteration == 0 && (st = tell_start(run)) == BT_STOPPED) return st;
    if (m->reason != BT_MAID_RUNNING) break;
    if (m->iteration >= run->set->max_outer || bt_maid_out_of_work(run)) {
      m->reason = BT_MAID_BUDGET;
      break;
    }
    const int strict = run->strict;
    st = bt_maid_backtrack(run, &value);
    if (st < 0 || st == BT_STOPPED) return st;
    run->strict = !(run->step > 0);
    if (run->step > 0) {
      st = take_step(run, &value);
      if (st < 0 || st == BT_STOPPED) return st;
      continue;
    }
    const int unscaled = m->lbfgs.count == 0;
    if (bt_maid_at_floor(run) || (unscaled && (run->set->fixed || (strict && run->exhausted))))
      m->reason = bt_maid_reason_at_floor(run);
    if (!run->set->fixed) (void)bt_maid_raise_accuracy(run);
    m->trials++;
    m->lbfgs.count = 0;
  }
  return st;
}

BtStatus bt_maid_run(BtContext *ctx, BtOracle *oracle, const BtMaidSettings *settings, BtMaid *maid) {
  BtMaidRun run = {.ctx = ctx, .oracle = oracle, .set = settings, .maid = maid, .start = bt_clock()};
  BtLbfgs work; /* four p-vectors of scratch */
  BtStatus st = bt_lbfgs_create(maid->p, &work);
  if (st < 0) return bt_fail_memory(ctx, "MAID", 16.0 * (double)maid->p);
  run.d = work.s;
  run.trial = work.y;
  run.trial_z = work.s + maid->p;
  run.scratch = work.y + maid->p;
  maid->reason = BT_MAID_RUNNING;
  st = iterate(&run);
  tick(&run);
  bt_lbfgs_clear(&work);
  if (st < 0) return st;
  if (st == BT_STOPPED) maid->reason = BT_MAID_STOPPED;
  switch (maid->reason) {
    case BT_MAID_STUCK: return BT_STEP_FAILED;
    case BT_MAID_BUDGET: return BT_MAX_ITERS;
    case BT_MAID_STOPPED: return BT_STOPPED;
    default: return BT_OK;
  }
}

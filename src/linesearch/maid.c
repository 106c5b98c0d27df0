/* MAID, algorithm 3.1 and 3.2 of Salehi et al. 2023, and its accelerated variant. */
#include "linesearch/maid.h"

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
    BT_OPT_REAL("eps-floor", BtMaidSettings, eps_floor, 1e-10, BT_POSITIVE, "EPS",
                "accuracy below which the search gives up"),
    BT_OPT_CHOICE(
        "direction-test", BtMaidSettings, direction_test, BT_MAID_AUTO, "proven|estimated|auto",
        "error of the hypergradient that the descent test uses; auto: proven for up to 64 parameters, "
        "estimated for more"),
    BT_OPT_END};

const char *bt_maid_reason_name(BtMaidReason reason) {
  switch (reason) {
    case BT_MAID_CONVERGED: return "converged";
    case BT_MAID_FLOOR: return "converged to the accuracy floor";
    case BT_MAID_STUCK:
      return "no acceptable step (at the edge of the parameters' domain, or at the accuracy floor)";
    case BT_MAID_BUDGET: return "budget used up";
    case BT_MAID_STOPPED: return "stopped";
    case BT_MAID_RUNNING: break;
  }
  return "running";
}

/* One run: what the steps below share. */
typedef struct {
  BtContext *ctx;
  BtOracle *oracle;
  const BtMaidSettings *set;
  BtMaid *maid;
  double *d, *trial; /* [p] direction, trial iterate                       */
  double slope;      /* zᵀd                                                */
  double start;      /* clock when maid->seconds was up to date             */
  int tried;
  double step;   /* accepted step                                      */
  int straight;  /* the last step met no curvature that could be learned */
  int exhausted; /* a trial stayed undecided at the accuracy floor */
} Run;

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static int on_estimate(const Run *run) {
  static const size_t few = 64;
  const int test = run->set->direction_test;
  return test == BT_MAID_ESTIMATED || (test == BT_MAID_AUTO && run->maid->p > few);
}

static double gradient_error(const Run *run) {
  const BtInexactGradient *g = &run->maid->gradient;
  if (run->set->fixed) return 0;
  const int estimated = on_estimate(run) && !isnan(g->estimate);
  return estimated ? fmin(g->estimate, g->bound) : g->bound;
}

/* What of an error is likely to lie along one given direction. The bound's may be all of it; an estimate is
 * that of a corrected z, and what the correction leaves has no reason to prefer one of p directions. */
static double share_along(const Run *run) { return on_estimate(run) ? 1 / sqrt((double)run->maid->p) : 1; }

static double estimated_error(const BtInexactGradient *g) { return isnan(g->estimate) ? 0 : g->estimate; }

static int out_of_work(const Run *run) {
  const BtWork work = run->oracle->work(run->oracle->self);
  return run->set->max_work > 0 && bt_work_total(&work) >= run->set->max_work;
}

/* Both accuracies stop at the floor; 0 if neither could be raised any more. */
static int raise_by(Run *run, double eps_factor, double delta_factor) {
  BtMaid *m = run->maid;
  const double floor = run->set->eps_floor, eps = m->eps, delta = m->delta;
  m->eps = fmin(eps, fmax(floor, eps_factor * eps));
  m->delta = fmin(delta, fmax(floor, delta_factor * delta));
  return m->eps < eps || m->delta < delta;
}

static int raise_accuracy(Run *run) { return raise_by(run, run->set->nu, run->set->nu); }

/* The floor is convergence where rounding hides what is left, ten times the tolerance at most. */
static BtMaidReason reason_at_floor(const Run *run) {
  const BtInexactGradient *g = &run->maid->gradient;
  return g->norm + gradient_error(run) <= 10 * run->set->tolerance * fabs(g->value.value) ? BT_MAID_FLOOR
                                                                                          : BT_MAID_STUCK;
}

/* Accelerated: each accuracy is raised by what its own share of the error calls for, with half of the
 * allowance each. An estimate does not tell the shares apart. */
static int raise_by_shares(Run *run, double allowed) {
  BtMaid *m = run->maid;
  const double half = 0.5 * allowed, error = gradient_error(run);
  const double by_delta = on_estimate(run) ? 0.5 * error : m->gradient.bound_adjoint;
  const double by_eps = error - by_delta;
  static const double least = 1e-2, margin = 0.8;
  /* What was reached may be far better than what was asked for. */
  m->eps = fmin(m->eps, m->gradient.eps);
  m->delta = fmin(m->delta, fmax(m->gradient.delta, run->set->eps_floor));
  /* A vanishing z allows nothing: only the larger share tells what to do. */
  const int both = allowed > 0, eps_due = both ? !(by_eps <= half) : !(by_eps < by_delta);
  const int delta_due = both ? !(by_delta <= half) : !eps_due;
  const double for_eps = fmin(run->set->nu, fmax(least, margin * half / by_eps));
  const double for_delta = fmin(run->set->nu, fmax(least, margin * half / by_delta));
  return raise_by(run, eps_due ? for_eps : 1, delta_due ? for_delta : 1);
}

static int at_floor(const Run *run) { return run->maid->eps <= run->set->eps_floor; }

/* Brings maid->seconds up to date. */
static void tick(Run *run) {
  const double now = bt_clock();
  run->maid->seconds += now - run->start;
  run->start = now;
}

static BtStatus tell(Run *run, int accepted) {
  const BtMaid *m = run->maid;
  tick(run);
  const BtEvent event = {.type = BT_EVENT_OUTER,
                         .as.outer = {.iteration = m->iteration,
                                      .value = m->value.value,
                                      .lower = m->value.lower,
                                      .upper = m->value.upper,
                                      .eps = m->eps,
                                      .delta = m->delta,
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

/* d ← z, or its L-BFGS scaling, cut to the box of the largest step, where that is a safe direction: one
 * parameter that asks for more than its share does not hold back the others. */
static void scale_direction(Run *run) {
  BtMaid *m = run->maid;
  memcpy(run->d, m->z, m->p * sizeof *run->d);
  run->slope = dot(m->z, m->z, m->p);
  if (!run->set->accelerated || m->lbfgs.count == 0) return;
  bt_lbfgs_apply(&m->lbfgs, m->z, run->d);
  const double box = run->set->max_step;
  for (size_t k = 0; k < m->p; k++) run->d[k] = fmax(-box, fmin(box, run->d[k]));
  const double slope = dot(m->z, run->d, m->p), length2 = dot(run->d, run->d, m->p);
  static const double smallest_cosine = 1e-3;
  if (slope > 0 && slope * slope > smallest_cosine * smallest_cosine * length2 * run->slope) {
    run->slope = slope;
  } else {
    memcpy(run->d, m->z, m->p * sizeof *run->d);
    m->lbfgs.count = 0;
  }
}

static int converged(const Run *run) {
  const BtInexactGradient *g = &run->maid->gradient;
  return g->norm + gradient_error(run) <= run->set->tolerance * fabs(g->value.value);
}

/* A pair for L-BFGS once the hypergradients at both ends of the last step are known. Curvature should stand
 * out from what their estimated errors could feign; a bad pair costs steps, never the guarantee. */
static void learn_curvature(Run *run) {
  BtMaid *m = run->maid;
  if (!run->set->accelerated || !m->have_previous) return;
  double *s = run->trial, *y = run->d;
  for (size_t k = 0; k < m->p; k++) s[k] = m->theta[k] - m->previous[k], y[k] = m->z[k] - m->previous_z[k];
  const double error = share_along(run) * (estimated_error(&m->gradient) + m->previous_error);
  run->straight =
      !bt_lbfgs_update(&m->lbfgs, s, y, sqrt(dot(s, s, m->p)) * fmax(error, 1e-8 * sqrt(dot(y, y, m->p))));
  m->have_previous = 0;
}

static int wanted_estimate(const Run *run) {
  if (!on_estimate(run)) return 0;
  return run->set->accelerated ? BT_WANT_ESTIMATE | BT_WANT_CORRECTED : BT_WANT_ESTIMATE;
}

/* Algorithm 3.1: an inexact hypergradient whose error leaves −d a descent direction. For d = z the test is
 * the paper's ω ≤ (1−η)‖z‖; a scaled d must pass ω ≤ (1−η) zᵀd/‖d‖ too, which gives ∇fᵀd ≥ η zᵀd alike. */
static BtStatus inexact_gradient(Run *run) {
  BtMaid *m = run->maid;
  const int want = run->set->fixed ? 0 : BT_WANT_BOUND | wanted_estimate(run);
  for (;;) {
    BtStatus st = BT_OK;
    if (!m->have_gradient)
      st = run->oracle->gradient(run->oracle->self, run->ctx, m->theta, m->eps, m->delta, want, m->z,
                                 &m->gradient);
    m->have_gradient = 0;
    if (st < 0 || st == BT_STOPPED) return st;
    if (!isfinite(m->gradient.norm))
      return bt_fail(run->ctx, BT_ERR_NUMERIC, "the hypergradient is not finite");
    m->value = m->gradient.value;
    if (converged(run)) {
      m->reason = BT_MAID_CONVERGED;
      return BT_OK;
    }
    const double error = gradient_error(run);
    double allowed = (1 - run->set->eta) * m->gradient.norm;
    if (error <= allowed) {
      learn_curvature(run);
      scale_direction(run);
      allowed = (1 - run->set->eta) * run->slope / sqrt(dot(run->d, run->d, m->p)) / share_along(run);
      if (error <= allowed) return BT_OK;
    }
    if (!(run->set->accelerated ? raise_by_shares(run, allowed) : raise_accuracy(run))) {
      m->reason = reason_at_floor(run);
      return BT_OK;
    }
    if (out_of_work(run)) {
      m->reason = BT_MAID_BUDGET;
      return BT_OK;
    }
  }
}

typedef enum { STEP_ACCEPTED, STEP_REJECTED, STEP_UNDECIDED } Verdict;

/* The certified decrease U(x̃(θ₊), ε₊) − Lo(x̃(θ), ε) + λα zᵀd ≤ 0. */
static BtStatus try_step(Run *run, double alpha, double eps, Verdict *verdict, BtInexactValue *value) {
  BtMaid *m = run->maid;
  for (size_t k = 0; k < m->p; k++) run->trial[k] = m->theta[k] - alpha * run->d[k];
  const int fixed = run->set->fixed, staged = run->set->accelerated && !fixed;
  const double sought = run->set->lambda * alpha * run->slope;
  const double threshold = (fixed ? m->value.value : m->value.lower) - sought;
  const BtStatus st = run->oracle->value(run->oracle->self, run->ctx, run->trial, eps,
                                         staged ? threshold : (double)NAN, value);
  if (fixed) {
    *verdict = value->value <= threshold ? STEP_ACCEPTED : STEP_REJECTED;
    return st;
  }
  /* NaN is as good as a value beyond the threshold. */
  *verdict = value->upper <= threshold                 ? STEP_ACCEPTED
             : value->lower <= m->value.upper - sought ? STEP_UNDECIDED
                                                       : STEP_REJECTED;
  return st;
}

/* The accuracy at which a gap between a value and one of its bounds should come down to `wanted`; gaps shrink
 * at least in proportion to ε. */
static double accuracy_for(const Run *run, double eps, double gap, double wanted) {
  static const double least = 1e-2, margin = 0.9;
  return fmax(run->set->eps_floor, eps * fmin(run->set->nu, fmax(least, margin * wanted / gap)));
}

static double half_width(const BtInexactValue *v) { return fmax(v->upper - v->value, v->value - v->lower); }

static BtStatus value_at_iterate(Run *run, double eps) {
  BtMaid *m = run->maid;
  return run->oracle->value(run->oracle->self, run->ctx, m->theta, eps, (double)NAN, &m->value);
}

/* A trial's accuracy follows from the decrease that the slope promises: the gap below a value of a convex
 * loss is aε, that above it aε + bε², and `wanted` is what the latter may be. */
static double trial_accuracy(const Run *run, double wanted) {
  const BtInexactValue *v = &run->maid->value;
  const double below = v->value - v->lower, above = v->upper - v->value, bent = fmax(0, above - below);
  const double straight = above - bent;
  const double ratio = 2 * wanted / (straight + sqrt(straight * straight + 4 * bent * wanted));
  if (!isfinite(ratio) || !(ratio > 0)) return run->maid->eps;
  return fmax(run->set->eps_floor, v->eps * fmin(ratio, 1e3));
}

/* Accelerated: accuracies are chosen such that the bounds leave open a small share of the promised decrease,
 * and where that does not decide, of the decrease found. A decrease hardly above the one sought is not worth
 * a proof. */
static BtStatus decide(Run *run, double alpha, Verdict *verdict, BtInexactValue *value) {
  static const double share = 0.2, least = 0.05, of_excess = 0.4;
  BtMaid *m = run->maid;
  BtStatus st = BT_OK;
  if (!run->set->accelerated || run->set->fixed) return try_step(run, alpha, m->eps, verdict, value);
  const double promised = alpha * run->slope, sought = run->set->lambda * promised, enough = least * promised;
  double eps = trial_accuracy(run, share * promised), eps_here = m->value.eps;
  if (half_width(&m->value) > 2 * share * promised) {
    eps_here = accuracy_for(run, eps_here, half_width(&m->value), share * promised);
    st = value_at_iterate(run, eps_here);
  }
  while (st >= 0 && st != BT_STOPPED) {
    st = try_step(run, alpha, eps, verdict, value);
    if (*verdict != STEP_UNDECIDED || st < 0 || st == BT_STOPPED || out_of_work(run)) break;
    const double excess = m->value.value - value->value - sought,
                 wanted = of_excess * fmax(fabs(excess), enough);
    /* A trial whose bounds exclude what could be proven now waits for the iterate's. */
    const int excluded = value->lower > m->value.lower - sought;
    const int due = !excluded && half_width(value) > wanted,
              due_here = excluded || half_width(&m->value) > wanted;
    if (!(m->value.upper - value->lower - sought > enough) || !(due || due_here)) {
      *verdict = STEP_REJECTED;
      break;
    }
    if ((due && eps <= run->set->eps_floor) || (due_here && eps_here <= run->set->eps_floor)) {
      run->exhausted = 1;
      break;
    }
    if (due) eps = accuracy_for(run, fmin(eps, value->eps), half_width(value), wanted);
    if (due_here) {
      eps_here = accuracy_for(run, eps_here, half_width(&m->value), wanted);
      st = value_at_iterate(run, eps_here);
    }
  }
  return st;
}

/* L-BFGS steps have length 1 by nature. Parameters are logarithms or of order one, so that a jump by more
 * than max_step leaves the region that the hypergradient speaks of, often for one where every solve is
 * expensive. */
static double first_step(const Run *run) {
  const BtMaid *m = run->maid;
  double largest = 0;
  if (!run->set->accelerated) return m->alpha;
  for (size_t k = 0; k < m->p; k++) largest = fmax(largest, fabs(run->d[k]));
  /* Where the last step met none of the curvature that the scaling stands for, steps grow as those along z
   * do. */
  const double grown = m->alpha * m->gradient.norm / sqrt(dot(run->d, run->d, m->p));
  const double natural = run->straight ? fmax(1, grown) : 1;
  return fmin(m->lbfgs.count > 0 ? natural : m->alpha, run->set->max_step / largest);
}

/* ρα; accelerated: the minimiser of the parabola through f(θ), its slope and the rejected value, within [0.1,
 * ρ]α. */
static double next_step(const Run *run, double alpha, const BtInexactValue *rejected) {
  const double shortest = 0.1 * alpha, longest = run->set->rho * alpha;
  const double rise = rejected->value - run->maid->value.value + alpha * run->slope;
  if (!run->set->accelerated || !isfinite(rejected->value) || !(rise > 0)) return longest;
  return fmin(longest, fmax(fmin(shortest, longest), 0.5 * alpha * alpha * run->slope / rise));
}

/* Algorithm 3.2: backtracking with inexact values. run->step is 0 if no trial was accepted. */
static BtStatus backtracking(Run *run, BtInexactValue *value) {
  BtMaid *m = run->maid;
  BtStatus st = BT_OK;
  double alpha = first_step(run);
  run->step = 0;
  run->exhausted = 0;
  for (run->tried = 0; run->tried < m->trials && !out_of_work(run);) {
    Verdict verdict;
    run->tried++;
    st = decide(run, alpha, &verdict, value);
    if (st < 0 || st == BT_STOPPED) return st;
    if (verdict == STEP_ACCEPTED) {
      run->step = alpha;
      return BT_OK;
    }
    if (run->exhausted || (verdict == STEP_UNDECIDED && at_floor(run))) break;
    alpha = next_step(run, alpha, value);
  }
  return BT_OK;
}

static void remember(Run *run) {
  BtMaid *m = run->maid;
  memcpy(m->previous, m->theta, m->p * sizeof *m->theta);
  memcpy(m->previous_z, m->z, m->p * sizeof *m->z);
  m->previous_error = estimated_error(&m->gradient);
  m->have_previous = 1;
}

/* Accuracies that gave a hypergradient ten times better than needed are loosened faster than by ν̄. */
static void relax_accuracy(Run *run) {
  BtMaid *m = run->maid;
  static const double ample = 0.1;
  const double error = gradient_error(run), enough = ample * (1 - run->set->eta) * m->gradient.norm;
  const double by_delta = on_estimate(run) ? error : m->gradient.bound_adjoint;
  const double by_eps = on_estimate(run) ? error : error - by_delta;
  if (by_eps < enough) m->eps /= run->set->nu;
  if (by_delta < enough) m->delta /= run->set->nu;
}

/* Success: θ ← θ − αd, ε ← ν̄ε, δ ← ν̄δ, α ← ρ̄α. */
static BtStatus take_step(Run *run, const BtInexactValue *value) {
  BtMaid *m = run->maid;
  const double decrease = m->value.value - value->value;
  /* A decrease near the linear prediction, or beyond it, says that much longer steps are possible. */
  const int linear = run->set->accelerated && decrease > 0.8 * run->step * run->slope;
  const double growth = linear ? fmax(4, run->set->rho_bar) : run->set->rho_bar;
  remember(run);
  for (size_t k = 0; k < m->p; k++) m->theta[k] -= run->step * run->d[k];
  if (run->oracle->accept) run->oracle->accept(run->oracle->self, m->theta);
  m->value = *value;
  if (!run->set->fixed) {
    m->eps *= run->set->nu_bar;
    m->delta *= run->set->nu_bar;
    if (run->set->accelerated) relax_accuracy(run);
  }
  /* In units of z, so that it serves when the scaling is dropped. */
  m->alpha = run->step * sqrt(dot(run->d, run->d, m->p)) / m->gradient.norm * growth;
  m->iteration++;
  return tell(run, 1);
}

/* Iteration 0 is told, and may be saved, between its hypergradient and the first step. */
static BtStatus tell_start(Run *run) {
  run->maid->have_gradient = 1;
  const BtStatus st = tell(run, 0);
  if (st != BT_STOPPED) run->maid->have_gradient = 0;
  return st;
}

static BtStatus iterate(Run *run) {
  BtMaid *m = run->maid;
  BtStatus st = BT_OK;
  BtInexactValue value;
  while (m->reason == BT_MAID_RUNNING) {
    st = inexact_gradient(run);
    if (st < 0 || st == BT_STOPPED) return st;
    if (run->oracle->accept) run->oracle->accept(run->oracle->self, m->theta);
    if (m->iteration == 0 && (st = tell_start(run)) == BT_STOPPED) return st;
    if (m->reason != BT_MAID_RUNNING) break;
    if (m->iteration >= run->set->max_outer || out_of_work(run)) {
      m->reason = BT_MAID_BUDGET;
      break;
    }
    st = backtracking(run, &value);
    if (st < 0 || st == BT_STOPPED) return st;
    if (run->step > 0) {
      st = take_step(run, &value);
      if (st < 0 || st == BT_STOPPED) return st;
      continue;
    }
    const int unscaled = m->lbfgs.count == 0;
    if (at_floor(run) || (unscaled && (run->set->fixed || run->exhausted))) m->reason = reason_at_floor(run);
    if (!run->set->fixed) (void)raise_accuracy(run);
    m->trials++;
    m->lbfgs.count = 0;
  }
  return st;
}

BtStatus bt_maid_run(BtContext *ctx, BtOracle *oracle, const BtMaidSettings *settings, BtMaid *maid) {
  Run run = {.ctx = ctx, .oracle = oracle, .set = settings, .maid = maid, .start = bt_clock()};
  BtLbfgs work; /* two p-vectors of scratch */
  BtStatus st = bt_lbfgs_create(maid->p, &work);
  if (st < 0) return bt_fail_memory(ctx, "MAID", 16.0 * (double)maid->p);
  run.d = work.s;
  run.trial = work.y;
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

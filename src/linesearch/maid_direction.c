/* Algorithm 3.1 of MAID: an inexact hypergradient that gives a direction of descent, its scaling, and the
 * accuracies that this takes. */
#include <math.h>
#include <string.h>

#include "linesearch/maid_internal.h"

/* Parameters for which ω may suffice. */
static const size_t few = 64;

/* Whether estimates may stand for ω where ω does not suffice. */
int bt_maid_may_estimate(const BtMaidRun *run) {
  const int test = run->set->direction_test;
  return !run->set->fixed && (test == BT_MAID_ESTIMATED ||
                              (test == BT_MAID_AUTO && (run->set->accelerated || run->maid->p > few)));
}

/* Whether what is known of the hypergradient's error is an estimate. */
static int judged_by_estimate(const BtMaidRun *run) {
  const BtInexactGradient *g = &run->maid->gradient;
  return bt_maid_may_estimate(run) && g->estimate < g->bound;
}

double bt_maid_gradient_error(const BtMaidRun *run) {
  const BtInexactGradient *g = &run->maid->gradient;
  if (run->set->fixed) return 0;
  return judged_by_estimate(run) ? g->estimate : g->bound;
}

/* What of an error is likely to lie along one given direction. The bound's may be all of it; what is left of
 * an estimated one has no reason to prefer one of p directions. */
static double share_along(const BtMaidRun *run) {
  return judged_by_estimate(run) ? 1 / sqrt((double)run->maid->p) : 1;
}

/* Both accuracies stop at the floor; 0 if neither could be raised any more. */
static int raise_by(BtMaidRun *run, double eps_factor, double delta_factor) {
  BtMaid *m = run->maid;
  const double floor = run->set->eps_floor, eps = m->eps, delta = m->delta;
  m->eps = fmin(eps, fmax(floor, eps_factor * eps));
  m->delta = fmin(delta, fmax(floor, delta_factor * delta));
  return m->eps < eps || m->delta < delta;
}

int bt_maid_raise_accuracy(BtMaidRun *run) { return raise_by(run, run->set->nu, run->set->nu); }

/* Accelerated: each accuracy is raised by what its own share of the error calls for, with half of the
 * allowance each. An estimate does not tell the shares apart. */
static int raise_by_shares(BtMaidRun *run, double allowed) {
  BtMaid *m = run->maid;
  const double half = 0.5 * allowed, error = bt_maid_gradient_error(run);
  const double by_delta = judged_by_estimate(run) ? 0.5 * error : m->gradient.bound_adjoint;
  const double by_eps = error - by_delta;
  static const double least = 1e-2, margin = 0.8;
  /* A vanishing z allows nothing: only the larger share tells what to do. */
  const int both = allowed > 0, eps_due = both ? !(by_eps <= half) : !(by_eps < by_delta);
  const int delta_due = both ? !(by_delta <= half) : !eps_due;
  /* What was reached may be far better than what was asked for. */
  if (eps_due) m->eps = fmin(m->eps, m->gradient.eps);
  if (delta_due) m->delta = fmin(m->delta, fmax(m->gradient.delta, run->set->eps_floor));
  const double for_eps = fmin(run->set->nu, fmax(least, margin * half / by_eps));
  const double for_delta = fmin(run->set->nu, fmax(least, margin * half / by_delta));
  return raise_by(run, eps_due ? for_eps : 1, delta_due ? for_delta : 1);
}

/* d ← z, or its L-BFGS scaling, cut to the box of the largest step, where that is a safe direction: one
 * parameter that asks for more than its share does not hold back the others. */
static void scale_direction(BtMaidRun *run) {
  BtMaid *m = run->maid;
  memcpy(run->d, m->z, m->p * sizeof *run->d);
  run->slope = bt_maid_dot(m->z, m->z, m->p);
  if (!run->set->accelerated || m->lbfgs.count == 0) return;
  bt_lbfgs_apply(&m->lbfgs, m->z, run->d);
  const double box = run->set->max_step;
  for (size_t k = 0; k < m->p; k++) run->d[k] = fmax(-box, fmin(box, run->d[k]));
  const double slope = bt_maid_dot(m->z, run->d, m->p), length2 = bt_maid_dot(run->d, run->d, m->p);
  static const double smallest_cosine = 1e-3;
  if (slope > 0 && slope * slope > smallest_cosine * smallest_cosine * length2 * run->slope) {
    run->slope = slope;
  } else {
    memcpy(run->d, m->z, m->p * sizeof *run->d);
    m->lbfgs.count = 0;
  }
}

static int converged(const BtMaidRun *run) {
  const BtInexactGradient *g = &run->maid->gradient;
  return g->norm + bt_maid_gradient_error(run) <= run->set->tolerance * fabs(g->value.value);
}

/* A pair for L-BFGS once the hypergradients at both ends of the last step are known. Curvature should stand
 * out from what their estimated errors could feign; a bad pair costs steps, never the guarantee. */
static void learn_curvature(BtMaidRun *run) {
  BtMaid *m = run->maid;
  if (!run->set->accelerated || !m->have_previous) return;
  double *s = run->trial, *y = run->d;
  for (size_t k = 0; k < m->p; k++) s[k] = m->theta[k] - m->previous[k], y[k] = m->z[k] - m->previous_z[k];
  const double error = share_along(run) * (bt_maid_estimated_error(&m->gradient) + m->previous_error);
  run->straight = !bt_lbfgs_update(
      &m->lbfgs, s, y, sqrt(bt_maid_dot(s, s, m->p)) * fmax(error, 1e-8 * sqrt(bt_maid_dot(y, y, m->p))));
  m->have_previous = 0;
}

static int wanted_estimate(const BtMaidRun *run) {
  return run->set->accelerated ? BT_WANT_ESTIMATE | BT_WANT_CORRECTED : BT_WANT_ESTIMATE;
}

static double allowed_error(const BtMaidRun *run) { return (1 - run->set->eta) * run->maid->gradient.norm; }

/* δ for a hypergradient that needs no correction, as far as the last estimate tells: a digit of δ is cheaper
 * than an estimate. */
double bt_maid_adjoint_accuracy(const BtMaidRun *run, double delta) {
  static const double share = 0.25, least = 0.1;
  const BtMaid *m = run->maid;
  if (!bt_maid_may_estimate(run)) return bt_maid_not_below_floor(run, fmin(m->delta, delta));
  if (!isfinite(m->sample.error)) return bt_maid_not_below_floor(run, delta);
  const double wanted = m->sample.delta * share * allowed_error(run) / m->sample.error;
  return bt_maid_not_below_floor(run, fmin(delta, fmax(wanted, least * delta)));
}

/* A trial's hypergradient comes without an estimate, whose two solves may cost more than all else in an
 * iteration: its error is taken to shrink with its accuracies, with a margin, from the last one that was
 * estimated. */
static void extrapolate_estimate(BtMaidRun *run) {
  static const double margin = 1.5;
  static const int64_t most_uses = 5;
  BtMaid *m = run->maid;
  BtInexactGradient *g = &m->gradient;
  const BtMaidSample *from = &m->sample;
  const double error = margin * from->error * fmax(g->eps / from->eps, g->delta / from->delta);
  if (!(error <= allowed_error(run)) || m->sample.uses >= most_uses) return;
  g->estimate = g->uncorrected = error;
  m->sample.uses++;
}

static BtStatus gradient_at_iterate(BtMaidRun *run, int want) {
  BtMaid *m = run->maid;
  const BtStatus st = run->oracle->gradient(run->oracle->self, run->ctx, m->theta, m->eps, m->delta, want,
                                            m->z, &m->gradient);
  if (st >= 0 && st != BT_STOPPED && !isnan(m->gradient.uncorrected))
    m->sample = (BtMaidSample){m->gradient.uncorrected, m->gradient.eps, m->gradient.delta, 0};
  return st;
}

/* z and what is known of its error: ω, or an estimate where ω does not suffice. Where there are many
 * parameters it never does. */
static BtStatus judged_gradient(BtMaidRun *run) {
  BtMaid *m = run->maid;
  BtStatus st = BT_OK;
  const int estimate = bt_maid_may_estimate(run), sampled = isfinite(m->sample.error);
  const int at_once = estimate && m->p > few && !sampled, had = m->have_gradient;
  const int want = run->set->fixed ? 0 : BT_WANT_BOUND;
  if (estimate && sampled && !had && run->set->accelerated)
    m->delta = bt_maid_adjoint_accuracy(run, m->delta);
  if (!had) st = gradient_at_iterate(run, at_once ? want | wanted_estimate(run) : want);
  m->have_gradient = 0;
  if (st < 0 || st == BT_STOPPED || !estimate) return st;
  if (!isnan(m->gradient.estimate) || m->gradient.bound <= allowed_error(run)) return st;
  if (run->set->accelerated) extrapolate_estimate(run);
  return isnan(m->gradient.estimate) ? gradient_at_iterate(run, want | wanted_estimate(run)) : st;
}

/* Algorithm 3.1: an inexact hypergradient whose error leaves −d a descent direction. For d = z the test is
 * the paper's ω ≤ (1−η)‖z‖; a scaled d must pass ω ≤ (1−η) zᵀd/‖d‖ too, which gives ∇fᵀd ≥ η zᵀd alike. */
BtStatus bt_maid_direction(BtMaidRun *run) {
  BtMaid *m = run->maid;
  for (;;) {
    const BtStatus st = judged_gradient(run);
    if (st < 0 || st == BT_STOPPED) return st;
    if (!isfinite(m->gradient.norm))
      return bt_fail(run->ctx, BT_ERR_NUMERIC, "the hypergradient is not finite");
    m->value = m->gradient.value;
    if (converged(run)) {
      m->reason = judged_by_estimate(run) ? BT_MAID_CONVERGED_AS_ESTIMATED : BT_MAID_CONVERGED;
      return BT_OK;
    }
    const double error = bt_maid_gradient_error(run);
    double allowed = allowed_error(run);
    if (error <= allowed) {
      learn_curvature(run);
      scale_direction(run);
      allowed = (1 - run->set->eta) * run->slope / sqrt(bt_maid_dot(run->d, run->d, m->p)) / share_along(run);
      if (error <= allowed) return BT_OK;
    }
    if (!(run->set->accelerated ? raise_by_shares(run, allowed) : bt_maid_raise_accuracy(run))) {
      m->reason = bt_maid_reason_at_floor(run);
      return BT_OK;
    }
    if (bt_maid_out_of_work(run)) {
      m->reason = BT_MAID_BUDGET;
      return BT_OK;
    }
  }
}

/* How much coarser an accuracy may be whose share of the error was `by`. */
static double loosening(const BtMaidRun *run, double by) {
  static const double share = 0.25, most = 100;
  const double factor = share * allowed_error(run) / by;
  return factor >= 1 / run->set->nu ? fmin(factor, most) : 1;
}

/* Accuracies that gave a far better hypergradient than was needed are loosened faster than by ν̄. */
void bt_maid_relax_accuracy(BtMaidRun *run) {
  BtMaid *m = run->maid;
  static const double widest = 1e3; /* times what was reached */
  const double error = bt_maid_gradient_error(run);
  const double by_delta = judged_by_estimate(run) ? error : m->gradient.bound_adjoint;
  m->eps = fmin(m->eps * loosening(run, judged_by_estimate(run) ? error : error - by_delta),
                widest * m->gradient.eps);
  m->delta = fmin(m->delta * loosening(run, by_delta), widest * m->gradient.delta);
}

/* Algorithm 3.2 of MAID: steps tried until one is proven to decrease the loss, and the accuracies that proofs
 * take. */
#include <math.h>

#include "linesearch/maid_internal.h"

typedef enum { STEP_ACCEPTED, STEP_REJECTED, STEP_UNDECIDED } Verdict;

/* The certified decrease U(x̃(θ₊), ε₊) − Lo(x̃(θ), ε) + λα zᵀd ≤ 0. NaN is as good as a value beyond the
 * threshold. */
static Verdict judge(const BtMaidRun *run, double alpha, const BtInexactValue *value) {
  const BtInexactValue *here = &run->maid->value;
  const double sought = run->set->lambda * alpha * run->slope;
  if (run->set->fixed) return value->value <= here->value - sought ? STEP_ACCEPTED : STEP_REJECTED;
  return value->upper <= here->lower - sought   ? STEP_ACCEPTED
         : value->lower <= here->upper - sought ? STEP_UNDECIDED
                                                : STEP_REJECTED;
}

static BtStatus try_step(BtMaidRun *run, double alpha, double eps, Verdict *verdict, BtInexactValue *value) {
  BtMaid *m = run->maid;
  for (size_t k = 0; k < m->p; k++) run->trial[k] = m->theta[k] - alpha * run->d[k];
  const BtStatus st = run->oracle->value(run->oracle->self, run->ctx, run->trial, eps, (double)NAN, value);
  *verdict = judge(run, alpha, value);
  return st;
}

static double half_width(const BtInexactValue *v) { return fmax(v->upper - v->value, v->value - v->lower); }

/* By how much ε and δ are multiplied for a gap between a value and its bounds to come down to `wanted`: gaps
 * that the adjoint has sharpened are quadratic in them. */
static double accuracy_factor(double gap, double wanted) { return sqrt(wanted / gap); }

static double sharper(const BtMaidRun *run, double gap, double wanted) {
  static const double least = 1e-2, margin = 0.9;
  return fmin(run->set->nu, fmax(least, margin * accuracy_factor(gap, wanted)));
}

/* The iterate's bounds, sharpened until they leave open no more than `wanted`, as far as one adjoint tells.
 */
static BtStatus sharpen_iterate(BtMaidRun *run, double wanted) {
  BtMaid *m = run->maid;
  const double factor = sharper(run, half_width(&m->value), wanted);
  BtInexactGradient g;
  run->eps_here = bt_maid_not_below_floor(run, factor * run->eps_here);
  run->delta_here = bt_maid_not_below_floor(run, factor * run->delta_here);
  const BtStatus st = run->oracle->gradient(run->oracle->self, run->ctx, m->theta, run->eps_here,
                                            run->delta_here, BT_WANT_BOUND, run->scratch, &g);
  if (st >= 0 && st != BT_STOPPED) m->value = g.value;
  return st;
}

/* The trial's bounds, sharpened by its adjoint; its hypergradient is that of the next iteration if the step
 * is taken. */
static BtStatus sharpen_trial(BtMaidRun *run, double eps, double delta, BtInexactValue *value) {
  BtInexactGradient *g = &run->trial_gradient;
  const BtStatus st = run->oracle->gradient(run->oracle->self, run->ctx, run->trial, eps, delta,
                                            BT_WANT_BOUND, run->trial_z, g);
  if (st < 0 || st == BT_STOPPED) return st;
  *value = g->value;
  run->have_trial = isfinite(g->norm);
  return st;
}

/* The loss that a decrease is proven against: the largest proven lower bound of the last iterates (Grippo,
 * Lampariello & Lucidi 1986), which leaves room for bounds wider than one step's decrease. A strict search
 * knows the last one only. */
static double reference(const BtMaidRun *run) {
  const BtMaid *m = run->maid;
  double largest = m->value.lower;
  for (int64_t k = 0; !run->strict && k < m->earlier_count && k < run->set->window - 1; k++)
    largest = fmax(largest, m->earlier[k]);
  return largest;
}

/* What the bounds of a trial may leave open: half of the room below the reference if the step does what a
 * parabola promises, and no more than the promise, lest values lie within one another's errors. */
static double allowed_gap(const BtMaidRun *run, double promised) {
  const double room =
      reference(run) - run->set->lambda * promised - (run->maid->value.value - 0.5 * promised);
  return fmax(0.2 * promised, fmin(0.5 * room, promised));
}

/* How far the decrease found falls short of the one sought, by values alone. */
static double shortfall(const BtMaidRun *run, double alpha, const BtInexactValue *value) {
  return value->value - run->maid->value.value + run->set->lambda * alpha * run->slope;
}

/* A trial that need not be looked at any closer: values err by far less than their bounds say, so that a
 * shortfall of a part of these is believed. A strict search believes in bounds alone. */
static int hopeless(const BtMaidRun *run, double alpha, const BtInexactValue *value) {
  static const double part = 0.25;
  if (judge(run, alpha, value) == STEP_REJECTED) return 1;
  return !run->strict &&
         !(shortfall(run, alpha, value) <= part * (half_width(value) + half_width(&run->maid->value)));
}

/* Judged once the trial's adjoint is known: values, corrected by it, must fall by what is sought, and the
 * bounds must prove the same of the reference. Where values do not tell though the bounds are as close as
 * planned, the search becomes a strict one. */
static Verdict judge_sharpened(BtMaidRun *run, double alpha, double gap, const BtInexactValue *value) {
  if (hopeless(run, alpha, value)) return STEP_REJECTED;
  const int falls = shortfall(run, alpha, value) <= 0;
  if (!falls && half_width(value) <= 1.5 * gap) run->strict = 1;
  if (run->strict) return judge(run, alpha, value);
  if (!falls) return STEP_UNDECIDED;
  return value->upper <= reference(run) - run->set->lambda * alpha * run->slope ? STEP_ACCEPTED
                                                                                : STEP_UNDECIDED;
}

/* Of a gap Kε² + δε, the part that is left to the adjoint. */
static const double adjoint_share = 0.3;

/* ε for a gap of `gap`, K being as at the iterate. */
static double trial_accuracy(const BtMaidRun *run, double gap) {
  const double width = half_width(&run->maid->value);
  const double bent = fmax(0.2 * width, width - run->eps_here * run->delta_here);
  const double factor = sqrt((1 - adjoint_share) * gap / bent);
  return bt_maid_not_below_floor(run,
                                 isfinite(factor) && factor > 0 ? factor * run->eps_here : run->maid->eps);
}

/* Nothing better can be asked for, or was reached when it was. */
static int here_at_floor(const BtMaidRun *run) {
  const double floor = run->set->eps_floor;
  return (run->eps_here <= floor && run->delta_here <= floor) || run->maid->value.eps > run->eps_here;
}

static int trial_at_floor(const BtMaidRun *run, double eps, double delta, const BtInexactValue *value) {
  const double floor = run->set->eps_floor;
  return (eps <= floor && delta <= floor) || value->eps > eps;
}

/* What an undecided trial waits for: bounds that leave open no more than `wanted` of its own value, or of the
 * iterate's. */
typedef struct {
  double wanted;
  int trial, iterate;
} Due;

/* A decrease hardly above the one sought is not worth a proof: then nothing is due. */
static Due what_is_due(const BtMaidRun *run, double promised, double gap, const BtInexactValue *value) {
  static const double least = 0.05, of_excess = 0.4;
  const BtInexactValue *here = &run->maid->value;
  const double sought = run->set->lambda * promised, enough = least * promised;
  const double excess = reference(run) - value->value - sought,
               excess_here = here->value - value->value - sought;
  const double found = run->strict ? fabs(excess_here) : fmax(excess, excess_here);
  if (!run->strict && excess_here < 0) return (Due){.wanted = gap, .trial = 1};
  Due due = {.wanted = of_excess * fmax(found, enough)};
  if (!(fmax(here->upper, reference(run)) - value->lower - sought > enough)) return due;
  /* A trial whose bounds exclude what could be proven now waits for the iterate's. */
  const int excluded = value->lower > reference(run) - sought, wide = half_width(here) > due.wanted;
  due.trial = !excluded && half_width(value) > due.wanted;
  due.iterate = excluded || (wide && (run->strict || !(excess > enough)));
  return due;
}

/* Accelerated: accuracies are chosen such that the bounds leave open a part of the room for a proof, and
 * where that does not decide, of the decrease found. */
static BtStatus decide(BtMaidRun *run, double alpha, Verdict *verdict, BtInexactValue *value) {
  BtMaid *m = run->maid;
  BtStatus st = BT_OK;
  run->have_trial = 0;
  if (!run->set->accelerated || run->set->fixed) return try_step(run, alpha, m->eps, verdict, value);
  const double promised = alpha * run->slope, widest = (run->strict ? 0.4 : 1.5) * promised;
  while (st >= 0 && st != BT_STOPPED && isfinite(half_width(&m->value)) && half_width(&m->value) > widest &&
         !here_at_floor(run) && !bt_maid_out_of_work(run))
    st = sharpen_iterate(run, run->strict ? 0.2 * promised : promised);
  const double gap = allowed_gap(run, promised);
  double eps = trial_accuracy(run, gap), delta = bt_maid_adjoint_accuracy(run, adjoint_share * gap / eps);
  while (st >= 0 && st != BT_STOPPED) {
    st = try_step(run, alpha, eps, verdict, value);
    if (st < 0 || st == BT_STOPPED || *verdict == STEP_ACCEPTED) break;
    if (hopeless(run, alpha, value)) {
      *verdict = STEP_REJECTED;
      break;
    }
    if (!bt_maid_may_estimate(run)) eps = fmin(eps, m->eps);
    st = sharpen_trial(run, eps, delta, value);
    if (st < 0 || st == BT_STOPPED) break;
    /* No accuracy helps where there is no certificate. */
    if (!isfinite(value->eps)) run->exhausted = 1;
    *verdict = judge_sharpened(run, alpha, gap, value);
    if (*verdict != STEP_UNDECIDED || run->exhausted || bt_maid_out_of_work(run)) break;
    const Due due = what_is_due(run, promised, gap, value);
    if (!due.trial && !due.iterate) {
      *verdict = STEP_REJECTED;
      break;
    }
    if ((due.trial && trial_at_floor(run, eps, delta, value)) || (due.iterate && here_at_floor(run))) {
      run->exhausted = 1;
      break;
    }
    if (due.trial) {
      const double by = sharper(run, half_width(value), due.wanted);
      eps = bt_maid_not_below_floor(run, by * fmin(eps, value->eps));
      delta = bt_maid_not_below_floor(run, by * fmin(delta, run->trial_gradient.delta));
    }
    if (due.iterate) st = sharpen_iterate(run, due.wanted);
  }
  return st;
}

/* L-BFGS steps have length 1 by nature. Parameters are logarithms or of order one, so that a jump by more
 * than max_step leaves the region that the hypergradient speaks of, often for one where every solve is
 * expensive. */
static double first_step(const BtMaidRun *run) {
  const BtMaid *m = run->maid;
  double largest = 0;
  if (!run->set->accelerated) return m->alpha;
  for (size_t k = 0; k < m->p; k++) largest = fmax(largest, fabs(run->d[k]));
  /* Where the last step met none of the curvature that the scaling stands for, steps grow as those along z
   * do. */
  const double grown = m->alpha * m->gradient.norm / sqrt(bt_maid_dot(run->d, run->d, m->p));
  const double natural = run->straight ? fmax(1, grown) : 1;
  return fmin(m->lbfgs.count > 0 ? natural : m->alpha, run->set->max_step / largest);
}

/* ρα; accelerated: the minimiser of the parabola through f(θ), its slope and the rejected value, within [0.1,
 * ρ]α. */
static double next_step(const BtMaidRun *run, double alpha, const BtInexactValue *rejected) {
  const double shortest = 0.1 * alpha, longest = run->set->rho * alpha;
  const double rise = rejected->value - run->maid->value.value + alpha * run->slope;
  if (!run->set->accelerated || !isfinite(rejected->value) || !(rise > 0)) return longest;
  return fmin(longest, fmax(fmin(shortest, longest), 0.5 * alpha * alpha * run->slope / rise));
}

/* Algorithm 3.2: backtracking with inexact values. run->step is 0 if no trial was accepted. */
BtStatus bt_maid_backtrack(BtMaidRun *run, BtInexactValue *value) {
  BtMaid *m = run->maid;
  BtStatus st = BT_OK;
  static const int most_doubts = 2;
  int doubts = 0;
  double alpha = first_step(run);
  run->step = 0;
  run->exhausted = 0;
  run->eps_here = m->value.eps;
  run->delta_here = m->gradient.delta;
  for (run->tried = 0; run->tried < m->trials && !bt_maid_out_of_work(run);) {
    Verdict verdict;
    run->tried++;
    st = decide(run, alpha, &verdict, value);
    if (st < 0 || st == BT_STOPPED) return st;
    if (verdict == STEP_ACCEPTED) {
      run->step = alpha;
      return BT_OK;
    }
    if (run->exhausted || (verdict == STEP_UNDECIDED && bt_maid_at_floor(run))) break;
    /* Values that reject one trial after the other may be what is wrong. */
    if (run->set->accelerated && judge(run, alpha, value) != STEP_REJECTED && ++doubts >= most_doubts)
      run->strict = 1;
    alpha = next_step(run, alpha, value);
  }
  return BT_OK;
}

/* linesearch/maid_internal.h: one run of MAID, and its two algorithms; private to linesearch/maid*.c. */
#ifndef BITUNE_LINESEARCH_MAID_INTERNAL_H
#define BITUNE_LINESEARCH_MAID_INTERNAL_H

#include <math.h>

#include "linesearch/maid.h"

/* What the parts of a run share. */
typedef struct {
  BtContext *ctx;
  BtOracle *oracle;
  const BtMaidSettings *set;
  BtMaid *maid;
  double *d, *trial; /* [p] direction, trial iterate                       */
  double *trial_z;   /* [p] hypergradient at the trial                      */
  double *scratch;   /* [p]                                                 */
  BtInexactGradient trial_gradient;
  int have_trial;              /* trial_z and trial_gradient are those at the trial   */
  double eps_here, delta_here; /* accuracies behind maid->value             */
  double slope;                /* zᵀd                                                */
  double start;                /* clock when maid->seconds was up to date             */
  int tried;
  double step;   /* accepted step                                      */
  int straight;  /* the last step met no curvature that could be learned */
  int strict;    /* the last search failed: every word is taken from proven bounds until one succeeds */
  int exhausted; /* a trial stayed undecided at the accuracy floor */
} BtMaidRun;

/* aᵀb */
static inline double bt_maid_dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static inline int bt_maid_at_floor(const BtMaidRun *run) { return run->maid->eps <= run->set->eps_floor; }

static inline double bt_maid_not_below_floor(const BtMaidRun *run, double accuracy) {
  return fmax(run->set->eps_floor, accuracy);
}

/* 0 where there is no estimate. */
static inline double bt_maid_estimated_error(const BtInexactGradient *g) { return isnan(g->estimate) ? 0 : g->estimate; }

/* max_work is used up. */
int bt_maid_out_of_work(const BtMaidRun *run);

/* Why a run ends that can raise no accuracy any more. */
BtMaidReason bt_maid_reason_at_floor(const BtMaidRun *run);

/* Whether estimates may stand for ω where ω does not suffice. */
int bt_maid_may_estimate(const BtMaidRun *run);

/* What is known of the error of maid->z: ω, or an estimate. */
double bt_maid_gradient_error(const BtMaidRun *run);

/* δ for a hypergradient that needs no correction, as far as the last estimate tells; `delta` at most. */
double bt_maid_adjoint_accuracy(const BtMaidRun *run, double delta);

/* ε ← νε, δ ← νδ; 0 if both are at the floor already. */
int bt_maid_raise_accuracy(BtMaidRun *run);

/* Loosens accuracies that gave a far better hypergradient than was needed. */
void bt_maid_relax_accuracy(BtMaidRun *run);

/* Algorithm 3.1: maid->z and run->d, a direction of descent; maid->reason is set where there is none. Errors are the
 * oracle's, BT_ERR_NUMERIC, BT_STOPPED. */
BtStatus bt_maid_direction(BtMaidRun *run);

/* Algorithm 3.2: run->step along −run->d and the value there, 0 if no trial was accepted. Errors are the oracle's,
 * BT_STOPPED. */
BtStatus bt_maid_backtrack(BtMaidRun *run, BtInexactValue *value);

#endif

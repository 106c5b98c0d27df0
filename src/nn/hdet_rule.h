/* nn/hdet_rule.h: the formulas of hyperparameter-divergent ensemble training (arXiv:2604.24708): how values
 * are spread over replicas and how losses steer them. Pure functions; nn/hdet.h puts them to work. */
#ifndef BITUNE_NN_HDET_RULE_H
#define BITUNE_NN_HDET_RULE_H

#include <stdint.h>

/* Where a hyperparameter is spread and steered. With base u and multiplier ρ a replica has
 *   MULTIPLE  x = u·ρ                           the paper's, for step sizes
 *   LOG       x = exp(u + ρ − 1)                positive values
 *   LOGIT     x = low + (high − low)·σ(u + ρ − 1)
 *   FREE      x = u + ρ − 1                     already unconstrained, as λ of nn/hyper.h */
typedef enum { NN_SPREAD_MULTIPLE, NN_SPREAD_LOG, NN_SPREAD_LOGIT, NN_SPREAD_FREE } NnSpread;

typedef struct {
  NnSpread spread;
  double low, high; /* LOGIT */
} NnSpreadSpace;

/* The base of a value, and the value of base and multiplier. */
double nn_spread_base(NnSpreadSpace space, double value);
double nn_spread_value(NnSpreadSpace space, double base, double multiplier);
/* The same replica in the coordinate that is steered: u·ρ, or u + ρ − 1. */
double nn_spread_coordinate(NnSpreadSpace space, double base, double multiplier);

/* ρ of place 0 … n − 1: 1 + α(place − (n − 1)/2)/max((n − 1)/2, ½): symmetric, from 1 − α to 1 + α;
 * n = 1: 1. */
double nn_hdet_multiplier(int place, int n, double alpha);

/* place[n] of the replicas at this sync: a random permutation that depends on its arguments alone. */
void nn_hdet_places(uint64_t seed, int64_t sync, int hyper, int n, int *place);

/* weight[n] ← softmax((mean L − L_r)/σ) over the valid replicas, 0 for the others. sigma 0: σ is the standard
 * deviation of these losses (z-scores; equal losses have equal weights). Returns the number of valid
 * replicas. */
int nn_hdet_vote(int n, const double *loss, const int *valid, double sigma, double *weight);

/* γ that takes a value from start to floor in `syncs` steps of value·(1 − γ): 1 − (floor/start)^(1/syncs).
 * The published formula, fed with the usual one-cycle settings, is negative and makes the rate grow. */
double nn_hdet_decay(double start, double floor, int64_t syncs);

/* What the votes of mixtures have told: at base u the loss of the low mixture less that of the high one, d.
 */
typedef struct {
  int64_t count;
  double u, uu, d, ud;    /* sums of u, u², d, u·d */
  double lowest, highest; /* u                     */
} NnHdetVotes;
void nn_hdet_votes_add(NnHdetVotes *votes, double u, double d);
/* Where d = 0 on the line of least squares through the votes, which have steered u to either side: it
 * uses how much losses differ, while u itself has only followed which was lower. Between lowest and highest;
 * the mean of u if there are fewer than three votes, or if they say that the wrong way is better (slope >=
 * 0). */
double nn_hdet_votes_zero(const NnHdetVotes *votes);

/* What n >= 1 trials have found, together: the mean of those within `reach` of the median (the median,
 * if there are none). A trial that went astray is far off; among the others the mean is the better estimate. */
double nn_hdet_consensus(int n, const double *found, double reach);

/* The momentum of the steering: v ← βv + (1 − β)Δ, Δ = Σ w_r u_r − u, u ← u(1 − γ) + λ v (MULTIPLE; at least
 * half of what it was, so that it stays positive), u + log(1 − γ) + λ v (LOG), u + λ v (others, which do not
 * decay). */
typedef struct {
  double beta, step; /* β; λ */
} NnSteering;
void nn_hdet_steer(const NnSteering *steering, NnSpread spread, double gamma, double delta, double *base,
                   double *velocity);

#endif

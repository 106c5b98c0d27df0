/* regularizers/foe_internal.h: the parameters of a fields-of-experts model as the numbers the formulas speak of; private to
 * the foe_*.c files. */
#ifndef BITUNE_REGULARIZERS_FOE_INTERNAL_H
#define BITUNE_REGULARIZERS_FOE_INTERNAL_H

#include "regularizers/filter_bank.h"
#include "regularizers/foe.h"

typedef struct {
  BtFoePotential potential;
  size_t filters, size; /* K, s                                                             */
  double *weight;       /* [K] w_k = e^{θ0+θ_k}                                             */
  double *nu;           /* [K] ν_k                                                          */
  double *tau;          /* [K] τ_k of the subtracted root; ν_k where there is none           */
  double *taps;         /* [K][s][s] c_k, zero mean                                         */
  double *curvature;    /* [K] w_k sup φ_k″                                                 */
  double *concavity;    /* [K] w_k sup(−φ_k″) ≥ 0                                           */
  BtFilterBank bank;    /* of taps                                                          */
} BtFoe;

/* Where the groups of parameters begin. */
typedef struct {
  size_t weights, smoothings, ratios, taps, end; /* ratios = taps unless weak */
} BtFoeLayout;

BtFoeLayout bt_foe_layout(const BtRegularizer *reg);

/* BT_ERR_MEMORY or BT_OK; cleared by bt_foe_clear. */
BtStatus bt_foe_open(const BtRegularizer *reg, const double *theta, BtFoe *foe);
void bt_foe_clear(BtFoe *foe);

/* taps[K][s][s] ← those at `from`, each filter less its mean; also the adjoint of that map. */
void bt_foe_zero_mean(size_t filters, size_t size, const double *from, double *taps);

/* sup_t −φ″ of √(t² + ν²) − √(t² + τ²): with κ = ν/τ and q = κ^{4/5},
 *   (1 − q)^{5/2} / ((1 − κ²)^{3/2} τ),  at t² = τ² (q − κ²)/(1 − q). */
double bt_foe_difference_concavity(double nu, double tau);

/* The ops that foe.c does not hold itself. */
void bt_foe_chart(const BtRegularizer *reg, const double *free, double *theta);
int bt_foe_chart_inverse(const BtRegularizer *reg, const double *theta, double *free);
double bt_foe_chart_adjoint(const BtRegularizer *reg, const double *free, double *gradient);
void bt_foe_initial(const BtRegularizer *reg, double sigma, double *theta);
void bt_foe_initial_random(const BtRegularizer *reg, double sigma, uint64_t seed, double *theta);

#endif

/* lowerlevel/logistic.h: multinomial logistic regression with learned ridge weights as a lower-level problem.
 *
 *   h(w; θ) = s Σ_i [ log Σ_k e^{w_k·x_i} − w_{y_i}·x_i ] + ½ Σ_j e^{θ_g(j)} w_j²,   s = 1, or 1/rows
 *
 * over training rows x_i ∈ ℝᵈ with labels y_i < K; w is K × d, row by row, without an intercept. g(j) is the group that
 * coefficient j shares its ridge weight with. All constants are proven, see docs/methods.md.
 *
 * The rows are dealt over a team in chunks that do not depend on its size, and chunk sums are added in order, so every
 * number is the same for any number of processes. */
#ifndef BITUNE_LOWERLEVEL_LOGISTIC_H
#define BITUNE_LOWERLEVEL_LOGISTIC_H

#include <stdint.h>

#include "core/team.h"
#include "lowerlevel/problem.h"

typedef enum { BT_RIDGE_ONE, BT_RIDGE_CLASS, BT_RIDGE_FEATURE, BT_RIDGE_COEFFICIENT } BtRidge;
#define BT_RIDGE_CHOICES "one|class|feature|coefficient"

/* θ outside ±BT_RIDGE_BOUND is no ridge weight that learning should try. */
#define BT_RIDGE_BOUND 30.0

/* Most processes that can have a share of the rows. */
#define BT_LOGISTIC_CHUNKS 16

/* Number of ridge weights. */
size_t bt_ridge_parameters(BtRidge ridge, size_t features, size_t classes);

/* The θ that coefficient j = k·features + f belongs to. */
size_t bt_ridge_group(BtRidge ridge, size_t features, size_t j);

typedef struct {
  size_t rows, features, classes;
  const double *x;      /* [all][features], of which the training rows are taken; used during create() only */
  const int32_t *label; /* [all] 0 … classes−1                                                              */
  const size_t *index;  /* [rows] the training rows, in order; NULL: the first `rows`                        */
  BtRidge ridge;
  int mean;             /* 1: s = 1/rows                                                                    */
  double floor;         /* ≥ 0: each ridge weight is e^θ + floor·s·rows, so that μ stays away from 0 where e^θ does not */
} BtLogisticSpec;

typedef struct BtLogistic BtLogistic;

/* Copies this process's share of the rows. The team is borrowed and must be that of the oracle (hypergrad/bilevel.h).
 * Errors: BT_ERR_ARG (no rows, fewer than two classes), BT_ERR_MEMORY, BT_ERR_TEAM. Collective. */
BtStatus bt_logistic_create(BtContext *ctx, const BtLogisticSpec *spec, BtTeam *team, BtLogistic **logistic);
void bt_logistic_destroy(BtLogistic *logistic);

/* One problem of K·d unknowns, borrowed, valid while `logistic` lives, with its single-precision twin. Its functions
 * are called by rank 0 alone, while the others are in join(). */
const BtProblem *bt_logistic_problem(const BtLogistic *logistic);

/* Bound of ‖XᵀX‖ and max_i ‖x_i‖, for reports. */
double bt_logistic_gram_norm(const BtLogistic *logistic);
double bt_logistic_row_norm(const BtLogistic *logistic);

#endif

/* lowerlevel/solve.h: certified inexact solution of lower-level problems.
 *
 * For h(·; θ) that is μ-strongly convex in x, ‖∇h(x)‖ ≤ εμ implies ‖x − x̂‖ ≤ ε (Salehi et al. 2023, eq. 2.3). The
 * point returned is the one at which that gradient was evaluated. The solver is a PETSc TAO: bt_lbfgs, bt_fista
 * and bt_pdnewton are bitune's own types, lmvm, nls, bncg, … PETSc's. */
#ifndef BITUNE_LOWERLEVEL_SOLVE_H
#define BITUNE_LOWERLEVEL_SOLVE_H

#include <stdint.h>

#include "core/option.h"
#include "core/work.h"
#include "lowerlevel/problem.h"

typedef struct {
  double bound;     /* upper bound of ‖x − x̂‖₂, same unit as x; infinite without a μ            */
  double grad_norm; /* ‖∇ₓh(x;θ)‖₂ at the returned point, rounding allowance included            */
  double mu;        /* strong-convexity constant the bound divides by, as far as the bound reaches */
  BtProof proof;    /* PROVEN only if μ is a proven lower bound                                   */
} BtCertificate;

typedef struct {
  const char *solver;     /* TAO type; NULL or "auto": chosen by problem                         */
  int64_t max_iterations; /* of one solve                                                         */
} BtLowerSettings;

extern const BtOption bt_lower_options[];

/* BT_ERR_ARG naming the solvers if settings->solver is none of those that suit smooth unconstrained problems. */
BtStatus bt_lower_check(BtContext *ctx, const BtLowerSettings *settings);

/* One point of a lower-level problem, kept between solves as a warm start; arrays are the caller's. */
typedef struct {
  double *x;    /* [dimension(i)]                                                                 */
  double *dual; /* [bt_problem_dual_size(i)], may be NULL where that is 0                        */
} BtLowerPoint;

typedef struct BtLower BtLower;

/* A solver for the problems of one family; one at a time, each may have its own size. `problem` is borrowed.
 * Registers bitune's TAO types on first use. PETSc must be initialised. Errors: BT_ERR_ARG (settings),
 * BT_ERR_LIBRARY (PETSc's options), BT_ERR_MEMORY. */
BtStatus bt_lower_create(BtContext *ctx, const BtProblem *problem, const BtLowerSettings *settings, BtLower **lower);
void bt_lower_destroy(BtLower *lower);

/* Solves problem i to ‖x − x̂‖ ≤ eps from `point`, which holds the solution afterwards.
 * Returns BT_OK; BT_NOT_CERTIFIED when eps is below the rounding floor, no μ is proven, or the iteration limit came
 * first (cert says how far the point is); BT_STOPPED on a stop request; BT_ERR_NUMERIC on NaN; BT_ERR_LIBRARY. */
BtStatus bt_lower_solve(BtLower *lower, BtContext *ctx, size_t i, const double *theta, double eps,
                        BtLowerPoint point, BtCertificate *cert);

/* point ← cold start of problem i at θ; its cost is counted. */
void bt_lower_cold_start(BtLower *lower, size_t i, const double *theta, BtLowerPoint point);

/* Gradients, Hessian products and solves so far. */
BtWork bt_lower_work(const BtLower *lower);

/* Certifies a given point by one gradient, no solve; counted. What bt_lower_solve() does to come to eps where rounding stands
 * in the way is done here too. */
BtStatus bt_lower_certify(BtLower *lower, BtContext *ctx, size_t i, const double *theta, double eps, const double *x,
                          BtCertificate *cert);

#endif

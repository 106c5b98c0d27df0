/* lowerlevel/problem.h: a family of lower-level problems x̂_i(θ) = argmin_x h_i(x; θ), i < count.
 *
 * Vectors are plain arrays of the problem's dimension. The same five derivatives as a regularizer's, for h. */
#ifndef BITUNE_LOWERLEVEL_PROBLEM_H
#define BITUNE_LOWERLEVEL_PROBLEM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "lowerlevel/vector.h"
#include "regularizers/regularizer.h"

/* Constants of h_i(·; θ), valid for every x. */
typedef struct {
  double mu;                /* ∇²h ⪰ μ I; 0 if unknown or not convex                         */
  double lipschitz;         /* ‖∇²h‖ ≤ L                                                      */
  double hessian_lipschitz; /* L_H                                                            */
  double cross_lipschitz;   /* L_J                                                            */
  double cross_sum;         /* Σ of the absolute terms of Jᵀq is ≤ cross_sum·‖q‖               */
  double rounding, rounding_slope; /* of R's gradient: see BtRegularizerConstants and gradient_rounding */
  BtProof proof;            /* kind of the four                                               */
} BtProblemConstants;

typedef struct BtProblem BtProblem;

/* λ R(x; θ), of problems on images. */
typedef struct {
  const BtRegularizer *regularizer;
  BtShape shape;
  double strength; /* λ */
} BtTerm;

typedef struct {
  const char *name;

  /* Required. */
  size_t (*dimension)(const BtProblem *problem, size_t i);
  /* x and dual (NULL if there is none) ← where a solve without a warm start begins. Returns its cost in gradients. */
  size_t (*cold_start)(const BtProblem *problem, size_t i, const double *theta, double *x, double *dual);
  double (*value_grad)(const BtProblem *problem, size_t i, const double *theta, const double *x, double *gradient);
  size_t (*curvature_size)(const BtProblem *problem, size_t i);
  void (*curvature)(const BtProblem *problem, size_t i, const double *theta, const double *x, double *curvature);
  void (*hess_mult)(const BtProblem *problem, size_t i, const double *curvature, const double *v, double *product);
  void (*hess_diagonal)(const BtProblem *problem, size_t i, const double *curvature, double *diagonal);
  /* Optional: product ← M⁻¹v for a symmetric positive definite M near ∇²h, prepared with the curvature; conjugate gradients
   * are preconditioned with it. Without it M is the diagonal. */
  void (*precondition)(const BtProblem *problem, size_t i, const double *curvature, const double *v, double *product);
  void (*cross_mult)(const BtProblem *problem, size_t i, const double *theta, const double *x, const double *v,
                     double *product);
  void (*cross_adjoint)(const BtProblem *problem, size_t i, const double *theta, const double *x, const double *q,
                        double *product);
  /* Upper bound of ‖J(x)‖; work holds cross_norm_work() doubles. */
  double (*cross_norm)(const BtProblem *problem, size_t i, const double *theta, const double *x, double *work);
  size_t (*cross_norm_work)(const BtProblem *problem, size_t i);
  void (*constants)(const BtProblem *problem, size_t i, const double *theta, BtProblemConstants *constants);
  /* Bound of ‖computed ∇h − ∇h‖₂ at x, rounding alone; `constants` are those at θ. */
  double (*gradient_rounding)(const BtProblem *problem, size_t i, const double *theta,
                              const BtProblemConstants *constants, const double *x);

  /* Bounds on a ball, see BtVariation. */
  void (*variation)(const BtProblem *problem, size_t i, const double *theta, const double *x, const double *q,
                    double eps, BtVariation *variation);

  /* Optional, all or none: see BtRegularizerOps. dual_size is 0 where the problem has no dual. */
  size_t (*dual_size)(const BtProblem *problem, size_t i);
  void (*dual_curvature)(const BtProblem *problem, size_t i, const double *theta, const double *x,
                         const double *dual, double *curvature);
  void (*dual_update)(const BtProblem *problem, size_t i, const double *theta, const double *x, const double *dx,
                      double *dual);

  /* Optional: a proven μ ≥ 0 with ⟨∇h(x') − ∇h(x), x' − x⟩ ≥ μ‖x' − x‖² for all ‖x' − x‖ ≤ radius: where constants() knows too
   * little, and worth some ten products. */
  double (*convexity)(const BtProblem *problem, size_t i, const double *theta, const double *x, double radius);
  /* Optional. What M and convexity() took so far, in products with ∇²h, rounded up; they count as such. */
  int64_t (*preparation)(const BtProblem *problem);
  /* Optional: [*length] numbers that M follows from besides θ and x, the problem's own; NULL on ranks without them. They are
   * kept with warm starts, and written into before first use where a run is resumed. */
  double *(*memory)(const BtProblem *problem, size_t i, size_t *length);
  int newton; /* 1: with M Newton's method needs few products and is the default solver */

  /* Optional: the term that θ stands in; what lowerlevel/regularized.h builds on. */
  BtTerm (*term)(const BtProblem *problem, size_t i);

  /* Optional: for a problem whose own sums are shared by a team (hypergrad/bilevel.h calls it on every rank). While a
   * problem's owner computes, all other ranks are inside join() and take part; it returns on all of them, with BT_OK or
   * the team's error, when the owner calls it. */
  BtStatus (*join)(const BtProblem *problem, BtContext *ctx);
} BtProblemOps;

struct BtProblem {
  const BtProblemOps *ops;
  size_t count;
  size_t parameters;
  const void *data; /* the implementation's, borrowed */
  /* Optional (NULL), borrowed: the same problems evaluated faster and less accurately (single precision inside). Solvers
   * iterate on it; certificates, residuals and bounds are always computed from the problem itself. */
  const BtProblem *fast;
};

/* Length of the dual variable, 0 if the problem has none. */
static inline size_t bt_problem_dual_size(const BtProblem *problem, size_t i) {
  return problem->ops->dual_size ? problem->ops->dual_size(problem, i) : 0;
}

/* Bounds on the ball of radius eps around x[n] by the global constants: constants × eps × ‖q‖. */
static inline void bt_problem_variation_by_constants(const BtProblemConstants *k, size_t n, double norm_q, double eps,
                                                     BtVariation *variation) {
  variation->hessian = k->hessian_lipschitz * eps * norm_q;
  variation->remainder = (double)INFINITY;
  variation->cross = k->cross_lipschitz * eps * norm_q;
  variation->cross_norm = k->cross_lipschitz * eps;
  variation->hessian_rounding = 40 * BT_ROUNDOFF * k->lipschitz * norm_q;
  variation->cross_rounding = 2 * bt_sum_rounding(n) * k->cross_sum * norm_q;
}

/* ‖computed ∇R − ∇R‖ in units of roundoff, by the constants. */
static inline double bt_problem_rounding(const BtProblemConstants *k, const double *x, size_t n) {
  double largest = 0;
  for (size_t j = 0; k->rounding_slope > 0 && j < n; j++) largest = fmax(largest, fabs(x[j]));
  return (k->rounding + k->rounding_slope * largest) * sqrt((double)n);
}

#endif

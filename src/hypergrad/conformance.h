/* hypergrad/conformance.h: measures whether a problem's operators, constants and bounds are what they claim to be.
 *
 * Nothing of the implementation under test is trusted: derivatives are compared with differences of the level below,
 * adjoints by dot products, constants and bounds with samples that an ascent drives towards them, certificates and
 * hypergradients with solutions far more accurate. The tests run it on every regularizer and problem, `bitune check`
 * on a user's model. Directions are random and depend on the seed alone. */
#ifndef BITUNE_HYPERGRAD_CONFORMANCE_H
#define BITUNE_HYPERGRAD_CONFORMANCE_H

#include <stdint.h>

#include "hypergrad/upper_loss.h"
#include "lowerlevel/solve.h"

typedef enum {
  /* bt_conform_operators() */
  BT_CONFORM_GRADIENT,       /* order of |h(x+td) − h(x) − t ∇hᵀd| in t                              */
  BT_CONFORM_HESSIAN,        /* order of ‖∇h(x+td) − ∇h(x) − t Hd‖                                   */
  BT_CONFORM_SYMMETRY,       /* uᵀHv = vᵀHu                                                          */
  BT_CONFORM_DIAGONAL,       /* diagonal = eⱼᵀHeⱼ                                                    */
  BT_CONFORM_CROSS,          /* order of ‖∇h(x;θ+tv) − ∇h(x;θ) − t Jv‖                               */
  BT_CONFORM_CROSS_ADJOINT,  /* qᵀJv = vᵀJᵀq                                                         */
  BT_CONFORM_DUAL_CURVATURE, /* products with w = φ'(Dx) are those of the Hessian                    */
  BT_CONFORM_DUAL_STEP,      /* order of the error of H(x+tδ, w+δw(tδ))                              */
  BT_CONFORM_DUAL_CONVEXITY, /* vᵀH(x,w)v ≥ μ‖v‖² for projected w                                    */
  /* bt_conform_bounds() */
  BT_CONFORM_CONVEXITY,         /* least Rayleigh quotient of H against μ                            */
  BT_CONFORM_LIPSCHITZ,         /* largest Rayleigh quotient of H against L                          */
  BT_CONFORM_HESSIAN_LIPSCHITZ, /* sampled ‖H(x+e) − H(x)‖/‖e‖ against L_H                           */
  BT_CONFORM_CROSS_LIPSCHITZ,   /* sampled ‖J(x+e) − J(x)‖/‖e‖ against L_J                           */
  BT_CONFORM_CROSS_NORM,        /* ‖J‖ by power iteration against cross_norm                         */
  BT_CONFORM_CROSS_NORM_SHARP,  /* cross_norm against ‖J‖, for p ≤ 2                                 */
  BT_CONFORM_HESSIAN_VARIATION, /* sampled ‖(H(x+e) − H(x))q‖ against variation                      */
  BT_CONFORM_CROSS_VARIATION,   /* sampled ‖(J(x+e) − J(x))ᵀq‖ against variation                     */
  BT_CONFORM_CROSS_CHANGE,      /* sampled ‖J(x+e) − J(x)‖ against variation                         */
  BT_CONFORM_VARIATION_GLOBAL,  /* variation against constants·ε‖q‖                                  */
  BT_CONFORM_REMAINDER,         /* sampled |qᵀ(∇h(x+e) − ∇h(x) − He)| against K (eᵀΔ∇h − μ‖e‖²)      */
  /* bt_conform_loss() */
  BT_CONFORM_LOSS_GRADIENT,  /* order of |g(x+td) − g(x) − t ∇gᵀd|                                   */
  BT_CONFORM_LOSS_SLOPE,     /* slope = ‖∇g‖                                                         */
  BT_CONFORM_LOSS_BOUNDS,    /* sampled g(x+e) against bounds                                        */
  BT_CONFORM_LOSS_ALONG,     /* how far sampled g(x+e) lies outside the bounds for ∇gᵀe              */
  BT_CONFORM_LOSS_LIPSCHITZ, /* sampled ‖∇g(x+e) − ∇g(x)‖/‖e‖ against L_g on the ball                */
  /* bt_conform_certificates() */
  BT_CONFORM_CERTIFICATE, /* true distance against the certificate's bound                           */
  BT_CONFORM_REACHED,     /* solves that missed an ε above the rounding floor                        */
  /* bt_conform_hypergradient() */
  BT_CONFORM_ERROR_BOUND,   /* true error of z against ω                                             */
  BT_CONFORM_ALONG,         /* ∇g(x̃)ᵀ(x̂ − x̃) against its interval                                   */
  BT_CONFORM_BOUND_GLOBAL,  /* ω against the closed form with global constants                       */
  BT_CONFORM_DIFFERENCES,   /* z against differences of g(x̂(θ)), relative                            */
  BT_CONFORM_ESTIMATE_LOW,  /* estimate / true error, geometric mean of small errors                 */
  BT_CONFORM_ESTIMATE_HIGH, /* the same from above                                                   */
  BT_CONFORM_CHECKS         /* how many there are                                                    */
} BtConformCheck;

typedef struct {
  BtConformCheck check;
  const char *name, *meaning; /* "hessian", one phrase; static storage              */
  double measured, limit;
  int at_least;               /* passed if measured ≥ limit, otherwise if ≤         */
  int passed;                 /* never of NaN                                       */
} BtConformRow;

typedef void BtConformObserver(void *user, const BtConformRow *row);

/* What is checked, and who hears of it; all borrowed. */
typedef struct {
  const BtProblem *problem;
  size_t i;
  const double *theta;
  uint64_t seed;
  BtConformObserver *observer; /* called once for each check that applies */
  void *user;
} BtConform;

/* Name, meaning and limit of a check, `measured` being 0. */
BtConformRow bt_conform_describe(BtConformCheck check);

/* The derivatives at x[dimension(i)] and at a constant vector of x's mean, where penalties of differences are most
 * curved. A problem's dual checks are made if it has a dual: dual_update() with dx = 0 must give w = φ'(Dx).
 * Errors: BT_ERR_MEMORY. */
BtStatus bt_conform_operators(BtContext *ctx, const BtConform *conform, const double *x);

/* Constants and bounds, by samples around x and around constant vectors. Errors: BT_ERR_MEMORY. */
BtStatus bt_conform_bounds(BtContext *ctx, const BtConform *conform, const double *x);

/* The upper loss at x. Errors: BT_ERR_MEMORY. */
BtStatus bt_conform_loss(BtContext *ctx, const BtConform *conform, const BtUpperLoss *loss, const double *x);

/* Solves from cold and from warm starts to accuracies over eight decades with the solver of `settings`, compared with
 * one solve to 1e-12. Returns errors of the solver, BT_STOPPED, BT_NOT_CERTIFIED if no solution is accurate enough to
 * compare with (no rows). PETSc must run, as below. */
BtStatus bt_conform_certificates(BtContext *ctx, const BtConform *conform, const BtLowerSettings *settings);

/* What was seen besides the rows; ratios are geometric means, NAN if nothing qualified. */
typedef struct {
  double bound_ratio;         /* ω / true error                          */
  double bound_ratio_least;   /* smallest                                */
  double global_ratio;        /* closed form with global constants / true error */
  double estimate_ratio, estimate_least, estimate_largest; /* estimate / true error, where it is small */
} BtConformFigures;

/* Hypergradients for a grid of accuracies (ε, δ), the points coming from solves and from random and concentrated
 * perturbations of the solution, compared with an accurate one, and that one with differences of f(θ) = g_i(x̂_i(θ)).
 * figures may be NULL. Returns as bt_conform_certificates(). */
BtStatus bt_conform_hypergradient(BtContext *ctx, const BtConform *conform, const BtUpperLoss *loss,
                                  const BtLowerSettings *settings, BtConformFigures *figures);

#endif

/* regularizers/regularizer.h: R(x; θ), a learned penalty of an image, on plain arrays.
 *
 * x is one gray plane of height × width pixels, row by row. θ ∈ Rᵖ is unconstrained; where a positive number is meant
 * it is exponentiated. J = ∂_θ∇ₓR is the n × p matrix of mixed derivatives. */
#ifndef BITUNE_REGULARIZERS_REGULARIZER_H
#define BITUNE_REGULARIZERS_REGULARIZER_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct {
  size_t height, width;
} BtShape;

static inline size_t bt_shape_size(BtShape shape) { return shape.height * shape.width; }

/* Constants of R(·; θ), valid for every x of the given shape. */
typedef struct {
  double lipschitz;         /* ‖∇²R‖ ≤ lipschitz                                                       */
  double convexity;         /* ∇²R ⪰ convexity·I: 0 for convex, negative for weakly convex R             */
  double hessian_lipschitz; /* ‖∇²R(x) − ∇²R(x')‖ ≤ hessian_lipschitz·‖x − x'‖                          */
  double cross_lipschitz;   /* ‖J(x) − J(x')‖ ≤ cross_lipschitz·‖x − x'‖                                */
  double cross_sum;         /* Σ of the absolute terms that Jᵀq adds up is ≤ cross_sum·‖q‖: for its rounding  */
  /* ‖computed ∇R − ∇R‖ ≤ unit roundoff × (rounding + rounding_slope·max|x|)·√n: the slope for responses that sum
   * products with x itself, 0 where differences of x come first. */
  double rounding, rounding_slope;
  BtProof proof;            /* kind of the seven                                                        */
} BtRegularizerConstants;

/* Bounds that hold on the ball of radius eps around one x and for one vector q; they are what the hypergradient's
 * error bound needs, and much smaller than the global constants times eps·‖q‖. */
typedef struct {
  double hessian; /* ≥ ‖(∇²R(x') − ∇²R(x)) q‖ for all ‖x' − x‖ ≤ eps                                    */
  double cross;   /* ≥ ‖(J(x') − J(x))ᵀ q‖ for all ‖x' − x‖ ≤ eps                                       */
  double cross_norm;     /* ≥ ‖J(x') − J(x)‖ for all ‖x' − x‖ ≤ eps                                     */
  double remainder; /* K: |qᵀ(∇R(x') − ∇R(x) − ∇²R(x)e)| ≤ K eᵀ(∇R(x') − ∇R(x)) for all e = x' − x, ‖e‖ ≤ eps;
                       infinite where R is not convex or nothing is known                              */
  double hessian_rounding; /* ≥ ‖computed ∇²R(x)q − ∇²R(x)q‖                                            */
  double cross_rounding;   /* ≥ ‖computed J(x)ᵀq − J(x)ᵀq‖                                              */
} BtVariation;

typedef struct BtRegularizer BtRegularizer;

typedef struct {
  const char *name; /* "tv": the word in --regularizer and in model files */

  /* Required. Vectors of image size are [shape], θ is [parameters]; none overlap. */

  /* Returns R(x; θ) and writes gradient ← ∇ₓR. */
  double (*value_grad)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                       double *gradient);
  /* Number of doubles that hold the second derivative at a point. */
  size_t (*curvature_size)(const BtRegularizer *reg, BtShape shape);
  /* Prepares Hessian products at x. */
  void (*curvature)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                    double *curvature);
  /* product ← ∇²R v from a prepared curvature. */
  void (*hess_mult)(const BtRegularizer *reg, BtShape shape, const double *curvature, const double *v,
                    double *product);
  /* diagonal ← diag ∇²R. */
  void (*hess_diagonal)(const BtRegularizer *reg, BtShape shape, const double *curvature, double *diagonal);
  /* product ← J v, v [parameters]. */
  void (*cross_mult)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x, const double *v,
                     double *product);
  /* product ← Jᵀ q, product [parameters]. */
  void (*cross_adjoint)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                        const double *q, double *product);

  /* Optional; without constants certificates are NONE. */
  void (*constants)(const BtRegularizer *reg, BtShape shape, const double *theta, BtRegularizerConstants *constants);
  /* Optional; without it the global constants are used, as they are for the fields that it leaves alone: called by
   * bt_regularizer_variation() alone, which fills all of them first. */
  void (*variation)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x, const double *q,
                    double eps, BtVariation *variation);

  /* Optional; without it the Gram matrix JᵀJ is formed, column by column. An upper bound of ‖J(x)‖₂, rounding included;
   * work holds cross_norm_work() doubles. NAN when out of memory. */
  double (*cross_norm)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x, double *work);
  size_t (*cross_norm_work)(const BtRegularizer *reg, BtShape shape);

  /* Optional, all or none: the dual variable w of primal–dual Newton (Chan, Golub, Mulet 1999). */
  size_t (*dual_size)(const BtRegularizer *reg, BtShape shape);
  /* Symmetrised curvature in which w stands for φ'(Dx); same layout as curvature(); dual NULL means w = φ'(Dx). */
  void (*dual_curvature)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                         const double *dual, double *curvature);
  /* Optional besides: a cheap guess x, w of argmin ½‖x − y‖² + R(x; θ). Returns what it cost in gradients, 0 when it left
   * both untouched (out of memory). */
  size_t (*denoise_start)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *y, double *x,
                          double *dual);
  /* w ← projection on the feasible set of w + δw, δw belonging to the primal step dx from x. */
  void (*dual_update)(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                      const double *dx, double *dual);

  /* Name of parameter j ("log_weight"), static storage; parameters of one group in a row share a name. */
  const char *(*parameter_name)(const BtRegularizer *reg, size_t j);
  /* A start for learning at noise level sigma (standard deviation on the [0,1] scale). */
  void (*initial)(const BtRegularizer *reg, double sigma, double *theta);
  /* Optional: the same with random filters, drawn by seed. */
  void (*initial_random)(const BtRegularizer *reg, double sigma, uint64_t seed, double *theta);
  /* Optional, all or none: the chart in which parameters are learned. θ ← chart(free) keeps the model where its
   * certificates are proven, whatever the free parameters are. Then gradient[parameters] ← T'ᵀ gradient, T' the chart's
   * derivative at `free`, in place; returns a bound of ‖T'‖. NAN when out of memory. */
  void (*chart)(const BtRegularizer *reg, const double *free, double *theta);
  double (*chart_adjoint)(const BtRegularizer *reg, const double *free, double *gradient);
  /* free ← chart⁻¹(θ); 0 where θ is not in the chart's image (or out of memory). */
  int (*chart_inverse)(const BtRegularizer *reg, const double *theta, double *free);
  /* Optional: the narrower range in which learning at noise level sigma keeps parameter j, where what lies beyond costs
   * much and gains nothing. */
  void (*learning_domain)(const BtRegularizer *reg, double sigma, size_t j, double *lo, double *hi);
  /* Range in which parameter j is accepted; keeps exp() and its squares finite. */
  void (*domain)(const BtRegularizer *reg, size_t j, double *lo, double *hi);
} BtRegularizerOps;

struct BtRegularizer {
  const BtRegularizerOps *ops;
  size_t parameters;
  int variant;          /* meaning is the implementation's: BtTvVariant for TV, BtFoePotential for FoE      */
  size_t filters, size; /* fields of experts: K filters of size × size taps; else 0                          */
  int single;           /* compute in single precision inside; `rounding` and the like say so. 0: double     */
};

/* The same regularizer computing in single precision; 0 if it has no such kernels. */
int bt_regularizer_single(const BtRegularizer *reg, BtRegularizer *single);

/* True if every θ[j] is inside its domain. */
int bt_regularizer_accepts(const BtRegularizer *reg, const double *theta);

/* Bounds on the ball of radius eps around x: by the global constants, and the regularizer's own where it has them. */
void bt_regularizer_variation(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                              const double *q, double eps, BtVariation *variation);

/* Upper bound of ‖J(x)‖₂: the regularizer's own, or by the Gram matrix JᵀJ, within 4 % plus rounding for p ≤ 256. work
 * holds bt_regularizer_cross_norm_work() doubles. */
double bt_regularizer_cross_norm(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                                 double *work);
size_t bt_regularizer_cross_norm_work(const BtRegularizer *reg, BtShape shape);

#endif

/* lowerlevel/restoration.h: deblurring and inpainting with a learned regularizer,
 *
 *   h_i(x; θ) = ½‖A_i x − y_i‖² + λ R(x; θ) + (μ0/2)‖x − m_i‖².
 *
 * A regularizer learned for denoising at noise level σ0 (½‖x − y‖² + R) is minus the logarithm of a prior,
 * times σ0²; data of noise level σ then call for λ = (σ/σ0)². The ridge makes the problem strongly convex,
 * which certificates need: μ = μ0 + least(A) + λ·convexity of R where that is positive, PROVEN if R's
 * constants are. */
#ifndef BITUNE_LOWERLEVEL_RESTORATION_H
#define BITUNE_LOWERLEVEL_RESTORATION_H

#include "lowerlevel/operator.h"
#include "lowerlevel/problem.h"

/* One plane and how it was observed; all borrowed. NULL pointers, the shape apart, for images of other ranks.
 */
typedef struct {
  BtShape shape;
  const BtOperator *op;
  const double *data;   /* y                                                                     */
  const double *centre; /* m                                                                     */
  double *work;         /* [2n]: the problem's while one of its functions runs                     */
} BtObservation;

typedef struct {
  const BtRegularizer *regularizer;  /* borrowed                                                */
  const BtObservation *observations; /* [count], borrowed                                       */
  double strength;                   /* λ > 0                                                   */
  double ridge;                      /* μ0 ≥ 0                                                  */
} BtRestoration;

/* The problem family of `count` observations, all blurred or all masked; borrows `restoration`. Newton
 * systems of blurred ones are preconditioned in Fourier space, those of masked ones by their diagonal. */
BtProblem bt_restoration_problem(const BtRestoration *restoration, size_t count);

/* The same problem in single precision, as bt_denoising_add_twin() (lowerlevel/denoising.h). */
typedef struct {
  BtRegularizer regularizer;
  BtRestoration data;
  BtProblem problem;
} BtRestorationTwin;

void bt_restoration_add_twin(BtProblem *problem, BtRestorationTwin *twin);

#endif

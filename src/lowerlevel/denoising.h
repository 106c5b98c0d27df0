/* lowerlevel/denoising.h: h_i(x; θ) = ½‖x − y_i‖² + R(x; θ).
 *
 * With a convex R, μ = 1 is proven. */
#ifndef BITUNE_LOWERLEVEL_DENOISING_H
#define BITUNE_LOWERLEVEL_DENOISING_H

#include "lowerlevel/problem.h"

typedef struct {
  BtShape shape;
  const double *noisy; /* y, one gray plane, borrowed; NULL for images of other ranks */
} BtNoisyImage;

typedef struct {
  const BtRegularizer *regularizer; /* borrowed */
  const BtNoisyImage *images;       /* [count], borrowed */
} BtDenoising;

/* The problem family of `count` images; borrows `denoising`. */
BtProblem bt_denoising_problem(const BtDenoising *denoising, size_t count);

/* Room for a problem's faster twin. */
typedef struct {
  BtRegularizer regularizer;
  BtDenoising data;
  BtProblem problem;
} BtDenoisingTwin;

/* Gives a denoising problem its twin in single precision (problem->fast) where the regularizer has such kernels; `twin`
 * must stay where it is as long as the problem is used. */
void bt_denoising_add_twin(BtProblem *problem, BtDenoisingTwin *twin);

#endif

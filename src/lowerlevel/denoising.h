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

#endif

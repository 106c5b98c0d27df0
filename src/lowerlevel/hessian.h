/* lowerlevel/hessian.h: ∇²ₓₓh at a prepared point as a PETSc matrix, for Newton and adjoint systems. */
#ifndef BITUNE_LOWERLEVEL_HESSIAN_H
#define BITUNE_LOWERLEVEL_HESSIAN_H

#include <petscksp.h>

#include "lowerlevel/problem.h"

typedef struct {
  const BtProblem *problem; /* borrowed                                             */
  size_t i;
  double *curvature;        /* [curvature_size(i)], prepared by the user, borrowed   */
  int64_t products;         /* counted at each product                               */
} BtHessian;

/* A MATSHELL of size n whose product and diagonal are those of `hessian`, borrowed for the matrix's life. */
PetscErrorCode bt_hessian_mat(BtHessian *hessian, size_t n, Mat *mat);

/* Preconditions with the problem's own precondition() at the prepared point, or by Jacobi where `problem` has none;
 * `hessian` is borrowed for the preconditioner's life. */
PetscErrorCode bt_hessian_pc(BtHessian *hessian, const BtProblem *problem, PC pc);

/* Tells PETSc that the curvature has changed, so that preconditioners are rebuilt. */
PetscErrorCode bt_hessian_changed(Mat mat);

#endif

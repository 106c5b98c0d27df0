#include "lowerlevel/hessian.h"

#include <petsc/private/petscimpl.h>

static PetscErrorCode multiply(Mat mat, Vec v, Vec product) {
  BtHessian *h = NULL;
  const double *in;
  double *out;
  PetscCall(MatShellGetContext(mat, &h));
  PetscCall(VecGetArrayRead(v, &in));
  PetscCall(VecGetArray(product, &out));
  h->problem->ops->hess_mult(h->problem, h->i, h->curvature, in, out);
  h->products++;
  PetscCall(VecRestoreArray(product, &out));
  PetscCall(VecRestoreArrayRead(v, &in));
  return 0;
}

static PetscErrorCode diagonal(Mat mat, Vec entries) {
  BtHessian *h = NULL;
  double *out;
  PetscCall(MatShellGetContext(mat, &h));
  PetscCall(VecGetArray(entries, &out));
  h->problem->ops->hess_diagonal(h->problem, h->i, h->curvature, out);
  PetscCall(VecRestoreArray(entries, &out));
  return 0;
}

PetscErrorCode bt_hessian_mat(BtHessian *hessian, size_t n, Mat *mat) {
  const PetscInt size = (PetscInt)n;
  PetscCall(MatCreateShell(PETSC_COMM_SELF, size, size, size, size, hessian, mat));
  PetscCall(MatShellSetOperation(*mat, MATOP_MULT, (void (*)(void))multiply));
  PetscCall(MatShellSetOperation(*mat, MATOP_MULT_TRANSPOSE, (void (*)(void))multiply));
  PetscCall(MatShellSetOperation(*mat, MATOP_GET_DIAGONAL, (void (*)(void))diagonal));
  PetscCall(MatSetOption(*mat, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(MatSetOption(*mat, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
  return 0;
}

static PetscErrorCode precondition(PC pc, Vec v, Vec product) {
  BtHessian *h = NULL;
  const double *in;
  double *out;
  PetscCall(PCShellGetContext(pc, &h));
  PetscCall(VecGetArrayRead(v, &in));
  PetscCall(VecGetArray(product, &out));
  h->problem->ops->precondition(h->problem, h->i, h->curvature, in, out);
  PetscCall(VecRestoreArray(product, &out));
  PetscCall(VecRestoreArrayRead(v, &in));
  return 0;
}

PetscErrorCode bt_hessian_pc(BtHessian *hessian, const BtProblem *problem, PC pc) {
  PetscCall(PCSetType(pc, problem->ops->precondition ? PCSHELL : PCJACOBI));
  if (!problem->ops->precondition) return 0;
  PetscCall(PCShellSetContext(pc, hessian));
  PetscCall(PCShellSetApply(pc, precondition));
  return 0;
}

PetscErrorCode bt_hessian_changed(Mat mat) {
  PetscCall(PetscObjectStateIncrease((PetscObject)mat));
  return 0;
}

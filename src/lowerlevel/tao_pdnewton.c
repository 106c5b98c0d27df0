/* Primal–dual Newton (Chan, Golub, Mulet 1999). With the dual w standing for φ'(Dx) the linearised system
 * stays well behaved where plain Newton needs thousands of steps; the reduced system (I + Dᵀ M(x, w) D) δx =
 * −∇h(x) is solved by preconditioned CG to a forcing term, x is globalised by Armijo backtracking on h, w is
 * projected on |w| ≤ 1. */
#include <petsc/private/taoimpl.h>

#include "lowerlevel/tao_types.h"

typedef struct {
  Vec trial, trial_gradient, rhs;
  Mat matrix;
} PdNewton;

static PetscErrorCode set_up(Tao tao) {
  PdNewton *pd = (PdNewton *)tao->data;
  if (!tao->gradient) PetscCall(VecDuplicate(tao->solution, &tao->gradient));
  if (!tao->stepdirection) PetscCall(VecDuplicate(tao->solution, &tao->stepdirection));
  if (!pd->trial) PetscCall(VecDuplicate(tao->solution, &pd->trial));
  if (!pd->trial_gradient) PetscCall(VecDuplicate(tao->solution, &pd->trial_gradient));
  if (!pd->rhs) PetscCall(VecDuplicate(tao->solution, &pd->rhs));
  return 0;
}

/* tao->stepdirection ← approximate solution of (∇²h with dual curvature) δx = −∇h. */
static PetscErrorCode direction(Tao tao, BtTaoProblem *p) {
  PdNewton *pd = (PdNewton *)tao->data;
  PetscInt n, iterations;
  const double *x;
  const BtProblem *h = p->hessian.problem; /* p->problem or its twin */
  PetscCall(VecGetLocalSize(tao->solution, &n));
  PetscCall(VecGetArrayRead(tao->solution, &x));
  if (bt_problem_dual_size(h, p->i) > 0)
    h->ops->dual_curvature(h, p->i, p->theta, x, p->dual, p->hessian.curvature);
  else
    h->ops->curvature(h, p->i, p->theta, x, p->hessian.curvature);
  PetscCall(VecRestoreArrayRead(tao->solution, &x));
  if (!pd->matrix) PetscCall(bt_hessian_mat(&p->hessian, (size_t)n, &pd->matrix));
  PetscCall(bt_hessian_changed(pd->matrix));
  PetscCall(KSPSetOperators(tao->ksp, pd->matrix, pd->matrix));
  /* Below half of the target more accuracy is wasted; a tenth of the gradient keeps Newton's speed. */
  PetscCall(KSPSetTolerances(tao->ksp, 0.1, 0.5 * p->target, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(VecCopy(tao->gradient, pd->rhs));
  PetscCall(VecScale(pd->rhs, -1.0));
  PetscCall(KSPSolve(tao->ksp, pd->rhs, tao->stepdirection));
  PetscCall(KSPGetIterationNumber(tao->ksp, &iterations));
  tao->ksp_its = iterations;
  tao->ksp_tot_its += iterations;
  return 0;
}

/* Where CG met negative curvature at once (a function that is not convex), it is M⁻¹(−∇h), M the preconditioner. */
static PetscErrorCode fall_back(Tao tao, PetscReal *slope) {
  PdNewton *pd = (PdNewton *)tao->data;
  PC pc;
  PetscCall(KSPGetPC(tao->ksp, &pc));
  PetscCall(PCApply(pc, pd->rhs, tao->stepdirection));
  PetscCall(VecDot(tao->gradient, tao->stepdirection, slope));
  return 0;
}

static PetscErrorCode update_dual(Tao tao, BtTaoProblem *p) {
  const double *x, *dx;
  if (!p->dual || !p->problem->ops->dual_update) return 0;
  PetscCall(VecGetArrayRead(tao->solution, &x));
  PetscCall(VecGetArrayRead(tao->stepdirection, &dx));
  p->problem->ops->dual_update(p->problem, p->i, p->theta, x, dx, p->dual);
  PetscCall(VecRestoreArrayRead(tao->stepdirection, &dx));
  PetscCall(VecRestoreArrayRead(tao->solution, &x));
  return 0;
}

/* Armijo backtracking along the direction; *step is 0 if no decrease is left to find at rounding level. */
static PetscErrorCode backtrack(Tao tao, PetscReal slope, PetscReal *value, PetscReal *step) {
  PdNewton *pd = (PdNewton *)tao->data;
  const PetscReal rounding = 1e-14 * PetscAbsReal(*value);
  for (PetscReal s = 1.0; s > 1e-8; s *= 0.5) {
    PetscReal trial;
    PetscCall(VecWAXPY(pd->trial, s, tao->stepdirection, tao->solution));
    PetscCall(TaoComputeObjectiveAndGradient(tao, pd->trial, &trial, pd->trial_gradient));
    if (trial <= *value + 1e-4 * s * slope + rounding) {
      *value = trial;
      *step = s;
      return 0;
    }
  }
  *step = 0;
  return 0;
}

static PetscErrorCode solve(Tao tao) {
  PdNewton *pd = (PdNewton *)tao->data;
  BtTaoProblem *p = NULL;
  PetscReal value, norm, step = 1.0;
  TaoConvergedReason reason;
  PetscCall(TaoGetApplicationContext(tao, &p));
  PetscCheck(p, PETSC_COMM_SELF, PETSC_ERR_USER, "bt_pdnewton needs a bitune problem as application context");
  tao->reason = TAO_CONTINUE_ITERATING;
  PetscCall(TaoComputeObjectiveAndGradient(tao, tao->solution, &value, tao->gradient));
  for (PetscInt k = 0;; k++) {
    PetscReal slope;
    PetscCall(VecNorm(tao->gradient, NORM_2, &norm));
    PetscCall(bt_tao_step(tao, k, value, norm, step, &reason));
    if (reason != TAO_CONTINUE_ITERATING) return 0;
    PetscCall(direction(tao, p));
    PetscCall(VecDot(tao->gradient, tao->stepdirection, &slope));
    if (!(slope < 0)) PetscCall(fall_back(tao, &slope));
    step = 0;
    /* A direction that is no descent (a linear solver stopped by options at zero, say) would repeat for ever.
     */
    if (slope < 0) PetscCall(backtrack(tao, slope, &value, &step));
    if (step == 0) {
      tao->reason = TAO_DIVERGED_LS_FAILURE;
      return 0;
    }
    PetscCall(VecScale(tao->stepdirection, step));
    PetscCall(update_dual(tao, p));
    PetscCall(VecCopy(pd->trial, tao->solution));
    PetscCall(VecCopy(pd->trial_gradient, tao->gradient));
  }
}

static PetscErrorCode set_from_options(Tao tao, PetscOptionItems *items) {
  (void)items;
  PetscCall(KSPSetFromOptions(tao->ksp));
  return 0;
}

static PetscErrorCode destroy(Tao tao) {
  PdNewton *pd = (PdNewton *)tao->data;
  PetscCall(VecDestroy(&pd->trial));
  PetscCall(VecDestroy(&pd->trial_gradient));
  PetscCall(VecDestroy(&pd->rhs));
  PetscCall(MatDestroy(&pd->matrix));
  PetscCall(KSPDestroy(&tao->ksp));
  PetscCall(PetscFree(tao->data));
  return 0;
}

PetscErrorCode bt_tao_create_pdnewton(Tao tao) {
  PdNewton *pd;
  PC pc;
  PetscCall(PetscNew(&pd));
  tao->data = (void *)pd;
  tao->ops->setup = set_up;
  tao->ops->solve = solve;
  tao->ops->setfromoptions = set_from_options;
  tao->ops->destroy = destroy;
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)tao), &tao->ksp));
  PetscCall(PetscObjectIncrementTabLevel((PetscObject)tao->ksp, (PetscObject)tao, 1));
  PetscCall(KSPSetOptionsPrefix(tao->ksp, tao->hdr.prefix));
  PetscCall(KSPSetType(tao->ksp, KSPCG));
  PetscCall(KSPSetNormType(tao->ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPGetPC(tao->ksp, &pc));
  PetscCall(PCSetType(pc, PCJACOBI));
  return 0;
}

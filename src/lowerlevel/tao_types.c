#include "lowerlevel/tao_types.h"

#include <petsc/private/taoimpl.h>

PetscErrorCode bt_tao_register(void) {
  PetscCall(TaoRegister(BT_TAO_FISTA, bt_tao_create_fista));
  PetscCall(TaoRegister(BT_TAO_LBFGS, bt_tao_create_lbfgs));
  PetscCall(TaoRegister(BT_TAO_PDNEWTON, bt_tao_create_pdnewton));
  return 0;
}

PetscErrorCode bt_tao_step(Tao tao, PetscInt iteration, PetscReal value, PetscReal gradient_norm,
                           PetscReal step, TaoConvergedReason *reason) {
  tao->niter = iteration;
  PetscCall(TaoLogConvergenceHistory(tao, value, gradient_norm, 0.0, tao->ksp_its));
  PetscCall(TaoMonitor(tao, iteration, value, gradient_norm, 0.0, step));
  if (tao->ops->convergencetest) PetscCall((*tao->ops->convergencetest)(tao, tao->cnvP));
  *reason = tao->reason;
  return 0;
}

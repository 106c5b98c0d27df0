/* lowerlevel/tao_types.h: bitune's solvers as TAO types, and what they know of the problem being solved. */
#ifndef BITUNE_LOWERLEVEL_TAO_TYPES_H
#define BITUNE_LOWERLEVEL_TAO_TYPES_H

#include <petsctao.h>

#include "lowerlevel/hessian.h"
#include "lowerlevel/problem.h"

#define BT_TAO_FISTA "bt_fista"
#define BT_TAO_LBFGS "bt_lbfgs"
#define BT_TAO_PDNEWTON "bt_pdnewton"

/* The application context of every Tao that bitune runs. */
typedef struct {
  const BtProblem *problem;
  size_t i;
  const double *theta;
  BtProblemConstants constants;
  double *dual;    /* primal–dual Newton's w, updated in place; NULL if the problem has none */
  double target;   /* stop when ‖∇h‖ ≤ target                                                 */
  BtHessian hessian;
  int64_t gradients;
  const BtContext *ctx; /* for the stop flag, may be NULL                                     */
} BtTaoProblem;

/* Makes these types known to PETSc; harmless when repeated. */
PetscErrorCode bt_tao_register(void);

/* Counts the iteration, tells monitors, runs the convergence test. Common to these types. */
PetscErrorCode bt_tao_step(Tao tao, PetscInt iteration, PetscReal value, PetscReal gradient_norm, PetscReal step,
                           TaoConvergedReason *reason);

PetscErrorCode bt_tao_create_fista(Tao tao);
PetscErrorCode bt_tao_create_lbfgs(Tao tao);
PetscErrorCode bt_tao_create_pdnewton(Tao tao);

#endif

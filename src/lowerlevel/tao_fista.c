/* Accelerated gradient descent for a μ-strongly convex, L-smooth function: FISTA with the strongly convex
 * momentum (Chambolle & Pock 2016, algorithm 5, without a proximal part) and restart when momentum points
 * uphill (O'Donoghue & Candès 2015). The gradient is evaluated at the extrapolated point, which is therefore
 * the one that is returned. */
#include <petsc/private/taoimpl.h>

#include "lowerlevel/tao_types.h"
#include "core/simd.h"

typedef struct {
  Vec previous; /* x_k, the last point before extrapolation */
} Fista;

static PetscErrorCode set_up(Tao tao) {
  Fista *fista = (Fista *)tao->data;
  if (!tao->gradient) PetscCall(VecDuplicate(tao->solution, &tao->gradient));
  if (!fista->previous) PetscCall(VecDuplicate(tao->solution, &fista->previous));
  return 0;
}

/* x⁺ = y − g/L, y ← x⁺ + β (x⁺ − x), x ← x⁺ in one pass. */
BT_SIMD static void extrapolate(size_t n, double step, double beta, const double *restrict g,
                                double *restrict y, double *restrict x) {
  for (size_t i = 0; i < n; i++) {
    const double next = y[i] - step * g[i];
    y[i] = next + beta * (next - x[i]);
    x[i] = next;
  }
}

/* ‖g‖² and g·(x⁺ − x) with x⁺ = y − g/L. */
BT_SIMD static void products(size_t n, double step, const double *restrict g, const double *restrict y,
                             const double *restrict x, double *restrict norm2, double *restrict uphill) {
  double gg = 0, gd = 0;
#pragma omp simd reduction(+ : gg, gd)
  for (size_t i = 0; i < n; i++) {
    gg += g[i] * g[i];
    gd += g[i] * (y[i] - x[i]);
  }
  *norm2 = gg;
  *uphill = gd - step * gg;
}

static PetscErrorCode solve(Tao tao) {
  Fista *fista = (Fista *)tao->data;
  BtTaoProblem *p = NULL;
  PetscCall(TaoGetApplicationContext(tao, &p));
  PetscCheck(p && p->constants.lipschitz > 0, PETSC_COMM_SELF, PETSC_ERR_USER,
             "bt_fista needs a Lipschitz constant");
  const double step = 1 / p->constants.lipschitz, q = p->constants.mu * step;
  double t = 0;
  PetscInt n;
  PetscCall(VecGetLocalSize(tao->solution, &n));
  PetscCall(VecCopy(tao->solution, fista->previous));
  tao->reason = TAO_CONTINUE_ITERATING;
  for (PetscInt k = 0;; k++) {
    PetscReal value, norm2, uphill;
    TaoConvergedReason reason;
    PetscCall(TaoComputeObjectiveAndGradient(tao, tao->solution, &value, tao->gradient));
    const double *g;
    double *y, *x;
    PetscCall(VecGetArrayRead(tao->gradient, &g));
    PetscCall(VecGetArray(tao->solution, &y));
    PetscCall(VecGetArray(fista->previous, &x));
    products((size_t)n, step, g, y, x, &norm2, &uphill);
    PetscCall(bt_tao_step(tao, k, value, PetscSqrtReal(norm2), step, &reason));
    if (reason == TAO_CONTINUE_ITERATING) {
      if (uphill > 0) t = 0;
      const double next = 0.5 * (1 - q * t * t + sqrt((1 - q * t * t) * (1 - q * t * t) + 4 * t * t));
      const double beta = t > 0 ? (t - 1) / next * (1 - next * q) / (1 - q) : 0;
      extrapolate((size_t)n, step, fmax(0, beta), g, y, x);
      t = next;
    }
    PetscCall(VecRestoreArray(fista->previous, &x));
    PetscCall(VecRestoreArray(tao->solution, &y));
    PetscCall(VecRestoreArrayRead(tao->gradient, &g));
    if (reason != TAO_CONTINUE_ITERATING) return 0;
  }
}

static PetscErrorCode destroy(Tao tao) {
  Fista *fista = (Fista *)tao->data;
  PetscCall(VecDestroy(&fista->previous));
  PetscCall(PetscFree(tao->data));
  return 0;
}

PetscErrorCode bt_tao_create_fista(Tao tao) {
  Fista *fista;
  PetscCall(PetscNew(&fista));
  tao->data = (void *)fista;
  tao->ops->setup = set_up;
  tao->ops->solve = solve;
  tao->ops->destroy = destroy;
  return 0;
}

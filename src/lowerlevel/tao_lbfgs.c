/* Limited-memory BFGS for smooth functions. Steps satisfy the Wolfe conditions, or where rounding hides the
 * decrease the approximate ones (Hager & Zhang 2005), which ask the slopes alone: so the gradient can be
 * driven to its rounding error. A gradient is accompanied by three passes over memory; see quasi_newton.h. */
#include <petsc/private/taoimpl.h>

#include "core/simd.h"
#include "lowerlevel/quasi_newton.h"
#include "lowerlevel/tao_types.h"

typedef struct {
  BtQuasiNewton qn;
  float *direction; /* [n] */
  Vec base, base_gradient;
  PetscInt memory;
} Lbfgs;

/* A point on the line x + t·direction. */
typedef struct {
  double t, value, slope;
} LinePoint;

static const double decrease = 1e-4, flattening = 0.9; /* of the Wolfe conditions */
static const double value_rounding = 1e-6;             /* relative; values may come from single precision */
static const int max_trials = 20;
static const int patient_trials = 4; /* after which a step that is still too long is cut tenfold each time */

static PetscErrorCode set_up(Tao tao) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  PetscInt n;
  if (!tao->gradient) PetscCall(VecDuplicate(tao->solution, &tao->gradient));
  if (lbfgs->base) return 0;
  PetscCall(VecDuplicate(tao->solution, &lbfgs->base));
  PetscCall(VecDuplicate(tao->solution, &lbfgs->base_gradient));
  PetscCall(VecGetLocalSize(tao->solution, &n));
  PetscCall(PetscMalloc1(n, &lbfgs->direction));
  PetscCheck(bt_quasi_newton_create((size_t)n, (int)lbfgs->memory, &lbfgs->qn), PETSC_COMM_SELF,
             PETSC_ERR_MEM, "no memory for the pairs of bt_lbfgs");
  return 0;
}

/* ‖g‖² and g·d. */
BT_SIMD static void products(size_t n, const double *restrict g, const float *restrict d, double *norm2,
                             double *slope) {
  double gg = 0, gd = 0;
#pragma omp simd reduction(+ : gg, gd)
  for (size_t j = 0; j < n; j++) {
    gg += g[j] * g[j];
    gd += g[j] * (double)d[j];
  }
  *norm2 = gg;
  *slope = gd;
}

BT_SIMD static void step_to(size_t n, double t, const double *restrict base, const float *restrict d,
                            double *restrict x) {
  for (size_t j = 0; j < n; j++) x[j] = base[j] + t * (double)d[j];
}

/* x ← base + t·direction, with value, gradient and slope there. */
static PetscErrorCode evaluate(Tao tao, double t, LinePoint *point, double *norm2) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  const double *base, *g;
  double *x;
  PetscCall(VecGetArrayRead(lbfgs->base, &base));
  PetscCall(VecGetArray(tao->solution, &x));
  step_to(lbfgs->qn.n, t, base, lbfgs->direction, x);
  PetscCall(VecRestoreArray(tao->solution, &x));
  PetscCall(VecRestoreArrayRead(lbfgs->base, &base));
  PetscCall(TaoComputeObjectiveAndGradient(tao, tao->solution, &point->value, tao->gradient));
  PetscCall(VecGetArrayRead(tao->gradient, &g));
  products(lbfgs->qn.n, g, lbfgs->direction, norm2, &point->slope);
  PetscCall(VecRestoreArrayRead(tao->gradient, &g));
  point->t = t;
  return 0;
}

static int accepted(const LinePoint *from, const LinePoint *to) {
  if (!isfinite(to->value) || !isfinite(to->slope) || to->slope < flattening * from->slope) return 0;
  if (to->value <= from->value + decrease * to->t * from->slope) return 1;
  return to->value <= from->value + value_rounding * fabs(from->value) &&
         to->slope <= (2 * decrease - 1) * from->slope;
}

/* The next trial: the secant's zero of the slope, kept inside the bracket (low, high); high->t is 0 where
 * none is known. */
static double next_trial(const LinePoint *low, const LinePoint *high, const LinePoint *last) {
  if (high->t == 0) {
    const double secant = last->t - last->slope * (last->t - low->t) / (last->slope - low->slope);
    return fmin(10 * last->t, isfinite(secant) && secant > 2 * last->t ? secant : 2 * last->t);
  }
  const double width = high->t - low->t;
  double t = low->t + 0.5 * width;
  if (high->slope > 0) t = low->t - low->slope * width / (high->slope - low->slope);
  if (!isfinite(t)) t = low->t + 0.5 * width;
  return fmin(fmax(t, low->t + 0.1 * width), high->t - 0.1 * width);
}

/* Leaves x at a step that satisfies the conditions; *found 0 where none was. */
static PetscErrorCode line_search(Tao tao, const LinePoint *from, LinePoint *to, double *norm2, int *found) {
  LinePoint low = *from, high = {0};
  double t = 1;
  *found = 0;
  for (int trial = 0; trial < max_trials && !*found; trial++) {
    PetscCall(evaluate(tao, t, to, norm2));
    *found = accepted(from, to);
    const LinePoint last = low;
    const int descending =
        isfinite(to->value) && to->slope < 0 && to->value <= from->value + value_rounding * fabs(from->value);
    if (descending)
      low = *to;
    else
      high = *to;
    t = next_trial(descending && high.t == 0 ? &last : &low, &high, to);
    /* Slopes of functions that grow linearly say little of where, by orders of magnitude, the minimum is. */
    if (low.t == 0 && trial >= patient_trials) t = fmin(t, 0.1 * high.t);
  }
  return 0;
}

static PetscErrorCode restore_base(Tao tao) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  PetscCall(VecCopy(lbfgs->base, tao->solution));
  PetscCall(VecCopy(lbfgs->base_gradient, tao->gradient));
  return 0;
}

/* Base ← the present point; direction from it, the steepest one if the pairs give none that descends. */
static PetscErrorCode prepare(Tao tao, LinePoint *from) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  const double *g;
  PetscCall(VecCopy(tao->solution, lbfgs->base));
  PetscCall(VecCopy(tao->gradient, lbfgs->base_gradient));
  from->t = 0;
  from->slope = bt_quasi_newton_direction(&lbfgs->qn, lbfgs->direction);
  if (from->slope < 0 && isfinite(from->slope)) return 0;
  PetscCall(VecGetArrayRead(tao->gradient, &g));
  bt_quasi_newton_start(&lbfgs->qn, g);
  PetscCall(VecRestoreArrayRead(tao->gradient, &g));
  from->slope = bt_quasi_newton_direction(&lbfgs->qn, lbfgs->direction);
  return 0;
}

static PetscErrorCode update(Tao tao, double t) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  const double *before, *g;
  PetscCall(VecGetArrayRead(lbfgs->base_gradient, &before));
  PetscCall(VecGetArrayRead(tao->gradient, &g));
  (void)bt_quasi_newton_update(&lbfgs->qn, t, lbfgs->direction, before, g);
  PetscCall(VecRestoreArrayRead(tao->gradient, &g));
  PetscCall(VecRestoreArrayRead(lbfgs->base_gradient, &before));
  return 0;
}

static PetscErrorCode restart(Tao tao) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  const double *g;
  PetscCall(VecGetArrayRead(tao->gradient, &g));
  bt_quasi_newton_start(&lbfgs->qn, g);
  PetscCall(VecRestoreArrayRead(tao->gradient, &g));
  return 0;
}

static PetscErrorCode solve(Tao tao) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  LinePoint from = {0}, to = {0};
  PetscReal norm;
  double norm2;
  TaoConvergedReason reason;
  tao->reason = TAO_CONTINUE_ITERATING;
  PetscCall(TaoComputeObjectiveAndGradient(tao, tao->solution, &from.value, tao->gradient));
  PetscCall(VecNorm(tao->gradient, NORM_2, &norm));
  PetscCall(bt_tao_step(tao, 0, from.value, norm, 0, &reason));
  PetscCall(restart(tao));
  for (PetscInt k = 1; reason == TAO_CONTINUE_ITERATING; k++) {
    int found;
    PetscCall(prepare(tao, &from));
    PetscCall(line_search(tao, &from, &to, &norm2, &found));
    if (!found) {
      const int steepest = lbfgs->qn.count == 0;
      PetscCall(restore_base(tao));
      PetscCall(restart(tao));
      if (steepest) tao->reason = TAO_DIVERGED_LS_FAILURE;
    } else {
      PetscCall(update(tao, to.t));
      from.value = to.value;
      norm = PetscSqrtReal(norm2);
    }
    PetscCall(bt_tao_step(tao, k, from.value, norm, found ? to.t : 0, &reason));
  }
  return 0;
}

static PetscErrorCode set_from_options(Tao tao, PetscOptionItems *PetscOptionsObject) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  PetscInt memory = lbfgs->memory;
  PetscOptionsHeadBegin(PetscOptionsObject, "Limited-memory BFGS");
  PetscCall(PetscOptionsInt("-tao_bt_lbfgs_memory", "pairs kept", NULL, memory, &memory, NULL));
  PetscOptionsHeadEnd();
  PetscCheck(memory >= 1 && memory <= BT_QUASI_NEWTON_MEMORY_MAX, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
             "-bt_tao_bt_lbfgs_memory must be 1 to %d, is %" PetscInt_FMT, BT_QUASI_NEWTON_MEMORY_MAX,
             memory);
  lbfgs->memory = memory;
  return 0;
}

static PetscErrorCode destroy(Tao tao) {
  Lbfgs *lbfgs = (Lbfgs *)tao->data;
  PetscCall(VecDestroy(&lbfgs->base));
  PetscCall(VecDestroy(&lbfgs->base_gradient));
  PetscCall(PetscFree(lbfgs->direction));
  bt_quasi_newton_clear(&lbfgs->qn);
  PetscCall(PetscFree(tao->data));
  return 0;
}

PetscErrorCode bt_tao_create_lbfgs(Tao tao) {
  Lbfgs *lbfgs;
  PetscCall(PetscNew(&lbfgs));
  lbfgs->memory = 8;
  tao->data = (void *)lbfgs;
  tao->ops->setup = set_up;
  tao->ops->solve = solve;
  tao->ops->setfromoptions = set_from_options;
  tao->ops->destroy = destroy;
  return 0;
}

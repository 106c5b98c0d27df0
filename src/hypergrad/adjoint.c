#include "hypergrad/adjoint.h"

#include <math.h>
#include <petscksp.h>
#include <stdlib.h>

#include "lowerlevel/hessian.h"
#include "lowerlevel/petsc_status.h"
#include "lowerlevel/vector.h"

/* The Hessian by the problem itself and by its faster twin; products are those of the one in use. */
enum { EXACT, FAST };

struct BtAdjoint {
  const BtProblem *problem;
  BtHessian hessian;
  const double *theta, *x; /* the prepared point */
  double *curvature[2];
  int ready[2];
  size_t n, curvature_size;
  double condition; /* L/μ at the prepared point, 0 if unknown */
  KSP ksp;
  Mat matrix;
  Vec q, b;
  double *residual; /* [n] */
  void *test;       /* of PETSc's own convergence test */
  BtContext *ctx;   /* of the solve that is going on   */
  int stopped;      /* it was asked to stop            */
};

/* PETSc's own test, and stop requests. */
static PetscErrorCode converged(KSP ksp, PetscInt iteration, PetscReal norm, KSPConvergedReason *reason,
                                void *data) {
  BtAdjoint *adjoint = data;
  PetscCall(KSPConvergedDefault(ksp, iteration, norm, reason, adjoint->test));
  adjoint->stopped = *reason == KSP_CONVERGED_ITERATING && bt_stop_requested(adjoint->ctx);
  if (adjoint->stopped) *reason = KSP_CONVERGED_ITS;
  return 0;
}

static PetscErrorCode forget_test(void *data) {
  return KSPConvergedDefaultDestroy(((BtAdjoint *)data)->test);
}

static void release(BtAdjoint *adjoint) {
  (void)KSPDestroy(&adjoint->ksp);
  (void)MatDestroy(&adjoint->matrix);
  (void)VecDestroy(&adjoint->q);
  (void)VecDestroy(&adjoint->b);
  free(adjoint->curvature[EXACT]);
  free(adjoint->curvature[FAST]);
  free(adjoint->residual);
  adjoint->curvature[EXACT] = adjoint->curvature[FAST] = adjoint->hessian.curvature = adjoint->residual =
      NULL;
  adjoint->n = 0;
}

BtStatus bt_adjoint_create(BtContext *ctx, const BtProblem *problem, BtAdjoint **out) {
  BtAdjoint *adjoint = calloc(1, sizeof *adjoint);
  *out = adjoint;
  if (!adjoint) return bt_fail_memory(ctx, "an adjoint solver", sizeof *adjoint);
  adjoint->problem = problem;
  return BT_OK;
}

void bt_adjoint_destroy(BtAdjoint *adjoint) {
  if (!adjoint) return;
  release(adjoint);
  free(adjoint);
}

static BtStatus build(BtAdjoint *adjoint, BtContext *ctx, size_t n, size_t curvature) {
  BtStatus st = BT_OK;
  PC pc;
  if (adjoint->ksp && adjoint->n == n && adjoint->curvature_size == curvature) return BT_OK;
  release(adjoint);
  adjoint->residual = malloc(n * sizeof(double));
  if (!adjoint->residual) {
    st = bt_fail_memory(ctx, "an adjoint solver", (double)n * sizeof(double));
    goto done;
  }
  BT_PETSC(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, (PetscInt)n, NULL, &adjoint->q));
  BT_PETSC(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, (PetscInt)n, NULL, &adjoint->b));
  BT_PETSC(bt_hessian_mat(&adjoint->hessian, n, &adjoint->matrix));
  BT_PETSC(KSPCreate(PETSC_COMM_SELF, &adjoint->ksp));
  BT_PETSC(KSPSetOptionsPrefix(adjoint->ksp, "bt_adjoint_"));
  BT_PETSC(KSPSetType(adjoint->ksp, KSPCG));
  BT_PETSC(KSPSetNormType(adjoint->ksp, KSP_NORM_UNPRECONDITIONED));
  BT_PETSC(KSPGetPC(adjoint->ksp, &pc));
  BT_PETSC(bt_hessian_pc(&adjoint->hessian, adjoint->problem, pc));
  BT_PETSC(KSPConvergedDefaultCreate(&adjoint->test));
  BT_PETSC(KSPSetConvergenceTest(adjoint->ksp, converged, adjoint, forget_test));
  BT_PETSC(KSPSetFromOptions(adjoint->ksp));
  BT_PETSC(KSPSetOperators(adjoint->ksp, adjoint->matrix, adjoint->matrix));
  adjoint->n = n;
  adjoint->curvature_size = curvature;
done:
  if (st < 0) release(adjoint);
  return st;
}

/* Makes products those of one of the two, its curvature computed when first used. */
static BtStatus use(BtAdjoint *adjoint, BtContext *ctx, int which) {
  BtStatus st = BT_OK;
  const BtProblem *p = which == FAST ? adjoint->problem->fast : adjoint->problem;
  double **curvature = &adjoint->curvature[which];
  if (!*curvature) {
    const size_t size = p->ops->curvature_size(p, adjoint->hessian.i);
    *curvature = malloc(size * sizeof **curvature);
    if (!*curvature) return bt_fail_memory(ctx, "an adjoint solver", (double)size * sizeof(double));
  }
  if (!adjoint->ready[which])
    p->ops->curvature(p, adjoint->hessian.i, adjoint->theta, adjoint->x, *curvature);
  adjoint->ready[which] = 1;
  if (adjoint->hessian.curvature == *curvature) return BT_OK;
  adjoint->hessian.problem = p;
  adjoint->hessian.curvature = *curvature;
  BT_PETSC(bt_hessian_changed(adjoint->matrix));
done:
  return st;
}

BtStatus bt_adjoint_prepare(BtAdjoint *adjoint, BtContext *ctx, size_t i, const double *theta,
                            const double *x) {
  BtStatus st = BT_OK;
  const BtProblem *p = adjoint->problem;
  BT_TRY(build(adjoint, ctx, p->ops->dimension(p, i), p->ops->curvature_size(p, i)));
  adjoint->hessian.i = i;
  adjoint->theta = theta;
  adjoint->x = x;
  adjoint->ready[EXACT] = adjoint->ready[FAST] = 0;
  adjoint->hessian.curvature = NULL;
  BtProblemConstants constants;
  p->ops->constants(p, i, theta, &constants);
  adjoint->condition = constants.mu > 0 ? constants.lipschitz / constants.mu : 0;
  BT_TRY(use(adjoint, ctx, p->fast ? FAST : EXACT));
done:
  return st;
}

void bt_adjoint_multiply(BtAdjoint *adjoint, const double *v, double *product) {
  BtHessian *h = &adjoint->hessian;
  h->problem->ops->hess_mult(h->problem, h->i, h->curvature, v, product);
  h->products++;
}

int64_t bt_adjoint_products(const BtAdjoint *adjoint) { return adjoint->hessian.products; }

static const double single_roundoff = 0x1p-24;

/* ‖Hq − b‖ from a fresh product, into adjoint->residual. */
static double true_residual(BtAdjoint *adjoint, const double *b, const double *q) {
  bt_adjoint_multiply(adjoint, q, adjoint->residual);
  for (size_t j = 0; j < adjoint->n; j++) adjoint->residual[j] -= b[j];
  return bt_norm(adjoint->residual, adjoint->n);
}

/* CG on Hq = b, from q or from zero, to max(relative ‖b‖, absolute). */
static BtStatus conjugate_gradients(BtAdjoint *adjoint, BtContext *ctx, const double *b, int from_zero,
                                    double relative, double absolute, double *q) {
  BtStatus st = BT_OK;
  int placed = 0;
  BT_PETSC(VecPlaceArray(adjoint->q, q));
  placed = 1;
  BT_PETSC(VecPlaceArray(adjoint->b, b));
  placed = 2;
  BT_PETSC(KSPSetInitialGuessNonzero(adjoint->ksp, from_zero ? PETSC_FALSE : PETSC_TRUE));
  BT_PETSC(KSPSetTolerances(adjoint->ksp, relative, absolute, PETSC_DEFAULT, PETSC_DEFAULT));
  BT_PETSC(KSPSolve(adjoint->ksp, adjoint->b, adjoint->q));
done:
  if (placed > 1) (void)VecResetArray(adjoint->b);
  if (placed > 0) (void)VecResetArray(adjoint->q);
  return st;
}

static BtStatus fail_not_finite(const BtAdjoint *adjoint, BtContext *ctx) {
  return bt_fail(ctx, BT_ERR_NUMERIC, "adjoint system of problem %zu: NaN or infinity", adjoint->hessian.i);
}

BtStatus bt_adjoint_solve(BtAdjoint *adjoint, BtContext *ctx, const double *b, double absolute,
                          double relative, double *q, double *residual, double *norm) {
  BtStatus st = BT_OK;
  /* Rounding of H q alone leaves about u L ‖q‖, and ‖q‖ ≤ ‖b‖/μ; CG would turn in circles below. */
  const double size = bt_norm(b, adjoint->n), wanted = fmax(absolute, relative * size);
  const double fast_floor = 4 * single_roundoff * fmax(1, adjoint->condition) * size;
  const int fast = adjoint->problem->fast && wanted > fast_floor;
  /* Rounding of a hopeless system must not let q = 0 pass. */
  const double floor = fmin(4 * BT_ROUNDOFF * adjoint->condition, 0.5) * size, goal = fmax(wanted, floor);
  adjoint->ctx = ctx;
  adjoint->stopped = 0;
  BT_TRY(use(adjoint, ctx, fast ? FAST : EXACT));
  *norm = true_residual(adjoint, b, q);
  /* CG's recurrence drifts from the true residual; a restart from q makes up for it while that still helps. */
  for (int attempt = 0; *norm > goal && attempt < 4; attempt++) {
    const double before = *norm;
    BT_TRY(conjugate_gradients(adjoint, ctx, b, 0, 0.0, 0.9 * goal, q));
    *norm = true_residual(adjoint, b, q);
    if (!isfinite(*norm)) return fail_not_finite(adjoint, ctx);
    if (adjoint->stopped) return BT_STOPPED;
    if (*norm > 0.5 * before) break;
  }
  if (residual && fast) {
    BT_TRY(use(adjoint, ctx, EXACT));
    *norm = true_residual(adjoint, b, q);
    BT_TRY(use(adjoint, ctx, FAST));
  }
  if (residual)
    for (size_t j = 0; j < adjoint->n; j++) residual[j] = adjoint->residual[j];
  if (*norm > wanted) st = BT_NOT_CERTIFIED;
done:
  return st;
}

BtStatus bt_adjoint_approximate(BtAdjoint *adjoint, BtContext *ctx, const double *b, double relative,
                                double *q) {
  BtStatus st = BT_OK;
  const int fast = adjoint->problem->fast && relative > 4 * single_roundoff * fmax(1, adjoint->condition);
  adjoint->ctx = ctx;
  adjoint->stopped = 0;
  BT_TRY(use(adjoint, ctx, fast ? FAST : EXACT));
  BT_TRY(conjugate_gradients(adjoint, ctx, b, 1, relative, 0.0, q));
  if (adjoint->stopped) return BT_STOPPED;
  if (!isfinite(bt_norm(q, adjoint->n))) return fail_not_finite(adjoint, ctx);
done:
  return st;
}

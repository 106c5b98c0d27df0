#include "lowerlevel/solve.h"

#include <stdlib.h>
#include <string.h>

#include "lowerlevel/petsc_status.h"
#include "lowerlevel/tao_types.h"
#include "lowerlevel/vector.h"

/* The TAO and its vectors for one dimension; rebuilt when a problem of another size comes. */
struct BtLower {
  const BtProblem *problem;
  BtLowerSettings settings;
  size_t n;
  Tao tao;
  Vec x, gradient;
  Mat hessian;
  BtTaoProblem state;
  double *check; /* [n] gradient at a foreign type's solution */
  size_t curvature_size;
  int own_type;     /* tao is one of bitune's: its gradient belongs to its solution */
  int few_gradients; /* next to products, which alone are worth a twin              */
  double last_norm; /* ‖∇h‖ when the convergence test ran last */
  double best_norm; /* smallest ‖∇h‖ of this attempt, and its iteration */
  PetscInt best_at;
  BtWork work;
};

/* An inexact Newton step is worth no more than this; ill-conditioned systems take more steps instead. */
static const PetscInt linear_iterations = 300;

const BtOption bt_lower_options[] = {
    BT_OPT_TEXT("solver", 0, BtLowerSettings, solver, "auto", "TYPE",
                "lower-level solver, a TAO type: auto, bt_lbfgs, bt_fista, bt_pdnewton, lmvm, nls, …"),
    BT_OPT_INT("max-lower", BtLowerSettings, max_iterations, 10000, BT_POSITIVE, "N",
               "iterations of one lower-level solve at most"),
    BT_OPT_END};

/* PETSc has more types, for constrained or least-squares problems, or without regard for the convergence
 * test. */
static const char *const solvers[] = {BT_TAO_PDNEWTON, BT_TAO_LBFGS, BT_TAO_FISTA, "lmvm", "blmvm", "nls",
                                      "ntr",           "ntl",        "bnls",       "bntr", "bntl",  "bqnls",
                                      "bqnkls",        "bncg",       "cg",         "tron"};

static int known_solver(const char *type) {
  for (size_t k = 0; k < sizeof solvers / sizeof *solvers; k++)
    if (strcmp(solvers[k], type) == 0) return 1;
  return 0;
}

static BtStatus unknown_solver(BtContext *ctx, const char *type) {
  return bt_fail(
      ctx, BT_ERR_ARG,
      "no lower-level solver \"%.40s\"; there are auto, bt_pdnewton, bt_lbfgs, bt_fista, lmvm, blmvm, nls, "
      "ntr, ntl, bnls, "
      "bntr, bntl, bqnls, bqnkls, bncg, cg, tron",
      type);
}

BtStatus bt_lower_check(BtContext *ctx, const BtLowerSettings *settings) {
  const char *type = settings->solver;
  if (!type || strcmp(type, "auto") == 0 || known_solver(type)) return BT_OK;
  return unknown_solver(ctx, type);
}

static PetscErrorCode evaluate(Tao tao, Vec x, PetscReal *value, Vec gradient, void *data) {
  BtTaoProblem *p = data;
  const double *in;
  double *out;
  (void)tao;
  PetscCall(VecGetArrayRead(x, &in));
  PetscCall(VecGetArray(gradient, &out));
  *value = p->problem->ops->value_grad(p->problem, p->i, p->theta, in, out);
  p->gradients++;
  PetscCall(VecRestoreArray(gradient, &out));
  PetscCall(VecRestoreArrayRead(x, &in));
  return 0;
}

static PetscErrorCode prepare_hessian(Tao tao, Vec x, Mat hessian, Mat preconditioner, void *data) {
  BtTaoProblem *p = data;
  const double *in;
  (void)tao, (void)preconditioner;
  PetscCall(VecGetArrayRead(x, &in));
  const BtProblem *h = p->hessian.problem;
  h->ops->curvature(h, p->i, p->theta, in, p->hessian.curvature);
  PetscCall(VecRestoreArrayRead(x, &in));
  PetscCall(bt_hessian_changed(hessian));
  return 0;
}

/* True if ‖∇h‖ has not fallen for so long that rounding must be in the way, soon in single precision. */
static int stalled(BtLower *lower, PetscInt iteration, double norm) {
  static const PetscInt patience = 1000, patience_fast = 40;
  if (iteration == 0 || norm < 0.99 * lower->best_norm) {
    lower->best_norm = norm;
    lower->best_at = iteration;
  }
  const int fast = lower->state.hessian.problem != lower->problem;
  return iteration - lower->best_at > (fast ? patience_fast : patience);
}

/* The certificate as stopping test; runs once an iteration. */
static PetscErrorCode certified(Tao tao, void *data) {
  BtLower *lower = data;
  PetscInt iteration;
  PetscReal value, norm, constraint, step;
  PetscCall(TaoGetSolutionStatus(tao, &iteration, &value, &norm, &constraint, &step, NULL));
  lower->last_norm = norm;
  TaoConvergedReason reason;
  PetscCall(TaoGetConvergedReason(tao, &reason));
  /* A line search that failed for good would fail at every further iteration: rounding hides the decrease. */
  const int lost = reason == TAO_DIVERGED_LS_FAILURE || stalled(lower, iteration, norm);
  reason = lost ? TAO_DIVERGED_LS_FAILURE : TAO_CONTINUE_ITERATING;
  if (!isfinite(norm) || !isfinite(value))
    reason = TAO_DIVERGED_NAN;
  else if (norm <= lower->state.target)
    reason = TAO_CONVERGED_GATOL;
  else if (iteration >= lower->settings.max_iterations)
    reason = TAO_DIVERGED_MAXITS;
  else if (bt_stop_requested(lower->state.ctx))
    reason = TAO_CONVERGED_USER;
  PetscCall(TaoSetConvergedReason(tao, reason));
  return 0;
}

static void release(BtLower *lower) {
  (void)TaoDestroy(&lower->tao);
  (void)MatDestroy(&lower->hessian);
  (void)VecDestroy(&lower->x);
  (void)VecDestroy(&lower->gradient);
  free(lower->state.hessian.curvature);
  free(lower->check);
  lower->state.hessian.curvature = lower->check = NULL;
  lower->n = 0;
}

/* The type that settings or PETSc's options name, else `automatic`; what belongs to a type, such as its KSP,
 * is set up after this. */
static BtStatus set_type(BtContext *ctx, Tao tao, const BtLowerSettings *settings, const char *automatic) {
  BtStatus st = BT_OK;
  const char *type = settings->solver && strcmp(settings->solver, "auto") != 0 ? settings->solver : automatic;
  char option[64];
  PetscBool given;
  BT_PETSC(TaoSetOptionsPrefix(tao, "bt_"));
  BT_PETSC(PetscOptionsGetString(NULL, "bt_", "-tao_type", option, sizeof option, &given));
  BT_PETSC(TaoSetType(tao, given ? option : type));
done:
  return st;
}

static BtStatus build(BtLower *lower, BtContext *ctx, size_t i) {
  BtStatus st = BT_OK;
  const size_t n = lower->problem->ops->dimension(lower->problem, i);
  const size_t curvature = lower->problem->ops->curvature_size(lower->problem, i);
  const int newton_pays = bt_problem_dual_size(lower->problem, i) || lower->problem->ops->newton;
  const char *automatic = newton_pays ? BT_TAO_PDNEWTON : BT_TAO_LBFGS;
  PetscBool fista, lbfgs, newton;
  KSP ksp = NULL;
  TaoType type = NULL;
  if (lower->tao && lower->n == n && lower->curvature_size == curvature) return BT_OK;
  BT_TRY(bt_lower_check(ctx, &lower->settings));
  release(lower);
  if (n > PETSC_MAX_INT)
    return bt_fail(ctx, BT_ERR_ARG, "a problem of %zu unknowns is too large for this PETSc", n);
  lower->check = malloc(n * sizeof(double));
  lower->state.hessian.curvature = malloc(curvature * sizeof(double));
  if (!lower->check || !lower->state.hessian.curvature) {
    st = bt_fail_memory(ctx, "a lower-level solver", (double)(n + curvature) * sizeof(double));
    goto done;
  }
  BT_PETSC(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, (PetscInt)n, NULL, &lower->x));
  BT_PETSC(VecCreateSeq(PETSC_COMM_SELF, (PetscInt)n, &lower->gradient));
  BT_PETSC(bt_hessian_mat(&lower->state.hessian, n, &lower->hessian));
  BT_PETSC(TaoCreate(PETSC_COMM_SELF, &lower->tao));
  BT_TRY(set_type(ctx, lower->tao, &lower->settings, automatic));
  BT_PETSC(TaoSetObjectiveAndGradient(lower->tao, lower->gradient, evaluate, &lower->state));
  BT_PETSC(TaoSetHessian(lower->tao, lower->hessian, lower->hessian, prepare_hessian, &lower->state));
  BT_PETSC(TaoSetApplicationContext(lower->tao, &lower->state));
  BT_PETSC(TaoSetMaximumFunctionEvaluations(lower->tao, PETSC_MAX_INT));
  BT_PETSC(TaoGetKSP(lower->tao, &ksp));
  if (ksp) {
    PC pc;
    BT_PETSC(KSPSetTolerances(ksp, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT, linear_iterations));
    BT_PETSC(KSPGetPC(ksp, &pc));
    BT_PETSC(bt_hessian_pc(&lower->state.hessian, lower->problem, pc));
  }
  BT_PETSC(TaoSetFromOptions(lower->tao));
  BT_PETSC(TaoGetType(lower->tao, &type));
  if (!known_solver(type)) BT_TRY(unknown_solver(ctx, type));
  BT_PETSC(TaoSetMaximumIterations(lower->tao, PETSC_MAX_INT));
  BT_PETSC(TaoSetConvergenceTest(lower->tao, certified, lower));
  BT_PETSC(PetscObjectTypeCompare((PetscObject)lower->tao, BT_TAO_FISTA, &fista));
  BT_PETSC(PetscObjectTypeCompare((PetscObject)lower->tao, BT_TAO_LBFGS, &lbfgs));
  BT_PETSC(PetscObjectTypeCompare((PetscObject)lower->tao, BT_TAO_PDNEWTON, &newton));
  lower->own_type = fista || lbfgs || newton;
  lower->few_gradients = newton && lower->problem->ops->newton;
  lower->n = n;
  lower->curvature_size = curvature;
done:
  if (st < 0) release(lower);
  return st;
}

/* PETSc's options for the solver, which concern every problem: an error in them is told here, not by each. */
static BtStatus check_options(BtContext *ctx, const BtLowerSettings *settings) {
  BtStatus st = BT_OK;
  Tao tao = NULL;
  TaoType type = NULL;
  BT_PETSC(TaoCreate(PETSC_COMM_SELF, &tao));
  BT_TRY(set_type(ctx, tao, settings, BT_TAO_LBFGS));
  BT_PETSC(TaoSetFromOptions(tao));
  BT_PETSC(TaoGetType(tao, &type));
  if (!known_solver(type)) st = unknown_solver(ctx, type);
done:
  (void)TaoDestroy(&tao);
  return st;
}

BtStatus bt_lower_create(BtContext *ctx, const BtProblem *problem, const BtLowerSettings *settings,
                         BtLower **out) {
  BtStatus st = BT_OK;
  BtLower *lower = calloc(1, sizeof *lower);
  *out = NULL;
  if (!lower) return bt_fail_memory(ctx, "a lower-level solver", sizeof *lower);
  lower->problem = problem;
  lower->settings = *settings;
  BT_PETSC(bt_tao_register());
  BT_TRY(bt_lower_check(ctx, settings));
  BT_TRY(check_options(ctx, settings));
  *out = lower;
done:
  if (st < 0) free(lower);
  return st;
}

void bt_lower_destroy(BtLower *lower) {
  if (!lower) return;
  release(lower);
  free(lower);
}

void bt_lower_cold_start(BtLower *lower, size_t i, const double *theta, BtLowerPoint point) {
  lower->work.gradients +=
      (int64_t)lower->problem->ops->cold_start(lower->problem, i, theta, point.x, point.dual);
}

BtWork bt_lower_work(const BtLower *lower) {
  BtWork work = lower->work;
  work.gradients += lower->state.gradients;
  work.hessian_products += lower->state.hessian.products;
  if (lower->problem->ops->preparation) work.hessian_products += lower->problem->ops->preparation(lower->problem);
  return work;
}

/* ‖x − x̂‖ ≤ ‖∇h(x)‖/μ, with what rounding may have hidden in the computed gradient and its norm added. */
static BtCertificate certificate(const BtLower *lower, const double *x, double norm) {
  const BtTaoProblem *p = &lower->state;
  const double rounding =
      lower->problem->ops->gradient_rounding(lower->problem, p->i, p->theta, &p->constants, x);
  BtCertificate cert = {.mu = p->constants.mu, .proof = p->constants.proof};
  cert.grad_norm = norm * (1 + bt_sum_rounding(lower->n)) + rounding;
  cert.bound = cert.mu > 0 ? cert.grad_norm / cert.mu : (double)INFINITY;
  if (!(cert.mu > 0)) cert.proof = BT_PROOF_NONE;
  return cert;
}

/* The bound by μ holds x̂ in a ball around x, in which the problem may be more convex than μ says; and then in a smaller
 * ball. */
static void sharpen(const BtLower *lower, const double *x, double eps, BtCertificate *cert) {
  enum { ROUNDS = 3 };
  const BtTaoProblem *p = &lower->state;
  if (!lower->problem->ops->convexity || cert->proof != BT_PROVEN || !isfinite(cert->bound)) return;
  for (int k = 0; k < ROUNDS && cert->bound > eps; k++) {
    const double mu = lower->problem->ops->convexity(lower->problem, p->i, p->theta, x, cert->bound);
    const int much = mu > 1.5 * cert->mu;
    if (mu > cert->mu) cert->bound = cert->grad_norm / (cert->mu = mu);
    if (!much) break;
  }
}

/* Iterations run on the problem itself or on its faster twin. */
static void iterate_on(BtLower *lower, const BtProblem *problem) {
  lower->state.problem = lower->few_gradients ? lower->problem : problem;
  lower->state.hessian.problem = problem;
}

static void select_problem(BtLower *lower, BtContext *ctx, size_t i, const double *theta) {
  iterate_on(lower, lower->problem->fast ? lower->problem->fast : lower->problem);
  lower->state.i = lower->state.hessian.i = i;
  lower->state.theta = theta;
  lower->state.ctx = ctx;
  lower->problem->ops->constants(lower->problem, i, theta, &lower->state.constants);
}

BtStatus bt_lower_certify(BtLower *lower, BtContext *ctx, size_t i, const double *theta, double eps, const double *x,
                          BtCertificate *cert) {
  BtStatus st = BT_OK;
  BT_TRY(build(lower, ctx, i));
  select_problem(lower, ctx, i, theta);
  (void)lower->problem->ops->value_grad(lower->problem, i, theta, x, lower->check);
  lower->state.gradients++;
  *cert = certificate(lower, x, bt_norm(lower->check, lower->n));
  if (!(cert->bound <= eps)) sharpen(lower, x, eps, cert);
done:
  return st;
}

/* The gradient norm to stop at: what rounding adds to the certificate is taken off, down to half of what is
 * wanted; a point that misses ε for that reason is reported as not certified. */
static void set_target(BtLower *lower, const double *x, double eps) {
  BtTaoProblem *p = &lower->state;
  const double wanted = eps * (p->constants.mu > 0 ? p->constants.mu : 1.0);
  const double rounding =
      lower->problem->ops->gradient_rounding(lower->problem, p->i, p->theta, &p->constants, x);
  p->target =
      fmax(wanted - 1.01 * rounding, fmax(0.5 * wanted, rounding)) * (1 - 2 * bt_sum_rounding(lower->n));
}

BtStatus bt_lower_solve(BtLower *lower, BtContext *ctx, size_t i, const double *theta, double eps,
                        BtLowerPoint point, BtCertificate *cert) {
  BtStatus st = BT_OK;
  TaoConvergedReason reason = TAO_CONTINUE_ITERATING;
  int placed = 0;
  BT_TRY(build(lower, ctx, i));
  select_problem(lower, ctx, i, theta);
  lower->state.dual = point.dual;
  BT_PETSC(VecPlaceArray(lower->x, point.x));
  placed = 1;
  BT_PETSC(TaoSetSolution(lower->tao, lower->x));
  double norm = 0;
  /* What rounding adds to the certificate depends on x: another attempt knows it at the solution. And where
   * the faster twin's gradient passes but the problem's own does not, it has given what it can. */
  for (int attempt = 0; attempt < 3; attempt++) {
    set_target(lower, point.x, eps);
    BT_PETSC(TaoSolve(lower->tao));
    BT_PETSC(TaoGetConvergedReason(lower->tao, &reason));
    norm = lower->last_norm;
    if (!lower->own_type || lower->state.problem != lower->problem) {
      (void)lower->problem->ops->value_grad(lower->problem, i, theta, point.x, lower->check);
      lower->state.gradients++;
      norm = bt_norm(lower->check, lower->n);
    }
    *cert = certificate(lower, point.x, norm);
    if (reason == TAO_CONVERGED_USER || reason == TAO_DIVERGED_MAXITS || cert->bound <= eps) break;
    if (reason != TAO_CONVERGED_GATOL && lower->state.hessian.problem == lower->problem) break;
    iterate_on(lower, lower->problem);
  }
  lower->work.solves++;
  if (cert->bound > eps && reason != TAO_CONVERGED_USER) sharpen(lower, point.x, eps, cert);
  if (reason == TAO_DIVERGED_NAN || !isfinite(norm))
    st = bt_fail(ctx, BT_ERR_NUMERIC, "lower-level problem %zu: NaN or infinity in its gradient", i);
  else if (reason == TAO_CONVERGED_USER)
    st = BT_STOPPED;
  else if (cert->bound > eps || cert->proof != BT_PROVEN)
    st = BT_NOT_CERTIFIED;
done:
  if (placed) (void)VecResetArray(lower->x);
  return st;
}

/* One problem's share of the hypergradient (Ehrhardt & Roberts 2023; Salehi et al. 2023, algorithm 3.1). */
#include <math.h>
#include <string.h>

#include "hypergrad/bilevel_internal.h"
#include "hypergrad/error_bound.h"
#include "lowerlevel/vector.h"

/* Dual-weighted-residual estimate of ẑ − z: a Newton step e = −H⁻¹∇h estimates x̂ − x̃, and
 *   dq = H(x̃+e)⁻¹[∇g(x̃+e) − H(x̃+e) q]
 * the error of q; then ẑ − z ≈ −J(x̃+e)ᵀ(q + dq) − z. Two loose solves; q + dq is the better start for the
 * next. */
static BtStatus estimate_error(BtBilevel *b, BtContext *ctx, size_t i, const double *theta, const double *x,
                               const double *lower, double *q, const double *z, double *estimate) {
  BtStatus st = BT_OK;
  const BtProblem *p = b->problem;
  const size_t n = p->ops->dimension(p, i);
  double *work = b->scratch + 2 * b->largest, *e = work, *rhs = work + b->largest, *dq = rhs + b->largest,
         *moved = dq + b->largest;

  for (size_t j = 0; j < n; j++) rhs[j] = -lower[j];
  BT_TRY(bt_adjoint_approximate(b->adjoint, ctx, rhs, BT_ESTIMATE_RESIDUAL, e));
  if (st == BT_STOPPED) goto done;

  for (size_t j = 0; j < n; j++) moved[j] = x[j] + e[j];
  (void)b->loss->ops->evaluate(b->loss, i, n, moved, rhs);
  BT_TRY(bt_adjoint_prepare(b->adjoint, ctx, i, theta, moved));
  bt_adjoint_multiply(b->adjoint, q, dq);
  for (size_t j = 0; j < n; j++) rhs[j] -= dq[j];
  BT_TRY(bt_adjoint_approximate(b->adjoint, ctx, rhs, BT_ESTIMATE_RESIDUAL, dq));
  if (st == BT_STOPPED) goto done;

  for (size_t j = 0; j < n; j++) q[j] += dq[j];
  p->ops->cross_adjoint(p, i, theta, moved, q, estimate);
  for (size_t k = 0; k < p->parameters; k++) estimate[k] = -estimate[k] - z[k];
done:
  return st < 0 || st == BT_STOPPED ? st : BT_OK;
}

/* ω_i: what the errors of x̃ and q, and rounding, may have done to z; and how far g may move along ∇g. */
static void bound_error(BtBilevel *b, size_t i, const double *theta, const double *x, const double *lower,
                        const double *q, BtUpperPoint at, BtHypergradientPart *part) {
  const BtProblem *p = b->problem;
  const size_t n = p->ops->dimension(p, i);
  BtProblemConstants constants;
  p->ops->constants(p, i, theta, &constants);
  double *norm_work = b->scratch + 7 * b->largest;
  const double norm_q = bt_norm(q, n);
  BtErrorTerms terms = {.eps = part->certificate.bound,
                        .lower_gradient = part->certificate.grad_norm,
                        .residual = part->residual * (1 + bt_sum_rounding(n)) +
                                    40 * BT_ROUNDOFF * constants.lipschitz * norm_q +
                                    (4 * BT_ROUNDOFF + 2 * bt_sum_rounding(n)) * at.slope +
                                    at.gradient_rounding,
                        .cross_norm = p->ops->cross_norm(p, i, theta, x, norm_work),
                        .upper_gradient = at.slope * (1 + 2 * bt_sum_rounding(n)) + at.gradient_rounding,
                        .upper_lipschitz = b->loss->ops->lipschitz(at, part->certificate.bound)};
  p->ops->variation(p, i, theta, x, q, terms.eps, &terms.variation);
  terms.residual += terms.variation.hessian_rounding;
  const double rounding = terms.variation.cross_rounding;
  part->bound_global = bt_error_bound_global(&constants, &terms) + rounding;
  part->bound_adjoint = bt_error_bound_adjoint(&constants, &terms);
  part->bound = fmin(bt_error_bound(&constants, &terms) + rounding, part->bound_global);
  const double of_lower = p->ops->gradient_rounding(p, i, theta, &constants, x);
  part->along = bt_error_along(&constants, &terms, -bt_dot(q, lower, n),
                               norm_q * (of_lower + bt_sum_rounding(n) * bt_norm(lower, n)));
}

BtStatus bt_hypergradient(BtBilevel *b, BtContext *ctx, size_t i, const double *theta, double eps,
                          double delta, int want, BtLowerPoint point, double *q, double *z, double *estimate,
                          BtHypergradientPart *part) {
  BtStatus st = BT_OK;
  const BtProblem *p = b->problem;
  part->bound = part->bound_adjoint = part->bound_global = (double)INFINITY;
  const size_t n = p->ops->dimension(p, i);
  double *upper = b->scratch, *residual = b->scratch + b->largest, *lower = b->scratch + 6 * b->largest;
  if (!(part->certificate.bound <= eps)) {
    part->along = bt_interval_all();
    BT_TRY(bt_lower_solve(b->lower, ctx, i, theta, eps, point, &part->certificate));
  }
  const BtStatus solved = st;
  if (solved == BT_STOPPED) goto done;

  const BtUpperPoint at = b->loss->ops->evaluate(b->loss, i, n, point.x, upper);
  if (!isfinite(at.slope)) {
    st = bt_fail(
        ctx, BT_ERR_NUMERIC,
        "the upper-level loss of problem %zu has no finite gradient: its solution equals the truth, or "
        "the data are of extreme size",
        i);
    goto done;
  }
  BT_TRY(bt_adjoint_prepare(b->adjoint, ctx, i, theta, point.x));
  /* A residual as large as the right-hand side would be met by q = 0, which says nothing and looks like z =
   * 0. */
  if (at.slope > 0) delta = fmin(delta, 0.5 * at.slope);
  BT_TRY(bt_adjoint_solve(b->adjoint, ctx, upper, delta, 0, q, want ? residual : NULL, &part->residual));
  if (st == BT_STOPPED) goto done;
  const BtProblem *product = p->fast && !(want & BT_WANT_BOUND) ? p->fast : p;
  product->ops->cross_adjoint(product, i, theta, point.x, q, z);
  for (size_t k = 0; k < p->parameters; k++) z[k] = -z[k];
  if (want) {
    (void)p->ops->value_grad(p, i, theta, point.x, lower);
    b->residuals++;
  }
  if (want & BT_WANT_BOUND) bound_error(b, i, theta, point.x, lower, q, at, part);
  if (want & BT_WANT_ESTIMATE) BT_TRY(estimate_error(b, ctx, i, theta, point.x, lower, q, z, estimate));
  if (st != BT_STOPPED && solved > 0) st = solved;
done:
  return st;
}

#include "lowerlevel/regularized.h"

#include <string.h>

static BtTerm term(const BtProblem *problem, size_t i) { return problem->ops->term(problem, i); }

static void scale(size_t n, double factor, double *v) {
  for (size_t j = 0; factor != 1 && j < n; j++) v[j] *= factor;
}

size_t bt_regularized_dimension(const BtProblem *problem, size_t i) {
  return bt_shape_size(term(problem, i).shape);
}

void bt_regularized_cross_mult(const BtProblem *problem, size_t i, const double *theta, const double *x,
                               const double *v, double *product) {
  const BtTerm t = term(problem, i);
  t.regularizer->ops->cross_mult(t.regularizer, t.shape, theta, x, v, product);
  scale(bt_shape_size(t.shape), t.strength, product);
}

void bt_regularized_cross_adjoint(const BtProblem *problem, size_t i, const double *theta, const double *x,
                                  const double *q, double *product) {
  const BtTerm t = term(problem, i);
  t.regularizer->ops->cross_adjoint(t.regularizer, t.shape, theta, x, q, product);
  scale(problem->parameters, t.strength, product);
}

double bt_regularized_cross_norm(const BtProblem *problem, size_t i, const double *theta, const double *x,
                                 double *work) {
  const BtTerm t = term(problem, i);
  return t.strength * bt_regularizer_cross_norm(t.regularizer, t.shape, theta, x, work);
}

size_t bt_regularized_cross_norm_work(const BtProblem *problem, size_t i) {
  const BtTerm t = term(problem, i);
  return bt_regularizer_cross_norm_work(t.regularizer, t.shape);
}

void bt_regularized_variation(const BtProblem *problem, size_t i, const double *theta, const double *x,
                              const double *q, double eps, BtVariation *out) {
  const BtTerm t = term(problem, i);
  bt_regularizer_variation(t.regularizer, t.shape, theta, x, q, eps, out);
  out->hessian *= t.strength;
  out->cross *= t.strength;
  out->cross_norm *= t.strength;
  out->hessian_rounding *= t.strength;
  out->cross_rounding *= t.strength;
}

size_t bt_regularized_dual_size(const BtProblem *problem, size_t i) {
  const BtTerm t = term(problem, i);
  return t.regularizer->ops->dual_size ? t.regularizer->ops->dual_size(t.regularizer, t.shape) : 0;
}

void bt_regularized_dual_update(const BtProblem *problem, size_t i, const double *theta, const double *x,
                                const double *dx, double *dual) {
  const BtTerm t = term(problem, i);
  t.regularizer->ops->dual_update(t.regularizer, t.shape, theta, x, dx, dual);
}

void bt_regularized_constants(const BtProblem *problem, size_t i, const double *theta, double least,
                              double most, BtProblemConstants *k) {
  const BtTerm t = term(problem, i);
  BtRegularizerConstants r = {0};
  memset(k, 0, sizeof *k);
  if (!t.regularizer->ops->constants) return;
  t.regularizer->ops->constants(t.regularizer, t.shape, theta, &r);
  k->mu = fmax(0, least + t.strength * r.convexity);
  k->lipschitz = most + t.strength * r.lipschitz;
  k->hessian_lipschitz = t.strength * r.hessian_lipschitz;
  k->cross_lipschitz = t.strength * r.cross_lipschitz;
  k->cross_sum = t.strength * r.cross_sum;
  k->rounding = t.strength * r.rounding;
  k->rounding_slope = t.strength * r.rounding_slope;
  k->proof = k->mu > 0 ? r.proof : BT_PROOF_NONE;
}

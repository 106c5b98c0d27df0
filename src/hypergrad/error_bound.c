#include "hypergrad/error_bound.h"

#include <math.h>

/* Covers the rounding of the few operations below. */
static const double slack = 1 + 1e-12;

double bt_error_bound(const BtProblemConstants *k, const BtErrorTerms *t) {
  if (!(k->mu > 0)) return (double)INFINITY;
  const double kappa = (t->variation.hessian + t->residual + t->upper_lipschitz * t->eps) / k->mu;
  return slack * (t->variation.cross + (t->cross_norm + t->variation.cross_norm) * kappa);
}

double bt_error_bound_adjoint(const BtProblemConstants *k, const BtErrorTerms *t) {
  if (!(k->mu > 0)) return (double)INFINITY;
  return slack * (t->cross_norm + t->variation.cross_norm) * t->residual / k->mu;
}

BtInterval bt_error_along(const BtProblemConstants *k, const BtErrorTerms *t, double centre,
                          double rounding) {
  const double steepest = 0.5 * t->lower_gradient / k->mu, length = fmin(t->eps, steepest);
  const double energy = (t->lower_gradient - k->mu * length) * length;
  const double bent = fmin(t->variation.hessian * t->eps, t->variation.remainder * energy);
  const double reach = slack * (t->residual * t->eps + bent + rounding);
  if (!isfinite(centre) || !isfinite(reach)) return (BtInterval){-(double)INFINITY, (double)INFINITY};
  return (BtInterval){centre - reach, centre + reach};
}

double bt_error_bound_global(const BtProblemConstants *k, const BtErrorTerms *t) {
  if (!(k->mu > 0) || !isfinite(k->cross_lipschitz) || !isfinite(k->hessian_lipschitz))
    return (double)INFINITY;
  const double c = t->upper_lipschitz * t->cross_norm / k->mu +
                   k->hessian_lipschitz * t->upper_gradient * t->cross_norm / (k->mu * k->mu) +
                   k->cross_lipschitz * t->upper_gradient / k->mu;
  return slack * (c * t->eps + t->cross_norm * t->residual / k->mu +
                  k->cross_lipschitz * t->upper_lipschitz * t->eps * t->eps / k->mu);
}

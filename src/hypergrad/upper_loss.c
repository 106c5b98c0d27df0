#include "hypergrad/upper_loss.h"

#include <math.h>

#include "lowerlevel/vector.h"

/* d(20 log₁₀ r)/dr = decibel/r */
static const double decibel = 8.685889638065036;

/* gradient ← x − x*; returns its squared length. */
static double difference(const BtUpperLoss *loss, size_t i, size_t n, const double *x, double *gradient) {
  const double *const *truth = loss->data;
  const double *target = truth[i];
  for (size_t j = 0; j < n; j++) gradient[j] = x[j] - target[j];
  return bt_dot(gradient, gradient, n);
}

static BtUpperPoint squared_evaluate(const BtUpperLoss *loss, size_t i, size_t n, const double *x,
                                     double *gradient) {
  const double square = difference(loss, i, n, x, gradient);
  return (BtUpperPoint){.value = 0.5 * square, .slope = sqrt(square)};
}

static void squared_bounds(BtUpperPoint at, size_t n, double eps, double *lower, double *upper) {
  const double change = at.slope * eps, rounding = 2 * bt_sum_rounding(n) * (at.value + change);
  *lower = at.value - change - rounding;
  *upper = at.value + change + 0.5 * eps * eps + rounding;
}

static void squared_bounds_along(BtUpperPoint at, size_t n, double eps, BtInterval along, double *lower,
                                 double *upper) {
  const double change = fmax(fabs(along.least), fabs(along.most)) + 0.5 * eps * eps;
  const double rounding = 2 * bt_sum_rounding(n) * (at.value + change);
  *lower = at.value + along.least - rounding;
  *upper = at.value + along.most + 0.5 * eps * eps + rounding;
}

static double squared_lipschitz(BtUpperPoint at, double eps) {
  (void)at, (void)eps;
  return 1;
}

static BtUpperPoint psnr_evaluate(const BtUpperLoss *loss, size_t i, size_t n, const double *x,
                                  double *gradient) {
  /* Where x meets the truth the loss is −∞; a floor of −300 dB keeps it finite, and its bounds say nothing
   * there. */
  const double square = fmax(difference(loss, i, n, x, gradient), 1e-30 * (double)n),
               scale = decibel / square;
  for (size_t j = 0; j < n; j++) gradient[j] *= scale;
  return (BtUpperPoint){.value = 10 * log10(square / (double)n), .slope = decibel / sqrt(square)};
}

static void psnr_bounds(BtUpperPoint at, size_t n, double eps, double *lower, double *upper) {
  const double share = eps * at.slope / decibel * (1 + 2 * bt_sum_rounding(n)); /* ε/r */
  const double rounding = decibel * bt_sum_rounding(n) + 8 * BT_ROUNDOFF * fabs(at.value);
  *lower = share < 1 ? at.value + decibel * log1p(-share) - rounding : -(double)INFINITY;
  *upper = at.value + decibel * log1p(share) + rounding;
}

/* r² becomes r²(1 + 2∇gᵀe/decibel) + ‖e‖². */
static void psnr_bounds_along(BtUpperPoint at, size_t n, double eps, BtInterval along, double *lower,
                              double *upper) {
  const double share = eps * at.slope / decibel * (1 + 2 * bt_sum_rounding(n)); /* ε/r */
  const double rounding = decibel * bt_sum_rounding(n) + 8 * BT_ROUNDOFF * fabs(at.value);
  const double least = 2 * along.least / decibel, most = 2 * along.most / decibel + share * share;
  *lower = least > -1 ? at.value + 0.5 * decibel * log1p(least) - rounding : -(double)INFINITY;
  *upper = most > -1 ? at.value + 0.5 * decibel * log1p(most) + rounding : (double)INFINITY;
}

static double psnr_lipschitz(BtUpperPoint at, double eps) {
  const double nearest = decibel / at.slope - eps; /* r − ε */
  return nearest > 0 ? decibel / (nearest * nearest) * (1 + 1e-9) : (double)INFINITY;
}

static const BtUpperLossOps squared_ops = {"squared", squared_evaluate, squared_bounds, squared_bounds_along,
                                           squared_lipschitz};
static const BtUpperLossOps psnr_ops = {"psnr", psnr_evaluate, psnr_bounds, psnr_bounds_along,
                                        psnr_lipschitz};

BtUpperLoss bt_squared_error(const double *const *truth) { return (BtUpperLoss){&squared_ops, truth}; }

BtUpperLoss bt_negative_psnr(const double *const *truth) { return (BtUpperLoss){&psnr_ops, truth}; }

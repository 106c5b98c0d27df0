/* The chart of weakly convex fields of experts: the global weight e^{η} = e^{θ0}/(1 + u⁴)^{1/4}, u = e^{θ0} M/ρ, with M ≥
 * max_ω Σ_k e^{θ_k} sup(−φ_k″) |ĉ_k(ω)|². Then e^{η} M ≤ ρ, and nearly e^{η} = e^{θ0} while that is below. */
#include <math.h>
#include <stdlib.h>

#include "regularizers/filter_spectrum.h"
#include "regularizers/foe_internal.h"

/* log u and, if wanted, ∂ log M/∂(θ_k), /∂(log ν_k), /∂ratio_k and /∂taps in a vector like θ. */
static BtStatus excess(const BtRegularizer *reg, const double *free_, double *log_u, double *derivative) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const size_t k = reg->filters;
  BtFoe foe;
  BtStatus st = bt_foe_open(reg, free_, &foe);
  if (st < 0) return st;
  double *by_log_a = derivative ? derivative + l.weights : NULL;
  const double m = bt_filter_spectrum_smooth(&foe.bank, foe.concavity, by_log_a,
                                             derivative ? derivative + l.taps : NULL);
  *log_u = log(m / BT_FOE_MODULUS); /* the concavities hold e^{θ0} */
  for (size_t j = 0; derivative && j < k; j++) {
    /* log of (1−q)^{5/2} (1−κ²)^{−3/2}/τ, κ = 1/(1 + e^ratio), q = κ^{4/5}, τ = ν/κ. */
    const double log_kappa = log(foe.nu[j] / foe.tau[j]), q = exp(0.8 * log_kappa), k2 = exp(2 * log_kappa);
    const double by_log_kappa = -2 * q / -expm1(0.8 * log_kappa) + 3 * k2 / -expm1(2 * log_kappa) + 1;
    derivative[l.smoothings + j] = -by_log_a[j];
    derivative[l.ratios + j] = by_log_a[j] * by_log_kappa * -(1 - foe.nu[j] / foe.tau[j]);
  }
  if (derivative) bt_foe_zero_mean(k, reg->size, derivative + l.taps, derivative + l.taps);
  bt_foe_clear(&foe);
  return isnan(m) ? BT_ERR_MEMORY : BT_OK;
}

/* log(1 + e^{4 log u})/4 and its derivative u⁴/(1 + u⁴). */
static double saturation(double log_u, double *share) {
  const double v = 4 * log_u, e = exp(-fabs(v));
  *share = (v > 0 ? 1 : e) / (1 + e);
  return (fmax(v, 0) + log1p(e)) / 4;
}

void bt_foe_chart(const BtRegularizer *reg, const double *free_, double *theta) {
  double log_u = 0, share;
  const size_t p = bt_foe_layout(reg).end;
  for (size_t j = 0; j < p; j++) theta[j] = free_[j];
  if (reg->variant != BT_FOE_WEAK) return;
  const BtStatus st = excess(reg, free_, &log_u, NULL);
  theta[0] = st < 0 ? (double)NAN : isinf(log_u) && log_u < 0 ? free_[0] : free_[0] - saturation(log_u, &share);
}

/* T' = I + e₀ (∇η − e₀)ᵀ, ∇η = (1 − share, −share·∂ log M). */
double bt_foe_chart_adjoint(const BtRegularizer *reg, const double *free_, double *gradient) {
  const size_t p = bt_foe_layout(reg).end;
  double log_u, share, norm2 = 1;
  if (reg->variant != BT_FOE_WEAK) return 1;
  double *derivative = calloc(p, sizeof *derivative);
  if (!derivative) return (double)NAN;
  BtStatus st = excess(reg, free_, &log_u, derivative);
  if (st >= 0 && !isinf(log_u)) {
    const double by_weight = gradient[0];
    (void)saturation(log_u, &share);
    derivative[0] = 1;
    for (size_t j = 0; j < p; j++) gradient[j] -= by_weight * share * derivative[j];
    norm2 = 0;
    for (size_t j = 0; j < p; j++) norm2 += share * derivative[j] * share * derivative[j];
  }
  free(derivative);
  return st < 0 ? (double)NAN : isinf(log_u) ? 1 : 1 + sqrt(norm2);
}

/* u/(1 + u⁴)^{1/4} = v is solved by u = v/(1 − v⁴)^{1/4}. */
int bt_foe_chart_inverse(const BtRegularizer *reg, const double *theta, double *free_) {
  double log_v;
  const size_t p = bt_foe_layout(reg).end;
  for (size_t j = 0; j < p; j++) free_[j] = theta[j];
  if (reg->variant != BT_FOE_WEAK) return 1;
  if (excess(reg, theta, &log_v, NULL) < 0) return 0;
  if (isinf(log_v)) return 1;
  if (!(log_v < 0)) return 0;
  free_[0] -= log(-expm1(4 * log_v)) / 4;
  return 1;
}

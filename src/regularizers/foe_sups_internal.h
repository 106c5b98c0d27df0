/* regularizers/foe_sups_internal.h: how large the derivatives of a potential are near a response; private to
 * the bounds of fields of experts.
 *
 * With E² = t² + ν², F² = t² + τ²:
 *   √(t² + ν²)        φ″ = ν²/E³ falls, |φ‴| = 3|t|ν²/E⁵ peaks at ν/2, ∂_{log ν}φ″ = −ν²(1 − 3t²/E²)/E³
 *   log(1 + t²/ν²)    φ″ = 2(ν² − t²)/E⁴ falls to −1/(4ν²) at √3 ν, |φ‴| = 4|t||t² − 3ν²|/E⁶ peaks at
 *                     (√2 ∓ 1) ν, ∂_{log ν}φ″ = −4ν²(1 − 4t²/E²)/E⁴
 *   difference        those of the two roots subtracted; ∂_ratio φ″ = (1 − ν/τ) τ²(1 − 3t²/F²)/F³ */
#ifndef BITUNE_REGULARIZERS_FOE_SUPS_INTERNAL_H
#define BITUNE_REGULARIZERS_FOE_SUPS_INTERNAL_H

#include <math.h>

#include "regularizers/foe_internal.h"

/* The potential in force at a pixel. */
typedef enum { BT_FOE_ROOT, BT_FOE_LOGARITHM, BT_FOE_DIFFERENCE } BtFoeKind;

/* Suprema of |φ″|, |φ‴|, |∂_{log ν}φ″|, |∂_ratio φ″| over [|t| − radius, |t| + radius], w not included. */
typedef struct {
  double second, third, by_smoothing, by_ratio;
} BtFoeSups;

/* max 3t/(1 + t²)^{5/2}, max and second maximum of 4t|t² − 3|/(1 + t²)³; rounded up. */
#define BT_FOE_ROOT_PEAK 0.85866
#define BT_FOE_LOG_PEAK 2.91430
#define BT_FOE_LOG_SECOND_PEAK 0.08580

static inline double bt_foe_root_third(double t, double nu2) {
  const double e2 = t * t + nu2;
  return 3 * t * (nu2 / e2) / (e2 * sqrt(e2));
}

static inline BtFoeSups bt_foe_root_sups(double lo, double hi, double nu) {
  const double nu2 = nu * nu, e2 = lo * lo + nu2, share = hi * hi / (hi * hi + nu2);
  BtFoeSups s = {.second = nu2 / e2 / sqrt(e2)};
  s.third = hi <= 0.5 * nu   ? bt_foe_root_third(hi, nu2)
            : lo >= 0.5 * nu ? bt_foe_root_third(lo, nu2)
                             : BT_FOE_ROOT_PEAK / nu2;
  s.by_smoothing = s.second * fmax(1, 3 * share - 1);
  return s;
}

static inline double bt_foe_log_second(double t, double nu2) {
  const double e2 = t * t + nu2;
  return 2 * ((nu2 - t * t) / e2) / e2;
}

static inline double bt_foe_log_third(double t, double nu2) {
  const double e2 = t * t + nu2;
  return 4 * t * (fabs(t * t - 3 * nu2) / e2) / (e2 * e2);
}

static inline BtFoeSups bt_foe_log_sups(double lo, double hi, double nu) {
  const double nu2 = nu * nu, e2 = lo * lo + nu2, share = hi * hi / (hi * hi + nu2), root3 = 1.7320508 * nu;
  BtFoeSups s = {.second = fmax(fabs(bt_foe_log_second(lo, nu2)), fabs(bt_foe_log_second(hi, nu2)))};
  if (lo < 1.7320509 * nu && hi > root3) s.second = fmax(s.second, 0.25 / nu2);
  if (hi <= 0.4142135 * nu) {
    s.third = bt_foe_log_third(hi, nu2);
  } else if (lo < 0.4142136 * nu) {
    s.third = BT_FOE_LOG_PEAK / (nu2 * nu);
  } else {
    s.third = bt_foe_log_third(lo, nu2);
    if (hi > root3 && lo < 2.4142136 * nu) s.third = fmax(s.third, BT_FOE_LOG_SECOND_PEAK / (nu2 * nu));
  }
  s.by_smoothing = 4 * (nu2 / e2) / e2 * fmax(1, 4 * share - 1);
  return s;
}

static inline BtFoeSups bt_foe_difference_sups(double lo, double hi, double nu, double tau) {
  const BtFoeSups a = bt_foe_root_sups(lo, hi, nu), b = bt_foe_root_sups(lo, hi, tau);
  const BtFoeSups a_hi = bt_foe_root_sups(hi, hi, nu), b_hi = bt_foe_root_sups(hi, hi, tau);
  return (BtFoeSups){.second = fmax(a.second - b_hi.second, b.second - a_hi.second) + 1e-15 * a.second,
                     .third = fmax(a.third, b.third),
                     .by_smoothing = a.by_smoothing + b.by_smoothing,
                     .by_ratio = (1 - nu / tau) * b.by_smoothing};
}

static inline BtFoeSups bt_foe_sups(BtFoeKind kind, double nu, double tau, double t, double radius) {
  const double lo = fmax(0, fabs(t) - radius), hi = fabs(t) + radius;
  return kind == BT_FOE_ROOT        ? bt_foe_root_sups(lo, hi, nu)
         : kind == BT_FOE_LOGARITHM ? bt_foe_log_sups(lo, hi, nu)
                                    : bt_foe_difference_sups(lo, hi, nu, tau);
}

/* Those over all t. */
static inline BtFoeSups bt_foe_sups_everywhere(BtFoeKind kind, double nu, double tau) {
  static const double far_away = 1e60;
  return bt_foe_sups(kind, nu, tau, 0, far_away);
}

/* What is in force at column c of row r: the difference only where the filter lies inside the image. */
static inline BtFoeKind bt_foe_kind(const BtFoe *foe, BtShape shape, size_t r, size_t c) {
  const size_t before = (foe->size - 1) / 2, after = foe->size - 1 - before;
  if (foe->potential != BT_FOE_WEAK) return foe->potential == BT_FOE_LOG ? BT_FOE_LOGARITHM : BT_FOE_ROOT;
  return r >= before && r + after < shape.height && c >= before && c + after < shape.width ? BT_FOE_DIFFERENCE
                                                                                           : BT_FOE_ROOT;
}

#endif

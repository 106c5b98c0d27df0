/* Constants of fields of experts; docs/methods.md derives them. */
#include "regularizers/foe_bounds_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "regularizers/filter_spectrum.h"
#include "regularizers/foe_sups_internal.h"

static const double slack = 1 + 1e-12;

/* Roundings in units of double's roundoff u. Single precision iterates with the processor's estimates, so
 * what double does in a few roundings takes four times as many there. */
static double unit(const BtRegularizer *reg) { return reg->single ? ldexp(1, 29) : 1; }

static const double *taps_of(const BtFoe *foe, size_t k) { return foe->taps + k * foe->size * foe->size; }

static double absolute_sum(const double *taps, size_t area) {
  double sum = 0;
  for (size_t j = 0; j < area; j++) sum += fabs(taps[j]);
  return sum;
}

double bt_foe_row_norm(const BtFoe *foe, BtShape shape, size_t k) {
  const double s = (double)foe->size;
  const double copies = 4 * ceil(s / (2 * (double)shape.height)) * ceil(s / (2 * (double)shape.width));
  double sum = 0;
  for (size_t j = 0; j < foe->size * foe->size; j++) sum += taps_of(foe, k)[j] * taps_of(foe, k)[j];
  return sqrt(copies * sum) * slack;
}

/* Largest number of (p, j), 0 ≤ p < n, j in the window, with p + j laid upon one pixel. */
static double coverage(size_t n, size_t size) {
  const size_t before = (size - 1) / 2, period = 2 * n;
  size_t most = 0;
  for (size_t i = 0; i < n; i++) {
    size_t count = 0;
    for (size_t j = 0; j < size;
         j++) /* positions j − before to j − before + n − 1 hold i mod 2n or −1 − i mod 2n */
      for (int mirrored = 0; mirrored < 2; mirrored++) {
        const size_t wanted = mirrored ? period - 1 - i : i, start = (j + size * period - before) % period;
        count += (wanted + period - start) % period < n;
      }
    most = count > most ? count : most;
  }
  return (double)most;
}

double bt_foe_coverage(BtShape shape, size_t size) {
  return coverage(shape.height, size) * coverage(shape.width, size);
}

static size_t reflect(size_t shifted, size_t before, size_t n) {
  const size_t period = 2 * n, i = (shifted + before * (period - 1)) % period; /* shifted − before mod 2n */
  return i < n ? i : period - 1 - i;
}

/* Box sums of x and x² over windows, rows first. */
BtStatus bt_foe_patch_energy(BtShape shape, size_t size, const double *x, double *energy) {
  const size_t before = (size - 1) / 2, w = shape.width;
  const double area = (double)(size * size);
  double *sums = malloc(2 * bt_shape_size(shape) * sizeof *sums), *squares = sums + bt_shape_size(shape);
  if (!sums) return BT_ERR_MEMORY;
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c = 0; c < w; c++) {
      double sum = 0, square = 0;
      for (size_t j = 0; j < size; j++) {
        const double v = x[r * w + reflect(c + j, before, w)];
        sum += v, square += v * v;
      }
      sums[r * w + c] = sum, squares[r * w + c] = square;
    }
  for (size_t r = 0; r < shape.height; r++)
    for (size_t c = 0; c < w; c++) {
      double sum = 0, square = 0;
      for (size_t j = 0; j < size; j++) {
        const size_t at = reflect(r + j, before, shape.height) * w + c;
        sum += sums[at], square += squares[at];
      }
      energy[r * w + c] = fmax(0, square - sum * sum / area) + 8 * DBL_EPSILON * (double)size * square;
    }
  free(sums);
  return BT_OK;
}

/* A filter is its parameters less their mean: each tap within u((s² + 2) mean|θ| + |c|); a response adds s²
 * products. */
double bt_foe_response_rounding(const BtFoe *foe, const double *theta, size_t k) {
  const double area = (double)(foe->size * foe->size);
  const double own = absolute_sum(taps_of(foe, k), foe->size * foe->size);
  return (area + 5) * own +
         (area + 2) * absolute_sum(theta + k * foe->size * foe->size, foe->size * foe->size);
}

/* sup|φ'|: 1 for roots and their difference, 1/ν for the logarithm. */
static double steepest(const BtFoe *foe, size_t k) {
  return foe->potential == BT_FOE_LOG ? 1 / foe->nu[k] : 1;
}

static BtFoeKind outer_kind(const BtFoe *foe) {
  return foe->potential == BT_FOE_LOG ? BT_FOE_LOGARITHM : BT_FOE_ROOT;
}

/* Over both kinds of pixels. */
static BtFoeSups sups_of(const BtFoe *foe, size_t k) {
  BtFoeSups s = bt_foe_sups_everywhere(outer_kind(foe), foe->nu[k], foe->tau[k]);
  if (foe->potential != BT_FOE_WEAK) return s;
  const BtFoeSups inside = bt_foe_sups_everywhere(BT_FOE_DIFFERENCE, foe->nu[k], foe->tau[k]);
  s.second = fmax(s.second, inside.second);
  s.third = fmax(s.third, inside.third);
  return s;
}

/* Of exp(θ0 + θ_k), ν_k, τ_k and of evaluating a potential from them. */
static double evaluation(const BtRegularizer *reg, const double *theta, size_t k) {
  const BtFoeLayout l = bt_foe_layout(reg);
  return (reg->single ? 120 : 30) + fabs(theta[0]) + fabs(theta[l.weights + k]) +
         fabs(theta[l.smoothings + k]);
}

/* A response is off by uτ max|x|; wφ' by w(sup φ″ times that, and u·evaluation·sup|φ'|). Cᵀ adds K·coverage
 * products at most, in any order; D_k bounds what every entry of wφ'_k is off by, the filter's own error
 * included. Then ‖Σ_k C_kᵀδ_k‖² ≤ ‖Σ_k D_k C_kᵀC_k‖ Σ_k ‖δ_k‖²/D_k ≤ n ‖Σ_k D_k C_kᵀC_k‖ Σ_k D_k. */
static void gradient_rounding(const BtRegularizer *reg, const BtFoe *foe, BtShape shape, const double *theta,
                              double *d, BtRegularizerConstants *c) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const size_t area = reg->size * reg->size;
  const double added = (double)reg->filters * bt_foe_coverage(shape, reg->size);
  double sum = 0, slope_sum = 0, sums_of_terms = 0;
  for (size_t k = 0; k < reg->filters; k++) {
    const double w = foe->weight[k] * steepest(foe, k);
    d[k] = w * evaluation(reg, theta, k);
    sum += d[k];
    /* ‖|C_k|ᵀ|g_k|‖ ≤ 2‖c_k‖₁·w·√n, and of the filter's error alike. */
    sums_of_terms += 2 * w *
                     ((added + 5) * absolute_sum(taps_of(foe, k), area) +
                      ((double)area + 2) * absolute_sum(theta + l.taps + k * area, area));
  }
  c->rounding = unit(reg) * 1.1 * (sqrt(bt_filter_spectrum_extended(&foe->bank, d) * sum) + sums_of_terms);
  for (size_t k = 0; k < reg->filters; k++) {
    d[k] = foe->weight[k] * sups_of(foe, k).second * bt_foe_response_rounding(foe, theta + l.taps, k);
    slope_sum += d[k];
  }
  c->rounding_slope = unit(reg) * 1.1 * sqrt(bt_filter_spectrum_extended(&foe->bank, d) * slope_sum);
}

/* Every product that Jᵀq adds up for one parameter is a number of size w sup|φ'| or w sup|φ″| max|x|, times
 * an entry of C_k q or of q; each comes with the error of the responses in it, of `evaluation` and of as many
 * additions as there are terms. J v adds up the same products along the other index. */
double bt_foe_cross_rounding(const BtRegularizer *reg, const BtFoe *foe, BtShape shape, const double *theta,
                             double largest) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const double n = (double)bt_shape_size(shape), s = (double)reg->size, filters = (double)reg->filters;
  const double additions = n + filters * bt_foe_coverage(shape, reg->size) + s * s + 8;
  double total = 0, weights = 0;
  for (size_t k = 0; k < reg->filters; k++) {
    const BtFoeSups sup = sups_of(foe, k);
    const double tau = bt_foe_response_rounding(foe, theta + l.taps, k),
                 norm = 2 * absolute_sum(taps_of(foe, k), reg->size * reg->size);
    const double first = steepest(foe, k), count = additions + evaluation(reg, theta, k);
    const double one = sup.second * largest * tau * norm + 2 * first * tau + count * first * norm;
    const double taps =
        s * largest * (sup.third * largest * tau * norm + 2 * sup.second * tau + count * sup.second * norm) +
        2 * s * (sup.second * largest * tau + count * first);
    weights += foe->weight[k] * one;
    total = hypot(total, foe->weight[k] * hypot(4 * one, taps));
  }
  return unit(reg) * 1.1 * sqrt(n) * hypot(total, weights);
}

/* C_kᵀ(h_k ∘ C_k q): the responses of x and of q are off, h is evaluated, and Cᵀ adds up. */
double bt_foe_hessian_rounding(const BtRegularizer *reg, const BtFoe *foe, BtShape shape, const double *theta,
                               double largest) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const double area = (double)(reg->size * reg->size);
  const double additions = (double)reg->filters * bt_foe_coverage(shape, reg->size) + area + 8;
  double sum = 0;
  for (size_t k = 0; k < reg->filters; k++) {
    const BtFoeSups sup = sups_of(foe, k);
    const double tau = bt_foe_response_rounding(foe, theta + l.taps, k);
    const double norm = 2 * absolute_sum(taps_of(foe, k), reg->size * reg->size);
    sum += foe->weight[k] * norm *
           ((sup.third * largest * tau + (additions + evaluation(reg, theta, k)) * sup.second) * norm +
            4 * sup.second * tau);
  }
  return unit(reg) * 1.1 * sum;
}

void bt_foe_constants(const BtRegularizer *reg, BtShape shape, const double *theta,
                      BtRegularizerConstants *k) {
  BtFoe foe;
  *k = (BtRegularizerConstants){.proof = BT_PROOF_NONE};
  double *d = malloc(reg->filters * sizeof *d);
  if (!d) return;
  if (bt_foe_open(reg, theta, &foe) < 0) goto done;
  k->lipschitz = bt_filter_spectrum_extended(&foe.bank, foe.curvature) * slack;
  if (reg->variant == BT_FOE_LOG)
    k->convexity = -bt_filter_spectrum_extended(&foe.bank, foe.concavity) * slack;
  if (reg->variant == BT_FOE_WEAK) k->convexity = -bt_filter_spectrum_bound(&foe.bank, foe.concavity) * slack;
  for (size_t j = 0; j < reg->filters; j++)
    d[j] = foe.weight[j] * sups_of(&foe, j).third * bt_foe_row_norm(&foe, shape, j);
  k->hessian_lipschitz = bt_filter_spectrum_extended(&foe.bank, d) * slack;
  /* J contains x itself: no Lipschitz constant on all of Rⁿ, no bound of its sums without x. */
  k->cross_lipschitz = k->cross_sum = (double)INFINITY;
  gradient_rounding(reg, &foe, shape, theta, d, k);
  if (isfinite(k->lipschitz) && isfinite(k->convexity) && isfinite(k->hessian_lipschitz) &&
      isfinite(k->rounding) && isfinite(k->rounding_slope))
    k->proof = BT_PROVEN;
  bt_foe_clear(&foe);
done:
  free(d);
}

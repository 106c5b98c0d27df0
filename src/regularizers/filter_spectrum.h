/* regularizers/filter_spectrum.h: norms of a bank of filters from its spectrum
 *
 *   m(ω) = Σ_k a_k |ĉ_k(ω)|²,  a_k ≥ 0,
 *
 * a real trigonometric polynomial of degree s − 1 in each direction. On the infinite grid ‖Σ_k a_k C_kᵀC_k‖ = max_ω m(ω);
 * on an image the same bounds responses at pixels where the filter lies inside it. The symmetric extension of an H × W
 * image is a function on the torus of 2H × 2W pixels with four times its energy, so 4 max_ω m(ω) bounds all responses,
 * whatever the image's size. */
#ifndef BITUNE_REGULARIZERS_FILTER_SPECTRUM_H
#define BITUNE_REGULARIZERS_FILTER_SPECTRUM_H

#include "core/status.h"
#include "regularizers/filter_bank.h"

/* A proven upper bound of max_ω m(ω), from FFTW on a grid of N × N frequencies and the bound of Ehlich & Zeller 1964 for
 * what lies between them: max ≤ grid maximum / cos²(π(s − 1)/N). NAN when out of memory. */
double bt_filter_spectrum_bound(const BtFilterBank *bank, const double *a);

/* A proven upper bound of ‖Σ_k a_k C_kᵀC_k‖ on images of any size, symmetric extension included: at most 4 times the above.
 * For odd s each filter is split in its parts c_k^i even or odd in either direction. A response of c_k^i on the torus has
 * a parity, so the image holds a quarter of its energy, and with Σ_i α_ki = 1
 *   Σ_k a_k ‖C_k x‖² ≤ Σ_k a_k Σ_i ‖C_k^i x‖²/α_ki ≤ max_ω Σ_k a_k Σ_i |ĉ_k^i(ω)|²/α_ki · ‖x‖²:
 * with α_ki ∝ ‖c_k^i‖ no factor at all for filters that have a parity. NAN when out of memory. */
double bt_filter_spectrum_extended(const BtFilterBank *bank, const double *a);

/* A smooth upper bound of the same on the grid: M = (Σ_ω m(ω)^P)^{1/P} (over the grid, P fixed), and its derivatives:
 * by_log_a[K] = ∂ log M/∂ log a_k, by_taps[K][s][s] = ∂ log M/∂ taps; NULL if not wanted. NAN when out of memory. */
double bt_filter_spectrum_smooth(const BtFilterBank *bank, const double *a, double *by_log_a, double *by_taps);

#endif

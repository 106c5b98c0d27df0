/* regularizers/filter_spectrum.h: norms of a bank of filters from its spectrum
 *
 *   m(ω) = Σ_k a_k |ĉ_k(ω)|²,  a_k ≥ 0,
 *
 * a real trigonometric polynomial of degree s − 1 in each direction. On the infinite grid ‖Σ_k a_k C_kᵀC_k‖ = max_ω m(ω);
 * on an image the same bounds responses at pixels where the filter lies inside it, and 4 times as much those of the
 * symmetric extension, which holds a pixel at most four times (for images not smaller than the filter). */
#ifndef BITUNE_REGULARIZERS_FILTER_SPECTRUM_H
#define BITUNE_REGULARIZERS_FILTER_SPECTRUM_H

#include "core/status.h"
#include "regularizers/filter_bank.h"

/* A proven upper bound of max_ω m(ω), from FFTW on a grid of N × N frequencies and the bound of Ehlich & Zeller 1964 for
 * what lies between them: max ≤ grid maximum / cos²(π(s − 1)/N). NAN when out of memory. */
double bt_filter_spectrum_bound(const BtFilterBank *bank, const double *a);

/* A smooth upper bound of the same on the grid: M = (Σ_ω m(ω)^P)^{1/P} (over the grid, P fixed), and its derivatives:
 * by_log_a[K] = ∂ log M/∂ log a_k, by_taps[K][s][s] = ∂ log M/∂ taps; NULL if not wanted. NAN when out of memory. */
double bt_filter_spectrum_smooth(const BtFilterBank *bank, const double *a, double *by_log_a, double *by_taps);

#endif

#include "regularizers/filter_spectrum.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Σ_k a_k Σ_t c_k(t) c_k(t + τ) for τ in (−s, s)²: [2s−1][2s−1], centred. m is its Fourier transform. */
static void autocorrelation(const BtFilterBank *bank, const double *a, double *sums) {
  const size_t s = bank->size, d = 2 * s - 1;
  memset(sums, 0, d * d * sizeof *sums);
  for (size_t k = 0; k < bank->filters; k++) {
    const double *c = bank->taps + k * s * s;
    for (size_t i = 0; i < s; i++)
      for (size_t j = 0; j < s; j++)
        for (size_t y = 0; y < s; y++)
          for (size_t x = 0; x < s; x++)
            sums[(y + s - 1 - i) * d + x + s - 1 - j] += a[k] * c[i * s + j] * c[y * s + x];
  }
}

/* Frequencies per direction: enough that what lies between the grid's points adds a few per cent at most. */
static size_t grid_size(size_t s) {
  size_t n = 32;
  while (n < 16 * (s - 1)) n *= 2;
  return n;
}

/* The largest factor by which m can exceed its maximum on the grid (Ehlich & Zeller 1964, each direction). */
static double between(size_t s, size_t n) {
  const double c = cos(acos(-1.0) * (double)(s - 1) / (double)n);
  return 1 / (c * c);
}

/* m on the grid's half plane [n][n/2 + 1] by FFTW; as real numbers, since the autocorrelation is even. */
static double *spectrum(const BtFilterBank *bank, const double *a, size_t n) {
  const size_t s = bank->size, d = 2 * s - 1, half = n / 2 + 1;
  double *sums = malloc(d * d * sizeof *sums), *plane = fftw_malloc(n * 2 * half * sizeof *plane);
  fftw_plan plan = NULL;
  if (!sums || !plane) goto done;
  plan = fftw_plan_dft_r2c_2d((int)n, (int)n, plane, (fftw_complex *)plane, FFTW_ESTIMATE);
  if (!plan) goto done;
  autocorrelation(bank, a, sums);
  memset(plane, 0, n * 2 * half * sizeof *plane);
  for (size_t y = 0; y < d; y++)
    for (size_t x = 0; x < d; x++)
      plane[(y + n - s + 1) % n * 2 * half + (x + n - s + 1) % n] = sums[y * d + x];
  fftw_execute(plan);
  for (size_t j = 0; j < n * half; j++) plane[j] = plane[2 * j];
done:
  if (plan) fftw_destroy_plan(plan);
  free(sums);
  if (plan) return plane;
  fftw_free(plane);
  return NULL;
}

double bt_filter_spectrum_bound(const BtFilterBank *bank, const double *a) {
  const size_t n = grid_size(bank->size);
  double *m = spectrum(bank, a, n), largest = 0;
  if (!m) return (double)NAN;
  for (size_t j = 0; j < n * (n / 2 + 1); j++) largest = m[j] > largest || isnan(m[j]) ? m[j] : largest;
  fftw_free(m);
  return largest * between(bank->size, n) * (1 + 1e-9);
}

/* part[s][s] ← c's part that is even (parity bit clear) or odd (set) in rows (bit 0) and columns (bit 1); returns its
 * norm. */
static double parity_part(size_t s, const double *c, int parity, double *part) {
  double sum = 0;
  for (size_t i = 0; i < s; i++)
    for (size_t j = 0; j < s; j++) {
      const double by_row = parity & 1 ? -1 : 1, by_column = parity & 2 ? -1 : 1;
      const double *row = c + i * s, *mirrored = c + (s - 1 - i) * s;
      const double v = 0.25 * (row[j] + by_column * row[s - 1 - j] +
                               by_row * (mirrored[j] + by_column * mirrored[s - 1 - j]));
      part[i * s + j] = v;
      sum += v * v;
    }
  return sqrt(sum);
}

double bt_filter_spectrum_extended(const BtFilterBank *bank, const double *a) {
  enum { PARTS = 4 };
  /* What rounding leaves of c_k less its parts counts as a fifth part with this share. */
  static const double left = 1e-10;
  const size_t s = bank->size, area = s * s, count = PARTS * bank->filters;
  const double plain = PARTS * bt_filter_spectrum_bound(bank, a);
  if (s % 2 == 0) return plain;
  double *parts = malloc(count * (area + 1) * sizeof *parts), *b = parts + count * area;
  if (!parts) return (double)NAN;
  for (size_t k = 0; k < bank->filters; k++) {
    double norms[PARTS], sum = 0;
    for (int i = 0; i < PARTS; i++) {
      norms[i] = parity_part(s, bank->taps + k * area, i, parts + (PARTS * k + (size_t)i) * area);
      sum += norms[i];
    }
    for (int i = 0; i < PARTS; i++)
      b[PARTS * k + (size_t)i] = norms[i] > 0 ? a[k] * sum / (norms[i] * (1 - left)) : 0;
  }
  const BtFilterBank split = {.filters = count, .size = s, .taps = parts};
  const double by_parity = bt_filter_spectrum_bound(&split, b) * (1 + left);
  free(parts);
  return isnan(plain) ? plain : fmin(plain, by_parity);
}

/* What takes the place of the maximum: a power mean's relative excess over it is at most (number of frequencies)^(1/P). */
enum { POWER_OF_TWO = 7 }; /* P = 128 */

/* v ← m^(P−1)/Σ m^P on the half plane, each frequency once; returns log (Σ m^P)^{1/P} over the whole grid. */
static double power_weights(double *m, size_t n) {
  const size_t half = n / 2 + 1;
  double largest = 0, sum = 0;
  for (size_t j = 0; j < n * half; j++) largest = m[j] > largest ? m[j] : largest;
  if (!(largest > 0)) return -(double)INFINITY;
  for (size_t j = 0; j < n * half; j++) {
    const double share = m[j] > 0 ? m[j] / largest : 0;
    double power = share;
    for (int k = 0; k < POWER_OF_TWO; k++) power *= power;
    sum += (j % half == 0 || j % half == half - 1 ? 1 : 2) * power;
    m[j] = share > 0 ? power / m[j] : 0;
  }
  for (size_t j = 0; j < n * half; j++) m[j] /= sum;
  return log(largest) + log(sum) / (double)(1 << POWER_OF_TWO);
}

/* V(τ) = Σ_ω v_ω cos(ω·τ) for τ in (−s, s)²: [2s−1][2s−1], centred. */
static double *back_transform(const double *v, size_t n, size_t s) {
  const size_t half = n / 2 + 1, d = 2 * s - 1;
  double *plane = fftw_malloc(n * 2 * half * sizeof *plane), *out = malloc(d * d * sizeof *out);
  fftw_plan plan = NULL;
  if (plane && out) plan = fftw_plan_dft_c2r_2d((int)n, (int)n, (fftw_complex *)plane, plane, FFTW_ESTIMATE);
  if (plan) {
    for (size_t j = n * half; j-- > 0;) plane[2 * j] = v[j], plane[2 * j + 1] = 0;
    fftw_execute(plan);
    for (size_t y = 0; y < d; y++)
      for (size_t x = 0; x < d; x++)
        out[y * d + x] = plane[(y + n - s + 1) % n * 2 * half + (x + n - s + 1) % n];
    fftw_destroy_plan(plan);
  } else {
    free(out);
    out = NULL;
  }
  fftw_free(plane);
  return out;
}

double bt_filter_spectrum_smooth(const BtFilterBank *bank, const double *a, double *by_log_a, double *by_taps) {
  const size_t s = bank->size, n = grid_size(s), d = 2 * s - 1, taps = s * s;
  double *m = spectrum(bank, a, n), *v = NULL, value = (double)NAN;
  if (!m) return value;
  const double log_mean = power_weights(m, n);
  if (by_log_a || by_taps) {
    v = back_transform(m, n, s);
    if (!v) goto done;
    for (size_t k = 0; k < bank->filters; k++) {
      const double *c = bank->taps + k * taps;
      double energy = 0;
      for (size_t t = 0; t < taps; t++) {
        double sum = 0;
        for (size_t u = 0; u < taps; u++)
          sum += v[(u / s + s - 1 - t / s) * d + u % s + s - 1 - t % s] * c[u];
        energy += sum * c[t];
        if (by_taps) by_taps[k * taps + t] = 2 * a[k] * sum;
      }
      if (by_log_a) by_log_a[k] = a[k] * energy;
    }
  }
  value = exp(log_mean) * between(s, n) * (1 + 1e-9);
done:
  free(v);
  fftw_free(m);
  return value;
}

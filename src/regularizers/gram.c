#include "regularizers/gram.h"

#include <math.h>

enum { SQUARED_UP_TO = 256, SQUARINGS = 6 };

static double frobenius(size_t n, const double *g) {
  double sum = 0;
  for (size_t j = 0; j < n * n; j++) sum += g[j] * g[j];
  return sqrt(sum);
}

static double row_sum(size_t n, const double *g) {
  double largest = 0;
  for (size_t j = 0; j < n; j++) {
    double sum = 0;
    for (size_t k = 0; k < n; k++) sum += fabs(g[j * n + k]);
    largest = isnan(sum) || sum > largest ? sum : largest;
  }
  return largest;
}

/* square ← G Gᵀ for a symmetric G. */
static void square_of(size_t n, const double *g, double *square) {
  for (size_t j = 0; j < n; j++)
    for (size_t k = j; k < n; k++) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (size_t i = 0; i < n; i++) sum += g[j * n + i] * g[k * n + i];
      square[j * n + k] = square[k * n + j] = sum;
    }
}

/* ‖G‖ = s₀ ‖(G/s₀)²‖^{1/2} = s₀ s₁^{1/2} ‖(…/s₁)²‖^{1/4} = …, the last norm replaced by Frobenius's, s_i too.
 * Each square is off by γ_n at most, relative to 1, and is not smaller than n^{−1/2}. */
double bt_gram_norm(size_t n, double *g, double *work) {
  const double slack = 1 + 1e-15 * (double)(SQUARINGS + 1) * (double)n * sqrt((double)n);
  for (size_t j = 0; j < n; j++)
    for (size_t k = 0; k < j; k++) g[j * n + k] = g[k * n + j];
  if (n > SQUARED_UP_TO) return fmin(frobenius(n, g), row_sum(n, g)) * slack;
  double bound = 1, power = 1;
  for (int k = 0;; k++) {
    const double size = frobenius(n, g);
    if (!(size > 0)) return isnan(size) ? size : 0;
    bound *= pow(size, power);
    if (k == SQUARINGS) break;
    for (size_t j = 0; j < n * n; j++) g[j] /= size;
    square_of(n, g, work);
    double *other = g;
    g = work;
    work = other;
    power /= 2;
  }
  return bound * slack;
}

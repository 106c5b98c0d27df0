#include "lowerlevel/vector.h"

#include "core/simd.h"

BT_SIMD double bt_dot(const double *a, const double *b, size_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

double bt_norm(const double *a, size_t n) { return sqrt(bt_dot(a, a, n)); }

BT_SIMD double bt_distance(const double *a, const double *b, size_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrt(sum);
}

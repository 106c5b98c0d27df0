#include "lowerlevel/quasi_newton.h"

#include <stdlib.h>
#include <string.h>

#include "core/simd.h"

enum { chunk = 2048 }; /* floats of each vector that stay in the first-level cache */

int bt_quasi_newton_create(size_t n, int memory, BtQuasiNewton *qn) {
  memset(qn, 0, sizeof *qn);
  qn->n = n;
  qn->memory = memory;
  qn->vectors = malloc((2 * (size_t)memory + 1) * n * sizeof(float));
  return qn->vectors != NULL;
}

void bt_quasi_newton_clear(BtQuasiNewton *qn) {
  free(qn->vectors);
  qn->vectors = NULL;
}

static float *vector(const BtQuasiNewton *qn, int k) { return qn->vectors + (size_t)k * qn->n; }

static int gradient_index(const BtQuasiNewton *qn) { return 2 * qn->memory; }

BT_SIMD static double dot(size_t n, const float *restrict a, const float *restrict b) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t j = 0; j < n; j++) sum += a[j] * b[j];
  return (double)sum;
}

BT_SIMD static void round_to_single(size_t n, const double *restrict in, float *restrict out) {
  for (size_t j = 0; j < n; j++) out[j] = (float)in[j];
}

/* s ← step·direction, y ← gradient − before, g ← gradient. */
BT_SIMD static void form_pair(size_t n, double step, const float *restrict direction,
                              const double *restrict before, const double *restrict gradient,
                              float *restrict s, float *restrict y, float *restrict g) {
  const float factor = (float)step;
  for (size_t j = 0; j < n; j++) {
    s[j] = factor * direction[j];
    y[j] = (float)(gradient[j] - before[j]);
    g[j] = (float)gradient[j];
  }
}

/* out ← Σ_k coefficient_k vector_k, four vectors to a pass. */
BT_SIMD static void combine(size_t n, int count, const float *const *vectors, const float *coefficients,
                            float *restrict out) {
  for (size_t j = 0; j < n; j++) out[j] = 0;
  for (int k = 0; k < count; k += 4) {
    const float *restrict v[4];
    float c[4];
    for (int i = 0; i < 4; i++) {
      v[i] = vectors[k + i < count ? k + i : k];
      c[i] = k + i < count ? coefficients[k + i] : 0;
    }
    for (size_t j = 0; j < n; j++)
      out[j] += c[0] * v[0][j] + c[1] * v[1][j] + c[2] * v[2][j] + c[3] * v[3][j];
  }
}

static size_t chunk_size(const BtQuasiNewton *qn, size_t start) {
  return qn->n - start < chunk ? qn->n - start : chunk;
}

static void set_product(BtQuasiNewton *qn, int a, int b, double value) {
  qn->products[a][b] = qn->products[b][a] = value;
}

void bt_quasi_newton_start(BtQuasiNewton *qn, const double *gradient) {
  const int g = gradient_index(qn);
  double sum = 0;
  qn->count = qn->next = 0;
  for (size_t j = 0; j < qn->n; j += chunk) {
    const size_t size = chunk_size(qn, j);
    round_to_single(size, gradient + j, vector(qn, g) + j);
    sum += dot(size, vector(qn, g) + j, vector(qn, g) + j);
  }
  set_product(qn, g, g, sum);
}

int bt_quasi_newton_update(BtQuasiNewton *qn, double step, const float *direction, const double *before,
                           const double *gradient) {
  const int place = qn->next, held = qn->count < qn->memory ? qn->count + 1 : qn->memory;
  const int fresh[3] = {place, qn->memory + place, gradient_index(qn)};
  double sums[3][2 * BT_QUASI_NEWTON_MEMORY_MAX + 1] = {{0}};
  for (size_t j = 0; j < qn->n; j += chunk) {
    const size_t size = chunk_size(qn, j);
    form_pair(size, step, direction + j, before + j, gradient + j, vector(qn, fresh[0]) + j,
              vector(qn, fresh[1]) + j, vector(qn, fresh[2]) + j);
    for (int f = 0; f < 3; f++) {
      const float *v = vector(qn, fresh[f]) + j;
      for (int k = 0; k < held; k++) {
        sums[f][k] += dot(size, v, vector(qn, k) + j);
        sums[f][qn->memory + k] += dot(size, v, vector(qn, qn->memory + k) + j);
      }
      sums[f][fresh[2]] += dot(size, v, vector(qn, fresh[2]) + j);
    }
  }
  for (int f = 0; f < 3; f++) {
    for (int k = 0; k < held; k++) {
      set_product(qn, fresh[f], k, sums[f][k]);
      set_product(qn, fresh[f], qn->memory + k, sums[f][qn->memory + k]);
    }
    set_product(qn, fresh[f], fresh[2], sums[f][fresh[2]]);
  }
  const double sy = qn->products[fresh[0]][fresh[1]], yy = qn->products[fresh[1]][fresh[1]];
  const double ss = qn->products[fresh[0]][fresh[0]];
  if (!(sy > 0 && sy * sy > 1e-16 * ss * yy)) {
    /* The place of the oldest pair was overwritten. */
    if (qn->count == qn->memory) qn->count = qn->next = 0;
    return 0;
  }
  qn->count = held;
  qn->next = (place + 1) % qn->memory;
  return 1;
}

/* Place of the k-th pair, the oldest first. */
static int place_of(const BtQuasiNewton *qn, int k) {
  return (qn->next - qn->count + k + qn->memory) % qn->memory;
}

/* vₐᵀ Σ_k c_k v_k over the vectors in use. */
static double product_with(const BtQuasiNewton *qn, int a, const double *c) {
  double sum = c[gradient_index(qn)] * qn->products[a][gradient_index(qn)];
  for (int k = 0; k < qn->count; k++) {
    const int s = place_of(qn, k), y = qn->memory + s;
    sum += c[s] * qn->products[a][s] + c[y] * qn->products[a][y];
  }
  return sum;
}

double bt_quasi_newton_direction(const BtQuasiNewton *qn, float *direction) {
  const int g = gradient_index(qn);
  double c[2 * BT_QUASI_NEWTON_MEMORY_MAX + 1] = {0}, alpha[BT_QUASI_NEWTON_MEMORY_MAX];
  c[g] = -1;
  /* The two-loop recursion on coefficients. */
  for (int k = qn->count - 1; k >= 0; k--) {
    const int s = place_of(qn, k), y = qn->memory + s;
    alpha[k] = product_with(qn, s, c) / qn->products[s][y];
    c[y] -= alpha[k];
  }
  if (qn->count) {
    const int s = place_of(qn, qn->count - 1), y = qn->memory + s;
    const double scale = qn->products[s][y] / qn->products[y][y];
    for (int k = 0; k <= g; k++) c[k] *= scale;
  }
  for (int k = 0; k < qn->count; k++) {
    const int s = place_of(qn, k), y = qn->memory + s;
    c[s] += alpha[k] - product_with(qn, y, c) / qn->products[s][y];
  }
  const double slope = product_with(qn, g, c);
  const float *vectors[2 * BT_QUASI_NEWTON_MEMORY_MAX + 1];
  float coefficients[2 * BT_QUASI_NEWTON_MEMORY_MAX + 1];
  for (size_t j = 0; j < qn->n; j += chunk) {
    int count = 0;
    for (int k = 0; k < qn->count; k++) {
      const int s = place_of(qn, k), y = qn->memory + s;
      vectors[count] = vector(qn, s) + j;
      coefficients[count++] = (float)c[s];
      vectors[count] = vector(qn, y) + j;
      coefficients[count++] = (float)c[y];
    }
    vectors[count] = vector(qn, g) + j;
    coefficients[count++] = (float)c[g];
    combine(chunk_size(qn, j), count, vectors, coefficients, direction + j);
  }
  return slope;
}

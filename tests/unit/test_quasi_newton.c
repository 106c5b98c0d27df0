/* L-BFGS by coefficients against the two-loop recursion on vectors, in double precision. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "lowerlevel/quasi_newton.h"
#include "lowerlevel/vector.h"

enum { steps = 13, largest = 5003 };

typedef struct {
  size_t n;
  double s[steps][largest], y[steps][largest], g[largest];
  int count;
} Reference;

/* −B g, by Nocedal & Wright 2006, algorithm 7.4, from the last `memory` pairs. */
static void reference_direction(const Reference *ref, int memory, double *d) {
  double alpha[steps] = {0};
  const int first = ref->count > memory ? ref->count - memory : 0;
  for (size_t j = 0; j < ref->n; j++) d[j] = -ref->g[j];
  for (int k = ref->count - 1; k >= first; k--) {
    alpha[k] = bt_dot(ref->s[k], d, ref->n) / bt_dot(ref->s[k], ref->y[k], ref->n);
    for (size_t j = 0; j < ref->n; j++) d[j] -= alpha[k] * ref->y[k][j];
  }
  if (ref->count) {
    const int k = ref->count - 1;
    const double scale = bt_dot(ref->s[k], ref->y[k], ref->n) / bt_dot(ref->y[k], ref->y[k], ref->n);
    for (size_t j = 0; j < ref->n; j++) d[j] *= scale;
  }
  for (int k = first; k < ref->count; k++) {
    const double beta = bt_dot(ref->y[k], d, ref->n) / bt_dot(ref->s[k], ref->y[k], ref->n);
    for (size_t j = 0; j < ref->n; j++) d[j] += (alpha[k] - beta) * ref->s[k][j];
  }
}

/* The gradient of ½ Σ_j (1 + j/n · 9) x_j² at x. */
static void quadratic_gradient(size_t n, const double *x, double *g) {
  for (size_t j = 0; j < n; j++) g[j] = (1 + 9 * (double)j / (double)n) * x[j];
}

static void follows_the_recursion(size_t n, int memory) {
  static Reference ref;
  static double x[largest], before[largest], d[largest], expected[largest];
  static float direction[largest];
  BtQuasiNewton qn;
  memset(&ref, 0, sizeof ref);
  ref.n = n;
  if (!BT_CHECK(bt_quasi_newton_create(n, memory, &qn))) return;
  for (size_t j = 0; j < n; j++) x[j] = bt_rng_normal(7, 0, j);
  quadratic_gradient(n, x, ref.g);
  bt_quasi_newton_start(&qn, ref.g);
  for (int k = 0; k < steps; k++) {
    const double slope = bt_quasi_newton_direction(&qn, direction);
    reference_direction(&ref, memory, expected);
    for (size_t j = 0; j < n; j++) d[j] = direction[j];
    BT_CHECK(bt_distance(d, expected, n) <= 2e-4 * bt_norm(expected, n));
    BT_CHECK(fabs(slope - bt_dot(d, ref.g, n)) <= 1e-4 * fabs(slope) && slope < 0);
    /* Steps of various length, so that the pairs are not those of exact line searches. */
    const double t = k % 3 ? 0.7 : 0.2;
    memcpy(before, ref.g, n * sizeof *before);
    for (size_t j = 0; j < n; j++) x[j] += t * d[j];
    quadratic_gradient(n, x, ref.g);
    BT_CHECK(bt_quasi_newton_update(&qn, t, direction, before, ref.g));
    for (size_t j = 0; j < n; j++) {
      ref.s[k][j] = t * d[j];
      ref.y[k][j] = ref.g[j] - before[j];
    }
    ref.count++;
  }
  bt_quasi_newton_clear(&qn);
}

static void recursion(void) {
  follows_the_recursion(1, 1);
  follows_the_recursion(17, 3);
  follows_the_recursion(2048, 8);
  follows_the_recursion(5003, 8);
  follows_the_recursion(5003, BT_QUASI_NEWTON_MEMORY_MAX);
}

/* Negative curvature is not taken, and what is left still descends. */
static void refuses_negative_curvature(void) {
  enum { n = 100 };
  double g[n], after[n];
  float d[n];
  for (int memory = 1; memory <= 3; memory++) {
    BtQuasiNewton qn;
    if (!BT_CHECK(bt_quasi_newton_create(n, memory, &qn))) return;
    for (size_t j = 0; j < n; j++) g[j] = bt_rng_normal(3, 0, j);
    bt_quasi_newton_start(&qn, g);
    for (int k = 0; k < 5; k++) {
      const int concave = k % 2;
      BT_CHECK(bt_quasi_newton_direction(&qn, d) < 0);
      for (size_t j = 0; j < n; j++) after[j] = g[j] + (concave ? -0.1 : 0.1) * (double)d[j];
      BT_CHECK(bt_quasi_newton_update(&qn, 1, d, g, after) == !concave);
      memcpy(g, after, sizeof g);
    }
    bt_quasi_newton_clear(&qn);
  }
}

int main(void) {
  static const BtTest tests[] = {
      {"the two-loop recursion", recursion},
      {"negative curvature", refuses_negative_curvature},
  };
  return bt_test_main("quasi-Newton", tests, sizeof tests / sizeof *tests);
}

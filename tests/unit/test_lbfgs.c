/* L-BFGS against BFGS with matrices. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "linesearch/lbfgs.h"

enum { P = 6 };

/* H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ */
static void bfgs_update(double *h, const double *s, const double *y) {
  double rho = 0, left[P * P], next[P * P];
  for (size_t k = 0; k < P; k++) rho += s[k] * y[k];
  rho = 1 / rho;
  for (size_t i = 0; i < P; i++)
    for (size_t j = 0; j < P; j++) {
      left[i * P + j] = h[i * P + j];
      for (size_t k = 0; k < P; k++) left[i * P + j] -= rho * s[i] * y[k] * h[k * P + j];
    }
  for (size_t i = 0; i < P; i++)
    for (size_t j = 0; j < P; j++) {
      next[i * P + j] = left[i * P + j] + rho * s[i] * s[j];
      for (size_t k = 0; k < P; k++) next[i * P + j] -= left[i * P + k] * rho * y[k] * s[j];
    }
  memcpy(h, next, P * P * sizeof *h);
}

/* The two-loop recursion is the explicit matrix built from the last pairs. */
static void lbfgs_is_bfgs(void) {
  enum { PAIRS = 2 * BT_LBFGS_MEMORY + 3 };
  static const double curvature[P] = {1, 3, 0.2, 7, 2, 0.5};
  double s[PAIRS][P], y[PAIRS][P], z[P], d[P];
  BtLbfgs lbfgs;
  BT_NEED(bt_lbfgs_create(P, &lbfgs) == BT_OK);
  bt_rng_fill_normal(5, 50, 0, P, z);
  bt_lbfgs_apply(&lbfgs, z, d);
  BT_CHECK(memcmp(d, z, sizeof d) == 0);
  for (int n = 0; n < PAIRS; n++) {
    bt_rng_fill_normal(5, (uint64_t)n, 0, P, s[n]);
    for (size_t k = 0; k < P; k++) y[n][k] = curvature[k] * s[n][k];
    BT_CHECK(bt_lbfgs_update(&lbfgs, s[n], y[n], 0) == 1);
    const int first = n + 1 > BT_LBFGS_MEMORY ? n + 1 - BT_LBFGS_MEMORY : 0;
    double h[P * P] = {0}, sy = 0, yy = 0, wanted[P] = {0}, error = 0, size = 0;
    for (size_t k = 0; k < P; k++) sy += s[n][k] * y[n][k], yy += y[n][k] * y[n][k];
    for (size_t k = 0; k < P; k++) h[k * P + k] = sy / yy;
    for (int m = first; m <= n; m++) bfgs_update(h, s[m], y[m]);
    for (size_t i = 0; i < P; i++)
      for (size_t j = 0; j < P; j++) wanted[i] += h[i * P + j] * z[j];
    bt_lbfgs_apply(&lbfgs, z, d);
    for (size_t k = 0; k < P; k++) {
      error = fmax(error, fabs(d[k] - wanted[k]));
      size = fmax(size, fabs(wanted[k]));
    }
    BT_CHECK_ROW(error <= 1e-10 * size, "after %d pairs: error %g", n + 1, error);
  }
  const int64_t count = lbfgs.count;
  for (size_t k = 0; k < P; k++) y[0][k] = -s[0][k];
  BT_CHECK(bt_lbfgs_update(&lbfgs, s[0], y[0], 0) == 0 && lbfgs.count == count);
  BT_CHECK(bt_lbfgs_update(&lbfgs, s[1], y[1], 1e9) == 0 && lbfgs.count == count);
  bt_lbfgs_clear(&lbfgs);
}

static const BtTest tests[] = {{"L-BFGS is BFGS on the last pairs", lbfgs_is_bfgs}};

int main(void) { return bt_test_main("L-BFGS", tests, 1); }

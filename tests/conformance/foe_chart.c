/* The chart of weakly convex fields of experts: its derivative, and that what it promises of the Hessian is
 * so. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "core/rng.h"
#include "harness.h"
#include "lowerlevel/vector.h"
#include "suites.h"

enum { PIXELS = 81, STARTS = 12 };

/* From far below saturation to far above. */
static void free_parameters(const BtRegularizer *foe, uint64_t trial, double *free_) {
  foe->ops->initial_random(foe, 25.0 / 255.0, trial, free_);
  for (size_t j = 0; j < foe->parameters; j++) {
    const char *name = foe->ops->parameter_name(foe, j);
    free_[j] += (strcmp(name, "filter") == 0 ? 0.2 : 0.5) * bt_rng_normal(80, trial, j);
    if (strcmp(name, "log_ratio") == 0 && trial % 3 == 0) free_[j] -= 5;
  }
  free_[0] += (double)trial - 2;
}

static double along_chart(const BtRegularizer *foe, const double *free_, const double *d, double t,
                          const double *g) {
  double moved[FOE_MAX_PARAMETERS], theta[FOE_MAX_PARAMETERS];
  for (size_t j = 0; j < foe->parameters; j++) moved[j] = free_[j] + t * d[j];
  foe->ops->chart(foe, moved, theta);
  return bt_dot(g, theta, foe->parameters);
}

/* ‖T'‖ by power iteration: T'ᵀ is the identity but for e₀, which it maps to `row`. */
static double chart_norm(const double *row, size_t p) {
  double v[FOE_MAX_PARAMETERS], norm = 0;
  for (size_t j = 0; j < p; j++) v[j] = bt_rng_normal(83, 0, j);
  for (int k = 0; k < 200; k++) {
    const double size = bt_norm(v, p);
    double image[FOE_MAX_PARAMETERS];
    for (size_t j = 0; j < p; j++) image[j] = (j ? v[j] : 0) / size + row[j] * v[0] / size; /* T'ᵀ v */
    norm = fmax(norm, bt_norm(image, p));
    v[0] = bt_dot(row, image, p); /* T' of that */
    memcpy(v + 1, image + 1, (p - 1) * sizeof *v);
  }
  return norm;
}

void foe_chart_is_differentiated(void) {
  static const double step = 1e-5;
  for (size_t c = 0; c < foe_case_count; c++)
    for (uint64_t trial = 0; trial < STARTS; trial++) {
      const BtRegularizer foe = bt_foe(foe_cases[c].potential, foe_cases[c].filters, foe_cases[c].size);
      const size_t p = foe.parameters;
      double free_[FOE_MAX_PARAMETERS], g[FOE_MAX_PARAMETERS], d[FOE_MAX_PARAMETERS],
          pulled[FOE_MAX_PARAMETERS];
      double row[FOE_MAX_PARAMETERS] = {1};
      free_parameters(&foe, trial, free_);
      bt_rng_fill_normal(81, trial, 0, p, g);
      bt_rng_fill_normal(82, trial, 0, p, d);
      memcpy(pulled, g, p * sizeof *g);
      const double bound = foe.ops->chart_adjoint(&foe, free_, pulled);
      const double slope =
          (along_chart(&foe, free_, d, step, g) - along_chart(&foe, free_, d, -step, g)) / (2 * step);
      const double claimed = bt_dot(pulled, d, p), size = bt_norm(pulled, p) * bt_norm(d, p);
      BT_CHECK_ROW(fabs(slope - claimed) <= 1e-6 * size, "%s trial %d: slope %g, differences %g",
                   foe_cases[c].name, (int)trial, claimed, slope);
      (void)foe.ops->chart_adjoint(&foe, free_, row);
      const double norm = chart_norm(row, p);
      BT_CHECK_ROW(norm <= bound * (1 + 1e-12) && bound <= 2.5 * norm, "%s trial %d: |T'| %g, bound %g",
                   foe_cases[c].name, (int)trial, norm, bound);
    }
}

/* Least eigenvalue of the symmetric h[n][n] and its vector: power iterations on lipschitz·I − H, from above.
 */
static double least_eigenvalue(const double *h, size_t n, double lipschitz, double *v) {
  double product[PIXELS], value = 0;
  for (int k = 0; k < 300; k++) {
    const double size = bt_norm(v, n);
    for (size_t i = 0; i < n; i++) v[i] /= size;
    for (size_t i = 0; i < n; i++) product[i] = bt_dot(h + i * n, v, n);
    value = bt_dot(v, product, n);
    for (size_t i = 0; i < n; i++) v[i] = lipschitz * v[i] - product[i];
  }
  return value;
}

/* The most concave Hessian met: from x a multiple of a vector along which concavity is great, at many scales,
 * again and again from the eigenvector found. */
static double most_concave(const BtRegularizer *foe, BtShape s, const double *theta, uint64_t trial,
                           double *curvature) {
  static double h[PIXELS * PIXELS];
  const size_t n = bt_shape_size(s);
  BtRegularizerConstants k;
  double x[PIXELS], v[PIXELS], unit[PIXELS] = {0}, least = 0;
  foe->ops->constants(foe, s, theta, &k);
  bt_rng_fill_normal(84, trial, 0, n, v);
  for (int round = 0; round < 3; round++) {
    double direction[PIXELS], best[PIXELS];
    memcpy(direction, v, n * sizeof *v);
    memcpy(best, v, n * sizeof *v);
    const double size = bt_norm(direction, n);
    for (double scale = 1e-2; scale < 1e3; scale *= 2) {
      for (size_t i = 0; i < n; i++) x[i] = scale * direction[i] / size;
      foe->ops->curvature(foe, s, theta, x, curvature);
      for (size_t i = 0; i < n; i++) {
        unit[i] = 1;
        foe->ops->hess_mult(foe, s, curvature, unit, h + i * n);
        unit[i] = 0;
      }
      bt_rng_fill_normal(85, trial, 0, n, v);
      const double value = least_eigenvalue(h, n, k.lipschitz, v);
      if (value < least) memcpy(best, v, n * sizeof *v);
      least = fmin(least, value);
    }
    memcpy(v, best, n * sizeof *v);
  }
  return least;
}

void foe_chart_keeps_the_modulus(void) {
  static const BtShape shapes[] = {{9, 9}, {4, 11}, {2, 3}};
  double worst = 0;
  for (size_t c = 0; c < foe_case_count; c++) {
    if (foe_cases[c].potential != BT_FOE_WEAK) continue;
    const BtRegularizer foe = bt_foe(BT_FOE_WEAK, foe_cases[c].filters, foe_cases[c].size);
    for (uint64_t trial = 0; trial < STARTS; trial++)
      for (size_t shape = 0; shape < 3; shape++) {
        const BtShape s = shapes[shape];
        double free_[FOE_MAX_PARAMETERS], theta[FOE_MAX_PARAMETERS];
        BtRegularizerConstants k;
        free_parameters(&foe, trial, free_);
        foe.ops->chart(&foe, free_, theta);
        foe.ops->constants(&foe, s, theta, &k);
        double *curvature = malloc(foe.ops->curvature_size(&foe, s) * sizeof *curvature);
        if (!BT_CHECK(curvature != NULL)) return;
        const double least = most_concave(&foe, s, theta, trial, curvature);
        free(curvature);
        BT_CHECK_ROW(k.proof == BT_PROVEN && k.convexity >= -BT_FOE_MODULUS, "%s trial %d: convexity %g",
                     foe_cases[c].name, (int)trial, k.convexity);
        BT_CHECK_ROW(least >= k.convexity - 1e-9 * k.lipschitz,
                     "%s %zux%zu trial %d: eigenvalue %g, convexity %g", foe_cases[c].name, s.height, s.width,
                     (int)trial, least, k.convexity);
        worst = fmin(worst, least);
      }
  }
  if (getenv("BITUNE_VERBOSE")) printf("\nleast eigenvalue met %g, modulus %g\n", worst, BT_FOE_MODULUS);
  /* What was tried does come near what is excluded. */
  BT_CHECK(worst < -0.3 * BT_FOE_MODULUS);
}

#include <math.h>
#include <nlopt.h>
#include <stdlib.h>
#include <string.h>

#include "linesearch/gaussian_process_internal.h"
#include "core/lapack.h"

BtStatus bt_gp_create(BtContext *ctx, BtGpKernel kernel, size_t p, size_t most, BtGp *gp) {
  *gp = (BtGp){.kernel = kernel, .p = p, .most = most, .noise = 1e-4};
  for (size_t j = 0; j < BT_GP_MOST_SCALES; j++) gp->scales[j] = 0.3;
  gp->factor = calloc(most * (most + 3), sizeof *gp->factor);
  if (!gp->factor) return bt_fail_memory(ctx, "a Gaussian process", 8.0 * (double)(most * most));
  gp->weights = gp->factor + most * most;
  gp->ones = gp->weights + most;
  gp->k = gp->ones + most;
  return BT_OK;
}

void bt_gp_clear(BtGp *gp) {
  free(gp->factor);
  *gp = (BtGp){0};
}

static size_t scale_count(const BtGp *gp) { return gp->p <= BT_GP_MOST_SCALES ? gp->p : 1; }

static double correlation(const BtGp *gp, const double *a, const double *b) {
  static const double root5 = 2.23606797749979;
  const size_t own = scale_count(gp);
  double r2 = 0;
  for (size_t j = 0; j < gp->p; j++) {
    const double d = (a[j] - b[j]) / gp->scales[own > 1 ? j : 0];
    r2 += d * d;
  }
  if (gp->kernel == BT_GP_SQUARED_EXPONENTIAL) return exp(-0.5 * r2);
  const double r = sqrt(r2);
  return (1 + root5 * r + 5.0 / 3 * r2) * exp(-root5 * r);
}

static void solve(const BtGp *gp, double *b) {
  const int n = (int)gp->n, one = 1;
  int info = 0;
  dpotrs_("L", &n, &one, gp->factor, &n, b, &n, &info);
}

int bt_gp_condition(BtGp *gp, size_t n, const double *x, const double *y) {
  gp->n = n;
  gp->x = x;
  gp->y = y;
  for (size_t j = 0; j < n; j++)
    for (size_t i = j; i < n; i++)
      gp->factor[j * n + i] = i == j ? 1 + gp->noise : correlation(gp, x + i * gp->p, x + j * gp->p);
  const int size = (int)n;
  int info = 0;
  dpotrf_("L", &size, gp->factor, &size, &info);
  if (info != 0) return 0;
  /* m = 1ᵀK⁻¹y / 1ᵀK⁻¹1, σ² = (y − m)ᵀK⁻¹(y − m)/n */
  double weighted = 0, total = 0;
  for (size_t i = 0; i < n; i++) gp->ones[i] = 1;
  solve(gp, gp->ones);
  for (size_t i = 0; i < n; i++) weighted += gp->ones[i] * y[i], total += gp->ones[i];
  gp->mean = weighted / total;
  for (size_t i = 0; i < n; i++) gp->weights[i] = y[i] - gp->mean;
  solve(gp, gp->weights);
  gp->variance = 0;
  for (size_t i = 0; i < n; i++) gp->variance += gp->weights[i] * (y[i] - gp->mean) / (double)n;
  return isfinite(gp->mean) && gp->variance >= 0;
}

double bt_gp_likelihood(const BtGp *gp) {
  static const double least = 1e-300; /* equal values */
  double log_determinant = 0;
  for (size_t i = 0; i < gp->n; i++) log_determinant += 2 * log(gp->factor[i * gp->n + i]);
  return -0.5 * ((double)gp->n * log(fmax(gp->variance, least)) + log_determinant);
}

void bt_gp_predict(BtGp *gp, const double *x, double *mean, double *deviation) {
  double reached = 0;
  *mean = gp->mean;
  for (size_t i = 0; i < gp->n; i++) {
    gp->k[i] = gp->ones[i] = correlation(gp, x, gp->x + i * gp->p);
    *mean += gp->k[i] * gp->weights[i];
  }
  solve(gp, gp->ones);
  for (size_t i = 0; i < gp->n; i++) reached += gp->k[i] * gp->ones[i];
  *deviation = sqrt(gp->variance * fmax(0, 1 - reached));
}

typedef struct {
  BtGp *gp;
  size_t n;
  const double *x, *y;
} Fit;

/* Logarithms of the length scales, then of the noise. */
static void set_logarithms(BtGp *gp, const double *logs) {
  const size_t scales = scale_count(gp);
  for (size_t j = 0; j < scales; j++) gp->scales[j] = exp(logs[j]);
  gp->noise = exp(logs[scales]);
}

static double minus_likelihood(unsigned count, const double *logs, double *gradient, void *user) {
  Fit *fit = user;
  static const double impossible = 1e30;
  (void)count, (void)gradient;
  set_logarithms(fit->gp, logs);
  if (!bt_gp_condition(fit->gp, fit->n, fit->x, fit->y)) return impossible;
  return -bt_gp_likelihood(fit->gp);
}

BtStatus bt_gp_fit(BtContext *ctx, BtGp *gp, size_t n, const double *x, const double *y) {
  static const double starts[] = {0.15, 0.6}, shortest = 0.02, longest = 10, least_noise = 1e-8,
                      most_noise = 0.1;
  const size_t scales = scale_count(gp);
  double best[BT_GP_MOST_SCALES + 1], logs[BT_GP_MOST_SCALES + 1], least = HUGE_VAL;
  double lo[BT_GP_MOST_SCALES + 1], hi[BT_GP_MOST_SCALES + 1];
  Fit fit = {gp, n, x, y};
  for (size_t j = 0; j <= scales; j++) {
    lo[j] = log(j < scales ? shortest : least_noise);
    hi[j] = log(j < scales ? longest : most_noise);
    best[j] = log(j < scales ? 0.3 : 1e-4);
  }
  nlopt_opt opt = nlopt_create(NLOPT_LN_SBPLX, (unsigned)scales + 1);
  if (!opt) return bt_fail_memory(ctx, "NLopt", 1024);
  int ok = nlopt_set_min_objective(opt, minus_likelihood, &fit) > 0 && nlopt_set_lower_bounds(opt, lo) > 0 &&
           nlopt_set_upper_bounds(opt, hi) > 0 && nlopt_set_xtol_abs1(opt, 0.02) > 0 &&
           nlopt_set_maxeval(opt, 60 * (int)(scales + 1)) > 0;
  for (size_t s = 0; ok && s < sizeof starts / sizeof *starts; s++) {
    double found;
    for (size_t j = 0; j <= scales; j++) logs[j] = j < scales ? log(starts[s]) : log(1e-4);
    const nlopt_result result = nlopt_optimize(opt, logs, &found);
    ok = result > 0 || result == NLOPT_ROUNDOFF_LIMITED;
    if (ok && found < least) least = found, memcpy(best, logs, sizeof best);
  }
  nlopt_destroy(opt);
  if (!ok) return bt_fail(ctx, BT_ERR_LIBRARY, "NLopt fails to fit a Gaussian process");
  set_logarithms(gp, best);
  return BT_OK;
}

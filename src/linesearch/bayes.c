#include "linesearch/bayes.h"

#include <math.h>
#include <nlopt.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "linesearch/gaussian_process_internal.h"
#include "linesearch/search_internal.h"

const BtOption bt_bayes_options[] = {
    BT_SEARCH_OPTION_BUDGETS(BtBayesSettings),
    BT_SEARCH_OPTION_EPS(BtBayesSettings),
    BT_SEARCH_OPTION_WIDTH(BtBayesSettings),
    BT_OPT_INT("initial-points", BtBayesSettings, initial, 0, BT_NONNEGATIVE, "N",
               "bayes: points of a Latin hypercube that come before the first model; 0: 2p + 2, at most half of the "
               "evaluations"),
    BT_OPT_CHOICE("covariance", BtBayesSettings, kernel, 0, "matern52|squared-exponential",
                  "bayes: covariance of the Gaussian process"),
    BT_OPT_END};

BtStatus bt_bayes_create(BtContext *ctx, const BtBayesSettings *settings, size_t p, const double *theta,
                         BtSearch *search) {
  *search = (BtSearch){0};
  if (p > BT_BAYES_MOST_PARAMETERS)
    return bt_fail(ctx, BT_ERR_ARG,
                   "method bayes is for at most %d parameters, not %zu; choose one that uses hypergradients",
                   BT_BAYES_MOST_PARAMETERS, p);
  if (settings->search.max_evaluations > BT_BAYES_MOST_EVALUATIONS)
    return bt_fail(ctx, BT_ERR_ARG, "--max-evaluations must be at most %d with method bayes, got %lld",
                   BT_BAYES_MOST_EVALUATIONS, (long long)settings->search.max_evaluations);
  return bt_search_create(ctx, &settings->search, 1, p, theta, search);
}

typedef struct {
  BtSearchRun run;
  const BtBayesSettings *set;
  const BtSearch *search;
  size_t p;
  double *x, *y;  /* [max_evaluations × p] record on the unit cube, values compressed  */
  double best;    /* least of y                                                       */
  double *at, *u; /* [p] scratch                                                      */
  BtGp gp;
} Bayes;

/* Streams of the counter-based generator. */
enum { DESIGN = 0x6465, CANDIDATES = 0x10000 };

static double uniform(const Bayes *b, uint64_t stream, uint64_t index) {
  return bt_rng_uniform(b->set->seed, 0x6261796573000000u + stream, index);
}

/* A short search should not end before its model has a say. */
static int64_t initial_points(const Bayes *b) {
  const int64_t usual = 2 * (int64_t)b->p + 2, half = b->set->search.max_evaluations / 2;
  if (b->set->initial > 0) return b->set->initial;
  return half < 2 ? 2 : half < usual ? half : usual;
}

/* The start, then a Latin hypercube: each of its points is alone in its slice of every axis. */
static void design(const Bayes *b, int64_t i, double *u) {
  const int64_t count = initial_points(b) - 1;
  for (size_t j = 0; j < b->p; j++) {
    const double lo = b->search->lo[j], side = b->search->hi[j] - lo;
    if (i == 0) {
      u[j] = side > 0 ? (b->search->start[j] - lo) / side : 0.5;
      continue;
    }
    /* The rank of this point's key among the axis' keys is a random permutation. */
    const uint64_t axis = DESIGN + 2 * (uint64_t)j;
    const double key = uniform(b, axis, (uint64_t)i);
    int64_t slice = 0;
    for (int64_t k = 1; k <= count; k++) slice += uniform(b, axis, (uint64_t)k) < key;
    u[j] = ((double)slice + uniform(b, axis + 1, (uint64_t)i)) / (double)count;
  }
}

static void from_cube(const Bayes *b, const double *u, double *theta) {
  for (size_t j = 0; j < b->p; j++) {
    const double lo = b->search->lo[j], hi = b->search->hi[j];
    theta[j] = fmin(hi, fmax(lo, lo + u[j] * (hi - lo)));
  }
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Values above the median are compressed by a logarithm, so that the steep walls of a loss do not drown its
 * valley; what is outside the domain counts as the worst. */
static void compress(Bayes *b, int64_t n) {
  double worst = -HUGE_VAL, best = HUGE_VAL;
  double *sorted = b->y + n; /* room for twice max_evaluations */
  for (int64_t i = 0; i < n; i++) {
    const double v = bt_search_value(b->search, i).value;
    if (isfinite(v)) worst = fmax(worst, v), best = fmin(best, v);
  }
  for (int64_t i = 0; i < n; i++) {
    const double v = bt_search_value(b->search, i).value;
    b->y[i] = isfinite(v) ? v : isfinite(worst) ? worst : 0;
  }
  memcpy(sorted, b->y, (size_t)n * sizeof *sorted);
  qsort(sorted, (size_t)n, sizeof *sorted, by_value);
  const double middle = sorted[n / 2], scale = middle - sorted[0];
  for (int64_t i = 0; i < n; i++)
    if (scale > 0 && b->y[i] > middle) b->y[i] = middle + scale * log1p((b->y[i] - middle) / scale);
  b->best = sorted[0];
}

/* log of E[max(best − f, 0)], without underflow far from it. */
static double log_improvement(Bayes *b, const double *u) {
  static const double root_2pi = 2.5066282746310002, far = -25;
  double mean, s;
  bt_gp_predict(&b->gp, u, &mean, &s);
  if (!(s > 0)) return -HUGE_VAL;
  const double t = (b->best - mean) / s, log_density = -0.5 * t * t - log(root_2pi);
  if (t < far) return log(s) + log_density - 2 * log(-t);
  return log(s) + log(t * 0.5 * erfc(-t / sqrt(2)) + exp(log_density));
}

static double objective(unsigned n, const double *u, double *gradient, void *user) {
  static const double impossible = -1e30;
  (void)n, (void)gradient;
  return fmax(impossible, log_improvement(user, u));
}

/* Moves u to a local maximum. */
static double climb(Bayes *b, double *u) {
  double found = log_improvement(b, u);
  nlopt_opt opt = nlopt_create(NLOPT_LN_SBPLX, (unsigned)b->p);
  if (!opt) return found;
  const int ok = nlopt_set_max_objective(opt, objective, b) > 0 && nlopt_set_lower_bounds1(opt, 0) > 0 &&
                 nlopt_set_upper_bounds1(opt, 1) > 0 && nlopt_set_initial_step1(opt, 0.02) > 0 &&
                 nlopt_set_xtol_abs1(opt, 1e-5) > 0 && nlopt_set_maxeval(opt, 60 * (int)b->p) > 0;
  if (ok) (void)nlopt_optimize(opt, u, &found);
  nlopt_destroy(opt);
  return found;
}

static int is_known(const Bayes *b, int64_t n, const double *u) {
  static const double near = 1e-7;
  for (int64_t i = 0; i < n; i++) {
    double d = 0;
    for (size_t j = 0; j < b->p; j++) d = fmax(d, fabs(u[j] - b->x[i * (int64_t)b->p + (int64_t)j]));
    if (d < near) return 1;
  }
  return 0;
}

/* u ← the maximizer of the expected improvement: the best of random candidates over the cube and around the
 * best point, improved locally. */
static void propose(Bayes *b, int64_t n, double *u) {
  static const uint64_t candidates = 600;
  static const double radii[] = {0.2, 0.05, 0.01};
  const uint64_t stream = CANDIDATES + (uint64_t)n;
  double *found = b->at, best = -HUGE_VAL;
  const double *centre = b->x;
  for (int64_t i = 1; i < n; i++)
    if (b->y[i] < b->y[(centre - b->x) / (ptrdiff_t)b->p]) centre = b->x + i * (int64_t)b->p;
  for (size_t j = 0; j < b->p; j++) found[j] = uniform(b, stream, j);
  for (uint64_t c = 0; c < candidates; c++) {
    const double radius = c % 2 ? radii[c / 2 % 3] : 0;
    for (size_t j = 0; j < b->p; j++) {
      const double r = uniform(b, stream, (c + 1) * b->p + j);
      u[j] = radius > 0 ? fmin(1, fmax(0, centre[j] + radius * (2 * r - 1))) : r;
    }
    const double value = log_improvement(b, u);
    if (value > best && !is_known(b, n, u)) best = value, memcpy(found, u, b->p * sizeof *u);
  }
  memcpy(u, found, b->p * sizeof *u);
  (void)climb(b, u);
  if (is_known(b, n, u)) memcpy(u, found, b->p * sizeof *u);
}

/* Length scales are fitted anew at every evaluation while that is cheap. They depend on the record alone, so
 * that a resumed run has the same. */
static int64_t fitted_on(int64_t n) {
  static const int64_t cheap = 60, every = 5;
  return n <= cheap ? n : n - n % every;
}

static BtStatus next_point(Bayes *b, int64_t n, int64_t *fitted, double *u) {
  BtContext *ctx = b->run.ctx;
  if (n < initial_points(b)) {
    design(b, n, u);
    return BT_OK;
  }
  for (int64_t i = 0; i < n; i++) {
    const double *theta = bt_search_point(b->search, i);
    for (size_t j = 0; j < b->p; j++) {
      const double side = b->search->hi[j] - b->search->lo[j];
      b->x[i * (int64_t)b->p + (int64_t)j] = side > 0 ? (theta[j] - b->search->lo[j]) / side : 0.5;
    }
  }
  const int64_t due = fitted_on(n);
  if (due != *fitted) {
    compress(b, due);
    const BtStatus st = bt_gp_fit(ctx, &b->gp, (size_t)due, b->x, b->y);
    if (st < 0) return st;
    *fitted = due;
  }
  compress(b, n);
  /* Points on top of one another ask for more noise. */
  const double noise = b->gp.noise;
  int ok = bt_gp_condition(&b->gp, (size_t)n, b->x, b->y);
  for (int tries = 0; !ok && tries < 8; tries++) {
    b->gp.noise *= 10;
    ok = bt_gp_condition(&b->gp, (size_t)n, b->x, b->y);
  }
  if (!ok)
    return bt_fail(ctx, BT_ERR_NUMERIC, "the Gaussian process of %lld values breaks down", (long long)n);
  propose(b, n, u);
  b->gp.noise = noise;
  return BT_OK;
}

BtStatus bt_bayes_run(BtContext *ctx, BtOracle *oracle, const BtBayesSettings *settings, BtSearch *search) {
  const size_t most = (size_t)settings->search.max_evaluations, p = search->p;
  Bayes b = {.run = bt_search_begin(ctx, oracle, &settings->search, search),
             .set = settings,
             .search = search,
             .p = p};
  BtInexactValue value;
  int64_t fitted = -1;
  b.x = calloc((most + 3) * p + 2 * most, sizeof *b.x);
  BtStatus st =
      b.x ? bt_gp_create(ctx, settings->kernel ? BT_GP_SQUARED_EXPONENTIAL : BT_GP_MATERN52, p, most, &b.gp)
          : bt_fail_memory(ctx, "Bayesian optimization", 8.0 * (double)(most * (p + 2)));
  if (st >= 0) {
    double *theta = b.x + most * p;
    b.at = theta + p;
    b.u = b.at + p;
    b.y = b.u + p;
    b.run.next = search->count;
    while (st == BT_OK && search->count < settings->search.max_evaluations) {
      st = next_point(&b, search->count, &fitted, b.u);
      if (st < 0) break;
      from_cube(&b, b.u, theta);
      st = bt_search_evaluate(&b.run, theta, settings->search.eps, &value);
    }
  }
  bt_gp_clear(&b.gp);
  free(b.x);
  return bt_search_end(&b.run, st, BT_SEARCH_DONE);
}

/* Certificates and hypergradients against solutions that are as accurate as rounding allows. */
#include <math.h>
#include <string.h>

#include "hypergrad/bilevel.h"
#include "hypergrad/conformance_internal.h"
#include "lowerlevel/tao_types.h"
#include "lowerlevel/vector.h"

static const double accurate_eps = 1e-12;

/* Solves from `point` as far as any solver gets: primal–dual Newton or Newton first, gradients for what is left. */
static BtStatus solve_accurately(BtContext *ctx, const BtConform *set, const double *theta, BtLowerPoint point,
                                 BtCertificate *cert) {
  static const char *const solvers[] = {BT_TAO_PDNEWTON, "nls", BT_TAO_FISTA};
  static const int64_t iterations[] = {1000, 100, 2000};
  BtStatus st = BT_NOT_CERTIFIED;
  for (size_t k = point.dual ? 0 : 1; k < sizeof solvers / sizeof *solvers && st == BT_NOT_CERTIFIED; k++) {
    const BtLowerSettings settings = {.solver = solvers[k], .max_iterations = iterations[k]};
    BtLower *lower = NULL;
    st = bt_lower_create(ctx, set->problem, &settings, &lower);
    if (st >= 0) st = bt_lower_solve(lower, ctx, set->i, theta, accurate_eps, point, cert);
    bt_lower_destroy(lower);
    /* Close enough that more would be lost in what is compared. */
    if (st == BT_NOT_CERTIFIED && cert->bound <= 100 * accurate_eps) break;
  }
  return st == BT_NOT_CERTIFIED && isfinite(cert->bound) ? BT_OK : st;
}

/* work->x, work->dual ← the solution at θ; *scale ← its distance from the cold start. */
static BtStatus find_truth(BtContext *ctx, const BtConform *set, BtConformWork *w, BtCertificate *truth,
                           double *scale) {
  const BtLowerPoint point = {w->x, w->dual_size ? w->dual : NULL};
  (void)set->problem->ops->cold_start(set->problem, set->i, set->theta, point.x, point.dual);
  memcpy(w->v[0], w->x, w->n * sizeof *w->x);
  const BtStatus st = solve_accurately(ctx, set, set->theta, point, truth);
  *scale = fmax(bt_distance(w->x, w->v[0], w->n), 1e-2 * bt_norm(w->x, w->n) + 1e-3);
  /* Nothing can be compared with a solution that is not one. */
  return st == BT_OK && !(truth->bound < 1e-4 * *scale) ? BT_NOT_CERTIFIED : st;
}

/* The least ε that a solver can be expected to reach. What rounding leaves for bitune's own types; PETSc's have line
 * searches that compare values, and these do not show gradients below √(u L |h|). */
static double attainable(const BtConform *set, const char *solver, const BtConformWork *w, double truth_bound,
                         double *gradient) {
  BtProblemConstants k;
  const int chosen = !solver || strcmp(solver, "auto") == 0;
  if (chosen ? w->dual_size > 0 : strncmp(solver, "bt_", 3) == 0) return 100 * truth_bound;
  set->problem->ops->constants(set->problem, set->i, set->theta, &k);
  const double value = set->problem->ops->value_grad(set->problem, set->i, set->theta, w->x, gradient);
  return fmax(100 * truth_bound, 10 * sqrt(BT_ROUNDOFF * k.lipschitz * fabs(value)) / k.mu);
}

enum { START_COLD, START_WARM, START_NEAR, START_KINDS };

/* COLD: anew. WARM: where the last solve ended. NEAR: a point ten times as far from the solution as is asked for. */
static void place_start(BtConformWork *w, int kind, double eps, BtLowerPoint point) {
  if (kind == START_COLD) (void)w->problem->ops->cold_start(w->problem, w->i, w->theta, point.x, point.dual);
  if (kind != START_NEAR) return;
  bt_conform_random_unit(w, w->n, point.x);
  for (size_t j = 0; j < w->n; j++) point.x[j] = w->x[j] + 10 * eps * point.x[j];
  if (point.dual) memcpy(point.dual, w->dual, w->dual_size * sizeof *point.dual);
}

BtStatus bt_conform_certificates(BtContext *ctx, const BtConform *conform, const BtLowerSettings *settings) {
  enum { DECADES = 8 };
  BtConformWork w = {0};
  BtLower *lower = NULL;
  BtCertificate truth, cert;
  BtStatus st = BT_OK;
  double scale, worst = 0, missed = 0;
  BT_TRY(bt_conform_begin(ctx, conform, NULL, &w));
  BT_TRY(find_truth(ctx, conform, &w, &truth, &scale));
  if (st != BT_OK) goto done;
  BT_TRY(bt_lower_create(ctx, conform->problem, settings, &lower));
  const BtLowerPoint point = {w.v[0], w.dual_size ? w.other_dual : NULL};
  const double least = attainable(conform, settings->solver, &w, truth.bound, w.v[1]);
  for (int kind = 0; kind < START_KINDS; kind++) {
    (void)conform->problem->ops->cold_start(conform->problem, conform->i, conform->theta, point.x, point.dual);
    double eps = 0.1 * scale;
    for (int k = 0; k < DECADES; k++, eps *= 0.1) {
      place_start(&w, kind, eps, point);
      BT_TRY(bt_lower_solve(lower, ctx, conform->i, conform->theta, eps, point, &cert));
      if (st == BT_STOPPED) goto done;
      const double distance = bt_distance(point.x, w.x, w.n) - truth.bound;
      worst = bt_conform_larger(worst, fmax(0, distance) / cert.bound);
      if ((st == BT_OK) != (cert.bound <= eps && cert.proof == BT_PROVEN) || (eps > least && st != BT_OK)) missed++;
      if (isnan(cert.bound)) worst = (double)NAN;
    }
  }
  st = BT_OK;
  bt_conform_row(conform, BT_CONFORM_CERTIFICATE, worst);
  bt_conform_row(conform, BT_CONFORM_REACHED, missed);
done:
  bt_lower_destroy(lower);
  bt_conform_end(&w);
  return st;
}

/* Geometric mean and extremes of positive ratios. */
typedef struct {
  double logs, least, largest;
  int count;
} Ratios;

static void add_ratio(Ratios *r, double ratio) {
  r->least = r->count ? fmin(r->least, ratio) : ratio;
  r->largest = r->count ? fmax(r->largest, ratio) : ratio;
  r->logs += log(ratio);
  r->count++;
}

static double mean_ratio(const Ratios *r) { return r->count ? exp(r->logs / r->count) : (double)NAN; }

typedef struct {
  const BtConform *set;
  const BtUpperLoss *loss;
  BtBilevel *bilevel;
  BtLower *lower;
  BtConformWork w;      /* x, dual: the solution; t[0]: its hypergradient       */
  BtCertificate truth;
  double truth_bound;   /* ω of t[0]                                            */
  double scale, upper_norm;
  double worst_bound, worst_global, worst_along;
  int globals;          /* finite bounds with global constants                  */
  Ratios bound, global, estimate;
} Comparison;

/* Points x̃ that are inexact in different ways. */
enum { FROM_SOLVER, FROM_NOISE, FROM_ONE_ENTRY, FROM_KINDS };

static BtStatus inexact_point(BtContext *ctx, Comparison *c, int kind, double eps, BtLowerPoint point,
                              BtCertificate *cert) {
  BtConformWork *w = &c->w;
  if (kind == FROM_SOLVER) {
    (void)w->problem->ops->cold_start(w->problem, w->i, w->theta, point.x, point.dual);
    return bt_lower_solve(c->lower, ctx, w->i, w->theta, eps, point, cert);
  }
  if (kind == FROM_ONE_ENTRY) {
    memset(point.x, 0, w->n * sizeof *point.x);
    point.x[w->n / 2] = 1;
  } else {
    bt_conform_random_unit(w, w->n, point.x);
  }
  for (size_t j = 0; j < w->n; j++) point.x[j] = w->x[j] + eps * point.x[j];
  return bt_lower_certify(c->lower, ctx, w->i, w->theta, 0, point.x, cert);
}

/* ∇g(x̃)ᵀ(x̂ − x̃), x̂ being known to truth.bound, against its interval; spends w.v[2]. */
static void compare_along(Comparison *c, const double *x, BtInterval along) {
  BtConformWork *w = &c->w;
  double *g = w->v[2], step = 0;
  const BtUpperPoint at = c->loss->ops->evaluate(c->loss, w->i, w->n, x, g);
  for (size_t j = 0; j < w->n; j++) step += g[j] * (w->x[j] - x[j]);
  const double centre = 0.5 * (along.least + along.most), reach = 0.5 * (along.most - along.least);
  const double known = at.slope * (c->truth.bound + 4 * BT_ROUNDOFF * bt_norm(x, w->n));
  c->worst_along = bt_conform_larger(c->worst_along, bt_conform_ratio(fmax(0, fabs(step - centre) - known), reach));
}

/* The error of one inexact hypergradient against its bounds. */
static void compare(Comparison *c, const double *z, const double *estimate, const BtHypergradientPart *part) {
  const size_t p = c->w.p;
  const double error = bt_distance(z, c->w.t[0], p), norm = bt_norm(c->w.t[0], p);
  if (isfinite(part->bound_global)) {
    c->globals++;
    c->worst_global = bt_conform_larger(c->worst_global, bt_conform_ratio(part->bound, part->bound_global));
  }
  c->worst_bound = bt_conform_larger(c->worst_bound, bt_conform_ratio(error, part->bound));
  /* Ratios where the error is that of z and not of what it is compared with, or of rounding alone (J = 0). */
  if (!(error > 1e3 * BT_ROUNDOFF * norm) || !(part->bound > 10 * c->truth_bound) || !(norm > c->truth_bound)) return;
  add_ratio(&c->bound, part->bound / error);
  if (isfinite(part->bound_global)) add_ratio(&c->global, part->bound_global / error);
  const double estimated = bt_norm(estimate, p);
  if (error < 0.1 * norm && error > 1e-9 * norm && estimated > 0) add_ratio(&c->estimate, estimated / error);
}

static BtStatus compare_grid(BtContext *ctx, Comparison *c) {
  static const double eps[] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-6}, delta[] = {1e-1, 1e-2, 1e-4, 1e-6};
  BtConformWork *w = &c->w;
  const BtLowerPoint point = {w->v[0], w->dual_size ? w->other_dual : NULL};
  double *q = w->v[1], *z = w->t[1], *estimate = w->t[2];
  BtStatus st = BT_OK;
  for (int kind = 0; kind < FROM_KINDS; kind++)
    for (size_t a = 0; a < sizeof eps / sizeof *eps; a++) {
      BtHypergradientPart part = {0};
      BT_TRY(inexact_point(ctx, c, kind, eps[a] * c->scale, point, &part.certificate));
      if (st == BT_STOPPED) goto done;
      for (size_t d = 0; d < sizeof delta / sizeof *delta; d++) {
        memset(q, 0, w->n * sizeof *q);
        BT_TRY(bt_hypergradient(c->bilevel, ctx, w->i, w->theta, part.certificate.bound, delta[d] * c->upper_norm,
                                BT_WANT_BOUND | BT_WANT_ESTIMATE, point, q, z, estimate, &part));
        compare(c, z, estimate, &part);
        compare_along(c, point.x, part.along);
      }
    }
  st = BT_OK;
done:
  return st;
}

/* f(θ + h·direction) at an accurate solution. */
static BtStatus value_at(BtContext *ctx, Comparison *c, const double *direction, double h, double *value,
                         double *noise) {
  BtConformWork *w = &c->w;
  double *theta = w->t[3];
  const BtLowerPoint point = {w->v[0], w->dual_size ? w->other_dual : NULL};
  BtCertificate cert;
  for (size_t k = 0; k < w->p; k++) theta[k] = w->theta[k] + h * direction[k];
  memcpy(point.x, w->x, w->n * sizeof *point.x);
  if (point.dual) memcpy(point.dual, w->dual, w->dual_size * sizeof *point.dual);
  const BtStatus st = solve_accurately(ctx, c->set, theta, point, &cert);
  if (st != BT_OK) return st;
  const BtUpperPoint at = c->loss->ops->evaluate(c->loss, w->i, w->n, point.x, w->v[1]);
  *value = at.value;
  *noise = fmax(*noise, at.slope * cert.bound + bt_sum_rounding(w->n) * fabs(at.value));
  return BT_OK;
}

/* zᵀd against central differences with one Richardson step, relative to ‖z‖; noise of the values is taken off. */
static BtStatus compare_differences(BtContext *ctx, Comparison *c, const double *direction, double *worst) {
  static const double step = 2e-3;
  double values[4], noise = 0, along = 0;
  const double at[4] = {step, -step, 0.5 * step, -0.5 * step};
  for (int k = 0; k < 4; k++) {
    const BtStatus st = value_at(ctx, c, direction, at[k], &values[k], &noise);
    if (st != BT_OK) return st;
  }
  const double coarse = (values[0] - values[1]) / (2 * step), fine = (values[2] - values[3]) / step;
  for (size_t k = 0; k < c->w.p; k++) along += c->w.t[0][k] * direction[k];
  const double error = fabs((4 * fine - coarse) / 3 - along) - 4 * noise / step;
  *worst = bt_conform_larger(*worst, bt_conform_ratio(fmax(0, error), bt_norm(c->w.t[0], c->w.p)));
  return BT_OK;
}

/* The gradient's own direction and two others. */
static BtStatus differences(BtContext *ctx, Comparison *c, double *worst) {
  enum { DIRECTIONS = 3 };
  double *direction = c->w.t[1];
  for (int k = 0; k < DIRECTIONS; k++) {
    bt_conform_random(&c->w, c->w.p, direction);
    if (k == 0) memcpy(direction, c->w.t[0], c->w.p * sizeof *direction);
    (void)bt_conform_normalize(direction, c->w.p);
    const BtStatus st = compare_differences(ctx, c, direction, worst);
    if (st != BT_OK) return st;
  }
  return BT_OK;
}

/* t[0] ← the hypergradient at the solution. */
static BtStatus true_hypergradient(BtContext *ctx, Comparison *c) {
  BtConformWork *w = &c->w;
  const BtLowerPoint point = {w->x, w->dual_size ? w->dual : NULL};
  BtHypergradientPart part = {.certificate = c->truth};
  double *q = w->v[1];
  c->upper_norm = c->loss->ops->evaluate(c->loss, w->i, w->n, w->x, q).slope;
  memset(q, 0, w->n * sizeof *q);
  const BtStatus st = bt_hypergradient(c->bilevel, ctx, w->i, w->theta, c->truth.bound, 1e-12 * c->upper_norm,
                                       BT_WANT_BOUND, point, q, w->t[0], NULL, &part);
  c->truth_bound = part.bound;
  return st;
}

static void report(const Comparison *c, double difference, BtConformFigures *figures) {
  bt_conform_row(c->set, BT_CONFORM_ERROR_BOUND, c->worst_bound);
  bt_conform_row(c->set, BT_CONFORM_ALONG, c->worst_along);
  if (c->globals > 0) bt_conform_row(c->set, BT_CONFORM_BOUND_GLOBAL, c->worst_global);
  bt_conform_row(c->set, BT_CONFORM_DIFFERENCES, difference);
  if (c->estimate.count > 0) {
    bt_conform_row(c->set, BT_CONFORM_ESTIMATE_LOW, mean_ratio(&c->estimate));
    bt_conform_row(c->set, BT_CONFORM_ESTIMATE_HIGH, mean_ratio(&c->estimate));
  }
  if (!figures) return;
  const double none = (double)NAN;
  *figures = (BtConformFigures){.bound_ratio = mean_ratio(&c->bound),
                                .bound_ratio_least = c->bound.count ? c->bound.least : none,
                                .global_ratio = mean_ratio(&c->global),
                                .estimate_ratio = mean_ratio(&c->estimate),
                                .estimate_least = c->estimate.count ? c->estimate.least : none,
                                .estimate_largest = c->estimate.count ? c->estimate.largest : none};
}

BtStatus bt_conform_hypergradient(BtContext *ctx, const BtConform *conform, const BtUpperLoss *loss,
                                  const BtLowerSettings *settings, BtConformFigures *figures) {
  Comparison c = {.set = conform, .loss = loss};
  BtTeam team;
  BtStatus st = BT_OK;
  double difference = 0;
  bt_team_self(&team);
  BT_TRY(bt_conform_begin(ctx, conform, NULL, &c.w));
  BT_TRY(find_truth(ctx, conform, &c.w, &c.truth, &c.scale));
  if (st != BT_OK) goto done;
  BT_TRY(bt_lower_create(ctx, conform->problem, settings, &c.lower));
  BT_TRY(bt_bilevel_create(ctx, conform->problem, loss, settings, &team, NULL, NULL, &c.bilevel));
  BT_TRY(true_hypergradient(ctx, &c));
  BT_TRY(compare_grid(ctx, &c));
  if (st == BT_STOPPED) goto done;
  BT_TRY(differences(ctx, &c, &difference));
  if (st != BT_OK) goto done;
  report(&c, difference, figures);
done:
  bt_bilevel_destroy(c.bilevel);
  bt_lower_destroy(c.lower);
  bt_conform_end(&c.w);
  return st;
}

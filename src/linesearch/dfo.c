/* Trust regions on inexact values. The decisions follow algorithm 1 of Ehrhardt & Roberts with the constants
 * η₁ = 0.1, η₂ = 0.7. */
#include "linesearch/dfo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linesearch/quadratic_model_internal.h"
#include "linesearch/search_internal.h"

const BtOption bt_dfo_options[] = {
    BT_SEARCH_OPTION_BUDGETS(BtDfoSettings),
    BT_OPT_REAL("eps0", BtDfoSettings, search.eps, 1, BT_POSITIVE, "EPS",
                "accuracy ‖x̃ − x̂‖₂ of the first values"),
    BT_OPT_REAL("eps-floor", BtDfoSettings, eps_floor, 1e-10, BT_POSITIVE, "EPS", "no accuracy is finer"),
    BT_OPT_REAL("radius", BtDfoSettings, radius, 1, BT_POSITIVE, "R", "dfo: trust radius at the start"),
    BT_OPT_REAL("radius-end", BtDfoSettings, radius_end, 1e-3, BT_POSITIVE, "R",
                "dfo: converged when the trust radius falls below R"),
    BT_OPT_REAL("value-share", BtDfoSettings, share, 0.1, BT_IN(0, 1), "S",
                "dfo: bounds of interpolated values are closer than S times the model's change over the "
                "trust region"),
    BT_OPT_END};

BtStatus bt_dfo_create(BtContext *ctx, const BtDfoSettings *settings, size_t p, const double *theta,
                       BtSearch *search) {
  *search = (BtSearch){0};
  if (p > BT_DFO_MOST_PARAMETERS)
    return bt_fail(
        ctx, BT_ERR_ARG,
        "method dfo models the loss by quadratics of at most %d parameters, not %zu; choose one that "
        "uses hypergradients",
        BT_DFO_MOST_PARAMETERS, p);
  if (!(settings->radius_end < settings->radius))
    return bt_fail(ctx, BT_ERR_ARG, "--radius-end must be less than --radius, got %g and %g",
                   settings->radius_end, settings->radius);
  const BtStatus st = bt_search_create(ctx, &settings->search, 0, p, theta, search);
  search->by_bound = 1;
  return st;
}

static const double eta1 = 0.1, eta2 = 0.7;

typedef struct {
  BtSearchRun run;
  const BtDfoSettings *set;
  const BtSearch *search;
  size_t p, most, n; /* parameters, points of the set at most and now          */
  double *y;         /* [most × p] points                                      */
  BtInexactValue *f; /* [most]                                                 */
  size_t at;         /* the iterate among them                                 */
  double radius;
  double gap_per_eps; /* width of f's bounds over the accuracy, as last seen; 0: unknown */
  double *s, *lo, *hi, *trial,
      *d; /* [p] step and its box, trial point; [most × p] displacements over Δ, and values */
  double *values;
  BtQuadratic model;
  BtSearchReason reason; /* set once the method is done                            */
} Dfo;

static double gap(const BtInexactValue *f) { return f->upper - f->lower; }

/* f at theta to accuracy eps. */
static BtStatus evaluate(Dfo *m, const double *theta, double eps, BtInexactValue *f) {
  m->run.step = m->radius;
  const BtStatus st = bt_search_evaluate(&m->run, theta, eps, f);
  if (st == BT_OK && isfinite(gap(f)) && f->eps > 0) m->gap_per_eps = gap(f) / f->eps;
  return st;
}

static double coarsest(const Dfo *m) { return fmax(m->set->search.eps, m->set->eps_floor); }

/* The accuracy that should bring the bounds to within `wanted`. */
static double eps_for(const Dfo *m, double wanted) {
  if (!(m->gap_per_eps > 0)) return coarsest(m);
  return fmin(coarsest(m), fmax(m->set->eps_floor, 0.8 * wanted / m->gap_per_eps));
}

/* Raises the accuracy of f at theta until its bounds are `wanted` apart or the floor is reached. Bounds that
 * prove nothing leave nothing to be raised. */
static BtStatus refine(Dfo *m, const double *theta, double wanted, BtInexactValue *f) {
  BtStatus st = BT_OK;
  double eps = f->eps;
  while (st == BT_OK && isfinite(gap(f)) && gap(f) > wanted && eps > m->set->eps_floor) {
    eps = fmax(m->set->eps_floor, fmin(0.5 * eps, eps_for(m, wanted)));
    st = evaluate(m, theta, eps, f);
    /* Rounding may allow no more. */
    if (st == BT_OK && f->eps > 2 * eps) break;
  }
  return st;
}

/* What a model can bear: outside the domain f is worse than all that was seen. */
static double finite_value(const Dfo *m, const BtInexactValue *f) {
  double worst = -HUGE_VAL, best = HUGE_VAL;
  if (isfinite(f->value)) return f->value;
  for (size_t t = 0; t < m->n; t++)
    if (isfinite(m->f[t].value)) worst = fmax(worst, m->f[t].value), best = fmin(best, m->f[t].value);
  return isfinite(worst) ? worst + (worst - best) + fabs(worst) : 0;
}

static double *point(const Dfo *m, size_t t) { return m->y + t * m->p; }

/* Distance of point t from the iterate in units of Δ, largest entry. */
static double distance(const Dfo *m, size_t t) {
  double d = 0;
  for (size_t j = 0; j < m->p; j++) d = fmax(d, fabs(point(m, t)[j] - point(m, m->at)[j]));
  return d / m->radius;
}

/* The trust region around the iterate in units of Δ. */
static void set_region(Dfo *m) {
  for (size_t j = 0; j < m->p; j++) {
    const double x = point(m, m->at)[j];
    m->lo[j] = fmax(-1, (m->search->lo[j] - x) / m->radius);
    m->hi[j] = fmin(1, (m->search->hi[j] - x) / m->radius);
  }
}

/* trial ← iterate + Δ s, inside the domain whatever the rounding. */
static void set_trial(Dfo *m) {
  for (size_t j = 0; j < m->p; j++)
    m->trial[j] = fmin(m->search->hi[j], fmax(m->search->lo[j], point(m, m->at)[j] + m->radius * m->s[j]));
}

/* The start and, along each coordinate, two points at ±Δ, or at Δ and Δ/2 where the domain leaves one side.
 */
static BtStatus start_set(Dfo *m, const double *centre, const BtInexactValue *known) {
  BtStatus st = BT_OK;
  memcpy(point(m, 0), centre, m->p * sizeof *centre);
  m->at = 0;
  m->n = 1;
  if (known)
    m->f[0] = *known;
  else
    st = evaluate(m, centre, coarsest(m), &m->f[0]);
  set_region(m);
  for (size_t j = 0; j < m->p && st == BT_OK; j++)
    for (int side = 0; side < 2 && st == BT_OK; side++) {
      const int up = m->hi[j] >= 0.5, down = m->lo[j] <= -0.5;
      const double both = side ? m->lo[j] : m->hi[j], one = (up ? m->hi[j] : m->lo[j]) * (side ? 0.5 : 1);
      memset(m->s, 0, m->p * sizeof *m->s);
      m->s[j] = up && down ? both : one;
      set_trial(m);
      memcpy(point(m, m->n), m->trial, m->p * sizeof *m->trial);
      st = evaluate(m, m->trial, known ? fmin(coarsest(m), fmax(known->eps, m->set->eps_floor)) : coarsest(m),
                    &m->f[m->n]);
      if (st == BT_OK) m->n++;
    }
  return st;
}

static void choose_iterate(Dfo *m) {
  for (size_t t = 0; t < m->n; t++)
    if (m->f[t].value < m->f[m->at].value) m->at = t;
}

/* The model through all points; 0 if they determine none. */
static int make_model(Dfo *m) {
  for (size_t t = 0; t < m->n; t++) {
    for (size_t j = 0; j < m->p; j++) m->d[t * m->p + j] = (point(m, t)[j] - point(m, m->at)[j]) / m->radius;
    m->values[t] = finite_value(m, &m->f[t]) - m->f[m->at].value;
  }
  if (!bt_quadratic_points(&m->model, m->n, m->d)) return 0;
  bt_quadratic_fit(&m->model, m->values);
  for (size_t j = 0; j < m->p; j++)
    if (!isfinite(m->model.g[j]) || !isfinite(m->model.h[j * m->p + j])) return 0;
  return 1;
}

/* How much the model changes over the trust region, at most. */
static double variation(const Dfo *m) {
  double sum = 0;
  for (size_t i = 0; i < m->p; i++) {
    sum += fabs(m->model.g[i]);
    for (size_t j = 0; j < m->p; j++) sum += 0.5 * fabs(m->model.h[i * m->p + j]);
  }
  return sum;
}

/* A model whose values are as accurate as its own change asks for. */
static BtStatus accurate_model(Dfo *m) {
  BtStatus st = BT_OK;
  static const int rounds = 8;
  static const double least = 1e-9; /* differences beyond this share of f tell nothing */
  int made = 0;
  for (int round = 0; round < rounds && st == BT_OK; round++) {
    choose_iterate(m);
    made = make_model(m);
    if (!made) {
      double centre[BT_DFO_MOST_PARAMETERS];
      const BtInexactValue known = m->f[m->at];
      memcpy(centre, point(m, m->at), m->p * sizeof *centre);
      st = start_set(m, centre, &known);
      continue;
    }
    const double wanted = fmax(m->set->share * variation(m), least * fabs(m->f[m->at].value));
    int refined = 0;
    for (size_t t = 0; t < m->n && st == BT_OK; t++) {
      const double before = m->f[t].eps;
      if (!isfinite(m->f[t].value)) continue;
      st = refine(m, point(m, t), wanted, &m->f[t]);
      refined |= m->f[t].eps < before;
    }
    if (!refined || st != BT_OK) break;
  }
  if (st == BT_OK && !made)
    return bt_fail(
        m->run.ctx, BT_ERR_NUMERIC,
        "no quadratic goes through the values around the iterate; is there room between the bounds?");
  return st;
}

/* Which point leaves the set for a new one at s: that by which the set gains most, never the iterate. */
static size_t leaver(Dfo *m, const double *s) {
  size_t worst = m->at == 0 ? 1 : 0;
  double most = -1;
  for (size_t t = 0; t < m->n; t++) {
    if (t == m->at) continue;
    const double c = bt_quadratic_lagrange(&m->model, t);
    const double l = fabs(c + bt_quadratic_change(m->p, m->model.lagrange_g, m->model.lagrange_h, s));
    const double gain = l * fmax(1, pow(distance(m, t), 4));
    if (gain > most) most = gain, worst = t;
  }
  return worst;
}

/* Takes (trial, f) into the set, in the place of point t, or in addition if t is m->n. */
static void take_in(Dfo *m, size_t t, const BtInexactValue *f) {
  memcpy(point(m, t), m->trial, m->p * sizeof *m->trial);
  m->f[t] = *f;
  if (t == m->n) m->n++;
}

static int is_known(const Dfo *m) {
  for (size_t t = 0; t < m->n; t++)
    if (memcmp(point(m, t), m->trial, m->p * sizeof *m->trial) == 0) return 1;
  return 0;
}

/* Replaces the farthest point, if it is beyond 2Δ, by one where its Lagrange polynomial is large; 0 if none
 * is. */
static BtStatus improve_set(Dfo *m, int *improved) {
  size_t far = m->at;
  BtInexactValue f;
  *improved = 0;
  for (size_t t = 0; t < m->n; t++)
    if (distance(m, t) > distance(m, far)) far = t;
  if (!(distance(m, far) > 2)) return BT_OK;
  double best = -1, s[BT_DFO_MOST_PARAMETERS], g[BT_DFO_MOST_PARAMETERS];
  double h[BT_DFO_MOST_PARAMETERS * BT_DFO_MOST_PARAMETERS];
  const double c = bt_quadratic_lagrange(&m->model, far);
  for (int sign = -1; sign <= 1; sign += 2) {
    for (size_t i = 0; i < m->p; i++) g[i] = sign * m->model.lagrange_g[i];
    for (size_t i = 0; i < m->p * m->p; i++) h[i] = sign * m->model.lagrange_h[i];
    const double reached = fabs(sign * c + bt_quadratic_minimize(m->p, g, h, m->lo, m->hi, s));
    if (reached > best) best = reached, memcpy(m->s, s, m->p * sizeof *s);
  }
  set_trial(m);
  if (is_known(m)) return BT_OK;
  const BtStatus st = evaluate(m, m->trial, eps_for(m, m->set->share * variation(m)), &f);
  if (st == BT_OK) take_in(m, far, &f), *improved = 1;
  return st;
}

/* Evaluates the trial so accurately, with the iterate, that f₊ ≤ f − η₁·predicted is decided by bounds, or
 * the bounds are within a small part of the predicted decrease, as the paper asks for, and the values decide.
 */
static BtStatus compare(Dfo *m, double predicted, BtInexactValue *f, double *ratio) {
  static const double small = 0.04; /* η₁′ < ½ min(η₁, 1 − η₂) */
  const double needed = eta1 * predicted;
  BtStatus st = evaluate(m, m->trial, eps_for(m, 0.5 * predicted), f);
  for (double wanted = 0.5 * predicted; st == BT_OK; wanted = fmax(0.3 * wanted, small * predicted)) {
    BtInexactValue *old = &m->f[m->at];
    if (!isfinite(f->value) || f->lower > old->upper - needed || f->upper <= old->lower - needed) break;
    st = refine(m, point(m, m->at), wanted, old);
    if (st == BT_OK) st = refine(m, m->trial, wanted, f);
    if (wanted <= small * predicted) break;
  }
  *ratio = st == BT_OK && isfinite(f->value) ? (m->f[m->at].value - f->value) / predicted : -HUGE_VAL;
  return st;
}

/* Whether the predicted decrease is lost in what the bounds leave open at the finest accuracy. */
static int at_floor(const Dfo *m, double predicted) {
  const BtInexactValue *f = &m->f[m->at];
  return isfinite(gap(f)) && f->eps <= 2 * m->set->eps_floor && gap(f) > predicted;
}

static BtStatus shrink(Dfo *m) {
  int improved;
  const BtStatus st = improve_set(m, &improved);
  if (st != BT_OK || improved) return st;
  m->radius *= 0.5;
  if (m->radius < m->set->radius_end) m->reason = BT_SEARCH_CONVERGED;
  return BT_OK;
}

static BtStatus iterate(Dfo *m) {
  BtInexactValue f;
  double ratio;
  BtStatus st = accurate_model(m);
  if (st != BT_OK) return st;
  set_region(m);
  const double predicted = -bt_quadratic_minimize(m->p, m->model.g, m->model.h, m->lo, m->hi, m->s);
  double length = 0;
  for (size_t j = 0; j < m->p; j++) length = fmax(length, fabs(m->s[j]));
  set_trial(m);
  if (at_floor(m, predicted)) {
    m->reason = BT_SEARCH_FLOOR;
    return BT_OK;
  }
  /* Near the model's minimizer the region is what has to be made smaller. */
  if (length < 0.1 || !(predicted > 0) || is_known(m)) return shrink(m);
  double s[BT_DFO_MOST_PARAMETERS];
  memcpy(s, m->s, m->p * sizeof *s);
  st = compare(m, predicted, &f, &ratio);
  if (st != BT_OK) return st;
  take_in(m, m->n < m->most ? m->n : leaver(m, s), &f);
  if (ratio >= eta2 && length > 0.9) m->radius = fmin(2 * m->radius, 4 * m->set->radius);
  if (ratio >= eta1) {
    choose_iterate(m);
    return BT_OK;
  }
  return shrink(m);
}

static size_t full(size_t p) { return (p + 1) * (p + 2) / 2; }

static BtStatus allocate(BtContext *ctx, Dfo *m) {
  const size_t p = m->p;
  static const size_t few = 6; /* parameters whose full quadratics are within reach */
  m->most = p <= few ? full(p) : 2 * p + 1;
  if (m->most < 2 * p + 1) m->most = 2 * p + 1;
  m->y = calloc(2 * m->most * p + m->most + 4 * p, sizeof *m->y);
  m->f = calloc(m->most, sizeof *m->f);
  if (!m->y || !m->f) return bt_fail_memory(ctx, "a trust region", 16.0 * (double)(m->most * p));
  m->d = m->y + m->most * p;
  m->values = m->d + m->most * p;
  m->s = m->values + m->most;
  m->lo = m->s + p;
  m->hi = m->lo + p;
  m->trial = m->hi + p;
  return bt_quadratic_create(ctx, p, m->most, &m->model);
}

BtStatus bt_dfo_run(BtContext *ctx, BtOracle *oracle, const BtDfoSettings *settings, BtSearch *search) {
  Dfo m = {.run = bt_search_begin(ctx, oracle, &settings->search, search),
           .set = settings,
           .search = search,
           .p = search->p,
           .radius = settings->radius};
  BtStatus st = allocate(ctx, &m);
  if (st == BT_OK) st = start_set(&m, search->start, NULL);
  while (st == BT_OK && m.reason == BT_SEARCH_RUNNING) st = iterate(&m);
  bt_quadratic_clear(&m.model);
  free(m.y);
  free(m.f);
  return bt_search_end(&m.run, st, m.reason);
}

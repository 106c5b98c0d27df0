#include "linesearch/nlopt_search.h"

#include <math.h>
#include <nlopt.h>
#include <stdlib.h>
#include <string.h>

#include "linesearch/search_internal.h"

const BtOption bt_nlopt_options[] = {
    BT_SEARCH_OPTION_BUDGETS(BtNloptSettings), BT_SEARCH_OPTION_EPS(BtNloptSettings),
    BT_OPT_REAL("initial-step", BtNloptSettings, initial_step, 1, BT_POSITIVE, "S",
                "nelder-mead, bobyqa: size of the first simplex or trust region"),
    BT_OPT_REAL("x-tolerance", BtNloptSettings, x_tolerance, 1e-3, BT_POSITIVE, "T",
                "nelder-mead, bobyqa: converged when parameters change by less"),
    BT_OPT_END};

BtStatus bt_nlopt_create(BtContext *ctx, const BtNloptSettings *settings, size_t p, const double *theta,
                         BtSearch *search) {
  *search = (BtSearch){0};
  if (p > BT_NLOPT_MOST_PARAMETERS)
    return bt_fail(ctx, BT_ERR_ARG,
                   "methods nelder-mead and bobyqa are for at most %d parameters, not %zu; choose one that "
                   "uses hypergradients",
                   BT_NLOPT_MOST_PARAMETERS, p);
  if (settings->algorithm == BT_NLOPT_BOBYQA && p < 2)
    return bt_fail(ctx, BT_ERR_ARG, "method bobyqa needs two parameters at least; choose nelder-mead");
  return bt_search_create(ctx, &settings->search, 0, p, theta, search);
}

typedef struct {
  BtSearchRun run;
  nlopt_opt opt;
  double worst; /* largest finite value so far */
  int seen;     /* whether there is one        */
  BtStatus st;  /* what ended the run          */
} Search;

/* NLopt needs numbers: what is outside the domain counts as worse than all seen. */
static double objective(unsigned n, const double *theta, double *gradient, void *user) {
  Search *s = user;
  BtInexactValue value;
  (void)n, (void)gradient;
  if (s->st == BT_OK) s->st = bt_search_evaluate(&s->run, theta, s->run.set->eps, &value);
  if (s->st != BT_OK) {
    (void)nlopt_force_stop(s->opt);
    return s->worst;
  }
  if (isfinite(value.value)) {
    s->worst = s->seen ? fmax(s->worst, value.value) : value.value;
    s->seen = 1;
    return value.value;
  }
  static const double unseen = 1e30;
  return s->seen ? s->worst + 1 + fabs(s->worst) : unseen;
}

static BtStatus configure(Search *s, const BtNloptSettings *set) {
  const BtSearch *record = s->run.search;
  nlopt_result ok = nlopt_set_min_objective(s->opt, objective, s);
  if (ok > 0) ok = nlopt_set_lower_bounds(s->opt, record->lo);
  if (ok > 0) ok = nlopt_set_upper_bounds(s->opt, record->hi);
  if (ok > 0) ok = nlopt_set_xtol_abs1(s->opt, set->x_tolerance);
  if (ok > 0) {
    /* A step must fit between the bounds on one side. */
    double *step = malloc(record->p * sizeof *step);
    if (!step) return bt_fail_memory(s->run.ctx, "NLopt", 8.0 * (double)record->p);
    for (size_t j = 0; j < record->p; j++) {
      const double room = fmax(record->hi[j] - record->start[j], record->start[j] - record->lo[j]);
      step[j] = fmin(set->initial_step, 0.5 * room);
      if (!(step[j] > 0)) step[j] = set->initial_step;
    }
    ok = nlopt_set_initial_step(s->opt, step);
    free(step);
  }
  return ok > 0 ? BT_OK
                : bt_fail(s->run.ctx, BT_ERR_LIBRARY, "NLopt refuses its settings: %s",
                          nlopt_result_to_string(ok));
}

static BtStatus optimize(Search *s) {
  const size_t p = s->run.search->p;
  double least;
  double *theta = malloc(p * sizeof *theta);
  if (!theta) return bt_fail_memory(s->run.ctx, "NLopt", 8.0 * (double)p);
  memcpy(theta, s->run.search->start, p * sizeof *theta);
  const nlopt_result result = nlopt_optimize(s->opt, theta, &least);
  free(theta);
  if (s->st != BT_OK) return s->st;
  if (result > 0 || result == NLOPT_ROUNDOFF_LIMITED) return BT_OK;
  if (result == NLOPT_OUT_OF_MEMORY) return bt_fail_memory(s->run.ctx, "NLopt", 16.0 * (double)(p * p));
  return bt_fail(s->run.ctx, BT_ERR_LIBRARY, "NLopt fails: %s", nlopt_result_to_string(result));
}

BtStatus bt_nlopt_run(BtContext *ctx, BtOracle *oracle, const BtNloptSettings *settings, BtSearch *search) {
  Search s = {.run = bt_search_begin(ctx, oracle, &settings->search, search)};
  const nlopt_algorithm algorithm =
      settings->algorithm == BT_NLOPT_BOBYQA ? NLOPT_LN_BOBYQA : NLOPT_LN_NELDERMEAD;
  s.opt = nlopt_create(algorithm, (unsigned)search->p);
  BtStatus st = s.opt ? configure(&s, settings) : bt_fail_memory(ctx, "NLopt", 8.0 * (double)search->p);
  if (st >= 0) st = optimize(&s);
  nlopt_destroy(s.opt);
  return bt_search_end(&s.run, st, BT_SEARCH_CONVERGED);
}

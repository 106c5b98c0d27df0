/* Methods that see values alone, on analytic functions with injected errors: what they find, what they cost,
 * what they refuse, and that a run taken up from its record is the unbroken one to the last bit. */
#include "inexact.h"
#include "linesearch/bayes.h"
#include "linesearch/dfo.h"
#include "linesearch/gaussian_process_internal.h"
#include "linesearch/grid.h"
#include "linesearch/nlopt_search.h"
#include "linesearch/quadratic_model_internal.h"
#include "linesearch/random_search.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MOST 600

typedef enum { GRID, RANDOM, BAYES, NELDER_MEAD, BOBYQA, DFO, METHODS } Method;
static const char *const names[] = {"grid", "random", "bayes", "nelder-mead", "bobyqa", "dfo"};

typedef struct {
  Inexact inexact;
  Method method;
  BtGridSettings grid;
  BtRandomSettings random;
  BtBayesSettings bayes;
  BtNloptSettings nlopt;
  BtDfoSettings dfo;
  BtSearchSettings *search; /* the part in common of the method's own */
  BtSearch run;
  BtContext ctx;
  double start[INEXACT_P], lo[INEXACT_P], hi[INEXACT_P];
  double path[MOST][INEXACT_P], values[MOST];
  int64_t events, stop_at, save_at;
  const char *file;
  int untrue; /* events that do not say what happened */
  double least;
} Trial;

static void save(Trial *t) {
  BtTensorWriter *writer = NULL;
  BT_CHECK_STATUS(bt_tensors_create(&t->ctx, t->file, NULL, &writer), BT_OK, &t->ctx);
  if (!writer) return;
  BT_CHECK_STATUS(bt_search_declare(&t->ctx, &t->run, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_search_save(&t->ctx, &t->run, writer), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_tensors_commit(&t->ctx, writer), BT_OK, &t->ctx);
}

static int observe(void *user, const BtEvent *event) {
  Trial *t = user;
  if (event->type != BT_EVENT_OUTER) return 0;
  const BtOuterEvent *e = &event->as.outer;
  const double rank = t->run.by_bound && isfinite(e->upper) ? e->upper : e->value;
  const int best = rank < t->least;
  t->events++;
  if (best) t->least = rank;
  if (e->iteration != t->run.count || e->parameters != (int64_t)t->inexact.p || e->accepted != best ||
      e->work.gradients != t->inexact.work.gradients)
    t->untrue++;
  if (e->iteration <= MOST) {
    memcpy(t->path[e->iteration - 1], e->theta, t->inexact.p * sizeof *e->theta);
    t->values[e->iteration - 1] = e->value;
  }
  if (e->iteration == t->save_at) save(t);
  return e->iteration == t->stop_at;
}

static void prepare(Trial *t, Method method, double (*f)(const double *, size_t, double *), size_t p) {
  memset(t, 0, sizeof *t);
  t->inexact = inexact_of(f, p);
  t->method = method;
  t->stop_at = t->save_at = -1;
  t->least = (double)INFINITY;
  bt_options_default(bt_grid_options, &t->grid);
  bt_options_default(bt_random_options, &t->random);
  bt_options_default(bt_bayes_options, &t->bayes);
  bt_options_default(bt_nlopt_options, &t->nlopt);
  bt_options_default(bt_dfo_options, &t->dfo);
  t->random.seed = t->bayes.seed = 5;
  t->nlopt.algorithm = method == BOBYQA ? BT_NLOPT_BOBYQA : BT_NLOPT_NELDER_MEAD;
  BtSearchSettings *const searches[] = {&t->grid.search,  &t->random.search, &t->bayes.search,
                                        &t->nlopt.search, &t->nlopt.search,  &t->dfo.search};
  t->search = searches[method];
  t->inexact.lo = -2, t->inexact.hi = 2;
  for (size_t k = 0; k < p; k++) t->lo[k] = -2, t->hi[k] = 2, t->start[k] = -1.2 + 0.1 * (double)k;
  t->search->lo = t->lo, t->search->hi = t->hi;
  t->search->max_evaluations = 300;
  if (method == BAYES) t->search->max_evaluations = 40;
  if (method != DFO) t->search->eps = 1e-5;
  bt_context_init(&t->ctx);
  (void)bt_context_observe(&t->ctx, observe, t);
}

static BtStatus create(Trial *t) {
  const size_t p = t->inexact.p;
  switch (t->method) {
    case GRID: return bt_grid_create(&t->ctx, &t->grid, p, t->start, &t->run);
    case RANDOM: return bt_random_create(&t->ctx, &t->random, p, t->start, &t->run);
    case BAYES: return bt_bayes_create(&t->ctx, &t->bayes, p, t->start, &t->run);
    case DFO: return bt_dfo_create(&t->ctx, &t->dfo, p, t->start, &t->run);
    default: return bt_nlopt_create(&t->ctx, &t->nlopt, p, t->start, &t->run);
  }
}

static BtStatus go_on(Trial *t) {
  BtOracle oracle = inexact_oracle(&t->inexact);
  switch (t->method) {
    case GRID: return bt_grid_run(&t->ctx, &oracle, &t->grid, &t->run);
    case RANDOM: return bt_random_run(&t->ctx, &oracle, &t->random, &t->run);
    case BAYES: return bt_bayes_run(&t->ctx, &oracle, &t->bayes, &t->run);
    case DFO: return bt_dfo_run(&t->ctx, &oracle, &t->dfo, &t->run);
    default: return bt_nlopt_run(&t->ctx, &oracle, &t->nlopt, &t->run);
  }
}

static BtStatus run(Trial *t) {
  const BtStatus st = create(t);
  return st < 0 ? st : go_on(t);
}

static double truth(const Trial *t) {
  double g[INEXACT_P];
  return t->inexact.f(t->run.theta, t->inexact.p, g);
}

/* How near the minimum each comes; the searches without a model only as near as their points lie. */
static void minima_are_found(void) {
  static const struct {
    Method method;
    double (*f)(const double *, size_t, double *);
    size_t p;
    double least, within;
  } cases[] = {
      {GRID, inexact_bowl, 2, 1, 0.06},
      {RANDOM, inexact_bowl, 2, 1, 0.1},
      {BAYES, inexact_bowl, 2, 1, 1e-3},
      {BAYES, inexact_rosenbrock, 2, 1, 0.05},
      {BAYES, inexact_bowl, 4, 1, 0.02},
      {NELDER_MEAD, inexact_bowl, 3, 1, 1e-3},
      {NELDER_MEAD, inexact_rosenbrock, 2, 1, 1e-2},
      {BOBYQA, inexact_bowl, 6, 1, 1e-3},
      {BOBYQA, inexact_rosenbrock, 2, 1, 1e-2},
      {DFO, inexact_bowl, 1, 1, 1e-4},
      {DFO, inexact_bowl, 2, 1, 1e-4},
      {DFO, inexact_bowl, 8, 1, 1e-3},
      {DFO, inexact_rosenbrock, 2, 1, 1e-3},
      {DFO, inexact_negative, 3, -29, 1e-3},
      {BAYES, inexact_negative, 2, -29, 1e-3},
      {NELDER_MEAD, inexact_disc, 2, 1, 1e-3},
      {DFO, inexact_disc, 2, 1, 1e-3},
      {BAYES, inexact_disc, 2, 1, 1e-2},
      {BOBYQA, inexact_disc, 3, 1, 1e-2},
  };
  static Trial t;
  for (size_t c = 0; c < COUNT(cases); c++) {
    prepare(&t, cases[c].method, cases[c].f, cases[c].p);
    t.grid.points = 17;
    const BtStatus st = run(&t);
    const double f = truth(&t);
    BT_CHECK_ROW((st == BT_OK || st == BT_MAX_ITERS) && f <= cases[c].least + cases[c].within,
                 "%s case %zu: %s, f %.8g after %lld values, %s", names[cases[c].method], c,
                 bt_status_name(st), f, (long long)t.run.count, bt_search_reason_name(t.run.reason));
    BT_CHECK_ROW(t.untrue == 0 && t.events == t.run.count && t.inexact.values == t.events &&
                     t.inexact.outside == 0 && t.inexact.accepted > 0,
                 "%s case %zu: %d of %lld events untrue, %lld outside the box", names[cases[c].method], c,
                 t.untrue, (long long)t.events, (long long)t.inexact.outside);
    BT_CHECK_ROW(t.run.value.lower <= f + 1e-12 && t.run.value.upper >= f - 1e-12, "%s: bounds miss f",
                 names[cases[c].method]);
    bt_search_clear(&t.run);
  }
}

/* The minimum of the bowl is outside: the best point of the box is on its edge. */
static void boxes_are_kept(void) {
  static Trial t;
  for (int m = 0; m < METHODS; m++) {
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.lo[0] = t.inexact.lo = 0.2;
    t.lo[1] = 0.2;
    t.start[0] = 0.7, t.start[1] = 1.1;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    BT_CHECK_ROW(t.inexact.outside == 0 && t.run.theta[0] < 0.5 && t.run.theta[1] < 0.5, "%s: (%g, %g)",
                 names[m], t.run.theta[0], t.run.theta[1]);
    bt_search_clear(&t.run);
  }
}

static void grid_is_the_grid(void) {
  static Trial t;
  prepare(&t, GRID, inexact_bowl, 2);
  t.grid.points = 5;
  t.search->width = 0.5;
  t.start[0] = 0, t.start[1] = 1.9;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  BT_CHECK(t.run.count == 25 && t.run.reason == BT_SEARCH_DONE);
  for (int i = 0; i < 25; i++) {
    BT_CHECK_NEAR(t.path[i][0], -0.5 + 0.25 * (double)(i / 5), 1e-15);
    BT_CHECK_NEAR(t.path[i][1], 1.4 + 0.15 * (double)(i % 5), 1e-15);
  }
  bt_search_clear(&t.run);
}

static void random_points_fill_the_box(void) {
  static Trial t;
  prepare(&t, RANDOM, inexact_bowl, 3);
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  BT_CHECK(memcmp(t.path[0], t.start, 3 * sizeof(double)) == 0);
  for (size_t k = 0; k < 3; k++) {
    double mean = 0, square = 0;
    for (int i = 1; i < 300; i++) mean += t.path[i][k] / 299, square += t.path[i][k] * t.path[i][k] / 299;
    BT_CHECK_NEAR(mean, 0, 0.25);
    BT_CHECK_NEAR(square, 4.0 / 3, 0.25);
  }
  bt_search_clear(&t.run);
}

/* The trust region asks for coarse values far from the minimum and for fine ones near it. */
static void dfo_raises_accuracy_as_it_goes(void) {
  static Trial t;
  prepare(&t, DFO, inexact_bowl, 2);
  t.search->eps = 100;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  const double first = t.run.values[BT_SEARCH_ASKED],
               last = t.run.values[(t.run.count - 1) * BT_SEARCH_FIELDS];
  BT_CHECK_ROW(first == 100 && last < 1e-4, "first accuracy %g, last %g", first, last);
  BT_CHECK(truth(&t) < 1 + 1e-4);
  bt_search_clear(&t.run);
  /* Without bounds it takes values at their word. */
  prepare(&t, DFO, inexact_bowl, 2);
  t.inexact.unbounded = 1;
  t.search->eps = 1e-6;
  BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
  BT_CHECK(truth(&t) < 1 + 1e-4 && t.inexact.finest == 1e-6);
  bt_search_clear(&t.run);
}

static void budgets_are_kept(void) {
  static Trial t;
  for (int m = 0; m < METHODS; m++) {
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.search->max_work = 600;
    BT_CHECK_STATUS(run(&t), BT_MAX_ITERS, &t.ctx);
    BT_CHECK_ROW(
        t.run.reason == BT_SEARCH_BUDGET && t.inexact.work.gradients >= 600 && t.inexact.work.gradients < 800,
        "%s: work %lld", names[m], (long long)t.inexact.work.gradients);
    bt_search_clear(&t.run);
    if (m == GRID) continue;
    prepare(&t, (Method)m, inexact_rosenbrock, 2);
    t.search->max_evaluations = 7;
    const BtStatus st = run(&t);
    BT_CHECK_ROW(t.run.count == 7 && st == (m <= BAYES ? BT_OK : BT_MAX_ITERS), "%s: %lld values, %s",
                 names[m], (long long)t.run.count, bt_status_name(st));
    bt_search_clear(&t.run);
  }
}

static void failures_are_told(void) {
  static Trial t;
  for (int m = 0; m < METHODS; m++) {
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.inexact.fail_at = 8, t.inexact.failure = BT_ERR_LIBRARY;
    BT_CHECK_STATUS(run(&t), BT_ERR_LIBRARY, NULL);
    BT_CHECK_TEXT(t.ctx.error, "made to fail");
    BT_CHECK(t.run.count == 8);
    bt_search_clear(&t.run);
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.inexact.nan_at = 5;
    BT_CHECK_STATUS(run(&t), BT_ERR_NUMERIC, NULL);
    BT_CHECK(strstr(t.ctx.error, "evaluation 6") != NULL);
    bt_search_clear(&t.run);
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.inexact.fail_at = 3, t.inexact.failure = BT_STOPPED;
    BT_CHECK_STATUS(run(&t), BT_STOPPED, &t.ctx);
    BT_CHECK(t.run.reason == BT_SEARCH_STOPPED && t.run.count == 3);
    bt_search_clear(&t.run);
    /* Accuracies that are missed end nothing. */
    prepare(&t, (Method)m, inexact_bowl, 2);
    if (m != DFO) t.search->eps = 1e-13;
    BT_CHECK_STATUS(run(&t), BT_OK, &t.ctx);
    bt_search_clear(&t.run);
    /* A function without slope or shape. */
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.inexact.fail_at = 0, t.inexact.failure = BT_ERR_NUMERIC;
    BT_CHECK_STATUS(run(&t), BT_ERR_NUMERIC, NULL);
    bt_search_clear(&t.run);
  }
}

static double flat(const double *theta, size_t p, double *g) {
  (void)theta;
  for (size_t k = 0; k < p; k++) g[k] = 0;
  return 3;
}

static double nowhere(const double *theta, size_t p, double *g) {
  (void)flat(theta, p, g);
  return (double)INFINITY;
}

static void shapeless_functions_end(void) {
  static Trial t;
  for (int m = 0; m < METHODS; m++) {
    prepare(&t, (Method)m, flat, 2);
    t.search->max_evaluations = 90;
    BtStatus st = run(&t);
    BT_CHECK_ROW(st >= 0 && st != BT_STOPPED && isfinite(t.run.theta[0]), "%s: %s", names[m], t.ctx.error);
    bt_search_clear(&t.run);
    prepare(&t, (Method)m, nowhere, 2);
    t.search->max_evaluations = 90;
    st = run(&t);
    BT_CHECK_ROW((st >= 0 || st == BT_ERR_NUMERIC) && st != BT_STOPPED, "%s: %s", names[m], t.ctx.error);
    BT_CHECK(memcmp(t.run.theta, t.start, 2 * sizeof(double)) == 0);
    bt_search_clear(&t.run);
  }
}

static void refuse(Trial *t, const char *text) {
  BT_CHECK_STATUS(run(t), BT_ERR_ARG, NULL);
  BT_CHECK_ROW(strstr(t->ctx.error, text) != NULL, "%s: error text is \"%s\"", names[t->method],
               t->ctx.error);
  bt_search_clear(&t->run);
}

static void unsuited_input_is_refused(void) {
  static Trial t;
  static double many[300];
  for (int m = 0; m < METHODS; m++) {
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.start[1] = 2.5;
    refuse(&t, "outside the parameters' domain: theta[1]");
    prepare(&t, (Method)m, inexact_bowl, 2);
    t.start[0] = (double)NAN;
    refuse(&t, "theta[0]");
    if (m <= BAYES) {
      prepare(&t, (Method)m, inexact_bowl, 2);
      t.search->lo = t.search->hi = NULL;
      t.search->width = 0;
      refuse(&t, "--width");
    }
  }
  prepare(&t, GRID, inexact_bowl, 4);
  refuse(&t, "6561 points for 4 parameters");
  prepare(&t, DFO, inexact_bowl, 21);
  refuse(&t, "at most 20 parameters");
  prepare(&t, DFO, inexact_bowl, 2);
  t.dfo.radius_end = 2;
  refuse(&t, "--radius-end");
  prepare(&t, BOBYQA, inexact_bowl, 1);
  refuse(&t, "two parameters");
  prepare(&t, BAYES, inexact_bowl, 2);
  t.search->max_evaluations = 5000;
  refuse(&t, "at most 2000");
  prepare(&t, BAYES, inexact_bowl, 2);
  BT_CHECK_STATUS(bt_bayes_create(&t.ctx, &t.bayes, 51, many, &t.run), BT_ERR_ARG, NULL);
  BT_CHECK_STATUS(bt_nlopt_create(&t.ctx, &t.nlopt, 201, many, &t.run), BT_ERR_ARG, NULL);
}

static void load(Trial *t, const char *file, BtStatus wanted) {
  BtTensorReader *reader = NULL;
  BT_CHECK_STATUS(create(t), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_tensors_open(&t->ctx, file, &reader), BT_OK, &t->ctx);
  BT_CHECK_STATUS(bt_search_load(&t->ctx, reader, &t->run), wanted, &t->ctx);
  bt_tensors_close(reader);
}

static void resumed_is_unbroken(void) {
  static Trial whole, part, rest;
  static const int64_t breaks[] = {1, 3, 9, 17};
  for (int m = 0; m < METHODS; m++)
    for (size_t r = 0; r < COUNT(breaks); r++) {
      prepare(&whole, (Method)m, inexact_rosenbrock, 2);
      prepare(&part, (Method)m, inexact_rosenbrock, 2);
      prepare(&rest, (Method)m, inexact_rosenbrock, 2);
      part.stop_at = part.save_at = breaks[r];
      part.file = bt_test_path("search.ckpt");
      if (m == BAYES)
        whole.search->max_evaluations = part.search->max_evaluations = rest.search->max_evaluations = 22;
      const BtStatus end = run(&whole);
      BT_CHECK_STATUS(run(&part), BT_STOPPED, &part.ctx);
      load(&rest, part.file, BT_OK);
      BT_CHECK(rest.run.count == breaks[r] && rest.run.value.value == part.run.value.value);
      BT_CHECK_STATUS(go_on(&rest), end, &rest.ctx);
      const size_t points = (size_t)whole.run.count * 2 * sizeof(double),
                   values = (size_t)whole.run.count * BT_SEARCH_FIELDS * sizeof(double);
      BT_CHECK_ROW(
          rest.run.count == whole.run.count && rest.inexact.values == whole.inexact.values - breaks[r],
          "%s broken after %lld: %lld values, unbroken %lld", names[m], (long long)breaks[r],
          (long long)rest.run.count, (long long)whole.run.count);
      BT_CHECK_ROW(rest.run.count == whole.run.count &&
                       memcmp(rest.run.points, whole.run.points, points) == 0 &&
                       memcmp(rest.run.values, whole.run.values, values) == 0 &&
                       memcmp(rest.run.theta, whole.run.theta, 2 * sizeof(double)) == 0 &&
                       rest.run.reason == whole.run.reason,
                   "%s broken after %lld differs", names[m], (long long)breaks[r]);
      bt_search_clear(&whole.run), bt_search_clear(&part.run), bt_search_clear(&rest.run);
    }
}

/* A record that is not this run's is refused where the method asks for more than the record. */
static void foreign_records_are_refused(void) {
  static Trial part, rest;
  for (int m = NELDER_MEAD; m <= DFO; m++) {
    prepare(&part, (Method)m, inexact_bowl, 2);
    part.stop_at = part.save_at = 9;
    part.file = bt_test_path("foreign.ckpt");
    BT_CHECK_STATUS(run(&part), BT_STOPPED, &part.ctx);
    prepare(&rest, (Method)m, inexact_bowl, 2);
    rest.nlopt.initial_step = 0.7, rest.dfo.radius = 0.7;
    load(&rest, part.file, BT_OK);
    BT_CHECK_STATUS(go_on(&rest), BT_ERR_FORMAT, NULL);
    BT_CHECK(strstr(rest.ctx.error, "the checkpoint's evaluation ") != NULL);
    bt_search_clear(&rest.run);
    /* Damaged: a value that is none. */
    part.run.values[2 * BT_SEARCH_FIELDS + BT_SEARCH_VALUE] = (double)NAN;
    save(&part);
    prepare(&rest, (Method)m, inexact_bowl, 2);
    load(&rest, part.file, BT_ERR_FORMAT);
    bt_search_clear(&rest.run), bt_search_clear(&part.run);
  }
}

/* A quadratic is its own interpolant; with fewer points the model still interpolates, and Lagrange
 * polynomials are 1 and 0. */
static void quadratics_interpolate(void) {
  enum { P = 4, FULL = 15 };
  BtContext ctx;
  BtQuadratic q;
  double s[FULL * P], f[FULL], g[P], h[P * P];
  bt_context_init(&ctx);
  BT_CHECK_STATUS(bt_quadratic_create(&ctx, P, FULL, &q), BT_OK, &ctx);
  for (size_t i = 0; i < P; i++) {
    g[i] = bt_rng_normal(1, 0, i);
    for (size_t j = 0; j <= i; j++) h[i * P + j] = h[j * P + i] = bt_rng_normal(1, 1 + i, j);
  }
  for (size_t t = 0; t < FULL; t++) {
    for (size_t j = 0; j < P; j++) s[t * P + j] = 2 * bt_rng_uniform(2, t, j) - 1;
    f[t] = 0.7 + bt_quadratic_change(P, g, h, s + t * P);
  }
  static const size_t sizes[] = {P + 1, 2 * P + 1, FULL};
  for (size_t k = 0; k < COUNT(sizes); k++) {
    BT_NEED(bt_quadratic_points(&q, sizes[k], s));
    bt_quadratic_fit(&q, f);
    for (size_t t = 0; t < sizes[k]; t++)
      BT_CHECK_NEAR(q.c + bt_quadratic_change(P, q.g, q.h, s + t * P), f[t], 1e-9);
    if (sizes[k] == FULL)
      for (size_t i = 0; i < P; i++) {
        BT_CHECK_NEAR(q.g[i], g[i], 1e-8);
        for (size_t j = 0; j < P; j++) BT_CHECK_NEAR(q.h[i * P + j], h[i * P + j], 1e-7);
      }
    const double c = bt_quadratic_lagrange(&q, 2);
    for (size_t t = 0; t < sizes[k]; t++)
      BT_CHECK_NEAR(c + bt_quadratic_change(P, q.lagrange_g, q.lagrange_h, s + t * P), t == 2, 1e-9);
  }
  BT_CHECK(!bt_quadratic_points(&q, P, s));
  bt_quadratic_clear(&q);
}

/* Against brute force over a fine grid, convex or not; the minimizer of a strictly convex one inside is
 * exact. */
static void box_minimizers_are_good(void) {
  int worse = 0;
  for (uint64_t k = 0; k < 200; k++) {
    double g[2], h[4], s[2], least = 0;
    const double lo[2] = {-1, -0.5 * bt_rng_uniform(9, k, 0)}, hi[2] = {bt_rng_uniform(9, k, 1), 1};
    g[0] = bt_rng_normal(9, k, 2), g[1] = bt_rng_normal(9, k, 3);
    h[0] = 3 * bt_rng_normal(9, k, 4), h[3] = 3 * bt_rng_normal(9, k, 5),
    h[1] = h[2] = bt_rng_normal(9, k, 6);
    const double found = bt_quadratic_minimize(2, g, h, lo, hi, s);
    for (int i = 0; i <= 100; i++)
      for (int j = 0; j <= 100; j++) {
        const double at[2] = {lo[0] + 0.01 * i * (hi[0] - lo[0]), lo[1] + 0.01 * j * (hi[1] - lo[1])};
        least = fmin(least, bt_quadratic_change(2, g, h, at));
      }
    BT_CHECK(s[0] >= lo[0] && s[0] <= hi[0] && s[1] >= lo[1] && s[1] <= hi[1] && found <= 0);
    const int convex = h[0] > 0 && h[0] * h[3] > h[1] * h[1];
    if (convex)
      BT_CHECK_ROW(found <= least + 1e-12, "convex case %d: %g, grid %g", (int)k, found, least);
    else
      worse += found > least + 1e-9;
  }
  BT_CHECK_ROW(worse < 40, "%d of 200 ended in a worse local minimum", worse);
}

/* Interpolation without noise, the prior far away, and two points by hand. */
static void gaussian_processes_predict(void) {
  BtContext ctx;
  BtGp gp;
  static const double two[] = {0, 0.3}, of_two[] = {1, 3};
  double x[24], y[24], mean, s;
  bt_context_init(&ctx);
  for (int kernel = BT_GP_MATERN52; kernel <= BT_GP_SQUARED_EXPONENTIAL; kernel++) {
    BT_CHECK_STATUS(bt_gp_create(&ctx, (BtGpKernel)kernel, 1, 24, &gp), BT_OK, &ctx);
    for (int i = 0; i < 24; i++) x[i] = i / 23.0, y[i] = sin(5 * x[i]);
    gp.noise = 0;
    BT_NEED(bt_gp_condition(&gp, 2, two, of_two));
    /* Equal weights: the mean is 2; at a distance of one length scale the correlation is ρ, K⁻¹(±1) = ±1/(1 −
     * ρ). */
    const double rho = kernel ? exp(-0.5) : (1 + sqrt(5) + 5.0 / 3) * exp(-sqrt(5));
    BT_CHECK_NEAR(gp.mean, 2, 1e-12);
    BT_CHECK_NEAR(gp.variance, 1 / (1 - rho), 1e-12);
    BT_CHECK_NEAR(bt_gp_likelihood(&gp), -log(gp.variance) - 0.5 * log(1 - rho * rho), 1e-12);
    bt_gp_predict(&gp, (const double[]){0.3}, &mean, &s);
    BT_CHECK_NEAR(mean, 3, 1e-12);
    BT_CHECK_NEAR(s, 0, 1e-7);
    bt_gp_predict(&gp, (const double[]){100}, &mean, &s);
    BT_CHECK_NEAR(mean, 2, 1e-12);
    BT_CHECK_NEAR(s, sqrt(gp.variance), 1e-12);
    BT_CHECK_STATUS(bt_gp_fit(&ctx, &gp, 24, x, y), BT_OK, &ctx);
    BT_NEED(bt_gp_condition(&gp, 24, x, y));
    const double fitted = bt_gp_likelihood(&gp);
    for (double at = 0.02; at < 1; at += 0.05) {
      bt_gp_predict(&gp, &at, &mean, &s);
      BT_CHECK_NEAR(mean, sin(5 * at), 5e-3);
    }
    gp.scales[0] = 0.03;
    BT_NEED(bt_gp_condition(&gp, 24, x, y));
    BT_CHECK(bt_gp_likelihood(&gp) < fitted - 5);
    bt_gp_clear(&gp);
  }
}

static const BtTest tests[] = {
    {"minima are found", minima_are_found},
    {"boxes are kept", boxes_are_kept},
    {"a grid is the grid", grid_is_the_grid},
    {"random points fill the box", random_points_fill_the_box},
    {"dfo raises its accuracy as it goes", dfo_raises_accuracy_as_it_goes},
    {"budgets are kept", budgets_are_kept},
    {"failures are told", failures_are_told},
    {"shapeless functions end", shapeless_functions_end},
    {"unsuited input is refused", unsuited_input_is_refused},
    {"a resumed run is the unbroken one", resumed_is_unbroken},
    {"foreign records are refused", foreign_records_are_refused},
    {"quadratics interpolate", quadratics_interpolate},
    {"minimizers over boxes are good", box_minimizers_are_good},
    {"Gaussian processes predict", gaussian_processes_predict},
};

int main(void) { return bt_test_main("searches", tests, COUNT(tests)); }

/* Certificates and hypergradients where the exact answers are known. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "harness.h"
#include "hypergrad/bilevel.h"
#include "lowerlevel/vector.h"
#include "quadratic.h"
#include "regularizers/tv.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MAX_M 10

static const struct { size_t n, m; } sizes[] = {{1, 1}, {50, 5}, {1000, 10}};

static const double starts[][MAX_M] = {
    {0}, {-3, -2, -1, 0, 1, 2, 3, -3, 3, 0}, {3, 3, 3, 3, 3, 3, 3, 3, 3, 3}};

void quadratic_conforms(void) {
  static const char *const solvers[] = {"auto", "bt_lbfgs", "bt_fista", "bt_pdnewton", "lmvm", "nls", "bncg"};
  Rows rows;
  rows_begin(&rows, 1);
  for (size_t s = 0; s < COUNT(sizes); s++)
    for (size_t t = 0; t < COUNT(starts); t++) {
      BtContext ctx;
      Quadratic q;
      bt_context_init(&ctx);
      BT_NEED(quadratic_create(&q, sizes[s].n, sizes[s].m, 60 + s));
      const BtProblem problem = quadratic_problem(&q);
      const BtUpperLoss loss = quadratic_loss(&q);
      const BtConform conform = {.problem = &problem,
                                 .i = t % QUADRATIC_IMAGES,
                                 .theta = starts[t],
                                 .seed = 3,
                                 .observer = rows_collect,
                                 .user = &rows};
      snprintf(rows.label, sizeof rows.label, "quadratic n %zu theta %zu", q.n, t);
      BT_CHECK_STATUS(bt_conform_operators(&ctx, &conform, q.truth[0]), BT_OK, &ctx);
      BT_CHECK_STATUS(bt_conform_bounds(&ctx, &conform, q.truth[0]), BT_OK, &ctx);
      for (size_t k = 0; k < COUNT(solvers); k++) {
        const BtLowerSettings settings = {.solver = solvers[k], .max_iterations = 1000};
        snprintf(rows.label, sizeof rows.label, "quadratic n %zu theta %zu %s", q.n, t, solvers[k]);
        BT_CHECK_STATUS(bt_conform_certificates(&ctx, &conform, &settings), BT_OK, &ctx);
        if (k == 0)
          BT_CHECK_STATUS(bt_conform_hypergradient(&ctx, &conform, &loss, &settings, NULL), BT_OK, &ctx);
      }
      quadratic_clear(&q);
    }
  rows_print(&rows, "quadratic");
}

/* Solutions and hypergradients of one problem against exact ones, over a grid of accuracies. */
typedef struct {
  const BtProblem *problem;
  const BtUpperLoss *loss;
  size_t i;
  const double *theta, *x, *z; /* exact x̂ and ∇f                    */
  double slack;                /* accuracy of the exact ones          */
  const char *label;
} Exact;

static void check_exact(const Exact *e) {
  static const double eps[] = {1, 1e-2, 1e-4, 1e-8}, delta[] = {1, 1e-3, 1e-8};
  const size_t n = e->problem->ops->dimension(e->problem, e->i), p = e->problem->parameters;
  const size_t dual = bt_problem_dual_size(e->problem, e->i);
  const BtLowerSettings settings = {.solver = "bt_fista", .max_iterations = 20000};
  double *x = calloc(2 * n + dual + 1, sizeof *x), *q = x + n, z[MAX_M];
  BtBilevel *bilevel = NULL;
  BtContext ctx;
  BtTeam team;
  bt_context_init(&ctx);
  bt_team_self(&team);
  BT_CHECK_STATUS(bt_bilevel_create(&ctx, e->problem, e->loss, &settings, &team, NULL, NULL, &bilevel), BT_OK,
                  &ctx);
  for (size_t a = 0; bilevel && x && a < COUNT(eps); a++)
    for (size_t d = 0; d < COUNT(delta); d++) {
      const BtLowerPoint point = {x, dual ? q + n : NULL};
      BtHypergradientPart part = {.certificate.bound = (double)INFINITY};
      (void)e->problem->ops->cold_start(e->problem, e->i, e->theta, point.x, point.dual);
      memset(q, 0, n * sizeof *q);
      BT_CHECK_STATUS(bt_hypergradient(bilevel, &ctx, e->i, e->theta, eps[a], delta[d], BT_WANT_BOUND, point,
                                       q, z, NULL, &part),
                      BT_OK, &ctx);
      const double distance = bt_distance(x, e->x, n), error = bt_distance(z, e->z, p);
      const double rounding = e->slack * (1 + bt_norm(e->x, n)),
                   rounding_z = e->slack * (1 + bt_norm(e->z, p));
      BT_CHECK_ROW(distance <= part.certificate.bound + rounding && part.certificate.bound <= eps[a],
                   "%s eps %g: distance %g, bound %g", e->label, eps[a], distance, part.certificate.bound);
      BT_CHECK_ROW(part.certificate.proof == BT_PROVEN, "%s eps %g: not proven", e->label, eps[a]);
      BT_CHECK_ROW(error <= part.bound + rounding_z, "%s eps %g delta %g: hypergradient off by %g, omega %g",
                   e->label, eps[a], delta[d], error, part.bound);
      BT_CHECK_ROW(error <= part.bound_global + rounding_z, "%s eps %g delta %g: off by %g, closed form %g",
                   e->label, eps[a], delta[d], error, part.bound_global);
      if (eps[a] == 1e-8 && delta[d] == 1e-8)
        BT_CHECK_ROW(error <= 1e-6 * (1 + bt_norm(e->z, p)), "%s: hypergradient off by %g", e->label, error);
    }
  bt_bilevel_destroy(bilevel);
  free(x);
}

void quadratic_is_certified(void) {
  for (size_t s = 0; s < COUNT(sizes); s++)
    for (size_t t = 0; t < COUNT(starts); t++)
      for (size_t i = 0; i < QUADRATIC_IMAGES; i++) {
        Quadratic q;
        double z[MAX_M];
        char label[80];
        BT_NEED(quadratic_create(&q, sizes[s].n, sizes[s].m, 60 + s));
        const BtProblem problem = quadratic_problem(&q);
        const BtUpperLoss loss = quadratic_loss(&q);
        double *x = malloc(q.n * sizeof *x);
        if (BT_CHECK(x != NULL)) {
          snprintf(label, sizeof label, "quadratic n %zu theta %zu image %zu", q.n, t, i);
          quadratic_solution(&q, i, starts[t], x);
          (void)quadratic_value(&q, i, starts[t], z);
          check_exact(&(Exact){&problem, &loss, i, starts[t], x, z, 1e-11, label});
        }
        free(x);
        quadratic_clear(&q);
      }
}

/* The difference s of two pixels under TV solves s − Δ + 2w s/√(s²+ν²) = 0; their sum is that of the data. */
static long double two_pixel_difference(long double data, long double w, long double nu) {
  long double lo = fminl(0, data), hi = fmaxl(0, data);
  for (int k = 0; k < 200; k++) {
    const long double s = 0.5L * (lo + hi);
    if (s - data + 2 * w * s / sqrtl(s * s + nu * nu) > 0)
      hi = s;
    else
      lo = s;
  }
  return 0.5L * (lo + hi);
}

static void two_pixels(BtTvVariant variant, BtShape shape, const double *theta, const double *y,
                       const double *truth) {
  const BtRegularizer reg = bt_tv(variant);
  const BtNoisyImage image = {.shape = shape, .noisy = y};
  const BtDenoising denoising = {.regularizer = &reg, .images = &image};
  const BtProblem problem = bt_denoising_problem(&denoising, 1);
  const BtUpperLoss loss = bt_squared_error(&truth);
  const long double w = expl((long double)theta[0]), nu = expl((long double)theta[1]);
  const long double sum = (long double)y[0] + (long double)y[1];
  const long double s = two_pixel_difference((long double)y[1] - (long double)y[0], w, nu);
  const long double e = sqrtl(s * s + nu * nu), slope = 1 + 2 * w * nu * nu / (e * e * e);
  const double x[2] = {(double)((sum - s) / 2), (double)((sum + s) / 2)};
  /* dg/ds, then ds/dθ by the implicit function theorem. */
  const double by_s = 0.5 * ((x[1] - truth[1]) - (x[0] - truth[0]));
  const double z[2] = {by_s * (double)(-2 * w * s / e / slope),
                       by_s * (double)(2 * w * s * nu * nu / (e * e * e) / slope)};
  char label[100];
  snprintf(label, sizeof label, "two pixels, variant %d, theta (%g, %g), data %g %g", (int)variant, theta[0],
           theta[1], y[0], y[1]);
  check_exact(&(Exact){&problem, &loss, 0, theta, x, z, 1e-13, label});
}

void two_pixels_are_certified(void) {
  static const double thetas[][2] = {{-2.6, -4.5}, {-1, -8}, {0, 1}, {-5, -5}, {2, 2}};
  static const double data[][2] = {{0.2, 0.9}, {0.5, 0.52}, {1, -3}};
  static const double truth[2] = {0.3, 0.7};
  static const BtShape shapes[] = {{1, 2}, {2, 1}};
  for (int variant = 0; variant < 2; variant++)
    for (size_t s = 0; s < COUNT(shapes); s++)
      for (size_t t = 0; t < COUNT(thetas); t++)
        for (size_t d = 0; d < COUNT(data); d++)
          two_pixels((BtTvVariant)variant, shapes[s], thetas[t], data[d], truth);
}

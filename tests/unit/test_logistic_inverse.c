/* The preconditioner of logistic regression: against a dense solve, against the diagonal, over points and ridge weights, out
 * of a checkpoint; and the solver that it serves. */
#include <math.h>
#include <petscsys.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "lowerlevel/logistic.h"
#include "lowerlevel/solve.h"
#include "lowerlevel/vector.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { MAX_UNKNOWNS = 60 };

/* `all`: the sample is the whole Hessian. */
static const struct {
  size_t rows, features, classes;
  int mean, all;
} cases[] = {{30, 3, 4, 0, 1}, {45, 6, 2, 1, 1}, {4000, 6, 8, 1, 0}, {5000, 12, 5, 0, 0}, {2500, 20, 3, 1, 0}};

typedef struct {
  double *x;
  int32_t *label;
  BtTeam team;
  BtLogistic *logistic;
  const BtProblem *problem;
  size_t n;
  double w[MAX_UNKNOWNS], theta[MAX_UNKNOWNS];
  double *curvature;
} Case;

static void clear(Case *c) {
  bt_logistic_destroy(c->logistic);
  free(c->x);
  free(c->label);
  free(c->curvature);
}

/* Positive features of sizes that differ a hundredfold, ridge weights from e^least to e^most. */
static int create(Case *c, size_t k, double least, double most) {
  const size_t d = cases[k].features, rows = cases[k].rows, n = d * cases[k].classes;
  BtContext ctx;
  bt_context_init(&ctx);
  *c = (Case){.n = n, .x = calloc(rows * d, sizeof *c->x), .label = calloc(rows, sizeof *c->label)};
  if (!BT_CHECK(c->x && c->label)) return 0;
  bt_team_self(&c->team);
  for (size_t i = 0; i < rows; i++) {
    c->label[i] = (int32_t)(bt_rng_uniform(5, k, i) * (double)cases[k].classes);
    for (size_t j = 0; j < d; j++)
      c->x[i * d + j] = pow(100, -(double)j / (double)d) *
                        fabs(bt_rng_normal(5, 10 + k, i * d + j) +
                             bt_rng_normal(5, 20 + k, (size_t)c->label[i] * d + j));
  }
  const BtLogisticSpec spec = {.rows = rows,
                               .features = d,
                               .classes = cases[k].classes,
                               .x = c->x,
                               .label = c->label,
                               .ridge = BT_RIDGE_COEFFICIENT,
                               .mean = cases[k].mean};
  if (!BT_CHECK_STATUS(bt_logistic_create(&ctx, &spec, &c->team, &c->logistic), BT_OK, &ctx)) return 0;
  c->problem = bt_logistic_problem(c->logistic);
  c->curvature = malloc(c->problem->ops->curvature_size(c->problem, 0) * sizeof *c->curvature);
  if (!BT_CHECK(c->curvature != NULL)) return 0;
  bt_rng_fill_normal(5, 30 + k, 0, n, c->w);
  for (size_t j = 0; j < n; j++) c->theta[j] = least + (most - least) * bt_rng_uniform(5, 40 + k, j);
  return 1;
}

static void prepare(Case *c) { c->problem->ops->curvature(c->problem, 0, c->theta, c->w, c->curvature); }

static void multiply(Case *c, const double *v, double *product) {
  c->problem->ops->hess_mult(c->problem, 0, c->curvature, v, product);
}

static void invert(Case *c, const double *v, double *product) {
  c->problem->ops->precondition(c->problem, 0, c->curvature, v, product);
}

/* x ← A⁻¹b by elimination; a and b are overwritten. */
static void eliminate(size_t n, double a[][MAX_UNKNOWNS], double *b, double *x) {
  for (size_t k = 0; k < n; k++)
    for (size_t i = k + 1; i < n; i++) {
      const double factor = a[i][k] / a[k][k];
      for (size_t j = k; j < n; j++) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  for (size_t k = n; k-- > 0;) {
    x[k] = b[k];
    for (size_t j = k + 1; j < n; j++) x[k] -= a[k][j] * x[j];
    x[k] /= a[k][k];
  }
}

/* Where all terms are taken, M is the Hessian. */
static void whole_samples(void) {
  static double hessian[MAX_UNKNOWNS][MAX_UNKNOWNS];
  for (size_t k = 0; k < COUNT(cases); k++) {
    Case c = {0};
    if (cases[k].all && create(&c, k, -6, 0)) {
      double unit[MAX_UNKNOWNS] = {0}, v[MAX_UNKNOWNS], b[MAX_UNKNOWNS], exact[MAX_UNKNOWNS], got[MAX_UNKNOWNS];
      prepare(&c);
      for (size_t j = 0; j < c.n; j++) {
        unit[j] = 1;
        multiply(&c, unit, hessian[j]);
        unit[j] = 0;
      }
      bt_rng_fill_normal(1, 1, 0, c.n, v);
      memcpy(b, v, sizeof b);
      eliminate(c.n, hessian, b, exact);
      invert(&c, v, got);
      BT_CHECK_ROW(bt_distance(got, exact, c.n) <= 1e-9 * bt_norm(exact, c.n), "case %zu: off by %.3g of %.3g", k,
                   bt_distance(got, exact, c.n), bt_norm(exact, c.n));
    }
    clear(&c);
  }
}

static void is_symmetric(void) {
  for (size_t k = 0; k < COUNT(cases); k++) {
    Case c;
    if (create(&c, k, -10, 2)) {
      double u[MAX_UNKNOWNS], v[MAX_UNKNOWNS], mu[MAX_UNKNOWNS], mv[MAX_UNKNOWNS];
      prepare(&c);
      bt_rng_fill_normal(1, 1, 0, c.n, u);
      bt_rng_fill_normal(1, 2, 0, c.n, v);
      invert(&c, u, mu);
      invert(&c, v, mv);
      const double left = bt_dot(v, mu, c.n), right = bt_dot(u, mv, c.n);
      BT_CHECK_ROW(fabs(left - right) <= 1e-10 * bt_norm(u, c.n) * bt_norm(mv, c.n), "case %zu: %.17g and %.17g", k,
                   left, right);
      BT_CHECK_ROW(bt_dot(u, mu, c.n) > 0 && bt_dot(v, mv, c.n) > 0, "case %zu: not positive", k);
    }
    clear(&c);
  }
}

/* Iterations of conjugate gradients to 1e-6 of the right-hand side, with M or the diagonal. */
static int iterations(Case *c, int with_inverse) {
  enum { MOST = 2000 };
  double b[MAX_UNKNOWNS], r[MAX_UNKNOWNS], z[MAX_UNKNOWNS], p[MAX_UNKNOWNS], hp[MAX_UNKNOWNS], d[MAX_UNKNOWNS];
  bt_rng_fill_normal(1, 3, 0, c->n, b);
  memcpy(r, b, sizeof r);
  c->problem->ops->hess_diagonal(c->problem, 0, c->curvature, d);
  double before = 0;
  for (int k = 1; k <= MOST; k++) {
    if (with_inverse) invert(c, r, z);
    for (size_t j = 0; !with_inverse && j < c->n; j++) z[j] = r[j] / d[j];
    const double now = bt_dot(r, z, c->n);
    for (size_t j = 0; j < c->n; j++) p[j] = z[j] + (k > 1 ? now / before * p[j] : 0);
    multiply(c, p, hp);
    const double step = now / bt_dot(p, hp, c->n);
    for (size_t j = 0; j < c->n; j++) r[j] -= step * hp[j];
    before = now;
    if (bt_norm(r, c->n) <= 1e-6 * bt_norm(b, c->n)) return k;
  }
  return MOST;
}

/* Whatever the ridge weights. */
static void few_iterations(void) {
  static const double least[] = {-4, -12, -18};
  for (size_t k = 0; k < COUNT(cases); k++)
    for (size_t t = 0; t < COUNT(least); t++) {
      Case c;
      if (create(&c, k, least[t], 0)) {
        prepare(&c);
        const int with = iterations(&c, 1), without = iterations(&c, 0);
        BT_CHECK_ROW(with <= (cases[k].all ? 3 : 20), "case %zu, weights from e^%g: %d iterations", k, least[t],
                     with);
        BT_CHECK_ROW(with < without, "case %zu, weights from e^%g: %d iterations, %d with the diagonal", k, least[t],
                     with, without);
      }
      clear(&c);
    }
}

/* What of the count is due to one use of M at the present point, in products. */
static int64_t use(Case *c) {
  double v[MAX_UNKNOWNS], out[MAX_UNKNOWNS];
  const int64_t before = c->problem->ops->preparation(c->problem);
  bt_rng_fill_normal(1, 4, 0, c->n, v);
  prepare(c);
  invert(c, v, out);
  return c->problem->ops->preparation(c->problem) - before;
}

/* The sample and the factor are kept near their point and weights, and made and counted anew farther off. Case 2: 6 terms
 * for each of 48 unknowns and row make 20·48 · 21 of 2·48·4000 multiply-adds, the factor 48³/6. */
static void ages(void) {
  Case c;
  if (create(&c, 2, -10, 0)) {
    BT_CHECK(use(&c) == 1);
    BtWork work = {0};
    for (int k = 0; k < 20; k++) work.hessian_products += use(&c);
    BT_CHECK(work.hessian_products <= 1);
    /* A far point: looking at 28 pairs of 4000 rows is a third of a product. */
    const int64_t before = c.problem->ops->preparation(c.problem);
    for (int k = 0; k < 12; k++) {
      for (size_t j = 0; j < c.n; j++) c.w[j] = 3 * bt_rng_normal(7, (uint64_t)k, j);
      (void)use(&c);
    }
    const int64_t moved = c.problem->ops->preparation(c.problem) - before;
    BT_CHECK_ROW(moved >= 4 && moved <= 10, "12 new samples counted as %d products", (int)moved);
    BT_CHECK(iterations(&c, 1) <= 14);
    for (size_t j = 0; j < c.n; j++) c.w[j] *= 1.001, c.theta[j] += 0.1;
    BT_CHECK(use(&c) == 0 && iterations(&c, 1) <= 16);
  }
  clear(&c);
}

/* The same numbers in another process's memory make the same M, to the last bit, and cost nothing. */
static void resumes(void) {
  for (size_t k = 0; k < COUNT(cases); k++) {
    Case a, b;
    const int both = create(&a, k, -9, 1) & create(&b, k, -9, 1);
    if (both) {
      double v[MAX_UNKNOWNS], of_a[MAX_UNKNOWNS], of_b[MAX_UNKNOWNS];
      size_t length;
      (void)use(&a);
      for (size_t j = 0; j < a.n; j++) a.w[j] *= 1.01, a.theta[j] += 0.05;
      memcpy(b.w, a.w, sizeof a.w);
      memcpy(b.theta, a.theta, sizeof a.theta);
      (void)use(&a);
      const double *from = a.problem->ops->memory(a.problem, 0, &length);
      memcpy(b.problem->ops->memory(b.problem, 0, &length), from, length * sizeof *from);
      const int64_t before = a.problem->ops->preparation(a.problem);
      bt_rng_fill_normal(1, 5, 0, a.n, v);
      for (int repeat = 0; repeat < 40; repeat++) {
        prepare(&a), invert(&a, v, of_a);
        prepare(&b), invert(&b, v, of_b);
      }
      BT_CHECK_ROW(memcmp(of_a, of_b, a.n * sizeof *of_a) == 0, "case %zu: another M", k);
      BT_CHECK_ROW(a.problem->ops->preparation(a.problem) - before == b.problem->ops->preparation(b.problem),
                   "case %zu: counted %d and %d", k, (int)(a.problem->ops->preparation(a.problem) - before),
                   (int)b.problem->ops->preparation(b.problem));
    }
    clear(&a);
    clear(&b);
  }
}

/* ⟨∇h(w + v) − ∇h(w), v⟩/‖v‖². */
static double slope_along(Case *c, const double *gradient, const double *v) {
  double moved[MAX_UNKNOWNS], there[MAX_UNKNOWNS];
  for (size_t j = 0; j < c->n; j++) moved[j] = c->w[j] + v[j];
  (void)c->problem->ops->value_grad(c->problem, 0, c->theta, moved, there);
  for (size_t j = 0; j < c->n; j++) there[j] -= gradient[j];
  return bt_dot(there, v, c->n) / bt_dot(v, v, c->n);
}

/* v ← a direction of length `radius` in which h is least convex, about. */
static void least_convex(Case *c, double radius, double *v) {
  double image[MAX_UNKNOWNS];
  for (int k = 0; k < 30; k++) {
    invert(c, v, image);
    const double factor = radius / bt_norm(image, c->n);
    for (size_t j = 0; j < c->n; j++) v[j] = factor * image[j];
  }
}

/* μ around a point holds in all directions, and is far above the least ridge weight's where the data see every direction. */
static void convex_around(void) {
  static const double radii[] = {1e-6, 1e-3, 0.1, 1};
  for (size_t k = 0; k < COUNT(cases); k++)
    for (size_t r = 0; r < COUNT(radii); r++) {
      Case c;
      if (create(&c, k, -16, -8)) {
        double gradient[MAX_UNKNOWNS], v[MAX_UNKNOWNS];
        const double mu = c.problem->ops->convexity(c.problem, 0, c.theta, c.w, radii[r]);
        (void)c.problem->ops->value_grad(c.problem, 0, c.theta, c.w, gradient);
        prepare(&c);
        BT_CHECK_ROW(mu >= exp(-16), "case %zu, radius %g: %.3g", k, radii[r], mu);
        for (uint64_t direction = 0; direction < 20; direction++) {
          bt_rng_fill_normal(9, direction, 0, c.n, v);
          least_convex(&c, direction % 2 ? radii[r] : -radii[r], v);
          const double slope = slope_along(&c, gradient, v);
          BT_CHECK_ROW(mu <= slope * (1 + 1e-6) + 1e-9, "case %zu, radius %g: %.6g along a direction, bound %.6g", k,
                       radii[r], slope, mu);
          if (getenv("BITUNE_VERBOSE") && direction == 0) printf("case %zu radius %g: %.3g of %.3g\n", k, radii[r], mu, slope);
        }
      }
      clear(&c);
    }
}

/* Newton's method with M and L-BFGS come to the same solution; the work of the first does not depend on the weights. */
static void solves(void) {
  static const double least[] = {-3, -8, -12};
  for (size_t k = 0; k < COUNT(cases); k++) {
    int64_t work[COUNT(least)];
    for (size_t t = 0; t < COUNT(least); t++) {
      static const char *const solvers[] = {"auto", "bt_lbfgs"};
      double x[2][MAX_UNKNOWNS];
      BtCertificate cert[2];
      for (int s = 0; s < 2; s++) {
        const BtLowerSettings settings = {.solver = solvers[s], .max_iterations = 100000};
        BtLower *lower = NULL;
        BtContext ctx;
        Case c;
        bt_context_init(&ctx);
        if (create(&c, k, least[t], 0) &&
            BT_CHECK_STATUS(bt_lower_create(&ctx, c.problem, &settings, &lower), BT_OK, &ctx)) {
          bt_lower_cold_start(lower, 0, c.theta, (BtLowerPoint){.x = x[s]});
          const BtStatus st = bt_lower_solve(lower, &ctx, 0, c.theta, 1e-2, (BtLowerPoint){.x = x[s]}, &cert[s]);
          BT_CHECK_ROW(st == BT_OK, "case %zu, weights from e^%g: %s comes to %.3g", k, least[t], solvers[s],
                       cert[s].bound);
          const BtWork done = bt_lower_work(lower);
          if (s == 0) work[t] = bt_work_total(&done);
        }
        bt_lower_destroy(lower);
        clear(&c);
      }
      const double apart = bt_distance(x[0], x[1], cases[k].features * cases[k].classes);
      BT_CHECK_ROW(apart <= cert[0].bound + cert[1].bound, "case %zu: %.3g apart, bounds %.3g and %.3g", k, apart,
                   cert[0].bound, cert[1].bound);
      BT_CHECK_ROW(work[t] <= work[0] + 60, "case %zu: work %d with weights from e^%g, %d from e^%g", k,
                   (int)work[t], least[t], (int)work[0], least[0]);
    }
  }
}

static const BtTest tests[] = {{"M of a whole sample is the Hessian", whole_samples},
                               {"M is symmetric and positive", is_symmetric},
                               {"few iterations for any ridge weights", few_iterations},
                               {"samples and factors are kept and renewed", ages},
                               {"M out of a checkpoint", resumes},
                               {"convexity around a point", convex_around},
                               {"Newton's method with M", solves}};

int main(int argc, char **argv) {
  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 1;
  const int failed = bt_test_main("inverse of logistic regression", tests, COUNT(tests));
  return PetscFinalize() || failed;
}

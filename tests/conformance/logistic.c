/* Logistic regression: against loops written from its definition, and the conformance suite on sizes from one
 * row up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "core/rng.h"
#include "harness.h"
#include "hypergrad/cross_entropy.h"
#include "lowerlevel/vector.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { MAX_UNKNOWNS = 400, MAX_CLASSES = 12 };

/* The last ones have more rows than a block, and fewer than there are chunks. */
static const struct {
  size_t rows, features, classes;
  BtRidge ridge;
  int mean, positive;
  double floor;
} cases[] = {{1, 1, 2, BT_RIDGE_ONE, 0, 0, 0},          {40, 3, 2, BT_RIDGE_CLASS, 0, 0, 0.02},
             {300, 6, 4, BT_RIDGE_FEATURE, 1, 1, 0.5},  {90, 5, 10, BT_RIDGE_COEFFICIENT, 0, 1, 0},
             {9000, 4, 3, BT_RIDGE_ONE, 1, 0, 1e-7},    {11, 20, 12, BT_RIDGE_COEFFICIENT, 1, 0, 0.1}};

typedef struct {
  double *x;
  int32_t *label;
  BtTeam team;
  BtLogistic *logistic;
  BtCrossEntropy *entropy;
  BtUpperLoss loss;
  const BtProblem *problem;
  double w[MAX_UNKNOWNS], theta[MAX_UNKNOWNS];
} Case;

static void case_clear(Case *c) {
  bt_logistic_destroy(c->logistic);
  bt_cross_entropy_destroy(c->entropy);
  free(c->x);
  free(c->label);
}

/* Classes with means of their own; a third as many rows again for the upper loss. */
static int case_create(Case *c, size_t k, double centre, double width) {
  const size_t d = cases[k].features, rows = cases[k].rows, upper = rows / 3 + 1, all = rows + upper;
  BtContext ctx;
  bt_context_init(&ctx);
  *c = (Case){.x = calloc(all * d, sizeof *c->x), .label = calloc(all, sizeof *c->label)};
  if (!BT_CHECK(c->x && c->label)) return 0;
  bt_team_self(&c->team);
  for (size_t i = 0; i < all; i++) {
    c->label[i] = (int32_t)(bt_rng_uniform(5, k, i) * (double)cases[k].classes);
    for (size_t j = 0; j < d; j++) {
      const double value =
          bt_rng_normal(5, 10 + k, i * d + j) + 2 * bt_rng_normal(5, 20 + k, (size_t)c->label[i] * d + j);
      c->x[i * d + j] = cases[k].positive ? fabs(value) : value;
    }
  }
  BtLogisticSpec spec = {.rows = rows,
                         .features = d,
                         .classes = cases[k].classes,
                         .x = c->x,
                         .label = c->label,
                         .ridge = cases[k].ridge,
                         .mean = cases[k].mean,
                         .floor = cases[k].floor};
  if (!BT_CHECK_STATUS(bt_logistic_create(&ctx, &spec, &c->team, &c->logistic), BT_OK, &ctx)) return 0;
  c->problem = bt_logistic_problem(c->logistic);
  spec.x = c->x + rows * d;
  spec.label = c->label + rows;
  spec.rows = upper;
  if (!BT_CHECK_STATUS(bt_cross_entropy_create(&ctx, &spec, &c->entropy), BT_OK, &ctx)) return 0;
  c->loss = bt_cross_entropy_loss(c->entropy);
  bt_rng_fill_normal(5, 30 + k, 0, d * cases[k].classes, c->w);
  for (size_t g = 0; g < c->problem->parameters; g++)
    c->theta[g] = centre + width * (2 * bt_rng_uniform(5, 40 + k, g) - 1);
  return 1;
}

/* h and its gradient in long double, straight from the formula. */
static long double definition(const Case *c, size_t k, long double *gradient) {
  const size_t d = cases[k].features, classes = cases[k].classes, rows = cases[k].rows;
  const long double scale = cases[k].mean ? 1.0L / (long double)rows : 1;
  long double value = 0;
  for (size_t j = 0; j < d * classes; j++) {
    const size_t groups[] = {0, j / d, j % d, j};
    const long double weight = expl((long double)c->theta[groups[cases[k].ridge]]) +
                               (long double)cases[k].floor * scale * (long double)rows;
    gradient[j] = weight * (long double)c->w[j];
    value += 0.5L * weight * (long double)c->w[j] * (long double)c->w[j];
  }
  for (size_t i = 0; i < rows; i++) {
    long double e[MAX_CLASSES] = {0}, sum = 0;
    for (size_t m = 0; m < classes; m++) {
      long double score = 0;
      for (size_t j = 0; j < d; j++) score += (long double)c->w[m * d + j] * (long double)c->x[i * d + j];
      sum += e[m] = expl(score);
    }
    value += scale * (logl(sum) - logl(e[c->label[i]]));
    for (size_t m = 0; m < classes; m++)
      for (size_t j = 0; j < d; j++)
        gradient[m * d + j] +=
            scale * (e[m] / sum - (m == (size_t)c->label[i])) * (long double)c->x[i * d + j];
  }
  return value;
}

void logistic_is_its_definition(void) {
  for (size_t k = 0; k < COUNT(cases); k++) {
    Case c;
    long double exact[MAX_UNKNOWNS];
    double gradient[MAX_UNKNOWNS], single[MAX_UNKNOWNS];
    if (case_create(&c, k, -1, 2)) {
      const size_t n = cases[k].features * cases[k].classes;
      const BtProblemOps *ops = c.problem->ops;
      BtProblemConstants constants;
      const double wanted = (double)definition(&c, k, exact);
      const double value = ops->value_grad(c.problem, 0, c.theta, c.w, gradient);
      ops->constants(c.problem, 0, c.theta, &constants);
      const double allowed = ops->gradient_rounding(c.problem, 0, c.theta, &constants, c.w);
      double off = 0;
      for (size_t j = 0; j < n; j++) off += pow((double)((long double)gradient[j] - exact[j]), 2);
      BT_CHECK_ROW(fabs(value - wanted) <= 1e-13 * wanted, "case %zu: h is %.17g, not %.17g", k, value,
                   wanted);
      BT_CHECK_ROW(sqrt(off) <= allowed, "case %zu: gradient off by %.3g, allowed %.3g", k, sqrt(off),
                   allowed);
      BT_CHECK_ROW(allowed <= 1e-10 * bt_norm(gradient, n), "case %zu: an allowance of %.3g", k, allowed);
      const double fast = c.problem->fast->ops->value_grad(c.problem->fast, 0, c.theta, c.w, single);
      BT_CHECK_ROW(fabs(fast - wanted) <= 1e-5 * wanted, "case %zu: single %.9g, not %.9g", k, fast, wanted);
      BT_CHECK_ROW(bt_distance(single, gradient, n) <= 1e-5 * bt_norm(gradient, n),
                   "case %zu: single gradient", k);
      BT_CHECK_ROW(bt_distance(single, gradient, n) > 0 || n <= 2, "case %zu: the twin is not single", k);
    }
    case_clear(&c);
  }
}

/* Parameters near a start of learning, of weights that differ by e⁶, and of heavy ones. */
static const struct {
  double centre, width;
  int solvable;
} thetas[] = {{-1, 1, 1}, {-2, 3, 1}, {4, 1, 1}};

static void on_cases(void (*check)(Case *, const BtConform *, Rows *, int), Rows *rows) {
  for (size_t k = 0; k < COUNT(cases); k++)
    for (size_t t = 0; t < COUNT(thetas); t++) {
      Case c;
      if (case_create(&c, k, thetas[t].centre, thetas[t].width)) {
        const BtConform conform = {
            .problem = c.problem, .theta = c.theta, .seed = 7, .observer = rows_collect, .user = rows};
        snprintf(rows->label, sizeof rows->label, "logistic case %zu theta %zu", k, t);
        check(&c, &conform, rows, thetas[t].solvable);
      }
      case_clear(&c);
    }
}

static void check_problem(Case *c, const BtConform *conform, Rows *rows, int solvable) {
  static const char *const solvers[] = {"auto", "bt_lbfgs", "bt_fista", "bt_pdnewton", "lmvm", "nls"};
  char label[sizeof rows->label];
  BtContext ctx;
  bt_context_init(&ctx);
  rows->excused = -1;
  BT_CHECK_STATUS(bt_conform_operators(&ctx, conform, c->w), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_conform_bounds(&ctx, conform, c->w), BT_OK, &ctx);
  if (!solvable) rows->excused = BT_CONFORM_REACHED;
  snprintf(label, sizeof label, "%s", rows->label);
  for (size_t s = 0; s < COUNT(solvers); s++) {
    const BtLowerSettings settings = {.solver = solvers[s], .max_iterations = 20000};
    snprintf(rows->label, sizeof rows->label, "%.120s %s", label, solvers[s]);
    BT_CHECK_STATUS(bt_conform_certificates(&ctx, conform, &settings), BT_OK, &ctx);
  }
}

void logistic_conforms(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_cases(check_problem, &rows);
  rows_print(&rows, "logistic regression");
  for (int k = BT_CONFORM_GRADIENT; k <= BT_CONFORM_CROSS_ADJOINT; k++) BT_CHECK(rows.seen[k] > 0);
  for (int k = BT_CONFORM_CONVEXITY; k <= BT_CONFORM_VARIATION_GLOBAL; k++) BT_CHECK(rows.seen[k] > 0);
  BT_CHECK(rows.seen[BT_CONFORM_CERTIFICATE] > 0 && rows.seen[BT_CONFORM_REACHED] > 0);
}

static void check_loss(Case *c, const BtConform *conform, Rows *rows, int solvable) {
  BtContext ctx;
  bt_context_init(&ctx);
  (void)rows, (void)solvable;
  BT_CHECK_STATUS(bt_conform_loss(&ctx, conform, &c->loss, c->w), BT_OK, &ctx);
}

void logistic_loss_conforms(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_cases(check_loss, &rows);
  rows_print(&rows, "cross-entropy");
  for (int k = BT_CONFORM_LOSS_GRADIENT; k <= BT_CONFORM_LOSS_LIPSCHITZ; k++) BT_CHECK(rows.seen[k] > 0);
}

static void check_hypergradient(Case *c, const BtConform *conform, Rows *rows, int solvable) {
  const BtLowerSettings settings = {.solver = "auto", .max_iterations = 100000};
  BtConformFigures figures;
  BtContext ctx;
  bt_context_init(&ctx);
  if (!solvable) return;
  if (!BT_CHECK_STATUS(bt_conform_hypergradient(&ctx, conform, &c->loss, &settings, &figures), BT_OK, &ctx))
    return;
  if (getenv("BITUNE_VERBOSE"))
    printf("%s: omega/error %.3g (least %.3g), global %.3g, estimate/error %.3g (%.3g to %.3g)\n",
           rows->label, figures.bound_ratio, figures.bound_ratio_least, figures.global_ratio,
           figures.estimate_ratio, figures.estimate_least, figures.estimate_largest);
}

void logistic_hypergradients(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_cases(check_hypergradient, &rows);
  rows_print(&rows, "hypergradients of logistic regression");
  for (int k = BT_CONFORM_ERROR_BOUND; k < BT_CONFORM_CHECKS; k++) BT_CHECK(rows.seen[k] > 0);
}

/* The conformance suite on deblurring and inpainting: every operator with every regularizer of the table. */
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "core/rng.h"
#include "harness.h"
#include "lowerlevel/blur.h"
#include "lowerlevel/mask.h"
#include "lowerlevel/restoration.h"
#include "lowerlevel/vector.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Even kernels, which reflecting blurs apply in the DCT's space, and others, which they do not. */
static const double even_taps[9] = {0.05, 0.1, 0.05, 0.1, 0.4, 0.1, 0.05, 0.1, 0.05};
static const double skew_taps[6] = {0.3, 0.25, -0.1, 0.2, 0.15, 0.2};

static const struct {
  const char *name;
  size_t rows, columns; /* 0: a mask */
  const double *taps;
  BtBoundary boundary;
} operators[] = {{"even blur, reflect", 3, 3, even_taps, BT_BOUNDARY_REFLECT},
                 {"skew blur, reflect", 2, 3, skew_taps, BT_BOUNDARY_REFLECT},
                 {"skew blur, periodic", 2, 3, skew_taps, BT_BOUNDARY_PERIODIC},
                 {"mask", 0, 0, NULL, BT_BOUNDARY_REFLECT}};

static const BtShape shapes[] = {{3, 4}, {13, 10}, {17, 22}};

/* Ridges as large as is needed for accurate reference solutions, and for fields of experts that are not
 * convex to leave the problem convex; a strength that is no power of two. */
static const double tv_ridge = 0.05, foe_ridge = 0.5, strength = 0.3;

/* One observation of the scene's true image. Not to be moved. */
typedef struct {
  Scene scene;
  BtOperator op;
  BtObservation observation;
  BtRestoration restoration;
  BtProblem problem;
  double *data, *work;
} Case;

static int case_create(Case *c, BtRegularizer regularizer, double ridge, BtShape shape, size_t which) {
  const size_t n = bt_shape_size(shape);
  memset(c, 0, sizeof *c);
  if (!scene_create(&c->scene, regularizer, shape, IMAGE_EDGES, 100 + which)) return 0;
  unsigned char *known = malloc(n);
  c->data = malloc(n * sizeof *c->data);
  c->work = malloc(2 * n * sizeof *c->work);
  if (!known || !c->data || !c->work) return 0;
  for (size_t j = 0; j < n; j++) known[j] = bt_rng_uniform(1, 2, j) < 0.6;
  known[0] = 1;
  const BtStatus st = operators[which].rows
                          ? bt_blur(NULL, shape, operators[which].rows, operators[which].columns,
                                    operators[which].taps, operators[which].boundary, &c->op)
                          : bt_mask(NULL, shape, known, &c->op);
  free(known);
  if (st < 0) return 0;
  c->op.ops->apply(&c->op, c->scene.noisy, c->data);
  c->observation = (BtObservation){
      .shape = shape, .op = &c->op, .data = c->data, .centre = c->scene.noisy, .work = c->work};
  c->restoration = (BtRestoration){.regularizer = &c->scene.regularizer,
                                   .observations = &c->observation,
                                   .strength = strength,
                                   .ridge = ridge};
  c->problem = bt_restoration_problem(&c->restoration, 1);
  return 1;
}

static void case_clear(Case *c) {
  bt_operator_clear(&c->op);
  free(c->data);
  free(c->work);
  scene_clear(&c->scene);
}

typedef void CaseCheck(Case *c, const double *theta, Rows *rows);

/* Each potential of fields of experts with a blur and a mask, at a start of learning and at random filters.
 */
static void on_foe_cases(CaseCheck *check, size_t thetas, Rows *rows) {
  for (size_t f = 0; f < foe_case_count; f++)
    for (size_t o = 1; o < COUNT(operators); o += 2) {
      const FoeCase *entry = &foe_cases[f];
      double theta[FOE_MAX_PARAMETERS];
      Case c;
      if (entry->size != 3) continue;
      BT_NEED(case_create(&c, bt_foe(entry->potential, entry->filters, entry->size), foe_ridge,
                          (BtShape){9, 8}, o));
      for (size_t k = 0; k < thetas && k < 2; k++) {
        foe_case_theta(&c.scene.regularizer, k, theta);
        snprintf(rows->label, sizeof rows->label, "%s, %s, theta %zu", entry->name, operators[o].name, k);
        check(&c, theta, rows);
      }
      case_clear(&c);
    }
}

/* Every operator and shape with each regularizer's first parameter vectors. */
static void on_all_cases(CaseCheck *check, size_t thetas, Rows *rows) {
  on_foe_cases(check, thetas, rows);
  for (size_t r = 0; r < regularizer_case_count; r++)
    for (size_t o = 0; o < COUNT(operators); o++)
      for (size_t s = 0; s < COUNT(shapes); s++) {
        const RegularizerCase *entry = &regularizer_cases[r];
        Case c;
        BT_NEED(case_create(&c, entry->make(), tv_ridge, shapes[s], o));
        for (size_t k = 0; k < thetas && k < entry->solvable; k++) {
          snprintf(rows->label, sizeof rows->label, "%s, %s, %zux%zu, theta (%g, %g)", entry->name,
                   operators[o].name, shapes[s].height, shapes[s].width, entry->theta[k][0],
                   entry->theta[k][1]);
          check(&c, entry->theta[k], rows);
        }
        case_clear(&c);
      }
}

static BtConform conform_of(const Case *c, const double *theta, Rows *rows) {
  return (BtConform){
      .problem = &c->problem, .i = 0, .theta = theta, .seed = 7, .observer = rows_collect, .user = rows};
}

/* M⁻¹ must be symmetric and positive definite, and no worse than a diagonal: its condition is what it is for.
 */
static void check_preconditioner(Case *c, const double *theta, const char *label) {
  const BtProblem *p = &c->problem;
  const size_t n = bt_shape_size(c->scene.shape);
  double *room = malloc((4 * n + p->ops->curvature_size(p, 0)) * sizeof *room);
  BT_NEED(room != NULL);
  double *u = room, *v = u + n, *mu = v + n, *mv = mu + n, *curvature = mv + n;
  bt_rng_fill_normal(1, 1, 0, n, u);
  bt_rng_fill_normal(1, 2, 0, n, v);
  p->ops->curvature(p, 0, theta, c->scene.noisy, curvature);
  p->ops->precondition(p, 0, curvature, u, mu);
  p->ops->precondition(p, 0, curvature, v, mv);
  const double left = bt_dot(v, mu, n), right = bt_dot(u, mv, n), scale = bt_norm(u, n) * bt_norm(mv, n);
  BT_CHECK_ROW(fabs(left - right) <= 1e-13 * scale, "%s: preconditioner %.17g, transposed %.17g", label, left,
               right);
  BT_CHECK_ROW(bt_dot(u, mu, n) > 0 && bt_dot(v, mv, n) > 0, "%s: preconditioner is not positive", label);
  free(room);
}

static void check_operators(Case *c, const double *theta, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  const BtConform conform = conform_of(c, theta, rows);
  BT_CHECK_STATUS(bt_conform_operators(&ctx, &conform, c->scene.noisy), BT_OK, &ctx);
  BT_CHECK((c->problem.ops->precondition != NULL) == (c->op.torus != NULL));
  if (c->problem.ops->precondition) check_preconditioner(c, theta, rows->label);
}

static void derivatives(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_operators, 3, &rows);
  rows_print(&rows, "operators");
  for (int k = BT_CONFORM_GRADIENT; k <= BT_CONFORM_CROSS_ADJOINT; k++) BT_CHECK(rows.seen[k] > 0);
}

static void check_bounds(Case *c, const double *theta, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  const BtConform conform = conform_of(c, theta, rows);
  BT_CHECK_STATUS(bt_conform_bounds(&ctx, &conform, c->scene.noisy), BT_OK, &ctx);
}

static void bounds(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_bounds, 3, &rows);
  rows_print(&rows, "bounds");
  for (int k = BT_CONFORM_CONVEXITY; k <= BT_CONFORM_CROSS_LIPSCHITZ; k++) BT_CHECK(rows.seen[k] > 0);
}

/* h summed in long double from the definition; its gradient by the operator's definition is checked in unit
 * tests. */
static void check_value(Case *c, const double *theta, Rows *rows) {
  const BtProblem *p = &c->problem;
  const size_t n = bt_shape_size(c->scene.shape);
  double *image = malloc(2 * n * sizeof *image);
  BT_NEED(image != NULL);
  const double *x = c->scene.truth;
  const BtRegularizer *reg = &c->scene.regularizer;
  long double wanted = strength * reg->ops->value_grad(reg, c->scene.shape, theta, x, image + n);
  c->op.ops->apply(&c->op, x, image);
  for (size_t j = 0; j < n; j++) {
    const long double misfit = (long double)image[j] - c->data[j],
                      far = (long double)x[j] - c->scene.noisy[j];
    wanted += 0.5L * misfit * misfit + 0.5L * c->restoration.ridge * far * far;
  }
  const double value = p->ops->value_grad(p, 0, theta, x, image);
  BT_CHECK_ROW(fabs(value - (double)wanted) <= 1e-12 * fabs((double)wanted), "%s: value %.17g, not %.17g",
               rows->label, value, (double)wanted);
  free(image);
}

static void values(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_value, 2, &rows);
}

static void check_certificates(Case *c, const double *theta, Rows *rows) {
  static const char *const solvers[] = {"auto", "bt_pdnewton", "bt_lbfgs", "bt_fista", "lmvm"};
  char label[sizeof rows->label];
  snprintf(label, sizeof label, "%s", rows->label);
  for (size_t s = 0; s < COUNT(solvers); s++) {
    BtContext ctx;
    bt_context_init(&ctx);
    const BtConform conform = conform_of(c, theta, rows);
    const BtLowerSettings settings = {.solver = solvers[s], .max_iterations = 20000};
    snprintf(rows->label, sizeof rows->label, "%.130s %s", label, solvers[s]);
    BT_CHECK_STATUS(bt_conform_certificates(&ctx, &conform, &settings), BT_OK, &ctx);
  }
}

static void certificates(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_certificates, 1, &rows);
  rows_print(&rows, "certificates");
  BT_CHECK(rows.seen[BT_CONFORM_CERTIFICATE] > 0 && rows.seen[BT_CONFORM_REACHED] > 0);
}

static void check_hypergradient(Case *c, const double *theta, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  const BtLowerSettings settings = {.solver = "auto", .max_iterations = 100000};
  const BtConform conform = conform_of(c, theta, rows);
  BT_CHECK_STATUS(bt_conform_hypergradient(&ctx, &conform, &c->scene.loss, &settings, NULL), BT_OK, &ctx);
}

static void hypergradients(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_hypergradient, 1, &rows);
  rows_print(&rows, "hypergradients");
  for (int k = BT_CONFORM_ERROR_BOUND; k <= BT_CONFORM_DIFFERENCES; k++) BT_CHECK(rows.seen[k] > 0);
}

static const BtTest tests[] = {{"values are their definition", values},
                               {"derivatives", derivatives},
                               {"constants and bounds", bounds},
                               {"certificates", certificates},
                               {"hypergradients", hypergradients}};

int main(int argc, char **argv) {
  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 1;
  if (PetscPushErrorHandler(PetscReturnErrorHandler, NULL)) return 1;
  const int failed = bt_test_main("restoration", tests, COUNT(tests));
  return PetscFinalize() || failed;
}

/* The conformance suite on every regularizer, shape and solver of the tables in cases.c. */
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "harness.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* solvable: every solver must reach what it is asked for. */
typedef void CaseCheck(Scene *scene, const double *theta, int solvable, Rows *rows);

static ImageKind kind_of(size_t shape) {
  static const ImageKind kinds[] = {IMAGE_EDGES, IMAGE_RANDOM, IMAGE_LEAVES};
  return kinds[shape % COUNT(kinds)];
}

/* Solves of large images take their time and show little that small ones do not. */
static int is_large(BtShape shape) { return bt_shape_size(shape) > 1000; }

static size_t theta_count(const RegularizerCase *entry, BtShape shape, int solving) {
  if (!solving || bt_shape_size(shape) < 100) return entry->theta_count;
  return is_large(shape) ? 2 : entry->solvable;
}

typedef void OnCases(CaseCheck *check, int solving, Rows *rows);

static void on_fields_of_experts(CaseCheck *check, int solving, Rows *rows) {
  for (size_t r = 0; r < foe_case_count; r++)
    for (size_t s = 0; s < foe_shape_case_count; s++) {
      const FoeCase *entry = &foe_cases[r];
      const BtShape shape = foe_shape_cases[s];
      const BtRegularizer foe = bt_foe(entry->potential, entry->filters, entry->size);
      double theta[FOE_MAX_PARAMETERS];
      Scene scene;
      BT_NEED(foe.parameters <= FOE_MAX_PARAMETERS && scene_create(&scene, foe, shape, kind_of(s), 100 + s));
      for (size_t k = 0; k < (solving ? FOE_SOLVED : FOE_THETAS); k++) {
        snprintf(rows->label, sizeof rows->label, "%s %zux%zu theta %zu", entry->name, shape.height,
                 shape.width, k);
        foe_case_theta(&foe, k, theta);
        check(&scene, theta, k < FOE_SOLVABLE, rows);
      }
      scene_clear(&scene);
    }
}

/* Runs a check on every regularizer of the table, shape and parameter vector. */
static void on_all_cases(CaseCheck *check, int solving, Rows *rows) {
  for (size_t r = 0; r < regularizer_case_count; r++)
    for (size_t s = 0; s < shape_case_count; s++) {
      const RegularizerCase *entry = &regularizer_cases[r];
      const BtShape shape = shape_cases[s];
      Scene scene;
      BT_NEED(scene_create(&scene, entry->make(), shape, kind_of(s), 100 + s));
      for (size_t k = 0; k < theta_count(entry, shape, solving); k++) {
        snprintf(rows->label, sizeof rows->label, "%s %zux%zu theta (%g, %g)", entry->name, shape.height,
                 shape.width, entry->theta[k][0], entry->theta[k][1]);
        check(&scene, entry->theta[k], k < entry->solvable, rows);
      }
      scene_clear(&scene);
    }
}

static BtConform conform_of(const Scene *scene, const double *theta, Rows *rows) {
  return (BtConform){
      .problem = &scene->problem, .i = 0, .theta = theta, .seed = 7, .observer = rows_collect, .user = rows};
}

static void check_operators(Scene *scene, const double *theta, int solvable, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  (void)solvable;
  const BtConform conform = conform_of(scene, theta, rows);
  BT_CHECK_STATUS(bt_conform_operators(&ctx, &conform, scene->noisy), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_conform_operators(&ctx, &conform, scene->truth), BT_OK, &ctx);
}

static void operators_of(OnCases *on_cases, BtConformCheck last) {
  Rows rows;
  rows_begin(&rows, 1);
  on_cases(check_operators, 0, &rows);
  rows_print(&rows, "operators");
  for (int k = BT_CONFORM_GRADIENT; k <= (int)last; k++) BT_CHECK(rows.seen[k] > 0);
}

static void operators(void) { operators_of(on_all_cases, BT_CONFORM_DUAL_CONVEXITY); }
static void foe_operators(void) { operators_of(on_fields_of_experts, BT_CONFORM_CROSS_ADJOINT); }

static void check_bounds(Scene *scene, const double *theta, int solvable, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  (void)solvable;
  const BtConform conform = conform_of(scene, theta, rows);
  BT_CHECK_STATUS(bt_conform_bounds(&ctx, &conform, scene->noisy), BT_OK, &ctx);
}

static void bounds_of(OnCases *on_cases, int unbounded, int many) {
  Rows rows;
  rows_begin(&rows, 1);
  on_cases(check_bounds, 0, &rows);
  rows_print(&rows, "bounds");
  for (int k = BT_CONFORM_CONVEXITY; k <= BT_CONFORM_VARIATION_GLOBAL; k++)
    BT_CHECK((rows.seen[k] > 0) ==
             !((unbounded && k == BT_CONFORM_CROSS_LIPSCHITZ) || (many && k == BT_CONFORM_CROSS_NORM_SHARP)));
}

static void bounds(void) { bounds_of(on_all_cases, 0, 0); }
static void foe_bounds(void) { bounds_of(on_fields_of_experts, 1, 1); }

/* PETSc's own at the end: they stall for long where values no longer show a decrease. */
static const struct {
  const char *name;
  int64_t iterations;
} solvers[] = {{"bt_pdnewton", 500}, {"bt_fista", 5000}, {"bt_lbfgs", 1000},
               {"lmvm", 1000},       {"nls", 500},       {"bncg", 2000}};
enum { OWN_SOLVERS = 3 };

static void check_certificates(Scene *scene, const double *theta, int solvable, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  char label[sizeof rows->label];
  snprintf(label, sizeof label, "%s", rows->label);
  rows->excused = solvable ? -1 : BT_CONFORM_REACHED;
  for (size_t s = 0; s < (is_large(scene->shape) ? OWN_SOLVERS : COUNT(solvers)); s++) {
    const BtConform conform = conform_of(scene, theta, rows);
    const BtLowerSettings settings = {.solver = solvers[s].name,
                                      .max_iterations = solvable ? solvers[s].iterations : 300};
    snprintf(rows->label, sizeof rows->label, "%.120s %s", label, solvers[s].name);
    BT_CHECK_STATUS(bt_conform_certificates(&ctx, &conform, &settings), BT_OK, &ctx);
  }
}

static void certificates_on(OnCases *on_cases) {
  Rows rows;
  rows_begin(&rows, 1);
  on_cases(check_certificates, 1, &rows);
  rows_print(&rows, "certificates");
  BT_CHECK(rows.seen[BT_CONFORM_CERTIFICATE] > 0 && rows.seen[BT_CONFORM_REACHED] > 0);
}

static void certificates(void) { certificates_on(on_all_cases); }
static void foe_certificates(void) { certificates_on(on_fields_of_experts); }

static void check_hypergradient(Scene *scene, const double *theta, int solvable, Rows *rows) {
  BtContext ctx;
  BtConformFigures figures;
  bt_context_init(&ctx);
  if (!solvable) return;
  const BtLowerSettings settings = {.solver = "auto", .max_iterations = 100000};
  const BtConform conform = conform_of(scene, theta, rows);
  /* One pixel of TV has its data as solution, which is no place for a loss that is infinite at the truth. */
  const BtUpperLoss psnr = bt_negative_psnr(scene->truths);
  if (!is_large(scene->shape))
    BT_CHECK_STATUS(bt_conform_hypergradient(&ctx, &conform, &psnr, &settings, NULL), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_conform_hypergradient(&ctx, &conform, &scene->loss, &settings, &figures), BT_OK, &ctx);
  if (getenv("BITUNE_VERBOSE"))
    printf("%s: omega/error %.3g (least %.3g), global %.3g, estimate/error %.3g (%.3g to %.3g)\n",
           rows->label, figures.bound_ratio, figures.bound_ratio_least, figures.global_ratio,
           figures.estimate_ratio, figures.estimate_least, figures.estimate_largest);
}

static void hypergradients_on(OnCases *on_cases, int global) {
  Rows rows;
  rows_begin(&rows, 1);
  on_cases(check_hypergradient, 1, &rows);
  rows_print(&rows, "hypergradients");
  for (int k = BT_CONFORM_ERROR_BOUND; k < BT_CONFORM_CHECKS; k++)
    BT_CHECK((rows.seen[k] > 0) == (global || k != BT_CONFORM_BOUND_GLOBAL));
}

static void hypergradients(void) { hypergradients_on(on_all_cases, 1); }
static void foe_hypergradients(void) { hypergradients_on(on_fields_of_experts, 0); }

static const BtTest tests[] = {
    {"TV is its definition", tv_is_its_definition},
    {"fields of experts are their definition", foe_is_its_definition},
    {"suprema of potentials", foe_suprema_are_suprema},
    {"the chart's derivative", foe_chart_is_differentiated},
    {"the chart keeps the modulus", foe_chart_keeps_the_modulus},
    {"operators of TV", operators},
    {"constants and bounds of TV", bounds},
    {"certificates of every solver on TV", certificates},
    {"hypergradients of TV", hypergradients},
    {"operators of fields of experts", foe_operators},
    {"constants and bounds of fields of experts", foe_bounds},
    {"certificates of every solver on fields of experts", foe_certificates},
    {"hypergradients of fields of experts", foe_hypergradients},
    {"logistic regression is its definition", logistic_is_its_definition},
    {"operators, bounds and certificates of logistic regression", logistic_conforms},
    {"the cross-entropy as upper loss", logistic_loss_conforms},
    {"hypergradients of logistic regression", logistic_hypergradients},
    {"wrong operators are found", wrong_operators_are_found},
    {"wrong bounds are found", wrong_bounds_are_found},
    {"wrong solutions are found", wrong_solutions_are_found},
    {"wrong losses are found", wrong_losses_are_found},
    {"the quadratic problem conforms", quadratic_conforms},
    {"the quadratic problem against its closed form", quadratic_is_certified},
    {"two pixels against their closed form", two_pixels_are_certified},
    {"a corrected hypergradient is a better one", correction_improves_the_hypergradient},
    {"MAID on the quadratic problem", maid_learns_the_quadratic},
    {"MAID truly decreases the loss of TV", maid_truly_decreases_tv},
};

int main(int argc, char **argv) {
  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 1;
  if (PetscPushErrorHandler(PetscReturnErrorHandler, NULL)) return 1;
  const int failed = bt_test_main("conformance", tests, COUNT(tests));
  return PetscFinalize() || failed;
}

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

typedef void CaseCheck(const RegularizerCase *entry, Scene *scene, const double *theta, size_t k, Rows *rows);

static ImageKind kind_of(size_t shape) {
  static const ImageKind kinds[] = {IMAGE_EDGES, IMAGE_RANDOM, IMAGE_LEAVES};
  return kinds[shape % COUNT(kinds)];
}

/* Solves of large images take their time and show little that small ones do not. */
static size_t theta_count(const RegularizerCase *entry, BtShape shape, int solving) {
  const size_t large = 1000;
  if (!solving) return entry->theta_count;
  return bt_shape_size(shape) > large ? 2 : entry->theta_count;
}

/* Runs a check on every regularizer, shape and parameter vector. */
static void on_all_cases(CaseCheck *check, int solving, Rows *rows) {
  for (size_t r = 0; r < regularizer_case_count; r++)
    for (size_t s = 0; s < shape_case_count; s++) {
      const RegularizerCase *entry = &regularizer_cases[r];
      const BtShape shape = shape_cases[s];
      Scene scene;
      BT_NEED(scene_create(&scene, entry->make(), shape, kind_of(s), 100 + s));
      for (size_t k = 0; k < theta_count(entry, shape, solving); k++) {
        snprintf(rows->label, sizeof rows->label, "%s %zux%zu theta (%g, %g)", entry->name, shape.height, shape.width,
                 entry->theta[k][0], entry->theta[k][1]);
        check(entry, &scene, entry->theta[k], k, rows);
      }
      scene_clear(&scene);
    }
}

static BtConform conform_of(const Scene *scene, const double *theta, Rows *rows) {
  return (BtConform){
      .problem = &scene->problem, .i = 0, .theta = theta, .seed = 7, .observer = rows_collect, .user = rows};
}

static void check_operators(const RegularizerCase *entry, Scene *scene, const double *theta, size_t k, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  (void)entry, (void)k;
  const BtConform conform = conform_of(scene, theta, rows);
  BT_CHECK_STATUS(bt_conform_operators(&ctx, &conform, scene->noisy), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_conform_operators(&ctx, &conform, scene->truth), BT_OK, &ctx);
}

static void operators(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_operators, 0, &rows);
  rows_print(&rows, "operators");
  for (int k = BT_CONFORM_GRADIENT; k <= BT_CONFORM_DUAL_CONVEXITY; k++) BT_CHECK(rows.seen[k] > 0);
}

static void check_bounds(const RegularizerCase *entry, Scene *scene, const double *theta, size_t k, Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  (void)entry, (void)k;
  const BtConform conform = conform_of(scene, theta, rows);
  BT_CHECK_STATUS(bt_conform_bounds(&ctx, &conform, scene->noisy), BT_OK, &ctx);
}

static void bounds(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_bounds, 0, &rows);
  rows_print(&rows, "bounds");
  for (int k = BT_CONFORM_CONVEXITY; k <= BT_CONFORM_VARIATION_GLOBAL; k++) BT_CHECK(rows.seen[k] > 0);
}

static const char *const solvers[] = {"bt_pdnewton", "bt_fista", "lmvm", "nls", "bncg"};

static void check_certificates(const RegularizerCase *entry, Scene *scene, const double *theta, size_t k,
                               Rows *rows) {
  BtContext ctx;
  bt_context_init(&ctx);
  char label[sizeof rows->label];
  snprintf(label, sizeof label, "%s", rows->label);
  const int solvable = k < entry->solvable;
  rows->excused = solvable ? -1 : BT_CONFORM_REACHED;
  for (size_t s = 0; s < COUNT(solvers); s++) {
    const BtConform conform = conform_of(scene, theta, rows);
    const BtLowerSettings settings = {.solver = solvers[s], .max_iterations = solvable ? 5000 : 300};
    snprintf(rows->label, sizeof rows->label, "%.120s %s", label, solvers[s]);
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

static void check_hypergradient(const RegularizerCase *entry, Scene *scene, const double *theta, size_t k,
                                Rows *rows) {
  BtContext ctx;
  BtConformFigures figures;
  bt_context_init(&ctx);
  (void)entry, (void)k;
  const BtLowerSettings settings = {.solver = "auto", .max_iterations = 100000};
  const BtConform conform = conform_of(scene, theta, rows);
  BT_CHECK_STATUS(bt_conform_hypergradient(&ctx, &conform, &scene->loss, &settings, &figures), BT_OK, &ctx);
  if (getenv("BITUNE_VERBOSE"))
    printf("%s: omega/error %.3g (least %.3g), global %.3g, estimate/error %.3g (%.3g to %.3g)\n", rows->label,
           figures.bound_ratio, figures.bound_ratio_least, figures.global_ratio, figures.estimate_ratio,
           figures.estimate_least, figures.estimate_largest);
}

static void hypergradients(void) {
  Rows rows;
  rows_begin(&rows, 1);
  on_all_cases(check_hypergradient, 1, &rows);
  rows_print(&rows, "hypergradients");
  for (int k = BT_CONFORM_ERROR_BOUND; k < BT_CONFORM_CHECKS; k++) BT_CHECK(rows.seen[k] > 0);
}

static const BtTest tests[] = {
    {"operators", operators},
    {"bounds", bounds},
    {"certificates", certificates},
    {"hypergradients", hypergradients},
};

int main(int argc, char **argv) {
  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 1;
  if (PetscPushErrorHandler(PetscReturnErrorHandler, NULL)) return 1;
  const int failed = bt_test_main("conformance", tests, COUNT(tests));
  return PetscFinalize() || failed;
}

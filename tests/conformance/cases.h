/* tests/conformance/cases.h: what the conformance suite is run on. A new regularizer adds a row to the table. */
#ifndef BITUNE_TESTS_CONFORMANCE_CASES_H
#define BITUNE_TESTS_CONFORMANCE_CASES_H

#include "hypergrad/conformance.h"
#include "lowerlevel/denoising.h"
#include "regularizers/foe.h"

#define CASES_MAX_PARAMETERS 8

typedef struct {
  const char *name;
  BtRegularizer (*make)(void);
  /* Parameter vectors, an array of theta_count rows. In the first `solvable` of them every solver must reach what it
   * is asked for; the others are extremes, where operators, constants and certificates must still be right. */
  const double (*theta)[CASES_MAX_PARAMETERS];
  size_t theta_count, solvable;
} RegularizerCase;

extern const RegularizerCase regularizer_cases[];
extern const size_t regularizer_case_count;

/* Small fields of experts, with parameters made by foe_case_theta(). */
typedef struct {
  const char *name;
  BtFoePotential potential;
  size_t filters, size;
} FoeCase;

extern const FoeCase foe_cases[];
extern const size_t foe_case_count;

/* Images smaller than the filters, and of odd sizes. */
extern const BtShape foe_shape_cases[];
extern const size_t foe_shape_case_count;

/* θ near a start of learning, of random filters, where a chart or a limit on the weight holds back, at small
 * smoothings and ratios, and at tiny ones. In all of them certificates are proven; in the first FOE_SOLVED rounding leaves
 * them room, and in the first FOE_SOLVABLE solvers must reach what they are asked for. */
enum { FOE_THETAS = 5, FOE_SOLVED = 4, FOE_SOLVABLE = 3, FOE_MAX_PARAMETERS = 160 };
void foe_case_theta(const BtRegularizer *foe, size_t k, double *theta);

/* Lines, single pixels, and sizes on both sides of the tiles that kernels work in. */
extern const BtShape shape_cases[];
extern const size_t shape_case_count;

typedef enum {
  IMAGE_EDGES,  /* a smooth ground with edges and flat parts */
  IMAGE_LEAVES, /* dead leaves                               */
  IMAGE_RANDOM  /* white noise                               */
} ImageKind;

/* A denoising problem of one image with its upper loss. Not to be moved: parts point at each other. */
typedef struct {
  BtShape shape;
  double *truth, *noisy;
  const double *truths[1];
  BtNoisyImage image;
  BtRegularizer regularizer;
  BtDenoising denoising;
  BtProblem problem;
  BtUpperLoss loss;
} Scene;

/* Noise of standard deviation 25/255. Returns 0 if out of memory. */
int scene_create(Scene *scene, BtRegularizer regularizer, BtShape shape, ImageKind kind, uint64_t seed);
void scene_clear(Scene *scene);

/* Rows of conformance checks: the worst of each. */
typedef struct {
  BtConformRow rows[BT_CONFORM_CHECKS];
  int seen[BT_CONFORM_CHECKS];
  char label[160];
  int assert_all; /* 1: every row must pass                       */
  int excused;    /* a check (BT_CONFORM_…) that need not, or -1   */
} Rows;

void rows_begin(Rows *rows, int assert_all);
BtConformObserver rows_collect;

/* Prints the worst rows if BITUNE_VERBOSE is set. */
void rows_print(const Rows *rows, const char *title);

#endif

#include "cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "harness.h"
#include "imageio/synth.h"
#include "regularizers/tv.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static BtRegularizer tv_isotropic(void) { return bt_tv(BT_TV_ISOTROPIC); }
static BtRegularizer tv_anisotropic(void) { return bt_tv(BT_TV_ANISOTROPIC); }

/* log weight, log smoothing; first what learning meets, then the corners of the domain. */
static const double tv_theta[][CASES_MAX_PARAMETERS] = {
    {-2.6, -4.5}, {-2, -2}, {-5, -5}, {-3, -7.5}, {0, 1}, {-15, -14}, {-1, -14}, {5, -14}, {5, 5}, {-15, 5},
};

const RegularizerCase regularizer_cases[] = {
    {"tv isotropic", tv_isotropic, tv_theta, COUNT(tv_theta), 5},
    {"tv anisotropic", tv_anisotropic, tv_theta, COUNT(tv_theta), 5},
};
const size_t regularizer_case_count = COUNT(regularizer_cases);

const FoeCase foe_cases[] = {
    {"foe convex 3 of 3x3", BT_FOE_CONVEX, 3, 3}, {"foe convex 2 of 4x4", BT_FOE_CONVEX, 2, 4},
    {"foe log 3 of 3x3", BT_FOE_LOG, 3, 3},       {"foe log 2 of 4x4", BT_FOE_LOG, 2, 4},
    {"foe weak 3 of 3x3", BT_FOE_WEAK, 3, 3},     {"foe weak 2 of 4x4", BT_FOE_WEAK, 2, 4},
    {"foe weak 5 of 5x5", BT_FOE_WEAK, 5, 5},
};
const size_t foe_case_count = COUNT(foe_cases);

const BtShape foe_shape_cases[] = {{1, 1}, {1, 7}, {3, 2}, {4, 9}, {11, 7}};
const size_t foe_shape_case_count = COUNT(foe_shape_cases);

void foe_case_theta(const BtRegularizer *foe, size_t k, double *theta) {
  const size_t p = foe->parameters, taps = p - foe->filters * foe->size * foe->size;
  double free_[FOE_MAX_PARAMETERS];
  if (k == 1)
    foe->ops->initial_random(foe, 25.0 / 255.0, 40, free_);
  else
    foe->ops->initial(foe, 25.0 / 255.0, free_);
  for (size_t j = 0; j < p; j++) free_[j] += (j < taps ? 0.3 : 0.1) * bt_rng_normal(41, k, j);
  for (size_t j = 0; j < p; j++) {
    const char *name = foe->ops->parameter_name(foe, j);
    if (k == 2 && j == 0) free_[j] += foe->variant == BT_FOE_CONVEX ? 1.5 : 4;
    if (k >= 3 && strcmp(name, "log_smoothing") == 0) free_[j] = k == 3 ? -7 : -11;
    if (k >= 3 && strcmp(name, "log_ratio") == 0) free_[j] = -4 + (double)(j % 3);
    if (k >= 3 && j >= taps) free_[j] *= 3;
  }
  foe->ops->chart(foe, free_, theta);
  if (foe->variant != BT_FOE_LOG) return;
  /* No chart keeps the logarithm's modulus below 1. */
  BtRegularizerConstants constants;
  foe->ops->constants(foe, (BtShape){8, 8}, theta, &constants);
  if (constants.convexity < -0.9) theta[0] += log(0.9 / -constants.convexity);
}

const BtShape shape_cases[] = {{1, 1}, {1, 7}, {7, 1}, {2, 2}, {5, 9}, {33, 17}, {20, 257}, {40, 300}};
const size_t shape_case_count = COUNT(shape_cases);

static double edges_at(double r, double c) {
  const double ground = 0.4 + 0.2 * sin(2.1 * r) * cos(3.3 * c);
  const double disc = hypot(r - 0.4, c - 0.6) < 0.27 ? 0.3 : 0;
  return c < 0.2 ? 0.25 : ground + disc;
}

static void fill_truth(Scene *s, ImageKind kind, uint64_t seed) {
  const size_t h = s->shape.height, w = s->shape.width;
  BtImage leaves = {0};
  if (kind == IMAGE_LEAVES && bt_synth(NULL, BT_SYNTH_LEAVES, w, h, 1, seed, 0, &leaves) == BT_OK)
    memcpy(s->truth, leaves.pixels, h * w * sizeof *s->truth);
  bt_image_clear(&leaves);
  for (size_t r = 0; r < h && kind != IMAGE_LEAVES; r++)
    for (size_t c = 0; c < w; c++) {
      const double at_r = ((double)r + 0.5) / (double)h, at_c = ((double)c + 0.5) / (double)w;
      s->truth[r * w + c] = kind == IMAGE_EDGES ? edges_at(at_r, at_c) : bt_rng_uniform(seed, 900, r * w + c);
    }
}

int scene_create(Scene *s, BtRegularizer regularizer, BtShape shape, ImageKind kind, uint64_t seed) {
  const size_t n = bt_shape_size(shape);
  memset(s, 0, sizeof *s);
  s->shape = shape;
  s->truth = calloc(n, sizeof *s->truth);
  s->noisy = calloc(n, sizeof *s->noisy);
  if (!s->truth || !s->noisy) return 0;
  fill_truth(s, kind, seed);
  bt_rng_fill_normal(seed, 901, 0, n, s->noisy);
  for (size_t j = 0; j < n; j++) s->noisy[j] = s->truth[j] + 25.0 / 255.0 * s->noisy[j];
  s->truths[0] = s->truth;
  s->image = (BtNoisyImage){.shape = shape, .noisy = s->noisy};
  s->regularizer = regularizer;
  s->denoising = (BtDenoising){.regularizer = &s->regularizer, .images = &s->image};
  s->problem = bt_denoising_problem(&s->denoising, 1);
  s->loss = bt_squared_error(s->truths);
  return 1;
}

void scene_clear(Scene *s) {
  free(s->truth);
  free(s->noisy);
  memset(s, 0, sizeof *s);
}

void rows_begin(Rows *rows, int assert_all) {
  memset(rows, 0, sizeof *rows);
  rows->assert_all = assert_all;
  rows->excused = -1;
}

static int worse(const BtConformRow *a, const BtConformRow *b) {
  if (isnan(a->measured)) return 1;
  return a->at_least ? a->measured < b->measured : a->measured > b->measured;
}

void rows_collect(void *user, const BtConformRow *row) {
  Rows *rows = user;
  if (!rows->seen[row->check] || worse(row, &rows->rows[row->check])) rows->rows[row->check] = *row;
  rows->seen[row->check]++;
  if (rows->assert_all && (int)row->check != rows->excused)
    BT_CHECK_ROW(row->passed, "%s: %s (%s) is %.6g, limit %.6g", rows->label, row->name, row->meaning,
                 row->measured, row->limit);
}

void rows_print(const Rows *rows, const char *title) {
  if (!getenv("BITUNE_VERBOSE")) return;
  printf("\n%s, %.2f s of CPU so far\n", title, (double)clock() / CLOCKS_PER_SEC);
  for (int k = 0; k < BT_CONFORM_CHECKS; k++)
    if (rows->seen[k])
      printf("  %-20s worst %-12.6g limit %-10.6g in %d\n", rows->rows[k].name, rows->rows[k].measured,
             rows->rows[k].limit, rows->seen[k]);
}

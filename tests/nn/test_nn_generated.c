/* Generated sets: deterministic, and as hard as they claim. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/rng.h"
#include "harness.h"
#include "nn/loader.h"
#include "nn_data_check.h"

/* Brackets match, and the same seed speaks the same. */
static void brackets(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_TOKENS);
  o.count = 5000;
  o.length = 10;
  NnData *data = nn_data_opened(&o);
  BT_NEED(data);
  const NnLoaderOptions lo = {.split = NN_TRAIN, .batch = 1};
  NnLoader *l;
  BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &lo, &l), BT_OK, &nn_data_ctx);
  BT_NEED(l);
  char open[64];
  int depth = 0, deepest = 0, ends = 0;
  for (size_t w = 0; w < nn_loader_batches(l); w++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&nn_data_ctx, l, 0, w, &b), BT_OK, &nn_data_ctx);
    for (size_t t = 0; t < b.steps; t++) {
      const char *word = nn_data_word(data, (size_t)b.x[t]);
      BT_NEED(word && depth < 60);
      if (strncmp(word, "open", 4) == 0) open[depth++] = word[4];
      if (strncmp(word, "close", 5) == 0) BT_NEED(depth > 0 && open[--depth] == word[5]);
      if (strcmp(word, "<eos>") == 0) ends++, BT_CHECK(depth == 0);
      if (depth > deepest) deepest = depth;
    }
  }
  BT_CHECK(deepest >= 5 && ends > 50);
  nn_loader_destroy(l);
  nn_data_close(data);
}

/* The same seed gives the same rows, another seed others; more rows do not change the first ones. */
static void by_seed(void) {
  static const NnDataKind kinds[] = {NN_DATA_DIGITS, NN_DATA_TEXTURES, NN_DATA_LINEAR};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    NnDataOptions o = nn_data_defaults(kinds[k]);
    NnReal *x[3], *y[3];
    o.count = 40, o.test_count = 30;
    o.size = kinds[k] == NN_DATA_LINEAR ? 0 : 9;
    for (int i = 0; i < 3; i++) {
      o.seed = i < 2 ? 3 : 4;
      NnData *data = nn_data_opened(&o);
      BT_NEED(data);
      const NnDataInfo *info = nn_data_info(data);
      BT_CHECK(info->rows[NN_TRAIN] == 32 && info->rows[NN_VALID] == 8 && info->rows[NN_TEST] == 30);
      BT_CHECK(nn_data_rows(data, NN_TRAIN, &x[i], &y[i]) == 32);
      if (info->classes)
        for (int r = 0; r < 32; r++) BT_CHECK(y[i][r] >= 0 && (size_t)y[i][r] < info->classes);
      if (i == 2) {
        const size_t bytes = 32 * nn_shape_size(info->x) * sizeof *x[0];
        BT_CHECK(memcmp(x[0], x[1], bytes) == 0 && memcmp(y[0], y[1], 32 * sizeof *y[0]) == 0);
        BT_CHECK(memcmp(x[0], x[2], bytes) != 0);
      }
      nn_data_close(data);
    }
    for (int i = 0; i < 3; i++) {
      free(x[i]);
      free(y[i]);
    }
  }
}

/* Share of test rows whose nearest training row, by Euclidean distance, has their label. */
static double nearest_neighbour(NnDataKind kind, int64_t count) {
  NnDataOptions o = nn_data_defaults(kind);
  NnReal *x, *y, *u, *v;
  o.count = count, o.test_count = 200, o.valid_share = 0;
  NnData *data = nn_data_opened(&o);
  if (!data) return 0;
  const size_t n = nn_data_rows(data, NN_TRAIN, &x, &y), m = nn_data_rows(data, NN_TEST, &u, &v);
  const size_t size = nn_shape_size(nn_data_info(data)->x);
  size_t right = 0;
  for (size_t i = 0; i < m; i++) {
    double least = INFINITY;
    size_t best = 0;
    for (size_t j = 0; j < n; j++) {
      double d = 0;
      for (size_t k = 0; k < size; k++)
        d += ((double)u[i * size + k] - (double)x[j * size + k]) *
             ((double)u[i * size + k] - (double)x[j * size + k]);
      if (d < least) least = d, best = j;
    }
    right += v[i] == y[best];
  }
  free(x);
  free(y);
  free(u);
  free(v);
  nn_data_close(data);
  return (double)right / (double)m;
}

/* More to learn from helps, and neither set is solved by looking up the nearest image. */
static void difficulty(void) {
  const double few = nearest_neighbour(NN_DATA_DIGITS, 100), many = nearest_neighbour(NN_DATA_DIGITS, 2000);
  const double texture = nearest_neighbour(NN_DATA_TEXTURES, 1000);
  BT_CHECK_ROW(few > 0.2 && few < 0.7 && many > few + 0.1 && many < 0.95,
               "digits: %.3f of 100, %.3f of 2000 rows", few, many);
  BT_CHECK_ROW(texture > 0.08 && texture < 0.5, "textures: %.3f", texture);
}

/* Least squares by the normal equations recovers the coefficients. */
static void linear(void) {
  enum { N = 6 };
  NnDataOptions o = nn_data_defaults(NN_DATA_LINEAR);
  NnReal *x, *y;
  double a[N][N + 1] = {{0}};
  o.count = 4000, o.size = N, o.noise = 0.3, o.seed = 5, o.valid_share = 0;
  NnData *data = nn_data_opened(&o);
  BT_NEED(data);
  const size_t rows = nn_data_rows(data, NN_TRAIN, &x, &y);
  BT_CHECK(rows == 4000);
  for (size_t r = 0; r < rows; r++)
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) a[i][j] += (double)x[r * N + i] * (double)x[r * N + j];
      a[i][N] += (double)x[r * N + i] * (double)y[r];
    }
  for (int i = 0; i < N; i++)
    for (int k = 0; k < N; k++)
      for (int j = N; k != i && j >= i; j--) a[k][j] -= a[i][j] * a[k][i] / a[i][i];
  for (int i = 0; i < N; i++)
    BT_CHECK_NEAR(a[i][N] / a[i][i], nn_linear_coefficient(5, N, (size_t)i), 5 * 0.3 / sqrt(4000.0));
  BT_CHECK(fabs(nn_linear_coefficient(5, N, 2)) > 0 && nn_linear_coefficient(5, N, 3) == 0);
  free(x);
  free(y);
  nn_data_close(data);
}

/* Images whose pixel tells its image and place. */
enum { IMAGES = 10, HEIGHT = 12, WIDTH = 15, PATCH = 5 };
static void make_pictures(float *pixels, NnPicture *picture) {
  for (size_t k = 0; k < IMAGES; k++) {
    float *p = pixels + k * 2 * HEIGHT * WIDTH;
    picture[k] = (NnPicture){2, HEIGHT, WIDTH, p, NULL};
    for (size_t i = 0; i < (size_t)2 * HEIGHT * WIDTH; i++) p[i] = (float)(1000 * k + i);
  }
}

static void patches(void) {
  static float pixels[IMAGES * 2 * HEIGHT * WIDTH];
  NnPicture picture[IMAGES];
  NnDataOptions o = nn_data_defaults(NN_DATA_IMAGES);
  make_pictures(pixels, picture);
  o.images = picture, o.image_count = 8;
  o.test_images = picture + 8, o.test_image_count = 2;
  o.valid_share = 0.25, o.patch = PATCH, o.patches = 30, o.noise = 2, o.valid_limit = 50;
  NnData *data = nn_data_opened(&o);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  BT_CHECK(info->rows[NN_TRAIN] == 180 && info->rows[NN_VALID] == 50 && info->rows[NN_TEST] == 60);
  BT_CHECK(info->x.dim[0] == 2 && info->x.dim[1] == PATCH && info->label.dim[2] == PATCH &&
           info->classes == 0);
  const NnLoaderOptions lo = {.split = NN_TRAIN, .batch = 180, .seed = 3, .shuffle = 1};
  NnLoader *l;
  BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &lo, &l), BT_OK, &nn_data_ctx);
  BT_NEED(l);
  int of_image[IMAGES] = {0}, steps[8] = {0}, fresh = 0;
  double sum = 0, squares = 0;
  const size_t size = (size_t)2 * PATCH * PATCH;
  for (uint64_t epoch = 0; epoch < 2; epoch++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&nn_data_ctx, l, epoch, 0, &b), BT_OK, &nn_data_ctx);
    for (size_t r = 0; r < b.rows; r++) {
      const NnReal *y = b.label + r * size, *x = b.x + r * size;
      const int first = (int)lround((double)y[0]), image = first / 1000;
      const int down = (int)lround((double)y[PATCH]) - first, right = (int)lround((double)y[1]) - first;
      /* One of the eight symmetries: steps of ±1 and ±WIDTH. */
      const int turned = abs(down) == 1;
      BT_CHECK((turned ? abs(right) : abs(down)) == WIDTH && (turned ? abs(down) : abs(right)) == 1);
      steps[4 * turned + 2 * (down < 0) + (right < 0)]++;
      int right_pixels = image >= 0 && image < 8;
      for (int i = 0; i < PATCH; i++)
        for (int j = 0; j < PATCH; j++)
          for (int c = 0; c < 2; c++)
            right_pixels &= lround((double)y[(c * PATCH + i) * PATCH + j]) ==
                            first + c * HEIGHT * WIDTH + i * down + j * right;
      BT_CHECK_ROW(right_pixels, "patch of image %d at %d", image, first % 1000);
      if (right_pixels) of_image[image]++;
      for (size_t i = 0; i < size; i++)
        sum += (double)(x[i] - y[i]), squares += pow((double)(x[i] - y[i]), 2);
      fresh += epoch && x[0] != y[0];
    }
  }
  const double n = 360.0 * (double)size;
  BT_CHECK_NEAR(sum / n, 0, 5 * 2 / sqrt(n));
  BT_CHECK_NEAR(sqrt(squares / n), 2, 5 * 2 / sqrt(2 * n));
  for (int k = 0; k < 8; k++) BT_CHECK_NEAR(steps[k], 45, 30);
  int used = 0;
  for (int k = 0; k < IMAGES; k++) used += of_image[k] == 60;
  BT_CHECK(used == 6 && fresh > 170);
  nn_loader_destroy(l);

  /* Evaluation sees the same noise in every epoch. */
  const NnLoaderOptions eo = {.split = NN_TEST, .batch = 60, .seed = 3};
  NnReal first[32];
  BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &eo, &l), BT_OK, &nn_data_ctx);
  BT_NEED(l);
  for (uint64_t epoch = 0; epoch < 2; epoch++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&nn_data_ctx, l, epoch, 0, &b), BT_OK, &nn_data_ctx);
    if (epoch) BT_CHECK(memcmp(first, b.x, sizeof first) == 0);
    memcpy(first, b.x, sizeof first);
    BT_CHECK(lround((double)b.label[0]) / 1000 == 8 && lround((double)b.label[59 * size]) / 1000 == 9);
  }
  nn_loader_destroy(l);
  nn_data_close(data);
  o.patch = 13;
  nn_data_refused(&o, BT_ERR_ARG, "(image 1): 15 x 12 pixels");
  o.image_count = 0;
  nn_data_refused(&o, BT_ERR_ARG, "no images");
}

/* What no machine has room for is refused before it is tried. */
static void too_large(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_TEXTURES);
  o.count = 100000000, o.size = 512;
  nn_data_refused(&o, BT_ERR_MEMORY, "textures");
}

/* Sets that take up to minutes are given up soon after a stop is asked for. */
static void stopped(void) {
  static const NnDataKind kinds[] = {NN_DATA_DIGITS, NN_DATA_TEXTURES, NN_DATA_TOKENS, NN_DATA_LINEAR};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    NnDataOptions o = nn_data_defaults(kinds[k]);
    o.count = 1500000;
    const double begin = bt_clock();
    const BtStop soon = {.deadline = begin + 0.02};
    nn_data_stopped(&o, &soon);
    BT_CHECK_ROW(bt_clock() - begin < 2, "kind %d stopped after %g s", (int)kinds[k], bt_clock() - begin);
  }
}

static const BtTest tests[] = {
    {"too large", too_large},      {"brackets", brackets}, {"by seed", by_seed}, {"difficulty", difficulty},
    {"linear regression", linear}, {"patches", patches},   {"stopped", stopped},
};

int main(void) { return bt_test_main("generated data", tests, sizeof tests / sizeof *tests); }

/* Batches: the same for any number of threads and any order of asking; each row once an epoch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "nn/loader.h"

static BtContext ctx;

static NnData *digits(int64_t count) {
  NnDataOptions o = {0};
  NnData *data;
  bt_context_init(&ctx);
  bt_options_default(nn_data_options, &o);
  o.kind = NN_DATA_DIGITS;
  o.count = count;
  o.test_count = 33;
  o.size = 8;
  BT_CHECK_STATUS(nn_data_open(&ctx, &o, &data), BT_OK, &ctx);
  return data;
}

static NnLoader *loader(const NnData *data, NnSplit split, size_t batch, int shuffle, int threads) {
  const NnLoaderOptions o = {
      .split = split, .batch = batch, .seed = 9, .shuffle = shuffle, .threads = threads};
  NnLoader *l;
  BT_CHECK_STATUS(nn_loader_create(&ctx, data, &o, &l), BT_OK, &ctx);
  return l;
}

static int same_batch(NnLoader *a, NnLoader *b, const NnDataInfo *info, uint64_t epoch, size_t index) {
  NnBatch x, y;
  if (!BT_CHECK_STATUS(nn_loader_get(&ctx, a, epoch, index, &x), BT_OK, &ctx) ||
      !BT_CHECK_STATUS(nn_loader_get(&ctx, b, epoch, index, &y), BT_OK, &ctx))
    return 0;
  return x.rows == y.rows && x.steps == y.steps && x.carried == y.carried &&
         memcmp(x.x, y.x, x.rows * nn_shape_size(info->x) * sizeof *x.x) == 0 &&
         memcmp(x.label, y.label, x.rows * nn_shape_size(info->label) * sizeof *x.label) == 0;
}

static void any_threads_any_order(void) {
  static const int threads[] = {1, 2, 3, 7};
  NnData *data = digits(200);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
    NnLoader *plain = loader(data, NN_TRAIN, 12, 1, 0), *many = loader(data, NN_TRAIN, 12, 1, threads[t]);
    const size_t batches = nn_loader_batches(plain);
    BT_CHECK(batches == 160 / 12 && nn_loader_batches(many) == batches);
    for (uint64_t epoch = 0; epoch < 4; epoch++)
      for (size_t i = 0; i < batches; i++)
        BT_CHECK_ROW(same_batch(plain, many, info, epoch, i), "%d threads, epoch %d, batch %zu", threads[t],
                     (int)epoch, i);
    /* Jumps, as those of a resumed run, backwards too. */
    for (uint64_t i = 0; i < 200; i++) {
      const uint64_t epoch = (uint64_t)(5 * bt_rng_uniform(1, 2, i));
      const size_t index = (size_t)((double)batches * bt_rng_uniform(1, 3, i));
      BT_CHECK_ROW(same_batch(plain, many, info, epoch, index), "%d threads, jump %d", threads[t], (int)i);
    }
    nn_loader_destroy(plain);
    nn_loader_destroy(many);
  }
  nn_data_close(data);
}

/* A key of a row: its pixels are different from those of all others. */
static double key_of(const NnReal *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * bt_rng_uniform(3, 0, i);
  return sum;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Keys of an epoch in the order of their delivery. */
static size_t epoch_keys(NnLoader *l, const NnDataInfo *info, uint64_t epoch, double *key) {
  size_t count = 0;
  for (size_t i = 0; i < nn_loader_batches(l); i++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&ctx, l, epoch, i, &b), BT_OK, &ctx);
    for (size_t r = 0; r < b.rows; r++)
      key[count++] = key_of(b.x + r * nn_shape_size(info->x), nn_shape_size(info->x));
  }
  return count;
}

static void each_row_once(void) {
  enum { ROWS = 96 };
  double plain[ROWS], first[ROWS], second[ROWS];
  NnData *data = digits(120);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  BT_NEED(info->rows[NN_TRAIN] == ROWS);
  NnLoader *in_order = loader(data, NN_TRAIN, 10, 0, 1), *shuffled = loader(data, NN_TRAIN, 8, 1, 2);
  BT_CHECK(nn_loader_batches(in_order) == 10);
  BT_CHECK(epoch_keys(in_order, info, 0, plain) == ROWS);
  BT_CHECK(epoch_keys(shuffled, info, 0, first) == ROWS);
  BT_CHECK(epoch_keys(shuffled, info, 1, second) == ROWS);
  int moved = 0, other = 0;
  for (int i = 0; i < ROWS; i++) moved += plain[i] != first[i], other += first[i] != second[i];
  BT_CHECK(moved > ROWS / 2 && other > ROWS / 2);
  qsort(plain, ROWS, sizeof *plain, ascending);
  qsort(first, ROWS, sizeof *first, ascending);
  qsort(second, ROWS, sizeof *second, ascending);
  for (int i = 0; i + 1 < ROWS; i++) BT_CHECK(plain[i] < plain[i + 1]);
  BT_CHECK(memcmp(plain, first, sizeof plain) == 0 && memcmp(plain, second, sizeof plain) == 0);
  nn_loader_destroy(in_order);
  nn_loader_destroy(shuffled);
  nn_data_close(data);
}

/* Over many epochs every row comes first equally often: χ² with ROWS − 1 degrees of freedom. */
static void orders_are_uniform(void) {
  enum { ROWS = 20, EPOCHS = 4000 };
  double plain[ROWS];
  int first[ROWS] = {0}, pair[ROWS] = {0};
  NnData *data = digits(25);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  NnLoader *in_order = loader(data, NN_TRAIN, ROWS, 0, 0), *shuffled = loader(data, NN_TRAIN, 2, 1, 0);
  BT_NEED(epoch_keys(in_order, info, 0, plain) == ROWS);
  for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
    NnBatch b;
    const size_t n = nn_shape_size(info->x);
    int at[2] = {-1, -1};
    BT_CHECK_STATUS(nn_loader_get(&ctx, shuffled, epoch, 0, &b), BT_OK, &ctx);
    for (int r = 0; r < 2; r++)
      for (int i = 0; i < ROWS; i++)
        if (plain[i] == key_of(b.x + (size_t)r * n, n)) at[r] = i;
    BT_NEED(at[0] >= 0 && at[1] >= 0);
    first[at[0]]++;
    pair[(at[1] - at[0] + ROWS) % ROWS]++;
  }
  double chi_first = 0, chi_pair = 0;
  for (int i = 0; i < ROWS; i++)
    chi_first += pow(first[i] - EPOCHS / (double)ROWS, 2) / (EPOCHS / (double)ROWS);
  for (int i = 1; i < ROWS; i++)
    chi_pair += pow(pair[i] - EPOCHS / (double)(ROWS - 1), 2) / (EPOCHS / (double)(ROWS - 1));
  BT_CHECK_ROW(chi_first < 45 && chi_pair < 45 && pair[0] == 0, "chi squared %g of rows, %g of pairs",
               chi_first, chi_pair);
  nn_loader_destroy(in_order);
  nn_loader_destroy(shuffled);
  nn_data_close(data);
}

static void last_batches(void) {
  NnData *data = digits(50);
  BT_NEED(data);
  NnBatch b;
  NnLoader *l = loader(data, NN_TEST, 10, 0, 1);
  BT_CHECK(nn_loader_batches(l) == 4);
  BT_CHECK_STATUS(nn_loader_get(&ctx, l, 0, 3, &b), BT_OK, &ctx);
  BT_CHECK(b.rows == 3 && b.steps == 1 && !b.carried);
  BT_CHECK_STATUS(nn_loader_get(&ctx, l, 0, 4, &b), BT_ERR_ARG, &ctx);
  nn_loader_destroy(l);
  const NnLoaderOptions large = {.split = NN_TEST, .batch = 34, .shuffle = 1};
  BT_CHECK_STATUS(nn_loader_create(&ctx, data, &large, &l), BT_ERR_ARG, &ctx);
  BT_CHECK(strstr(ctx.error, "33 rows") != NULL);
  const NnLoaderOptions none = {.split = NN_TEST, .batch = 0};
  BT_CHECK_STATUS(nn_loader_create(&ctx, data, &none, &l), BT_ERR_ARG, &ctx);
  nn_data_close(data);
}

/* Loaders that are destroyed while their threads are busy. */
static void destroyed_early(void) {
  NnData *data = digits(300);
  BT_NEED(data);
  for (int i = 0; i < 40; i++) {
    NnBatch b;
    NnLoader *l = loader(data, NN_TRAIN, 16, 1, 4);
    if (i % 2) BT_CHECK_STATUS(nn_loader_get(&ctx, l, (uint64_t)i, 3, &b), BT_OK, &ctx);
    nn_loader_destroy(l);
  }
  nn_data_close(data);
}

static const BtTest tests[] = {
    {"any threads, any order", any_threads_any_order},
    {"each row once an epoch", each_row_once},
    {"orders are uniform", orders_are_uniform},
    {"last batches", last_batches},
    {"destroyed early", destroyed_early},
};

int main(void) { return bt_test_main("loader", tests, sizeof tests / sizeof *tests); }

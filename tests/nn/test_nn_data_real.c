/* The public data sets, where BITUNE_DATA names the folder that holds them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "harness.h"
#include "nn/loader.h"
#include "nn_data_check.h"

/* The set in folder NAME of BITUNE_DATA; NULL, and a line that says so, where it is not there. */
static NnData *set(NnDataKind kind, const char *name, int64_t fold) {
  NnDataOptions o = nn_data_defaults(kind);
  char *path = bt_path_join(getenv("BITUNE_DATA"), name);
  NnData *data = NULL;
  if (!path) abort();
  o.path = path;
  o.fold = fold;
  o.valid_share = 0.15;
  if (access(path, F_OK) == 0)
    data = nn_data_opened(&o);
  else
    printf("(no %s) ", path);
  free(path);
  return data;
}

static int has_rows(const NnDataInfo *info, size_t train, size_t valid, size_t test) {
  return info->rows[NN_TRAIN] == train && info->rows[NN_VALID] == valid && info->rows[NN_TEST] == test;
}

/* Published means and deviations of all training images, of which these are 85 %. */
static void images(const char *name, double mean, double deviation) {
  NnData *data = set(NN_DATA_MNIST, name, -1);
  if (!data) return;
  const NnDataInfo *info = nn_data_info(data);
  BT_CHECK(has_rows(info, 51000, 9000, 10000) && info->x.dim[1] == 28 && info->x.dim[2] == 28);
  BT_CHECK_NEAR(info->mean[0], mean, 1e-3);
  BT_CHECK_NEAR(info->deviation[0], deviation, 1e-3);
  const NnLoaderOptions lo = {.split = NN_TRAIN, .batch = 128, .shuffle = 1, .threads = 1};
  NnLoader *l;
  size_t count[10] = {0};
  BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &lo, &l), BT_OK, &nn_data_ctx);
  BT_NEED(l);
  BT_CHECK(nn_loader_batches(l) == 51000 / 128);
  for (size_t i = 0; i < 100; i++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&nn_data_ctx, l, 0, i, &b), BT_OK, &nn_data_ctx);
    for (size_t r = 0; r < b.rows; r++) count[(size_t)b.label[r] % 10]++;
  }
  for (int k = 0; k < 10; k++) BT_CHECK_NEAR((double)count[k], 1280, 250);
  nn_loader_destroy(l);
  nn_data_close(data);
}

static void mnist(void) { images("mnist", 0.1307, 0.3081); }
static void fashion_mnist(void) { images("fashion-mnist", 0.2860, 0.3530); }

static void treebank(void) {
  NnData *data = set(NN_DATA_TEXT, "ptb", -1);
  if (!data) return;
  BT_CHECK(has_rows(nn_data_info(data), 929589, 73760, 82430) && nn_data_info(data)->classes == 10000);
  BT_CHECK_TEXT(nn_data_word(data, 0), "aer");
  const NnLoaderOptions lo = {.split = NN_TRAIN, .batch = 40, .shuffle = 1};
  NnLoader *l;
  BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &lo, &l), BT_OK, &nn_data_ctx);
  BT_CHECK(nn_loader_batches(l) == (929589 / 40 - 1) / 70);
  nn_loader_destroy(l);
  nn_data_close(data);
}

static void uci(void) {
  static const struct {
    const char *name;
    size_t rows, features;
  } sets[] = {
      {"uci/concrete", 1030, 8}, {"uci/energy", 768, 8}, {"uci/yacht", 308, 6}, {"uci/power-plant", 9568, 4}};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    for (int fold = -1; fold < 3; fold++) {
      NnData *data = set(NN_DATA_TABLE, sets[i].name, fold);
      if (!data) continue;
      const NnDataInfo *info = nn_data_info(data);
      BT_CHECK_ROW(info->rows[NN_TRAIN] + info->rows[NN_VALID] + info->rows[NN_TEST] == sets[i].rows &&
                       info->x.dim[0] == sets[i].features && (info->rows[NN_TEST] > 0) == (fold >= 0),
                   "%s, fold %d: %zu + %zu + %zu rows of %zu features", sets[i].name, fold,
                   info->rows[NN_TRAIN], info->rows[NN_VALID], info->rows[NN_TEST], info->x.dim[0]);
      nn_data_close(data);
    }
}

/* The test records alone are binary in some folders; opening then tells that the training batches are
 * missing. */
static void cifar(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_CIFAR10);
  char *path = bt_path_join(getenv("BITUNE_DATA"), "cifar10");
  NnData *data;
  if (!path) abort();
  o.path = path;
  bt_context_init(&nn_data_ctx);
  const BtStatus st = nn_data_open(&nn_data_ctx, &o, &data);
  if (st < 0) {
    BT_CHECK_STATUS(st, BT_ERR_IO, &nn_data_ctx);
    BT_CHECK(strstr(nn_data_ctx.error, "data_batch_1.bin") != NULL);
  } else {
    const NnDataInfo *info = nn_data_info(data);
    BT_CHECK(info->rows[NN_TRAIN] + info->rows[NN_VALID] == 50000);
    BT_CHECK_NEAR(info->mean[0], 0.4914, 2e-3);
    BT_CHECK_NEAR(info->mean[2], 0.4465, 2e-3);
    BT_CHECK_NEAR(info->deviation[0], 0.2470, 2e-3);
  }
  nn_data_close(data);
  free(path);
}

static const BtTest tests[] = {{"MNIST", mnist},
                               {"Fashion-MNIST", fashion_mnist},
                               {"Penn Treebank", treebank},
                               {"UCI sets", uci},
                               {"CIFAR-10", cifar}};

int main(void) {
  const char *folder = getenv("BITUNE_DATA");
  if (!folder || !*folder)
    return bt_test_skip("real data", "BITUNE_DATA names no folder of public data sets");
  return bt_test_main("real data", tests, sizeof tests / sizeof *tests);
}

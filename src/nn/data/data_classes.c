/* Labelled rows: CSV and LIBSVM text. Classes are the labels of the training file in ascending order. */
#include <stdlib.h>
#include <string.h>

#include "core/dataset.h"
#include "nn/data/data_internal.h"

static BtStatus take(BtContext *ctx, NnNumbers *t, size_t first, const char *path, const BtDataset *set,
                     const int64_t *values, size_t classes) {
  int32_t *index = malloc((set->rows + 1) * sizeof *index);
  if (!index) return bt_fail_memory(ctx, path, (double)set->rows * sizeof *index);
  const BtStatus st = bt_dataset_index(ctx, path, set, values, classes, index);
  if (st >= 0) memcpy(t->x + first * t->features, set->x, set->rows * t->features * sizeof *t->x);
  for (size_t i = 0; st >= 0 && i < set->rows; i++) t->label[first + i] = index[i];
  free(index);
  return st;
}

static BtStatus classes_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  BtDataset train = {0}, test = {0};
  BtDataSpec spec = {.format = BT_DATA_AUTO, .place = BT_LABEL_LAST, .part = "train"};
  int64_t *values = NULL;
  size_t classes = 0;
  NnNumbers *t;
  BtStatus st = BT_OK;
  if (!options->path) return bt_fail(ctx, BT_ERR_ARG, "data: name a CSV or LIBSVM file");
  BT_COMPLETE(bt_dataset_read(ctx, options->path, &spec, &train, &spec.format));
  BT_TRY(bt_dataset_classes(ctx, options->path, &train, &values, &classes));
  if (options->test_path) {
    spec.features = train.features;
    BT_COMPLETE(bt_dataset_read(ctx, options->test_path, &spec, &test, NULL));
  }
  BT_TRY(nn_numbers_create(ctx, options->path, train.rows + test.rows, train.features, data, &t));
  BT_TRY(take(ctx, t, 0, options->path, &train, values, classes));
  if (test.rows) BT_TRY(take(ctx, t, train.rows, options->test_path, &test, values, classes));
  BT_TRY(nn_numbers_finish(ctx, options, train.rows, test.rows, classes, data));
done:
  free(values);
  bt_dataset_clear(&train);
  bt_dataset_clear(&test);
  return st;
}

const NnDataOps nn_data_classes = {classes_open, nn_numbers_example, nn_numbers_close};

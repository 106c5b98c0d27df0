/* Regression tables: CSV with the target last, or a folder of a UCI set as it has been prepared for
 * comparisons (Hernández-Lobato, Adams 2015): data.txt, the columns of features and target, and train/test
 * splits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/dataset.h"
#include "core/file.h"
#include "nn/data/data_internal.h"

typedef struct {
  size_t *number; /* owned */
  size_t count;
} Numbers;

static int is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Whole numbers below `limit`, one a line. */
static BtStatus read_numbers(BtContext *ctx, const char *folder, const char *name, size_t limit,
                             Numbers *list) {
  BtDataset set = {0};
  BtStatus st = BT_OK;
  char *path = bt_path_join(folder, name);
  if (!path) return bt_fail_memory(ctx, name, 0);
  BT_COMPLETE(bt_dataset_read_csv(ctx, path, BT_LABEL_NONE, &set));
  if (set.features != 1) BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: one number a line is expected", path));
  list->number = malloc(set.rows * sizeof *list->number);
  if (!list->number) BT_TRY(bt_fail_memory(ctx, path, (double)set.rows * sizeof *list->number));
  for (; list->count < set.rows; list->count++) {
    const double value = set.x[list->count];
    if (!(value >= 0 && value < (double)limit) || value != floor(value))
      BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: entry %zu is %g, not one of 0 to %zu", path, list->count + 1,
                     value, limit - 1));
    list->number[list->count] = (size_t)value;
  }
done:
  free(path);
  bt_dataset_clear(&set);
  return st;
}

/* Fills rows from `first` on with the named columns of a table. */
static void fill(NnNumbers *t, size_t first, const BtDataset *set, const size_t *column, size_t target) {
  for (size_t i = 0; i < set->rows; i++) {
    const double *row = set->x + i * set->features;
    for (size_t j = 0; j < t->features; j++)
      t->x[(first + i) * t->features + j] = row[column ? column[j] : j];
    t->label[first + i] = row[target];
  }
}

static BtStatus read_csv(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  BtDataset set[2] = {{0}, {0}};
  NnNumbers *t;
  BtStatus st = BT_OK;
  BT_COMPLETE(bt_dataset_read_csv(ctx, options->path, BT_LABEL_NONE, &set[0]));
  const size_t columns = set[0].features;
  if (columns < 2)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: one column; features and a target are expected", options->path));
  if (options->test_path) {
    BT_COMPLETE(bt_dataset_read_csv(ctx, options->test_path, BT_LABEL_NONE, &set[1]));
    if (set[1].features != columns)
      BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: %zu columns, but %s has %zu", options->test_path,
                     set[1].features, options->path, columns));
  }
  BT_TRY(nn_numbers_create(ctx, options->path, set[0].rows + set[1].rows, columns - 1, data, &t));
  fill(t, 0, &set[0], NULL, columns - 1);
  fill(t, set[0].rows, &set[1], NULL, columns - 1);
  BT_TRY(nn_numbers_finish(ctx, options, set[0].rows, set[1].rows, 0, data));
done:
  bt_dataset_clear(&set[0]);
  bt_dataset_clear(&set[1]);
  return st;
}

/* Rows of the splits from the lists of one fold: positions in the lists become the rows that they name. */
static BtStatus split_by_fold(BtContext *ctx, const NnDataOptions *options, size_t rows, NnData *data) {
  NnNumbers *t = data->store;
  Numbers train = {NULL, 0}, test = {NULL, 0};
  char name[40];
  BtStatus st = BT_OK;
  snprintf(name, sizeof name, "index_train_%d.txt", (int)options->fold);
  BT_COMPLETE(read_numbers(ctx, options->path, name, rows, &train));
  snprintf(name, sizeof name, "index_test_%d.txt", (int)options->fold);
  BT_COMPLETE(read_numbers(ctx, options->path, name, rows, &test));
  BT_TRY(nn_data_split(ctx, options, train.count, test.count, t->row, data->info.rows));
  for (int s = 0; s < NN_SPLITS; s++)
    for (size_t i = 0; i < data->info.rows[s]; i++) {
      const size_t k = t->row[s][i];
      t->row[s][i] = k < train.count ? train.number[k] : test.number[k - train.count];
    }
done:
  free(train.number);
  free(test.number);
  return st;
}

static BtStatus read_uci(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  BtDataset set = {0};
  Numbers features = {NULL, 0}, target = {NULL, 0};
  NnNumbers *t;
  BtStatus st = BT_OK;
  char *path = bt_path_join(options->path, "data.txt");
  if (!path) return bt_fail_memory(ctx, "data.txt", 0);
  BT_COMPLETE(bt_dataset_read_csv(ctx, path, BT_LABEL_NONE, &set));
  BT_COMPLETE(read_numbers(ctx, options->path, "index_features.txt", set.features, &features));
  BT_COMPLETE(read_numbers(ctx, options->path, "index_target.txt", set.features, &target));
  if (target.count != 1)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s/index_target.txt: %zu targets; one is expected", options->path,
                   target.count));
  BT_TRY(nn_numbers_create(ctx, path, set.rows, features.count, data, &t));
  fill(t, 0, &set, features.number, target.number[0]);
  if (options->fold >= 0) BT_COMPLETE(split_by_fold(ctx, options, set.rows, data));
  BT_TRY(nn_numbers_finish(ctx, options, set.rows, 0, 0, data));
done:
  free(path);
  free(features.number);
  free(target.number);
  bt_dataset_clear(&set);
  return st;
}

static BtStatus table_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  if (!options->path) return bt_fail(ctx, BT_ERR_ARG, "data: name a CSV file or the folder of a UCI set");
  return is_folder(options->path) ? read_uci(ctx, options, data) : read_csv(ctx, options, data);
}

const NnDataOps nn_data_table = {table_open, nn_numbers_example, nn_numbers_close};

/* Data of a logistic regression: read, resized, divided, standardised. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/idx.h"
#include "images/size.h"
#include "logreg/logreg.h"

void bt_logreg_data_clear(BtLogregData *data) {
  bt_dataset_clear(&data->rows);
  bt_dataset_clear(&data->test);
  free(data->order);
  free(data->index);
  free(data->test_index);
  *data = (BtLogregData){0};
}

const char *bt_logreg_part(const char *path) { return bt_idx_has_part(path, "t10k") ? "t10k" : "train"; }

static BtStatus read_rows(BtContext *ctx, const BtLogreg *set, const char *path, const char *part,
                          size_t features, BtDataset *rows, BtDataFormat *format) {
  const BtDataSpec spec = {.format = (BtDataFormat)set->format,
                           .place = (BtLabelPlace)set->label,
                           .features = features,
                           .part = part};
  return bt_dataset_read(ctx, path, &spec, rows, format);
}

static void standardise(const BtLogregModel *model, BtDataset *rows) {
  for (size_t i = 0; model->mean && i < rows->rows; i++) {
    double *x = rows->x + i * rows->features;
    for (size_t j = 0; j < rows->features; j++) x[j] = (x[j] - model->mean[j]) / model->deviation[j];
  }
}

/* The square of a feature is an entry of the Hessian. */
static BtStatus check_size(BtContext *ctx, const char *path, const BtDataset *rows) {
  static const double largest = 1e100;
  for (size_t k = 0; k < rows->rows * rows->features; k++)
    if (!(fabs(rows->x[k]) <= largest))
      return bt_fail(ctx, BT_ERR_FORMAT,
                     "%s: row %zu has a feature of %g, too large to be squared; use --standardise", path,
                     k / rows->features + 1, rows->x[k]);
  return BT_OK;
}

/* Rows of image data that come from files other than the model's have its size only after resizing. */
static BtStatus bring_to_form(BtContext *ctx, const char *path, const BtLogregModel *model, BtDataset *rows) {
  BtStatus st = BT_OK;
  if (model->height && rows->height &&
      (rows->height != model->from_height || rows->width != model->from_width))
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: images of %zux%zu; the model is for %zux%zu", path, rows->height,
                   rows->width, model->from_height, model->from_width));
  if (model->height && rows->height && (rows->height != model->height || rows->width != model->width))
    BT_TRY(bt_dataset_resize(ctx, model->height, model->width, rows));
  if (rows->features != model->features)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: rows of %zu features; the model is for %zu%s", path,
                   rows->features, model->features,
                   rows->features + 1 == model->features ? " (--label none, if there is no label?)" : ""));
  standardise(model, rows);
  st = check_size(ctx, path, rows);
done:
  return st;
}

BtStatus bt_logreg_data_read(BtContext *ctx, const BtLogreg *set, const char *path, const char *part,
                             const BtLogregModel *model, BtDataset *rows, double *fingerprint) {
  BtStatus st = BT_OK;
  BtDataFormat format;
  /* LIBSVM text does not tell how many features there are. */
  const size_t features = set->format == BT_DATA_LIBSVM ? model->features : 0;
  BT_COMPLETE(read_rows(ctx, set, path, part, features, rows, &format));
  if (format == BT_DATA_LIBSVM && rows->features != model->features) {
    bt_dataset_clear(rows);
    BT_COMPLETE(bt_dataset_read_libsvm(ctx, path, model->features, rows));
  }
  *fingerprint = bt_dataset_fingerprint(rows);
  st = bring_to_form(ctx, path, model, rows);
done:
  if (st != BT_OK) bt_dataset_clear(rows);
  return st;
}

/* Mean and deviation of the training rows; a constant feature keeps its scale. */
static BtStatus measure(BtContext *ctx, const BtLogregData *data, BtLogregModel *model) {
  const size_t d = model->features, n = model->split.train;
  model->mean = calloc(d, sizeof *model->mean);
  model->deviation = calloc(d, sizeof *model->deviation);
  if (!model->mean || !model->deviation) return bt_fail_memory(ctx, "a model", 16.0 * (double)d);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) model->mean[j] += data->rows.x[data->order[i] * d + j] / (double)n;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++)
      model->deviation[j] += pow(data->rows.x[data->order[i] * d + j] - model->mean[j], 2) / (double)n;
  for (size_t j = 0; j < d; j++) {
    const double deviation = sqrt(model->deviation[j]);
    model->deviation[j] = deviation > 1e-12 * (1 + fabs(model->mean[j])) ? deviation : 1;
  }
  return BT_OK;
}

static BtStatus divide(BtContext *ctx, const BtLogreg *set, BtLogregModel *model, BtLogregData *data) {
  BtLogregSplit *split = &model->split;
  const size_t n = data->rows.rows;
  const int own_test = data->test.rows > 0;
  split->seed = set->seed;
  split->rows = n;
  split->test = own_test ? 0 : (size_t)floor(set->test_share * (double)n + 0.5);
  const size_t rest = n - split->test, valid = (size_t)floor(set->valid_share * (double)rest + 0.5);
  split->valid = valid > 0 ? valid : 1;
  split->train = set->train > 0 ? (size_t)set->train : rest > split->valid ? rest - split->valid : 0;
  if (split->train < 1 || (uint64_t)set->train > n || split->train + split->valid > rest)
    return bt_fail(
        ctx, BT_ERR_ARG,
        "%s: %zu rows are too few for %zu to train on, %zu to validate and %zu to test on; change --train, "
        "--valid-share or --test-share",
        set->data, n, split->train, split->valid, split->test);
  data->order = malloc(n * sizeof *data->order);
  if (!data->order) return bt_fail_memory(ctx, "a division of rows", 8.0 * (double)n);
  bt_shuffle((uint64_t)set->seed, n, data->order);
  return BT_OK;
}

static BtStatus index_classes(BtContext *ctx, const BtLogreg *set, const BtLogregModel *model,
                              BtLogregData *data) {
  BtStatus st = BT_OK;
  data->index = malloc(data->rows.rows * sizeof *data->index);
  data->test_index = malloc((data->test.rows + 1) * sizeof *data->test_index);
  if (!data->index || !data->test_index) return bt_fail_memory(ctx, "labels", 4.0 * (double)data->rows.rows);
  BT_TRY(bt_dataset_index(ctx, set->data, &data->rows, model->labels, model->classes, data->index));
  if (data->test.rows > 0)
    BT_TRY(bt_dataset_index(ctx, set->test ? set->test : set->data, &data->test, model->labels,
                            model->classes, data->test_index));
done:
  return st;
}

/* --test, or the test part of an idx folder. */
static BtStatus load_test(BtContext *ctx, const BtLogreg *set, BtDataFormat format,
                          const BtLogregModel *model, BtLogregData *data) {
  double fingerprint;
  if (set->test)
    return bt_logreg_data_read(ctx, set, set->test, bt_logreg_part(set->test), model, &data->test,
                               &fingerprint);
  if (format == BT_DATA_IDX && bt_idx_has_part(set->data, "t10k"))
    return bt_logreg_data_read(ctx, set, set->data, "t10k", model, &data->test, &fingerprint);
  return BT_OK;
}

BtStatus bt_logreg_data_load(BtContext *ctx, const BtLogreg *set, BtLogregModel *model, BtLogregData *data) {
  BtStatus st = BT_OK;
  BtDataFormat format;
  BtDataset *rows = &data->rows;
  *data = (BtLogregData){0};
  BT_COMPLETE(read_rows(ctx, set, set->data, "train", 0, rows, &format));
  if (!rows->label) BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: has no labels", set->data));
  model->split.fingerprint = bt_dataset_fingerprint(rows);
  model->from_height = rows->height;
  model->from_width = rows->width;
  if (set->resize) {
    size_t height = 0, width = 0;
    BT_TRY(bt_parse_size(ctx, "resize", set->resize, &height, &width));
    BT_TRY(bt_dataset_resize(ctx, height, width, rows));
  }
  model->height = rows->height;
  model->width = rows->width;
  model->features = rows->features;
  model->ridge = (BtRidge)set->ridge;
  model->mean_loss = set->mean;
  model->floor = set->floor;
  BT_TRY(bt_dataset_classes(ctx, set->data, rows, &model->labels, &model->classes));
  model->parameters = bt_ridge_parameters(model->ridge, model->features, model->classes);
  BT_COMPLETE(load_test(ctx, set, format, model, data));
  BT_TRY(divide(ctx, set, model, data));
  if (set->standardise) {
    BT_TRY(measure(ctx, data, model));
    standardise(model, rows);
    standardise(model, &data->test);
  }
  BT_TRY(check_size(ctx, set->data, rows));
  BT_TRY(index_classes(ctx, set, model, data));
done:
  if (st != BT_OK) bt_logreg_data_clear(data);
  return st;
}

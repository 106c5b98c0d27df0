/* Rows of numbers, with a number or a class as label. */
#include <math.h>
#include <stdlib.h>

#include "nn/data/data_internal.h"

BtStatus nn_numbers_create(BtContext *ctx, const char *what, size_t rows, size_t features, NnData *data,
                           NnNumbers **numbers) {
  const BtStatus st = nn_data_fits(ctx, what, (double)rows * (double)(features + 1) * sizeof(double));
  if (st < 0) return st;
  NnNumbers *t = *numbers = data->store = calloc(1, sizeof *t);
  if (!t) return bt_fail_memory(ctx, what, sizeof *t);
  data->info.x = NN_SHAPE(features);
  data->info.label = NN_SHAPE(1);
  t->features = features;
  t->x = calloc(rows * features, sizeof *t->x);
  t->label = calloc(rows, sizeof *t->label);
  t->scale = calloc(features + 1, sizeof *t->scale);
  t->shift = calloc(features + 1, sizeof *t->shift);
  if (!t->x || !t->label || !t->scale || !t->shift)
    return bt_fail_memory(ctx, what, (double)rows * (double)(features + 1) * sizeof *t->x);
  return nn_data_channels(ctx, features, data);
}

/* Of column `offset` of the training rows, `stride` from row to row; two passes, for accuracy. */
static void moments(const NnData *data, const double *x, size_t stride, double *mean, double *deviation) {
  const size_t rows = data->info.rows[NN_TRAIN], *row = ((const NnNumbers *)data->store)->row[NN_TRAIN];
  double sum = 0, squares = 0;
  for (size_t i = 0; i < rows; i++) sum += x[row[i] * stride];
  *mean = sum / (double)rows;
  for (size_t i = 0; i < rows; i++) squares += (x[row[i] * stride] - *mean) * (x[row[i] * stride] - *mean);
  *deviation = squares > 0 ? sqrt(squares / (double)rows) : 1;
}

static BtStatus fail_large(BtContext *ctx, const NnDataOptions *options, size_t row, double value) {
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: row %zu has %g, more than networks compute with",
                 options->path ? options->path : "generated data", row + 1, value);
}

BtStatus nn_numbers_finish(BtContext *ctx, const NnDataOptions *options, size_t trained, size_t tested,
                           size_t classes, NnData *data) {
  NnNumbers *t = data->store;
  NnDataInfo *info = &data->info;
  info->classes = classes;
  for (size_t k = 0; k < (trained + tested) * t->features; k++)
    if (!isfinite((NnReal)t->x[k])) return fail_large(ctx, options, k / t->features, t->x[k]);
  for (size_t i = 0; i < trained + tested; i++)
    if (!isfinite((NnReal)t->label[i])) return fail_large(ctx, options, i, t->label[i]);
  if (!t->row[NN_TRAIN]) {
    const BtStatus st = nn_data_split(ctx, options, trained, tested, t->row, info->rows);
    if (st < 0) return st;
  }
  for (size_t j = 0; j < t->features; j++)
    moments(data, t->x + j, t->features, &data->mean[j], &data->deviation[j]);
  for (size_t j = 0; j <= t->features; j++) t->scale[j] = 1;
  if (options->normalise != NN_STANDARD) return BT_OK;
  for (size_t j = 0; j < t->features; j++) {
    t->scale[j] = (NnReal)(1 / data->deviation[j]);
    t->shift[j] = (NnReal)(-data->mean[j] / data->deviation[j]);
  }
  if (classes) return BT_OK;
  moments(data, t->label, 1, &info->label_mean, &info->label_deviation);
  t->scale[t->features] = (NnReal)(1 / info->label_deviation);
  t->shift[t->features] = (NnReal)(-info->label_mean / info->label_deviation);
  return BT_OK;
}

void nn_numbers_example(const NnData *data, const NnExample *e, NnReal *x, NnReal *label) {
  const NnNumbers *t = data->store;
  const size_t row = t->row[e->split][e->row], n = t->features;
  for (size_t j = 0; j < n; j++) x[j] = t->scale[j] * (NnReal)t->x[row * n + j] + t->shift[j];
  *label = t->scale[n] * (NnReal)t->label[row] + t->shift[n];
}

void nn_numbers_close(NnData *data) {
  NnNumbers *t = data->store;
  for (int s = 0; s < NN_SPLITS; s++) free(t->row[s]);
  free(t->x);
  free(t->label);
  free(t->scale);
  free(t->shift);
  free(t);
}

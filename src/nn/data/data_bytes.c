/* Labelled images of bytes. */
#include <math.h>
#include <stdlib.h>

#include "core/simd.h"
#include "nn/data/data_internal.h"

BtStatus nn_bytes_create(BtContext *ctx, const char *what, size_t rows, NnShape shape, NnData *data,
                         NnBytes **bytes) {
  const BtStatus st = nn_data_fits(ctx, what, (double)rows * (double)(nn_shape_size(shape) + 1));
  if (st < 0) return st;
  NnBytes *b = *bytes = data->store = calloc(1, sizeof *b);
  if (!b) return bt_fail_memory(ctx, what, sizeof *b);
  data->info.x = shape;
  data->info.label = NN_SHAPE(1);
  b->size = nn_shape_size(shape);
  b->plane = b->size / shape.dim[0];
  b->pixel = calloc(rows, b->size);
  b->label = calloc(rows, 1);
  b->scale = calloc(shape.dim[0], sizeof *b->scale);
  b->shift = calloc(shape.dim[0], sizeof *b->shift);
  if (!b->pixel || !b->label || !b->scale || !b->shift)
    return bt_fail_memory(ctx, what, (double)rows * (double)(b->size + 1));
  return nn_data_channels(ctx, shape.dim[0], data);
}

/* Sums of whole numbers: exact, so the order of the rows does not matter. */
static void statistics(NnData *data) {
  const NnBytes *b = data->store;
  const size_t rows = data->info.rows[NN_TRAIN], channels = data->info.channels;
  for (size_t c = 0; c < channels; c++) {
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < rows; i++) {
      const uint8_t *x = b->pixel + b->row[NN_TRAIN][i] * b->size + c * b->plane;
      uint64_t s = 0, q = 0;
      for (size_t p = 0; p < b->plane; p++) s += x[p], q += (uint64_t)x[p] * x[p];
      sum += s, squares += q;
    }
    const double n = (double)rows * (double)b->plane, mean = (double)sum / n;
    const double variance = (double)squares / n - mean * mean;
    data->mean[c] = mean / 255;
    data->deviation[c] = variance > 0 ? sqrt(variance) / 255 : 1;
  }
}

BtStatus nn_bytes_finish(BtContext *ctx, const NnDataOptions *options, size_t trained, size_t tested,
                         size_t classes, NnData *data) {
  NnBytes *b = data->store;
  data->info.classes = classes;
  const BtStatus st = nn_data_split(ctx, options, trained, tested, b->row, data->info.rows);
  if (st < 0) return st;
  statistics(data);
  const int standard = options->normalise == NN_STANDARD;
  for (size_t c = 0; c < data->info.channels; c++) {
    const double deviation = standard ? data->deviation[c] : 1;
    b->scale[c] = (NnReal)(1 / (255 * deviation));
    b->shift[c] = (NnReal)(standard ? -data->mean[c] / deviation : 0);
  }
  return BT_OK;
}

BT_SIMD static void convert(size_t n, NnReal scale, NnReal shift, const uint8_t *byte, NnReal *x) {
  for (size_t i = 0; i < n; i++) x[i] = scale * (NnReal)byte[i] + shift;
}

void nn_bytes_example(const NnData *data, const NnExample *e, NnReal *x, NnReal *label) {
  const NnBytes *b = data->store;
  const size_t row = b->row[e->split][e->row];
  for (size_t c = 0; c < data->info.channels; c++)
    convert(b->plane, b->scale[c], b->shift[c], b->pixel + row * b->size + c * b->plane, x + c * b->plane);
  *label = (NnReal)b->label[row];
}

void nn_bytes_close(NnData *data) {
  NnBytes *b = data->store;
  for (int s = 0; s < NN_SPLITS; s++) free(b->row[s]);
  free(b->pixel);
  free(b->label);
  free(b->scale);
  free(b->shift);
  free(b);
}

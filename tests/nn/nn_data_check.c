#include "nn_data_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "harness.h"
#include "nn/loader.h"

BtContext nn_data_ctx;

NnDataOptions nn_data_defaults(NnDataKind kind) {
  NnDataOptions o = {0};
  bt_options_default(nn_data_options, &o);
  o.kind = kind;
  return o;
}

void nn_data_stopped(const NnDataOptions *o, const BtStop *stop) {
  static const volatile sig_atomic_t asked = 1;
  NnData *data;
  bt_context_init(&nn_data_ctx);
  nn_data_ctx.stop = stop ? *stop : (BtStop){.flag = &asked};
  BT_CHECK_STATUS(nn_data_open(&nn_data_ctx, o, &data), BT_STOPPED, &nn_data_ctx);
  BT_CHECK(data == NULL);
  nn_data_close(data);
}

/* What is foreseen of a generated set is what comes. */
static void check_foreseen(const NnDataOptions *o, const NnDataInfo *info) {
  NnDataInfo foreseen;
  BT_CHECK(nn_data_foresee(o, &foreseen) == (o->kind >= NN_DATA_DIGITS));
  if (o->kind < NN_DATA_DIGITS) return;
  BT_CHECK(memcmp(foreseen.rows, info->rows, sizeof info->rows) == 0 && foreseen.text == info->text);
  BT_CHECK(nn_shape_size(foreseen.label) == nn_shape_size(info->label));
  if (info->text) BT_CHECK(nn_shape_size(foreseen.x) == nn_shape_size(info->x));
}

NnData *nn_data_opened(const NnDataOptions *o) {
  NnData *data;
  nn_data_stopped(o, NULL);
  bt_context_init(&nn_data_ctx);
  BT_CHECK_STATUS(nn_data_open(&nn_data_ctx, o, &data), BT_OK, &nn_data_ctx);
  if (data) check_foreseen(o, nn_data_info(data));
  return data;
}

void nn_data_refused(const NnDataOptions *o, BtStatus wanted, const char *words) {
  NnData *data;
  bt_context_init(&nn_data_ctx);
  const BtStatus st = nn_data_open(&nn_data_ctx, o, &data);
  BT_CHECK_STATUS(st, wanted, &nn_data_ctx);
  BT_CHECK(data == NULL);
  BT_CHECK_ROW(strstr(nn_data_ctx.error, words) != NULL, "\"%s\" does not say \"%s\"", nn_data_ctx.error,
               words);
  nn_data_close(data);
}

/* All rows of a split, in its own order: x and label, malloc'ed. */
size_t nn_data_rows(const NnData *data, NnSplit split, NnReal **x, NnReal **label) {
  const size_t rows = nn_data_info(data)->rows[split];
  const size_t xs = nn_shape_size(nn_data_info(data)->x), ls = nn_shape_size(nn_data_info(data)->label);
  const NnLoaderOptions options = {.split = split, .batch = 7};
  NnLoader *loader;
  *x = calloc(rows * xs + 1, sizeof **x);
  *label = calloc(rows * ls + 1, sizeof **label);
  if (!*x || !*label) abort();
  if (rows == 0 ||
      !BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &options, &loader), BT_OK, &nn_data_ctx))
    return 0;
  size_t got = 0;
  for (size_t i = 0; i < nn_loader_batches(loader); i++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&nn_data_ctx, loader, 0, i, &b), BT_OK, &nn_data_ctx);
    memcpy(*x + got * xs, b.x, b.rows * xs * sizeof **x);
    memcpy(*label + got * ls, b.label, b.rows * ls * sizeof **label);
    got += b.rows;
  }
  BT_CHECK(got == rows);
  nn_loader_destroy(loader);
  return got;
}

const char *nn_data_path(const char *name) {
  static char kept[32][512];
  const char *path = bt_test_path(name);
  if (!path) abort();
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    if (!kept[i][0]) snprintf(kept[i], sizeof kept[i], "%s", path);
    if (strcmp(kept[i], path) == 0) return kept[i];
  }
  abort();
}

/* Not atomic, and a new file: some file systems flush what replaces another, and there are thousands. */
void nn_write_file(const char *name, const void *bytes, size_t size) {
  (void)remove(bt_test_path(name));
  FILE *f = fopen(bt_test_path(name), "wb");
  BT_CHECK_ROW(f && fwrite(bytes, 1, size, f) == size, "%s can be written", name);
  if (f) BT_CHECK(fclose(f) == 0);
}

/* Image i is filled with 3·i mod 256 but for its first two bytes, i; its label is i mod 10. */
void nn_write_idx(const char *folder, const char *part, size_t rows) {
  unsigned char *images = calloc(16 + rows * NN_IDX_PLANE, 1), *labels = calloc(8 + rows, 1);
  char name[128];
  if (!images || !labels) abort();
  const unsigned char head[16] = {
      0, 0,           8, 3, 0, 0,          (unsigned char)(rows >> 8), (unsigned char)rows, 0, 0,
      0, NN_IDX_SIDE, 0, 0, 0, NN_IDX_SIDE};
  memcpy(images, head, 16);
  memcpy(labels, head, 8);
  labels[3] = 1;
  for (size_t i = 0; i < rows; i++) {
    memset(images + 16 + i * NN_IDX_PLANE, (int)(3 * i % 256), NN_IDX_PLANE);
    images[16 + i * NN_IDX_PLANE] = (unsigned char)(i >> 8);
    images[17 + i * NN_IDX_PLANE] = (unsigned char)i;
    labels[8 + i] = (unsigned char)(i % 10);
  }
  BT_CHECK_STATUS(bt_make_folder(&nn_data_ctx, bt_test_path(folder)), BT_OK, &nn_data_ctx);
  snprintf(name, sizeof name, "%s/%s-images-idx3-ubyte", folder, part);
  nn_write_file(name, images, 16 + rows * NN_IDX_PLANE);
  snprintf(name, sizeof name, "%s/%s-labels-idx1-ubyte", folder, part);
  nn_write_file(name, labels, 8 + rows);
  free(images);
  free(labels);
}

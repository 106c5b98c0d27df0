/* CIFAR-10 in its binary version (Krizhevsky 2009): records of a label and the planes of red, green and blue.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "nn/data/data_internal.h"

enum { CLASSES = 10, SIDE = 32, PIXELS = 3 * SIDE * SIDE, RECORD = 1 + PIXELS, BATCHES = 5 };

/* Ten times an official batch. */
static const size_t largest_file = (size_t)10 * 10000 * RECORD;

typedef struct {
  char *bytes; /* owned; NULL: no such file */
  size_t records;
} Batch;

/* The official archive unpacks into a folder of its own. */
static char *find_file(const char *folder, const char *name) {
  for (int inside = 0; inside < 2; inside++) {
    const size_t size = strlen(folder) + strlen(name) + 32;
    char *path = malloc(size);
    if (!path) return NULL;
    snprintf(path, size, inside ? "%s/cifar-10-batches-bin/%s" : "%s/%s", folder, name);
    if (access(path, F_OK) == 0) return path;
    free(path);
  }
  return NULL;
}

static BtStatus read_batch(BtContext *ctx, const char *path, Batch *batch) {
  size_t size;
  const BtStatus st = bt_file_read(ctx, path, largest_file, &batch->bytes, &size);
  if (st < 0) return st;
  batch->records = size / RECORD;
  if (size == 0 || size % RECORD)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: record %zu is truncated: %zu of %d bytes", path, batch->records,
                   size % RECORD, RECORD);
  for (size_t i = 0; i < batch->records; i++) {
    const unsigned char label = (unsigned char)batch->bytes[i * RECORD];
    if (label >= CLASSES)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: the label of record %zu is %d; classes are 0 to %d", path, i,
                     label, CLASSES - 1);
  }
  return BT_OK;
}

/* A file that is not there leaves the batch empty. */
static BtStatus read_named(BtContext *ctx, const char *folder, const char *name, Batch *batch) {
  char *path = find_file(folder, name);
  const BtStatus st = path ? read_batch(ctx, path, batch) : BT_OK;
  free(path);
  return st;
}

static size_t take(NnBytes *b, size_t first, const Batch *batch) {
  for (size_t i = 0; i < batch->records; i++) {
    b->label[first + i] = (uint8_t)batch->bytes[i * RECORD];
    memcpy(b->pixel + (first + i) * PIXELS, batch->bytes + i * RECORD + 1, PIXELS);
  }
  return first + batch->records;
}

static BtStatus cifar_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  const char *folder = options->path;
  Batch batch[BATCHES] = {{NULL, 0}}, test = {NULL, 0};
  NnBytes *b;
  size_t trained = 0;
  BtStatus st = BT_OK;
  if (!folder) return bt_fail(ctx, BT_ERR_ARG, "data: name the folder of CIFAR-10's data_batch_1.bin");
  for (int k = 0; k < BATCHES; k++) {
    char name[32];
    snprintf(name, sizeof name, "data_batch_%d.bin", k + 1);
    if (bt_stop_requested(ctx)) BT_COMPLETE(BT_STOPPED);
    BT_TRY(read_named(ctx, folder, name, &batch[k]));
    trained += batch[k].records;
  }
  if (trained == 0)
    BT_TRY(bt_fail(ctx, BT_ERR_IO,
                   "%s: no data_batch_1.bin to data_batch_5.bin; is it a folder of CIFAR-10 in "
                   "its binary version?",
                   folder));
  for (int k = 0; k < BATCHES; k++)
    if (!batch[k].bytes)
      bt_warn(ctx, "%s: no data_batch_%d.bin: its images are missing from the training set", folder, k + 1);
  BT_TRY(read_named(ctx, folder, "test_batch.bin", &test));
  if (!test.bytes) {
    BT_TRY(read_named(ctx, folder, "test_first1000.bin", &test));
    bt_warn(ctx,
            test.bytes ? "%s: no test_batch.bin: the test images are those of test_first1000.bin"
                       : "%s: no test_batch.bin: there are no test images",
            folder);
  }
  BT_TRY(nn_bytes_create(ctx, folder, trained + test.records, NN_SHAPE(3, SIDE, SIDE), data, &b));
  size_t first = 0;
  for (int k = 0; k < BATCHES; k++) first = take(b, first, &batch[k]);
  take(b, first, &test);
  BT_TRY(nn_bytes_finish(ctx, options, trained, test.records, CLASSES, data));
done:
  for (int k = 0; k < BATCHES; k++) free(batch[k].bytes);
  free(test.bytes);
  return st;
}

const NnDataOps nn_data_cifar10 = {cifar_open, nn_bytes_example, nn_bytes_close};

/* Folders of idx files: MNIST, Fashion-MNIST. */
#include <string.h>

#include "core/idx.h"
#include "nn/data/data_internal.h"

#define CLASSES 10

static BtStatus check_labels(BtContext *ctx, const char *folder, const char *part, const BtIdx *labels) {
  for (size_t i = 0; i < labels->size; i++)
    if (labels->entries[i] >= CLASSES)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: label %zu of part \"%s\" is %d; classes are 0 to %d", folder, i,
                     part, labels->entries[i], CLASSES - 1);
  return BT_OK;
}

static void take(NnBytes *b, size_t first, const BtIdx *images, const BtIdx *labels) {
  if (!images->size) return;
  memcpy(b->pixel + first * b->size, images->entries, images->size);
  memcpy(b->label + first, labels->entries, labels->size);
}

static BtStatus mnist_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  const char *folder = options->path;
  BtIdx images[2] = {{0}}, labels[2] = {{0}};
  static const char *const part[2] = {"train", "t10k"};
  NnBytes *b;
  BtStatus st = BT_OK;
  if (!folder) return bt_fail(ctx, BT_ERR_ARG, "data: name the folder of idx files");
  for (int k = 0; k < 2; k++) {
    if (bt_stop_requested(ctx)) BT_COMPLETE(BT_STOPPED);
    if (k == 1 && !bt_idx_has_part(folder, part[k])) {
      bt_warn(ctx, "%s: no t10k-images-idx3-ubyte: there are no test images", folder);
      continue;
    }
    BT_TRY(bt_idx_read_part(ctx, folder, part[k], &images[k], &labels[k]));
    BT_TRY(check_labels(ctx, folder, part[k], &labels[k]));
  }
  const size_t *shape = images[0].shape, trained = shape[0], tested = images[1].size ? images[1].shape[0] : 0;
  if (tested && (images[1].shape[1] != shape[1] || images[1].shape[2] != shape[2]))
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: test images of %zu x %zu, training images of %zu x %zu", folder,
                   images[1].shape[1], images[1].shape[2], shape[1], shape[2]));
  BT_TRY(nn_bytes_create(ctx, folder, trained + tested, NN_SHAPE(1, shape[1], shape[2]), data, &b));
  take(b, 0, &images[0], &labels[0]);
  take(b, trained, &images[1], &labels[1]);
  BT_TRY(nn_bytes_finish(ctx, options, trained, tested, CLASSES, data));
done:
  for (int k = 0; k < 2; k++) {
    bt_idx_clear(&images[k]);
    bt_idx_clear(&labels[k]);
  }
  return st;
}

const NnDataOps nn_data_mnist = {mnist_open, nn_bytes_example, nn_bytes_close};

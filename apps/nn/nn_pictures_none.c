#include "nn/nn_pictures.h"

BtStatus bt_nn_pictures_read(BtContext *ctx, const char *path, const BtNnPictures *like,
                             BtNnPictures *pictures) {
  (void)like;
  *pictures = (BtNnPictures){0};
  return bt_fail(ctx, BT_ERR_UNSUPPORTED,
                 "%s: this bitune was built without the reading of images (BITUNE_IMAGING=OFF)", path);
}

void bt_nn_pictures_clear(BtNnPictures *pictures) { (void)pictures; }

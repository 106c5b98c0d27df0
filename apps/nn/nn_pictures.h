/* apps/nn/nn_pictures.h: images of a folder, for networks that learn from patches. */
#ifndef BITUNE_APPS_NN_PICTURES_H
#define BITUNE_APPS_NN_PICTURES_H

#include "nn/data.h"

typedef struct {
  NnPicture *picture; /* [count], pixels owned, white is 1 */
  size_t count;
} BtNnPictures;

/* The first page of each image of a folder (or of one file), without alpha. All must be gray, or all in
 * colour, with as many channels as the images of `like` if that is not NULL: BT_ERR_FORMAT naming the file
 * that is not. BT_STOPPED, without any, where a stop is asked for meanwhile. nn_pictures_none.c stands in where
 * images cannot be read: BT_ERR_UNSUPPORTED. */
BtStatus bt_nn_pictures_read(BtContext *ctx, const char *path, const BtNnPictures *like,
                             BtNnPictures *pictures);
void bt_nn_pictures_clear(BtNnPictures *pictures);

#endif

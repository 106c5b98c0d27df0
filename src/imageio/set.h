/* imageio/set.h: the image files a user names, as one ordered list. */
#ifndef BITUNE_IMAGEIO_SET_H
#define BITUNE_IMAGEIO_SET_H

#include <stddef.h>

#include "core/context.h"

typedef struct {
  char **paths; /* [count], owned */
  size_t count;
} BtImageSet;

/* Files in the order given; a folder stands for its image files (.png .tif .tiff, any case), sorted by name
 * byte by byte, not descending, without hidden ones. Errors: BT_ERR_IO for a missing path, BT_ERR_ARG for a
 * folder without images. */
BtStatus bt_image_set_list(BtContext *ctx, const char *const *paths, size_t count, BtImageSet *set);
void bt_image_set_clear(BtImageSet *set);

/* The file of `folder` with the same base name as `path`, or the same stem and another image extension;
 * malloc'ed into *found. BT_ERR_IO naming both if there is none. */
BtStatus bt_image_set_partner(BtContext *ctx, const char *folder, const char *path, char **found);

#endif

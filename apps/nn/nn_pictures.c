#include "nn/nn_pictures.h"

#include <stdlib.h>

#include "core/file.h"
#include "imageio/file.h"
#include "imageio/set.h"

static BtStatus read_one(BtContext *ctx, const char *path, size_t channels, NnPicture *picture) {
  BtImage image;
  BtStatus st = bt_image_read(ctx, path, 0.0, &image);
  if (st < 0) return st;
  const size_t colors = (size_t)image.colors, count = colors * image.height * image.width;
  float *pixels = NULL;
  if (channels && colors != channels)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: an image in %s among those in %s", path,
                   colors == 1 ? "gray" : "colour", colors == 1 ? "colour" : "gray"));
  pixels = malloc(count * sizeof *pixels);
  if (!pixels) BT_TRY(bt_fail_memory(ctx, path, (double)count * sizeof *pixels));
  for (size_t i = 0; i < count; i++) pixels[i] = (float)image.pixels[i];
  *picture = (NnPicture){colors, image.height, image.width, pixels, bt_copy_text(path)};
done:
  bt_image_clear(&image);
  return st;
}

BtStatus bt_nn_pictures_read(BtContext *ctx, const char *path, const BtNnPictures *like,
                             BtNnPictures *pictures) {
  BtImageSet files;
  *pictures = (BtNnPictures){0};
  BtStatus st = bt_image_set_list(ctx, &path, 1, &files);
  if (st < 0) return st;
  pictures->picture = calloc(files.count, sizeof *pictures->picture);
  if (!pictures->picture) st = bt_fail_memory(ctx, path, (double)files.count * sizeof *pictures->picture);
  while (st == BT_OK && pictures->count < files.count) {
    const BtNnPictures *first = like ? like : pictures;
    const size_t channels = first->count ? first->picture[0].channels : 0;
    st = read_one(ctx, files.paths[pictures->count], channels, &pictures->picture[pictures->count]);
    pictures->count += st >= 0;
    if (st >= 0 && bt_stop_requested(ctx)) st = BT_STOPPED;
  }
  bt_image_set_clear(&files);
  if (st != BT_OK) bt_nn_pictures_clear(pictures);
  return st;
}

void bt_nn_pictures_clear(BtNnPictures *pictures) {
  for (size_t i = 0; i < pictures->count; i++) {
    free((float *)pictures->picture[i].pixels);
    free((char *)pictures->picture[i].name);
  }
  free(pictures->picture);
  *pictures = (BtNnPictures){0};
}

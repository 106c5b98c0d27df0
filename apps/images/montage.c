#include <stdlib.h>

#include "core/file.h"
#include "imageio/file.h"
#include "program/app.h"

typedef struct {
  const char *output;
  int64_t gap, zoom;
} Montage;

static const BtOption options[] = {
    BT_OPT_TEXT("output", 'o', Montage, output, NULL, "FILE", "picture to write, .png or .tif"),
    BT_OPT_INT("gap", Montage, gap, 8, BT_WITHIN(0, 1000), "N", "white pixels between the images"),
    BT_OPT_INT("zoom", Montage, zoom, 1, BT_WITHIN(1, 32), "N", "side of a pixel in the picture"),
    BT_OPT_END};

static size_t montage_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

static BtStatus montage_check(BtApp *app, const void *settings) {
  return bt_app_require(app, ((const Montage *)settings)->output != NULL, "output");
}

/* Copies the colour planes of `from`, enlarged, to column `left` of `to`; gray goes to all planes of a colour
 * picture. */
static void paste(BtImage *to, const BtImage *from, size_t left, size_t zoom) {
  for (int c = 0; c < to->colors; c++) {
    const double *source = bt_image_plane(from, from->colors == 1 ? 0 : c);
    double *target = bt_image_plane(to, c);
    for (size_t row = 0; row < zoom * from->height; row++)
      for (size_t k = 0; k < zoom * from->width; k++)
        target[row * to->width + left + k] = source[row / zoom * from->width + k / zoom];
  }
}

static BtStatus compose(BtContext *ctx, const BtImage *images, size_t count, const Montage *montage,
                        BtImage *picture) {
  const size_t gap = (size_t)montage->gap, zoom = (size_t)montage->zoom;
  size_t width = gap * (count - 1), height = 0, left = 0;
  int colors = 1;
  for (size_t i = 0; i < count; i++) {
    width += zoom * images[i].width;
    if (zoom * images[i].height > height) height = zoom * images[i].height;
    if (images[i].colors > colors) colors = images[i].colors;
  }
  const BtStatus st = bt_image_create(ctx, width, height, colors, 0, picture);
  if (st < 0) return st;
  const size_t samples = (size_t)colors * bt_image_plane_size(picture);
  for (size_t i = 0; i < samples; i++) picture->pixels[i] = 1;
  for (size_t i = 0; i < count; i++) {
    paste(picture, &images[i], left, zoom);
    left += zoom * images[i].width + gap;
  }
  picture->sample = BT_SAMPLE_U8;
  picture->white = 255;
  return st;
}

static BtStatus montage_run(BtApp *app, void *settings) {
  const Montage *montage = settings;
  const size_t count = app->operand_count;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtImage picture = {0};
  BtImage *images = calloc(count, sizeof *images);
  if (!images) return bt_fail_memory(ctx, "a list of images", (double)count * sizeof *images);
  for (size_t i = 0; i < count; i++) BT_TRY(bt_image_read(ctx, app->operands[i], 0, &images[i]));
  BT_TRY(compose(ctx, images, count, montage, &picture));
  BT_TRY(bt_image_write(ctx, montage->output, &picture));
  bt_app_print(app, "%s\n", montage->output);
  bt_app_put_text(app, "output", montage->output);
done:
  for (size_t i = 0; i < count; i++) bt_image_clear(&images[i]);
  bt_image_clear(&picture);
  free(images);
  return st;
}

const BtCommand bt_cmd_montage = {
    .name = "montage",
    .group = BT_GROUP_IMAGES,
    .summary = "set images side by side in one picture",
    .usage = "-o FILE [options] IMAGE ...",
    .help =
        "The first page of each image, top aligned on white, in 8 bits; gray unless one of them has "
        "colour. Made for looking at a restoration beside the noisy image and the reference.",
    .examples = {{"bitune montage -o compare.png noisy/a.png denoised/a.png clean/a.png",
                  "Before, after and the truth"},
                 {"bitune montage --gap 0 -o strip.png denoised/*.png", "A strip without gaps"}},
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Montage),
    .options = montage_options,
    .check = montage_check,
    .run = montage_run,
};

#include "images/degradation.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "imageio/file.h"
#include "images/outputs.h"

const BtOption bt_degradation_options[] = {
    BT_OPT_TEXT("blur", 0, BtDegradation, blur, NULL, "BLUR",
                "known blur, lengths in pixels: " BT_KERNEL_FORMS),
    BT_OPT_TEXT("kernel", 0, BtDegradation, kernel, NULL, "FILE",
                "known blur from a PNG or TIFF image or a table of numbers (.csv, .txt), divided by its sum"),
    BT_OPT_CHOICE("boundary", BtDegradation, boundary, BT_BOUNDARY_REFLECT, BT_BOUNDARY_CHOICES,
                  "what the blur sees beyond the image's edges"),
    BT_OPT_TEXT("mask", 0, BtDegradation, mask, NULL, "FILE|DIR",
                "image that is black where pixels are unknown, or a folder of such images of the same names"),
    BT_OPT_END};

BtStatus bt_degradation_check(BtContext *ctx, const BtDegradation *d, int needed) {
  const int given = (d->blur != NULL) + (d->kernel != NULL) + (d->mask != NULL);
  if (given > 1) return bt_fail(ctx, BT_ERR_ARG, "give one of --blur, --kernel and --mask, not %d", given);
  if (given == 0 && needed)
    return bt_fail(ctx, BT_ERR_ARG, "--blur, --kernel or --mask is required: how the images were degraded");
  if (!d->blur) return BT_OK;
  BtKernel kernel;
  const BtStatus st = bt_kernel_parse(ctx, d->blur, &kernel);
  bt_kernel_clear(&kernel);
  return st;
}

BtStatus bt_degradation_kernel(BtContext *ctx, const BtDegradation *d, BtKernel *kernel) {
  *kernel = (BtKernel){0};
  if (d->blur) return bt_kernel_parse(ctx, d->blur, kernel);
  return d->kernel ? bt_kernel_read(ctx, d->kernel, kernel) : BT_OK;
}

BtStatus bt_degradation_apart(BtContext *ctx, const BtDegradation *d, const char *folder,
                              const BtImageSet *outputs) {
  char *file = (char *)(d->kernel ? d->kernel : d->mask);
  const BtImageSet own = {.paths = &file, .count = 1};
  if (!file) return BT_OK;
  if (bt_outputs_same_folder(file, folder))
    return bt_fail(ctx, BT_ERR_ARG, "--mask and --output must be different folders");
  return bt_outputs_apart(ctx, (const char *const *)outputs->paths, outputs->count, &own);
}

/* The mask's file: itself, or its partner in a folder. */
static BtStatus mask_path(BtContext *ctx, const BtDegradation *d, const char *path, char **found) {
  struct stat info;
  *found = NULL;
  if (stat(d->mask, &info) == 0 && S_ISDIR(info.st_mode))
    return bt_image_set_partner(ctx, d->mask, path, found);
  *found = bt_copy_text(d->mask);
  return *found ? BT_OK : bt_fail_memory(ctx, "a file name", (double)strlen(d->mask));
}

BtStatus bt_degradation_mask(BtContext *ctx, const BtDegradation *d, const char *path, size_t page,
                             const BtImage *image, unsigned char **known) {
  const size_t n = bt_image_plane_size(image);
  BtImageReader *reader = NULL;
  BtImage mask = {0};
  char *file = NULL;
  BtStatus st = BT_OK;
  *known = NULL;
  BT_TRY(mask_path(ctx, d, path, &file));
  BT_TRY(bt_image_open(ctx, file, 0, &reader));
  const size_t pages = bt_image_pages(reader);
  if (pages > 1 && page >= pages)
    BT_TRY(bt_fail(ctx, BT_ERR_ARG,
                   "%s has %zu pages and none for page %zu of %s; give one page or as many as the image",
                   file, pages, page + 1, path));
  BT_TRY(bt_image_read_page(ctx, reader, pages > 1 ? page : 0, &mask));
  if (mask.width != image->width || mask.height != image->height)
    BT_TRY(bt_fail(ctx, BT_ERR_ARG, "%s is %zux%zu, its mask %s %zux%zu; give a mask of the image's size",
                   path, image->height, image->width, file, mask.height, mask.width));
  *known = calloc(n, 1);
  if (!*known) BT_TRY(bt_fail_memory(ctx, "a mask", (double)n));
  size_t count = 0;
  for (int c = 0; c < mask.colors; c++)
    for (size_t i = 0; i < n; i++) (*known)[i] |= bt_image_plane(&mask, c)[i] != 0;
  for (size_t i = 0; i < n; i++) count += (*known)[i];
  if (count == 0)
    st = bt_fail(ctx, BT_ERR_ARG,
                 "%s, the mask of %s, has no known pixel: it is black all over; known pixels are those "
                 "that are not black",
                 file, path);
done:
  if (st < 0) {
    free(*known);
    *known = NULL;
  }
  bt_image_clear(&mask);
  bt_image_close(reader);
  free(file);
  return st;
}

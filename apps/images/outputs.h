/* apps/images/outputs.h: where a command that turns images into images writes them, and their noise. */
#ifndef BITUNE_APPS_OUTPUTS_H
#define BITUNE_APPS_OUTPUTS_H

#include <stdint.h>

#include "imageio/set.h"
#include "program/app.h"

/* The file in `folder` for every image of the set, [inputs->count] in outputs->paths: same base name, with
 * the extension replaced unless `extension` is NULL. BT_ERR_ARG if two inputs share a name or if an output is
 * one of the inputs. */
BtStatus bt_outputs_plan(BtContext *ctx, const BtImageSet *inputs, const char *folder, const char *extension,
                         BtImageSet *outputs);

/* BT_ERR_ARG if one of `count` output files (NULL entries are skipped) is an input image or another of them. */
BtStatus bt_outputs_apart(BtContext *ctx, const char *const *outputs, size_t count, const BtImageSet *inputs);

/* 1 if both paths name one existing folder, by whatever name. */
int bt_outputs_same_folder(const char *a, const char *b);

/* Number of images that the operands name, for a command's items(); 0 if they cannot be listed. */
size_t bt_app_count_images(BtApp *app);

/* The generator's stream for one page of the image at a place in the set: commands that make noise agree on
 * it, so that `bitune eval --seed 1 DIR` sees what `bitune noise --seed 1 DIR` writes. */
static inline uint64_t bt_noise_stream(size_t image, size_t page) { return ((uint64_t)image << 32) | page; }

#endif

/* apps/images/degradation.h: the known blur or mask of images, as options give it. */
#ifndef BITUNE_APPS_DEGRADATION_H
#define BITUNE_APPS_DEGRADATION_H

#include "imageio/image.h"
#include "imageio/kernel.h"
#include "imageio/set.h"
#include "lowerlevel/torus.h"
#include "program/app.h"

typedef struct {
  const char *blur, *kernel, *mask;
  int boundary; /* BtBoundary */
} BtDegradation;

/* --blur, --kernel, --boundary and --mask. */
extern const BtOption bt_degradation_options[];

/* For check(): at most one of --blur, --kernel and --mask, at least one if `needed`; a description must be
 * one. */
BtStatus bt_degradation_check(BtContext *ctx, const BtDegradation *degradation, int needed);

/* The kernel of --blur or --kernel; without either an empty one. Errors of bt_kernel_parse() and
 * bt_kernel_read(). */
BtStatus bt_degradation_kernel(BtContext *ctx, const BtDegradation *degradation, BtKernel *kernel);

/* BT_ERR_ARG if writing `outputs` into the existing folder `folder` would overwrite the kernel or a mask. */
BtStatus bt_degradation_apart(BtContext *ctx, const BtDegradation *degradation, const char *folder,
                              const BtImageSet *outputs);

/* known[height·width] (free()) ← which pixels of page `page` of the image file `path` are known: the first
 * page of --mask, or of the file of the same name if that is a folder, or page `page` if it has as many as
 * the image; a pixel counts as known if any of its colours is not zero. BT_ERR_ARG naming both files if sizes
 * differ. */
BtStatus bt_degradation_mask(BtContext *ctx, const BtDegradation *degradation, const char *path, size_t page,
                             const BtImage *image, unsigned char **known);

#endif

/* imageio/kernel.h: convolution kernels (point-spread functions), computed from a description or read from a
 * file.
 *
 *   (k ∗ x)(r, c) = Σ_{i,j} taps[i][j] x(r − i + height/2, c − j + width/2)     (integer divisions)
 *
 * so that the middle tap of an odd kernel stays in place. Taps sum to 1: a constant image keeps its value. */
#ifndef BITUNE_IMAGEIO_KERNEL_H
#define BITUNE_IMAGEIO_KERNEL_H

#include <stddef.h>

#include "core/context.h"

typedef struct {
  size_t height, width;
  double *taps; /* [height][width], owned */
} BtKernel;

/* Largest side of a kernel. */
#define BT_KERNEL_LARGEST 4095

/* What a description may be, for help and errors. */
#define BT_KERNEL_FORMS "gaussian:SIGMA, motion:LENGTH,ANGLE, disk:RADIUS or box:N"

/* A kernel from its description; lengths in pixels, fractions allowed but for box:
 *   gaussian:SIGMA        sampled Gaussian of that standard deviation, cut at 4 SIGMA
 *   motion:LENGTH,ANGLE   uniform along a line one pixel thick, ANGLE degrees counter-clockwise
 *   disk:RADIUS           uniform disk, a defocused lens
 *   box:N                 N × N equal taps
 *
 * Lines and disks are anti-aliased: a tap is the part of its pixel that they cover. BT_ERR_ARG quoting what is
 * wrong, BT_ERR_MEMORY. */
BtStatus bt_kernel_parse(BtContext *ctx, const char *text, BtKernel *kernel);

/* A kernel from an image (PNG or TIFF, colour as luminance) or from a table of numbers (.csv, .txt: one row a
 * line, separated by commas, semicolons or blanks; lines that begin with # are skipped), divided by its sum.
 * Errors: BT_ERR_IO; BT_ERR_FORMAT naming file and line for what is no table of finite numbers, BT_ERR_ARG
 * for a sum of zero or a kernel larger than BT_KERNEL_LARGEST. */
BtStatus bt_kernel_read(BtContext *ctx, const char *path, BtKernel *kernel);

/* Frees the taps and zeroes the struct; harmless on a zeroed one. */
void bt_kernel_clear(BtKernel *kernel);

#endif

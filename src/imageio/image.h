/* imageio/image.h: one page of pixels as doubles, and where its samples came from. */
#ifndef BITUNE_IMAGEIO_IMAGE_H
#define BITUNE_IMAGEIO_IMAGE_H

#include <stddef.h>

#include "core/context.h"

/* How samples are stored in a file. Those of fewer than 8 bits are stretched to 0 … 255 and remembered as
 * BT_SAMPLE_U8; those of 9 to 15 are BT_SAMPLE_U16 with white 2^bits − 1, 64-bit floats BT_SAMPLE_F32. */
typedef enum { BT_SAMPLE_U8, BT_SAMPLE_U16, BT_SAMPLE_F32 } BtSample;

/* Planar pixels: plane c, row r, column k is pixels[(c·height + r)·width + k]; 1.0 stands for white.
 * Colour planes come first (1 gray or 3 RGB); `alpha` planes (0 or 1) follow and are carried, never denoised;
 * alpha is a fraction of the sample type's largest value whatever `white` is. */
typedef struct {
  size_t width, height;
  int colors;      /* 1 or 3                                                                              */
  int alpha;       /* 0 or 1                                                                              */
  BtSample sample; /* the file's sample type                                                              */
  double white;    /* the file's sample value that became 1.0: 255, 65535, 1 for float, or the user's     */
  double *pixels;  /* [(colors+alpha)·height·width], owned                                                */
} BtImage;

/* Allocates zeroed pixels. BT_ERR_ARG on a zero or overflowing size, BT_ERR_MEMORY. */
BtStatus bt_image_create(BtContext *ctx, size_t width, size_t height, int colors, int alpha, BtImage *image);
/* Frees the pixels and zeroes the struct; harmless on a zeroed one. */
void bt_image_clear(BtImage *image);
BtStatus bt_image_copy(BtContext *ctx, const BtImage *from, BtImage *to);

static inline size_t bt_image_plane_size(const BtImage *image) { return image->width * image->height; }
static inline double *bt_image_plane(const BtImage *image, int plane) {
  return image->pixels + (size_t)plane * bt_image_plane_size(image);
}

/* Replaces the colour planes by one of luminance 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), drops alpha. */
BtStatus bt_image_to_gray(BtContext *ctx, BtImage *image);

/* Orthonormal opponent transform of the three colour planes in place, (R,G,B) → ((R+G+B)/√3, (R−B)/√2,
 * (R−2G+B)/√6), and its inverse; white noise stays white with the same σ. No effect on gray images. */
void bt_image_to_opponent(BtImage *image);
void bt_image_from_opponent(BtImage *image);

/* Keeps the centred height × width window (smaller sizes are kept as they are). */
BtStatus bt_image_crop(BtContext *ctx, BtImage *image, size_t height, size_t width);

/* Adds σ/255 times standard normal noise to the colours, keyed by (seed, stream, plane and pixel); unclipped.
 * Number c·height·width + p of the stream belongs to pixel p of plane c. */
void bt_image_add_noise(BtImage *image, double sigma, unsigned long long seed, unsigned long long stream);

#endif

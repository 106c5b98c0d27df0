/* imageio/synth_internal.h: what the kinds of synthetic images share. */
#ifndef BITUNE_IMAGEIO_SYNTH_INTERNAL_H
#define BITUNE_IMAGEIO_SYNTH_INTERNAL_H

#include <stdint.h>

#include "imageio/synth.h"

/* A sequence of uniform numbers. */
typedef struct {
  uint64_t seed, stream, next;
} BtDice;

double bt_roll(BtDice *dice);                               /* uniform on (0,1)             */
double bt_roll_between(BtDice *dice, double lo, double hi); /* uniform on (lo,hi)           */
int bt_roll_index(BtDice *dice, int count);                 /* 0 … count−1, all alike       */

/* Fills image->pixels[colors·height·width]; values outside of [0,1] are clipped by the caller. */
BtStatus bt_synth_leaves(BtContext *ctx, BtDice *dice, BtImage *image);
BtStatus bt_synth_phantom(BtContext *ctx, BtDice *dice, BtImage *image);

/* A shape that is the part of a disc of radius r around (x,y) which an ellipse or half-planes cut out. */
#define BT_SHAPE_SIDES 6
typedef struct {
  double x, y, r;
  int sides;                                     /* 0 for an ellipse                          */
  double a, b, cosine, sine;                     /* ellipse: half axes a ≥ b and a's direction  */
  double nx[BT_SHAPE_SIDES], ny[BT_SHAPE_SIDES]; /* outer unit normals of the sides            */
  double h[BT_SHAPE_SIDES];                      /* distances of the sides from (x,y)         */
} BtShape;

/* Half axes a, b with a turned by `angle` from the x axis. */
BtShape bt_shape_ellipse(double x, double y, double a, double b, double angle);
/* Rectangle of half sides a and b. */
BtShape bt_shape_box(double x, double y, double a, double b, double angle);
/* Part of the pixel with centre (x,y) that the shape covers, 0 … 1, from its distance to the edge. */
double bt_shape_cover(const BtShape *shape, double x, double y);
/* Rows [top, bottom) and columns [left, right) of the image outside of which nothing is covered. */
void bt_shape_box_in(const BtShape *shape, size_t height, size_t width, size_t *top, size_t *bottom,
                     size_t *left, size_t *right);

/* A periodic random field of mean 0, variance 1 and amplitudes ∝ 1/f^gamma. */
#define BT_TEXTURE_SIZE 256
BtStatus bt_texture_create(BtContext *ctx, BtDice *dice, double gamma,
                           double **field); /* [SIZE·SIZE], free() */

#endif

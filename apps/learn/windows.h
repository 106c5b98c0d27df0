/* apps/learn/windows.h: random windows of the training images, turned, mirrored and with fresh noise.
 *
 * Everything random about a window is keyed by (seed, draw, item), so a draw is the same on any number of ranks. */
#ifndef BITUNE_APPS_WINDOWS_H
#define BITUNE_APPS_WINDOWS_H

#include "learn/training_set.h"
#include "lowerlevel/denoising.h"
#include "program/app.h"

/* Draws beside those of the steps k = 0, 1, …: the fixed windows of --crops, and those a result is judged by. */
#define BT_DRAW_FIXED (((int64_t)1 << 42) - 1)
#define BT_DRAW_ASSESS (((int64_t)1 << 42) - 1024)
#define BT_MOST_WINDOWS ((size_t)1 << 20)

/* Clean planes in single precision, all of them on every rank. */
typedef struct {
  size_t count;
  struct BtPlane {
    size_t height, width;
    float *pixels; /* owned */
  } *planes;
} BtPlanes;

/* Hands the clean pixels of a set round, so that every rank has all; takes them from the set image by image. Images in
 * which no window of that shape fits are left out with a warning; BT_ERR_ARG if none remains. Collective. */
BtStatus bt_planes_share(BtApp *app, BtTrainingSet *set, BtShape window, BtPlanes *planes);
void bt_planes_clear(BtPlanes *planes);

typedef struct {
  const BtPlanes *planes;
  BtShape shape;
  size_t count;
  double sigma; /* of the noise, 0–255 scale             */
  uint64_t seed;
  BtNoisyImage *noisy; /* [count] shapes of all, pixels of own windows, owned */
  double **truth;      /* [count] of own windows, owned                       */
} BtWindows;

/* `count` windows whose content bt_windows_draw() sets; borrows planes. Errors: BT_ERR_MEMORY; not collective. */
BtStatus bt_windows_create(BtApp *app, const BtPlanes *planes, size_t count, BtShape shape, double sigma,
                           int64_t seed, BtWindows *windows);
void bt_windows_clear(BtWindows *windows);

/* Fills own windows with draw k, 0 ≤ k < 2⁴²; a BtDraw (hypergrad/bilevel.h) on the BtWindows. */
BtStatus bt_windows_draw(void *windows, BtContext *ctx, int64_t k);

#endif

#include "learn/windows.h"

#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

void bt_planes_clear(BtPlanes *planes) {
  for (size_t i = 0; i < planes->count; i++) free(planes->planes[i].pixels);
  free(planes->planes);
  *planes = (BtPlanes){0};
}

static int fits(size_t height, size_t width, BtShape window) {
  return window.height <= height && window.width <= width;
}

/* One image from its owner to everyone. */
static BtStatus share_one(BtApp *app, BtTrainingSet *set, size_t i, struct BtPlane *plane) {
  BtContext *ctx = &app->ctx;
  const BtShape shape = set->noisy[i].shape;
  const size_t n = bt_shape_size(shape);
  double *buffer = calloc(n, sizeof *buffer);
  *plane = (struct BtPlane){shape.height, shape.width, malloc(n * sizeof *plane->pixels)};
  BtStatus st = buffer && plane->pixels ? BT_OK : bt_fail_memory(ctx, "training images", (double)n * 12);
  st = bt_team_agree(&app->team, ctx, st);
  if (st < 0 || st == BT_STOPPED) goto done;
  if (set->truth[i]) memcpy(buffer, set->truth[i], n * sizeof *buffer);
  BT_TRY(app->team.sum(&app->team, ctx, buffer, n));
  for (size_t k = 0; k < n; k++) plane->pixels[k] = (float)buffer[k];
  bt_training_set_drop_pixels(set, i);
done:
  free(buffer);
  return st;
}

BtStatus bt_planes_share(BtApp *app, BtTrainingSet *set, BtShape window, BtPlanes *planes) {
  BtContext *ctx = &app->ctx;
  const BtShape turned = {window.width, window.height};
  size_t small = 0;
  *planes = (BtPlanes){.planes = calloc(set->count, sizeof *planes->planes)};
  BtStatus st = planes->planes ? BT_OK : bt_fail_memory(ctx, "training images", (double)set->count * 24);
  st = bt_team_agree(&app->team, ctx, st);
  for (size_t i = 0; i < set->count && st >= 0 && st != BT_STOPPED; i++) {
    const BtShape shape = set->noisy[i].shape;
    if (!fits(shape.height, shape.width, window) && !fits(shape.height, shape.width, turned))
      small++;
    else
      st = share_one(app, set, i, &planes->planes[planes->count++]);
  }
  if (st < 0 || st == BT_STOPPED) return st;
  if (planes->count == 0)
    return bt_fail(ctx, BT_ERR_ARG,
                   "no image is large enough for windows of %zux%zu pixels; give a smaller --crop",
                   window.height, window.width);
  if (small)
    bt_warn(ctx, "%zu images smaller than %zux%zu pixels left out", small, window.height, window.width);
  return st;
}

void bt_windows_clear(BtWindows *w) {
  for (size_t i = 0; i < w->count; i++) {
    if (w->noisy) free((double *)w->noisy[i].noisy);
    if (w->truth) free(w->truth[i]);
  }
  free(w->noisy);
  free(w->truth);
  *w = (BtWindows){0};
}

BtStatus bt_windows_create(BtApp *app, const BtPlanes *planes, size_t count, BtShape shape, double sigma,
                           int64_t seed, BtWindows *w) {
  const size_t n = bt_shape_size(shape);
  *w = (BtWindows){.planes = planes,
                   .shape = shape,
                   .count = count,
                   .sigma = sigma,
                   .seed = (uint64_t)seed,
                   .noisy = calloc(count, sizeof *w->noisy),
                   .truth = calloc(count, sizeof *w->truth)};
  int lacking = !w->noisy || !w->truth;
  for (size_t i = 0; !lacking && i < count; i++) {
    w->noisy[i].shape = shape;
    if (!bt_team_owns(&app->team, i)) continue;
    w->noisy[i].noisy = calloc(n, sizeof(double));
    w->truth[i] = calloc(n, sizeof(double));
    lacking = !w->noisy[i].noisy || !w->truth[i];
  }
  return lacking ? bt_fail_memory(&app->ctx, "windows", 16.0 * (double)(n * count)) : BT_OK;
}

/* Streams of windows have the uppermost bit, which those of whole images (bt_noise_stream) never have. */
static uint64_t window_stream(int64_t k, size_t item) {
  return (uint64_t)1 << 63 | (uint64_t)k << 20 | (uint64_t)item;
}

/* Indices of a stream: the window's place, then its noise. */
enum { PICK_IMAGE, PICK_TOP, PICK_LEFT, PICK_SYMMETRY, FIRST_PIXEL = 16 };

static size_t pick(const BtWindows *w, uint64_t stream, uint64_t index, size_t choices) {
  const size_t at = (size_t)(bt_rng_uniform(w->seed, stream, index) * (double)choices);
  return at < choices ? at : choices - 1;
}

/* Which of the square's eight symmetries: 1 upside down, 2 left for right, 4 transposed, where the image
 * allows it. */
static size_t pick_symmetry(const BtWindows *w, uint64_t stream, const struct BtPlane *plane) {
  const BtShape turned = {w->shape.width, w->shape.height};
  const size_t symmetry = pick(w, stream, PICK_SYMMETRY, 8);
  if (!fits(plane->height, plane->width, turned)) return symmetry & 3;
  return fits(plane->height, plane->width, w->shape) ? symmetry : symmetry | 4;
}

static void fill(const BtWindows *w, int64_t k, size_t i) {
  const uint64_t stream = window_stream(k, i);
  const struct BtPlane *plane = &w->planes->planes[pick(w, stream, PICK_IMAGE, w->planes->count)];
  const size_t symmetry = pick_symmetry(w, stream, plane), n = bt_shape_size(w->shape);
  const size_t height = symmetry & 4 ? w->shape.width : w->shape.height,
               width = symmetry & 4 ? w->shape.height : w->shape.width;
  const size_t top = pick(w, stream, PICK_TOP, plane->height - height + 1),
               left = pick(w, stream, PICK_LEFT, plane->width - width + 1);
  double *truth = w->truth[i], *noisy = (double *)w->noisy[i].noisy;
  for (size_t at = 0; at < n; at++) {
    size_t row = at / w->shape.width, column = at % w->shape.width;
    if (symmetry & 4) {
      const size_t swap = row;
      row = column;
      column = swap;
    }
    if (symmetry & 1) row = height - 1 - row;
    if (symmetry & 2) column = width - 1 - column;
    truth[at] = (double)plane->pixels[(top + row) * plane->width + left + column];
  }
  bt_rng_fill_normal(w->seed, stream, FIRST_PIXEL, n, noisy);
  for (size_t at = 0; at < n; at++) noisy[at] = truth[at] + w->sigma / 255 * noisy[at];
}

BtStatus bt_windows_draw(void *windows, BtContext *ctx, int64_t k) {
  const BtWindows *w = windows;
  if (k < 0 || k > BT_DRAW_FIXED) return bt_fail(ctx, BT_ERR_ARG, "no draw %lld of windows", (long long)k);
  for (size_t i = 0; i < w->count; i++)
    if (w->truth[i]) fill(w, k, i);
  return BT_OK;
}

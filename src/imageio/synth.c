#include "imageio/synth.h"

#include <math.h>

#include "core/rng.h"
#include "imageio/synth_internal.h"

/* Streams of images lie apart from those of noise, which callers number from 0. */
#define STREAM_BASE ((uint64_t)0xB17 << 52)

double bt_roll(BtDice *dice) { return bt_rng_uniform(dice->seed, dice->stream, dice->next++); }

double bt_roll_between(BtDice *dice, double lo, double hi) { return lo + (hi - lo) * bt_roll(dice); }

int bt_roll_index(BtDice *dice, int count) { return (int)(bt_roll(dice) * count); }

BtShape bt_shape_ellipse(double x, double y, double a, double b, double angle) {
  return (BtShape){.x = x, .y = y, .r = a, .a = a, .b = b, .cosine = cos(angle), .sine = sin(angle)};
}

BtShape bt_shape_box(double x, double y, double a, double b, double angle) {
  BtShape box = {.x = x, .y = y, .r = hypot(a, b), .sides = 4};
  for (int i = 0; i < 4; i++) {
    const double turn = angle + i * 1.5707963267948966;
    box.nx[i] = cos(turn);
    box.ny[i] = sin(turn);
    box.h[i] = i % 2 ? b : a;
  }
  return box;
}

/* Distance to an ellipse's edge to first order, negative inside. */
static double ellipse_distance(const BtShape *s, double dx, double dy) {
  const double u = (s->cosine * dx + s->sine * dy) / s->a, v = (s->cosine * dy - s->sine * dx) / s->b;
  const double f = sqrt(u * u + v * v);
  const double slope = sqrt(u * u / (s->a * s->a) + v * v / (s->b * s->b));
  return slope > 0.0 ? (f - 1.0) * f / slope : -s->b;
}

double bt_shape_cover(const BtShape *s, double x, double y) {
  const double dx = x - s->x, dy = y - s->y;
  double distance;
  if (s->sides == 0) {
    distance = ellipse_distance(s, dx, dy);
  } else {
    distance = sqrt(dx * dx + dy * dy) - s->r;
    for (int i = 0; i < s->sides; i++) distance = fmax(distance, s->nx[i] * dx + s->ny[i] * dy - s->h[i]);
  }
  return fmin(fmax(0.5 - distance, 0.0), 1.0);
}

static size_t clamp_index(double x, size_t n) { return x <= 0.0 ? 0 : x >= (double)n ? n : (size_t)x; }

void bt_shape_box_in(const BtShape *s, size_t height, size_t width, size_t *top, size_t *bottom, size_t *left,
                     size_t *right) {
  *top = clamp_index(floor(s->y - s->r - 1.0), height);
  *bottom = clamp_index(ceil(s->y + s->r + 2.0), height);
  *left = clamp_index(floor(s->x - s->r - 1.0), width);
  *right = clamp_index(ceil(s->x + s->r + 2.0), width);
}

BtStatus bt_synth(BtContext *ctx, BtSynthKind kind, size_t width, size_t height, int colors,
                  unsigned long long seed, unsigned long long index, BtImage *image) {
  BtStatus st = bt_image_create(ctx, width, height, colors, 0, image);
  if (st < 0) return st;
  BtDice dice = {.seed = seed, .stream = STREAM_BASE + 2 * index + (kind == BT_SYNTH_PHANTOM)};
  st = kind == BT_SYNTH_PHANTOM ? bt_synth_phantom(ctx, &dice, image) : bt_synth_leaves(ctx, &dice, image);
  if (st < 0) {
    bt_image_clear(image);
    return st;
  }
  const size_t n = (size_t)colors * bt_image_plane_size(image);
  for (size_t p = 0; p < n; p++)
    image->pixels[p] = round(fmin(fmax(image->pixels[p], 0.0), 1.0) * 255.0) / 255.0;
  return BT_OK;
}

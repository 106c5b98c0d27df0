/* imageio/synth_phantom.c: piecewise smooth images: ellipses, boxes and bars on a smooth ground. */
#include <math.h>

#include "imageio/synth_internal.h"

#define TAU 6.283185307179586
#define BUMPS 3

typedef struct {
  double level[3];
  double slope_x, slope_y; /* per pixel */
  double opacity;
} Paint;

static Paint roll_paint(BtDice *dice, int colors, double size, double level) {
  Paint paint = {.opacity = bt_roll_between(dice, 0.6, 1.2)};
  paint.opacity = fmin(paint.opacity, 1.0);
  for (int c = 0; c < 3; c++) paint.level[c] = colors == 1 ? level : level + bt_roll_between(dice, -0.3, 0.3);
  /* Half of the shapes are flat. */
  const double slope = fmax(bt_roll_between(dice, -0.4, 0.4), 0.0) / size,
               toward = bt_roll_between(dice, 0.0, TAU);
  paint.slope_x = slope * cos(toward);
  paint.slope_y = slope * sin(toward);
  return paint;
}

static void draw(const BtShape *shape, const Paint *paint, BtImage *image) {
  size_t top, bottom, left, right;
  bt_shape_box_in(shape, image->height, image->width, &top, &bottom, &left, &right);
  for (size_t i = top; i < bottom; i++)
    for (size_t j = left; j < right; j++) {
      const double part = paint->opacity * bt_shape_cover(shape, (double)j, (double)i);
      if (part <= 0.0) continue;
      const double shade = paint->slope_x * ((double)j - shape->x) + paint->slope_y * ((double)i - shape->y);
      for (int c = 0; c < image->colors; c++) {
        double *pixel = bt_image_plane(image, c) + i * image->width + j;
        *pixel += part * (paint->level[c] + shade - *pixel);
      }
    }
}

/* A plane and some wide bumps. */
static void draw_ground(BtDice *dice, double size, BtImage *image) {
  double x[BUMPS], y[BUMPS], width[BUMPS], gain[3][BUMPS], level[3], slope_x, slope_y;
  const double gray = bt_roll_between(dice, 0.2, 0.8);
  for (int c = 0; c < 3; c++)
    level[c] = image->colors == 1 ? gray : gray + bt_roll_between(dice, -0.15, 0.15);
  slope_x = bt_roll_between(dice, -0.3, 0.3) / size;
  slope_y = bt_roll_between(dice, -0.3, 0.3) / size;
  for (int b = 0; b < BUMPS; b++) {
    x[b] = bt_roll(dice) * (double)image->width;
    y[b] = bt_roll(dice) * (double)image->height;
    width[b] = bt_roll_between(dice, 0.15, 0.5) * size;
    for (int c = 0; c < 3; c++) gain[c][b] = bt_roll_between(dice, -0.3, 0.3);
  }
  for (size_t i = 0; i < image->height; i++)
    for (size_t j = 0; j < image->width; j++) {
      const double plane = slope_x * ((double)j - 0.5 * (double)image->width) +
                           slope_y * ((double)i - 0.5 * (double)image->height);
      double bump[BUMPS];
      for (int b = 0; b < BUMPS; b++) {
        const double u = ((double)j - x[b]) / width[b], v = ((double)i - y[b]) / width[b];
        bump[b] = exp(-0.5 * (u * u + v * v));
      }
      for (int c = 0; c < image->colors; c++) {
        double value = level[c] + plane;
        for (int b = 0; b < BUMPS; b++) value += gain[c][b] * bump[b];
        bt_image_plane(image, c)[i * image->width + j] = value;
      }
    }
}

/* Parallel bars whose widths and gaps shrink to the right. */
static void draw_bars(BtDice *dice, double size, double level, BtImage *image) {
  const int count = 4 + bt_roll_index(dice, 5);
  const double angle = bt_roll_between(dice, 0.0, TAU), cosine = cos(angle), sine = sin(angle);
  const double length = bt_roll_between(dice, 0.06, 0.16) * size;
  double x = bt_roll(dice) * (double)image->width, y = bt_roll(dice) * (double)image->height;
  double width = bt_roll_between(dice, 0.008, 0.03) * size;
  Paint paint = roll_paint(dice, image->colors, size, level);
  paint.opacity = 1.0;
  for (int i = 0; i < count; i++, width *= 0.85) {
    const BtShape bar = bt_shape_box(x, y, width, length, angle);
    draw(&bar, &paint, image);
    x += 4.0 * width * cosine;
    y += 4.0 * width * sine;
  }
}

/* Stretches all planes alike so that values spread over [0.02, 0.98]. */
static void stretch(BtImage *image) {
  const size_t n = (size_t)image->colors * bt_image_plane_size(image);
  double lo = INFINITY, hi = -INFINITY;
  for (size_t p = 0; p < n; p++) lo = fmin(lo, image->pixels[p]), hi = fmax(hi, image->pixels[p]);
  if (!(hi > lo)) return;
  for (size_t p = 0; p < n; p++) image->pixels[p] = 0.02 + 0.96 * (image->pixels[p] - lo) / (hi - lo);
}

BtStatus bt_synth_phantom(BtContext *ctx, BtDice *dice, BtImage *image) {
  const double size = (double)(image->width > image->height ? image->width : image->height);
  const int count = 9 + bt_roll_index(dice, 6), groups = 2 + bt_roll_index(dice, 2);
  (void)ctx;
  draw_ground(dice, size, image);
  for (int i = 0; i < count; i++) {
    /* Large shapes first, so that small ones stay visible; levels cycle through [0,1] by the golden ratio. */
    const double a = size * bt_roll_between(dice, 0.25, 0.4) * pow(0.84, i),
                 b = a * bt_roll_between(dice, 0.3, 1.0);
    const double x = bt_roll(dice) * (double)image->width, y = bt_roll(dice) * (double)image->height;
    const double angle = bt_roll_between(dice, 0.0, TAU),
                 level = fmod(bt_roll(dice) * 0.2 + i * 0.6180339887, 1.0);
    const BtShape shape = bt_roll(dice) < 0.75 ? bt_shape_ellipse(x, y, a, b, angle)
                                               : bt_shape_box(x, y, 0.7 * a, 0.7 * b, angle);
    const Paint paint = roll_paint(dice, image->colors, size, level);
    draw(&shape, &paint, image);
  }
  for (int g = 0; g < groups; g++) draw_bars(dice, size, g % 2 ? 0.95 : 0.05, image);
  stretch(image);
  return BT_OK;
}

/* Digits drawn as strokes, each image with a shape, place, width, brightness and clutter of its own: as with
 * MNIST a small network gets most of them right and learns the rest of the training set by heart. */
#include <math.h>

#include "nn/data/data_internal.h"

enum { KIND = NN_DATA_DIGITS, CLASSES = 10, SIDE = 16, MOST_POINTS = 12 };

typedef struct {
  double x, y;
} Point;

/* One stroke through points of the unit square, y downwards; {0, 0} ends it. */
/* clang-format off */
static const Point glyphs[CLASSES][MOST_POINTS] = {
    {{.50, .10}, {.30, .22}, {.24, .50}, {.30, .78}, {.50, .90}, {.70, .78}, {.76, .50}, {.70, .22}, {.50, .10}},
    {{.32, .30}, {.55, .10}, {.55, .90}},
    {{.25, .30}, {.36, .13}, {.60, .10}, {.75, .26}, {.68, .46}, {.25, .90}, {.78, .90}},
    {{.25, .15}, {.55, .10}, {.72, .25}, {.62, .42}, {.42, .48}, {.66, .57}, {.75, .74}, {.56, .90}, {.24, .85}},
    {{.65, .90}, {.65, .10}, {.20, .62}, {.84, .62}},
    {{.75, .10}, {.32, .10}, {.28, .45}, {.55, .40}, {.75, .56}, {.71, .79}, {.50, .90}, {.25, .83}},
    {{.66, .10}, {.40, .30}, {.27, .60}, {.36, .85}, {.60, .89}, {.74, .70}, {.60, .52}, {.33, .60}},
    {{.22, .12}, {.78, .12}, {.42, .90}},
    {{.50, .47}, {.30, .30}, {.50, .10}, {.70, .30}, {.50, .47}, {.26, .69}, {.50, .90}, {.74, .69}, {.50, .47}},
    {{.67, .40}, {.50, .50}, {.31, .35}, {.40, .13}, {.62, .11}, {.70, .30}, {.66, .65}, {.48, .90}},
};
/* clang-format on */

/* Strokes of an image: the digit's, then the clutter's. */
typedef struct {
  Point from[MOST_POINTS], to[MOST_POINTS];
  double ink[MOST_POINTS];
  int count;
  double width;
} Strokes;

static void draw(NnDice *dice, size_t digit, Strokes *s) {
  const double angle = nn_dice_uniform(dice, -0.4, 0.4), shear = nn_dice_uniform(dice, -0.25, 0.25);
  const double wide = nn_dice_uniform(dice, 0.65, 1.05), high = nn_dice_uniform(dice, 0.7, 1.05);
  const double right = nn_dice_uniform(dice, -0.1, 0.1), down = nn_dice_uniform(dice, -0.08, 0.08);
  const double ink = nn_dice_uniform(dice, 0.55, 1);
  Point point[MOST_POINTS];
  int points = 0;
  for (const Point *p = glyphs[digit]; points < MOST_POINTS && (p->x > 0 || p->y > 0); p++, points++) {
    const double y = (p->y - 0.5) * high + 0.03 * nn_dice_normal(dice);
    const double x = (p->x - 0.5) * wide + shear * y + 0.03 * nn_dice_normal(dice);
    point[points] =
        (Point){0.5 + right + cos(angle) * x - sin(angle) * y, 0.5 + down + sin(angle) * x + cos(angle) * y};
  }
  s->width = nn_dice_uniform(dice, 0.03, 0.08);
  s->count = points;
  for (int i = 0; i + 1 < points; i++) s->from[i] = point[i], s->to[i] = point[i + 1], s->ink[i] = ink;
  const Point p = {nn_dice_uniform(dice, 0, 1), nn_dice_uniform(dice, 0, 1)};
  s->from[points - 1] = p;
  s->to[points - 1] = (Point){p.x + nn_dice_uniform(dice, -0.2, 0.2), p.y + nn_dice_uniform(dice, -0.2, 0.2)};
  s->ink[points - 1] = nn_dice_uniform(dice, 0, 0.8);
}

static double distance(Point p, Point a, Point b) {
  const double x = b.x - a.x, y = b.y - a.y, length = x * x + y * y;
  const double t = length > 0 ? fmin(fmax(((p.x - a.x) * x + (p.y - a.y) * y) / length, 0), 1) : 0;
  return hypot(p.x - a.x - t * x, p.y - a.y - t * y);
}

/* Full ink inside of the stroke, falling to nothing over the width of a pixel. */
static double coverage(const Strokes *s, Point p, double pixel) {
  double most = 0;
  for (int i = 0; i < s->count; i++) {
    const double inside = (s->width - distance(p, s->from[i], s->to[i])) / pixel + 0.5;
    most = fmax(most, s->ink[i] * fmin(fmax(inside, 0), 1));
  }
  return most;
}

static BtStatus digits_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  const size_t side = options->size ? (size_t)options->size : SIDE;
  const size_t trained = (size_t)options->count, tested = (size_t)options->test_count;
  const double noise = isnan(options->noise) ? 0.15 : options->noise, pixel = 1 / (double)side;
  NnBytes *b;
  const BtStatus st = nn_bytes_create(ctx, "digits", trained + tested, NN_SHAPE(1, side, side), data, &b);
  if (st < 0) return st;
  for (size_t i = 0; i < trained + tested; i++) {
    if (bt_stop_requested(ctx)) return BT_STOPPED;
    NnDice dice = nn_dice(options->seed, KIND, i);
    Strokes strokes;
    b->label[i] = (uint8_t)nn_dice_below(&dice, CLASSES);
    draw(&dice, b->label[i], &strokes);
    for (size_t k = 0; k < b->size; k++) {
      const Point p = {((double)(k % side) + 0.5) * pixel, ((double)(k / side) + 0.5) * pixel};
      b->pixel[i * b->size + k] = nn_byte(coverage(&strokes, p, pixel) + noise * nn_dice_normal(&dice));
    }
  }
  return nn_bytes_finish(ctx, options, trained, tested, CLASSES, data);
}

const NnDataOps nn_data_digits = {digits_open, nn_bytes_example, nn_bytes_close};

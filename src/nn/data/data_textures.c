/* Coloured textures: a class is a wave of its own length and direction, on its own or crossed with a second;
 * colours, phases and contrast differ from image to image and tell nothing. */
#include <math.h>

#include "nn/data/data_internal.h"

enum { KIND = NN_DATA_TEXTURES, CLASSES = 8, SIDE = 16 };

typedef struct {
  double length, angle; /* pixels; radians, spread over half a turn */
  int crossed;          /* with a second wave at a right angle      */
} Wave;

/* Classes 0 … 7: two lengths, two directions, crossed or not. */
static Wave wave_of(size_t class, NnDice *dice) {
  const double length = class & 1 ? 5.5 : 3.8, direction = class & 2 ? 1.15 : 0.35;
  return (Wave){length * exp(0.08 * nn_dice_normal(dice)), direction + 0.14 * nn_dice_normal(dice),
                class & 4 ? 1 : 0};
}

static void paint(NnDice *dice, size_t class, size_t side, double noise, uint8_t *pixel) {
  const Wave w = wave_of(class, dice);
  const double turn = 6.283185307179586, phase = nn_dice_uniform(dice, 0, turn),
               other = nn_dice_uniform(dice, 0, turn);
  const double weight = w.crossed ? 0.7 : 1, amplitude = nn_dice_uniform(dice, 0.15, 0.4);
  double ground[3], ink[3];
  for (int c = 0; c < 3; c++)
    ground[c] = nn_dice_uniform(dice, 0.25, 0.75), ink[c] = nn_dice_uniform(dice, -1, 1);
  const double x = turn * cos(w.angle) / w.length, y = turn * sin(w.angle) / w.length;
  for (size_t c = 0; c < 3; c++)
    for (size_t p = 0; p < side * side; p++) {
      const double j = (double)(p % side), i = (double)(p / side);
      const double wave =
          weight * sin(x * j + y * i + phase) + w.crossed * weight * sin(y * j - x * i + other);
      pixel[c * side * side + p] =
          nn_byte(ground[c] + amplitude * ink[c] * wave + noise * nn_dice_normal(dice));
    }
}

static BtStatus textures_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  const size_t side = options->size ? (size_t)options->size : SIDE;
  const size_t trained = (size_t)options->count, tested = (size_t)options->test_count;
  NnBytes *b;
  const BtStatus st = nn_bytes_create(ctx, "textures", trained + tested, NN_SHAPE(3, side, side), data, &b);
  if (st < 0) return st;
  for (size_t i = 0; i < trained + tested; i++) {
    if (bt_stop_requested(ctx)) return BT_STOPPED;
    NnDice dice = nn_dice(options->seed, KIND, i);
    b->label[i] = (uint8_t)nn_dice_below(&dice, CLASSES);
    paint(&dice, b->label[i], side, isnan(options->noise) ? 0.15 : options->noise, b->pixel + i * b->size);
  }
  return nn_bytes_finish(ctx, options, trained, tested, CLASSES, data);
}

const NnDataOps nn_data_textures = {textures_open, nn_bytes_example, nn_bytes_close};

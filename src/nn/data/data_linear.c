/* Linear regression whose coefficients are known: y = ⟨a, x⟩ + noise, x ~ N(0, I). */
#include <math.h>

#include "nn/data/data_internal.h"

enum { FEATURES = 20, KIND = NN_DATA_LINEAR, COEFFICIENTS = 0, FIRST_ROW = 1 };

double nn_linear_coefficient(int64_t seed, size_t features, size_t j) {
  NnDice dice = nn_dice(seed, KIND, COEFFICIENTS);
  dice.next = j;
  return 2 * j < features ? nn_dice_normal(&dice) : 0;
}

static BtStatus linear_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  const size_t features = options->size ? (size_t)options->size : FEATURES;
  const size_t trained = (size_t)options->count, tested = (size_t)options->test_count;
  const double noise = isnan(options->noise) ? 1 : options->noise;
  NnNumbers *t;
  BtStatus st = nn_numbers_create(ctx, "linear data", trained + tested, features, data, &t);
  if (st < 0) return st;
  for (size_t i = 0; i < trained + tested; i++) {
    if (bt_stop_requested(ctx)) return BT_STOPPED;
    NnDice dice = nn_dice(options->seed, KIND, FIRST_ROW + i);
    t->label[i] = noise * nn_dice_normal(&dice);
    for (size_t j = 0; j < features; j++) {
      const double x = t->x[i * features + j] = nn_dice_normal(&dice);
      t->label[i] += nn_linear_coefficient(options->seed, features, j) * x;
    }
  }
  return nn_numbers_finish(ctx, options, trained, tested, 0, data);
}

const NnDataOps nn_data_linear = {linear_open, nn_numbers_example, nn_numbers_close};

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/dataset.h"
#include "core/rng.h"
#include "nn/data/data_internal.h"

const BtOption nn_data_options[] = {
    BT_OPT_CHOICE_OF("data-kind", NnDataOptions, kind, NN_DATA_MNIST, NN_DATA_CHOICES, "KIND",
                     "kind of data: " NN_DATA_CHOICES),
    BT_OPT_TEXT("data", 0, NnDataOptions, path, NULL, "DIR", "folder or file of the data"),
    BT_OPT_TEXT("test-data", 0, NnDataOptions, test_path, NULL, "FILE", "file of test rows"),
    BT_OPT_INT("data-seed", NnDataOptions, seed, 1, BT_NONNEGATIVE, "S",
               "seed of the split and of generated data"),
    BT_OPT_REAL("valid-share", NnDataOptions, valid_share, 0.2, BT_WITHIN(0, 0.9), "X",
                "share of the training rows held out for validation"),
    BT_OPT_CHOICE("held-out", NnDataOptions, held_out, NN_HELD_DRAWN, NN_HELD_OUT_CHOICES,
                  "which rows are held out: drawn by the seed, or the last ones"),
    BT_OPT_INT("train-limit", NnDataOptions, train_limit, 0, BT_NONNEGATIVE, "N",
               "training rows used at most; 0: all"),
    BT_OPT_INT("valid-limit", NnDataOptions, valid_limit, 0, BT_NONNEGATIVE, "N",
               "validation rows used at most; 0: all"),
    BT_OPT_INT("test-limit", NnDataOptions, test_limit, 0, BT_NONNEGATIVE, "N",
               "test rows used at most; 0: all"),
    BT_OPT_CHOICE("normalise", NnDataOptions, normalise, NN_UNIT, NN_NORMALISE_CHOICES,
                  "numbers as they are (bytes in [0,1]), or of mean 0 and deviation 1"),
    BT_OPT_INT("length", NnDataOptions, length, 70, BT_WITHIN(1, 65536), "T", "tokens of one row of text"),
    BT_OPT_INT("fold", NnDataOptions, fold, -1, BT_WITHIN(-1, 999), "K",
               "split of a UCI set; -1: held out by seed"),
    BT_OPT_INT("count", NnDataOptions, count, 2000, BT_WITHIN(2, 1e8), "N",
               "rows or tokens of generated data for training and validation"),
    BT_OPT_INT("test-count", NnDataOptions, test_count, 1000, BT_WITHIN(0, 1e8), "N",
               "rows or tokens of generated data for testing"),
    BT_OPT_INT("size", NnDataOptions, size, 0, BT_WITHIN(0, 512), "N",
               "side of generated images, number of generated features; 0: the usual one"),
    BT_OPT_REAL("noise", NnDataOptions, noise, NAN, BT_NONNEGATIVE, "X",
                "deviation of the noise of generated data and patches"),
    BT_OPT_INT("patch", NnDataOptions, patch, 40, BT_WITHIN(1, 4096), "N", "side of a patch, pixels"),
    BT_OPT_INT("patches", NnDataOptions, patches, 32, BT_WITHIN(1, 1e6), "N",
               "patches from each image in an epoch"),
    BT_OPT_END};

static const NnDataOps *const kinds[] = {
    [NN_DATA_MNIST] = &nn_data_mnist,   [NN_DATA_CIFAR10] = &nn_data_cifar10,
    [NN_DATA_TEXT] = &nn_data_text,     [NN_DATA_IMAGES] = &nn_data_images,
    [NN_DATA_TABLE] = &nn_data_table,   [NN_DATA_CLASSES] = &nn_data_classes,
    [NN_DATA_DIGITS] = &nn_data_digits, [NN_DATA_TEXTURES] = &nn_data_textures,
    [NN_DATA_TOKENS] = &nn_data_tokens, [NN_DATA_LINEAR] = &nn_data_linear,
};
#define KINDS (sizeof kinds / sizeof *kinds)

const char *nn_split_name(NnSplit split) {
  return split == NN_TRAIN ? "train" : split == NN_VALID ? "valid" : "test";
}

/* The domains of the table; a number that may be unset is NAN. */
static BtStatus check_options(BtContext *ctx, const NnDataOptions *options) {
  for (const BtOption *o = nn_data_options; o->kind != BT_OPT_KIND_END; o++) {
    const char *field = (const char *)options + o->offset;
    if (o->kind != BT_OPT_KIND_REAL && o->kind != BT_OPT_KIND_INT) continue;
    const double x = o->kind == BT_OPT_KIND_REAL ? *(const double *)field : (double)*(const int64_t *)field;
    if (!(x >= o->lo && x <= o->hi) && !(isnan(x) && isnan(o->initial)))
      return bt_fail(ctx, BT_ERR_ARG, "%s = %g: must be in [%g, %g]", o->name, x, o->lo, o->hi);
  }
  if (options->normalise != NN_UNIT && options->normalise != NN_STANDARD)
    return bt_fail(ctx, BT_ERR_ARG, "no such normalisation: %d", options->normalise);
  if (options->held_out != NN_HELD_DRAWN && options->held_out != NN_HELD_LAST)
    return bt_fail(ctx, BT_ERR_ARG, "no such choice of rows to hold out: %d", options->held_out);
  if (options->kind < 0 || (size_t)options->kind >= KINDS)
    return bt_fail(ctx, BT_ERR_ARG, "no such kind of data: %d", options->kind);
  return BT_OK;
}

int nn_data_foresee(const NnDataOptions *options, NnDataInfo *info) {
  const int tokens = options->kind == NN_DATA_TOKENS;
  const size_t trained = (size_t)options->count, tested = (size_t)options->test_count;
  *info = (NnDataInfo){.text = tokens, .label_deviation = 1};
  if (options->kind < NN_DATA_DIGITS) return 0;
  const size_t held = tokens ? nn_tokens_held(options) : nn_data_held(options, trained);
  const size_t count[NN_SPLITS] = {held < trained ? trained - held : 0, held, tested};
  for (int s = 0; s < NN_SPLITS; s++) info->rows[s] = nn_data_limited(options, s, count[s]);
  info->x = info->label = NN_SHAPE(tokens ? (size_t)options->length : 1);
  return 1;
}

BtStatus nn_data_open(BtContext *ctx, const NnDataOptions *options, NnData **out) {
  *out = NULL;
  BtStatus st = check_options(ctx, options);
  if (st < 0) return st;
  NnData *data = calloc(1, sizeof *data);
  if (!data) return bt_fail_memory(ctx, "data", sizeof *data);
  data->ops = kinds[options->kind];
  data->info.label_deviation = 1;
  st = data->ops->open(ctx, options, data);
  if (st != BT_OK) {
    nn_data_close(data);
    return st;
  }
  *out = data;
  return st;
}

void nn_data_close(NnData *data) {
  if (!data) return;
  if (data->store) data->ops->close(data);
  free(data->mean);
  free(data->deviation);
  free(data);
}

const NnDataInfo *nn_data_info(const NnData *data) { return &data->info; }

BtStatus nn_data_fits(BtContext *ctx, const char *what, double bytes) {
  const double physical = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  return bytes <= physical ? BT_OK : bt_fail_memory(ctx, what, bytes);
}

BtStatus nn_data_channels(BtContext *ctx, size_t channels, NnData *data) {
  data->mean = calloc(channels, sizeof *data->mean);
  data->deviation = calloc(channels, sizeof *data->deviation);
  if (!data->mean || !data->deviation)
    return bt_fail_memory(ctx, "data", 2.0 * (double)channels * sizeof *data->mean);
  data->info.channels = channels;
  data->info.mean = data->mean;
  data->info.deviation = data->deviation;
  return BT_OK;
}

double nn_dice_uniform(NnDice *dice, double low, double high) {
  return low + (high - low) * bt_rng_uniform(dice->seed, dice->stream, dice->next++);
}

double nn_dice_normal(NnDice *dice) { return bt_rng_normal(dice->seed, dice->stream, dice->next++); }

size_t nn_dice_below(NnDice *dice, size_t n) {
  const size_t k = (size_t)nn_dice_uniform(dice, 0, (double)n);
  return k < n ? k : n - 1;
}

uint8_t nn_byte(double x) { return (uint8_t)lround(255 * fmin(fmax(x, 0), 1)); }

size_t nn_data_limited(const NnDataOptions *options, int split, size_t count) {
  const int64_t limit[NN_SPLITS] = {options->train_limit, options->valid_limit, options->test_limit};
  return limit[split] > 0 && (size_t)limit[split] < count ? (size_t)limit[split] : count;
}

size_t nn_data_held(const NnDataOptions *options, size_t trained) {
  const size_t held = (size_t)lround(options->valid_share * (double)trained);
  return options->valid_share > 0 && held == 0 ? 1 : held;
}

BtStatus nn_data_split(BtContext *ctx, const NnDataOptions *options, size_t trained, size_t tested,
                       size_t *row[NN_SPLITS], size_t rows[NN_SPLITS]) {
  const size_t held = nn_data_held(options, trained);
  if (trained == 0 || held >= trained)
    return bt_fail(ctx, BT_ERR_ARG, "%s: %zu training rows are too few for a \"valid_share\" of %g",
                   options->path ? options->path : "generated data", trained, options->valid_share);
  size_t *order = malloc(trained * sizeof *order);
  if (!order) return bt_fail_memory(ctx, "data", (double)(trained * sizeof *order));
  const int last = options->held_out == NN_HELD_LAST;
  if (last)
    for (size_t i = 0; i < trained; i++) order[i] = i;
  else
    bt_shuffle((uint64_t)options->seed, trained, order);
  const size_t first[NN_SPLITS] = {last ? 0 : held, last ? trained - held : 0, 0},
               count[NN_SPLITS] = {trained - held, held, tested};
  BtStatus st = BT_OK;
  for (int s = 0; s < NN_SPLITS; s++) {
    rows[s] = nn_data_limited(options, s, count[s]);
    row[s] = malloc((rows[s] + 1) * sizeof *row[s]);
    if (!row[s]) {
      st = bt_fail_memory(ctx, "data", (double)(rows[s] * sizeof *row[s]));
      break;
    }
    for (size_t i = 0; i < rows[s]; i++) row[s][i] = s == NN_TEST ? trained + i : order[first[s] + i];
  }
  free(order);
  return st;
}

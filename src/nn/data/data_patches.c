/* Patches of images with white noise added, and the same without: what a denoiser learns from. Patch,
 * symmetry and noise are drawn anew in each epoch of training; evaluation sees the same in every epoch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/data/data_internal.h"
#include "nn/draw_internal.h"

enum { KIND = NN_DATA_IMAGES, SYMMETRIES = 8 };

typedef struct {
  size_t side, patches, count;
  double noise;
  NnPicture *picture;     /* [count], pixels owned */
  size_t *row[NN_SPLITS]; /* pictures of the splits */
} Patches;

static BtStatus copy(BtContext *ctx, const NnPicture *from, size_t number, size_t side, size_t channels,
                     NnPicture *to) {
  const size_t count = from->channels * from->height * from->width;
  if (from->channels != channels || from->height < side || from->width < side)
    return bt_fail(ctx, BT_ERR_ARG,
                   "%s (image %zu): %zu x %zu pixels in %zu channels; patches of %zu x %zu in %zu "
                   "channels are wanted; set a smaller \"patch\" or leave it out",
                   from->name ? from->name : "data", number, from->width, from->height, from->channels, side,
                   side, channels);
  float *pixels = malloc(count * sizeof *pixels);
  if (!pixels) return bt_fail_memory(ctx, "images", (double)count * sizeof *pixels);
  memcpy(pixels, from->pixels, count * sizeof *pixels);
  *to = *from;
  to->pixels = pixels;
  to->name = NULL;
  return BT_OK;
}

static void statistics(NnData *data) {
  const Patches *d = data->store;
  for (size_t c = 0; c < data->info.channels; c++) {
    double sum = 0, squares = 0, n = 0;
    for (size_t i = 0; i < data->info.rows[NN_TRAIN]; i++) {
      const NnPicture *p = &d->picture[d->row[NN_TRAIN][i]];
      const size_t plane = p->height * p->width;
      for (size_t k = 0; k < plane; k++) {
        const double v = (double)p->pixels[c * plane + k];
        sum += v, squares += v * v;
      }
      n += (double)plane;
    }
    data->mean[c] = sum / n;
    const double variance = squares / n - data->mean[c] * data->mean[c];
    data->deviation[c] = variance > 0 ? sqrt(variance) : 1;
  }
}

static BtStatus patches_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  const size_t trained = options->image_count, tested = options->test_image_count;
  if (!options->images || trained == 0) return bt_fail(ctx, BT_ERR_ARG, "data: no images to learn from");
  Patches *d = data->store = calloc(1, sizeof *d);
  if (!d) return bt_fail_memory(ctx, "images", sizeof *d);
  const size_t side = d->side = (size_t)options->patch, channels = options->images[0].channels;
  d->patches = (size_t)options->patches;
  d->noise = isnan(options->noise) ? 25.0 / 255 : options->noise;
  d->picture = calloc(trained + tested, sizeof *d->picture);
  if (!d->picture) return bt_fail_memory(ctx, "images", (double)(trained + tested) * sizeof *d->picture);
  BtStatus st = channels ? nn_data_channels(ctx, channels, data)
                         : bt_fail(ctx, BT_ERR_ARG, "data: images without channels");
  for (; st >= 0 && d->count < trained + tested; d->count += st >= 0) {
    if (bt_stop_requested(ctx)) return BT_STOPPED;
    const NnPicture *from =
        d->count < trained ? &options->images[d->count] : &options->test_images[d->count - trained];
    st = copy(ctx, from, d->count + 1, side, channels, &d->picture[d->count]);
  }
  NnDataOptions unlimited = *options;
  unlimited.train_limit = unlimited.valid_limit = unlimited.test_limit = 0;
  if (st >= 0) st = nn_data_split(ctx, &unlimited, trained, tested, d->row, data->info.rows);
  if (st < 0) return st;
  statistics(data);
  data->info.x = data->info.label = NN_SHAPE(channels, side, side);
  for (int s = 0; s < NN_SPLITS; s++)
    data->info.rows[s] = nn_data_limited(options, s, data->info.rows[s] * d->patches);
  return BT_OK;
}

/* Place of pixel (i, j) of a patch under one of the symmetries of the square. */
static size_t turned(size_t symmetry, size_t side, size_t width, size_t i, size_t j) {
  const size_t a = symmetry & 1 ? side - 1 - i : i, b = symmetry & 2 ? side - 1 - j : j;
  return symmetry & 4 ? b * width + a : a * width + b;
}

static void patches_example(const NnData *data, const NnExample *e, NnReal *x, NnReal *label) {
  const Patches *d = data->store;
  const NnPicture *p = &d->picture[d->row[e->split][e->row / d->patches]];
  NnDice dice = nn_dice((int64_t)e->seed, KIND, (size_t)e->split << 32 | e->row);
  dice.next = e->epoch << 8;
  const size_t top = nn_dice_below(&dice, p->height - d->side + 1),
               left = nn_dice_below(&dice, p->width - d->side + 1);
  const size_t symmetry = e->epoch ? nn_dice_below(&dice, SYMMETRIES) : 0;
  const size_t side = d->side, size = p->channels * side * side;
  for (size_t c = 0; c < p->channels; c++)
    for (size_t i = 0; i < side; i++)
      for (size_t j = 0; j < side; j++)
        *label++ =
            (NnReal)
                p->pixels[(c * p->height + top) * p->width + left + turned(symmetry, side, p->width, i, j)];
  label -= size;
  const NnKey key = {.seed = e->seed, .step = e->epoch, .stream = (uint32_t)KIND << 8 | (uint32_t)e->split};
  const uint64_t first = (uint64_t)e->row * ((size + 3) / 4);
  for (size_t k = 0; k < size; k += 4) {
    const NnWords w = nn_draw(key, first + k / 4);
    for (size_t i = 0; i < 4 && k + i < size; i++)
      x[k + i] = label[k + i] + (NnReal)d->noise * nn_normal_of(&w, (int)i);
  }
}

static void patches_close(NnData *data) {
  Patches *d = data->store;
  for (size_t i = 0; i < d->count; i++) free((float *)d->picture[i].pixels);
  for (int s = 0; s < NN_SPLITS; s++) free(d->row[s]);
  free(d->picture);
  free(d);
}

const NnDataOps nn_data_images = {patches_open, patches_example, patches_close};

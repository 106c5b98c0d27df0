#include "learn/training_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "imageio/file.h"
#include "images/outputs.h"

typedef struct {
  size_t file, page;
} Item;

typedef struct {
  const BtTrainingSpec *spec;
  const BtImageSet *files;
  Item *items; /* [set->count] */
  BtTrainingSet *set;
} Loader;

void bt_training_set_drop_pixels(BtTrainingSet *set, size_t i) {
  free(set->truth[i]);
  free((double *)set->noisy[i].noisy);
  set->truth[i] = NULL;
  set->noisy[i].noisy = NULL;
}

void bt_training_set_clear(BtTrainingSet *set) {
  for (size_t i = 0; i < set->count; i++) {
    if (set->noisy && set->truth) bt_training_set_drop_pixels(set, i);
    if (set->names) free(set->names[i]);
  }
  free(set->names);
  free(set->noisy);
  free(set->truth);
  memset(set, 0, sizeof *set);
}

/* A file that cannot be opened keeps one item, whose loading reports it. */
static size_t pages_of(const char *path, double white) {
  BtImageReader *reader = NULL;
  if (bt_image_open(NULL, path, white, &reader) < 0) return 1;
  const size_t pages = bt_image_pages(reader);
  bt_image_close(reader);
  return pages;
}

static char *item_name(const char *path, size_t page, size_t pages) {
  const char *base = bt_path_base(path);
  const size_t size = strlen(base) + 24;
  char *name = malloc(size);
  if (name && pages > 1)
    snprintf(name, size, "%s#%zu", base, page + 1);
  else if (name)
    snprintf(name, size, "%s", base);
  return name;
}

/* One item for each page until the limit. */
static BtStatus list_items(BtContext *ctx, Loader *loader) {
  BtTrainingSet *set = loader->set;
  const size_t limit = loader->spec->limit ? loader->spec->limit : (size_t)-1;
  size_t room = 0;
  for (size_t f = 0; f < loader->files->count && set->count < limit; f++) {
    const size_t pages = pages_of(loader->files->paths[f], loader->spec->white);
    for (size_t page = 0; page < pages && set->count < limit; page++) {
      if (set->count == room) {
        room = room ? 2 * room : 64;
        Item *items = realloc(loader->items, room * sizeof *items);
        if (items) loader->items = items;
        char **names = realloc(set->names, room * sizeof *names);
        if (names) set->names = names;
        if (!items || !names) return bt_fail_memory(ctx, "a list of images", (double)room * 24);
      }
      set->names[set->count] = item_name(loader->files->paths[f], page, pages);
      if (!set->names[set->count]) return bt_fail_memory(ctx, "a list of images", 64);
      loader->items[set->count++] = (Item){f, page};
    }
  }
  set->noisy = calloc(set->count, sizeof *set->noisy);
  set->truth = calloc(set->count, sizeof *set->truth);
  if (!set->noisy || !set->truth) return bt_fail_memory(ctx, "a list of images", (double)set->count * 32);
  return BT_OK;
}

static BtStatus load_item(void *user, BtApp *app, size_t i) {
  Loader *loader = user;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  const BtTrainingSpec *spec = loader->spec;
  const Item item = loader->items[i];
  BtImageReader *reader = NULL;
  BtImage clean = {0}, noisy = {0};
  bt_training_set_drop_pixels(loader->set, i);
  BT_TRY(bt_image_open(ctx, loader->files->paths[item.file], spec->white, &reader));
  BT_TRY(bt_image_read_page(ctx, reader, item.page, &clean));
  BT_TRY(bt_image_to_gray(ctx, &clean));
  if (spec->crop_height) BT_TRY(bt_image_crop(ctx, &clean, spec->crop_height, spec->crop_width));
  for (size_t k = 0; k < bt_image_plane_size(&clean); k++)
    if (!(fabs(clean.pixels[k]) <= 1e9))
      BT_TRY(bt_fail(ctx, BT_ERR_ARG, "%s: a pixel is %g times white; give --white V", loader->set->names[i],
                     clean.pixels[k]));
  BT_TRY(bt_image_copy(ctx, &clean, &noisy));
  if (spec->sigma > 0)
    bt_image_add_noise(&noisy, spec->sigma, (unsigned long long)spec->seed,
                       bt_noise_stream(item.file, item.page));
  loader->set->truth[i] = clean.pixels;
  loader->set->noisy[i] = (BtNoisyImage){{clean.height, clean.width}, noisy.pixels};
  clean.pixels = noisy.pixels = NULL;
done:
  bt_image_clear(&clean);
  bt_image_clear(&noisy);
  bt_image_close(reader);
  return st;
}

/* Takes the failed items out; the rest keep their order. */
static void drop(Loader *loader, const unsigned char *failed) {
  BtTrainingSet *set = loader->set;
  size_t kept = 0;
  for (size_t i = 0; i < set->count; i++) {
    bt_training_set_drop_pixels(set, i);
    if (failed[i]) {
      free(set->names[i]);
    } else {
      loader->items[kept] = loader->items[i];
      set->names[kept++] = set->names[i];
    }
  }
  set->count = kept;
}

static double text_sum(const char *text) {
  double sum = 0;
  for (int k = 1; *text; text++, k++) sum += (unsigned char)*text * k;
  return sum;
}

/* Shapes become common knowledge; the fingerprint is a sum in image order. */
static BtStatus share_shapes(BtApp *app, BtTrainingSet *set) {
  BtStatus st = BT_OK;
  double *rows = calloc(3 * set->count, sizeof *rows);
  if (!rows) st = bt_fail_memory(&app->ctx, "image sizes", (double)set->count * 24);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st < 0 || st == BT_STOPPED) goto done;
  for (size_t i = 0; i < set->count; i++) {
    if (!bt_team_owns(&app->team, i)) continue;
    const BtShape shape = set->noisy[i].shape;
    rows[3 * i] = (double)shape.height;
    rows[3 * i + 1] = (double)shape.width;
    for (size_t k = 0; k < bt_shape_size(shape); k++)
      rows[3 * i + 2] += set->noisy[i].noisy[k] * (double)(k % 251 + 1);
  }
  BT_TRY(app->team.sum(&app->team, &app->ctx, rows, 3 * set->count));
  for (size_t i = 0; i < set->count; i++) {
    set->noisy[i].shape = (BtShape){(size_t)rows[3 * i], (size_t)rows[3 * i + 1]};
    set->fingerprint +=
        (double)(i + 1) * (text_sum(set->names[i]) + rows[3 * i] + 3 * rows[3 * i + 1] + rows[3 * i + 2]);
  }
done:
  free(rows);
  return st;
}

static BtStatus load_all(BtApp *app, Loader *loader) {
  BtTrainingSet *set = loader->set;
  BtStatus st = BT_OK;
  unsigned char *failed = calloc(set->count, 1);
  if (!failed) st = bt_fail_memory(&app->ctx, "a list of images", (double)set->count);
  st = bt_team_agree(&app->team, &app->ctx, st);
  while (st >= 0 && st != BT_STOPPED) {
    st = bt_app_each(app, "images read", (const char *const *)set->names, set->count, load_item, loader,
                     failed);
    if (st < 0 || st == BT_STOPPED) break;
    const size_t before = set->count;
    int any = 0;
    for (size_t i = 0; i < before; i++) any |= failed[i];
    if (!any) break;
    /* Items are dealt by number, so the remaining ones are read anew by their new owners. */
    drop(loader, failed);
    if (set->count == 0)
      st = bt_fail(&app->ctx, BT_ERR_ARG, "%s: no image could be read", loader->spec->folder);
  }
  free(failed);
  return st;
}

BtStatus bt_training_set_load(BtApp *app, const BtTrainingSpec *spec, BtTrainingSet *set) {
  BtImageSet files = {0};
  Loader loader = {.spec = spec, .files = &files, .set = set};
  BtStatus st = BT_OK;
  memset(set, 0, sizeof *set);
  st = bt_image_set_list(&app->ctx, &spec->folder, 1, &files);
  if (st >= 0) st = list_items(&app->ctx, &loader);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st >= 0 && st != BT_STOPPED) st = load_all(app, &loader);
  if (st >= 0 && st != BT_STOPPED) st = share_shapes(app, set);
  free(loader.items);
  bt_image_set_clear(&files);
  return st;
}

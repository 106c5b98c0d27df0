#include "imageio/synth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"
#include "imageio/file.h"
#include "images/size.h"
#include "program/app.h"

typedef struct {
  int kind, color, format;
  const char *size, *output;
  int64_t count, pages, seed;
} Synth;

#define KINDS "leaves|phantom"
#define FORMATS "png|tif"
enum { PNG, TIF };

static const BtOption options[] = {
    BT_OPT_CHOICE("kind", Synth, kind, 0, KINDS, "what to draw"),
    BT_OPT_TEXT("size", 0, Synth, size, "256x256", "HxW", "height and width in pixels"),
    BT_OPT_INT("count", Synth, count, 1, BT_WITHIN(1, 1000000), "N", "number of images"),
    BT_OPT_INT("pages", Synth, pages, 1, BT_WITHIN(1, 100000), "N", "pages of each image, a stack in --format tif"),
    BT_OPT_FLAG("color", Synth, color, "draw in colour instead of gray"),
    BT_OPT_INT("seed", Synth, seed, 1, BT_NONNEGATIVE, "N", "seed of the generator"),
    BT_OPT_TEXT("output", 'o', Synth, output, NULL, "DIR", "folder to write to, made if missing"),
    BT_OPT_CHOICE("format", Synth, format, 0, FORMATS, "file format"),
    BT_OPT_END};

typedef struct {
  const Synth *synth;
  size_t height, width;
  char **paths; /* [synth->count] */
} Job;

static size_t synth_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

static BtStatus synth_check(BtApp *app, const void *settings) {
  const Synth *synth = settings;
  size_t height, width;
  BtStatus st = BT_OK;
  BT_TRY(bt_app_require(app, synth->output != NULL, "output"));
  BT_TRY(bt_parse_size(&app->ctx, "size", synth->size, &height, &width));
  if (synth->pages > 1 && synth->format != TIF) st = bt_fail(&app->ctx, BT_ERR_ARG, "--pages needs --format tif");
done:
  return st;
}

static size_t synth_items(BtApp *app, const void *settings) {
  (void)app;
  return (size_t)((const Synth *)settings)->count;
}

static BtStatus synth_image(void *user, BtApp *app, size_t i) {
  const Job *job = user;
  const Synth *s = job->synth;
  const size_t pages = (size_t)s->pages;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtImage image = {0};
  BtImageWriter *writer = NULL;
  BT_TRY(bt_image_create_file(ctx, job->paths[i], pages, NULL, &writer));
  for (size_t page = 0; page < pages; page++) {
    bt_image_clear(&image);
    BT_TRY(bt_synth(ctx, s->kind == 0 ? BT_SYNTH_LEAVES : BT_SYNTH_PHANTOM, job->width, job->height, s->color ? 3 : 1,
                    (unsigned long long)s->seed, i * pages + page, &image));
    BT_TRY(bt_image_write_page(ctx, writer, &image));
  }
  st = bt_image_commit(ctx, writer);
  writer = NULL;
done:
  bt_image_abandon(writer);
  bt_image_clear(&image);
  return st;
}

/* DIR/leaves-007.png, with as many digits as the last number has, at least three. */
static BtStatus name_files(BtContext *ctx, Job *job) {
  const Synth *s = job->synth;
  char kind[16], extension[8], name[64];
  const int digits = snprintf(NULL, 0, "%lld", (long long)s->count - 1);
  bt_choice_name(KINDS, s->kind, kind, sizeof kind);
  bt_choice_name(FORMATS, s->format, extension, sizeof extension);
  job->paths = calloc((size_t)s->count, sizeof *job->paths);
  if (!job->paths) return bt_fail_memory(ctx, "file names", (double)s->count * sizeof *job->paths);
  for (int64_t i = 0; i < s->count; i++) {
    snprintf(name, sizeof name, "%s-%0*lld.%s", kind, digits < 3 ? 3 : digits, (long long)i, extension);
    job->paths[i] = bt_path_join(s->output, name);
    if (!job->paths[i]) return bt_fail_memory(ctx, "file names", sizeof name);
  }
  return BT_OK;
}

static BtStatus synth_run(BtApp *app, void *settings) {
  Job job = {.synth = settings};
  const size_t count = (size_t)job.synth->count;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_parse_size(ctx, "size", job.synth->size, &job.height, &job.width));
  BT_TRY(name_files(ctx, &job));
  BT_TRY(bt_make_folder(ctx, job.synth->output));
done:
  st = bt_team_agree(&app->team, ctx, st);
  if (st == BT_OK)
    st = bt_app_each(app, "images", (const char *const *)job.paths, count, synth_image, &job, NULL);
  if (st >= 0) {
    bt_app_print(app, "%zu of %zu images written to %s\n", app->done, count, job.synth->output);
    bt_app_put_int(app, "images", (int64_t)app->done);
    bt_app_put(app, "settings", bt_app_settings_json(app));
    bt_app_put_real(app, "seconds", bt_app_seconds(app));
  }
  for (size_t i = 0; job.paths && i < count; i++) free(job.paths[i]);
  free(job.paths);
  return st;
}

const BtCommand bt_cmd_synth = {
    .name = "synth",
    .group = BT_GROUP_IMAGES,
    .summary = "make synthetic images",
    .usage = "-o DIR [options]",
    .help =
        "\"leaves\" are dead leaves: textured discs, ellipses and polygons of power-law sizes that occlude "
        "each other, whose statistics resemble those of photographs (Lee, Mumford and Huang 2001). "
        "\"phantom\" are ellipses and bars on a smooth ground.\n\n"
        "An image depends on the seed and its number alone, so a larger --count adds images and keeps the "
        "first. Pages of a stack are numbered through.",
    .examples = {{"bitune synth --size 128x128 --count 10 --seed 1 -o train",
                  "Ten gray images to learn from"},
                 {"bitune synth --kind phantom --color --format tif -o phantoms",
                  "A colour phantom as TIFF"}},
    .flags = BT_USES_TEAM,
    .settings_size = sizeof(Synth),
    .options = synth_options,
    .check = synth_check,
    .items = synth_items,
    .run = synth_run,
};

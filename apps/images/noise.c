#include <math.h>
#include <stdlib.h>

#include "core/file.h"
#include "imageio/file.h"
#include "images/outputs.h"
#include "program/app.h"

typedef struct {
  double sigma, white;
  int64_t seed;
  int format;
  const char *output;
} Noise;

enum { KEEP, TIF_FLOAT };

static const BtOption options[] = {
    BT_OPT_REAL("sigma", Noise, sigma, NAN, BT_POSITIVE, "S",
                "standard deviation of the noise on the 0..255 scale"),
    BT_OPT_INT("seed", Noise, seed, 1, BT_NONNEGATIVE, "N", "seed of the generator"),
    BT_OPT_TEXT("output", 'o', Noise, output, NULL, "DIR", "folder to write to, made if missing"),
    BT_OPT_CHOICE("format", Noise, format, KEEP, "keep|tif-float",
                  "keep each file's own format, or write unclipped 32-bit float TIFF"),
    BT_OPT_REAL(
        "white", Noise, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_END};

typedef struct {
  const Noise *noise;
  BtImageSet inputs, outputs;
} Job;

static size_t noise_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

static BtStatus noise_check(BtApp *app, const void *settings) {
  const Noise *noise = settings;
  const BtStatus st = bt_app_require(app, noise->sigma > 0, "sigma");
  return st < 0 ? st : bt_app_require(app, noise->output != NULL, "output");
}

static size_t noise_items(BtApp *app, const void *settings) {
  (void)settings;
  return bt_app_count_images(app);
}

static BtStatus add_noise(BtApp *app, const Job *job, BtImageReader *reader, BtImageWriter *writer, size_t i,
                          size_t page) {
  BtImage image = {0};
  BtStatus st = bt_image_read_page(&app->ctx, reader, page, &image);
  if (st < 0) return st;
  bt_image_add_noise(&image, job->noise->sigma, (unsigned long long)job->noise->seed,
                     bt_noise_stream(i, page));
  if (job->noise->format == TIF_FLOAT) {
    image.sample = BT_SAMPLE_F32;
    image.white = 1;
  }
  st = bt_image_write_page(&app->ctx, writer, &image);
  bt_image_clear(&image);
  return st;
}

static BtStatus noise_image(void *user, BtApp *app, size_t i) {
  const Job *job = user;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtImageReader *reader = NULL;
  BtImageWriter *writer = NULL;
  BT_TRY(bt_image_open(ctx, job->inputs.paths[i], job->noise->white, &reader));
  const size_t pages = bt_image_pages(reader);
  BT_TRY(bt_image_create_file(ctx, job->outputs.paths[i], pages, reader, &writer));
  for (size_t page = 0; page < pages; page++) {
    if (bt_stop_requested(ctx)) BT_TRY(BT_STOPPED);
    BT_TRY(add_noise(app, job, reader, writer, i, page));
  }
  st = bt_image_commit(ctx, writer);
  writer = NULL;
done:
  bt_image_abandon(writer);
  bt_image_close(reader);
  return st;
}

static BtStatus noise_run(BtApp *app, void *settings) {
  Job job = {.noise = settings};
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_image_set_list(ctx, app->operands, app->operand_count, &job.inputs));
  BT_TRY(bt_outputs_plan(ctx, &job.inputs, job.noise->output, job.noise->format == TIF_FLOAT ? "tif" : NULL,
                         &job.outputs));
  BT_TRY(bt_make_folder(ctx, job.noise->output));
done:
  st = bt_team_agree(&app->team, ctx, st);
  if (st == BT_OK)
    st = bt_app_each(app, "images", (const char *const *)job.inputs.paths, job.inputs.count, noise_image,
                     &job, NULL);
  if (st >= 0) {
    bt_app_print(app, "%zu of %zu images written to %s\n", app->done, job.inputs.count, job.noise->output);
    bt_app_put_int(app, "images", (int64_t)app->done);
    bt_app_put(app, "settings", bt_app_settings_json(app));
    bt_app_put_real(app, "seconds", bt_app_seconds(app));
  }
  bt_image_set_clear(&job.inputs);
  bt_image_set_clear(&job.outputs);
  return st;
}

const BtCommand bt_cmd_noise = {
    .name = "noise",
    .group = BT_GROUP_IMAGES,
    .summary = "add Gaussian noise to images",
    .usage = "--sigma S -o DIR [options] IMAGE|DIR ...",
    .help =
        "Writes each image under its own name into DIR with white Gaussian noise added to its colour "
        "planes, every page of a stack with noise of its own. A folder stands for its PNG and TIFF "
        "files.\n\n"
        "The noise of a pixel depends on the seed, the image's place in the list and the pixel alone: not "
        "on --jobs and not on the machine. Integer formats round and clip to their range; float TIFF is "
        "not clipped, which --format tif-float makes of any input.\n\n"
        "An image that cannot be read is reported by name and the others are done.",
    .examples = {{"bitune noise --sigma 25 -o noisy clean", "Noise on every image of the folder clean"},
                 {"bitune noise --sigma 25 --format tif-float --seed 7 -o noisy a.png b.tif",
                  "Without clipping"}},
    .flags = BT_USES_TEAM,
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Noise),
    .options = noise_options,
    .check = noise_check,
    .items = noise_items,
    .run = noise_run,
};

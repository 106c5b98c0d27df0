#include <math.h>
#include <stdlib.h>

#include "core/file.h"
#include "core/json.h"
#include "imageio/file.h"
#include "imageio/noise_level.h"
#include "imageio/set.h"
#include "images/outputs.h"
#include "program/app.h"

typedef struct {
  double white;
} Sigma;

static const BtOption options[] = {
    BT_OPT_REAL(
        "white", Sigma, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_END};

/* Of one file; over its pages. */
typedef struct {
  double mean, least, most, pages;
} Result;

#define FIELDS (sizeof(Result) / sizeof(double))

typedef struct {
  const Sigma *set;
  BtImageSet files;
  Result *results;
} Job;

static size_t sigma_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

static size_t sigma_items(BtApp *app, const void *settings) {
  (void)settings;
  return bt_app_count_images(app);
}

static BtStatus sigma_image(void *user, BtApp *app, size_t i) {
  const Job *job = user;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtImageReader *reader = NULL;
  BtImage image = {0};
  Result r = {.least = INFINITY};
  BT_TRY(bt_image_open(ctx, job->files.paths[i], job->set->white, &reader));
  const size_t pages = bt_image_pages(reader);
  for (size_t page = 0; page < pages; page++) {
    double sigma;
    if (bt_stop_requested(ctx)) BT_TRY(BT_STOPPED);
    BT_TRY(bt_image_read_page(ctx, reader, page, &image));
    st = bt_noise_level(ctx, &image, &sigma);
    bt_image_clear(&image);
    if (st < 0) {
      char text[BT_ERROR_TEXT];
      snprintf(text, sizeof text, "%s", ctx->error);
      BT_TRY(bt_fail(ctx, st, "%s: page %zu: %.900s", job->files.paths[i], page + 1, text));
    }
    r.mean += sigma / (double)pages;
    r.least = fmin(r.least, sigma);
    r.most = fmax(r.most, sigma);
    r.pages++;
  }
  job->results[i] = r;
done:
  bt_image_clear(&image);
  bt_image_close(reader);
  return st;
}

static void report(BtApp *app, const Job *job) {
  json_t *rows = json_array();
  double sum = 0, count = 0;
  for (size_t i = 0; i < job->files.count; i++) {
    const Result *r = &job->results[i];
    if (r->pages == 0) continue;
    sum += r->mean;
    count++;
    bt_app_print(app, "%-32s  sigma %6.2f", bt_path_base(job->files.paths[i]), r->mean);
    if (r->pages > 1) bt_app_print(app, "  (%.2f to %.2f over %.0f pages)", r->least, r->most, r->pages);
    bt_app_print(app, "\n");
    (void)json_array_append_new(
        rows, json_pack("{s:o, s:o, s:o, s:o, s:I}", "file", bt_app_text_json(job->files.paths[i]), "sigma",
                        bt_json_real(r->mean), "sigma_least", bt_json_real(r->least), "sigma_most",
                        bt_json_real(r->most), "pages", (json_int_t)r->pages));
  }
  if (count > 1) bt_app_print(app, "mean of %.0f images: sigma %.2f\n", count, sum / count);
  bt_app_put(app, "results", rows);
  bt_app_put_int(app, "images", (int64_t)count);
  bt_app_put_real(app, "sigma_mean", sum / count);
  bt_app_put(app, "settings", bt_app_settings_json(app));
  bt_app_put_real(app, "seconds", bt_app_seconds(app));
}

static BtStatus sigma_run(BtApp *app, void *settings) {
  Job job = {.set = settings};
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_image_set_list(ctx, app->operands, app->operand_count, &job.files));
  job.results = calloc(job.files.count, sizeof *job.results);
  if (!job.results) BT_TRY(bt_fail_memory(ctx, "results", (double)job.files.count * sizeof *job.results));
done:
  st = bt_team_agree(&app->team, ctx, st);
  if (st == BT_OK)
    st = bt_app_each(app, "images", (const char *const *)job.files.paths, job.files.count, sigma_image, &job,
                     NULL);
  if (st >= 0 && st != BT_STOPPED) {
    const BtStatus summed = app->team.sum(&app->team, ctx, (double *)job.results, job.files.count * FIELDS);
    if (summed < 0) st = summed;
  }
  if (st >= 0 && st != BT_STOPPED) report(app, &job);
  free(job.results);
  bt_image_set_clear(&job.files);
  return st;
}

const BtCommand bt_cmd_sigma = {
    .name = "sigma",
    .group = BT_GROUP_IMAGES,
    .summary = "estimate the noise of images",
    .usage = "[options] IMAGE|DIR ...",
    .help =
        "Prints the standard deviation of white Gaussian noise in each image on the 0..255 scale, estimated "
        "from the image "
        "alone: the variance of its weakly textured patches along the direction of least variance. It is "
        "what bitune "
        "denoise takes where --sigma is not given. Pages of a stack are estimated one by one.\n\n"
        "The estimate is of noise that is the same everywhere and independent between pixels. Noise that was "
        "clipped at "
        "black or white, compressed or smoothed reads low; images that are all fine texture read high.",
    .examples = {{"bitune sigma noisy", "Every image of the folder noisy"},
                 {"bitune sigma --json --white 4095 stack.tif", "12-bit samples in 16-bit files, as JSON"}},
    .flags = BT_USES_TEAM,
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Sigma),
    .options = sigma_options,
    .items = sigma_items,
    .run = sigma_run,
};

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "imageio/file.h"
#include "images/degradation.h"
#include "images/outputs.h"
#include "lowerlevel/blur.h"
#include "program/app.h"

typedef struct {
  const char *output, *masks;
  double drop, white;
  int64_t seed;
  int format;
  BtDegradation degradation;
} Blur;

enum { KEEP, TIF_FLOAT };

static const BtOption options[] = {
    BT_OPT_TEXT("output", 'o', Blur, output, NULL, "DIR", "folder to write to, made if missing"),
    BT_OPT_REAL("drop", Blur, drop, 0, BT_WITHIN(0, 1), "F",
                "make this share of the pixels black, drawn by --seed"),
    BT_OPT_TEXT("masks", 0, Blur, masks, NULL, "DIR",
                "folder for masks of the pixels that --drop leaves, for bitune restore --mask"),
    BT_OPT_INT("seed", Blur, seed, 1, BT_NONNEGATIVE, "N", "seed of the generator"),
    BT_OPT_CHOICE("format", Blur, format, KEEP, "keep|tif-float",
                  "keep each file's own format, or write unclipped 32-bit float TIFF"),
    BT_OPT_REAL(
        "white", Blur, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_END};

typedef struct {
  const Blur *set;
  BtImageSet inputs, outputs, masks;
  BtKernel kernel;
  BtOperator op; /* the blur, for images of op.shape */
} Job;

static size_t blur_options(void *settings, BtOptionSet *sets) {
  Blur *blur = settings;
  sets[0] = (BtOptionSet){options, blur, NULL};
  sets[1] = (BtOptionSet){bt_degradation_options, &blur->degradation, "Degradation"};
  return 2;
}

static BtStatus blur_check(BtApp *app, const void *settings) {
  const Blur *blur = settings;
  BtStatus st = BT_OK;
  BT_TRY(bt_app_require(app, blur->output != NULL, "output"));
  BT_TRY(bt_degradation_check(&app->ctx, &blur->degradation, !(blur->drop > 0)));
  if (blur->masks && !(blur->drop > 0)) st = bt_fail(&app->ctx, BT_ERR_ARG, "--masks needs --drop");
  if (blur->masks && strcmp(blur->masks, blur->output) == 0)
    st = bt_fail(&app->ctx, BT_ERR_ARG, "--masks and --output must be different folders");
done:
  return st;
}

static size_t blur_items(BtApp *app, const void *settings) {
  (void)settings;
  return bt_app_count_images(app);
}

static BtStatus convolve(Job *job, BtContext *ctx, BtImage *image) {
  const BtShape shape = {image->height, image->width};
  const size_t n = bt_shape_size(shape);
  const BtKernel *k = &job->kernel;
  BtStatus st = BT_OK;
  double *out = malloc(n * sizeof *out);
  if (!out) return bt_fail_memory(ctx, "an image", (double)n * sizeof *out);
  if (!job->op.ops || job->op.shape.height != shape.height || job->op.shape.width != shape.width) {
    bt_operator_clear(&job->op);
    BT_TRY(bt_blur(ctx, shape, k->height, k->width, k->taps, (BtBoundary)job->set->degradation.boundary,
                   &job->op));
  }
  for (int c = 0; c < image->colors; c++) {
    job->op.ops->apply(&job->op, bt_image_plane(image, c), out);
    memcpy(bt_image_plane(image, c), out, n * sizeof *out);
  }
done:
  free(out);
  return st;
}

/* Black where the mask is 0, in every colour. */
static void cover(BtImage *image, const unsigned char *known) {
  const size_t n = bt_image_plane_size(image);
  for (int c = 0; c < image->colors; c++)
    for (size_t i = 0; i < n; i++)
      if (!known[i]) bt_image_plane(image, c)[i] = 0;
}

/* Numbers apart from those of the noise of the same page: streams of the upper half. */
static BtStatus drop_pixels(const Job *job, BtContext *ctx, size_t i, size_t page, BtImage *image,
                            BtImageWriter *mask_writer) {
  const size_t n = bt_image_plane_size(image);
  const uint64_t stream = bt_noise_stream(i, page) | (uint64_t)1 << 63;
  unsigned char *known = malloc(n);
  BtImage mask = {0};
  BtStatus st = BT_OK;
  if (!known) return bt_fail_memory(ctx, "a mask", (double)n);
  for (size_t k = 0; k < n; k++)
    known[k] = bt_rng_uniform((uint64_t)job->set->seed, stream, k) >= job->set->drop;
  cover(image, known);
  if (mask_writer) {
    BT_TRY(bt_image_create(ctx, image->width, image->height, 1, 0, &mask));
    mask.sample = BT_SAMPLE_U8;
    mask.white = 255;
    for (size_t k = 0; k < n; k++) mask.pixels[k] = known[k];
    BT_TRY(bt_image_write_page(ctx, mask_writer, &mask));
  }
done:
  bt_image_clear(&mask);
  free(known);
  return st;
}

static BtStatus degrade_page(Job *job, BtContext *ctx, size_t i, size_t page, BtImageReader *reader,
                             BtImageWriter *writer, BtImageWriter *mask_writer) {
  const Blur *set = job->set;
  BtImage image = {0};
  unsigned char *known = NULL;
  BtStatus st = BT_OK;
  BT_TRY(bt_image_read_page(ctx, reader, page, &image));
  if (job->kernel.taps) {
    st = convolve(job, ctx, &image);
    if (st < 0) {
      char text[BT_ERROR_TEXT];
      strcpy(text, ctx->error);
      BT_TRY(bt_fail(ctx, st, "%s: page %zu: %.900s", job->inputs.paths[i], page + 1, text));
    }
  }
  if (set->degradation.mask) {
    BT_TRY(bt_degradation_mask(ctx, &set->degradation, job->inputs.paths[i], page, &image, &known));
    cover(&image, known);
  }
  if (set->drop > 0) BT_TRY(drop_pixels(job, ctx, i, page, &image, mask_writer));
  if (set->format == TIF_FLOAT) {
    image.sample = BT_SAMPLE_F32;
    image.white = 1;
  }
  BT_TRY(bt_image_write_page(ctx, writer, &image));
done:
  free(known);
  bt_image_clear(&image);
  return st;
}

static BtStatus degrade_image(void *user, BtApp *app, size_t i) {
  Job *job = user;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtImageReader *reader = NULL;
  BtImageWriter *writer = NULL, *mask_writer = NULL;
  BT_TRY(bt_image_open(ctx, job->inputs.paths[i], job->set->white, &reader));
  const size_t pages = bt_image_pages(reader);
  BT_TRY(bt_image_create_file(ctx, job->outputs.paths[i], pages, reader, &writer));
  if (job->set->masks) BT_TRY(bt_image_create_file(ctx, job->masks.paths[i], pages, NULL, &mask_writer));
  for (size_t page = 0; page < pages; page++) {
    if (bt_stop_requested(ctx)) BT_TRY(BT_STOPPED);
    BT_TRY(degrade_page(job, ctx, i, page, reader, writer, mask_writer));
  }
  if (mask_writer) {
    st = bt_image_commit(ctx, mask_writer);
    mask_writer = NULL;
    if (st < 0) goto done;
  }
  st = bt_image_commit(ctx, writer);
  writer = NULL;
done:
  bt_image_abandon(mask_writer);
  bt_image_abandon(writer);
  bt_image_close(reader);
  return st;
}

static BtStatus prepare(BtApp *app, Job *job) {
  const Blur *set = job->set;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_degradation_kernel(ctx, &set->degradation, &job->kernel));
  BT_TRY(bt_image_set_list(ctx, app->operands, app->operand_count, &job->inputs));
  BT_TRY(bt_outputs_plan(ctx, &job->inputs, set->output, set->format == TIF_FLOAT ? "tif" : NULL,
                         &job->outputs));
  BT_TRY(bt_make_folder(ctx, set->output));
  BT_TRY(bt_degradation_apart(ctx, &set->degradation, set->output, &job->outputs));
  if (set->masks) {
    BT_TRY(
        bt_outputs_plan(ctx, &job->inputs, set->masks, set->format == TIF_FLOAT ? "tif" : NULL, &job->masks));
    BT_TRY(bt_make_folder(ctx, set->masks));
    if (bt_outputs_same_folder(set->masks, set->output))
      BT_TRY(bt_fail(ctx, BT_ERR_ARG, "--masks and --output must be different folders"));
  }
done:
  return st;
}

static BtStatus blur_run(BtApp *app, void *settings) {
  Job job = {.set = settings};
  BtStatus st = bt_team_agree(&app->team, &app->ctx, prepare(app, &job));
  if (st == BT_OK)
    st = bt_app_each(app, "images", (const char *const *)job.inputs.paths, job.inputs.count, degrade_image,
                     &job, NULL);
  if (st >= 0) {
    bt_app_print(app, "%zu of %zu images written to %s\n", app->done, job.inputs.count, job.set->output);
    bt_app_put_int(app, "images", (int64_t)app->done);
    bt_app_put(app, "settings", bt_app_settings_json(app));
    bt_app_put_real(app, "seconds", bt_app_seconds(app));
  }
  bt_operator_clear(&job.op);
  bt_kernel_clear(&job.kernel);
  bt_image_set_clear(&job.inputs);
  bt_image_set_clear(&job.outputs);
  bt_image_set_clear(&job.masks);
  return st;
}

const BtCommand bt_cmd_blur = {
    .name = "blur",
    .group = BT_GROUP_IMAGES,
    .summary = "blur images, or make part of their pixels unknown",
    .usage =
        "--blur BLUR -o DIR [options] IMAGE|DIR ...\n"
        "--kernel FILE -o DIR [options] IMAGE|DIR ...\n"
        "--drop F --masks DIR -o DIR [options] IMAGE|DIR ...",
    .help =
        "Makes what bitune restore undoes. Writes each image under its own name into DIR, its colours "
        "blurred by a known "
        "kernel, or black where --mask is black, or black at a random share of the pixels, whose masks go to "
        "--masks. "
        "Noise is added afterwards, by bitune noise. A folder stands for its PNG and TIFF files.\n\n"
        "Which pixels are dropped depends on the seed, the image's place in the list and the pixel alone. "
        "Integer formats "
        "round and clip to their range; --format tif-float does not.",
    .examples = {{"bitune blur --blur motion:15,30 -o blurred clean",
                  "Motion blur, 15 pixels long at 30 degrees"},
                 {"bitune blur --drop 0.5 --masks holes -o damaged clean", "Half of the pixels unknown"}},
    .flags = BT_USES_TEAM,
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Blur),
    .options = blur_options,
    .check = blur_check,
    .items = blur_items,
    .run = blur_run,
};

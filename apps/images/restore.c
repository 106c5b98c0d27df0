#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "images/degradation.h"
#include "images/models.h"
#include "images/outputs.h"
#include "images/restoring.h"
#include "lowerlevel/restorer.h"
#include "program/app.h"

typedef struct {
  const char *model, *output, *reference;
  double sigma, strength, ridge, tolerance, white;
  int color;
  BtDegradation degradation;
  BtLowerSettings lower;
} Restore;

static const BtOption options[] = {
    BT_OPT_TEXT("model", 0, Restore, model, "foe", "MODEL",
                "model file, or name of a model that comes with bitune"),
    BT_OPT_REAL("sigma", Restore, sigma, NAN, BT_WITHIN(1e-6, 1e6), "S",
                "standard deviation of the images' noise on the 0..255 scale"),
    BT_OPT_TEXT("output", 'o', Restore, output, NULL, "DIR", "folder to write to, made if missing"),
    BT_OPT_REAL("strength", Restore, strength, 1, BT_WITHIN(1e-6, 1e6), "S",
                "multiplies the regularizer, whose weight follows from --sigma"),
    BT_OPT_REAL("ridge", Restore, ridge, BT_RESTORE_RIDGE, BT_NONNEGATIVE, "MU",
                "weight of the distance to the image itself (to the mean of what is known), on which "
                "certificates rest"),
    BT_OPT_REAL("tol", Restore, tolerance, BT_DENOISE_TOLERANCE, BT_POSITIVE, "EPS",
                "bound of the rms distance to the exact minimizer, per pixel on the [0,1] scale"),
    BT_OPT_TEXT("reference", 0, Restore, reference, NULL, "DIR",
                "folder of clean images of the same names; PSNR and SSIM are printed"),
    BT_OPT_CHOICE("color", Restore, color, BT_COLOR_OPPONENT, BT_COLOR_CHOICES,
                  "planes of a colour image that are restored"),
    BT_OPT_REAL(
        "white", Restore, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_END};

typedef struct {
  const Restore *set;
  BtModelFiles files;
  BtLevelModel level;
  double strength; /* λ */
  BtKernel kernel;
  BtRestorer *restorer;
} Job;

static size_t restore_options(void *settings, BtOptionSet *sets) {
  Restore *restore = settings;
  sets[0] = (BtOptionSet){options, restore, NULL};
  sets[1] = (BtOptionSet){bt_degradation_options, &restore->degradation, "How the images were degraded"};
  sets[2] = (BtOptionSet){bt_lower_options, &restore->lower, "Lower-level solver"};
  return 3;
}

static BtStatus restore_check(BtApp *app, const void *settings) {
  const Restore *restore = settings;
  BtStatus st = BT_OK;
  BT_TRY(bt_app_require(app, restore->sigma > 0, "sigma"));
  BT_TRY(bt_app_require(app, restore->output != NULL, "output"));
  BT_TRY(bt_degradation_check(&app->ctx, &restore->degradation, 1));
  BT_TRY(bt_lower_check(&app->ctx, &restore->lower));
done:
  return st;
}

static size_t restore_items(BtApp *app, const void *settings) {
  (void)settings;
  return bt_app_count_images(app);
}

/* Errors of the solver and of the mask's content come without the page's name. */
static BtStatus name_page(BtContext *ctx, BtStatus st, const char *path, size_t page) {
  char text[BT_ERROR_TEXT];
  strcpy(text, ctx->error);
  return bt_fail(ctx, st, "%s: page %zu: %.900s", path, page + 1, text);
}

static BtStatus restore_page(void *user, BtContext *ctx, const char *path, size_t page, BtImage *image,
                             BtDenoised *result) {
  const Job *job = user;
  unsigned char *known = NULL;
  BtStatus st = BT_OK;
  if (job->set->degradation.mask)
    BT_TRY(bt_degradation_mask(ctx, &job->set->degradation, path, page, image, &known));
  st = bt_restorer_apply(job->restorer, ctx, job->set->tolerance, known, image, result);
  if (st < 0) st = name_page(ctx, st, path, page);
done:
  free(known);
  return st;
}

/* The nearest level as it was learned: the strength carries it to the level of the data. */
static BtStatus prepare(BtApp *app, Job *job) {
  const Restore *set = job->set;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_degradation_kernel(ctx, &set->degradation, &job->kernel));
  BT_TRY(bt_models_find(ctx, set->model, &job->files));
  BT_TRY(bt_model_library_load(ctx, &job->files, set->sigma, BT_ADAPT_NONE, &job->level));
  job->level.model.sigma = job->level.learned;
  const double ratio = set->sigma / job->level.learned;
  job->strength = set->strength * ratio * ratio;
  const BtRestorerSpec spec = {.kernel = job->kernel.taps ? &job->kernel : NULL,
                               .boundary = (BtBoundary)set->degradation.boundary,
                               .strength = job->strength,
                               .ridge = set->ridge,
                               .color = (BtColor)set->color};
  st = bt_restorer_create(ctx, &job->level.model.regularizer, job->level.model.theta, &set->lower, &spec,
                          &job->restorer);
done:
  return st;
}

static BtStatus restore_run(BtApp *app, void *settings) {
  Job job = {.set = settings};
  const BtRestoring restoring = {.output = job.set->output,
                                 .reference = job.set->reference,
                                 .white = job.set->white,
                                 .before = "degraded",
                                 .after = "restored",
                                 .restore = restore_page,
                                 .user = &job};
  const BtStatus prepared = prepare(app, &job);
  char text[600] = "";
  if (prepared >= 0) {
    bt_app_put(app, "model", bt_models_json(&job.files, &job.level));
    bt_app_put_real(app, "strength", job.strength);
    bt_models_describe(&job.files, &job.level, text, sizeof text);
  }
  const BtStatus st = bt_restore_files(app, &restoring, prepared);
  if (st >= 0 && st != BT_STOPPED) bt_app_print(app, "model: %s; weight times %.3g\n", text, job.strength);
  bt_restorer_destroy(job.restorer);
  bt_kernel_clear(&job.kernel);
  bt_level_model_clear(&job.level);
  bt_model_files_clear(&job.files);
  return st;
}

const BtCommand bt_cmd_restore = {
    .name = "restore",
    .group = BT_GROUP_LEARNING,
    .summary = "deblur or inpaint images with a learned model",
    .usage =
        "--blur BLUR --sigma S -o DIR [--model MODEL] [options] IMAGE|DIR ...\n"
        "--kernel FILE --sigma S -o DIR [--model MODEL] [options] IMAGE|DIR ...\n"
        "--mask FILE|DIR --sigma S -o DIR [--model MODEL] [options] IMAGE|DIR ...",
    .help =
        "Writes a restored version of each image under its own name into DIR, in its own format, bit depth, "
        "number of pages and size: the x that minimises half the squared distance of Ax to the image, plus "
        "the model's regularizer, plus a small ridge. A is the known blur, or what a mask lets through.\n\n"
        "The regularizer was learned by denoising at one noise level; at noise of another level it counts by "
        "the squared ratio of the two, and --strength multiplies that. Of the models that come with bitune "
        "(tv, foe-convex, foe) the file of the nearest level is taken; the report says which. Blurs that "
        "touch the image's edges ring if the true scene goes on beyond them otherwise than --boundary "
        "says.\n\n"
        "Where the problem is convex, each result comes with a certificate: before it is rounded to the "
        "file's sample type, its rms distance per pixel to the exact minimizer is proven to be at most the "
        "printed error. The proof divides by --ridge, so a smaller one takes longer. Models that are not "
        "convex (foe) have such a proof only with a large ridge; without it the report says so, and --tol, "
        "times the regularizer's weight, bounds the gradient instead. Exit code 3 tells that --tol was not reached.\n\n"
        "An image that cannot be read or has a mask of another size is reported by name and the others are "
        "done (exit code 1).",
    .examples = {{"bitune restore --blur gaussian:1.6 --sigma 2.55 -o sharp blurred",
                  "Every image of the folder blurred"},
                 {"bitune restore --model tv --kernel psf.tif --boundary periodic --sigma 2 -o sharp a.png",
                  "A measured point-spread function, a model by name"},
                 {"bitune restore --model mine.json --mask holes --sigma 1 -o filled damaged",
                  "Unknown pixels filled in, a mask of the same name for each image; your own model"}},
    .flags = BT_USES_TEAM | BT_USES_PETSC,
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Restore),
    .options = restore_options,
    .check = restore_check,
    .items = restore_items,
    .run = restore_run,
};

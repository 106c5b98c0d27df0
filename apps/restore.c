#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "degradation.h"
#include "lowerlevel/restorer.h"
#include "outputs.h"
#include "regularizers/model.h"
#include "restoring.h"

typedef struct {
  const char *model, *output, *reference;
  double sigma, strength, ridge, tolerance, white;
  int color;
  BtDegradation degradation;
  BtLowerSettings lower;
} Restore;

static const BtOption options[] = {
    BT_OPT_TEXT("model", 0, Restore, model, NULL, "MODEL.json", "model to restore with"),
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
  BtModel model;
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
  BT_TRY(bt_app_require(app, restore->model != NULL, "model"));
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

static BtStatus prepare(BtApp *app, Job *job) {
  const Restore *set = job->set;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_degradation_kernel(ctx, &set->degradation, &job->kernel));
  BT_TRY(bt_model_load(ctx, set->model, &job->model));
  const double ratio = set->sigma / job->model.sigma;
  const BtRestorerSpec spec = {.kernel = job->kernel.taps ? &job->kernel : NULL,
                               .boundary = (BtBoundary)set->degradation.boundary,
                               .strength = set->strength * ratio * ratio,
                               .ridge = set->ridge,
                               .color = (BtColor)set->color};
  bt_app_put_real(app, "strength", spec.strength);
  st = bt_restorer_create(ctx, &job->model.regularizer, job->model.theta, &set->lower, &spec, &job->restorer);
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
  const BtStatus st = bt_restore_files(app, &restoring, prepare(app, &job));
  bt_restorer_destroy(job.restorer);
  bt_kernel_clear(&job.kernel);
  bt_model_clear(&job.model);
  return st;
}

const BtCommand bt_cmd_restore = {
    .name = "restore",
    .group = BT_GROUP_LEARNING,
    .summary = "deblur or inpaint images with a learned model",
    .usage =
        "--model MODEL.json --blur BLUR --sigma S -o DIR [options] IMAGE|DIR ...\n"
        "--model MODEL.json --kernel FILE --sigma S -o DIR [options] IMAGE|DIR ...\n"
        "--model MODEL.json --mask FILE|DIR --sigma S -o DIR [options] IMAGE|DIR ...",
    .help =
        "Writes a restored version of each image under its own name into DIR, in its own format, bit depth, "
        "number of "
        "pages and size: the x that minimises half the squared distance of Ax to the image, plus the model's "
        "regularizer, "
        "plus a small ridge. A is the known blur, or what a mask lets through.\n\n"
        "The regularizer was learned by denoising at one noise level; at noise of another level it counts by "
        "the squared "
        "ratio of the two, and --strength multiplies that. Blurs that touch the image's edges ring if the "
        "true scene goes "
        "on beyond them otherwise than --boundary says.\n\n"
        "Each result comes with a certificate: before it is rounded to the file's sample type, its rms "
        "distance per pixel "
        "to the exact minimizer is proven to be at most the printed error. The proof divides by --ridge, so "
        "a smaller one "
        "takes longer; models that are not convex are proven only with a large one, and are otherwise "
        "reported as not "
        "proven (exit code 3).\n\n"
        "An image that cannot be read or has a mask of another size is reported by name and the others are "
        "done (exit "
        "code 1).",
    .examples =
        {{"bitune restore --model tv.json --blur gaussian:1.6 --sigma 2.55 -o sharp blurred",
          "Every image of the folder blurred"},
         {"bitune restore --model tv.json --kernel psf.tif --boundary periodic --sigma 2 -o sharp a.png",
          "A measured point-spread function"},
         {"bitune restore --model tv.json --mask holes --sigma 1 -o filled damaged",
          "Unknown pixels filled in, a mask of the same name for each image"}},
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

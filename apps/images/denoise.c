#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "imageio/noise_level.h"
#include "images/models.h"
#include "images/outputs.h"
#include "images/restoring.h"
#include "program/app.h"

typedef struct {
  const char *model, *output, *reference;
  double sigma, tolerance, white;
  int color, adapt;
  BtLowerSettings lower;
} Denoise;

static const BtOption options[] = {
    BT_OPT_TEXT("model", 0, Denoise, model, "foe", "MODEL",
                "model file, or name of a model that comes with bitune"),
    BT_OPT_REAL("sigma", Denoise, sigma, NAN, BT_WITHIN(1e-6, 1e6), "S",
                "standard deviation of the noise on the 0..255 scale; by default estimated from each image, "
                "and for a model "
                "file the level it was learned for"),
    BT_OPT_ADAPT(Denoise, adapt),
    BT_OPT_TEXT("output", 'o', Denoise, output, NULL, "DIR", "folder to write to, made if missing"),
    BT_OPT_REAL("tol", Denoise, tolerance, BT_DENOISE_TOLERANCE, BT_POSITIVE, "EPS",
                "bound of the rms distance to the exact minimizer, per pixel on the [0,1] scale"),
    BT_OPT_TEXT("reference", 0, Denoise, reference, NULL, "DIR",
                "folder of clean images of the same names; PSNR and SSIM are printed"),
    BT_OPT_CHOICE("color", Denoise, color, BT_COLOR_OPPONENT, BT_COLOR_CHOICES,
                  "planes of a colour image that are denoised"),
    BT_OPT_REAL(
        "white", Denoise, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_END};

/* Noise below this is left to the model of this level: no image is so clean that it would show. */
#define LEAST_SIGMA 0.1
/* A set of model files fits into the digits of a double. */
#define MOST_FILES 52

typedef struct {
  const Denoise *set;
  BtModelFiles files;
  int estimate;       /* the noise level is estimated from each page                        */
  BtLevelModel level; /* the model in use, for noise level `sigma`; none before the first page */
  double sigma;       /* NAN: the model's own                                                */
  double told;        /* what is told of the page: the estimate, or the level                */
  BtDenoiser *denoiser;
} Job;

static size_t denoise_options(void *settings, BtOptionSet *sets) {
  Denoise *denoise = settings;
  sets[0] = (BtOptionSet){options, denoise, NULL};
  sets[1] = (BtOptionSet){bt_lower_options, &denoise->lower, "Lower-level solver"};
  return 2;
}

static BtStatus denoise_check(BtApp *app, const void *settings) {
  const Denoise *denoise = settings;
  BtStatus st = BT_OK;
  BT_TRY(bt_app_require(app, denoise->output != NULL, "output"));
  BT_TRY(bt_lower_check(&app->ctx, &denoise->lower));
done:
  return st;
}

static size_t denoise_items(BtApp *app, const void *settings) {
  (void)settings;
  return bt_app_count_images(app);
}

/* Makes the model for a noise level the one in use. */
static BtStatus use_level(Job *job, BtContext *ctx, double sigma) {
  BtStatus st = BT_OK;
  if (job->denoiser && (sigma == job->sigma || (isnan(sigma) && isnan(job->sigma)))) return BT_OK;
  bt_denoiser_destroy(job->denoiser);
  job->denoiser = NULL;
  bt_level_model_clear(&job->level);
  BT_TRY(bt_model_library_load(ctx, &job->files, sigma, (BtAdaptation)job->set->adapt, &job->level));
  BT_TRY(bt_denoiser_create(ctx, &job->level.model.regularizer, job->level.model.theta, &job->set->lower,
                            (BtColor)job->set->color, &job->denoiser));
  job->sigma = sigma;
done:
  return st;
}

/* Errors of a page come without its name. */
static BtStatus name_page(BtContext *ctx, BtStatus st, const char *path, size_t page) {
  char text[BT_ERROR_TEXT];
  strcpy(text, ctx->error);
  return bt_fail(ctx, st, "%s: page %zu: %.900s", path, page + 1, text);
}

static BtStatus denoise_page(void *user, BtContext *ctx, const char *path, size_t page, BtImage *image,
                             BtDenoised *result) {
  Job *job = user;
  BtStatus st = BT_OK;
  double sigma = job->set->sigma;
  if (job->estimate) {
    st = bt_noise_level(ctx, image, &sigma);
    if (st < 0) return name_page(ctx, st, path, page);
  }
  BT_TRY(use_level(job, ctx, job->estimate ? fmax(sigma, LEAST_SIGMA) : sigma));
  job->told = job->estimate ? sigma : job->level.model.sigma;
  st = bt_denoiser_apply(job->denoiser, ctx, job->set->tolerance, image, result);
  if (st < 0) st = name_page(ctx, st, path, page);
done:
  return st;
}

enum { PAGES, SIGMA_SUM, SIGMA_LEAST, SIGMA_MOST, FILES };

static int is_in(double files, size_t i) { return fmod(floor(ldexp(files, -(int)i)), 2) != 0; }

static void note(void *user, double notes[BT_RESTORING_NOTES]) {
  const Job *job = user;
  const int first = notes[PAGES] == 0;
  notes[PAGES]++;
  notes[SIGMA_SUM] += job->told;
  notes[SIGMA_LEAST] = first ? job->told : fmin(notes[SIGMA_LEAST], job->told);
  notes[SIGMA_MOST] = fmax(notes[SIGMA_MOST], job->told);
  for (int end = 0; end < 2; end++)
    if (!is_in(notes[FILES], job->level.file[end])) notes[FILES] += ldexp(1, (int)job->level.file[end]);
}

static json_t *files_json(const BtModelFiles *files, double used) {
  json_t *list = json_array();
  for (size_t i = 0; i < files->count; i++)
    if (is_in(used, i)) (void)json_array_append_new(list, bt_app_text_json(files->files[i].path));
  return list;
}

static void tell(void *user, const double notes[BT_RESTORING_NOTES], json_t *row, char *text, size_t size) {
  const Job *job = user;
  const double mean = notes[SIGMA_SUM] / notes[PAGES];
  (void)json_object_set_new(row, "sigma", bt_json_real(mean));
  (void)json_object_set_new(row, "sigma_estimated", json_boolean(job->estimate));
  if (notes[PAGES] > 1)
    (void)json_object_set_new(row, "sigma_range",
                              bt_json_reals((double[]){notes[SIGMA_LEAST], notes[SIGMA_MOST]}, 2));
  (void)json_object_set_new(row, "models", files_json(&job->files, notes[FILES]));
  if (!job->estimate) return;
  if (notes[PAGES] > 1)
    (void)snprintf(text, size, "  sigma %.2f to %.2f (estimated)", notes[SIGMA_LEAST], notes[SIGMA_MOST]);
  else
    (void)snprintf(text, size, "  sigma %.2f (estimated)", mean);
}

/* A model at a level of its own choosing needs no estimate; a name that stands for many levels does. */
static BtStatus prepare(BtApp *app, Job *job) {
  BtContext *ctx = &app->ctx;
  const Denoise *set = job->set;
  BtStatus st = BT_OK;
  BT_TRY(bt_models_find(ctx, set->model, &job->files));
  if (job->files.count > MOST_FILES)
    BT_TRY(bt_fail(ctx, BT_ERR_ARG, "model \"%s\" has %zu levels, at most %d are used", set->model,
                   job->files.count, MOST_FILES));
  job->estimate = job->files.levels && isnan(set->sigma);
  /* Broken files are found before anything is written. */
  for (size_t i = 0; i < job->files.count && job->estimate; i++)
    BT_TRY(use_level(job, ctx, job->files.files[i].sigma));
  if (!job->estimate) BT_TRY(use_level(job, ctx, set->sigma));
done:
  return st;
}

static BtStatus denoise_run(BtApp *app, void *settings) {
  Job job = {.set = settings};
  const BtRestoring restoring = {.output = job.set->output,
                                 .reference = job.set->reference,
                                 .white = job.set->white,
                                 .before = "noisy",
                                 .after = "denoised",
                                 .restore = denoise_page,
                                 .user = &job,
                                 .note = note,
                                 .tell = tell};
  const BtStatus prepared = prepare(app, &job);
  char text[600] = "";
  if (prepared >= 0 && job.estimate) {
    bt_app_put(app, "model", json_pack("{s:s, s:s}", "name", job.set->model, "sigma", "estimated"));
    snprintf(text, sizeof text, "%s at each image's estimated noise level", job.set->model);
  } else if (prepared >= 0) {
    bt_app_put(app, "model", bt_models_json(&job.files, &job.level));
    bt_models_describe(&job.files, &job.level, text, sizeof text);
  }
  const BtStatus st = bt_restore_files(app, &restoring, prepared);
  if (st >= 0 && st != BT_STOPPED) bt_app_print(app, "model: %s\n", text);
  bt_denoiser_destroy(job.denoiser);
  bt_level_model_clear(&job.level);
  bt_model_files_clear(&job.files);
  return st;
}

const BtCommand bt_cmd_denoise = {
    .name = "denoise",
    .group = BT_GROUP_LEARNING,
    .summary = "denoise images with a learned model",
    .usage = "-o DIR [--model MODEL] [--sigma S] [options] IMAGE|DIR ...",
    .help =
        "Writes a denoised version of each image under its own name into DIR, in its own format, bit depth, "
        "number of "
        "pages and size. A folder stands for its PNG and TIFF files. Transparency is carried over "
        "unchanged.\n\n"
        "A model fits one noise level. Those that come with bitune (tv, foe-convex, foe) exist for several: "
        "the nearest is "
        "taken and adapted to --sigma; without --sigma the noise of each page is estimated, as bitune sigma "
        "does. A model "
        "file is used as it is, unless --sigma names another level than it was learned for. The report says "
        "which file and "
        "level was used.\n\n"
        "Where the model has a proven bound, each result comes with a certificate: before it is rounded to "
        "the file's sample "
        "type, its rms distance per pixel to the exact minimizer of the model is proven to be at most the "
        "printed error. "
        "--tol says how large that may be. For models without such a proof the report says so, and --tol "
        "bounds the "
        "gradient instead. Exit code 3 tells that --tol was not reached.\n\n"
        "An image that cannot be read is reported by name and the others are done (exit code 1).",
    .examples = {{"bitune denoise -o clean noisy", "Every image of the folder noisy, of unknown noise"},
                 {"bitune denoise --model tv --sigma 25 -o clean noisy",
                  "A model by name, for a known noise level"},
                 {"bitune denoise --model tv25.json --reference truth -o clean noisy/a.png stack.tif",
                  "Your own model; PSNR and SSIM against clean images of the same names"}},
    .flags = BT_USES_TEAM | BT_USES_PETSC,
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Denoise),
    .options = denoise_options,
    .check = denoise_check,
    .items = denoise_items,
    .run = denoise_run,
};

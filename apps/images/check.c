#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "hypergrad/conformance.h"
#include "imageio/file.h"
#include "imageio/set.h"
#include "imageio/synth.h"
#include "images/models.h"
#include "images/outputs.h"
#include "images/size.h"
#include "lowerlevel/denoising.h"
#include "program/app.h"
#include "regularizers/foe.h"

typedef struct {
  const char *model, *crop;
  double sigma, white;
  int64_t images, seed;
  int adapt;
  BtLowerSettings lower;
} Check;

static const BtOption options[] = {
    BT_OPT_TEXT("model", 0, Check, model, NULL, "MODEL",
                "model file, or name of a model that comes with bitune"),
    BT_OPT_REAL("sigma", Check, sigma, NAN, BT_WITHIN(1e-6, 1e6), "S",
                "noise level to check it at, on the 0..255 scale; by default the level it was learned for"),
    BT_OPT_ADAPT(Check, adapt),
    BT_OPT_INT("images", Check, images, 1, BT_POSITIVE, "N",
               "images of the folder that are used, the first N"),
    BT_OPT_TEXT("crop", 0, Check, crop, "32x32", "HxW", "central window of each image that is used"),
    BT_OPT_INT("seed", Check, seed, 1, BT_NONNEGATIVE, "N", "seed of the noise and of the test directions"),
    BT_OPT_REAL(
        "white", Check, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_END};

/* One row of the table, worst over the images. */
typedef struct {
  BtConformRow row;
  int seen;
} Line;

typedef struct {
  BtApp *app;
  const Check *set;
  BtModelFiles models;
  BtLevelModel level;
  BtImageSet files;
  Line lines[BT_CONFORM_CHECKS];
} Job;

static size_t check_options(void *settings, BtOptionSet *sets) {
  Check *check = settings;
  sets[0] = (BtOptionSet){options, check, NULL};
  sets[1] = (BtOptionSet){bt_lower_options, &check->lower, "Lower-level solver"};
  return 2;
}

static BtStatus check_check(BtApp *app, const void *settings) {
  const Check *check = settings;
  size_t height, width;
  const BtStatus st = bt_app_require(app, check->model != NULL, "model");
  return st < 0 ? st : bt_parse_size(&app->ctx, "crop", check->crop, &height, &width);
}

/* Keeps a failure once there is one, else the value nearest to its limit. */
static void keep(void *user, const BtConformRow *row) {
  Line *line = &((Job *)user)->lines[row->check];
  const int worse = row->at_least ? row->measured < line->row.measured : row->measured > line->row.measured;
  if (!line->seen || (line->row.passed && (!row->passed || worse))) line->row = *row;
  line->seen = 1;
}

/* The file's first page, or a synthetic image without files; gray, cropped. */
static BtStatus load(Job *job, size_t i, BtImage *image) {
  BtContext *ctx = &job->app->ctx;
  const Check *set = job->set;
  BtStatus st = BT_OK;
  size_t height, width;
  BT_TRY(bt_parse_size(ctx, "crop", set->crop, &height, &width));
  if (job->files.count == 0) return bt_synth(ctx, BT_SYNTH_LEAVES, width, height, 1, 1, i, image);
  BT_TRY(bt_image_read(ctx, job->files.paths[i], set->white, image));
  BT_TRY(bt_image_to_gray(ctx, image));
  BT_TRY(bt_image_crop(ctx, image, height, width));
done:
  return st;
}

static BtStatus check_image(Job *job, size_t i) {
  BtContext *ctx = &job->app->ctx;
  BtStatus st = BT_OK;
  BtImage clean = {0}, noisy = {0};
  BT_TRY(load(job, i, &clean));
  BT_TRY(bt_image_copy(ctx, &clean, &noisy));
  bt_image_add_noise(&noisy, job->level.model.sigma, (unsigned long long)job->set->seed,
                     bt_noise_stream(i, 0));
  const BtNoisyImage pair = {{clean.height, clean.width}, noisy.pixels};
  const BtDenoising denoising = {&job->level.model.regularizer, &pair};
  const BtProblem problem = bt_denoising_problem(&denoising, 1);
  const double *truth = clean.pixels;
  const BtUpperLoss losses[] = {bt_negative_psnr(&truth), bt_squared_error(&truth)};
  const BtConform conform = {&problem, 0, job->level.model.theta, (uint64_t)job->set->seed, keep, job};
  BT_TRY(bt_conform_operators(ctx, &conform, noisy.pixels));
  BT_TRY(bt_conform_bounds(ctx, &conform, noisy.pixels));
  BT_TRY(bt_conform_certificates(ctx, &conform, &job->set->lower));
  for (size_t k = 0; k < 2 && st == BT_OK; k++) {
    BT_TRY(bt_conform_loss(ctx, &conform, &losses[k], noisy.pixels));
    BT_TRY(bt_conform_hypergradient(ctx, &conform, &losses[k], &job->set->lower, NULL));
  }
done:
  bt_image_clear(&clean);
  bt_image_clear(&noisy);
  return st;
}

/* Least and largest norm ‖c_k‖ of the filters, and how many count for less than a thousandth of the
 * strongest. */
static BtStatus filter_norms(BtContext *ctx, const BtModel *model, double *least, double *most,
                             size_t *idle) {
  const BtRegularizer *reg = &model->regularizer;
  const size_t area = reg->size * reg->size;
  double *taps = malloc(reg->filters * (area + 1) * sizeof *taps), strongest = 0;
  if (!taps) return bt_fail_memory(ctx, "filters", (double)(reg->filters * (area + 1)) * sizeof *taps);
  double *strength = taps + reg->filters * area;
  bt_foe_filters(reg, model->theta, taps, strength, NULL);
  *least = INFINITY, *most = 0, *idle = 0;
  for (size_t k = 0; k < reg->filters; k++) {
    double squares = 0;
    for (size_t j = 0; j < area; j++) squares += taps[k * area + j] * taps[k * area + j];
    *least = fmin(*least, sqrt(squares));
    *most = fmax(*most, sqrt(squares));
    strength[k] *= sqrt(squares);
    strongest = fmax(strongest, strength[k]);
  }
  for (size_t k = 0; k < reg->filters; k++) *idle += strength[k] < 1e-3 * strongest;
  free(taps);
  return BT_OK;
}

/* What certificates of denoising with this model rest on. */
static BtStatus describe(Job *job) {
  BtApp *app = job->app;
  const BtModel *model = &job->level.model;
  const BtRegularizer *reg = &model->regularizer;
  const BtDenoising denoising = {.regularizer = reg, .images = &(BtNoisyImage){.shape = {256, 256}}};
  const BtProblem problem = bt_denoising_problem(&denoising, 1);
  BtProblemConstants k;
  BtRegularizerConstants r = {0};
  char text[600];
  problem.ops->constants(&problem, 0, model->theta, &k);
  if (reg->ops->constants) reg->ops->constants(reg, (BtShape){256, 256}, model->theta, &r);
  bt_models_describe(&job->models, &job->level, text, sizeof text);
  bt_app_print(app, "model: %s\n", text);
  bt_app_print(app,
               "constants on images of 256x256: modulus of R %.4g (%s), mu %.4g, Lipschitz constant %.4g\n",
               r.convexity,
               r.convexity >= 0 ? "convex"
               : k.mu > 0       ? "weakly convex"
                                : "not convex enough",
               k.mu, k.lipschitz);
  bt_app_print(app, "certificates: %s\n",
               k.mu > 0 ? k.proof == BT_PROVEN ? "proven" : "estimated, not proven"
                        : "none; what solvers reach is the gradient tolerance");
  json_t *constants = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "convexity", bt_json_real(r.convexity),
                                "mu", bt_json_real(k.mu), "lipschitz", bt_json_real(k.lipschitz),
                                "hessian_lipschitz", bt_json_real(k.hessian_lipschitz), "cross_lipschitz",
                                bt_json_real(k.cross_lipschitz), "certificate", bt_proof_name(k.proof));
  bt_app_put(app, "model", bt_models_json(&job->models, &job->level));
  if (reg->filters) {
    double least = 0, most = 0;
    size_t idle = 0;
    const BtStatus st = filter_norms(&app->ctx, model, &least, &most, &idle);
    if (st < 0) {
      json_decref(constants);
      return st;
    }
    bt_app_print(app, "%zu filters of %zux%zu: norms %.4g to %.4g, %zu of no account\n", reg->filters,
                 reg->size, reg->size, least, most, idle);
    (void)json_object_set_new(constants, "filter_norms", bt_json_reals((double[]){least, most}, 2));
    (void)json_object_set_new(constants, "filters_idle", json_integer((json_int_t)idle));
  }
  bt_app_put(app, "constants", constants);
  return BT_OK;
}

/* Prints the table; returns the number of failed checks. */
static int report(BtApp *app, const Job *job) {
  int failed = 0, made = 0;
  json_t *rows = json_array();
  bt_app_print(app, "%-20s %12s    %-12s  %-6s  %s\n", "check", "measured", "limit", "result", "what");
  for (size_t k = 0; k < BT_CONFORM_CHECKS; k++) {
    const BtConformRow *r = &job->lines[k].row;
    if (!job->lines[k].seen) continue;
    made++;
    failed += !r->passed;
    bt_app_print(app, "%-20s %12.4g %s %-12.4g  %-6s  %s\n", r->name, r->measured,
                 r->at_least ? ">=" : "<=", r->limit, r->passed ? "ok" : "FAILED", r->meaning);
    (void)json_array_append_new(rows, json_pack("{s:s, s:o, s:f, s:b, s:b, s:s}", "name", r->name, "measured",
                                                bt_json_real(r->measured), "limit", r->limit, "at_least",
                                                r->at_least, "passed", r->passed, "meaning", r->meaning));
  }
  bt_app_print(app, "%d of %d checks passed\n", made - failed, made);
  bt_app_put(app, "checks", rows);
  bt_app_put_int(app, "passed", made - failed);
  bt_app_put_int(app, "failed_checks", failed);
  bt_app_put_real(app, "seconds", bt_app_seconds(app));
  return failed;
}

static BtStatus check_run(BtApp *app, void *settings) {
  Job job = {.app = app, .set = settings};
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK, worst = BT_OK;
  BT_TRY(bt_models_find(ctx, job.set->model, &job.models));
  BT_TRY(bt_model_library_load(ctx, &job.models, job.set->sigma, (BtAdaptation)job.set->adapt, &job.level));
  if (app->operand_count) BT_TRY(bt_image_set_list(ctx, app->operands, app->operand_count, &job.files));
  size_t count = (size_t)job.set->images;
  if (job.files.count && count > job.files.count) count = job.files.count;
  for (size_t i = 0; i < count; i++) {
    (void)bt_emit(ctx,
                  &(BtEvent){.type = BT_EVENT_PROGRESS, .as.progress = {"images", (double)i, (double)count}});
    if (bt_stop_requested(ctx)) st = BT_STOPPED;
    if (st != BT_STOPPED) BT_TRY(check_image(&job, i));
    if (st == BT_STOPPED) goto done;
    if (st > worst) worst = st;
  }
  BT_TRY(describe(&job));
  const int failed = report(app, &job);
  st = worst;
  if (failed) st = bt_fail(ctx, BT_ERR_NUMERIC, "%s: %d checks failed", job.set->model, failed);
done:
  bt_image_set_clear(&job.files);
  bt_level_model_clear(&job.level);
  bt_model_files_clear(&job.models);
  return st;
}

const BtCommand bt_cmd_check = {
    .name = "check",
    .group = BT_GROUP_LEARNING,
    .summary = "test a model's derivatives, certificates and bounds on your own configuration",
    .usage = "--model MODEL [--sigma S] [options] [IMAGE|DIR ...]",
    .help =
        "Checks, with this model on small windows of your images (or on a synthetic one): derivatives "
        "against differences, "
        "adjoints by dot products, constants against samples, certificates against far more accurate "
        "solutions, "
        "hypergradients and their error bounds against accurate ones and against differences of the loss. "
        "One line a "
        "check; exit code 1 if any fails. Before them the model's constants: the modulus of convexity of its "
        "regularizer, "
        "the constants mu and L of denoising, and what kind of certificate follows.",
    .examples = {{"bitune check --model tv25.json", "On a synthetic image"},
                 {"bitune check --model tv25.json --images 3 --solver bt_fista photos",
                  "Another solver, own images"}},
    .flags = BT_USES_PETSC,
    .min_operands = 0,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Check),
    .options = check_options,
    .check = check_check,
    .run = check_run,
};

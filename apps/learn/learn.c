#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "images/outputs.h"
#include "images/size.h"
#include "learn/learn.h"

static const BtOption options[] = {
    BT_OPT_TEXT("train", 0, BtLearn, train, NULL, "DIR", "clean images to learn from"),
    BT_OPT_REAL("sigma", BtLearn, sigma, NAN, BT_WITHIN(1e-6, 1e6), "S",
                "standard deviation of the noise on the 0..255 scale"),
    BT_OPT_TEXT("output", 'o', BtLearn, output, NULL, "MODEL.json", "model file to write"),
    BT_OPT_CHOICE("regularizer", BtLearn, regularizer, 0, BT_REGULARIZER_CHOICES, "family of regularizers"),
    BT_OPT_CHOICE("variant", BtLearn, variant, 0, BT_VARIANT_CHOICES, "member of the family"),
    BT_OPT_INT("filters", BtLearn, filters, 0, BT_NONNEGATIVE, "K", "filters of a field of experts; 0: 48"),
    BT_OPT_INT("filter-size", BtLearn, filter_size, 0, BT_NONNEGATIVE, "S",
               "side of these filters in pixels; 0: 7"),
    BT_OPT_CHOICE(
        "loss", BtLearn, loss, BT_LEARN_PSNR, "psnr|squared",
        "what is minimised: minus the mean PSNR in dB, or half the squared distance to the clean image"),
    BT_OPT_CHOICE_OF("method", BtLearn, method, BT_METHOD_AUTO, BT_METHOD_CHOICES, "METHOD",
                     BT_METHOD_HELP "; auto: isgd for foe, maid for tv"),
    BT_OPT_TEXT("valid", 0, BtLearn, valid, NULL, "DIR", "clean images that the result is evaluated on"),
    BT_OPT_INT("valid-every", BtLearn, valid_every, 250, BT_POSITIVE, "N",
               "method isgd: iterations between two glances at the first 8 images of --valid"),
    BT_OPT_INT("images", BtLearn, images, 0, BT_NONNEGATIVE, "N",
               "learn from the first N images only; 0: all"),
    BT_OPT_TEXT("crop", 0, BtLearn, crop, NULL, "HxW",
                "learn from the central window of each image; with --crops, and method isgd (64x64), from "
                "random ones"),
    BT_OPT_INT("crops", BtLearn, crops, 0, BT_WITHIN(0, BT_MOST_WINDOWS), "N",
               "method maid: learn from N random windows of --crop (64x64) instead of images; 0: images"),
    BT_OPT_INT("batch", BtLearn, batch, 16, BT_WITHIN(1, BT_MOST_WINDOWS), "B",
               "method isgd: random windows, with fresh noise, of one iteration"),
    BT_OPT_TEXT("start", 0, BtLearn, start, NULL, "A,B,...|MODEL.json",
                "initial parameters, or a model to take them from; by default chosen by sigma"),
    BT_OPT_CHOICE("init", BtLearn, init, BT_LEARN_REGULAR, "regular|random",
                  "without --start: the regularizer's own start, or random filters by --seed"),
    BT_OPT_INT("seed", BtLearn, seed, 1, BT_NONNEGATIVE, "N", "seed of noise, windows and random starts"),
    BT_OPT_REAL(
        "white", BtLearn, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_END};

BtMethodKind bt_learn_method(const BtLearn *set) {
  static const char foe[] = "foe";
  if (set->method != BT_METHOD_AUTO) return (BtMethodKind)set->method;
  return set->regularizer == bt_choice_index(BT_REGULARIZER_CHOICES, foe, sizeof foe - 1) ? BT_METHOD_ISGD
                                                                                          : BT_METHOD_MAID;
}

static size_t learn_options(void *settings, BtOptionSet *sets) {
  BtLearn *learn = settings;
  size_t n = 0;
  sets[n++] = (BtOptionSet){options, learn, NULL};
  sets[n++] = (BtOptionSet){bt_keeping_options, &learn->keeping, "Log, checkpoint, time limit"};
  n += bt_method_option_sets(&learn->methods, 1, sets + n);
  sets[n++] = (BtOptionSet){bt_observing_options, &learn->observing, "Learning to deblur or to inpaint"};
  sets[n++] = (BtOptionSet){bt_lower_options, &learn->lower, "Lower-level solver"};
  return n;
}

/* --regularizer and its kin, --start, --init and --method, as errors of usage. */
static BtStatus check_start(BtContext *ctx, const BtLearn *learn) {
  BtRegularizer regularizer;
  BtStatus st = BT_OK;
  double *theta = NULL;
  BT_TRY(bt_learn_regularizer(ctx, learn, &regularizer));
  theta = calloc(regularizer.parameters, sizeof *theta);
  if (!theta) BT_TRY(bt_fail_memory(ctx, "parameters", 8.0 * (double)regularizer.parameters));
  BT_TRY(bt_learn_start(ctx, learn, &regularizer, theta));
  st = bt_method_check(ctx, &learn->methods, bt_learn_method(learn), regularizer.parameters);
done:
  free(theta);
  return st;
}

static BtStatus learn_check(BtApp *app, const void *settings) {
  const BtLearn *learn = settings;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtShape window;
  BT_TRY(bt_app_require(app, learn->train != NULL, "train"));
  BT_TRY(bt_app_require(app, learn->sigma > 0, "sigma"));
  BT_TRY(bt_app_require(app, learn->output != NULL, "output"));
  BT_TRY(bt_learn_window(ctx, learn, &window));
  if (learn->crops > 0 && bt_method_is_stochastic(bt_learn_method(learn)))
    BT_TRY(bt_fail(ctx, BT_ERR_ARG,
                   "--crops is for --method maid; isgd draws --batch windows at each iteration"));
  BT_TRY(bt_observing_check(ctx, &learn->observing));
  if (learn->valid && bt_observing(&learn->observing))
    BT_TRY(bt_fail(ctx, BT_ERR_ARG, "--valid denoises; evaluate with bitune restore --reference instead"));
  BT_TRY(bt_lower_check(ctx, &learn->lower));
  BT_TRY(check_start(ctx, learn));
done:
  return st;
}

static size_t learn_items(BtApp *app, const void *settings) {
  const BtLearn *learn = settings;
  BtImageSet set = {0};
  size_t count = 0;
  if (bt_method_is_stochastic(bt_learn_method(learn))) return (size_t)learn->batch;
  if (learn->crops > 0) return (size_t)learn->crops;
  if (bt_image_set_list(&app->ctx, &learn->train, 1, &set) >= 0) count = set.count;
  bt_image_set_clear(&set);
  /* A single file may be a stack of many pages. */
  if (count == 1) return 0;
  return learn->images > 0 && (size_t)learn->images < count ? (size_t)learn->images : count;
}

static int in_domain(const void *regularizer, const double *theta) {
  return bt_regularizer_accepts(regularizer, theta);
}

/* What a checkpoint must share with the run that resumes from it. */
static json_t *make_identity(const BtLearnRun *run) {
  const BtLearn *set = run->set;
  const BtRegularizer *reg = &run->model.regularizer;
  char method[40];
  json_t *id =
      json_pack("{s:s, s:s, s:s, s:s, s:s}", "format", "bitune-learn-checkpoint-1", "regularizer",
                reg->ops->name, "variant", bt_regularizer_variant_name(reg), "loss", run->loss.ops->name,
                "method", bt_choice_name(BT_METHOD_CHOICES, bt_learn_method(set), method, sizeof method));
  int bad = !id;
  bad |= json_object_set_new(id, "sigma", json_sprintf("%.17g", set->sigma));
  bad |= json_object_set_new(id, "seed", json_sprintf("%lld", (long long)set->seed));
  bad |= json_object_set_new(id, "images", json_sprintf("%d", (int)run->images));
  bad |= json_object_set_new(id, "training data", json_sprintf("%.17g", run->training.fingerprint));
  bad |= json_object_set_new(id, "observation",
                             json_sprintf("%s %.17g", run->observed.text, run->observed.ridge));
  if (reg->filters)
    bad |= json_object_set_new(
        id, "filters", json_sprintf("%d of %dx%d", (int)reg->filters, (int)reg->size, (int)reg->size));
  if (run->planes.count)
    bad |= json_object_set_new(id, "windows",
                               json_sprintf("%d of %dx%d", (int)run->count, (int)run->windows.shape.height,
                                            (int)run->windows.shape.width));
  if (!bad) return id;
  json_decref(id);
  return NULL;
}

/* ISGD's accuracies from an image's pixels to its 2-norm: a denoised pixel is off by about a third of the
 * noise, and the gradient of the loss, the adjoint's right-hand side, follows from that distance. What is
 * asked for is a size of the lower-level gradient; ε = ‖∇h‖/μ. */
static void set_isgd_units(const BtLearnRun *run, BtIsgdSettings *isgd) {
  const double root = sqrt((double)bt_shape_size(run->windows.shape)),
               distance = run->set->sigma / 255 / 3 * root;
  BtProblemConstants constants;
  run->problem.ops->constants(&run->problem, 0, run->model.theta, &constants);
  isgd->eps0 *= constants.mu > 0 ? root / constants.mu : root;
  isgd->delta0 *= run->set->loss == BT_LEARN_PSNR ? 20 / log(10) / distance : distance;
}

static void choose_method(BtLearnRun *run) {
  const BtMethodProblem problem = {.lo = run->lo, .hi = run->hi, .seed = (uint64_t)run->set->seed};
  bt_method_choose(&run->set->methods, bt_learn_method(run->set), &problem, &run->method);
  /* Proven errors of the hypergradient grow with 1/μ²; the ridge's μ leaves nothing of them. */
  if (run->observed.count && run->method.set.maid.direction_test == BT_MAID_AUTO)
    run->method.set.maid.direction_test = BT_MAID_ESTIMATED;
  if (run->method.ops->stochastic) set_isgd_units(run, &run->method.set.isgd);
}

/* Deblurring or inpainting, at the strength that `bitune restore` gives a model at its own noise level. */
static void pose_restoration(BtLearnRun *run) {
  run->restoration = (BtRestoration){.regularizer = &run->model.regularizer,
                                     .observations = run->observed.observations,
                                     .strength = 1,
                                     .ridge = run->observed.ridge};
  run->problem = bt_restoration_problem(&run->restoration, run->count);
  bt_restoration_add_twin(&run->problem, &run->restoration_twin);
}

/* The lower-level problems and, where the regularizer has it, their single-precision twin. */
static void pose_problem(BtLearnRun *run) {
  if (run->observed.count) {
    pose_restoration(run);
    return;
  }
  run->denoising = (BtDenoising){.regularizer = &run->model.regularizer, .images = run->noisy};
  run->problem = bt_denoising_problem(&run->denoising, run->count);
  bt_denoising_add_twin(&run->problem, &run->denoising_twin);
}

static BtStatus build(BtApp *app, BtLearnRun *run) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  const double *const *truth = (const double *const *)run->truth;
  pose_problem(run);
  choose_method(run);
  run->loss = run->set->loss == BT_LEARN_PSNR ? bt_negative_psnr(truth) : bt_squared_error(truth);
  BT_TRY(bt_bilevel_create(ctx, &run->problem, &run->loss, &run->set->lower, &app->team, in_domain,
                           &run->model.regularizer, &run->bilevel));
  if (run->method.ops->stochastic) bt_bilevel_sample(run->bilevel, bt_learn_draw, run);
  const BtOracle oracle = bt_bilevel_oracle(run->bilevel);
  st = bt_charted_create(ctx, &oracle, &run->model.regularizer, &run->charted, &run->oracle);
  if (st >= 0) st = run->method.ops->create(ctx, &run->method, run->problem.parameters, run->free);
  run->identity = make_identity(run);
  if (st >= 0 && !run->identity) st = bt_fail_memory(ctx, "a checkpoint", 1024);
  st = bt_team_agree(&app->team, ctx, st);
done:
  return st;
}

/* Its psnr must be there when the log writes. */
static BtStatus attach_validation(BtApp *app, BtLearnRun *run) {
  const BtLearn *set = run->set;
  const BtValidationSpec spec = {.folder = set->valid,
                                 .sigma = set->sigma,
                                 .white = set->white,
                                 .seed = set->seed,
                                 .every = set->valid_every,
                                 .regularizer = &run->model.regularizer,
                                 .lower = &set->lower};
  const BtStatus st = bt_validation_create(app, &spec, &run->validation);
  return st == BT_OK ? bt_context_observe(&app->ctx, bt_validation_event, &run->validation) : st;
}

/* Brings the run to the checkpoint's state. */
static BtStatus resume(BtApp *app, BtLearnRun *run) {
  const char *path = run->set->keeping.resume;
  const BtRegularizer *regularizer = &run->model.regularizer;
  BtStatus st = BT_OK;
  BT_TRY(bt_checkpoint_load(app, path, run->identity, &run->method, run->bilevel));
  bt_chart_apply(regularizer, run->method.ops->state(&run->method).theta, run->model.theta);
  if (!in_domain(regularizer, run->model.theta))
    BT_TRY(
        bt_fail(&app->ctx, BT_ERR_FORMAT, "%s: its parameters are outside the regularizer's domain", path));
done:
  return st;
}

/* Checkpoint and observers, from where the run goes on. */
static BtStatus attach(BtApp *app, BtLearnRun *run) {
  const BtLearn *set = run->set;
  BtStatus st = set->keeping.resume ? resume(app, run) : BT_OK;
  if (st == BT_OK && set->valid && run->method.ops->stochastic) st = attach_validation(app, run);
  if (st < 0 || st == BT_STOPPED) return st;
  const BtCheckpoint what = {
      .app = app, .identity = run->identity, .method = &run->method, .bilevel = run->bilevel};
  const BtLogSpec log = {.regularizer = &run->model.regularizer,
                         .stochastic = run->method.ops->stochastic,
                         .psnr_valid = run->validation.denoiser ? &run->validation.psnr : NULL};
  return bt_keeping_attach(app, &set->keeping, &what, &log, &run->keeping);
}

/* Model, log and checkpoint must be neither an image of the run nor one another. */
static BtStatus check_outputs(BtApp *app, const BtLearnRun *run) {
  const BtLearn *set = run->set;
  BtContext *ctx = &app->ctx;
  const char *const outputs[] = {set->output, set->keeping.log, bt_keeping_path(&set->keeping)};
  const char *folders[] = {set->train, set->valid};
  BtImageSet inputs = {0};
  BtStatus st = BT_OK;
  BT_TRY(bt_image_set_list(ctx, folders, set->valid ? 2 : 1, &inputs));
  BT_TRY(bt_outputs_apart(ctx, outputs, 3, &inputs));
  if (app->team.rank == 0) BT_TRY(bt_file_writable(ctx, set->output));
done:
  bt_image_set_clear(&inputs);
  return bt_team_agree(&app->team, ctx, st);
}

/* A run that was stopped by its time limit, or one of a stochastic method at any time, has a model to give.
 */
static BtStatus end_stopped(BtApp *app, BtLearnRun *run) {
  BtContext *ctx = &app->ctx;
  const BtStop stop = ctx->stop;
  const int stochastic = run->method.ops->stochastic;
  BtStatus st = BT_OK;
  if (bt_keeping_stopped(&run->keeping, stochastic)) return bt_learn_finish(app, run, 0);
  bt_keeping_tell(&run->keeping);
  if (!stochastic) return BT_STOPPED;
  /* A stop request must not end the writing too. */
  ctx->stop = (BtStop){0};
  st = bt_learn_finish(app, run, 1);
  ctx->stop = stop;
  return st >= 0 ? BT_STOPPED : st;
}

static void clear(BtLearnRun *run) {
  json_decref(run->identity);
  if (run->method.ops) run->method.ops->clear(&run->method);
  bt_charted_clear(&run->charted);
  bt_bilevel_destroy(run->bilevel);
  bt_validation_clear(&run->validation);
  bt_observed_clear(&run->observed);
  bt_windows_clear(&run->windows);
  bt_planes_clear(&run->planes);
  bt_training_set_clear(&run->training);
  bt_model_clear(&run->model);
  free(run->lo);
  free(run->hi);
  free(run->free);
}

static BtStatus learn_run(BtApp *app, void *settings) {
  BtLearnRun run = {.set = settings};
  BtContext *ctx = &app->ctx;
  BtStatus st = bt_team_agree(&app->team, ctx, bt_learn_model(ctx, &run));
  if (st == BT_OK) st = check_outputs(app, &run);
  if (st == BT_OK) st = bt_learn_data(app, &run);
  if (st == BT_OK) st = build(app, &run);
  if (st == BT_OK) st = attach(app, &run);
  if (st == BT_OK) {
    st = run.method.ops->run(ctx, &run.oracle, &run.method);
    if (st == BT_STOPPED)
      st = end_stopped(app, &run);
    else if (st >= 0)
      st = bt_learn_finish(app, &run, 0);
  }
  const BtStatus closed = bt_keeping_close(ctx, &run.keeping);
  if (closed < 0 && st >= 0) st = closed;
  st = bt_team_agree(&app->team, ctx, st);
  clear(&run);
  return st;
}

const BtCommand bt_cmd_learn = {
    .name = "learn",
    .group = BT_GROUP_LEARNING,
    .summary = "learn a regularizer's parameters from clean images",
    .usage = "--train DIR --sigma S -o MODEL.json [options]",
    .help =
        "Adds Gaussian noise to the clean images and finds the parameters with which denoising by the "
        "regularizer comes closest to them. The loss is the mean over images of minus the PSNR in dB, or "
        "with --loss "
        "squared of half the squared distance to the clean image, values in [0,1].\n\n"
        "Few parameters (tv) are learned by MAID: lower-level problems are solved only as accurately as each "
        "step "
        "needs, and a step is taken only when the bounds prove that the loss has decreased. The result "
        "carries proven "
        "bounds of the loss and of the hypergradient's error. Thousands of parameters (foe) are learned by "
        "ISGD: each "
        "iteration draws a batch of random windows of the images, turned and mirrored, with fresh noise, and "
        "takes a "
        "small step along the inexact hypergradient; the result is an average of the last iterates, judged "
        "on "
        "windows that no step has seen.\n\n"
        "Pages of a stack are images of their own, colour becomes luminance. --checkpoint keeps the run's "
        "state in one file; the same command with --resume FILE goes on from it and takes the very steps of "
        "an "
        "unbroken run. Interrupted, ISGD writes the model learned so far.\n\n"
        "MAID's accuracies are distances in the 2-norm per image, ISGD's are rms per pixel; see "
        "docs/methods.md for "
        "the algorithms and all symbols.",
    .examples =
        {{"bitune learn --regularizer tv --sigma 25 --train photos -o tv25.json --log run.csv",
          "A total-variation model for noise of standard deviation 25"},
         {"bitune learn --regularizer foe --sigma 25 --train photos -o foe25.json --valid test",
          "A field of experts, with the PSNR on other images as it learns"},
         {"bitune learn --sigma 25 --train photos -o tv25.json --checkpoint run.ckpt --resume run.ckpt",
          "The first, going on after an interruption"}},
    .flags = BT_USES_TEAM | BT_USES_PETSC,
    .min_operands = 0,
    .max_operands = 0,
    .settings_size = sizeof(BtLearn),
    .options = learn_options,
    .check = learn_check,
    .items = learn_items,
    .run = learn_run,
};

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "core/json.h"
#include "evaluation.h"
#include "log.h"
#include "outputs.h"
#include "regularizers/catalog.h"
#include "regularizers/model.h"
#include "size.h"
#include "training_set.h"
#include "version.h"

typedef struct {
  const char *train, *valid, *output, *crop, *start, *log, *checkpoint, *resume;
  int regularizer, variant, loss, method;
  double sigma, white;
  int64_t images, seed;
  BtMaidSettings maid;
  BtLowerSettings lower;
} Learn;

enum { MAID, MAID_PLAIN };
enum { PSNR, SQUARED };

static const BtOption options[] = {
    BT_OPT_TEXT("train", 0, Learn, train, NULL, "DIR", "clean images to learn from"),
    BT_OPT_REAL("sigma", Learn, sigma, NAN, BT_WITHIN(1e-6, 1e6), "S",
                "standard deviation of the noise on the 0..255 scale"),
    BT_OPT_TEXT("output", 'o', Learn, output, NULL, "MODEL.json", "model file to write"),
    BT_OPT_CHOICE("regularizer", Learn, regularizer, 0, BT_REGULARIZER_CHOICES, "family of regularizers"),
    BT_OPT_CHOICE("variant", Learn, variant, 0, BT_VARIANT_CHOICES, "member of the family"),
    BT_OPT_CHOICE(
        "loss", Learn, loss, PSNR, "psnr|squared",
        "what is minimised: minus the mean PSNR in dB, or half the squared distance to the clean image"),
    BT_OPT_CHOICE("method", Learn, method, MAID, "maid|maid-plain",
                  "accelerated MAID, or the algorithm of the paper step by step"),
    BT_OPT_TEXT("valid", 0, Learn, valid, NULL, "DIR", "clean images that the result is evaluated on"),
    BT_OPT_INT("images", Learn, images, 0, BT_NONNEGATIVE, "N", "learn from the first N images only; 0: all"),
    BT_OPT_TEXT("crop", 0, Learn, crop, NULL, "HxW", "learn from the central window of each image"),
    BT_OPT_TEXT("start", 0, Learn, start, NULL, "A,B,...", "initial parameters; by default chosen by sigma"),
    BT_OPT_INT("seed", Learn, seed, 1, BT_NONNEGATIVE, "N", "seed of the noise"),
    BT_OPT_REAL(
        "white", Learn, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_TEXT("log", 0, Learn, log, NULL, "FILE.csv", "outer iterations as a table, for bitune plot"),
    BT_OPT_TEXT("checkpoint", 0, Learn, checkpoint, NULL, "FILE",
                "keep the run's state in FILE while it goes on"),
    BT_OPT_TEXT("resume", 0, Learn, resume, NULL, "FILE",
                "go on from a checkpoint; every other option as before; FILE is kept up unless --checkpoint "
                "names another"),
    BT_OPT_END};

/* What a run holds. */
typedef struct {
  Learn *set;
  BtTrainingSet training;
  BtModel model; /* theta: the start, then the result */
  BtDenoising denoising;
  BtProblem problem;
  BtUpperLoss loss;
  BtBilevel *bilevel;
  BtMaid maid;
  BtCheckpoint checkpoint;
  json_t *identity;
  BtLog *log;
} Run;

static size_t learn_options(void *settings, BtOptionSet *sets) {
  Learn *learn = settings;
  sets[0] = (BtOptionSet){options, learn, NULL};
  sets[1] = (BtOptionSet){bt_maid_options, &learn->maid, "Method MAID"};
  sets[2] = (BtOptionSet){bt_lower_options, &learn->lower, "Lower-level solver"};
  return 3;
}

/* "a,b,…" into theta. */
static BtStatus parse_start(BtContext *ctx, const char *text, const BtRegularizer *reg, double *theta) {
  const char *at = text;
  for (size_t j = 0; j < reg->parameters; j++) {
    char *end;
    theta[j] = strtod(at, &end);
    const int last = j + 1 == reg->parameters;
    if (end == at || *end != (last ? '\0' : ','))
      return bt_fail(ctx, BT_ERR_ARG, "--start wants %zu numbers separated by commas, got \"%.80s\"",
                     reg->parameters, text);
    at = end + 1;
  }
  for (size_t j = 0; j < reg->parameters; j++) {
    double lo, hi;
    reg->ops->domain(reg, j, &lo, &hi);
    if (!(theta[j] >= lo && theta[j] <= hi))
      return bt_fail(ctx, BT_ERR_ARG, "--start: %s must be in [%g, %g], got %g",
                     reg->ops->parameter_name(reg, j), lo, hi, theta[j]);
  }
  return BT_OK;
}

static BtStatus find_regularizer(BtContext *ctx, const Learn *set, BtRegularizer *regularizer) {
  char name[64], variant[64];
  return bt_regularizer_find(ctx, bt_choice_name(BT_REGULARIZER_CHOICES, set->regularizer, name, sizeof name),
                             bt_choice_name(BT_VARIANT_CHOICES, set->variant, variant, sizeof variant),
                             regularizer);
}

/* --start, as an error of usage. */
static BtStatus check_start(BtContext *ctx, const Learn *learn) {
  BtRegularizer regularizer;
  BtStatus st = BT_OK;
  double *theta = NULL;
  if (!learn->start) return BT_OK;
  BT_TRY(find_regularizer(ctx, learn, &regularizer));
  theta = calloc(regularizer.parameters, sizeof *theta);
  if (!theta) BT_TRY(bt_fail_memory(ctx, "parameters", 8.0 * (double)regularizer.parameters));
  st = parse_start(ctx, learn->start, &regularizer, theta);
done:
  free(theta);
  return st;
}

static BtStatus learn_check(BtApp *app, const void *settings) {
  const Learn *learn = settings;
  BtStatus st = BT_OK;
  size_t height, width;
  BT_TRY(bt_app_require(app, learn->train != NULL, "train"));
  BT_TRY(bt_app_require(app, learn->sigma > 0, "sigma"));
  BT_TRY(bt_app_require(app, learn->output != NULL, "output"));
  if (learn->crop) BT_TRY(bt_parse_size(&app->ctx, "crop", learn->crop, &height, &width));
  if (!(learn->maid.lambda < learn->maid.eta))
    BT_TRY(bt_fail(&app->ctx, BT_ERR_ARG, "--lambda must be less than --eta, got %g and %g",
                   learn->maid.lambda, learn->maid.eta));
  if (!(learn->maid.eps0 > learn->maid.eps_floor && learn->maid.delta0 > learn->maid.eps_floor))
    BT_TRY(bt_fail(&app->ctx, BT_ERR_ARG, "--eps0 and --delta0 must exceed --eps-floor (%g)",
                   learn->maid.eps_floor));
  BT_TRY(bt_lower_check(&app->ctx, &learn->lower));
  BT_TRY(check_start(&app->ctx, learn));
done:
  return st;
}

static size_t learn_items(BtApp *app, const void *settings) {
  const Learn *learn = settings;
  BtImageSet set = {0};
  size_t count = 0;
  if (bt_image_set_list(&app->ctx, &learn->train, 1, &set) >= 0) count = set.count;
  bt_image_set_clear(&set);
  /* A single file may be a stack of many pages. */
  if (count == 1) return 0;
  return learn->images > 0 && (size_t)learn->images < count ? (size_t)learn->images : count;
}

static int in_domain(const void *regularizer, const double *theta) {
  return bt_regularizer_accepts(regularizer, theta);
}

static BtStatus choose_model(BtApp *app, Run *run) {
  const Learn *set = run->set;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(find_regularizer(ctx, set, &run->model.regularizer));
  run->model.sigma = set->sigma;
  run->model.theta = calloc(run->model.regularizer.parameters, sizeof *run->model.theta);
  if (!run->model.theta)
    return bt_fail_memory(ctx, "a model", 8.0 * (double)run->model.regularizer.parameters);
  if (set->start)
    BT_TRY(parse_start(ctx, set->start, &run->model.regularizer, run->model.theta));
  else
    run->model.regularizer.ops->initial(&run->model.regularizer, set->sigma / 255, run->model.theta);
done:
  return st;
}

static BtStatus load_training(BtApp *app, Run *run) {
  const Learn *set = run->set;
  BtTrainingSpec spec = {.folder = set->train,
                         .limit = (size_t)set->images,
                         .sigma = set->sigma,
                         .white = set->white,
                         .seed = set->seed};
  BtStatus st = BT_OK;
  if (set->crop) st = bt_parse_size(&app->ctx, "crop", set->crop, &spec.crop_height, &spec.crop_width);
  st = bt_team_agree(&app->team, &app->ctx, st);
  return st < 0 ? st : bt_training_set_load(app, &spec, &run->training);
}

/* What a checkpoint must share with the run that resumes from it. */
static json_t *make_identity(const Run *run) {
  char number[5][40], method[40];
  const Learn *set = run->set;
  snprintf(number[0], sizeof number[0], "%.17g", set->sigma);
  snprintf(number[1], sizeof number[1], "%lld", (long long)set->seed);
  snprintf(number[2], sizeof number[2], "%zu", run->training.count);
  snprintf(number[3], sizeof number[3], "%.17g", run->training.fingerprint);
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format", "bitune-learn-checkpoint-1",
                   "regularizer", run->model.regularizer.ops->name, "variant",
                   bt_regularizer_variant_name(&run->model.regularizer), "loss", run->loss.ops->name,
                   "method", bt_choice_name("maid|maid-plain", set->method, method, sizeof method), "sigma",
                   number[0], "seed", number[1], "images", number[2], "training data", number[3]);
}

static BtStatus build(BtApp *app, Run *run) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  run->set->maid.accelerated = run->set->method == MAID;
  run->denoising = (BtDenoising){.regularizer = &run->model.regularizer, .images = run->training.noisy};
  run->problem = bt_denoising_problem(&run->denoising, run->training.count);
  const double *const *truth = (const double *const *)run->training.truth;
  run->loss = run->set->loss == PSNR ? bt_negative_psnr(truth) : bt_squared_error(truth);
  BT_TRY(bt_bilevel_create(ctx, &run->problem, &run->loss, &run->set->lower, &app->team, in_domain,
                           &run->model.regularizer, &run->bilevel));
  st = bt_maid_create(ctx, &run->set->maid, run->problem.parameters, run->model.theta, &run->maid);
  run->identity = make_identity(run);
  if (st >= 0 && !run->identity) st = bt_fail_memory(ctx, "a checkpoint", 1024);
  st = bt_team_agree(&app->team, ctx, st);
done:
  return st;
}

/* Log and checkpoint, from where the run goes on. */
static BtStatus attach(BtApp *app, Run *run) {
  BtContext *ctx = &app->ctx;
  const Learn *set = run->set;
  BtStatus st = BT_OK;
  if (set->resume) {
    BT_TRY(bt_checkpoint_load(app, set->resume, run->identity, &run->maid, run->bilevel));
    if (!in_domain(&run->model.regularizer, run->maid.theta))
      BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: its parameters are outside the regularizer's domain",
                     set->resume));
  }
  if (set->log && app->team.rank == 0) {
    st = bt_log_open(ctx, set->log, (int64_t)run->problem.parameters, set->resume ? run->maid.iteration : -1,
                     &run->log);
    if (st >= 0) st = bt_context_observe(ctx, bt_log_event, run->log);
  }
  st = bt_team_agree(&app->team, ctx, st);
  if (st < 0) goto done;
  if (set->checkpoint || set->resume) {
    run->checkpoint = (BtCheckpoint){.app = app,
                                     .path = set->checkpoint ? set->checkpoint : set->resume,
                                     .identity = run->identity,
                                     .maid = &run->maid,
                                     .bilevel = run->bilevel};
    BT_TRY(bt_context_observe(ctx, bt_checkpoint_event, &run->checkpoint));
  }
done:
  return st;
}

/* Mean over images of PSNR at the last solutions. */
static double training_psnr(const Run *run, double *losses) {
  double sum = 0;
  if (run->set->loss == PSNR) return -run->maid.value.value;
  bt_bilevel_losses(run->bilevel, losses);
  for (size_t i = 0; i < run->training.count; i++) {
    const double mse = 2 * losses[i] / (double)bt_shape_size(run->training.noisy[i].shape);
    sum += -10 * log10(mse);
  }
  return sum / (double)run->training.count;
}

static void record(BtApp *app, const Run *run, double psnr) {
  const BtMaid *m = &run->maid;
  const BtOracle oracle = bt_bilevel_oracle(run->bilevel);
  const BtWork work = oracle.work(oracle.self);
  bt_app_put_real(app, "loss", m->value.value);
  bt_app_put(app, "loss_bounds", bt_json_reals((double[]){m->value.lower, m->value.upper}, 2));
  bt_app_put_real(app, "loss_bound", m->value.upper);
  bt_app_put_text(app, "certificate", bt_proof_name(m->value.proof));
  bt_app_put_real(app, "gradient_norm", m->gradient.norm);
  bt_app_put_real(app, "gradient_bound", m->gradient.bound);
  bt_app_put_real(app, "psnr_train", psnr);
  bt_app_put(app, "theta", bt_json_reals(m->theta, m->p));
  bt_app_put_int(app, "images", (int64_t)run->training.count);
  bt_app_put_int(app, "outer_iterations", m->iteration);
  bt_app_put_int(app, "lower_iterations", bt_work_total(&work));
  bt_app_put_int(app, "lower_gradients", work.gradients);
  bt_app_put_int(app, "hessian_products", work.hessian_products);
  bt_app_put_int(app, "hypergradients", work.hypergradients);
  bt_app_put_real(app, "seconds", m->seconds);
  bt_app_put(app, "converged", json_boolean(m->reason == BT_MAID_CONVERGED || m->reason == BT_MAID_FLOOR));
  bt_app_put_text(app, "reason", bt_maid_reason_name(m->reason));
  bt_app_put_text(app, "bitune", bt_version_text());
  bt_app_put(app, "settings", bt_app_settings_json(app));
}

static void report(BtApp *app, const Run *run, double psnr) {
  const BtMaid *m = &run->maid;
  const BtOracle oracle = bt_bilevel_oracle(run->bilevel);
  const BtWork work = oracle.work(oracle.self);
  bt_app_print(app, "%s after %lld outer iterations, %lld lower-level products, %.1f s\n",
               bt_maid_reason_name(m->reason), (long long)m->iteration, (long long)bt_work_total(&work),
               m->seconds);
  bt_app_print(app, "loss %.8g in [%.8g, %.8g] (%s), training PSNR %.2f dB\n", m->value.value, m->value.lower,
               m->value.upper, bt_proof_name(m->value.proof), psnr);
  bt_app_print(app, "hypergradient %.2e, error at most %.1e\n", m->gradient.norm, m->gradient.bound);
  for (size_t j = 0; j < m->p && j < 8; j++)
    bt_app_print(app, "  %-14s %.6f\n",
                 run->model.regularizer.ops->parameter_name(&run->model.regularizer, j), m->theta[j]);
  bt_app_print(app, "model written to %s\n", run->set->output);
}

static BtStatus validate(BtApp *app, const Run *run) {
  BtStatus st = BT_OK;
  BtImageSet set = {0};
  BtEvaluated *results = NULL;
  BtEvaluationMean mean;
  st = bt_image_set_list(&app->ctx, &run->set->valid, 1, &set);
  if (st >= 0 && !(results = calloc(set.count, sizeof *results)))
    st = bt_fail_memory(&app->ctx, "results", (double)set.count * sizeof *results);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st >= 0 && st != BT_STOPPED) {
    const BtEvaluation evaluation = {.regularizer = &run->model.regularizer,
                                     .theta = run->model.theta,
                                     .sigma = run->set->sigma,
                                     .tolerance = BT_DENOISE_TOLERANCE,
                                     .white = run->set->white,
                                     .seed = run->set->seed,
                                     .lower = &run->set->lower};
    st = bt_evaluate(app, &evaluation, &set, results, &mean);
  }
  if (st >= 0 && st != BT_STOPPED) {
    bt_app_put_real(app, "psnr_valid", mean.psnr);
    bt_app_print(app, "validation: %zu images, noisy %.2f dB, denoised %.2f dB, SSIM %.4f\n", mean.images,
                 mean.psnr_noisy, mean.psnr, mean.ssim);
  }
  free(results);
  bt_image_set_clear(&set);
  return st;
}

/* The model file is written before anything else can fail. */
static BtStatus finish(BtApp *app, Run *run) {
  BtStatus st = BT_OK;
  /* The losses kept are those of the last trial; asking again for the result's costs no solve. */
  BtOracle oracle = bt_bilevel_oracle(run->bilevel);
  BtInexactValue value;
  BT_TRY(oracle.value(oracle.self, &app->ctx, run->maid.theta, (double)INFINITY, (double)NAN, &value));
  double *losses = calloc(run->training.count, sizeof *losses);
  if (!losses) st = bt_fail_memory(&app->ctx, "losses", (double)run->training.count * 8);
  if (st >= 0) {
    const double psnr = training_psnr(run, losses);
    memcpy(run->model.theta, run->maid.theta, run->maid.p * sizeof *run->model.theta);
    record(app, run, psnr);
    if (app->team.rank == 0) st = bt_model_save(&app->ctx, run->set->output, &run->model, app->result);
    if (st >= 0) report(app, run, psnr);
  }
  free(losses);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st >= 0 && st != BT_STOPPED && run->set->valid) st = validate(app, run);
done:
  return st;
}

static void tell_where_to_resume(BtApp *app, const Run *run) {
  const char *from = run->checkpoint.written ? run->checkpoint.path : run->set->resume;
  if (from)
    bt_warn(&app->ctx, "stopped; go on with the same command and --resume %s", from);
  else if (run->checkpoint.path)
    bt_warn(&app->ctx, "stopped before the first checkpoint was written");
  else
    bt_warn(&app->ctx, "stopped without a checkpoint; --checkpoint FILE keeps one");
}

/* Model, log and checkpoint must be neither an image of the run nor one another. */
static BtStatus check_outputs(BtApp *app, const Run *run) {
  const Learn *set = run->set;
  BtContext *ctx = &app->ctx;
  const char *const outputs[] = {set->output, set->log, set->checkpoint ? set->checkpoint : set->resume};
  const char *folders[] = {set->train, set->valid};
  BtImageSet inputs = {0};
  BtStatus st = BT_OK;
  BT_TRY(bt_image_set_list(ctx, folders, set->valid ? 2 : 1, &inputs));
  BT_TRY(bt_outputs_apart(ctx, outputs, 3, &inputs));
done:
  bt_image_set_clear(&inputs);
  return bt_team_agree(&app->team, ctx, st);
}

static BtStatus learn_run(BtApp *app, void *settings) {
  Run run = {.set = settings};
  BtContext *ctx = &app->ctx;
  BtStatus st = bt_team_agree(&app->team, ctx, choose_model(app, &run));
  if (st == BT_OK) st = check_outputs(app, &run);
  if (st == BT_OK) st = load_training(app, &run);
  if (st == BT_OK) st = build(app, &run);
  if (st == BT_OK) st = attach(app, &run);
  if (st == BT_OK) {
    BtOracle oracle = bt_bilevel_oracle(run.bilevel);
    st = bt_maid_run(ctx, &oracle, &run.set->maid, &run.maid);
    if (st == BT_STOPPED) tell_where_to_resume(app, &run);
    if (st >= 0 && st != BT_STOPPED) {
      st = finish(app, &run);
      if (st == BT_OK && (run.maid.value.proof != BT_PROVEN || run.maid.reason == BT_MAID_STUCK))
        st = BT_NOT_CERTIFIED;
    }
  }
  const BtStatus closed = bt_log_close(ctx, run.log);
  if (closed < 0 && st >= 0) st = closed;
  st = bt_team_agree(&app->team, ctx, st);
  json_decref(run.identity);
  bt_maid_clear(&run.maid);
  bt_bilevel_destroy(run.bilevel);
  bt_training_set_clear(&run.training);
  bt_model_clear(&run.model);
  return st;
}

const BtCommand bt_cmd_learn = {
    .name = "learn",
    .group = BT_GROUP_LEARNING,
    .summary = "learn a regularizer's parameters from clean images",
    .usage = "--train DIR --sigma S -o MODEL.json [options]",
    .help =
        "Adds Gaussian noise to the clean images and finds the parameters with which denoising by the "
        "regularizer comes "
        "closest to them, by MAID: bilevel learning in which lower-level problems are solved only as "
        "accurately as each step needs, and a step is taken only when the bounds prove that the loss has "
        "decreased. The "
        "result carries proven bounds of the loss and of the hypergradient's error. The loss is the mean "
        "over images of "
        "minus the PSNR in dB, or with --loss squared of half the squared distance to the clean image, "
        "values in [0,1].\n\n"
        "Pages of a stack are images of their own, colour becomes luminance. --checkpoint keeps the run's "
        "state in one "
        "file; the same command with --resume FILE goes on from it and takes the very steps of an unbroken "
        "run.\n\n"
        "Accuracies are distances in the 2-norm per image; see docs/methods.md for the algorithm and all "
        "symbols.",
    .examples =
        {{"bitune learn --regularizer tv --sigma 25 --train photos -o tv25.json --log run.csv",
          "A total-variation model for noise of standard deviation 25"},
         {"bitune learn --sigma 25 --train photos -o tv25.json --checkpoint run.ckpt --resume run.ckpt",
          "The same, going on after an interruption"}},
    .flags = BT_USES_TEAM | BT_USES_PETSC,
    .min_operands = 0,
    .max_operands = 0,
    .settings_size = sizeof(Learn),
    .options = learn_options,
    .check = learn_check,
    .items = learn_items,
    .run = learn_run,
};

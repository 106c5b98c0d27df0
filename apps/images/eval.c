#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"
#include "images/evaluation.h"
#include "images/models.h"
#include "images/outputs.h"

typedef struct {
  const char *model, *csv;
  double sigma, tolerance, white;
  int64_t seed;
  int color, adapt;
  BtLowerSettings lower;
} Eval;

static const BtOption options[] = {
    BT_OPT_TEXT("model", 0, Eval, model, NULL, "MODEL",
                "model file, or name of a model that comes with bitune"),
    BT_OPT_REAL("sigma", Eval, sigma, NAN, BT_WITHIN(1e-6, 1e6), "S",
                "standard deviation of the noise on the 0..255 scale; by default the level the model was "
                "learned for"),
    BT_OPT_ADAPT(Eval, adapt),
    BT_OPT_INT("seed", Eval, seed, 1, BT_NONNEGATIVE, "N", "seed of the noise"),
    BT_OPT_REAL("tol", Eval, tolerance, BT_DENOISE_TOLERANCE, BT_POSITIVE, "EPS",
                "bound of the rms distance to the exact minimizer, per pixel on the [0,1] scale"),
    BT_OPT_CHOICE("color", Eval, color, BT_COLOR_OPPONENT, BT_COLOR_CHOICES,
                  "planes of a colour image that are denoised"),
    BT_OPT_REAL(
        "white", Eval, white, 0, BT_NONNEGATIVE, "V",
        "sample value that stands for white; 0 means the sample type's own (255, 65535, 1 for float)"),
    BT_OPT_TEXT("csv", 0, Eval, csv, NULL, "FILE", "table of all images"),
    BT_OPT_END};

static size_t eval_options(void *settings, BtOptionSet *sets) {
  Eval *eval = settings;
  sets[0] = (BtOptionSet){options, eval, NULL};
  sets[1] = (BtOptionSet){bt_lower_options, &eval->lower, "Lower-level solver"};
  return 2;
}

static BtStatus eval_check(BtApp *app, const void *settings) {
  const Eval *eval = settings;
  const BtStatus st = bt_app_require(app, eval->model != NULL, "model");
  return st < 0 ? st : bt_lower_check(&app->ctx, &eval->lower);
}

static size_t eval_items(BtApp *app, const void *settings) {
  (void)settings;
  return bt_app_count_images(app);
}

/* A CSV cell of text, quoted. */
static void put_text(FILE *stream, const char *text) {
  fputc('"', stream);
  for (; *text; text++) {
    if (*text == '"') fputc('"', stream);
    fputc(*text, stream);
  }
  fputc('"', stream);
}

static BtStatus write_csv(BtApp *app, const char *path, const BtImageSet *set, const BtEvaluated *results) {
  BtAtomicFile file = {0};
  BtStatus st = BT_OK;
  BT_TRY(bt_atomic_open(&app->ctx, path, &file));
  fprintf(file.stream,
          "image,pages,psnr_noisy,psnr,ssim,bound,certified,gradients,hessian_products,seconds,certificate,"
          "reached\n");
  for (size_t i = 0; i < set->count; i++) {
    const BtEvaluated *r = &results[i];
    if (r->failed) continue;
    put_text(file.stream, set->paths[i]);
    fprintf(file.stream, ",%.0f,%.6f,%.6f,%.8f,%.6g,%.0f,%.0f,%.0f,%.6f,%s,%.0f\n", r->pages, r->psnr_noisy,
            r->psnr, r->ssim, r->bound, r->certified, r->gradients, r->hessian_products, r->seconds,
            bt_proof_name((BtProof)r->proof), r->reached);
  }
  BT_TRY(bt_atomic_commit(&app->ctx, &file));
done:
  bt_atomic_abort(&file);
  return st;
}

static void report(BtApp *app, const BtImageSet *set, const BtEvaluated *results,
                   const BtEvaluationMean *mean, const char *model) {
  const char *words = bt_models_certificate(mean->proof, mean->certified, mean->reached);
  for (size_t i = 0; i < set->count; i++)
    if (!results[i].failed)
      bt_app_print(app, "%-32s  noisy %6.2f dB  denoised %6.2f dB  SSIM %.4f%s\n",
                   bt_path_base(set->paths[i]), results[i].psnr_noisy, results[i].psnr, results[i].ssim,
                   results[i].certified ? "" : "  not certified");
  bt_app_print(app, "mean of %zu images: noisy %.2f dB, denoised %.2f dB, SSIM %.4f, in %.1f s\n",
               mean->images, mean->psnr_noisy, mean->psnr, mean->ssim, bt_app_seconds(app));
  bt_app_print(app, "certificates: %s\nmodel: %s\n", words, model);
  bt_app_put_real(app, "psnr_mean", mean->psnr);
  bt_app_put_real(app, "psnr_noisy_mean", mean->psnr_noisy);
  bt_app_put_real(app, "ssim_mean", mean->ssim);
  bt_app_put_int(app, "images", (int64_t)mean->images);
  bt_app_put(app, "certified", json_boolean(mean->certified));
  bt_app_put_text(app, "certificate", bt_proof_name(mean->proof));
  bt_app_put_text(app, "certificate_text", words);
  bt_app_put(app, "reached", json_boolean(mean->reached));
  bt_app_put_real(app, "seconds", bt_app_seconds(app));
  bt_app_put(app, "settings", bt_app_settings_json(app));
}

static BtStatus eval_run(BtApp *app, void *settings) {
  Eval *eval = settings;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK, agreed;
  BtModelFiles files = {0};
  BtLevelModel level = {0};
  char text[600] = "";
  BtImageSet set = {0};
  BtEvaluated *results = NULL;
  BtEvaluationMean mean;
  BT_TRY(bt_models_find(ctx, eval->model, &files));
  BT_TRY(bt_model_library_load(ctx, &files, eval->sigma, (BtAdaptation)eval->adapt, &level));
  bt_models_describe(&files, &level, text, sizeof text);
  bt_app_put(app, "model", bt_models_json(&files, &level));
  BT_TRY(bt_image_set_list(ctx, app->operands, app->operand_count, &set));
  const char *const outputs[] = {eval->csv, files.files[level.file[0]].path};
  BT_TRY(bt_outputs_apart(ctx, outputs, 2, &set));
  if (eval->csv && app->team.rank == 0) BT_TRY(bt_file_writable(ctx, eval->csv));
  results = calloc(set.count, sizeof *results);
  if (!results) BT_TRY(bt_fail_memory(ctx, "results", (double)set.count * sizeof *results));
done:
  agreed = bt_team_agree(&app->team, ctx, st);
  if (agreed == BT_OK) {
    const BtEvaluation evaluation = {.regularizer = &level.model.regularizer,
                                     .theta = level.model.theta,
                                     .sigma = level.model.sigma,
                                     .tolerance = eval->tolerance,
                                     .white = eval->white,
                                     .seed = eval->seed,
                                     .color = (BtColor)eval->color,
                                     .lower = &eval->lower};
    agreed = bt_evaluate(app, &evaluation, &set, results, &mean);
    if (agreed >= 0 && agreed != BT_STOPPED) {
      report(app, &set, results, &mean, text);
      if (eval->csv && app->team.rank == 0) st = write_csv(app, eval->csv, &set, results);
      st = bt_team_agree(&app->team, ctx, st);
      if (st < 0) agreed = st;
    }
  }
  free(results);
  bt_image_set_clear(&set);
  bt_level_model_clear(&level);
  bt_model_files_clear(&files);
  return agreed;
}

const BtCommand bt_cmd_eval = {
    .name = "eval",
    .group = BT_GROUP_LEARNING,
    .summary = "measure how well a model denoises clean images",
    .usage = "--model MODEL [--sigma S] [options] IMAGE|DIR ...",
    .help =
        "Adds Gaussian noise to each clean image in memory, unclipped, denoises it with the model and "
        "compares with the "
        "clean image: PSNR and SSIM per image and in the mean. The noise is what bitune noise writes for the "
        "same seed and "
        "list of images. Pages of a stack are averaged.\n\n"
        "A model that was learned for another level than --sigma is adapted to it, see --adapt. The report "
        "says which "
        "file and level was used.\n\n"
        "A result is certified when the bound of its rms distance to the exact minimizer is proven and at "
        "most --tol. For "
        "models without a proof the report says so, and --tol bounds the gradient instead. Where --tol was "
        "not reached, the "
        "exit code is 3.",
    .examples = {{"bitune eval --model foe --sigma 25 --seed 1 bsd68", "Mean PSNR and SSIM of a test set"},
                 {"bitune eval --model tv25.json --csv all.csv --json bsd68",
                  "A table and machine-readable means"}},
    .flags = BT_USES_TEAM | BT_USES_PETSC,
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Eval),
    .options = eval_options,
    .check = eval_check,
    .items = eval_items,
    .run = eval_run,
};

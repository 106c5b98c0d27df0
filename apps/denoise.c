#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "core/file.h"
#include "core/json.h"
#include "imageio/file.h"
#include "imageio/metrics.h"
#include "lowerlevel/denoiser.h"
#include "outputs.h"
#include "regularizers/model.h"

typedef struct {
  const char *model, *output, *reference;
  double tolerance, white;
  int color;
  BtLowerSettings lower;
} Denoise;

static const BtOption options[] = {
    BT_OPT_TEXT("model", 0, Denoise, model, NULL, "MODEL.json", "model to denoise with"),
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

/* What is known of one image file afterwards; means over its pages. */
typedef struct {
  double psnr_noisy, psnr, ssim, bound, proof, certified, seconds, pages, done;
} Result;

#define FIELDS (sizeof(Result) / sizeof(double))

typedef struct {
  const Denoise *set;
  BtModel model;
  BtImageSet inputs, outputs;
  BtDenoiser *denoiser;
  Result *results;
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
  BT_TRY(bt_app_require(app, denoise->model != NULL, "model"));
  BT_TRY(bt_app_require(app, denoise->output != NULL, "output"));
  BT_TRY(bt_lower_check(&app->ctx, &denoise->lower));
done:
  return st;
}

static size_t denoise_items(BtApp *app, const void *settings) {
  (void)settings;
  return bt_app_count_images(app);
}

/* Quality of `image` against the reference's page, with the file's name in the error if the sizes differ. */
static BtStatus compare(BtContext *ctx, const char *path, const char *reference, const BtImage *image,
                        const BtImage *clean, double *psnr, double *ssim) {
  if (image->width != clean->width || image->height != clean->height || image->colors != clean->colors)
    return bt_fail(ctx, BT_ERR_ARG, "%s is %zux%zu with %d colours, its reference %s is %zux%zu with %d",
                   path, image->height, image->width, image->colors, reference, clean->height, clean->width,
                   clean->colors);
  BtStatus st = bt_image_psnr(ctx, image, clean, psnr);
  if (st >= 0 && ssim) st = bt_image_ssim(ctx, image, clean, ssim);
  return st;
}

static BtStatus denoise_page(BtApp *app, const Job *job, BtImageReader *reader, BtImageWriter *writer,
                             BtImageReader *reference, const char *reference_path, size_t i, size_t page,
                             Result *sum) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK, solved = BT_OK;
  BtImage image = {0}, clean = {0};
  BtDenoised outcome;
  double psnr;
  BT_TRY(bt_image_read_page(ctx, reader, page, &image));
  if (reference) {
    BT_TRY(bt_image_read_page(ctx, reference, page, &clean));
    BT_TRY(compare(ctx, job->inputs.paths[i], reference_path, &image, &clean, &psnr, NULL));
    sum->psnr_noisy += psnr;
  }
  st = bt_denoiser_apply(job->denoiser, ctx, job->set->tolerance, &image, &outcome);
  if (st < 0) {
    char text[BT_ERROR_TEXT];
    strcpy(text, ctx->error);
    BT_TRY(bt_fail(ctx, st, "%s: page %zu: %.900s", job->inputs.paths[i], page + 1, text));
  }
  if (st == BT_STOPPED) goto done;
  solved = st;
  sum->bound = fmax(sum->bound, outcome.bound);
  sum->proof = fmin(sum->proof, (double)outcome.proof);
  sum->certified = sum->certified && outcome.certified;
  BT_TRY(bt_image_write_page(ctx, writer, &image));
  if (reference) {
    double ssim;
    BT_TRY(compare(ctx, job->inputs.paths[i], reference_path, &image, &clean, &psnr, &ssim));
    sum->psnr += psnr;
    sum->ssim += ssim;
  }
  st = solved;
done:
  bt_image_clear(&image);
  bt_image_clear(&clean);
  return st;
}

static BtStatus denoise_image(void *user, BtApp *app, size_t i) {
  const Job *job = user;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK, worst = BT_OK;
  BtImageReader *reader = NULL, *reference = NULL;
  BtImageWriter *writer = NULL;
  char *partner = NULL;
  Result sum = {.certified = 1, .proof = BT_PROVEN};
  const double start = bt_app_clock();
  BT_TRY(bt_image_open(ctx, job->inputs.paths[i], job->set->white, &reader));
  const size_t pages = bt_image_pages(reader);
  if (job->set->reference) {
    BT_TRY(bt_image_set_partner(ctx, job->set->reference, job->inputs.paths[i], &partner));
    BT_TRY(bt_image_open(ctx, partner, job->set->white, &reference));
    if (bt_image_pages(reference) != pages)
      BT_TRY(bt_fail(ctx, BT_ERR_ARG, "%s has %zu pages, its reference %s has %zu", job->inputs.paths[i],
                     pages, partner, bt_image_pages(reference)));
  }
  BT_TRY(bt_image_create_file(ctx, job->outputs.paths[i], pages, reader, &writer));
  for (size_t page = 0; page < pages; page++) {
    BT_TRY(denoise_page(app, job, reader, writer, reference, partner, i, page, &sum));
    if (st == BT_STOPPED) goto done;
    if (st > worst) worst = st;
  }
  st = bt_image_commit(ctx, writer);
  writer = NULL;
  if (st < 0) goto done;
  sum.pages = (double)pages;
  sum.psnr_noisy /= sum.pages;
  sum.psnr /= sum.pages;
  sum.ssim /= sum.pages;
  sum.seconds = bt_app_clock() - start;
  sum.done = 1;
  job->results[i] = sum;
  st = worst;
done:
  bt_image_abandon(writer);
  bt_image_close(reference);
  bt_image_close(reader);
  free(partner);
  return st;
}

static BtStatus prepare(BtApp *app, Job *job) {
  BtContext *ctx = &app->ctx;
  const Denoise *set = job->set;
  BtStatus st = BT_OK;
  BT_TRY(bt_model_load(ctx, set->model, &job->model));
  BT_TRY(bt_image_set_list(ctx, app->operands, app->operand_count, &job->inputs));
  BT_TRY(bt_outputs_plan(ctx, &job->inputs, set->output, NULL, &job->outputs));
  BT_TRY(bt_make_folder(ctx, set->output));
  job->results = calloc(job->inputs.count, sizeof *job->results);
  if (!job->results) BT_TRY(bt_fail_memory(ctx, "results", (double)job->inputs.count * sizeof *job->results));
  BT_TRY(bt_denoiser_create(ctx, &job->model.regularizer, job->model.theta, &set->lower, (BtColor)set->color,
                            &job->denoiser));
done:
  return st;
}

static void report(BtApp *app, const Job *job) {
  json_t *rows = json_array();
  Result mean = {.certified = 1};
  for (size_t i = 0; i < job->inputs.count; i++) {
    const Result *r = &job->results[i];
    if (!r->done) continue;
    mean.done++;
    mean.psnr_noisy += r->psnr_noisy;
    mean.psnr += r->psnr;
    mean.ssim += r->ssim;
    mean.certified = mean.certified && r->certified;
    json_t *row =
        json_pack("{s:o, s:o, s:f, s:s, s:b, s:f}", "file", bt_app_text_json(job->inputs.paths[i]), "output",
                  bt_app_text_json(job->outputs.paths[i]), "bound", r->bound, "certificate",
                  bt_proof_name((BtProof)r->proof), "certified", r->certified != 0, "seconds", r->seconds);
    if (row && job->set->reference) {
      (void)json_object_set_new(row, "psnr_noisy", bt_json_real(r->psnr_noisy));
      (void)json_object_set_new(row, "psnr", bt_json_real(r->psnr));
      (void)json_object_set_new(row, "ssim", bt_json_real(r->ssim));
    }
    (void)json_array_append_new(rows, row);
    const char *certificate = r->certified            ? "proven"
                              : r->proof == BT_PROVEN ? "accuracy not reached"
                                                      : "not proven";
    if (job->set->reference)
      bt_app_print(app, "%-32s  noisy %6.2f dB  denoised %6.2f dB  SSIM %.4f  error <= %.1e (%s)\n",
                   bt_path_base(job->inputs.paths[i]), r->psnr_noisy, r->psnr, r->ssim, r->bound,
                   certificate);
    else
      bt_app_print(app, "%-32s  error <= %.1e (%s)\n", bt_path_base(job->inputs.paths[i]), r->bound,
                   certificate);
  }
  if (mean.done > 0 && job->set->reference) {
    bt_app_print(app, "mean: noisy %.2f dB, denoised %.2f dB, SSIM %.4f\n", mean.psnr_noisy / mean.done,
                 mean.psnr / mean.done, mean.ssim / mean.done);
    bt_app_put_real(app, "psnr_noisy_mean", mean.psnr_noisy / mean.done);
    bt_app_put_real(app, "psnr_mean", mean.psnr / mean.done);
    bt_app_put_real(app, "ssim_mean", mean.ssim / mean.done);
  }
  bt_app_print(app, "%.0f of %zu images written to %s in %.1f s\n", mean.done, job->inputs.count,
               job->set->output, bt_app_seconds(app));
  bt_app_put(app, "results", rows);
  bt_app_put_int(app, "images", (int64_t)mean.done);
  bt_app_put(app, "certified", json_boolean(mean.done > 0 && mean.certified));
  bt_app_put_real(app, "seconds", bt_app_seconds(app));
  bt_app_put(app, "settings", bt_app_settings_json(app));
}

static BtStatus denoise_run(BtApp *app, void *settings) {
  Job job = {.set = settings};
  BtContext *ctx = &app->ctx;
  BtStatus st = bt_team_agree(&app->team, ctx, prepare(app, &job));
  if (st == BT_OK) {
    st = bt_app_each(app, "images", (const char *const *)job.inputs.paths, job.inputs.count, denoise_image,
                     &job, NULL);
    if (st >= 0 && st != BT_STOPPED) {
      const BtStatus summed =
          app->team.sum(&app->team, ctx, (double *)job.results, job.inputs.count * FIELDS);
      if (summed < 0) st = summed;
    }
    if (st >= 0 && st != BT_STOPPED) report(app, &job);
  }
  bt_denoiser_destroy(job.denoiser);
  free(job.results);
  bt_image_set_clear(&job.inputs);
  bt_image_set_clear(&job.outputs);
  bt_model_clear(&job.model);
  return st;
}

const BtCommand bt_cmd_denoise = {
    .name = "denoise",
    .group = BT_GROUP_LEARNING,
    .summary = "denoise images with a learned model",
    .usage = "--model MODEL.json -o DIR [options] IMAGE|DIR ...",
    .help =
        "Writes a denoised version of each image under its own name into DIR, in its own format, bit depth, "
        "number of "
        "pages and size. A folder stands for its PNG and TIFF files. Transparency is carried over "
        "unchanged.\n\n"
        "The model fits the noise level it was learned for. Each result comes with a certificate: before it is "
        "rounded to the file's sample type, its rms distance per pixel to the exact minimizer of the model is "
        "proven to be at most the printed error. --tol says how large that may be; exit code 3 tells that it "
        "could not be reached.\n\n"
        "An image that cannot be read is reported by name and the others are done (exit code 1).",
    .examples = {{"bitune denoise --model tv25.json -o clean noisy", "Every image of the folder noisy"},
                 {"bitune denoise --model tv25.json --reference truth -o clean noisy/a.png stack.tif",
                  "PSNR and SSIM against clean images of the same names"}},
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

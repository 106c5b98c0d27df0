#include "images/restoring.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "imageio/file.h"
#include "imageio/metrics.h"
#include "images/models.h"
#include "images/outputs.h"

/* What is known of one image file afterwards; means over its pages, sums of work. */
typedef struct {
  double psnr_before, psnr, ssim, bound, gradient, proof, certified, reached, gradients, products, seconds, done;
  double notes[BT_RESTORING_NOTES];
} Result;

#define FIELDS (sizeof(Result) / sizeof(double))

typedef struct {
  const BtRestoring *set;
  BtImageSet inputs, outputs;
  Result *results;
} Job;

/* One file while it is worked on. */
typedef struct {
  const char *path, *reference_path;
  BtImageReader *reader, *reference;
  BtImageWriter *writer;
  Result sum;
} File;

/* Quality of `image` against the reference's page, with the file's name in the error if the sizes differ. */
static BtStatus compare(BtContext *ctx, const File *file, const BtImage *image, const BtImage *clean, double *psnr,
                        double *ssim) {
  if (image->width != clean->width || image->height != clean->height || image->colors != clean->colors)
    return bt_fail(ctx, BT_ERR_ARG, "%s is %zux%zu with %d colours, its reference %s is %zux%zu with %d", file->path,
                   image->height, image->width, image->colors, file->reference_path, clean->height, clean->width,
                   clean->colors);
  BtStatus st = bt_image_psnr(ctx, image, clean, psnr);
  if (st >= 0 && ssim) st = bt_image_ssim(ctx, image, clean, ssim);
  return st;
}

static void add_outcome(Result *sum, const BtDenoised *outcome) {
  sum->bound = fmax(sum->bound, outcome->bound);
  sum->gradient = fmax(sum->gradient, outcome->gradient);
  sum->proof = fmin(sum->proof, (double)outcome->proof);
  sum->certified = sum->certified && outcome->certified;
  sum->reached = sum->reached && outcome->reached;
  sum->gradients += (double)outcome->work.gradients;
  sum->products += (double)outcome->work.hessian_products;
}

static BtStatus restore_page(BtContext *ctx, const BtRestoring *set, File *file, size_t page) {
  BtStatus st = BT_OK, solved = BT_OK;
  BtImage image = {0}, clean = {0};
  BtDenoised outcome;
  double psnr, ssim;
  BT_TRY(bt_image_read_page(ctx, file->reader, page, &image));
  if (file->reference) {
    BT_TRY(bt_image_read_page(ctx, file->reference, page, &clean));
    BT_TRY(compare(ctx, file, &image, &clean, &psnr, NULL));
    file->sum.psnr_before += psnr;
  }
  st = set->restore(set->user, ctx, file->path, page, &image, &outcome);
  if (st < 0 || st == BT_STOPPED) goto done;
  solved = st;
  add_outcome(&file->sum, &outcome);
  if (set->note) set->note(set->user, file->sum.notes);
  BT_TRY(bt_image_write_page(ctx, file->writer, &image));
  if (file->reference) {
    BT_TRY(compare(ctx, file, &image, &clean, &psnr, &ssim));
    file->sum.psnr += psnr;
    file->sum.ssim += ssim;
  }
  st = solved;
done:
  bt_image_clear(&image);
  bt_image_clear(&clean);
  return st;
}

static BtStatus restore_image(void *user, BtApp *app, size_t i) {
  const Job *job = user;
  const BtRestoring *set = job->set;
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK, worst = BT_OK;
  File file = {.path = job->inputs.paths[i], .sum = {.certified = 1, .reached = 1, .proof = BT_PROVEN}};
  char *partner = NULL;
  const double start = bt_app_clock();
  BT_TRY(bt_image_open(ctx, file.path, set->white, &file.reader));
  const size_t pages = bt_image_pages(file.reader);
  if (set->reference) {
    BT_TRY(bt_image_set_partner(ctx, set->reference, file.path, &partner));
    file.reference_path = partner;
    BT_TRY(bt_image_open(ctx, partner, set->white, &file.reference));
    if (bt_image_pages(file.reference) != pages)
      BT_TRY(bt_fail(ctx, BT_ERR_ARG, "%s has %zu pages, its reference %s has %zu", file.path, pages, partner,
                     bt_image_pages(file.reference)));
  }
  BT_TRY(bt_image_create_file(ctx, job->outputs.paths[i], pages, file.reader, &file.writer));
  for (size_t page = 0; page < pages; page++) {
    BT_TRY(restore_page(ctx, set, &file, page));
    if (st == BT_STOPPED) goto done;
    if (st > worst) worst = st;
  }
  st = bt_image_commit(ctx, file.writer);
  file.writer = NULL;
  if (st < 0) goto done;
  file.sum.psnr_before /= (double)pages;
  file.sum.psnr /= (double)pages;
  file.sum.ssim /= (double)pages;
  file.sum.seconds = bt_app_clock() - start;
  file.sum.done = 1;
  job->results[i] = file.sum;
  st = worst;
done:
  bt_image_abandon(file.writer);
  bt_image_close(file.reference);
  bt_image_close(file.reader);
  free(partner);
  return st;
}

static const char *in_words(const Result *r) {
  return bt_models_certificate((BtProof)r->proof, r->certified != 0, r->reached != 0);
}

static json_t *row_json(const Job *job, size_t i, const char *key_before) {
  const Result *r = &job->results[i];
  json_t *row = json_pack("{s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:o, s:I, s:I, s:f}", "file", bt_app_text_json(job->inputs.paths[i]),
                          "output", bt_app_text_json(job->outputs.paths[i]), "bound", bt_json_real(r->bound),
                          "certificate", bt_proof_name((BtProof)r->proof), "certificate_text", in_words(r), "certified",
                          r->certified != 0, "reached", r->reached != 0, "gradient", bt_json_real(r->gradient), "gradients",
                          (json_int_t)r->gradients, "hessian_products", (json_int_t)r->products, "seconds", r->seconds);
  if (row && job->set->reference) {
    (void)json_object_set_new(row, key_before, bt_json_real(r->psnr_before));
    (void)json_object_set_new(row, "psnr", bt_json_real(r->psnr));
    (void)json_object_set_new(row, "ssim", bt_json_real(r->ssim));
  }
  return row;
}

static void print_row(BtApp *app, const Job *job, size_t i, const char *note) {
  const Result *r = &job->results[i];
  bt_app_print(app, "%-32s%s", bt_path_base(job->inputs.paths[i]), note);
  if (job->set->reference)
    bt_app_print(app, "  %s %6.2f dB  %s %6.2f dB  SSIM %.4f", job->set->before, r->psnr_before, job->set->after,
                 r->psnr, r->ssim);
  if (isfinite(r->bound))
    bt_app_print(app, "  error <= %.1e (%s)\n", r->bound, in_words(r));
  else
    bt_app_print(app, "  gradient %.1e (%s)\n", r->gradient, in_words(r));
}

static void report(BtApp *app, const Job *job) {
  char key[40], key_mean[48];
  Result mean = {.certified = 1, .reached = 1, .proof = BT_PROVEN};
  json_t *rows = json_array();
  snprintf(key, sizeof key, "psnr_%s", job->set->before);
  snprintf(key_mean, sizeof key_mean, "%s_mean", key);
  for (size_t i = 0; i < job->inputs.count; i++) {
    const Result *r = &job->results[i];
    if (!r->done) continue;
    mean.done++;
    mean.psnr_before += r->psnr_before;
    mean.psnr += r->psnr;
    mean.ssim += r->ssim;
    mean.certified = mean.certified && r->certified;
    mean.reached = mean.reached && r->reached;
    mean.proof = fmin(mean.proof, r->proof);
    json_t *row = row_json(job, i, key);
    char note[160] = "";
    if (row && job->set->tell) job->set->tell(job->set->user, r->notes, row, note, sizeof note);
    (void)json_array_append_new(rows, row);
    print_row(app, job, i, note);
  }
  if (mean.done > 0 && job->set->reference) {
    bt_app_print(app, "mean: %s %.2f dB, %s %.2f dB, SSIM %.4f\n", job->set->before, mean.psnr_before / mean.done,
                 job->set->after, mean.psnr / mean.done, mean.ssim / mean.done);
    bt_app_put_real(app, key_mean, mean.psnr_before / mean.done);
    bt_app_put_real(app, "psnr_mean", mean.psnr / mean.done);
    bt_app_put_real(app, "ssim_mean", mean.ssim / mean.done);
  }
  bt_app_print(app, "%.0f of %zu images written to %s in %.1f s\n", mean.done, job->inputs.count, job->set->output,
               bt_app_seconds(app));
  bt_app_put(app, "results", rows);
  bt_app_put_int(app, "images", (int64_t)mean.done);
  bt_app_put(app, "certified", json_boolean(mean.done > 0 && mean.certified));
  if (mean.done > 0) {
    bt_app_put_text(app, "certificate", bt_proof_name((BtProof)mean.proof));
    bt_app_put_text(app, "certificate_text", in_words(&mean));
  }
  bt_app_put_real(app, "seconds", bt_app_seconds(app));
  bt_app_put(app, "settings", bt_app_settings_json(app));
}

static BtStatus plan(BtApp *app, Job *job) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_image_set_list(ctx, app->operands, app->operand_count, &job->inputs));
  BT_TRY(bt_outputs_plan(ctx, &job->inputs, job->set->output, NULL, &job->outputs));
  BT_TRY(bt_make_folder(ctx, job->set->output));
  if (job->set->reference && bt_outputs_same_folder(job->set->reference, job->set->output))
    BT_TRY(bt_fail(ctx, BT_ERR_ARG, "--reference and --output must be different folders"));
  if (job->set->degradation)
    BT_TRY(bt_degradation_apart(ctx, job->set->degradation, job->set->output, &job->outputs));
  job->results = calloc(job->inputs.count, sizeof *job->results);
  if (!job->results) st = bt_fail_memory(ctx, "results", (double)job->inputs.count * sizeof *job->results);
done:
  return st;
}

BtStatus bt_restore_files(BtApp *app, const BtRestoring *restoring, BtStatus prepared) {
  Job job = {.set = restoring};
  BtContext *ctx = &app->ctx;
  if (prepared >= 0) prepared = plan(app, &job);
  BtStatus st = bt_team_agree(&app->team, ctx, prepared);
  if (st == BT_OK)
    st = bt_app_each(app, "images", (const char *const *)job.inputs.paths, job.inputs.count, restore_image, &job, NULL);
  if (st >= 0 && st != BT_STOPPED) {
    const BtStatus summed = app->team.sum(&app->team, ctx, (double *)job.results, job.inputs.count * FIELDS);
    if (summed < 0) st = summed;
  }
  if (st >= 0 && st != BT_STOPPED) report(app, &job);
  free(job.results);
  bt_image_set_clear(&job.inputs);
  bt_image_set_clear(&job.outputs);
  return st;
}

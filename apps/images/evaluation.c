#include "images/evaluation.h"

#include <math.h>
#include <string.h>

#include "imageio/file.h"
#include "imageio/metrics.h"
#include "images/outputs.h"

typedef struct {
  const BtEvaluation *evaluation;
  const BtImageSet *set;
  BtDenoiser *denoiser;
  BtEvaluated *results;
} Job;

#define FIELDS (sizeof(BtEvaluated) / sizeof(double))

/* Adds one page's figures to the file's sums. */
static BtStatus evaluate_page(BtApp *app, const Job *job, BtImageReader *reader, size_t i, size_t page,
                              BtEvaluated *sum) {
  BtContext *ctx = &app->ctx;
  const BtEvaluation *e = job->evaluation;
  BtStatus st = BT_OK, solved = BT_OK;
  BtImage clean = {0}, noisy = {0};
  BtDenoised outcome;
  double psnr_noisy, psnr, ssim;
  BT_TRY(bt_image_read_page(ctx, reader, page, &clean));
  BT_TRY(bt_image_copy(ctx, &clean, &noisy));
  bt_image_add_noise(&noisy, e->sigma, (unsigned long long)e->seed, bt_noise_stream(i, page));
  BT_TRY(bt_image_psnr(ctx, &noisy, &clean, &psnr_noisy));
  st = bt_denoiser_apply(job->denoiser, ctx, e->tolerance, &noisy, &outcome);
  if (st < 0) {
    char text[BT_ERROR_TEXT];
    strcpy(text, ctx->error);
    BT_TRY(bt_fail(ctx, st, "%s: page %zu: %.900s", job->set->paths[i], page + 1, text));
  }
  if (st == BT_STOPPED) goto done;
  solved = st;
  BT_TRY(bt_image_psnr(ctx, &noisy, &clean, &psnr));
  BT_TRY(bt_image_ssim(ctx, &noisy, &clean, &ssim));
  sum->psnr_noisy += psnr_noisy;
  sum->psnr += psnr;
  sum->ssim += ssim;
  sum->bound = fmax(sum->bound, outcome.bound);
  sum->gradient = fmax(sum->gradient, outcome.gradient);
  sum->proof = fmin(sum->proof, (double)outcome.proof);
  sum->reached = sum->reached && outcome.reached;
  sum->certified = sum->certified && outcome.certified;
  sum->gradients += (double)outcome.work.gradients;
  sum->hessian_products += (double)outcome.work.hessian_products;
  st = solved;
done:
  bt_image_clear(&clean);
  bt_image_clear(&noisy);
  return st;
}

static BtStatus evaluate_image(void *user, BtApp *app, size_t i) {
  const Job *job = user;
  BtStatus st = BT_OK, worst = BT_OK;
  BtImageReader *reader = NULL;
  BtEvaluated sum = {.certified = 1, .reached = 1, .proof = BT_PROVEN};
  const double start = bt_app_clock();
  BT_TRY(bt_image_open(&app->ctx, job->set->paths[i], job->evaluation->white, &reader));
  const size_t pages = bt_image_pages(reader);
  for (size_t page = 0; page < pages; page++) {
    BT_TRY(evaluate_page(app, job, reader, i, page, &sum));
    if (st == BT_STOPPED) goto done;
    if (st > worst) worst = st;
  }
  sum.pages = (double)pages;
  sum.psnr_noisy /= sum.pages;
  sum.psnr /= sum.pages;
  sum.ssim /= sum.pages;
  sum.seconds = bt_app_clock() - start;
  job->results[i] = sum;
  st = worst;
done:
  if (st < 0) job->results[i].failed = 1;
  bt_image_close(reader);
  return st;
}

static void average(const BtEvaluated *results, size_t count, BtEvaluationMean *mean) {
  *mean = (BtEvaluationMean){.certified = 1, .reached = 1, .proof = BT_PROVEN};
  for (size_t i = 0; i < count; i++) {
    if (results[i].failed) continue;
    mean->images++;
    mean->psnr_noisy += results[i].psnr_noisy;
    mean->psnr += results[i].psnr;
    if (!isnan(results[i].ssim)) mean->ssim += results[i].ssim, mean->with_ssim++;
    mean->certified = mean->certified && results[i].certified;
    mean->reached = mean->reached && results[i].reached;
    mean->proof = bt_proof_weaker(mean->proof, (BtProof)results[i].proof);
  }
  const double m = (double)mean->images;
  mean->psnr_noisy /= m;
  mean->psnr /= m;
  mean->ssim /= (double)mean->with_ssim;
  if (mean->images == 0) *mean = (BtEvaluationMean){.psnr_noisy = NAN, .psnr = NAN, .ssim = NAN};
}

BtStatus bt_evaluate(BtApp *app, const BtEvaluation *evaluation, const BtImageSet *set, BtEvaluated *results,
                     BtEvaluationMean *mean) {
  Job job = {.evaluation = evaluation, .set = set, .results = results};
  memset(results, 0, set->count * sizeof *results);
  BtStatus st = bt_denoiser_create(&app->ctx, evaluation->regularizer, evaluation->theta, evaluation->lower,
                                   evaluation->color, &job.denoiser);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st >= 0 && st != BT_STOPPED)
    st = bt_app_each(app, "images", (const char *const *)set->paths, set->count, evaluate_image, &job, NULL);
  if (st >= 0 && st != BT_STOPPED) {
    const BtStatus summed = app->team.sum(&app->team, &app->ctx, (double *)results, set->count * FIELDS);
    if (summed < 0) st = summed;
    average(results, set->count, mean);
  }
  bt_denoiser_destroy(job.denoiser);
  return st;
}

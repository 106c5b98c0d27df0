#include "learn/validation.h"

#include <math.h>
#include <stdlib.h>

#include "hypergrad/charted.h"
#include "imageio/file.h"
#include "imageio/metrics.h"
#include "imageio/set.h"
#include "images/outputs.h"

/* Rms per pixel: PSNR to about 0.01 dB. */
static const double tolerance = 3e-4;

static BtStatus load(BtValidation *v, const BtValidationSpec *spec, const char *path, size_t i) {
  BtContext *ctx = &v->app->ctx;
  BtImageReader *reader = NULL;
  BtStatus st = BT_OK;
  BT_TRY(bt_image_open(ctx, path, spec->white, &reader));
  BT_TRY(bt_image_read_page(ctx, reader, 0, &v->clean[i]));
  BT_TRY(bt_image_to_gray(ctx, &v->clean[i]));
  BT_TRY(bt_image_copy(ctx, &v->clean[i], &v->noisy[i]));
  bt_image_add_noise(&v->noisy[i], spec->sigma, (unsigned long long)spec->seed, bt_noise_stream(i, 0));
done:
  bt_image_close(reader);
  return st;
}

BtStatus bt_validation_create(BtApp *app, const BtValidationSpec *spec, BtValidation *v) {
  BtContext *ctx = &app->ctx;
  BtImageSet files = {0};
  BtStatus st = BT_OK;
  *v =
      (BtValidation){.app = app, .every = spec->every, .regularizer = spec->regularizer, .psnr = (double)NAN};
  BT_TRY(bt_image_set_list(ctx, &spec->folder, 1, &files));
  v->count = files.count < BT_MOST_VALIDATED ? files.count : BT_MOST_VALIDATED;
  v->theta = calloc(spec->regularizer->parameters, sizeof *v->theta);
  if (!v->theta) BT_TRY(bt_fail_memory(ctx, "validation", 8.0 * (double)spec->regularizer->parameters));
  BT_TRY(bt_denoiser_create(ctx, spec->regularizer, v->theta, spec->lower, BT_COLOR_OPPONENT, &v->denoiser));
  for (size_t i = 0; i < v->count; i++)
    if (bt_team_owns(&app->team, i)) BT_TRY(load(v, spec, files.paths[i], i));
done:
  bt_image_set_clear(&files);
  return bt_team_agree(&app->team, ctx, st);
}

void bt_validation_clear(BtValidation *v) {
  for (size_t i = 0; i < BT_MOST_VALIDATED; i++) {
    bt_image_clear(&v->clean[i]);
    bt_image_clear(&v->noisy[i]);
  }
  free(v->theta);
  bt_denoiser_destroy(v->denoiser);
  *v = (BtValidation){0};
}

static double psnr_of(BtValidation *v, size_t i) {
  BtContext *ctx = &v->app->ctx;
  BtImage image = {0};
  BtDenoised result;
  double psnr = (double)NAN;
  BtStatus st = bt_image_copy(ctx, &v->noisy[i], &image);
  if (st >= 0) st = bt_denoiser_apply(v->denoiser, ctx, tolerance, &image, &result);
  if (st < 0 || st == BT_STOPPED || bt_image_psnr(ctx, &image, &v->clean[i], &psnr) < 0) psnr = (double)NAN;
  bt_image_clear(&image);
  return psnr;
}

int bt_validation_event(void *user, const BtEvent *event) {
  BtValidation *v = user;
  BtApp *app = v->app;
  double psnr[BT_MOST_VALIDATED] = {0}, sum = 0;
  if (event->type != BT_EVENT_OUTER) return 0;
  const BtOuterEvent *e = &event->as.outer;
  v->psnr = (double)NAN;
  if (e->iteration % v->every != 0 && e->iteration != e->planned) return 0;
  bt_chart_apply(v->regularizer, e->theta, v->theta);
  for (size_t i = 0; i < v->count; i++)
    if (bt_team_owns(&app->team, i)) psnr[i] = psnr_of(v, i);
  if (app->team.sum(&app->team, &app->ctx, psnr, v->count) < 0) return 0;
  for (size_t i = 0; i < v->count; i++) sum += psnr[i];
  v->psnr = sum / (double)v->count;
  if (isnan(v->psnr)) return 0; /* stopped within */
  bt_app_print(app, "iteration %lld: validation PSNR %.3f dB, training loss %.5g, %.0f s\n",
               (long long)e->iteration, v->psnr, e->stochastic ? e->value_mean : e->value, e->seconds);
  return 0;
}

#include "lowerlevel/denoiser.h"

#include <stdlib.h>

#include "lowerlevel/denoising.h"

struct BtDenoiser {
  const double *theta;
  BtColor color;
  BtNoisyImage plane; /* the one being denoised */
  BtDenoising family;
  BtProblem problem;
  BtDenoisingTwin twin;
  BtLower *lower;
};

BtStatus bt_denoiser_create(BtContext *ctx, const BtRegularizer *regularizer, const double *theta,
                            const BtLowerSettings *settings, BtColor color, BtDenoiser **out) {
  BtDenoiser *d = calloc(1, sizeof *d);
  *out = NULL;
  if (!d) return bt_fail_memory(ctx, "a denoiser", sizeof *d);
  d->theta = theta;
  d->color = color;
  d->family = (BtDenoising){.regularizer = regularizer, .images = &d->plane};
  d->problem = bt_denoising_problem(&d->family, 1);
  bt_denoising_add_twin(&d->problem, &d->twin);
  const BtStatus st = bt_lower_create(ctx, &d->problem, settings, &d->lower);
  if (st < 0)
    free(d);
  else
    *out = d;
  return st;
}

void bt_denoiser_destroy(BtDenoiser *d) {
  if (!d) return;
  bt_lower_destroy(d->lower);
  free(d);
}

static BtStatus denoise_plane(void *denoiser, BtContext *ctx, double eps, double *plane, double *dual,
                              BtCertificate *cert) {
  BtDenoiser *d = denoiser;
  const size_t n = bt_shape_size(d->plane.shape);
  double *x = malloc(n * sizeof *x);
  if (!x) return bt_fail_memory(ctx, "denoising", (double)n * sizeof *x);
  d->plane.noisy = plane;
  const BtStatus st = bt_solve_plane(ctx, d->lower, d->theta, eps, n, x, dual, plane, cert);
  free(x);
  return st;
}

BtStatus bt_denoiser_apply(BtDenoiser *d, BtContext *ctx, double tolerance, BtImage *image,
                           BtDenoised *result) {
  const BtStatus st = bt_check_pixel_range(ctx, image);
  d->plane.shape = (BtShape){image->height, image->width};
  if (st < 0) return st;
  return bt_solve_planes(ctx, d->lower, bt_problem_dual_size(&d->problem, 0), d->color, tolerance,
                         denoise_plane, d, image, result);
}

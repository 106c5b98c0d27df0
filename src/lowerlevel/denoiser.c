#include "lowerlevel/denoiser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lowerlevel/denoising.h"

struct BtDenoiser {
  const double *theta;
  BtColor color;
  BtNoisyImage plane; /* the one being denoised */
  BtDenoising family, fast_family;
  BtRegularizer fast;
  BtProblem problem, fast_problem;
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
  if (bt_regularizer_single(regularizer, &d->fast)) {
    d->fast_family = (BtDenoising){.regularizer = &d->fast, .images = &d->plane};
    d->fast_problem = bt_denoising_problem(&d->fast_family, 1);
    d->problem.fast = &d->fast_problem;
  }
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

/* Beyond these the squares of differences leave the range in which inverse roots are formed. */
static BtStatus check_range(BtContext *ctx, const BtImage *image) {
  const size_t n = (size_t)image->colors * bt_image_plane_size(image);
  for (size_t i = 0; i < n; i++)
    if (!(fabs(image->pixels[i]) <= 1e9))
      return bt_fail(ctx, BT_ERR_ARG,
                     "a pixel is %g times white; give --white V, the sample value that stands for white",
                     image->pixels[i]);
  return BT_OK;
}

static BtStatus denoise_plane(BtDenoiser *d, BtContext *ctx, double eps, BtShape shape, double *plane,
                              double *dual, double *x, BtCertificate *cert) {
  d->plane = (BtNoisyImage){.shape = shape, .noisy = plane};
  const BtLowerPoint point = {.x = x, .dual = dual};
  bt_lower_cold_start(d->lower, 0, d->theta, point);
  const BtStatus st = bt_lower_solve(d->lower, ctx, 0, d->theta, eps, point, cert);
  if (st >= 0) memcpy(plane, x, bt_shape_size(shape) * sizeof *x);
  return st;
}

BtStatus bt_denoiser_apply(BtDenoiser *d, BtContext *ctx, double tolerance, BtImage *image,
                           BtDenoised *result) {
  BtStatus st = BT_OK, worst = BT_OK;
  const BtShape shape = {image->height, image->width};
  const size_t n = bt_shape_size(shape);
  const double eps = tolerance * sqrt((double)n);
  const BtWork before = bt_lower_work(d->lower);
  const int opponent = image->colors == 3 && d->color == BT_COLOR_OPPONENT;
  double *x = NULL, *dual = NULL;
  *result = (BtDenoised){.proof = BT_PROVEN, .reached = 1};
  d->plane.shape = shape;
  const size_t dual_size = bt_problem_dual_size(&d->problem, 0);
  BT_TRY(check_range(ctx, image));
  x = malloc(n * sizeof *x);
  dual = dual_size ? malloc(dual_size * sizeof *dual) : NULL;
  if (!x || (dual_size && !dual))
    BT_TRY(bt_fail_memory(ctx, "denoising", (double)(n + dual_size) * sizeof *x));
  if (opponent) bt_image_to_opponent(image);
  for (int c = 0; c < image->colors; c++) {
    BtCertificate cert;
    st = denoise_plane(d, ctx, eps, shape, bt_image_plane(image, c), dual, x, &cert);
    if (st < 0 || st == BT_STOPPED) goto done;
    if (st > worst) worst = st;
    bt_denoised_add(result, &cert, eps);
  }
  if (opponent) bt_image_from_opponent(image);
  result->bound = sqrt(result->bound / ((double)n * image->colors));
  result->gradient = sqrt(result->gradient / ((double)n * image->colors));
  result->certified = worst == BT_OK;
  st = result->reached ? BT_OK : BT_NOT_CERTIFIED;
done:
  result->work = bt_lower_work(d->lower);
  result->work.gradients -= before.gradients;
  result->work.hessian_products -= before.hessian_products;
  result->work.solves -= before.solves;
  free(x);
  free(dual);
  return st;
}

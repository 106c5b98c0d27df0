#include "lowerlevel/planes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

BtStatus bt_check_pixel_range(BtContext *ctx, const BtImage *image) {
  const size_t n = (size_t)image->colors * bt_image_plane_size(image);
  for (size_t i = 0; i < n; i++)
    if (!(fabs(image->pixels[i]) <= 1e9))
      return bt_fail(ctx, BT_ERR_ARG,
                     "a pixel is %g times white; give --white V, the sample value that stands for white",
                     image->pixels[i]);
  return BT_OK;
}

/* Bound and gradient add up as squares. */
static void add(BtDenoised *result, const BtCertificate *cert, double eps) {
  result->bound += cert->bound * cert->bound;
  result->gradient += cert->grad_norm * cert->grad_norm;
  result->proof = bt_proof_weaker(result->proof, cert->proof);
  if (!(cert->mu > 0 ? cert->bound <= eps : cert->grad_norm <= eps)) result->reached = 0;
}

static void finish(BtDenoised *result, double pixels, BtStatus worst) {
  result->bound = sqrt(result->bound / pixels);
  result->gradient = sqrt(result->gradient / pixels);
  result->certified = worst == BT_OK;
}

BtStatus bt_solve_plane(BtContext *ctx, BtLower *lower, const double *theta, double eps, size_t n, double *x,
                        double *dual, double *plane, BtCertificate *cert) {
  const BtLowerPoint point = {.x = x, .dual = dual};
  bt_lower_cold_start(lower, 0, theta, point);
  const BtStatus st = bt_lower_solve(lower, ctx, 0, theta, eps, point, cert);
  if (st >= 0) memcpy(plane, x, n * sizeof *x);
  return st;
}

BtStatus bt_solve_planes(BtContext *ctx, BtLower *lower, size_t dual_size, BtColor color, double tolerance,
                         BtPlaneSolve *solve, void *user, BtImage *image, BtDenoised *result) {
  BtStatus st = BT_OK, worst = BT_OK;
  const size_t n = bt_image_plane_size(image);
  const double eps = tolerance * sqrt((double)n);
  const int opponent = image->colors == 3 && color == BT_COLOR_OPPONENT;
  const BtWork before = bt_lower_work(lower);
  double *dual = dual_size ? malloc(dual_size * sizeof *dual) : NULL;
  *result = (BtDenoised){.proof = BT_PROVEN, .reached = 1};
  if (dual_size && !dual) return bt_fail_memory(ctx, "a dual variable", (double)dual_size * sizeof *dual);
  if (opponent) bt_image_to_opponent(image);
  for (int c = 0; c < image->colors; c++) {
    BtCertificate cert;
    st = solve(user, ctx, eps, bt_image_plane(image, c), dual, &cert);
    if (st < 0 || st == BT_STOPPED) goto done;
    if (st > worst) worst = st;
    add(result, &cert, eps);
  }
  if (opponent) bt_image_from_opponent(image);
  finish(result, (double)n * image->colors, worst);
  st = result->reached ? BT_OK : BT_NOT_CERTIFIED;
done:
  result->work = bt_lower_work(lower);
  result->work.gradients -= before.gradients;
  result->work.hessian_products -= before.hessian_products;
  result->work.solves -= before.solves;
  free(dual);
  return st;
}

#include "lowerlevel/restorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lowerlevel/blur.h"
#include "lowerlevel/mask.h"
#include "lowerlevel/restoration.h"

/* The problem and its faster twin share the observation. */
struct BtRestorer {
  const double *theta;
  BtRestorerSpec spec;
  BtOperator op; /* for images of op.shape */
  BtObservation plane;
  BtRestoration family;
  BtProblem problem;
  BtRestorationTwin twin;
  BtLower *lower;
  const BtRegularizer *regularizer;
  BtLowerSettings settings;
  const unsigned char *known; /* the mask of the image being restored, NULL with a kernel */
  double scale;               /* what a plane's accuracy is multiplied by, see gradient_scale() */
};

BtStatus bt_restorer_create(BtContext *ctx, const BtRegularizer *regularizer, const double *theta,
                            const BtLowerSettings *settings, const BtRestorerSpec *spec, BtRestorer **out) {
  BtRestorer *r = calloc(1, sizeof *r);
  *out = r;
  if (!r) return bt_fail_memory(ctx, "a restorer", sizeof *r);
  r->theta = theta;
  r->spec = *spec;
  r->regularizer = regularizer;
  r->settings = *settings;
  return BT_OK;
}

static void release(BtRestorer *r) {
  bt_lower_destroy(r->lower);
  r->lower = NULL;
  bt_operator_clear(&r->op);
}

void bt_restorer_destroy(BtRestorer *r) {
  if (!r) return;
  release(r);
  free(r);
}

/* Where no μ is proven the accuracy bounds the gradient. What A does not see is held by λR alone, whose
 * Hessian is λ times that of denoising, so the gradient that leaves such parts as accurate as denoising does
 * is λ times smaller. */
static double gradient_scale(const BtRestorer *r) {
  BtProblemConstants k;
  r->problem.ops->constants(&r->problem, 0, r->theta, &k);
  return k.mu > 0 ? 1 : fmin(1, r->spec.strength);
}

/* A blur serves all images of one shape; a mask is that of one image. */
static BtStatus prepare(BtRestorer *r, BtContext *ctx, BtShape shape, const unsigned char *known) {
  BtStatus st = BT_OK;
  const BtKernel *kernel = r->spec.kernel;
  if (kernel && r->op.ops && r->op.shape.height == shape.height && r->op.shape.width == shape.width)
    return BT_OK;
  release(r);
  if (kernel)
    BT_TRY(bt_blur(ctx, shape, kernel->height, kernel->width, kernel->taps, r->spec.boundary, &r->op));
  else
    BT_TRY(bt_mask(ctx, shape, known, &r->op));
  r->plane = (BtObservation){.shape = shape, .op = &r->op};
  r->family = (BtRestoration){.regularizer = r->regularizer,
                              .observations = &r->plane,
                              .strength = r->spec.strength,
                              .ridge = r->spec.ridge};
  r->problem = bt_restoration_problem(&r->family, 1);
  bt_restoration_add_twin(&r->problem, &r->twin);
  r->scale = gradient_scale(r);
  BT_TRY(bt_lower_create(ctx, &r->problem, &r->settings, &r->lower));
done:
  if (st < 0) release(r);
  return st;
}

/* centre ← the plane itself, or the mean of its known pixels, which alone are data. */
static void place_centre(size_t n, const unsigned char *known, double *plane, double *centre) {
  double sum = 0, count = 0;
  memcpy(centre, plane, n * sizeof *plane);
  if (!known) return;
  for (size_t i = 0; i < n; i++) {
    if (!known[i]) plane[i] = 0;
    sum += plane[i];
    count += known[i] != 0;
  }
  for (size_t i = 0; i < n; i++) centre[i] = sum / count;
}

static BtStatus restore_plane(void *restorer, BtContext *ctx, double eps, double *plane, double *dual,
                              BtCertificate *cert) {
  BtRestorer *r = restorer;
  const size_t n = bt_shape_size(r->op.shape);
  double *room = malloc(4 * n * sizeof *room), *x = room, *centre = room + n;
  if (!room) return bt_fail_memory(ctx, "restoring", 4.0 * (double)n * sizeof *room);
  place_centre(n, r->known, plane, centre);
  r->plane.data = plane;
  r->plane.centre = centre;
  r->plane.work = centre + n;
  const BtStatus st = bt_solve_plane(ctx, r->lower, r->theta, eps, n, x, dual, plane, cert);
  free(room);
  return st;
}

BtStatus bt_restorer_apply(BtRestorer *r, BtContext *ctx, double tolerance, const unsigned char *known,
                           BtImage *image, BtDenoised *result) {
  BtStatus st = BT_OK;
  *result = (BtDenoised){0};
  r->known = r->spec.kernel ? NULL : known;
  BT_TRY(bt_check_pixel_range(ctx, image));
  BT_TRY(prepare(r, ctx, (BtShape){image->height, image->width}, r->known));
  st = bt_solve_planes(ctx, r->lower, bt_problem_dual_size(&r->problem, 0), r->spec.color,
                       tolerance * r->scale, restore_plane, r, image, result);
done:
  return st;
}

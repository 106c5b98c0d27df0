/* lowerlevel/planes.h: an image solved plane by plane. */
#ifndef BITUNE_LOWERLEVEL_PLANES_H
#define BITUNE_LOWERLEVEL_PLANES_H

#include "imageio/image.h"
#include "lowerlevel/solve.h"

/* How the three planes of a colour image are treated; gray images are not concerned. */
typedef enum {
  BT_COLOR_OPPONENT, /* orthonormal luminance and chroma planes, each by itself  */
  BT_COLOR_CHANNELS  /* red, green and blue, each by itself                      */
} BtColor;

#define BT_COLOR_CHOICES "opponent|channels"

typedef struct {
  double bound;    /* per-pixel rms bound ‖x̃ − x̂‖/√n over all colour planes, [0,1] scale; infinite if proof is NONE */
  double gradient; /* per-pixel rms norm of the gradient at x̃, rounding allowance included */
  BtProof proof;   /* weakest of the planes                                               */
  int certified;   /* the bound is PROVEN and within what was asked for                   */
  int reached;     /* what was asked for was reached, proven or not: without a convexity constant μ that is the gradient
                      tolerance that stands in for εμ, ‖∇h‖ ≤ ε                           */
  BtWork work;
} BtDenoised;

/* Replaces plane[n] by its solution to accuracy eps (2-norm). dual: room for the problem's dual variable, or NULL. */
typedef BtStatus BtPlaneSolve(void *user, BtContext *ctx, double eps, double *plane, double *dual, BtCertificate *cert);

/* Solves problem 0 of `lower` from a cold start, in x[n], and copies the solution to plane[n]: the end of a
 * BtPlaneSolve. */
BtStatus bt_solve_plane(BtContext *ctx, BtLower *lower, const double *theta, double eps, size_t n, double *x,
                        double *dual, double *plane, BtCertificate *cert);

/* Every colour plane of `image` by solve(), alpha is kept. `tolerance` is per pixel, on [0,1]; `lower` is what solve()
 * uses, its work is counted. Returns BT_OK if the tolerance was reached, proven or in the sense of result->reached;
 * BT_NOT_CERTIFIED if not (`result` says how far), BT_STOPPED, or an error; on the last two the image's content is
 * undefined. BT_ERR_MEMORY besides. */
BtStatus bt_solve_planes(BtContext *ctx, BtLower *lower, size_t dual_size, BtColor color, double tolerance,
                         BtPlaneSolve *solve, void *user, BtImage *image, BtDenoised *result);

/* BT_ERR_ARG for values beyond ±1e9 times white: squares of differences would leave the range in which inverse roots are
 * formed. */
BtStatus bt_check_pixel_range(BtContext *ctx, const BtImage *image);

#endif

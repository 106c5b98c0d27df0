/* linesearch/gaussian_process_internal.h: Gaussian-process regression (Rasmussen & Williams 2006, chapters 2,
 * 4 and 5) on the unit cube:
 *
 *   y = m + σ²-process with correlation k(r), r² = Σ_j (x_j − x'_j)²/ℓ_j², + noise of variance τσ²
 *
 * m, σ² maximise the marginal likelihood in closed form, the length scales ℓ and τ by NLopt. */
#ifndef BITUNE_LINESEARCH_GAUSSIAN_PROCESS_INTERNAL_H
#define BITUNE_LINESEARCH_GAUSSIAN_PROCESS_INTERNAL_H

#include <stddef.h>

#include "core/context.h"

typedef enum { BT_GP_MATERN52, BT_GP_SQUARED_EXPONENTIAL } BtGpKernel;

/* Each parameter has a length scale of its own up to so many parameters, else all share one. */
#define BT_GP_MOST_SCALES 10

typedef struct {
  BtGpKernel kernel;
  size_t p, n, most;
  const double *x, *y; /* [n × p], [n], borrowed                          */
  double *factor;      /* [n × n] Cholesky factor of C + τI                */
  double *weights;     /* [n] (C + τI)⁻¹(y − m)                            */
  double *ones, *k;    /* [n] scratch                                     */
  double scales[BT_GP_MOST_SCALES];
  double noise;          /* τ                                               */
  double mean, variance; /* m, σ²                                          */
} BtGp;

BtStatus bt_gp_create(BtContext *ctx, BtGpKernel kernel, size_t p, size_t most, BtGp *gp);
void bt_gp_clear(BtGp *gp);

/* Length scales and noise from the first n values; deterministic. BT_ERR_LIBRARY. */
BtStatus bt_gp_fit(BtContext *ctx, BtGp *gp, size_t n, const double *x, const double *y);
/* Conditions on n values with the length scales and noise as they are; 0 if the matrix is not positive
 * definite. */
int bt_gp_condition(BtGp *gp, size_t n, const double *x, const double *y);
/* Log marginal likelihood of the last bt_gp_condition(), constants left out. */
double bt_gp_likelihood(const BtGp *gp);
/* Mean and standard deviation (without noise) at x[p]. */
void bt_gp_predict(BtGp *gp, const double *x, double *mean, double *deviation);

#endif

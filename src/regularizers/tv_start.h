/* regularizers/tv_start.h: a cheap first guess for TV denoising. */
#ifndef BITUNE_REGULARIZERS_TV_START_H
#define BITUNE_REGULARIZERS_TV_START_H

#include "core/status.h"
#include "regularizers/regularizer.h"

/* Runs `iterations` of fast gradient projection on the dual of unsmoothed TV denoising with weight `weight`,
 *   min ½‖y − Dᵀp‖² over |p| ≤ weight (pixelwise 2-norm if isotropic, else entrywise),
 * in single precision (Beck & Teboulle 2009). x[n] ← y − Dᵀp; dual[2n] ← p/weight. It is a start only: solvers go on
 * from it in double precision and certify. One iteration costs less than one gradient. BT_ERR_MEMORY leaves x and dual
 * untouched. */
BtStatus bt_tv_start(BtShape shape, int isotropic, double weight, const double *y, int iterations, double *x,
                     double *dual);

#endif

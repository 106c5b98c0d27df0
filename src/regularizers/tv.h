/* regularizers/tv.h: smoothed total variation.
 *
 *   anisotropic  R(x; θ) = e^θ0 Σ_p (√(d_x² + ν²) + √(d_y² + ν²)),
 *   isotropic    R(x; θ) = e^θ0 Σ_p √(d_x² + d_y² + ν²),              ν = e^θ1,
 *
 * with forward differences d_x, d_y that vanish at the last column and row (Neumann boundary). Rudin, Osher, Fatemi
 * 1992; smoothing and parametrisation as in Salehi et al. 2023, section 4. */
#ifndef BITUNE_REGULARIZERS_TV_H
#define BITUNE_REGULARIZERS_TV_H

#include "regularizers/regularizer.h"

typedef enum { BT_TV_ISOTROPIC, BT_TV_ANISOTROPIC } BtTvVariant;

/* Two parameters: log weight θ0 and log smoothing θ1. Owns nothing. */
BtRegularizer bt_tv(BtTvVariant variant);

#endif

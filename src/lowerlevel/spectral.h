/* lowerlevel/spectral.h: matrices that are diagonal in Fourier space, F* diag(symbol) F, on planes of one shape.
 *
 * Periodic boundary: F is the discrete Fourier transform and such a matrix a circulant (a convolution on the torus); the
 * symbol of a real symmetric one is real, and half of it says all. Reflecting boundary (half-sample symmetric): F is the
 * orthonormal DCT-II, and such a matrix a convolution, with a kernel even in both directions, of the extended image. */
#ifndef BITUNE_LOWERLEVEL_SPECTRAL_H
#define BITUNE_LOWERLEVEL_SPECTRAL_H

#include "core/context.h"
#include "regularizers/regularizer.h"

typedef enum { BT_BOUNDARY_REFLECT, BT_BOUNDARY_PERIODIC } BtBoundary;

#define BT_BOUNDARY_CHOICES "reflect|periodic"

typedef struct BtSpectral BtSpectral;

/* Plans and working memory; one thread at a time. Errors: BT_ERR_MEMORY. */
BtStatus bt_spectral_create(BtContext *ctx, BtShape shape, BtBoundary boundary, BtSpectral **spectral);
void bt_spectral_destroy(BtSpectral *spectral);

/* Number of frequencies a symbol is given at: all n (reflecting), or height·(width/2 + 1) (periodic). */
size_t bt_spectral_size(BtShape shape, BtBoundary boundary);
/* The same of a transform. */
size_t bt_spectral_frequencies(const BtSpectral *spectral);

/* out ← F* diag(symbol) F v; out may be v. */
void bt_spectral_multiply(const BtSpectral *spectral, const double *symbol, const double *v, double *out);

/* symbol ← that of the matrix whose entry between pixels p and p − t is taps[t + (rows/2, columns/2)] (integer divisions):
 * F's values of the taps, their real part if they are complex. Taps must be even in both directions for the reflecting
 * boundary, symmetric about their middle for the periodic one, or the matrix is not the one described. rows and columns
 * may exceed the shape: offsets wrap. Returns BT_OK or BT_ERR_MEMORY; sums go through no FFT, rows·n operations. */
BtStatus bt_spectral_symbol(const BtSpectral *spectral, size_t rows, size_t columns, const double *taps, double *symbol);

/* symbol ← that of BᵀB for the matrix B with such taps, |F's values|². Periodic: any taps; reflecting: even ones. */
BtStatus bt_spectral_power(const BtSpectral *spectral, size_t rows, size_t columns, const double *taps, double *symbol);

#endif

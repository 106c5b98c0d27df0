/* lowerlevel/torus.h: convolutions by FFT on a torus that holds an image.
 *
 * A torus has high × wide pixels, products of small primes, where FFTW is fastest, and carries one real plane
 * with its half spectrum. One thread uses a torus at a time; creating and destroying one needs a lock between
 * threads. */
#ifndef BITUNE_LOWERLEVEL_TORUS_H
#define BITUNE_LOWERLEVEL_TORUS_H

#include "core/context.h"
#include "regularizers/regularizer.h"

/* What a convolution sees beyond the image's edges: the half-sample symmetric extension (…b a | a b c…), or
 * the other side. */
typedef enum { BT_BOUNDARY_REFLECT, BT_BOUNDARY_PERIODIC } BtBoundary;

#define BT_BOUNDARY_CHOICES "reflect|periodic"

typedef struct {
  size_t high, wide;
  size_t stride;  /* doubles from row to row of the plane: 2(wide/2 + 1)  */
  double *plane;  /* [high][stride]; after forward() [high][wide/2 + 1] complex numbers, real and imaginary  */
  void *plans[2]; /* FFTW's */
} BtTorus;

/* At least high × wide. Plans are estimated, not timed, so that results do not depend on the machine's mood.
 * BT_ERR_MEMORY. */
BtStatus bt_torus_create(BtContext *ctx, size_t high, size_t wide, BtTorus *torus);
void bt_torus_clear(BtTorus *torus);

/* True if n has no prime factor above 7. */
int bt_torus_smooth(size_t n);

/* plane → spectrum and back, the latter times high·wide. */
void bt_torus_forward(const BtTorus *torus);
void bt_torus_backward(const BtTorus *torus);

/* Length of a symbol, one real number per complex one of the spectrum. */
static inline size_t bt_torus_frequencies(const BtTorus *torus) { return torus->high * (torus->stride / 2); }

/* out ← P F* diag(symbol) F Pᵀ v, F the unitary DFT and P the window of `shape` on the torus: for a positive
 * symbol a positive definite matrix, and where the window is the torus a circulant. out may be v. */
void bt_torus_multiply(const BtTorus *torus, BtShape shape, const double *symbol, const double *v,
                       double *out);

/* symbol ← Σ_t taps[t] e^{−i(t − middle)·ω}, its real part, at the torus's frequencies; taps[rows][columns]
 * with the middle at (rows/2, columns/2) (integer divisions). rows·high·wide operations, no FFT.
 * BT_ERR_MEMORY. */
BtStatus bt_torus_symbol(const BtTorus *torus, size_t rows, size_t columns, const double *taps,
                         double *symbol);

/* *least, *most ← extremes of |Σ_t taps[t] e^{−it·ω}|² over ω = 2π(i/high, j/wide), i < count_high, j <
 * count_wide. BT_ERR_MEMORY. */
BtStatus bt_power_extremes(size_t high, size_t count_high, size_t wide, size_t count_wide, size_t rows,
                           size_t columns, const double *taps, double *least, double *most);

#endif

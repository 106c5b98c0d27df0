/* regularizers/filter_bank.h: one sweep over an image with a bank of filters, the kernel of fields of experts.
 *
 * Response of filter k at pixel p = (r, c): t_k(p) = Σ_{i,j<s} taps[k][i][j] x̃(r + i − a, c + j − a), a = (s − 1)/2
 * (integer division), x̃ the half-sample symmetric extension of x (…b a | a b c…), repeated as often as needed.
 * C is the map x ↦ t, Cᵀ its exact adjoint: extension included. */
#ifndef BITUNE_REGULARIZERS_FILTER_BANK_H
#define BITUNE_REGULARIZERS_FILTER_BANK_H

#include "regularizers/regularizer.h"

typedef struct {
  size_t filters, size; /* K, s                     */
  const double *taps;   /* [K][s][s], borrowed       */
} BtFilterBank;

/* One image row of responses, as the sweep hands it to act(): t[j] is [K][stride], of which `columns` entries of each
 * filter are meant; float if the sweep is `single`, else double. Up to 15 entries after them may be read and written.
 * Rows come in order from 0. */
typedef struct {
  size_t row, columns, stride;
  void *t[2];
} BtBankRow;

/* For each row: t_j ← C_j image_j for the j < inputs; act() replaces t_j by g_j (for j ≥ inputs t_j comes in undefined);
 * then out ← Σ_{j < outputs} C_jᵀ g_j, and tap_sums[k][i][j] ← Σ_l Σ_p g_l,k(p) x̃_l(p + (i,j) − a), l < inputs.
 * C_j belongs to bank[j]; all banks have the same K and s. */
typedef struct {
  const BtFilterBank *bank[2];
  const double *image[2]; /* [shape] for j < inputs                                               */
  int inputs, outputs;    /* 0 to 2 each                                                          */
  double *out;            /* [shape]; NULL if outputs is 0                                        */
  double *tap_sums;       /* [K][s][s] or NULL                                                    */
  void (*act)(void *user, const BtBankRow *row);
  void *user;
  int single;             /* arithmetic and t in single precision; sums over rows always in double  */
} BtBankSweep;

/* Per pixel 2Ks² flops for each input, output and tap sum. Returns BT_OK or BT_ERR_MEMORY; no other way to fail. */
BtStatus bt_bank_sweep(const BtBankSweep *sweep, BtShape shape);

#endif

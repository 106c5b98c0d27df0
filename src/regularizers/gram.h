/* regularizers/gram.h: proven bounds of the norm of a symmetric matrix, for ‖A‖² = ‖AᵀA‖. */
#ifndef BITUNE_REGULARIZERS_GRAM_H
#define BITUNE_REGULARIZERS_GRAM_H

#include <stddef.h>

/* Upper bound of ‖G‖₂ for a symmetric G[n][n] (its upper triangle is used; overwritten): by squaring up to n
 * = 256, within a factor n^{1/128} ≤ 1.05, beyond by the smaller of the Frobenius and the row-sum norm. work
 * is [n][n], or NULL for n > 256. NAN if an entry is NaN. */
double bt_gram_norm(size_t n, double *g, double *work);

#endif

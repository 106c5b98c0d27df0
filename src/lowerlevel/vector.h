/* lowerlevel/vector.h: sums over plain arrays, in one place. */
#ifndef BITUNE_LOWERLEVEL_VECTOR_H
#define BITUNE_LOWERLEVEL_VECTOR_H

#include <float.h>
#include <math.h>
#include <stddef.h>

/* Unit roundoff of double. */
#define BT_ROUNDOFF (0.5 * DBL_EPSILON)

/* Σ a_i b_i. */
double bt_dot(const double *a, const double *b, size_t n);

/* ‖a‖₂ and ‖a − b‖₂; no scaling: entries are of moderate size. */
double bt_norm(const double *a, size_t n);
double bt_distance(const double *a, const double *b, size_t n);

/* Relative error of a sum of n terms of one sign, each computed with a few roundings: γ_{n+8}. */
static inline double bt_sum_rounding(size_t n) { return BT_ROUNDOFF * ((double)n + 8.0); }

#endif

/* nn/real.h: the number type of the networks.
 *
 * The library computes in single precision. The same sources compiled with NN_DOUBLE give the reference of
 * the tests, in which derivatives can be compared with finite differences to 1e-6; the two never meet in one
 * program. */
#ifndef BITUNE_NN_REAL_H
#define BITUNE_NN_REAL_H

#ifdef NN_DOUBLE
typedef double NnReal;
#define NN_REAL_EPSILON 2.220446049250313e-16
#else
typedef float NnReal;
#define NN_REAL_EPSILON 1.1920928955078125e-7
#endif

#endif

/* hypergrad/conformance_internal.h: what the files of the conformance suite share. */
#ifndef BITUNE_HYPERGRAD_CONFORMANCE_INTERNAL_H
#define BITUNE_HYPERGRAD_CONFORMANCE_INTERNAL_H

#include "hypergrad/conformance.h"

/* One problem with vectors to work in. */
typedef struct {
  const BtConform *set;
  const BtProblem *problem;
  size_t i, n, p, curvature_size, dual_size;
  const double *theta;
  uint64_t stream;            /* of the next random direction                   */
  double *x, *flat;           /* [n] the caller's point, its mean everywhere    */
  double *v[8];               /* [n] free                                       */
  double *curvature, *other_curvature;
  double *dual, *other_dual;  /* [dual_size]                                    */
  double *t[4];               /* [p] free                                       */
  double *norm_work;
  double *block;              /* all of them                                    */
} BtConformWork;

/* x NULL leaves x and flat unset. */
BtStatus bt_conform_begin(BtContext *ctx, const BtConform *conform, const double *x, BtConformWork *work);
void bt_conform_end(BtConformWork *work);

/* Tells the observer. */
void bt_conform_row(const BtConform *conform, BtConformCheck check, double measured);

/* Standard normal numbers; scaled to length 1. */
void bt_conform_random(BtConformWork *work, size_t n, double *v);
void bt_conform_random_unit(BtConformWork *work, size_t n, double *v);

/* a / b with 0/0 = 0. */
double bt_conform_ratio(double a, double b);

/* The larger and the smaller, NaN if one is NaN. */
double bt_conform_larger(double a, double b);
double bt_conform_smaller(double a, double b);

/* v ← v/‖v‖, returns ‖v‖; zero stays zero. */
double bt_conform_normalize(double *v, size_t n);

/* out ← H(x) v, preparing work->curvature. */
void bt_conform_hessian(BtConformWork *work, const double *x, const double *v, double *out);

/* Extreme Rayleigh quotients of the matrix prepared in work->curvature, by power iterations; *smallest includes what
 * rounding may have taken off. top[n] becomes a vector that comes near the largest; product[n] is scratch. */
void bt_conform_spectrum(BtConformWork *work, double *smallest, double *largest, double *top, double *product);

#endif

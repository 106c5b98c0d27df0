/* linesearch/quadratic_model_internal.h: the quadratic that takes given values at given points and has the
 * least Hessian in the Frobenius norm (Powell 2004; Conn, Scheinberg & Vicente 2009, chapter 5):
 *
 *   m(s) = c + gᵀs + ½ sᵀHs,   H = Σ_i λ_i s_i s_iᵀ,   [A X; Xᵀ 0][λ; c; g] = [f; 0],   A_ij = ½(s_iᵀs_j)²,
 * X = [1 s_iᵀ]
 *
 * p + 1 points give the linear interpolant, (p+1)(p+2)/2 the quadratic one, numbers between them what lies
 * between. */
#ifndef BITUNE_LINESEARCH_QUADRATIC_MODEL_INTERNAL_H
#define BITUNE_LINESEARCH_QUADRATIC_MODEL_INTERNAL_H

#include <stddef.h>

#include "core/context.h"

typedef struct {
  size_t p, most;     /* parameters, points at most                             */
  size_t n;           /* points of the current factor                           */
  double *points;     /* [n × p] displacements                                  */
  double *matrix;     /* [(n+1+p)²] factor                                      */
  double *work, *rhs; /* scratch                                                */
  int *pivots;
  double c, *g, *h;                /* m; h[p × p]                                            */
  double *lagrange_g, *lagrange_h; /* the last bt_quadratic_lagrange()          */
} BtQuadratic;

BtStatus bt_quadratic_create(BtContext *ctx, size_t p, size_t most, BtQuadratic *q);
void bt_quadratic_clear(BtQuadratic *q);

/* Factors the system of n ≥ p + 1 points (displacements[n × p], of order 1); 0 if they determine no model. */
int bt_quadratic_points(BtQuadratic *q, size_t n, const double *displacements);
/* c, g, h from values[n] at these points. */
void bt_quadratic_fit(BtQuadratic *q, const double *values);
/* The same for the Lagrange polynomial of point t (1 there, 0 at the others), into lagrange_g and lagrange_h;
 * its constant. */
double bt_quadratic_lagrange(BtQuadratic *q, size_t t);

/* gᵀs + ½ sᵀHs */
double bt_quadratic_change(size_t p, const double *g, const double *h, const double *s);
/* s ← a minimizer of gᵀs + ½ sᵀHs over lo ≤ s ≤ hi (0 inside) by descent along the coordinates, exact on
 * each: a local one, at most the best that any single coordinate gives. Returns the change, ≤ 0. */
double bt_quadratic_minimize(size_t p, const double *g, const double *h, const double *lo, const double *hi,
                             double *s);

#endif

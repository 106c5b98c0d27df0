/* tests/conformance/quadratic.h: a problem family with closed forms,
 *
 *   h_i(x; θ) = ½ xᵀA(θ)x − b_iᵀx,  A(θ) = Q diag(d_j + e^θ_{j mod m}) Qᵀ,  g_i(x) = ½‖x − x*_i‖²,
 *
 * with a reflection Q, so that all is explicit in the coordinates y = Qᵀx. */
#ifndef BITUNE_TESTS_CONFORMANCE_QUADRATIC_H
#define BITUNE_TESTS_CONFORMANCE_QUADRATIC_H

#include <stdint.h>

#include "hypergrad/upper_loss.h"
#include "lowerlevel/problem.h"

#define QUADRATIC_IMAGES 3

typedef struct {
  size_t n, m;
  double *u;                          /* [n] Q = I − 2uuᵀ, ‖u‖ = 1          */
  double *d;                          /* [n] > 0                            */
  double *c[QUADRATIC_IMAGES];        /* [n] Qᵀb_i                          */
  double *target[QUADRATIC_IMAGES];   /* [n] Qᵀx*_i                         */
  double *truth[QUADRATIC_IMAGES];    /* [n] x*_i                           */
  double *block;
} Quadratic;

/* Returns 0 if out of memory. */
int quadratic_create(Quadratic *quadratic, size_t n, size_t m, uint64_t seed);
void quadratic_clear(Quadratic *quadratic);

BtProblem quadratic_problem(const Quadratic *quadratic);
BtUpperLoss quadratic_loss(const Quadratic *quadratic);

/* x[n] ← x̂_i(θ). */
void quadratic_solution(const Quadratic *quadratic, size_t i, const double *theta, double *x);
/* g_i(x̂_i(θ)) and its gradient[m]. */
double quadratic_value(const Quadratic *quadratic, size_t i, const double *theta, double *gradient);
/* Minimum over θ of the mean of the values, by a search in each coordinate: they do not interact. */
double quadratic_minimum(const Quadratic *quadratic, double *theta);

#endif

/* lowerlevel/quasi_newton.h: the L-BFGS direction (Liu & Nocedal 1989) in few passes over memory.
 *
 * The direction is a combination of the stored s and y and of the gradient, whose coefficients follow from their inner
 * products (Chen, Wang, Zhou 2014): an iteration is one pass that updates the products and one that forms the sum. Pairs and
 * gradient are kept in single precision, products are summed in single within blocks and in double over them: any pairs with sᵀy > 0 make a positive definite
 * matrix, and points and gradients of the caller stay double. */
#ifndef BITUNE_LOWERLEVEL_QUASI_NEWTON_H
#define BITUNE_LOWERLEVEL_QUASI_NEWTON_H

#include <stddef.h>

#define BT_QUASI_NEWTON_MEMORY_MAX 32

typedef struct {
  size_t n;
  int memory, count, next;  /* pairs at most, pairs held, place of the next one */
  float *vectors;           /* [2·memory + 1][n]: s, y by place, then the gradient; owned */
  double products[2 * BT_QUASI_NEWTON_MEMORY_MAX + 1][2 * BT_QUASI_NEWTON_MEMORY_MAX + 1];
} BtQuasiNewton;

/* 1 <= memory <= BT_QUASI_NEWTON_MEMORY_MAX. Returns 0 where memory ran out. */
int bt_quasi_newton_create(size_t n, int memory, BtQuasiNewton *qn);
void bt_quasi_newton_clear(BtQuasiNewton *qn);

/* Forgets all pairs; gradient[n] is that of the point where the next direction starts. */
void bt_quasi_newton_start(BtQuasiNewton *qn, const double *gradient);

/* The step step·direction led to gradient[n]: takes the pair, unless its curvature is not positive, in place of the oldest.
 * The gradient before is `before`. Returns whether the pair was taken. */
int bt_quasi_newton_update(BtQuasiNewton *qn, double step, const float *direction, const double *before,
                           const double *gradient);

/* direction[n] ← −B·gradient, the gradient of the last call; its inner product with that gradient, by the coefficients, is
 * returned. Without pairs it is −gradient. */
double bt_quasi_newton_direction(const BtQuasiNewton *qn, float *direction);

#endif

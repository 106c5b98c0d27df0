/* hypergrad/upper_loss.h: g_i(x), what a solution of lower-level problem i is judged by. */
#ifndef BITUNE_HYPERGRAD_UPPER_LOSS_H
#define BITUNE_HYPERGRAD_UPPER_LOSS_H

#include <stddef.h>

typedef struct BtUpperLoss BtUpperLoss;

typedef struct {
  const char *name;
  /* Returns g_i(x) and writes gradient[n] ← ∇g_i(x). */
  double (*value_grad)(const BtUpperLoss *loss, size_t i, size_t n, const double *x, double *gradient);
  double lipschitz; /* L_g: ‖∇g(x) − ∇g(x')‖ ≤ L_g ‖x − x'‖                         */
  int convex;       /* 1 if every g_i is convex: the lower bound drops its square term */
} BtUpperLossOps;

struct BtUpperLoss {
  const BtUpperLossOps *ops;
  const void *data;
};

/* g_i(x) = ½‖x − x*_i‖²; truth[i] is x*_i, borrowed, NULL for images of other ranks. */
BtUpperLoss bt_squared_error(const double *const *truth);

#endif

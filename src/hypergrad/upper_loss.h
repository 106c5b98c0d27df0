/* hypergrad/upper_loss.h: g_i(x), what a solution of lower-level problem i is judged by. */
#ifndef BITUNE_HYPERGRAD_UPPER_LOSS_H
#define BITUNE_HYPERGRAD_UPPER_LOSS_H

#include <math.h>
#include <stddef.h>

typedef struct BtUpperLoss BtUpperLoss;

typedef struct {
  double least, most;
} BtInterval;

/* (−∞, ∞) */
static inline BtInterval bt_interval_all(void) { return (BtInterval){-(double)INFINITY, (double)INFINITY}; }

/* g_i and its gradient at one point. */
typedef struct {
  double value; /* g_i(x)                   */
  double slope; /* ‖∇g_i(x)‖₂                */
  /* Optional (0): for losses whose sums are not of one sign. */
  double rounding;          /* of value, absolute                             */
  double gradient_rounding; /* ‖computed ∇g_i − ∇g_i‖₂ beyond that of `slope`  */
  double curvature;         /* Lipschitz constant of ∇g_i, for losses that have their own */
} BtUpperPoint;

typedef struct {
  const char *name; /* the word in --loss */

  /* Evaluates g_i at x[n] and writes gradient[n] ← ∇g_i(x). */
  BtUpperPoint (*evaluate)(const BtUpperLoss *loss, size_t i, size_t n, const double *x, double *gradient);
  /* Bounds of g_i on the ball of radius eps around the point, rounding of the n-term sums included; lower may be −∞. */
  void (*bounds)(BtUpperPoint at, size_t n, double eps, double *lower, double *upper);
  /* The same on the part of that ball where ∇g_iᵀe, e the step from the point, lies in `along`. */
  void (*bounds_along)(BtUpperPoint at, size_t n, double eps, BtInterval along, double *lower, double *upper);
  /* Lipschitz constant of ∇g_i on that ball; may be infinite. */
  double (*lipschitz)(BtUpperPoint at, double eps);
} BtUpperLossOps;

struct BtUpperLoss {
  const BtUpperLossOps *ops;
  const void *data;
};

/* g_i(x) = ½‖x − x*_i‖², convex, L_g = 1: U = g + ‖∇g‖ε + ½ε², Lo = g − ‖∇g‖ε (Salehi et al. 2023).
 * truth[i] is x*_i, borrowed, NULL for images of other ranks. */
BtUpperLoss bt_squared_error(const double *const *truth);

/* g_i(x) = 10 log₁₀(‖x − x*_i‖²/n), minus the PSNR in dB. A function of the distance r alone, so on a ball of radius
 * ε < r it lies between its values at r − ε and r + ε, and ∇g has the Lipschitz constant 20/ln 10/(r − ε)². */
BtUpperLoss bt_negative_psnr(const double *const *truth);

#endif

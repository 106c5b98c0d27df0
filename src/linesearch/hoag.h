/* linesearch/hoag.h: HOAG, hyperparameter optimization with approximate gradient (Pedregosa 2016), and
 * gradient descent with a constant step at a fixed accuracy.
 *
 *   θ_{k+1} = Π[θ_k − z_k/L_k],   z_k ≈ ∇f(θ_k) to accuracies ε_k, δ_k that a schedule fixes beforehand
 *
 * Π is the projection on the domain. L follows the values found: it falls by 5 % after a step whose decrease
 * is what a gradient of Lipschitz constant L promises, and doubles, the step being taken back, after one that
 * raises f by a fifth. No bound of the hypergradient is asked for, values are taken at their word. */
#ifndef BITUNE_LINESEARCH_HOAG_H
#define BITUNE_LINESEARCH_HOAG_H

#include <stdint.h>

#include "core/option.h"
#include "core/oracle.h"
#include "core/safetensors.h"

typedef enum { BT_HOAG_EXPONENTIAL, BT_HOAG_QUADRATIC, BT_HOAG_CUBIC } BtHoagSchedule;

typedef struct {
  double eps0, delta0; /* accuracies of the first iteration                                              */
  double eps_floor;    /* no accuracy is finer                                                           */
  int schedule; /* BtHoagSchedule: ε_k = ε₀·0.9^{k−1}, ε₀/k², ε₀/k³, k = 1, 2, …; δ_k alike         */
  double first_step; /* 1/L₁; 0: 1/(p‖z₁‖), as in the author's program                                  */
  double tolerance; /* converged when ‖z‖ ≤ tolerance·|f|, entries that the domain holds back left out */
  int64_t max_outer, max_work; /* budgets; max_work counts gradients and Hessian products, 0: none        */
  int constant; /* 1: ε₀, δ₀ and first_step are held: gradient descent. No option                  */
  const double *lo, *hi; /* [p] domain of θ, borrowed; NULL: none. No options                               */
} BtHoagSettings;

extern const BtOption bt_hoag_options[];

typedef enum {
  BT_HOAG_RUNNING,
  BT_HOAG_CONVERGED,
  BT_HOAG_STUCK, /* L has doubled beyond all measure: no step is short enough */
  BT_HOAG_BUDGET,
  BT_HOAG_STOPPED
} BtHoagReason;

/* "converged", …; static storage. */
const char *bt_hoag_reason_name(BtHoagReason reason);

/* A run between two iterations; all of it but z and the gradient is in a checkpoint. */
typedef struct {
  size_t p;
  double *theta;    /* [p] current iterate                                                     */
  double *previous; /* [p] the one before, which a rejected step goes back to                   */
  double *best;     /* [p] the result: the iterate with the smallest upper bound of f (value, where bounds are
                       infinite) */
  double *z;        /* [p] last hypergradient                                                   */
  int64_t iteration;
  double lipschitz;           /* L; 0 before the first step                                              */
  double refinement;          /* what rejected steps have made of the accuracies, a power of ½            */
  double old_value, old_eps;  /* at previous                                                         */
  int compare;                /* 1 if the iterate comes from a step that is still to be judged             */
  BtInexactGradient gradient; /* of the last iteration                                              */
  BtInexactValue value;       /* at best                                                                 */
  double seconds;             /* of earlier parts of the run                                             */
  BtHoagReason reason;
} BtHoag;

/* A run that starts at theta[p], copied. BT_ERR_ARG where theta is outside the domain, BT_ERR_MEMORY. */
BtStatus bt_hoag_create(BtContext *ctx, const BtHoagSettings *settings, size_t p, const double *theta,
                        BtHoag *hoag);
void bt_hoag_clear(BtHoag *hoag);

/* Runs to the end: a BT_EVENT_OUTER after each hypergradient, of the iterate it belongs to, accepted = 0 for
 * one that is taken back. Returns BT_OK (converged), BT_MAX_ITERS, BT_STEP_FAILED (stuck), BT_STOPPED, or an
 * error: BT_ERR_NUMERIC names the iteration whose hypergradient is not finite. */
BtStatus bt_hoag_run(BtContext *ctx, BtOracle *oracle, const BtHoagSettings *settings, BtHoag *hoag);

/* State as tensors "hoag.*"; declare() and save() on a writer, load() into a created run of the same p. */
BtStatus bt_hoag_declare(BtContext *ctx, const BtHoag *hoag, BtTensorWriter *writer);
BtStatus bt_hoag_save(BtContext *ctx, const BtHoag *hoag, BtTensorWriter *writer);
BtStatus bt_hoag_load(BtContext *ctx, BtTensorReader *reader, BtHoag *hoag);

#endif

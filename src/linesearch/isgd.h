/* linesearch/isgd.h: ISGD, inexact stochastic hypergradient descent (Salehi, Mukherjee, Roberts, Ehrhardt 2024,
 * arXiv:2412.12049).
 *
 *   θ_{k+1} = Π[θ_k − α_k d_k],   z_k ≈ ∇f_k(θ_k) to accuracy ε_k = ε₀/(k+1)^p
 *
 * with f_k the mean over the sample that the oracle draws for step k, d_k = z_k or its scaling by Adam's moments (Kingma &
 * Ba 2015), and Π the projection on a box. No bound of f is used: steps are not tested but made small. What is returned is
 * a running average of the iterates (polynomial decay, Shamir & Zhang 2013). */
#ifndef BITUNE_LINESEARCH_ISGD_H
#define BITUNE_LINESEARCH_ISGD_H

#include <stdint.h>

#include "core/option.h"
#include "core/oracle.h"
#include "core/safetensors.h"

typedef enum { BT_ISGD_ADAM, BT_ISGD_UNSCALED } BtIsgdScaling;
typedef enum { BT_ISGD_COSINE, BT_ISGD_POWER } BtIsgdDecay;

typedef struct {
  int64_t iterations;
  double rate;           /* α₀                                                                        */
  int decay;             /* BtIsgdDecay: α_k = α₀ (1 + cos(πk/iterations))/2 or α₀/(k+1)^rate_power    */
  double rate_power;     /* q                                                                         */
  double eps0, delta0;   /* accuracies of the first step, in the oracle's unit                         */
  double accuracy_power; /* p, for both                                                               */
  int scaling;           /* BtIsgdScaling                                                             */
  double beta1, beta2;   /* Adam's memories                                                           */
  double average;        /* share of the iterations, the last ones, over which the average reaches; 0: none */
  int64_t max_work;      /* gradients and Hessian products at most, 0: no limit. No option                */
  const double *lo, *hi; /* [p] box of θ, borrowed; NULL: none. No options                              */
} BtIsgdSettings;

/* Defaults in the units of a program that converts them: eps0 per-pixel rms, delta0 relative. */
extern const BtOption bt_isgd_options[];

typedef enum { BT_ISGD_RUNNING, BT_ISGD_DONE, BT_ISGD_BUDGET, BT_ISGD_STOPPED } BtIsgdReason;

/* "all iterations done", …; static storage. */
const char *bt_isgd_reason_name(BtIsgdReason reason);

/* A run between two iterations; all of it is in a checkpoint. */
typedef struct {
  size_t p;
  double *theta;              /* [p] current iterate                                    */
  double *average;            /* [p] the result                                         */
  double *moment1, *moment2;  /* [p] Adam's, biased                                     */
  double *z;                  /* [p] last hypergradient, not in a checkpoint            */
  int64_t iteration;          /* k, steps taken                                         */
  double value_mean;          /* moving average of f_k(θ_k) over some 50 steps, unbiased */
  BtInexactGradient gradient; /* of the last step, not in a checkpoint                  */
  double seconds;             /* of earlier parts of the run                            */
  BtIsgdReason reason;
} BtIsgd;

/* A run that starts at theta[p], copied. BT_ERR_ARG where theta is outside the box, BT_ERR_MEMORY. */
BtStatus bt_isgd_create(BtContext *ctx, const BtIsgdSettings *settings, size_t p, const double *theta, BtIsgd *isgd);
void bt_isgd_clear(BtIsgd *isgd);

/* Runs until settings->iterations are done: a BT_EVENT_OUTER after each, at which the state can be saved; its theta is
 * the average. Returns BT_OK, BT_MAX_ITERS (max_work) or BT_STOPPED (the average is usable), or an error: BT_ERR_NUMERIC
 * names the iteration whose hypergradient is not finite. Inexact solves that missed their accuracy do not end the run. */
BtStatus bt_isgd_run(BtContext *ctx, BtOracle *oracle, const BtIsgdSettings *settings, BtIsgd *isgd);

/* State as tensors "isgd.*"; declare() and save() on a writer, load() into a created run of the same p. */
BtStatus bt_isgd_declare(BtContext *ctx, const BtIsgd *isgd, BtTensorWriter *writer);
BtStatus bt_isgd_save(BtContext *ctx, const BtIsgd *isgd, BtTensorWriter *writer);
BtStatus bt_isgd_load(BtContext *ctx, BtTensorReader *reader, BtIsgd *isgd);

#endif

/* core/oracle.h: the inexact oracle, all that an outer method knows of a bilevel problem
 *
 *   min_θ f(θ) = (1/m) Σ_i g_i(x̂_i(θ)) + r(θ),   x̂_i(θ) = argmin_x h_i(x, θ).
 *
 * Tolerance flows down, certified error flows up: the method chooses the accuracies ε (of x̂) and δ (of the adjoint
 * solve) and receives bounds. Salehi, Mukherjee, Roberts, Ehrhardt 2023 (MAID); Ehrhardt & Roberts 2023. */
#ifndef BITUNE_CORE_ORACLE_H
#define BITUNE_CORE_ORACLE_H

#include <stdint.h>

#include "core/context.h"
#include "core/work.h"

typedef struct {
  double value;   /* f at the inexact solutions x̃_i                                     */
  double lower;   /* ≤ f(θ), MAID eq. for Lo(x̃, ε), averaged over images                */
  double upper;   /* ≥ f(θ), U(x̃, ε)                                                    */
  double eps;     /* largest bound of ‖x̃_i − x̂_i‖₂ reached                              */
  BtProof proof;  /* kind of the bounds: the weakest of all images                       */
} BtInexactValue;

typedef struct {
  double norm;      /* ‖z‖₂                                                              */
  double bound;     /* ω ≥ ‖z − ∇f(θ)‖₂                                                  */
  double bound_adjoint; /* the share of `bound` that comes from δ; the rest comes from ε   */
  double estimate;  /* estimate of ‖z − ∇f(θ)‖₂ (dual-weighted residual, a tenth of it after correction); NAN if not
                       asked for                                                         */
  double uncorrected; /* what `estimate` was before z was corrected; equal to it where z was not         */
  double eps;       /* largest bound of ‖x̃_i − x̂_i‖₂ reached                            */
  double delta;     /* largest adjoint residual norm reached                             */
  BtProof proof;    /* kind of `bound`                                                   */
  BtInexactValue value; /* f and its bounds at the same x̃                                */
} BtInexactGradient;

/* What gradient() is asked for besides z, added up. */
enum {
  BT_WANT_BOUND = 1,   /* `bound`, `bound_adjoint` and a proof; without it they are infinite and NONE, and cost nothing */
  BT_WANT_ESTIMATE = 2, /* `estimate`                                                                        */
  BT_WANT_CORRECTED = 4 /* with BT_WANT_ESTIMATE: z less its estimated error, a vector; `bound` and `estimate` are of it */
};

typedef struct BtOracle BtOracle;
struct BtOracle {
  void *self;
  int64_t parameters; /* length of θ                                                     */

  /* Evaluates f to lower-level accuracy eps. May stop at a coarser accuracy as soon as the bounds decide the question
   * "f ≤ threshold?": upper ≤ threshold or lower > threshold; pass a NAN threshold for the full accuracy.
   * Returns BT_OK, BT_NOT_CERTIFIED (eps is below what rounding allows; out says what was reached), BT_STOPPED,
   * or an error. */
  BtStatus (*value)(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                    BtInexactValue *out);

  /* Forms z[parameters] ≈ ∇f(θ) from solutions to eps and adjoint solves to residual delta; want says
   * what is computed besides (BT_WANT_…). Returns as value(). */
  BtStatus (*gradient)(void *self, BtContext *ctx, const double *theta, double eps, double delta, int want,
                       double *z, BtInexactGradient *out);

  /* Work done since creation, summed over the team. */
  BtWork (*work)(const void *self);

  /* Optional (NULL): tells the oracle that θ is the accepted iterate, whose solutions future warm starts use. */
  void (*accept)(void *self, const double *theta);

  /* Optional (NULL): stochastic oracles draw the sample of step k, k ≥ 0; the same k gives the same sample. f is then the
   * mean over that sample. Collective. */
  BtStatus (*draw)(void *self, BtContext *ctx, int64_t k);
};

#endif

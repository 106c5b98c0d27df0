/* hypergrad/bilevel.h: the inexact oracle of a bilevel problem (core/oracle.h), images dealt over a team.
 *
 * f(θ) = (1/m) Σ_i g_i(x̂_i(θ)). Solutions, dual variables and adjoints are kept as warm starts: for the accepted
 * iterate and for one trial. Memory per own image of n pixels: 2 (n + dual) + n doubles besides the data. */
#ifndef BITUNE_HYPERGRAD_BILEVEL_H
#define BITUNE_HYPERGRAD_BILEVEL_H

#include "core/oracle.h"
#include "core/safetensors.h"
#include "core/team.h"
#include "hypergrad/upper_loss.h"
#include "lowerlevel/solve.h"

typedef struct BtBilevel BtBilevel;

/* True where θ is acceptable; outside f counts as +∞. NULL accepts all. */
typedef int BtDomainTest(const void *data, const double *theta);

/* All borrowed but settings. Errors: BT_ERR_ARG (no images), BT_ERR_MEMORY, BT_ERR_LIBRARY. Collective. */
BtStatus bt_bilevel_create(BtContext *ctx, const BtProblem *problem, const BtUpperLoss *loss,
                           const BtLowerSettings *settings, BtTeam *team, BtDomainTest *domain,
                           const void *domain_data, BtBilevel **bilevel);
void bt_bilevel_destroy(BtBilevel *bilevel);

/* Fills the problem's own images (their data, not their shapes) with the sample of step k: the same k, the same sample,
 * on any number of ranks. */
typedef BtStatus BtDraw(void *data, BtContext *ctx, int64_t k);

/* Makes the oracle stochastic: its draw() calls `draw` and forgets the warm starts of the sample before. Call it before
 * bt_bilevel_oracle(). */
void bt_bilevel_sample(BtBilevel *bilevel, BtDraw *draw, void *data);

/* The oracle; valid while `bilevel` lives. Its calls are collective. */
BtOracle bt_bilevel_oracle(BtBilevel *bilevel);

/* The part of problem i on its owner: what the last gradient() call found. Bounds that were not wanted are infinite. */
typedef struct {
  BtCertificate certificate;
  double residual;      /* ‖H q − ∇g‖                                          */
  double bound;         /* ω_i                                                 */
  double bound_adjoint; /* its share due to the residual                        */
  double bound_global;  /* ω_i of the closed form with global constants         */
  BtInterval along;     /* of ∇g(x̃)ᵀ(x̂ − x̃)                                    */
} BtHypergradientPart;

/* One image's share: z_i[parameters], and by `want` (BT_WANT_…) its bound and the estimate[parameters] of ẑ_i − z_i
 * (else untouched, may be NULL). x and q are working vectors that hold warm starts before and the solutions after; not
 * collective. */
BtStatus bt_hypergradient(BtBilevel *bilevel, BtContext *ctx, size_t i, const double *theta, double eps, double delta,
                          int want, BtLowerPoint point, double *q, double *z, double *estimate,
                          BtHypergradientPart *part);

/* losses[count] ← g_i at the solutions of the last value() or gradient() call; the same on every rank. */
void bt_bilevel_losses(const BtBilevel *bilevel, double *losses);

/* The last inexact solution x̃_i(θ), [dimension(i)], borrowed until the next call of the oracle; NULL on ranks that do
 * not own problem i and where θ is neither the accepted iterate nor the last trial. */
const double *bt_bilevel_solution(const BtBilevel *bilevel, size_t i, const double *theta);

/* Warm starts (not of samples, which are drawn anew) and work counters as tensors "warm.*", for exact resumption. declare() and save() on a writer that only
 * rank 0 has (NULL elsewhere); load() on a reader that every rank has. Collective. */
BtStatus bt_bilevel_declare(BtBilevel *bilevel, BtContext *ctx, BtTensorWriter *writer);
BtStatus bt_bilevel_save(BtBilevel *bilevel, BtContext *ctx, BtTensorWriter *writer);
BtStatus bt_bilevel_load(BtBilevel *bilevel, BtContext *ctx, BtTensorReader *reader);

#endif

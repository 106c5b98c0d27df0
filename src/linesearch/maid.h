/* linesearch/maid.h: MAID, the method of adaptive inexact descent (Salehi, Mukherjee, Roberts, Ehrhardt 2023).
 *
 * Minimises f through an inexact oracle (core/oracle.h). It chooses the accuracies ε of the lower-level and δ of the
 * adjoint solves itself, and accepts a step only when the bounds prove that f has decreased. */
#ifndef BITUNE_LINESEARCH_MAID_H
#define BITUNE_LINESEARCH_MAID_H

#include <stdint.h>

#include "core/option.h"
#include "core/oracle.h"
#include "core/safetensors.h"
#include "linesearch/lbfgs.h"

#define BT_MAID_WINDOW 10

/* What proves a direction to be one of descent. */
typedef enum {
  BT_MAID_PROVEN,   /* the bound ω, as in the paper                                                        */
  BT_MAID_ESTIMATED, /* the dual-weighted-residual estimate; steps are accepted on proven bounds all the same */
  BT_MAID_AUTO      /* PROVEN for few parameters (64 at most), else ESTIMATED: ω is the more pessimistic the more there are */
} BtMaidDirectionTest;

typedef struct {
  double eps0, delta0, alpha0; /* initial accuracies and step                                    */
  double rho, rho_bar;         /* step: backtracking factor < 1, growth after success ≥ 1         */
  double nu, nu_bar;           /* accuracies: factor after failure < 1, after success ≥ 1         */
  double eta, lambda;          /* 0 < λ < η < 1: descent test ω ≤ (1−η)‖z‖, decrease λα‖z‖²       */
  int64_t max_trials;          /* j, steps tried at the start; grows by one with each failure     */
  int64_t max_outer, max_work; /* budgets; max_work counts gradients and Hessian products, 0: none */
  double tolerance;            /* converged when ‖z‖ + its error ≤ tolerance·f                    */
  double max_step;             /* accelerated: largest change of a parameter in one step          */
  int64_t window;              /* accelerated: iterates whose largest loss a decrease is proven against, 1 … BT_MAID_WINDOW */
  double eps_floor;            /* accuracy below which nothing is gained                          */
  int direction_test;          /* BtMaidDirectionTest                                             */
  int fixed;                   /* 1: ε and δ are held, values are taken at their word and no bound is asked for: the usual
                                  line search on inexact values, a baseline that proves nothing. No option */
  int accelerated;             /* 0: the paper's algorithm. 1: L-BFGS-scaled directions, trials decided as soon as
                                  their bounds allow, accuracy raised instead of the step cut while undecided */
} BtMaidSettings;

extern const BtOption bt_maid_options[];

typedef enum {
  BT_MAID_RUNNING,
  BT_MAID_CONVERGED, /* gradient test, by the proven bound of the hypergradient's error */
  BT_MAID_CONVERGED_AS_ESTIMATED, /* gradient test, by the estimate of that error */
  BT_MAID_FLOOR,     /* no provable decrease at the accuracy floor, the hypergradient being small: converged */
  BT_MAID_STUCK,     /* no acceptable step though the hypergradient is not small: the edge of the domain, say */
  BT_MAID_BUDGET,    /* max_outer or max_work                                */
  BT_MAID_STOPPED
} BtMaidReason;

/* "converged", …; static storage. */
const char *bt_maid_reason_name(BtMaidReason reason);

/* 1 for the three reasons that are convergence. */
int bt_maid_converged(BtMaidReason reason);

/* An estimated error of z, not corrected, and the accuracies it was found at; estimates at others are extrapolated from it. */
typedef struct {
  double error, eps, delta;
  int64_t uses; /* times since */
} BtMaidSample;

/* A run between two outer iterations; all of it is in a checkpoint. */
typedef struct {
  size_t p;
  double *theta;             /* [p] current iterate                                         */
  double *z;                 /* [p] last hypergradient                                       */
  double *previous, *previous_z; /* [p] iterate and hypergradient before the last step       */
  int have_previous;
  double previous_error;     /* error of previous_z                                          */
  double earlier[BT_MAID_WINDOW]; /* lower bounds of f at earlier iterates, the last one first */
  int64_t earlier_count;
  BtMaidSample sample;       /* the last estimate that was worked out                        */
  BtLbfgs lbfgs;
  int64_t iteration;
  double eps, delta, alpha;
  int64_t trials;            /* j                                                            */
  BtInexactGradient gradient; /* of the last gradient call                                   */
  int have_gradient;         /* 1: z and gradient are those at theta, as when iteration 0 is told */
  BtInexactValue value;      /* f and bounds at theta                                        */
  double seconds;            /* of earlier parts of the run                                  */
  BtMaidReason reason;
} BtMaid;

/* A run that starts at theta[p], copied. BT_ERR_ARG when λ < η does not hold, BT_ERR_MEMORY. */
BtStatus bt_maid_create(BtContext *ctx, const BtMaidSettings *settings, size_t p, const double *theta, BtMaid *maid);
void bt_maid_clear(BtMaid *maid);

/* Runs to the end: a BT_EVENT_OUTER after the first gradient (iteration 0) and after each accepted step; at each of
 * them the state can be saved. Returns BT_OK (converged, or the floor), BT_STEP_FAILED (stuck),
 * BT_MAX_ITERS, BT_STOPPED, or an error; maid->reason says the same. */
BtStatus bt_maid_run(BtContext *ctx, BtOracle *oracle, const BtMaidSettings *settings, BtMaid *maid);

/* State as tensors "maid.*"; declare() and save() on a writer, load() into a created run of the same p. */
BtStatus bt_maid_declare(BtContext *ctx, const BtMaid *maid, BtTensorWriter *writer);
BtStatus bt_maid_save(BtContext *ctx, const BtMaid *maid, BtTensorWriter *writer);
BtStatus bt_maid_load(BtContext *ctx, BtTensorReader *reader, BtMaid *maid);

#endif

/* linesearch/nlopt_search.h: NLopt's derivative-free local methods at a fixed accuracy: Nelder & Mead's
 * simplex (1965; with Box's treatment of bounds) and BOBYQA (Powell 2009). They hold hidden state, so a
 * resumed run begins anew on the recorded values. */
#ifndef BITUNE_LINESEARCH_NLOPT_SEARCH_H
#define BITUNE_LINESEARCH_NLOPT_SEARCH_H

#include "linesearch/search.h"

typedef enum { BT_NLOPT_NELDER_MEAD, BT_NLOPT_BOBYQA } BtNloptAlgorithm;

typedef struct {
  BtSearchSettings search;
  int algorithm;       /* BtNloptAlgorithm. No option                                     */
  double initial_step; /* size of the first simplex or trust region                       */
  double x_tolerance;  /* converged when no parameter changes by more than that           */
} BtNloptSettings;

extern const BtOption bt_nlopt_options[];

/* More parameters are refused: such methods would not get anywhere with them. */
#define BT_NLOPT_MOST_PARAMETERS 200

/* BT_ERR_ARG for too many parameters, one with BOBYQA, a start outside the domain; BT_ERR_MEMORY. */
BtStatus bt_nlopt_create(BtContext *ctx, const BtNloptSettings *settings, size_t p, const double *theta,
                         BtSearch *search);

/* Runs to the end: a BT_EVENT_OUTER after each evaluation. Returns BT_OK (converged), BT_MAX_ITERS,
 * BT_STOPPED, or an error. */
BtStatus bt_nlopt_run(BtContext *ctx, BtOracle *oracle, const BtNloptSettings *settings, BtSearch *search);

#endif

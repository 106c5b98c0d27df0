/* linesearch/bayes.h: Bayesian optimization by expected improvement (Jones, Schonlau & Welch 1998; Snoek,
 * Larochelle & Adams 2012) on a Gaussian process whose length scales and noise are fitted by marginal
 * likelihood after each evaluation. */
#ifndef BITUNE_LINESEARCH_BAYES_H
#define BITUNE_LINESEARCH_BAYES_H

#include "linesearch/search.h"

typedef struct {
  BtSearchSettings search;
  int64_t initial; /* points of the Latin hypercube that comes first, the start included; 0: 2p + 2, and at
                         most half of the evaluations                                                   */
  int kernel;      /* 0: Matérn 5/2, 1: squared exponential                                         */
  uint64_t seed;   /* No option                                                                     */
} BtBayesSettings;

extern const BtOption bt_bayes_options[];

#define BT_BAYES_MOST_PARAMETERS 50
#define BT_BAYES_MOST_EVALUATIONS 2000

/* BT_ERR_ARG for too many parameters or evaluations, or a start outside the domain; BT_ERR_MEMORY. */
BtStatus bt_bayes_create(BtContext *ctx, const BtBayesSettings *settings, size_t p, const double *theta,
                         BtSearch *search);

/* Goes on from the record until max_evaluations: a BT_EVENT_OUTER after each. Returns BT_OK, BT_MAX_ITERS
 * (max_work), BT_STOPPED, or an error. */
BtStatus bt_bayes_run(BtContext *ctx, BtOracle *oracle, const BtBayesSettings *settings, BtSearch *search);

#endif

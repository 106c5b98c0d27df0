/* linesearch/random_search.h: random search: f at points drawn uniformly from the box, after the start itself
 * (Bergstra & Bengio 2012). */
#ifndef BITUNE_LINESEARCH_RANDOM_SEARCH_H
#define BITUNE_LINESEARCH_RANDOM_SEARCH_H

#include "linesearch/search.h"

typedef struct {
  BtSearchSettings search;
  uint64_t seed; /* No option */
} BtRandomSettings;

extern const BtOption bt_random_options[];

/* BT_ERR_ARG, BT_ERR_MEMORY. */
BtStatus bt_random_create(BtContext *ctx, const BtRandomSettings *settings, size_t p, const double *theta,
                          BtSearch *search);

/* Goes on from the record until max_evaluations: a BT_EVENT_OUTER after each. Draw i depends on (seed, i)
 * alone. Returns BT_OK, BT_MAX_ITERS (max_work), BT_STOPPED, or an error. */
BtStatus bt_random_run(BtContext *ctx, BtOracle *oracle, const BtRandomSettings *settings, BtSearch *search);

#endif

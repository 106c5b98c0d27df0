/* linesearch/grid.h: grid search: f at every point of a regular grid over the box, both ends of each axis
 * included. */
#ifndef BITUNE_LINESEARCH_GRID_H
#define BITUNE_LINESEARCH_GRID_H

#include "linesearch/search.h"

typedef struct {
  BtSearchSettings search;
  int64_t points; /* of each axis, at least 2 */
} BtGridSettings;

extern const BtOption bt_grid_options[];

/* BT_ERR_ARG, also where the grid has more points than settings->search.max_evaluations; BT_ERR_MEMORY. */
BtStatus bt_grid_create(BtContext *ctx, const BtGridSettings *settings, size_t p, const double *theta,
                        BtSearch *search);

/* Goes on from the record to the end, the last parameter varying fastest: a BT_EVENT_OUTER after each
 * evaluation. Returns BT_OK, BT_MAX_ITERS (max_work), BT_STOPPED, or an error. */
BtStatus bt_grid_run(BtContext *ctx, BtOracle *oracle, const BtGridSettings *settings, BtSearch *search);

#endif

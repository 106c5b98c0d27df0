/* linesearch/dfo.h: derivative-free trust-region method with dynamic accuracy (Ehrhardt & Roberts 2021,
 * arXiv:2006.12674; Conn, Scheinberg & Vicente 2009).
 *
 * A quadratic interpolates the values found near the iterate, its minimizer within the trust region is tried,
 * and values are computed as accurately as the model's change over the region demands: coarsely while the
 * region is large. The paper interpolates the residuals of a least-squares loss; an oracle tells their sum
 * alone, so here it is f that is interpolated, for any loss. The trust region is a box of side 2Δ, cut by the
 * domain. */
#ifndef BITUNE_LINESEARCH_DFO_H
#define BITUNE_LINESEARCH_DFO_H

#include "linesearch/search.h"

typedef struct {
  BtSearchSettings search;   /* eps: the accuracy of the first values                               */
  double eps_floor;          /* no accuracy is finer                                                */
  double radius, radius_end; /* Δ at the start; converged when it would fall below radius_end      */
  double share;              /* width of f's bounds over the model's change, for values it interpolates */
} BtDfoSettings;

extern const BtOption bt_dfo_options[];

/* More parameters are refused: the models would need too many points. */
#define BT_DFO_MOST_PARAMETERS 20

/* BT_ERR_ARG for too many parameters or a start outside the domain, BT_ERR_MEMORY. */
BtStatus bt_dfo_create(BtContext *ctx, const BtDfoSettings *settings, size_t p, const double *theta,
                       BtSearch *search);

/* Runs to the end: a BT_EVENT_OUTER after each evaluation. Returns BT_OK (converged, or the accuracy floor),
 * BT_MAX_ITERS, BT_STOPPED, or an error. */
BtStatus bt_dfo_run(BtContext *ctx, BtOracle *oracle, const BtDfoSettings *settings, BtSearch *search);

#endif

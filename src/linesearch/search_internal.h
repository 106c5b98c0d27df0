/* linesearch/search_internal.h: how a method evaluates f. */
#ifndef BITUNE_LINESEARCH_SEARCH_INTERNAL_H
#define BITUNE_LINESEARCH_SEARCH_INTERNAL_H

#include "linesearch/search.h"

typedef struct {
  BtContext *ctx;
  BtOracle *oracle;
  const BtSearchSettings *set;
  BtSearch *search;
  double clock; /* when search->seconds was up to date                               */
  int64_t
      next;    /* evaluations that the method knows of; those of the record beyond are told without a solve */
  double step; /* what events tell as the step size: a trust radius, 0 if there is none */
} BtSearchRun;

BtSearchRun bt_search_begin(BtContext *ctx, BtOracle *oracle, const BtSearchSettings *settings,
                            BtSearch *search);

/* f(theta) to accuracy eps, from the record or computed, recorded and told to the observers.
 * out->value is +∞ outside the domain. Returns BT_OK (also where the accuracy was missed: out says what was
 * reached), BT_MAX_ITERS (a budget is used up: nothing evaluated), BT_STOPPED, or an error: BT_ERR_NUMERIC
 * for a value that is no number, BT_ERR_FORMAT when the method asks for another point than the record has. */
BtStatus bt_search_evaluate(BtSearchRun *run, const double *theta, double eps, BtInexactValue *out);

/* Sets the reason by the status that ended the method, `reason` for BT_OK, and returns that status. */
BtStatus bt_search_end(BtSearchRun *run, BtStatus st, BtSearchReason reason);

/* Evaluation i of the record. */
const double *bt_search_point(const BtSearch *search, int64_t i);
BtInexactValue bt_search_value(const BtSearch *search, int64_t i);

#endif

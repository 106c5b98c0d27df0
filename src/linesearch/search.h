/* linesearch/search.h: what the methods that see values of f alone have in common.
 *
 * Grid, random and Bayesian search, Nelder-Mead, BOBYQA and the derivative-free trust-region method choose
 * their next point from the values found so far and from nothing else. So the record of these values is the
 * whole state of a run: a resumed run takes up its record, and methods that hold more than that (NLopt's, the
 * trust region) are run again on the recorded values, which cost no solve, until they ask for one that is not
 * there. */
#ifndef BITUNE_LINESEARCH_SEARCH_H
#define BITUNE_LINESEARCH_SEARCH_H

#include <stdint.h>

#include "core/option.h"
#include "core/oracle.h"
#include "core/safetensors.h"

/* The settings that all of them have; a method's own struct begins with it. */
typedef struct {
  double eps;              /* accuracy at which values are computed; dfo: the first accuracy          */
  int64_t max_evaluations; /* budgets; max_work counts gradients and Hessian products, 0: no limit     */
  int64_t max_work;
  double width; /* the box reaches so far from the start on each side; 0: the whole domain. Grid, random and
                   Bayesian search alone have an option for it                              */
  const double *lo, *hi; /* [p] domain of θ, borrowed; NULL: none. No options                        */
} BtSearchSettings;

#define BT_SEARCH_OPTION_BUDGETS(Type)                                                         \
  BT_OPT_INT("max-evaluations", Type, search.max_evaluations, 100, BT_WITHIN(1, 1000000), "N", \
             "searches: values of the loss computed at most, in place of --max-outer"),        \
      BT_OPT_INT("max-work", Type, search.max_work, 0, BT_NONNEGATIVE, "N",                    \
                 "lower-level gradients and Hessian products at most, over all problems; 0: no limit")
#define BT_SEARCH_OPTION_EPS(Type)                                      \
  BT_OPT_REAL("search-eps", Type, search.eps, 1e-3, BT_POSITIVE, "EPS", \
              "searches: accuracy ‖x̃ − x̂‖₂ per problem at which the loss is computed")
#define BT_SEARCH_OPTION_WIDTH(Type)                                                                    \
  BT_OPT_REAL("width", Type, search.width, 4, BT_NONNEGATIVE, "W",                                      \
              "grid, random, bayes: distance that the box reaches from the start on each side; 0: the " \
              "parameters' whole domain")

typedef enum {
  BT_SEARCH_RUNNING,
  BT_SEARCH_DONE,      /* every planned point is evaluated                                */
  BT_SEARCH_CONVERGED, /* the method's own test: steps below its tolerance                */
  BT_SEARCH_FLOOR,     /* dfo: values cannot be told apart at the accuracy floor           */
  BT_SEARCH_BUDGET,
  BT_SEARCH_STOPPED
} BtSearchReason;

/* "converged", …; static storage. */
const char *bt_search_reason_name(BtSearchReason reason);

/* The record of a run; all of it is in a checkpoint. */
typedef struct {
  size_t p;
  double *theta;        /* [p] the best point so far, the start before there is one                    */
  BtInexactValue value; /* f and its bounds at theta                                                   */
  double *start;        /* [p]                                                                         */
  double *lo, *hi;      /* [p] the box                                                                 */
  int by_bound; /* best is what has the smallest upper bound rather than the smallest value: for methods
                   whose accuracies vary                                                       */
  int64_t count, capacity; /* evaluations                                                               */
  double *points;          /* [capacity × p]                                                              */
  double *values;          /* [capacity × BT_SEARCH_FIELDS]                                               */
  double seconds;          /* of earlier parts of the run                                                 */
  BtSearchReason reason;
} BtSearch;

/* Fields of one evaluation: the accuracy asked for, then BtInexactValue. */
enum {
  BT_SEARCH_ASKED,
  BT_SEARCH_VALUE,
  BT_SEARCH_LOWER,
  BT_SEARCH_UPPER,
  BT_SEARCH_EPS,
  BT_SEARCH_PROOF,
  BT_SEARCH_FIELDS
};

/* A run that starts at theta[p], copied; methods' own create functions call it. BT_ERR_ARG where theta is
 * outside the domain, or the box infinite though `bounded` asks for a finite one; BT_ERR_MEMORY. */
BtStatus bt_search_create(BtContext *ctx, const BtSearchSettings *settings, int bounded, size_t p,
                          const double *theta, BtSearch *search);
void bt_search_clear(BtSearch *search);

/* State as tensors "search.*"; declare() and save() on a writer, load() into a created run of the same p. */
BtStatus bt_search_declare(BtContext *ctx, const BtSearch *search, BtTensorWriter *writer);
BtStatus bt_search_save(BtContext *ctx, const BtSearch *search, BtTensorWriter *writer);
BtStatus bt_search_load(BtContext *ctx, BtTensorReader *reader, BtSearch *search);

#endif

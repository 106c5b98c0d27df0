/* apps/method.h: the outer methods as `bitune learn` and its checkpoints see them. */
#ifndef BITUNE_APPS_METHOD_H
#define BITUNE_APPS_METHOD_H

#include "linesearch/isgd.h"
#include "linesearch/maid.h"

/* Where a run stands. */
typedef struct {
  size_t p;
  const double *theta;               /* [p] what would be returned now, borrowed                    */
  int64_t iteration;
  double seconds;
  BtInexactValue value;              /* last known f; of a stochastic method's last batch           */
  const BtInexactGradient *gradient; /* borrowed                                                    */
  const char *reason;                /* why the run ended, static storage                           */
  int converged, stuck;
} BtMethodState;

typedef struct BtMethod BtMethod;

typedef struct {
  int stochastic; /* f is that of a sample drawn anew at each step; the state is usable after a stop */
  BtStatus (*create)(BtContext *ctx, BtMethod *method, size_t p, const double *theta);
  void (*clear)(BtMethod *method);
  BtStatus (*run)(BtContext *ctx, BtOracle *oracle, BtMethod *method);
  BtMethodState (*state)(const BtMethod *method);
  BtStatus (*declare)(BtContext *ctx, const BtMethod *method, BtTensorWriter *writer);
  BtStatus (*save)(BtContext *ctx, const BtMethod *method, BtTensorWriter *writer);
  BtStatus (*load)(BtContext *ctx, BtTensorReader *reader, BtMethod *method);
} BtMethodOps;

/* Fill in ops and the settings of that method, then create(). */
struct BtMethod {
  const BtMethodOps *ops;
  BtMaidSettings maid_settings;
  BtMaid maid;
  BtIsgdSettings isgd_settings;
  BtIsgd isgd;
};

extern const BtMethodOps bt_method_maid, bt_method_isgd;

#endif

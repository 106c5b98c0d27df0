/* lowerlevel/logistic_internal.h: the rows of a logistic regression, dealt over a team. */
#ifndef BITUNE_LOWERLEVEL_LOGISTIC_INTERNAL_H
#define BITUNE_LOWERLEVEL_LOGISTIC_INTERNAL_H

#include "lowerlevel/logistic.h"
#include "lowerlevel/softmax.h"
#include "lowerlevel/softmax_pairs.h"

/* Points whose probabilities are kept at the same time: a solver's, the adjoint's and its twin's. */
#define BT_LOGISTIC_SLOTS 3

/* Most unknowns whose Hessian is approximated by a dense matrix, to precondition with. */
#define BT_LOGISTIC_DENSE_MOST 4096

typedef struct {
  double serial; /* of the prepare() that filled it, 0 if empty */
  int single;
  void *p; /* [own rows · classes] in that precision */
} BtLogisticSlot;

/* Sums over all rows, and what their rounding depends on. */
typedef struct {
  double gram;   /* ≥ ‖XᵀX‖      */
  double row;    /* ≥ max ‖x_i‖  */
  double square; /* ≥ Σ ‖x_i‖²   */
  size_t terms;  /* additions that an entry of a sum over rows passes through, at most */
} BtRowNorms;

typedef struct {
  BtTeam *team;
  BtContext ctx;    /* of calls that have none */
  BtStatus failed;  /* the team's error, for good */
  size_t rows, features, classes;
  BtSoftmaxRows chunk[BT_LOGISTIC_CHUNKS]; /* without rows where another rank has them */
  double *x;
  float *x_single;
  int32_t *label;
  BtRowNorms norms;
  BtLogisticSlot slot[BT_LOGISTIC_SLOTS];
  double serial; /* of the last prepare() */
  double *recent;  /* [own rows · classes] probabilities at the point last evaluated in double */
  double *recent_w; /* that point, on rank 0      */
  int have_recent;
  double *request; /* head and two vectors       */
  double *sums;    /* [chunks][K·d + 1]          */
  double *blocks;  /* where a sample goes on rank 0, borrowed while it is taken */
  double *part;    /* [pairs·d² + 1] one chunk's share */
  double *pairs_work;
  double *work;
} BtLogisticRows;

/* Copies own rows; collective. clear() takes a zeroed struct too. */
BtStatus bt_logistic_rows_create(BtContext *ctx, const BtLogisticSpec *spec, BtTeam *team, BtLogisticRows *rows);
void bt_logistic_rows_clear(BtLogisticRows *rows);

/* Sums over all rows, see lowerlevel/softmax.h. Rank 0 calls them; the others take part inside join(). After a failure of
 * the team results are NaN and rows->failed says why. */
double bt_logistic_rows_value_grad(BtLogisticRows *rows, int single, const double *w, double *gradient);
/* Fills a slot and returns its serial number; costs no pass over the rows at the point of the last value_grad() in double. */
double bt_logistic_rows_prepare(BtLogisticRows *rows, int single, const double *w, size_t slot);
void bt_logistic_rows_hess_mult(BtLogisticRows *rows, size_t slot, const double *v, double *product);
void bt_logistic_rows_hess_diagonal(BtLogisticRows *rows, size_t slot, double *diagonal);
BtSoftmaxSpread bt_logistic_rows_spread(BtLogisticRows *rows, const double *w, const double *q);

/* Only up to BT_LOGISTIC_DENSE_MOST unknowns, see lowerlevel/softmax_pairs.h: blocks[bt_logistic_rows_blocks()] ← about `terms`
 * terms of the Hessian at w, all there are if these are fewer. Returns the number of terms taken; *curvature ←
 * Σ_i Σ_{k<l} p_ik p_il. */
size_t bt_logistic_rows_sample(BtLogisticRows *rows, const double *w, size_t terms, BtPairsWeight weight, double *blocks,
                               double *curvature);

/* Numbers in the blocks of all pairs. */
size_t bt_logistic_rows_blocks(const BtLogisticRows *rows);

/* Rank 0: lets the others go. The others: take part until then. */
BtStatus bt_logistic_rows_join(BtLogisticRows *rows, BtContext *ctx);

#endif

/* apps/learn/log.h: outer iterations as a CSV file that survives a kill at any moment.
 *
 * Columns: iteration, loss, lower, upper, eps, delta, step, gradient_norm, gradient_bound, gradient_estimate,
 * accepted, trials, gradients, hessian_products, solves, hypergradients, work, seconds; for a stochastic method
 * loss_mean and psnr_valid; then theta_0, theta_1, …, or for more than 16 parameters NAME_mean, NAME_min, NAME_max of
 * each group. Numbers have 17 significant digits, unknown ones are "nan". Each row is flushed as it is written. */
#ifndef BITUNE_APPS_LOG_H
#define BITUNE_APPS_LOG_H

#include "core/context.h"
#include "learn/groups.h"
#include "regularizers/regularizer.h"

#define BT_LOG_MAX_THETA 16

typedef struct BtLog BtLog;

typedef struct {
  const BtRegularizer *regularizer; /* borrowed; its chart takes the method's parameters to those logged */
  const BtGroup *groups;            /* [group_count] where there is no regularizer (NULL): what is logged are the */
  size_t group_count, parameters;   /* method's parameters, in these groups                                 */
  int stochastic;
  const double *psnr_valid; /* stochastic: NAN where there is no new figure, borrowed; NULL: none */
} BtLogSpec;

/* Starts a log. resume_from < 0 replaces the file; otherwise the run
 * resumes from a checkpoint of that iteration: the file's columns are checked, rows of later iterations and a
 * torn last row are cut off, and new rows are appended (a missing file is started). Errors: BT_ERR_IO,
 * BT_ERR_FORMAT, BT_ERR_ARG. */
BtStatus bt_log_open(BtContext *ctx, const char *path, const BtLogSpec *spec, int64_t resume_from, BtLog **log);

/* Observer (user: the BtLog) that appends a row for each BT_EVENT_OUTER of an iteration not yet logged. A
 * failed write does not stop the run; bt_log_close() tells. */
BtObserverFn bt_log_event;

/* Closes and frees (NULL is allowed). BT_ERR_IO if a row could not be written. */
BtStatus bt_log_close(BtContext *ctx, BtLog *log);

#endif

/* core/context.h: error text, stop requests and observers of one run.
 *
 * A BtContext is created by the caller, passed to every function that can fail, and owned by one thread. */
#ifndef BITUNE_CORE_CONTEXT_H
#define BITUNE_CORE_CONTEXT_H

#include <signal.h>

#include "core/event.h"
#include "core/status.h"

#define BT_ERROR_TEXT 1024
#define BT_CAUSE_TEXT 256
#define BT_MAX_OBSERVERS 8

/* What asks every loop to end soon. */
typedef struct {
  const volatile sig_atomic_t *flag; /* borrowed, may be NULL: asks when it is not zero             */
  double deadline;                   /* asks when bt_clock() (core/clock.h) has reached it; 0: none */
} BtStop;

typedef struct {
  char error[BT_ERROR_TEXT]; /* text of the last error: "FILE: cause; cure", one line */
  char cause[BT_CAUSE_TEXT]; /* what a library said of its last error, until an error of ours takes it up; "": nothing */
  BtStop stop;
  BtObserver observers[BT_MAX_OBSERVERS];
  int observer_count;
} BtContext;

/* An empty context: no error, no stop request, no observer. */
void bt_context_init(BtContext *ctx);

/* Writes the text of an error into ctx (NULL is allowed) and returns `status`, so that `return bt_fail(…)` reads
 * well. Control characters in the text become blanks. */
BtStatus bt_fail(BtContext *ctx, BtStatus status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* BT_ERR_MEMORY with the size that was asked for. */
BtStatus bt_fail_memory(BtContext *ctx, const char *what, double bytes);

/* Adds an observer; BT_ERR_ARG when BT_MAX_OBSERVERS are there already. */
BtStatus bt_context_observe(BtContext *ctx, BtObserverFn *fn, void *user);

/* Tells all observers; BT_STOPPED as soon as one of them wants the run to stop, else BT_OK. */
BtStatus bt_emit(BtContext *ctx, const BtEvent *event);

/* Emits a BT_EVENT_WARNING with formatted text. */
void bt_warn(BtContext *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True once a stop is asked for. A loop that must not be cut short sets ctx->stop to (BtStop){0} and back. */
int bt_stop_requested(const BtContext *ctx);

#endif

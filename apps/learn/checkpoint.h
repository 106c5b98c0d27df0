/* apps/learn/checkpoint.h: a learning run on disk, from which it goes on as if it had never stopped.
 *
 * One safetensors file holds the method's state, all warm starts and, as metadata, what was learned from what; it is replaced
 * atomically. It is written at the start and then as often as costs at most a twentieth of the run's time. */
#ifndef BITUNE_APPS_CHECKPOINT_H
#define BITUNE_APPS_CHECKPOINT_H

#include "hypergrad/bilevel.h"
#include "learn/method.h"
#include "program/app.h"

typedef struct {
  BtApp *app;
  const char *path;
  const json_t *identity; /* object of strings that a resumed run must share, borrowed */
  BtMethod *method;
  BtBilevel *bilevel;
  int claim;        /* of the file, see core/file.h: rank 0                             */
  int written;      /* checkpoints written                                              */
  double last_end, last_cost; /* clock when the last one was done, seconds it took      */
} BtCheckpoint;

/* Observer (user: the BtCheckpoint) that saves after outer iterations; collective. A failed write is a warning and
 * counts as a failure of the run (exit code 1); the run goes on. */
BtObserverFn bt_checkpoint_event;

/* The same at once, whatever the time since the last one. Collective. */
void bt_checkpoint_write(BtCheckpoint *checkpoint);

/* Brings method and bilevel to the state in a file. BT_ERR_FORMAT naming the setting that differs. Collective. */
BtStatus bt_checkpoint_load(BtApp *app, const char *path, const json_t *identity, BtMethod *method,
                            BtBilevel *bilevel);

#endif

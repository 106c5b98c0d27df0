/* apps/checkpoint.h: a learning run on disk, from which it goes on as if it had never stopped.
 *
 * One safetensors file holds MAID's state, all warm starts and, as metadata, what was learned from what; it is replaced
 * atomically. It is written at the start and then as often as costs at most a twentieth of the run's time. */
#ifndef BITUNE_APPS_CHECKPOINT_H
#define BITUNE_APPS_CHECKPOINT_H

#include "app.h"
#include "hypergrad/bilevel.h"
#include "linesearch/maid.h"

typedef struct {
  BtApp *app;
  const char *path;
  const json_t *identity; /* object of strings that a resumed run must share, borrowed */
  BtMaid *maid;
  BtBilevel *bilevel;
  int written;      /* checkpoints written                                              */
  double last_end, last_cost; /* clock when the last one was done, seconds it took      */
} BtCheckpoint;

/* Observer (user: the BtCheckpoint) that saves after outer iterations; collective. A failed write is a warning and
 * counts as a failure of the run (exit code 1); the run goes on. */
BtObserverFn bt_checkpoint_event;

/* Brings maid and bilevel to the state in a file. BT_ERR_FORMAT naming the setting that differs. Collective. */
BtStatus bt_checkpoint_load(BtApp *app, const char *path, const json_t *identity, BtMaid *maid, BtBilevel *bilevel);

#endif

/* apps/program/keeping_options.h: what a learning or training run is asked to keep, and how long it may take. */
#ifndef BITUNE_APPS_KEEPING_OPTIONS_H
#define BITUNE_APPS_KEEPING_OPTIONS_H

#include "core/option.h"

typedef struct {
  const char *log, *checkpoint, *resume; /* paths, NULL if not asked for */
  double max_seconds;                    /* 0: no limit                  */
} BtKeepingSettings;

extern const BtOption bt_keeping_options[];

/* The file that holds the checkpoint, NULL: none is kept. */
const char *bt_keeping_path(const BtKeepingSettings *set);

#endif

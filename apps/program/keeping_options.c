#include "program/keeping_options.h"

#include <math.h>

const BtOption bt_keeping_options[] = {
    BT_OPT_TEXT("log", 0, BtKeepingSettings, log, NULL, "FILE.csv",
                "a row for each outer iteration or epoch, for bitune plot"),
    BT_OPT_TEXT("checkpoint", 0, BtKeepingSettings, checkpoint, NULL, "FILE",
                "keep the run's state in FILE (safetensors) while it goes on"),
    BT_OPT_TEXT("resume", 0, BtKeepingSettings, resume, NULL, "FILE",
                "go on from a checkpoint; FILE is kept up unless --checkpoint names another"),
    BT_OPT_REAL("max-seconds", BtKeepingSettings, max_seconds, 0, BT_NONNEGATIVE, "T",
                "end after T seconds, reading (or generating) the data not counted, with what has been "
                "reached; 0: no limit"),
    BT_OPT_END};

const char *bt_keeping_path(const BtKeepingSettings *set) {
  return set->checkpoint ? set->checkpoint : set->resume;
}

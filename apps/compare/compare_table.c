/* Pieces of a comparison's tables. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_table.h"
#include "core/file.h"
#include "program/csv.h"

void bt_table_number(FILE *out, double x) {
  if (isfinite(x))
    (void)fprintf(out, ",%.17g", x);
  else
    (void)fputs(",nan", out);
}

void bt_table_text(FILE *out, const char *text) {
  (void)fputc(',', out);
  bt_csv_text(out, text ? text : "");
}

const char *bt_table_state(const BtCompareRun *run) {
  switch (run->state) {
    case BT_RUN_FINISHED: return "finished";
    case BT_RUN_FAILED: return "failed";
    case BT_RUN_ELSEWHERE: return "elsewhere";
    case BT_RUN_WAITING:
    case BT_RUN_RUNNING: break;
  }
  return "open";
}

/* run, method, label, seed: what each table of runs begins with. */
void bt_table_identity(FILE *out, const BtCompare *all, const BtCompareRun *run) {
  (void)fprintf(out, "%zu", run->index + 1);
  bt_table_text(out, all->spec.methods[run->method].name);
  bt_table_text(out, run->label);
  if (run->has_seed)
    (void)fprintf(out, ",%" PRId64, run->seed);
  else
    (void)fputc(',', out);
}

BtStatus bt_table_write(BtContext *ctx, const BtCompare *all, const char *name, BtTableWriter *write) {
  BtAtomicFile file = {0};
  char *path = bt_path_join(all->output, name);
  BtStatus st = path ? bt_atomic_open(ctx, path, &file) : bt_fail_memory(ctx, name, 0);
  if (st >= 0) st = write(ctx, all, file.stream);
  if (st >= 0)
    st = bt_atomic_commit(ctx, &file);
  else
    bt_atomic_abort(&file);
  free(path);
  return st;
}

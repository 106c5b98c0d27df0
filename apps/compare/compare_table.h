/* apps/compare/compare_table.h: what the CSV files of a comparison share. Each cell but the first begins with its comma. */
#ifndef BITUNE_APPS_COMPARE_TABLE_H
#define BITUNE_APPS_COMPARE_TABLE_H

#include <stdio.h>

#include "compare/compare.h"

/* "nan" for what is not finite. */
void bt_table_number(FILE *out, double x);
void bt_table_text(FILE *out, const char *text);
/* "finished", "failed", "elsewhere" (another process is at it) or "open". */
const char *bt_table_state(const BtCompareRun *run);
/* run, method, label, seed: what each table of runs begins with. */
void bt_table_identity(FILE *out, const BtCompare *all, const BtCompareRun *run);

/* Writes the file `name` of the comparison's folder. */
typedef BtStatus BtTableWriter(BtContext *ctx, const BtCompare *all, FILE *out);
BtStatus bt_table_write(BtContext *ctx, const BtCompare *all, const char *name, BtTableWriter *write);

#endif

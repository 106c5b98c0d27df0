/* apps/program/csv.h: tables of numbers in CSV files, read with patience. */
#ifndef BITUNE_APPS_CSV_H
#define BITUNE_APPS_CSV_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/context.h"

typedef struct {
  char **names;      /* [columns], owned                                                        */
  double *cells;     /* [rows][columns], NAN where a cell is missing, empty or no number; owned */
  size_t *ends;      /* [rows] offset in the file just after each row's line; owned             */
  size_t columns, rows;
  size_t header_end; /* offset just after the header line                                       */
} BtCsv;

/* Reads a file whose first line names the columns. A last line without line break is left out: its writer was
 * interrupted. Errors: BT_ERR_IO, BT_ERR_FORMAT (no header, not text, larger than 256 MiB), BT_ERR_MEMORY. */
BtStatus bt_csv_read(BtContext *ctx, const char *path, BtCsv *csv);
void bt_csv_clear(BtCsv *csv);

/* Prints text as one cell, quoted where it holds commas, quotes or line breaks. */
void bt_csv_text(FILE *out, const char *text);

/* Index of a column, -1 if there is none. */
long bt_csv_column(const BtCsv *csv, const char *name);

/* Where the rows end whose `column` rises from beyond *last to at most `until`: a damaged row and all after it count
 * as later ones. *last becomes the number of the last of them; without any the end is the header's. */
size_t bt_csv_end(const BtCsv *csv, long column, int64_t until, int64_t *last);
/* Opens a file to write on from offset `end`, and cuts off what follows. −1 and errno if that fails. */
int bt_csv_go_on(const char *path, size_t end);

static inline double bt_csv_cell(const BtCsv *csv, size_t row, long column) {
  return csv->cells[row * csv->columns + (size_t)column];
}

#endif

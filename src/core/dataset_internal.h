/* core/dataset_internal.h: what the readers of data sets share. */
#ifndef BITUNE_CORE_DATASET_INTERNAL_H
#define BITUNE_CORE_DATASET_INTERNAL_H

#include "core/dataset.h"

/* Bytes of the dense array and of a text file at most. */
#define BT_DATASET_LIMIT (32.0 * (1 << 30))
#define BT_DATASET_TEXT_LIMIT ((size_t)8 << 30)

/* x, zeroed, labels and, of text, line numbers, of set->rows and set->features. */
BtStatus bt_dataset_allocate(BtContext *ctx, const char *path, int labels, int text, BtDataset *set);

/* The text of a file, in lines. */
typedef struct {
  const char *path;
  char *text, *next; /* text is owned */
  char *end;
  size_t number; /* of the line last given                     */
  char *cut, saved; /* where that line was ended, and what was there */
} BtLines;

/* Errors: those of bt_gzip_read(); BT_ERR_FORMAT where the file holds zero bytes or nothing. */
BtStatus bt_lines_open(BtContext *ctx, const char *path, BtLines *lines);
void bt_lines_close(BtLines *lines);
/* The next line that is not blank, its line break (and blanks before it) cut off; NULL at the end. */
char *bt_lines_next(BtLines *lines);
void bt_lines_rewind(BtLines *lines);
/* BT_ERR_FORMAT: what is wrong with this text, with file and line. */
BtStatus bt_lines_fail(BtContext *ctx, const BtLines *lines, const char *what, const char *text);

/* 1 for a finite decimal number that fills the text but for blanks. */
int bt_parse_number(const char *text, double *value);

/* An integer of at most 9 digits, written as one ("7", "-1", "+1", "7.0"); BT_ERR_FORMAT with file and line. */
BtStatus bt_parse_label(BtContext *ctx, const BtLines *lines, const char *text, int64_t *label);

#endif

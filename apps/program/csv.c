#include "program/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

#define SIZE_LIMIT ((size_t)256 << 20)

/* Where a line ends: its line feed, or NULL for a torn last line. */
static char *line_end(char *line, const char *end) { return memchr(line, '\n', (size_t)(end - line)); }

static size_t count_commas(const char *line) {
  size_t n = 0;
  for (; *line; line++) n += *line == ',';
  return n;
}

/* Cuts the next cell off the line; NULL after the last. Blanks and quotes around it are removed. */
static char *next_cell(char **line) {
  char *cell = *line;
  if (!cell) return NULL;
  char *comma = strchr(cell, ',');
  *line = comma ? comma + 1 : NULL;
  if (comma) *comma = '\0';
  cell += strspn(cell, " \t\"");
  size_t n = strlen(cell);
  while (n > 0 && strchr(" \t\r\"", cell[n - 1])) n--;
  cell[n] = '\0';
  return cell;
}

static double cell_number(const char *cell) {
  char *end;
  const double x = strtod(cell, &end);
  return end == cell || *end ? NAN : x;
}

static BtStatus read_header(BtContext *ctx, const char *path, char *line, BtCsv *csv) {
  csv->columns = count_commas(line) + 1;
  csv->names = calloc(csv->columns, sizeof *csv->names);
  if (!csv->names) return bt_fail_memory(ctx, path, (double)csv->columns * sizeof *csv->names);
  for (size_t c = 0; c < csv->columns; c++) {
    csv->names[c] = bt_copy_text(next_cell(&line));
    if (!csv->names[c]) return bt_fail_memory(ctx, path, 0);
  }
  return BT_OK;
}

static size_t count_lines(const char *text, const char *end) {
  size_t n = 0;
  for (const char *c = text; c < end; c++) n += *c == '\n';
  return n;
}

static BtStatus read_rows(BtContext *ctx, const char *path, char *text, char *rest, const char *end,
                          BtCsv *csv) {
  const size_t limit = count_lines(rest, end);
  const double bytes = (double)limit * (double)csv->columns * sizeof *csv->cells;
  /* A row has at least a line break, so short lines under many columns could ask for a lot. */
  if (bytes > 4.0 * (double)SIZE_LIMIT)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: too many columns for its rows", path);
  csv->cells = malloc(limit && csv->columns ? limit * csv->columns * sizeof *csv->cells : 1);
  csv->ends = malloc(limit ? limit * sizeof *csv->ends : 1);
  if (!csv->cells || !csv->ends) return bt_fail_memory(ctx, path, bytes);

  for (char *feed = line_end(rest, end); feed; rest = feed + 1, feed = line_end(rest, end)) {
    *feed = '\0';
    if (!rest[strspn(rest, " \t\r")]) continue;
    char *line = rest;
    double *cells = csv->cells + csv->rows * csv->columns;
    for (size_t c = 0; c < csv->columns; c++) {
      const char *cell = next_cell(&line);
      cells[c] = cell ? cell_number(cell) : NAN;
    }
    csv->ends[csv->rows++] = (size_t)(feed + 1 - text);
  }
  return BT_OK;
}

BtStatus bt_csv_read(BtContext *ctx, const char *path, BtCsv *csv) {
  BtStatus st = BT_OK;
  char *text = NULL;
  size_t size = 0;
  memset(csv, 0, sizeof *csv);
  BT_TRY(bt_file_read(ctx, path, SIZE_LIMIT, &text, &size));
  if (memchr(text, '\0', size))
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: not a text file; a CSV log is wanted", path));
  char *feed = size ? line_end(text, text + size) : NULL;
  if (!feed) BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: has no header line", path));
  *feed = '\0';
  csv->header_end = (size_t)(feed + 1 - text);
  BT_TRY(read_header(ctx, path, text, csv));
  BT_TRY(read_rows(ctx, path, text, feed + 1, text + size, csv));
done:
  free(text);
  if (st < 0) bt_csv_clear(csv);
  return st;
}

void bt_csv_clear(BtCsv *csv) {
  for (size_t c = 0; csv->names && c < csv->columns; c++) free(csv->names[c]);
  free(csv->names);
  free(csv->cells);
  free(csv->ends);
  memset(csv, 0, sizeof *csv);
}

long bt_csv_column(const BtCsv *csv, const char *name) {
  for (size_t c = 0; c < csv->columns; c++)
    if (strcmp(csv->names[c], name) == 0) return (long)c;
  return -1;
}

void bt_csv_text(FILE *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    (void)fputs(text, out);
    return;
  }
  (void)fputc('"', out);
  for (; *text; text++) {
    if (*text == '"') (void)fputc('"', out);
    (void)fputc(*text, out);
  }
  (void)fputc('"', out);
}

size_t bt_csv_end(const BtCsv *csv, long column, int64_t until, int64_t *last) {
  size_t end = csv->header_end;
  for (size_t row = 0; row < csv->rows; row++) {
    const double at = bt_csv_cell(csv, row, column);
    if (!(at > (double)*last) || at > (double)until) break;
    *last = (int64_t)at;
    end = csv->ends[row];
  }
  return end;
}

int bt_csv_go_on(const char *path, size_t end) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || (ftruncate(fd, (off_t)end) == 0 && lseek(fd, 0, SEEK_END) >= 0)) return fd;
  const int error = errno;
  (void)close(fd);
  errno = error;
  return -1;
}

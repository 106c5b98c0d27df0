/* Data sets from CSV. */
#include <stdlib.h>
#include <string.h>

#include "core/dataset_internal.h"
#include "core/file.h"

/* Cells are separated by the first of these that the first line has outside of quotes. */
static const char separators[] = ",;\t";

/* The end of the cell that begins here: a separator or the line's end; NULL where a quote is not closed.
 * Quotes may hold separators, and a quote by being doubled (RFC 4180). */
static const char *cell_end(const char *cell, char separator) {
  const char *p = cell + strspn(cell, " ");
  if (*p != '"') return cell + strcspn(cell, (const char[]){separator, '\0'});
  for (p++; *p; p++)
    if (*p == '"' && *++p != '"') return p + strcspn(p, (const char[]){separator, '\0'});
  return NULL;
}

static char find_separator(const char *line) {
  const char *best = separators + strlen(separators) - 1;
  int quoted = 0;
  for (; *line; line++) {
    const char *found = strchr(separators, *line);
    quoted ^= *line == '"';
    if (!quoted && found && found < best) best = found;
  }
  return *best;
}

/* Number of cells; 0 where a quote is not closed. */
static size_t count_cells(const char *line, char separator) {
  for (size_t n = 1;; n++) {
    const char *end = cell_end(line, separator);
    if (!end) return 0;
    if (!*end) return n;
    line = end + 1;
  }
}

/* Takes a cell's quotes and the blanks around them off. */
static char *unquote(char *cell) {
  char *from = cell + strspn(cell, " "), *to = from;
  if (*from != '"') return cell;
  char *start = ++from;
  for (to = start; *from && (*from != '"' || *++from == '"');) *to++ = *from++;
  from += strspn(from, " \t");
  if (*from) return cell; /* "1"2 */
  *to = '\0';
  return start;
}

/* Cuts the next cell off; NULL after the last. */
static char *next_cell(char **rest, char separator) {
  char *cell = *rest;
  if (!cell) return NULL;
  char *end = (char *)cell_end(cell, separator);
  *rest = *end ? end + 1 : NULL;
  *end = '\0';
  return unquote(cell);
}

/* Each run of blanks between two numbers becomes a separator. */
static void separate_by_blanks(BtLines *lines) {
  char *out = lines->text;
  for (const char *in = lines->text; in < lines->end;) {
    const size_t run = strspn(in, " \r");
    in += run;
    if (run && *in && *in != '\n' && out > lines->text && out[-1] != '\n') *out++ = *separators;
    if (*in) *out++ = *in++;
  }
  *out = '\0';
  lines->end = out;
}

/* How the file is laid out. */
typedef struct {
  char separator;
  int header;
  size_t columns;
} Layout;

/* The next line that is no comment. */
static char *next_row(BtLines *lines) {
  char *line;
  do line = bt_lines_next(lines);
  while (line && *line == '#');
  return line;
}

/* True if no cell of the line is a number. */
static BtStatus is_header(BtContext *ctx, const char *line, char separator, int *header) {
  char *copy = bt_copy_text(line), *rest = copy;
  double value;
  if (!copy) return bt_fail_memory(ctx, "a line", (double)strlen(line));
  *header = 1;
  for (const char *cell = next_cell(&rest, separator); cell; cell = next_cell(&rest, separator))
    if (bt_parse_number(cell, &value)) *header = 0;
  free(copy);
  return BT_OK;
}

static BtStatus read_csv_row(BtContext *ctx, const BtLines *lines, char *line, BtLabelPlace place,
                             const Layout *layout, BtDataset *set, size_t row) {
  const size_t columns = layout->columns;
  double *x = set->x + row * set->features;
  set->line[row] = lines->number;
  for (size_t c = 0; c < columns; c++) {
    const char *cell = next_cell(&line, layout->separator);
    const int is_label = (place == BT_LABEL_FIRST && c == 0) || (place == BT_LABEL_LAST && c + 1 == columns);
    if (is_label) {
      const BtStatus st = bt_parse_label(ctx, lines, cell, &set->label[row]);
      if (st < 0) return st;
    } else if (!bt_parse_number(cell, x++)) {
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu, column %zu: \"%.40s\" is not a number", lines->path,
                     lines->number, c + 1, cell);
    }
  }
  return BT_OK;
}

/* Counts rows and checks that they are of one length. */
static BtStatus measure_csv(BtContext *ctx, BtLines *lines, Layout *layout, size_t *rows) {
  BtStatus st = BT_OK;
  *layout = (Layout){0};
  *rows = 0;
  for (const char *line = next_row(lines); line; line = next_row(lines)) {
    if (layout->columns == 0) layout->separator = find_separator(line);
    const size_t cells = count_cells(line, layout->separator);
    if (cells == 0)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu has a quote that is not closed", lines->path,
                     lines->number);
    if (layout->columns == 0) {
      layout->columns = cells;
      BT_TRY(is_header(ctx, line, layout->separator, &layout->header));
      *rows += !layout->header;
      continue;
    }
    if (cells != layout->columns)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu has %zu columns instead of %zu", lines->path,
                     lines->number, cells, layout->columns);
    ++*rows;
  }
  if (*rows == 0) st = bt_fail(ctx, BT_ERR_FORMAT, "%s: has no rows", lines->path);
done:
  return st;
}

BtStatus bt_dataset_read_csv(BtContext *ctx, const char *path, BtLabelPlace place, BtDataset *set) {
  BtStatus st = BT_OK;
  BtLines lines;
  Layout layout;
  size_t row = 0;
  *set = (BtDataset){0};
  BT_TRY(bt_lines_open(ctx, path, &lines));
  if (!strpbrk(lines.text, separators) && !strchr(lines.text, '"')) separate_by_blanks(&lines);
  BT_TRY(measure_csv(ctx, &lines, &layout, &set->rows));
  set->features = layout.columns - (place != BT_LABEL_NONE);
  if (set->features == 0)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT,
                   "%s: one column only; features and a label are wanted, separated by commas, semicolons or "
                   "tabs",
                   path));
  BT_TRY(bt_dataset_allocate(ctx, path, place != BT_LABEL_NONE, 1, set));
  bt_lines_rewind(&lines);
  for (char *line = next_row(&lines); line; line = next_row(&lines)) {
    if (bt_stop_requested(ctx)) BT_COMPLETE(BT_STOPPED);
    if (layout.header)
      layout.header = 0;
    else
      BT_TRY(read_csv_row(ctx, &lines, line, place, &layout, set, row++));
  }
done:
  bt_lines_close(&lines);
  if (st != BT_OK) bt_dataset_clear(set);
  return st;
}

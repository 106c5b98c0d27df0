/* Data sets as text: CSV and LIBSVM. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/dataset_internal.h"
#include "core/gzip.h"

/* LIBSVM files are sparse, the array is not. */
static const double largest_index = 1e7;

BtStatus bt_lines_open(BtContext *ctx, const char *path, BtLines *lines) {
  size_t size = 0;
  *lines = (BtLines){.path = path};
  const BtStatus st = bt_gzip_read(ctx, path, BT_DATASET_TEXT_LIMIT, &lines->text, &size);
  if (st < 0) return st;
  lines->end = lines->text + size;
  /* A byte order mark, which some spreadsheets write. */
  if (size >= 3 && memcmp(lines->text, "\xEF\xBB\xBF", 3) == 0) memset(lines->text, ' ', 3);
  lines->next = lines->text;
  const char *zero = memchr(lines->text, '\0', size);
  if (size > 0 && !zero) return BT_OK;
  bt_lines_close(lines);
  return size == 0 ? bt_fail(ctx, BT_ERR_FORMAT, "%s: the file is empty", path)
                   : bt_fail(ctx, BT_ERR_FORMAT, "%s: not a text file; CSV or LIBSVM text is wanted", path);
}

void bt_lines_close(BtLines *lines) {
  free(lines->text);
  lines->text = NULL;
}

/* Puts back what the last line's end was overwritten with, so that the text can be gone through again. */
static void restore(BtLines *lines) {
  if (lines->cut) *lines->cut = lines->saved;
  lines->cut = NULL;
}

char *bt_lines_next(BtLines *lines) {
  restore(lines);
  while (lines->next < lines->end) {
    char *line = lines->next;
    char *feed = memchr(line, '\n', (size_t)(lines->end - line));
    if (!feed) feed = lines->end;
    lines->next = feed + 1;
    lines->number++;
    line += strspn(line, " \t\r");
    if (line >= feed) continue;
    char *last = feed;
    while (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r') last--;
    lines->cut = last;
    lines->saved = *last;
    *last = '\0';
    return line;
  }
  return NULL;
}

void bt_lines_rewind(BtLines *lines) {
  restore(lines);
  lines->next = lines->text;
  lines->number = 0;
}

static BtStatus fail_at(BtContext *ctx, const BtLines *lines, const char *what, const char *text) {
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu: \"%.40s\" %s", lines->path, lines->number, text, what);
}

/* A finite decimal number that fills the text; strtod() alone would take hexadecimal ones too. */
static int parse_number(const char *text, double *value) {
  char *end;
  text += strspn(text, " \t");
  if (!*text || text[strspn(text, "+-.0123456789eE \t")]) return 0;
  *value = strtod(text, &end);
  end += strspn(end, " \t");
  return !*end && isfinite(*value);
}

BtStatus bt_parse_label(BtContext *ctx, const BtLines *lines, const char *text, int64_t *label) {
  double value;
  if (!parse_number(text, &value)) return fail_at(ctx, lines, "is no label; labels are integers", text);
  if (value != floor(value)) return fail_at(ctx, lines, "is no label: not an integer", text);
  if (fabs(value) > 999999999) return fail_at(ctx, lines, "is no label: more than 9 digits", text);
  *label = (int64_t)value;
  return BT_OK;
}

static size_t count_cells(const char *line) {
  size_t n = 1;
  for (; *line; line++) n += *line == ',';
  return n;
}

/* Cuts the next cell off; NULL after the last. */
static char *next_cell(char **rest) {
  char *cell = *rest;
  if (!cell) return NULL;
  char *comma = strchr(cell, ',');
  *rest = comma ? comma + 1 : NULL;
  if (comma) *comma = '\0';
  return cell;
}

/* True if no cell of the line is a number. */
static int is_header(const char *line) {
  char cell[64];
  double value;
  for (;;) {
    const size_t length = strcspn(line, ",");
    if (length < sizeof cell) {
      memcpy(cell, line, length);
      cell[length] = '\0';
      if (parse_number(cell, &value)) return 0;
    }
    if (!line[length]) return 1;
    line += length + 1;
  }
}

static BtStatus read_csv_row(BtContext *ctx, const BtLines *lines, char *line, BtLabelPlace place,
                             size_t columns, BtDataset *set, size_t row) {
  double *x = set->x + row * set->features;
  for (size_t c = 0; c < columns; c++) {
    const char *cell = next_cell(&line);
    const int is_label = (place == BT_LABEL_FIRST && c == 0) || (place == BT_LABEL_LAST && c + 1 == columns);
    if (is_label) {
      const BtStatus st = bt_parse_label(ctx, lines, cell, &set->label[row]);
      if (st < 0) return st;
    } else if (!parse_number(cell, x++)) {
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu, column %zu: \"%.40s\" is not a number", lines->path,
                     lines->number, c + 1, cell);
    }
  }
  return BT_OK;
}

/* Counts rows and checks that they are of one length. */
static BtStatus measure_csv(BtContext *ctx, BtLines *lines, int *header, size_t *columns, size_t *rows) {
  *header = 0;
  *rows = *columns = 0;
  for (const char *line = bt_lines_next(lines); line; line = bt_lines_next(lines)) {
    const size_t cells = count_cells(line);
    if (*columns == 0) {
      *columns = cells;
      *header = is_header(line);
      *rows += !*header;
      continue;
    }
    if (cells != *columns)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu has %zu columns instead of %zu", lines->path,
                     lines->number, cells, *columns);
    ++*rows;
  }
  return *rows > 0 ? BT_OK : bt_fail(ctx, BT_ERR_FORMAT, "%s: has no rows", lines->path);
}

BtStatus bt_dataset_read_csv(BtContext *ctx, const char *path, BtLabelPlace place, BtDataset *set) {
  BtStatus st = BT_OK;
  BtLines lines;
  int header;
  size_t columns, row = 0;
  *set = (BtDataset){0};
  BT_TRY(bt_lines_open(ctx, path, &lines));
  BT_TRY(measure_csv(ctx, &lines, &header, &columns, &set->rows));
  set->features = columns - (place != BT_LABEL_NONE);
  if (set->features == 0)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: one column only; features and a label are wanted", path));
  BT_TRY(bt_dataset_allocate(ctx, path, place != BT_LABEL_NONE, set));
  bt_lines_rewind(&lines);
  for (char *line = bt_lines_next(&lines); line; line = bt_lines_next(&lines)) {
    if (header) {
      header = 0;
      continue;
    }
    BT_TRY(read_csv_row(ctx, &lines, line, place, columns, set, row++));
  }
done:
  bt_lines_close(&lines);
  if (st < 0) bt_dataset_clear(set);
  return st;
}

/* The next blank-separated word; NULL after the last. */
static char *next_word(char **rest) {
  char *word = *rest + strspn(*rest, " \t");
  if (!*word) return NULL;
  char *end = word + strcspn(word, " \t");
  *rest = *end ? end + 1 : end;
  *end = '\0';
  return word;
}

/* "12:0.5" */
static BtStatus parse_pair(BtContext *ctx, const BtLines *lines, const char *word, size_t *index,
                           double *value) {
  char *end;
  const char *colon = strchr(word, ':');
  if (!colon || colon == word || word[strspn(word, "0123456789")] != ':')
    return fail_at(ctx, lines, "is not INDEX:VALUE with a positive index", word);
  const double number = strtod(word, &end);
  if (!(number >= 1)) return fail_at(ctx, lines, "has index 0; indices start at 1", word);
  if (!(number <= largest_index)) return fail_at(ctx, lines, "has too large an index", word);
  if (!parse_number(colon + 1, value)) return fail_at(ctx, lines, "has a value that is not a number", word);
  *index = (size_t)number;
  return BT_OK;
}

static char *cut_comment(char *line) {
  line[strcspn(line, "#")] = '\0';
  return line;
}

/* Number of rows and the largest index. */
static BtStatus measure_libsvm(BtContext *ctx, BtLines *lines, size_t *rows, size_t *features) {
  *rows = *features = 0;
  for (const char *line = bt_lines_next(lines); line; line = bt_lines_next(lines)) {
    const char *end = line + strcspn(line, "#");
    if (end == line) continue;
    ++*rows;
    for (const char *colon = memchr(line, ':', (size_t)(end - line)); colon;
         colon = memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
      const char *digits = colon;
      while (digits > line && digits[-1] >= '0' && digits[-1] <= '9') digits--;
      const double index = strtod(digits, NULL);
      if (index > largest_index)
        return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu: index %.0f is larger than %.0f", lines->path,
                       lines->number, index, largest_index);
      if (index > (double)*features) *features = (size_t)index;
    }
  }
  if (*rows == 0) return bt_fail(ctx, BT_ERR_FORMAT, "%s: has no rows", lines->path);
  return *features > 0 ? BT_OK : bt_fail(ctx, BT_ERR_FORMAT, "%s: has no features", lines->path);
}

static BtStatus read_libsvm_row(BtContext *ctx, const BtLines *lines, char *line, BtDataset *set,
                                size_t row) {
  double *x = set->x + row * set->features;
  size_t before = 0;
  BtStatus st = bt_parse_label(ctx, lines, next_word(&line), &set->label[row]);
  if (st < 0) return st;
  for (char *word = next_word(&line); word; word = next_word(&line)) {
    size_t index = 0;
    double value = 0;
    st = parse_pair(ctx, lines, word, &index, &value);
    if (st < 0) return st;
    if (index <= before) return fail_at(ctx, lines, "is out of order: indices must ascend", word);
    if (index > set->features)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu: index %zu, but there are %zu features", lines->path,
                     lines->number, index, set->features);
    x[index - 1] = value;
    before = index;
  }
  return BT_OK;
}

BtStatus bt_dataset_read_libsvm(BtContext *ctx, const char *path, size_t features, BtDataset *set) {
  BtStatus st = BT_OK;
  BtLines lines;
  size_t row = 0, largest = 0;
  *set = (BtDataset){0};
  BT_TRY(bt_lines_open(ctx, path, &lines));
  BT_TRY(measure_libsvm(ctx, &lines, &set->rows, &largest));
  set->features = features ? features : largest;
  BT_TRY(bt_dataset_allocate(ctx, path, 1, set));
  bt_lines_rewind(&lines);
  for (char *line = bt_lines_next(&lines); line; line = bt_lines_next(&lines)) {
    cut_comment(line);
    if (!line[strspn(line, " \t")]) continue;
    BT_TRY(read_libsvm_row(ctx, &lines, line, set, row++));
  }
done:
  bt_lines_close(&lines);
  if (st < 0) bt_dataset_clear(set);
  return st;
}

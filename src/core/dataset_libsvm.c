/* Data sets from LIBSVM text. */
#include <stdlib.h>
#include <string.h>

#include "core/dataset_internal.h"

/* LIBSVM files are sparse, the array is not. */
static const double largest_index = 1e7;

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
    return bt_lines_fail(ctx, lines, "is not INDEX:VALUE with a positive index", word);
  const double number = strtod(word, &end);
  if (!(number >= 1)) return bt_lines_fail(ctx, lines, "has index 0; indices start at 1", word);
  if (!(number <= largest_index)) return bt_lines_fail(ctx, lines, "has too large an index", word);
  if (!bt_parse_number(colon + 1, value))
    return bt_lines_fail(ctx, lines, "has a value that is not a number", word);
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
  set->line[row] = lines->number;
  BtStatus st = bt_parse_label(ctx, lines, next_word(&line), &set->label[row]);
  if (st < 0) return st;
  for (char *word = next_word(&line); word; word = next_word(&line)) {
    size_t index = 0;
    double value = 0;
    st = parse_pair(ctx, lines, word, &index, &value);
    if (st < 0) return st;
    if (index <= before) return bt_lines_fail(ctx, lines, "is out of order: indices must ascend", word);
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
  BT_TRY(bt_dataset_allocate(ctx, path, 1, 1, set));
  bt_lines_rewind(&lines);
  for (char *line = bt_lines_next(&lines); line; line = bt_lines_next(&lines)) {
    if (bt_stop_requested(ctx)) BT_COMPLETE(BT_STOPPED);
    cut_comment(line);
    if (!line[strspn(line, " \t")]) continue;
    BT_TRY(read_libsvm_row(ctx, &lines, line, set, row++));
  }
done:
  bt_lines_close(&lines);
  if (st != BT_OK) bt_dataset_clear(set);
  return st;
}

/* What the readers of text share: lines, numbers, labels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/dataset_internal.h"
#include "core/gzip.h"

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

BtStatus bt_lines_fail(BtContext *ctx, const BtLines *lines, const char *what, const char *text) {
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: line %zu: \"%.40s\" %s", lines->path, lines->number, text, what);
}

int bt_parse_number(const char *text, double *value) {
  char *end;
  text += strspn(text, " \t");
  if (!*text || text[strspn(text, "+-.0123456789eE \t")]) return 0;
  *value = strtod(text, &end); /* which alone would take hexadecimal numbers, too */
  end += strspn(end, " \t");
  return !*end && isfinite(*value);
}

BtStatus bt_parse_label(BtContext *ctx, const BtLines *lines, const char *text, int64_t *label) {
  double value;
  if (!bt_parse_number(text, &value))
    return bt_lines_fail(ctx, lines, "is no label; labels are integers", text);
  if (value != floor(value)) return bt_lines_fail(ctx, lines, "is no label: not an integer", text);
  if (fabs(value) > 999999999) return bt_lines_fail(ctx, lines, "is no label: more than 9 digits", text);
  *label = (int64_t)value;
  return BT_OK;
}

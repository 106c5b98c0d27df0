#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "nn/nn_hdet.h"
#include "program/csv.h"

#define FIXED_COLUMNS "sync,step,replica,kept,vote_loss,train_loss,weight,steered,retreat,gamma"
#define FIXED 10
#define PARTS 5 /* columns of a hyperparameter; the last two: losses of its mixtures */

struct BtNnHdetLog {
  char *path;
  FILE *stream;
  int hypers;
};

static BtStatus fail_errno(BtContext *ctx, const char *path) {
  return bt_fail(ctx, BT_ERR_IO, "%s: the log cannot be written: %s", path, strerror(errno));
}

/* Where the rows up to sync number `from` end; 0 if there is no such file. */
static BtStatus find_end(BtContext *ctx, const char *path, int hypers, int64_t from, size_t *end) {
  struct stat info;
  BtCsv csv;
  *end = 0;
  if (from == 0 || stat(path, &info) != 0 || info.st_size == 0) return BT_OK;
  BtStatus st = bt_csv_read(ctx, path, &csv);
  if (st < 0) return st;
  const long column = bt_csv_column(&csv, "sync");
  if (column != 0 || csv.columns != (size_t)(FIXED + PARTS * hypers))
    st = bt_fail(ctx, BT_ERR_FORMAT,
                 "%s: its columns are not those of this run; name another file to resume with", path);
  *end = csv.header_end;
  for (size_t row = 0; row < csv.rows && st >= 0 && bt_csv_cell(&csv, row, column) <= (double)from; row++)
    *end = csv.ends[row];
  bt_csv_clear(&csv);
  return st;
}

BtStatus bt_nn_hdet_log_open(BtContext *ctx, const char *path, const char *const *names, int hypers,
                             int64_t from, BtNnHdetLog **log) {
  static const char *const parts[] = {"", "_base", "_multiplier", "_low", "_high"};
  size_t end;
  *log = NULL;
  const BtStatus st = find_end(ctx, path, hypers, from, &end);
  if (st < 0) return st;
  if (end > 0 && truncate(path, (off_t)end) != 0) return fail_errno(ctx, path);
  BtNnHdetLog *l = calloc(1, sizeof *l);
  char *copy = bt_copy_text(path);
  FILE *stream = l && copy ? fopen(path, end > 0 ? "a" : "w") : NULL;
  if (!stream) {
    free(l);
    free(copy);
    return fail_errno(ctx, path);
  }
  *l = (BtNnHdetLog){copy, stream, hypers};
  if (end == 0) (void)fputs(FIXED_COLUMNS, stream);
  for (int i = 0; i < hypers && end == 0; i++)
    for (int part = 0; part < PARTS; part++) (void)fprintf(stream, ",%s%s", names[i], parts[part]);
  if (end == 0) (void)fputc('\n', stream);
  *log = l;
  return BT_OK;
}

void bt_nn_hdet_log_sync(BtNnHdetLog *log, const NnHdetSync *s) {
  FILE *out = log->stream;
  for (int r = 0; r < s->replicas; r++) {
    (void)fprintf(out, "%" PRId64 ",%" PRId64 ",%d,%d,%.9g,%.9g,%.9g,%d,%d,%.9g", s->sync, s->step, r,
                  s->kept[r], s->kept[r] ? s->loss[r] : (double)NAN, s->kept[r] ? s->trained[r] : (double)NAN,
                  s->weight[r], s->steered, s->retreat, s->gamma);
    for (int i = 0; i < s->hypers; i++) {
      const int at = i * s->replicas + r;
      (void)fprintf(out, ",%.9g,%.9g,%.9g", s->value[at], s->before[i], s->multiplier[at]);
      for (int k = 0; k < 2; k++)
        (void)fprintf(out, ",%.9g", s->mixture ? s->mixture[2 * i + k] : (double)NAN);
    }
    (void)fputc('\n', out);
  }
  (void)fflush(out); /* a sync at a time, so that a kill tears at most the last one */
}

BtStatus bt_nn_hdet_log_close(BtContext *ctx, BtNnHdetLog *log) {
  BtStatus st = BT_OK;
  if (!log) return st;
  const int broken = ferror(log->stream);
  if (fclose(log->stream) != 0 || broken) st = fail_errno(ctx, log->path);
  free(log->path);
  free(log);
  return st;
}

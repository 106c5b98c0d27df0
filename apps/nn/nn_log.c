#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "nn/nn.h"
#include "program/csv.h"

struct BtNnLog {
  char *path;
  int fd, claim; /* claim: core/file.h */
  BtNnLogOptions o;
  int64_t last; /* step of the last row, −1 if none  */
  int error;    /* errno of the first failed write   */
};

static const char epoch_columns[] =
    "epoch,step,rate,train_loss,valid_loss,test_loss,valid_%s,test_%s,best,seconds,work";

/* A line of any length, in memory. */
typedef struct {
  char *bytes;
  size_t size;
  FILE *stream;
} Line;

static int open_line(Line *line) {
  *line = (Line){0};
  line->stream = open_memstream(&line->bytes, &line->size);
  return line->stream != NULL;
}

/* One write a line: a kill tears at most the last one. */
static void end_line(BtNnLog *log, Line *line) {
  (void)fputc('\n', line->stream);
  const int broken = ferror(line->stream);
  if (fclose(line->stream) != 0 || broken) {
    if (!log->error) log->error = ENOMEM;
  } else if (!log->error) {
    const char *at = line->bytes;
    size_t left = line->size;
    while (left > 0) {
      const ssize_t n = write(log->fd, at, left);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        log->error = errno;
        break;
      }
      at += n;
      left -= (size_t)n;
    }
  }
  free(line->bytes);
}

static void print_header(const BtNnLog *log, FILE *out) {
  const NnHyperSet *hyper = log->o.hyper;
  const char *figure = log->o.text ? "perplexity" : "accuracy";
  if (log->o.kind == BT_NN_EPOCHS)
    (void)fprintf(out, epoch_columns, figure, figure);
  else
    (void)fputs("step,epoch,tuning_loss", out);
  for (size_t i = 0; i < hyper->count; i++) {
    (void)fputc(',', out);
    bt_csv_text(out, hyper->item[i].name);
  }
  for (size_t i = 0; log->o.scales && i < hyper->count; i++)
    (void)fprintf(out, ",scale(%s)", hyper->item[i].name); /* names need no quotes: nn/hyper.h */
}

static BtStatus fail_errno(BtContext *ctx, const BtNnLog *log, int error) {
  return bt_fail(ctx, BT_ERR_IO, "%s: the log cannot be written: %s", log->path, strerror(error));
}

static BtStatus start(BtContext *ctx, BtNnLog *log) {
  Line line;
  log->fd = open(log->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (log->fd < 0) return fail_errno(ctx, log, errno);
  if (!open_line(&line)) return bt_fail_memory(ctx, "a log", 256);
  print_header(log, line.stream);
  end_line(log, &line);
  return log->error ? fail_errno(ctx, log, log->error) : BT_OK;
}

/* Where the rows up to `step` end. */
static BtStatus find_end(BtContext *ctx, BtNnLog *log, int64_t step, size_t *end) {
  BtCsv csv;
  BtStatus st = bt_csv_read(ctx, log->path, &csv);
  if (st < 0) return st;
  const long column = bt_csv_column(&csv, "step");
  const size_t unscaled = (log->o.kind == BT_NN_EPOCHS ? 11 : 3) + log->o.hyper->count;
  /* A log that was begun before there were scales in it goes on without. */
  if (csv.columns == unscaled) log->o.scales = 0;
  if (column < 0 || csv.columns != unscaled + (log->o.scales ? log->o.hyper->count : 0))
    st = bt_fail(ctx, BT_ERR_FORMAT,
                 "%s: its columns are not those of this run; name another file to resume with", log->path);
  if (st >= 0) *end = bt_csv_end(&csv, column, step, &log->last);
  bt_csv_clear(&csv);
  return st;
}

static BtStatus resume(BtContext *ctx, BtNnLog *log, int64_t step) {
  size_t end = 0;
  const BtStatus st = find_end(ctx, log, step, &end);
  if (st < 0) return st;
  log->fd = bt_csv_go_on(log->path, end);
  return log->fd < 0 ? fail_errno(ctx, log, errno) : BT_OK;
}

BtStatus bt_nn_log_open(BtContext *ctx, const char *path, const BtNnLogOptions *options, int64_t resume_step,
                        BtNnLog **log) {
  struct stat info;
  *log = NULL;
  BtNnLog *l = calloc(1, sizeof *l);
  char *copy = bt_copy_text(path);
  if (!l || !copy) {
    free(l);
    free(copy);
    return bt_fail_memory(ctx, "a log", sizeof *l);
  }
  *l = (BtNnLog){.path = copy, .fd = -1, .claim = -1, .o = *options, .last = -1};
  const int there = stat(path, &info) == 0 && info.st_size > 0;
  BtStatus st = bt_file_claim(ctx, path, &l->claim);
  if (st >= 0) st = resume_step >= 0 && there ? resume(ctx, l, resume_step) : start(ctx, l);
  /* The file may be new. */
  if (st >= 0) st = bt_file_claim(ctx, path, &l->claim);
  if (st < 0)
    (void)bt_nn_log_close(NULL, l);
  else
    *log = l;
  return st;
}

static void print_epoch(const BtNnLog *log, const BtTrainingEvent *e, FILE *out) {
  (void)fprintf(out, "%" PRId64 ",%" PRId64 ",%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%d,%.3f,%" PRId64, e->epoch,
                e->step, e->rate, e->train_loss, e->valid_loss, e->test_loss,
                log->o.text ? exp(e->valid_loss) : e->valid_accuracy,
                log->o.text ? exp(e->test_loss) : e->test_accuracy, e->best, e->seconds, e->work);
}

int bt_nn_log_event(void *user, const BtEvent *event) {
  BtNnLog *log = user;
  const BtTrainingEvent *e = &event->as.training;
  const BtTrainingMoment wanted = log->o.kind == BT_NN_EPOCHS ? BT_TRAINED_EPOCH : BT_TRAINED_TUNED;
  Line line;
  if (event->type != BT_EVENT_TRAINING || e->moment != wanted || log->error || e->step <= log->last) return 0;
  if (!open_line(&line)) {
    log->error = ENOMEM;
    return 0;
  }
  if (log->o.kind == BT_NN_EPOCHS)
    print_epoch(log, e, line.stream);
  else
    (void)fprintf(line.stream, "%" PRId64 ",%" PRId64 ",%.17g", e->step, e->epoch, e->tuning_loss);
  for (int64_t i = 0; i < e->hyper_count; i++) (void)fprintf(line.stream, ",%.17g", e->hyper[i]);
  for (int64_t i = 0; log->o.scales && i < e->hyper_count; i++)
    (void)fprintf(line.stream, ",%.17g", e->scales ? e->scales[i] : (double)NAN);
  end_line(log, &line);
  log->last = e->step;
  return 0;
}

BtStatus bt_nn_log_close(BtContext *ctx, BtNnLog *log) {
  BtStatus st = BT_OK;
  if (!log) return st;
  if (log->fd >= 0 && close(log->fd) != 0 && !log->error) log->error = errno;
  if (log->error) st = fail_errno(ctx, log, log->error);
  if (log->claim >= 0) (void)close(log->claim);
  free(log->path);
  free(log);
  return st;
}

BtStatus bt_nn_schedule_read(BtContext *ctx, const char *path, const NnHyperSet *hyper, BtNnSchedule *s) {
  BtCsv csv;
  BtStatus st = bt_csv_read(ctx, path, &csv);
  *s = (BtNnSchedule){0};
  if (st < 0) return st;
  const size_t n = hyper->count;
  const long at = bt_csv_column(&csv, "step");
  s->step = calloc(csv.rows + 1, sizeof *s->step);
  s->values = calloc(csv.rows * n + 1, sizeof *s->values);
  if (!s->step || !s->values) st = bt_fail_memory(ctx, "a schedule", 8.0 * (double)(csv.rows * (n + 1)));
  if (st >= 0 && (at < 0 || csv.rows == 0))
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: no schedule: it needs a column \"step\" and whole lines of numbers",
                 path);
  for (size_t r = 0; r < csv.rows && st >= 0; r++) {
    const double step = bt_csv_cell(&csv, r, at);
    if (!(step >= 0 && step <= 9e15 && step == floor(step)))
      st = bt_fail(ctx, BT_ERR_FORMAT, "%s: row %zu: its step is no whole number from 0 on", path, r + 1);
    else if (r && step < (double)s->step[r - 1])
      st =
          bt_fail(ctx, BT_ERR_FORMAT, "%s: row %zu: its step lies before that of the row above", path, r + 1);
    else
      s->step[r] = (int64_t)step;
    for (size_t i = 0; i < n && st >= 0; i++) {
      const char *name = hyper->item[i].name;
      const long column = bt_csv_column(&csv, name);
      double lambda;
      if (column < 0) st = bt_fail(ctx, BT_ERR_FORMAT, "%s: there is no column \"%s\"", path, name);
      if (st >= 0) s->values[r * n + i] = bt_csv_cell(&csv, r, column);
      if (st >= 0 && isnan(s->values[r * n + i]))
        st = bt_fail(ctx, BT_ERR_FORMAT, "%s: row %zu: there is no number for \"%s\"", path, r + 1, name);
      BtContext inner;
      bt_context_init(&inner);
      if (st >= 0 && nn_hyper_unconstrained(&inner, &hyper->item[i], s->values[r * n + i], &lambda) < 0)
        st = bt_fail(ctx, BT_ERR_FORMAT, "%s: row %zu: %s", path, r + 1, inner.error);
    }
  }
  s->replay = (NnReplay){csv.rows, s->step, s->values};
  bt_csv_clear(&csv);
  if (st < 0) bt_nn_schedule_clear(s);
  return st;
}

void bt_nn_schedule_clear(BtNnSchedule *s) {
  free(s->step);
  free(s->values);
  *s = (BtNnSchedule){0};
}

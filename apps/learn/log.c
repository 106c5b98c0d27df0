#include "learn/log.h"

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
#include "hypergrad/charted.h"
#include "learn/groups.h"
#include "program/csv.h"

#define FIXED_COLUMNS                                                                         \
  "iteration,loss,lower,upper,eps,delta,step,gradient_norm,gradient_bound,gradient_estimate," \
  "accepted,trials,gradients,hessian_products,solves,hypergradients,work,seconds"
#define LINE_LIMIT 2048

struct BtLog {
  char *path;
  int fd, claim; /* claim: core/file.h */
  BtLogSpec spec;
  double *theta; /* [parameters] of the row being written */
  size_t parameters, group_count;
  BtGroup groups[BT_MAX_GROUPS];
  int64_t last; /* iteration of the last row, -1 if none */
  int error;    /* errno of the first failed write       */
};

static int write_all(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    const ssize_t n = write(fd, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes += n;
    size -= (size_t)n;
  }
  return 0;
}

static int by_group(const BtLog *log) { return log->parameters > BT_LOG_MAX_THETA; }

/* The header line with its line break. */
static size_t format_header(const BtLog *log, char *line) {
  int n =
      snprintf(line, LINE_LIMIT, "%s%s", FIXED_COLUMNS, log->spec.stochastic ? ",loss_mean,psnr_valid" : "");
  for (size_t i = 0; !by_group(log) && i < log->parameters; i++)
    n += snprintf(line + n, LINE_LIMIT - (size_t)n, ",theta_%zu", i);
  for (size_t g = 0; by_group(log) && g < log->group_count; g++) {
    const char *name = log->groups[g].name;
    n += snprintf(line + n, LINE_LIMIT - (size_t)n, ",%.32s_mean,%.32s_min,%.32s_max", name, name, name);
  }
  n += snprintf(line + n, LINE_LIMIT - (size_t)n, "\n");
  return (size_t)n;
}

static size_t format_row(const BtLog *log, const BtOuterEvent *e, char *line) {
  int n = snprintf(line, LINE_LIMIT,
                   "%" PRId64 ",%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%d,%d,%" PRId64
                   ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%.6f",
                   e->iteration, e->value, e->lower, e->upper, e->eps, e->delta, e->step, e->gradient_norm,
                   e->gradient_bound, e->gradient_estimate, e->accepted, e->trials, e->work.gradients,
                   e->work.hessian_products, e->work.solves, e->work.hypergradients, bt_work_total(&e->work),
                   e->seconds);
  if (log->spec.stochastic)
    n += snprintf(line + n, LINE_LIMIT - (size_t)n, ",%.17g,%.17g", e->value_mean,
                  log->spec.psnr_valid ? *log->spec.psnr_valid : (double)NAN);
  for (size_t i = 0; !by_group(log) && i < log->parameters; i++)
    n += snprintf(line + n, LINE_LIMIT - (size_t)n, ",%.17g", log->theta[i]);
  for (size_t g = 0; by_group(log) && g < log->group_count; g++) {
    const BtGroupFigures f = bt_group_figures(&log->groups[g], log->theta);
    n += snprintf(line + n, LINE_LIMIT - (size_t)n, ",%.17g,%.17g,%.17g", f.mean, f.least, f.largest);
  }
  n += snprintf(line + n, LINE_LIMIT - (size_t)n, "\n");
  return (size_t)n;
}

static BtStatus check_columns(BtContext *ctx, const BtLog *log, const BtCsv *csv) {
  char line[LINE_LIMIT];
  format_header(log, line);
  line[strcspn(line, "\n")] = '\0';
  size_t c = 0;
  int same = 1;
  for (char *name = line; same && name; c++) {
    char *comma = strchr(name, ',');
    if (comma) *comma = '\0';
    same = c < csv->columns && strcmp(csv->names[c], name) == 0;
    name = comma ? comma + 1 : NULL;
  }
  if (same && c == csv->columns) return BT_OK;
  return bt_fail(ctx, BT_ERR_FORMAT,
                 "%s: its columns are not those of this run's log; give --log another file to resume with",
                 log->path);
}

/* Finds where the rows of iterations up to `from` end. */
static BtStatus find_end(BtContext *ctx, BtLog *log, int64_t from, size_t *end) {
  BtCsv csv;
  BtStatus st = bt_csv_read(ctx, log->path, &csv);
  if (st < 0) return st;
  st = check_columns(ctx, log, &csv);
  if (st >= 0) *end = bt_csv_end(&csv, 0, from, &log->last);
  bt_csv_clear(&csv);
  return st;
}

static BtStatus fail_errno(BtContext *ctx, const BtLog *log, int error) {
  return bt_fail(ctx, BT_ERR_IO, "%s: the log cannot be written: %s", log->path, strerror(error));
}

/* An empty file holds no run to continue. */
static int has_content(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && info.st_size > 0;
}

static BtStatus start(BtContext *ctx, BtLog *log) {
  char line[LINE_LIMIT];
  log->fd = open(log->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (log->fd < 0) return fail_errno(ctx, log, errno);
  const int error = write_all(log->fd, line, format_header(log, line));
  return error ? fail_errno(ctx, log, error) : BT_OK;
}

static BtStatus resume(BtContext *ctx, BtLog *log, int64_t from) {
  size_t end = 0;
  const BtStatus st = find_end(ctx, log, from, &end);
  if (st < 0) return st;
  log->fd = bt_csv_go_on(log->path, end);
  return log->fd < 0 ? fail_errno(ctx, log, errno) : BT_OK;
}

BtStatus bt_log_open(BtContext *ctx, const char *path, const BtLogSpec *spec, int64_t resume_from,
                     BtLog **log) {
  BtStatus st = BT_OK;
  *log = NULL;
  BtLog *l = calloc(1, sizeof *l);
  char *copy = bt_copy_text(path);
  if (!l || !copy) {
    free(l);
    free(copy);
    return bt_fail_memory(ctx, "a log", sizeof *l);
  }
  *l = (BtLog){.path = copy, .fd = -1, .claim = -1, .spec = *spec, .last = -1, .parameters = spec->parameters};
  if (spec->regularizer) {
    l->parameters = spec->regularizer->parameters;
    l->group_count = bt_parameter_groups(spec->regularizer, l->groups);
  }
  for (size_t g = 0; !spec->regularizer && g < spec->group_count && g < BT_MAX_GROUPS; g++)
    l->groups[l->group_count++] = spec->groups[g];
  l->theta = calloc(l->parameters, sizeof *l->theta);
  if (!l->theta) {
    (void)bt_log_close(NULL, l);
    return bt_fail_memory(ctx, "a log", 8.0 * (double)l->parameters);
  }
  st = bt_file_claim(ctx, path, &l->claim);
  if (st >= 0) st = resume_from >= 0 && has_content(path) ? resume(ctx, l, resume_from) : start(ctx, l);
  /* The file may be new. */
  if (st >= 0) st = bt_file_claim(ctx, path, &l->claim);
  if (st < 0)
    (void)bt_log_close(NULL, l);
  else
    *log = l;
  return st;
}

int bt_log_event(void *user, const BtEvent *event) {
  BtLog *log = user;
  char line[LINE_LIMIT];
  if (event->type != BT_EVENT_OUTER || log->error || event->as.outer.iteration <= log->last) return 0;
  if (log->spec.regularizer)
    bt_chart_apply(log->spec.regularizer, event->as.outer.theta, log->theta);
  else
    memcpy(log->theta, event->as.outer.theta, log->parameters * sizeof *log->theta);
  /* One write a row: a kill tears at most the last one. */
  log->error = write_all(log->fd, line, format_row(log, &event->as.outer, line));
  log->last = event->as.outer.iteration;
  return 0;
}

BtStatus bt_log_close(BtContext *ctx, BtLog *log) {
  BtStatus st = BT_OK;
  if (!log) return st;
  if (log->fd >= 0 && close(log->fd) != 0 && !log->error) log->error = errno;
  if (log->error) st = fail_errno(ctx, log, log->error);
  if (log->claim >= 0) (void)close(log->claim);
  free(log->path);
  free(log->theta);
  free(log);
  return st;
}

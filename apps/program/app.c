#include "program/app.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/json.h"
#include "program/petsc_session.h"
#include "program/version.h"

enum { EXIT_DONE = 0, EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_UNCERTIFIED = 3, EXIT_INTERRUPTED = 130 };

void bt_app_init(BtApp *app) {
  memset(app, 0, sizeof *app);
  bt_context_init(&app->ctx);
  bt_team_self(&app->team);
  bt_progress_init(&app->progress, 0);
  app->result = json_object();
  app->start = bt_app_clock();
}

double bt_app_clock(void) { return bt_clock(); }

double bt_app_seconds(const BtApp *app) { return bt_app_clock() - app->start; }

/* Remembers why writing to stdout failed: later, PETSc's own flushing would have lost it. */
static void note_written(BtApp *app, int result) {
  if (result < 0 && !app->stdout_error) app->stdout_error = errno;
}

void bt_app_print(BtApp *app, const char *format, ...) {
  if (app->team.rank != 0 || app->common.json || app->common.quiet) return;
  bt_progress_clear(&app->progress);
  va_list args;
  va_start(args, format);
  note_written(app, vprintf(format, args));
  va_end(args);
}

void bt_app_document(BtApp *app, const char *text) {
  if (app->common.json)
    bt_app_put_text(app, "text", text);
  else
    note_written(app, fputs(text, stdout));
}

void bt_app_put(BtApp *app, const char *key, json_t *value) {
  (void)json_object_set_new(app->result, key, value ? value : json_null());
}

void bt_app_put_real(BtApp *app, const char *key, double value) { bt_app_put(app, key, bt_json_real(value)); }

void bt_app_put_int(BtApp *app, const char *key, int64_t value) { bt_app_put(app, key, json_integer(value)); }

json_t *bt_app_text_json(const char *text) {
  json_t *value = json_string(text);
  char *copy = value ? NULL : bt_copy_text(text);
  for (char *c = copy; c && *c; c++)
    if ((unsigned char)*c >= 0x80) *c = '?';
  if (copy) value = json_string(copy);
  free(copy);
  return value;
}

void bt_app_put_text(BtApp *app, const char *key, const char *value) {
  bt_app_put(app, key, value ? bt_app_text_json(value) : NULL);
}

json_t *bt_app_settings_json(const BtApp *app) {
  json_t *all = json_object();
  for (size_t s = 0; all && s + 1 < app->set_count; s++) {
    json_t *one = bt_options_json(app->sets[s].table, app->sets[s].target);
    if (one) (void)json_object_update_missing(all, one);
    json_decref(one);
  }
  return all;
}

void bt_app_complain(BtApp *app, const char *text) {
  char line[BT_ERROR_TEXT + 32];
  bt_progress_clear(&app->progress);
  /* Another process may have a progress line on the terminal. */
  const char *start = app->team.rank != 0 && isatty(STDERR_FILENO) ? "\r\033[K" : "";
  int n = snprintf(line, sizeof line - 1, "%sbitune: %s", start, text);
  if (n < 0) return;
  if (n > (int)sizeof line - 2) n = (int)sizeof line - 2;
  for (int i = (int)strlen(start); i < n; i++)
    if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
  line[n++] = '\n';
  /* One call, so that lines of several processes do not mix; nothing can be done if stderr is gone. */
  if (write(STDERR_FILENO, line, (size_t)n) < 0) return;
}

BtStatus bt_app_require(BtApp *app, int given, const char *name) {
  return given ? BT_OK : bt_fail(&app->ctx, BT_ERR_ARG, "--%s is required", name);
}

/* Everything buffered must reach its place, a full disk must not go unnoticed. 0 or an exit code. */
static int flush_stdout(BtApp *app) {
  char text[BT_ERROR_TEXT];
  note_written(app, fflush(stdout));
  if (ferror(stdout) && !app->stdout_error) app->stdout_error = EIO;
  /* Started without a stdout there is nothing to be lost. */
  if (app->stdout_error == 0 || app->stdout_error == EBADF) return 0;
  /* A reader that has seen enough (… | head) need not be told. */
  if (app->stdout_error == EPIPE) return EXIT_ERROR;
  snprintf(text, sizeof text, "standard output could not be written: %s", strerror(app->stdout_error));
  bt_app_complain(app, text);
  return EXIT_ERROR;
}

static int exit_code(const BtApp *app, BtStatus status) {
  if (app->usage_error) return EXIT_USAGE;
  if (status < 0) return EXIT_ERROR;
  if (status == BT_STOPPED) return EXIT_INTERRUPTED;
  if (app->failures > 0) return EXIT_ERROR;
  return status == BT_OK ? EXIT_DONE : EXIT_UNCERTIFIED;
}

static void complain_status(BtApp *app, BtStatus status) {
  char text[BT_ERROR_TEXT + 128];
  /* Every rank of a launcher reads the same command line, before there is a team. */
  if (app->usage_error && bt_app_launcher_rank() > 0) return;
  if (app->usage_error && app->command)
    snprintf(text, sizeof text, "%s (see \"bitune help %s\")", app->ctx.error, app->command->name);
  else if (status < 0)
    snprintf(text, sizeof text, "%s", *app->ctx.error ? app->ctx.error : bt_status_name(status));
  else if (status == BT_STOPPED)
    snprintf(text, sizeof text, "interrupted");
  else
    return;
  bt_app_complain(app, text);
}

/* What every result says comes first. */
static void print_result(BtApp *app, BtStatus status) {
  json_t *fields = app->result;
  app->result = json_object();
  bt_app_put_text(app, "command", app->command->name);
  bt_app_put_text(app, "version", bt_version_text());
  bt_app_put_text(app, "status", status >= 0 && app->failures ? "some items failed" : bt_status_name(status));
  if (status < 0) bt_app_put_text(app, "error", app->ctx.error);
  (void)json_object_update(app->result, fields);
  json_decref(fields);
  note_written(app, json_dumpf(app->result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17)));
  note_written(app, fputc('\n', stdout));
}

int bt_app_finish(BtApp *app, BtStatus status) {
  int code = exit_code(app, status);
  bt_progress_clear(&app->progress);
  if (app->team.rank == 0) {
    complain_status(app, status);
    if (app->common.json && !app->usage_error && app->command) print_result(app, status);
    const int lost = flush_stdout(app);
    if (lost) code = lost;
  }
  if (app->petsc_running) bt_petsc_stop(app);
  app->team.destroy(&app->team);
  json_decref(app->result);
  free(app->settings);
  free((void *)app->operands);
  free(app->petsc_argument);
  return code;
}

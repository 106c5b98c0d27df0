/* One run of a comparison: a folder with log.csv, model.json, checkpoint or a search's folder, the process's
 * output and, once it is done, run.json. What is done is recognised by the command line kept there. */
#define _GNU_SOURCE /* strsignal, flock */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare/compare.h"
#include "core/file.h"
#include "core/json.h"
#include "program/csv.h"
#include "program/version.h"

#define RECORD_LIMIT ((size_t)64 << 20)
#define LOG_GLANCE ((off_t)4 << 20) /* larger logs are not read for the sake of the progress line */

#define SLACK_SECONDS 10

enum {
  EXIT_CODE_DONE = 0,
  EXIT_CODE_ERROR = 1,
  EXIT_CODE_USAGE = 2,
  EXIT_CODE_UNCERTIFIED = 3,
  EXIT_CODE_STOPPED = 130
};

char *bt_compare_run_file(const BtCompareRun *run, const char *name) {
  return bt_path_join(run->folder, name);
}

static json_t *words_json(char *const *words) {
  json_t *list = json_array();
  for (size_t i = 1; list && words && words[i]; i++)
    (void)json_array_append_new(list, bt_app_text_json(words[i]));
  return list;
}

static int exists(const BtCompareRun *run, const char *name) {
  struct stat info;
  char *path = bt_compare_run_file(run, name);
  const int there = path && stat(path, &info) == 0 && info.st_size > 0;
  free(path);
  return there;
}

static void discard(const BtCompareRun *run, const char *name) {
  char *path = bt_compare_run_file(run, name);
  if (path) (void)unlink(path);
  free(path);
}

/* A JSON object of the run's folder, or NULL: a damaged record is as good as none. */
static json_t *load(const BtCompareRun *run, const char *name) {
  BtContext ctx;
  json_t *object = NULL;
  char *path = bt_compare_run_file(run, name);
  bt_context_init(&ctx);
  if (path) (void)bt_json_load(&ctx, path, RECORD_LIMIT, &object);
  free(path);
  return object;
}

static void set_text(char **field, const char *text) {
  free(*field);
  *field = text ? bt_copy_text(text) : NULL;
}

static int same_words(const json_t *record, char *const *words) {
  json_t *wanted = words_json(words);
  const int same = wanted && json_equal(json_object_get(record, "words"), wanted);
  json_decref(wanted);
  return same;
}

/* The judging process's outcome, if it is this run's. */
static void look_for_judgement(const BtCompare *all, BtCompareRun *run) {
  json_t *record = load(run, "judged.json");
  char **words = bt_compare_judge_words(all, run);
  json_t *result = json_object_get(record, "result");
  json_decref(run->judged);
  run->judged = NULL;
  if (words && json_is_object(result) && same_words(record, words)) run->judged = json_incref(result);
  bt_compare_words_free(words);
  json_decref(record);
}

/* Why judging failed, if it has been tried. */
static void recall_remark(BtCompareRun *run) {
  BtContext ctx;
  char *text = NULL, *path = bt_compare_run_file(run, "not-judged");
  size_t size;
  bt_context_init(&ctx);
  if (path && bt_file_read(&ctx, path, RECORD_LIMIT, &text, &size) >= 0) set_text(&run->remark, text);
  free(text);
  free(path);
}

/* Written by this comparison rather than an earlier one: its processes start within seconds of one another.
 */
static int is_recent(const BtCompare *all, const BtCompareRun *run) {
  struct stat info;
  char *path = bt_compare_run_file(run, "run.json");
  const int recent = path && stat(path, &info) == 0 && info.st_mtime >= all->since - SLACK_SECONDS;
  free(path);
  return recent;
}

/* A process that has a result: it finished, or its numbers blew up where that is one. */
static int has_result(const BtCompare *all, const BtCompareRun *run, int code, const json_t *result) {
  const char *status = json_string_value(json_object_get(result, "status"));
  if (!json_is_object(result)) return 0;
  if (code == EXIT_CODE_DONE || code == EXIT_CODE_UNCERTIFIED) return 1;
  return code == EXIT_CODE_ERROR && bt_compare_form(all, run)->kind->diverges && status &&
         strcmp(status, bt_status_name(BT_ERR_NUMERIC)) == 0;
}

BtStatus bt_compare_run_look(BtContext *ctx, const BtCompare *all, BtCompareRun *run) {
  (void)ctx;
  json_t *record = load(run, "run.json");
  const json_t *code = json_object_get(record, "exit");
  if (!record || !same_words(record, run->argv) || !json_is_integer(code)) {
    json_decref(record);
    return BT_OK;
  }
  json_decref(run->record);
  run->record = record;
  run->result = json_object_get(record, "result");
  run->code = (int)json_integer_value(code);
  const int done = has_result(all, run, run->code, run->result);
  if (!done || !exists(run, bt_compare_form(all, run)->course)) {
    /* Failed before: worth another trial in a later comparison, an answer in this one. */
    set_text(&run->error, json_string_value(json_object_get(record, "error")));
    if (run->state == BT_RUN_ELSEWHERE && !done && is_recent(all, run)) run->state = BT_RUN_FAILED;
    return BT_OK;
  }
  const char *version = json_string_value(json_object_get(record, "git"));
  run->diverged = run->code == EXIT_CODE_ERROR;
  if (run->diverged) set_text(&run->remark, json_string_value(json_object_get(run->result, "error")));
  run->other_build = version && strcmp(version, bt_version_git()) != 0;
  if (all->spec.judge) look_for_judgement(all, run);
  if (all->spec.judge && !run->judged) recall_remark(run);
  if (!all->spec.judge || run->judged || exists(run, "not-judged")) run->state = BT_RUN_FINISHED;
  return BT_OK;
}

static void release(BtCompareRun *run) {
  if (run->lock >= 0) (void)close(run->lock);
  run->lock = -1;
}

/* The folder is held until the process ends: the descriptor is the child's, too. Without a lock where another
 * process holds it. */
static BtStatus take_lock(BtContext *ctx, BtCompareRun *run) {
  BtStatus st = bt_make_folder(ctx, run->folder);
  char *path = st >= 0 ? bt_compare_run_file(run, "lock") : NULL;
  if (st < 0) return st;
  run->lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
  if (run->lock < 0)
    st = bt_fail(ctx, BT_ERR_IO, "%s: cannot be written: %s", run->folder, strerror(errno));
  else if (flock(run->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    release(run);
  free(path);
  return st;
}

/* Seconds that the run's log accounts for. */
static double seconds_logged(const BtCompare *all, const BtCompareRun *run) {
  const BtCompareForm *form = bt_compare_form(all, run);
  BtContext ctx;
  BtCsv log;
  double seconds = 0;
  char *path = bt_compare_run_file(run, form->course);
  bt_context_init(&ctx);
  if (path && bt_csv_read(&ctx, path, &log) >= 0) {
    const long column = bt_csv_column(&log, "seconds");
    const size_t first = form->seconds_add_up || !log.rows ? 0 : log.rows - 1;
    for (size_t row = first; column >= 0 && row < log.rows; row++) seconds += bt_csv_cell(&log, row, column);
    bt_csv_clear(&log);
  }
  free(path);
  return isfinite(seconds) && seconds > 0 ? seconds : 0;
}

/* Appends a word to a line that bt_compare_run_words() has left room in. */
static int add_word(char **words, const char *format, const char *value) {
  size_t n = 0;
  while (words[n]) n++;
  const size_t size = strlen(format) + strlen(value) + 1;
  words[n] = malloc(size);
  if (words[n]) snprintf(words[n], size, "%s%s", format, value);
  return words[n] != NULL;
}

/* Takes out the options that a checkpoint brings by itself. */
static void drop_words(char **words, const char *names) {
  size_t kept = 0;
  for (size_t i = 0; words[i]; i++) {
    const char *name = strncmp(words[i], "--", 2) == 0 ? words[i] + 2 : "";
    if (*name && bt_choice_index(names, name, strcspn(name, "=")) >= 0)
      free(words[i]);
    else
      words[kept++] = words[i];
    if (i >= kept) words[i] = NULL;
  }
}

static char **line_of(const BtCompare *all, BtCompareRun *run) {
  const BtCompareCommand *command = all->spec.methods[run->method].command;
  const double budget = bt_compare_seconds_budget(&all->spec, run->method);
  char **words = bt_compare_run_words(all, run);
  char seconds[40];
  int ok = words != NULL;
  run->resumed = command->checkpoints
                     ? exists(run, "checkpoint")
                     : command->form->goes_on && exists(run, BT_COMPARE_SEARCH_FOLDER "/search.json");
  if (!run->resumed) return words;
  if (command->checkpoints) {
    char *checkpoint = bt_compare_run_file(run, "checkpoint");
    if (ok) drop_words(words, command->form->resume_brings);
    ok = ok && checkpoint && add_word(words, "--resume=", checkpoint);
    free(checkpoint);
  }
  if (budget > 0) {
    /* The budget counts all parts of a run. */
    snprintf(seconds, sizeof seconds, "%.6f", fmax(1e-3, budget - seconds_logged(all, run)));
    ok = ok && add_word(words, "--max-seconds=", seconds);
  }
  if (ok) return words;
  bt_compare_words_free(words);
  return NULL;
}

/* Removes what a search has left. */
static void discard_search(const BtCompareRun *run) {
  char *folder = bt_compare_run_file(run, BT_COMPARE_SEARCH_FOLDER);
  DIR *dir = folder ? opendir(folder) : NULL;
  for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
    if (*entry->d_name != '.') (void)unlinkat(dirfd(dir), entry->d_name, 0);
  if (dir) (void)closedir(dir);
  free(folder);
}

static void start_over(const BtCompareRun *run) {
  static const char *const files[] = {"checkpoint",  "log.csv",    "model.json",        "run.json",
                                      "judged.json", "not-judged", "judged-model.json", "output.json"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) discard(run, files[i]);
  discard_search(run);
}

BtStatus bt_compare_run_begin(BtContext *ctx, const BtCompare *all, BtCompareRun *run) {
  BtStatus st = BT_OK;
  char **words = NULL;
  char *out = NULL, *err = NULL;
  if (run->lock < 0) {
    BT_TRY(take_lock(ctx, run));
    if (run->lock < 0) {
      run->state = BT_RUN_ELSEWHERE;
      goto done;
    }
    if (all->again && !run->judging) start_over(run);
    if (!all->again && !run->record) BT_TRY(bt_compare_run_look(ctx, all, run));
    if (run->state == BT_RUN_FINISHED) goto done;
  }
  run->judging = run->record && has_result(all, run, run->code, run->result) && all->spec.judge;
  if (!run->judging) discard(run, "run.json");
  discard(run, "not-judged");
  words = run->judging ? bt_compare_judge_words(all, run) : line_of(all, run);
  if (!run->judging && !run->resumed) start_over(run);
  out = bt_compare_run_file(run, run->judging ? "judged-output.json" : "output.json");
  err = bt_compare_run_file(run, run->judging ? "judged-messages.txt" : "messages.txt");
  if (!words || !out || !err) BT_TRY(bt_fail_memory(ctx, "a run", 0));
  run->began = bt_app_clock();
  run->state = BT_RUN_RUNNING;
  BT_TRY(bt_compare_spawn(ctx, words, out, err, run->lock, &run->pid));
done:
  if (run->pid == 0) release(run);
  bt_compare_words_free(words);
  free(out);
  free(err);
  return st;
}

/* {"words", "exit", "result", …} beside the run. */
static BtStatus save_record(BtContext *ctx, const BtCompareRun *run, const char *name, char *const *words,
                            const json_t *result) {
  json_t *record = json_object();
  int ok = record != NULL;
  ok = ok && json_object_set_new(record, "words", words_json(words)) == 0;
  ok = ok && json_object_set_new(record, "exit", json_integer(run->code)) == 0;
  ok = ok && json_object_set_new(record, "version", json_string(bt_version_text())) == 0;
  ok = ok && json_object_set_new(record, "git", json_string(bt_version_git())) == 0;
  ok = ok && json_object_set_new(record, "wall_seconds", bt_json_real(run->wall)) == 0;
  if (run->error) ok = ok && json_object_set_new(record, "error", bt_app_text_json(run->error)) == 0;
  if (result) ok = ok && json_object_set(record, "result", (json_t *)result) == 0;
  char *path = ok ? bt_compare_run_file(run, name) : NULL;
  const BtStatus st = path ? bt_json_save(ctx, path, record) : bt_fail_memory(ctx, "a record", 0);
  free(path);
  json_decref(record);
  return st;
}

static void tell_death(BtCompareRun *run, int status) {
  char text[128];
  const int number = WTERMSIG(status);
  snprintf(text, sizeof text, "its process was ended by signal %d (%s)%s", number, strsignal(number),
           number == SIGKILL ? ", perhaps for want of memory" : "");
  set_text(&run->error, text);
}

static BtStatus judged(BtContext *ctx, const BtCompare *all, BtCompareRun *run, int good) {
  BtStatus st = BT_OK;
  json_t *result = good ? load(run, "judged-output.json") : NULL;
  char **words = bt_compare_judge_words(all, run);
  char *err = bt_compare_run_file(run, "judged-messages.txt"), *said = NULL, *mark = NULL;
  run->state = BT_RUN_FINISHED;
  if (!words || !err) BT_TRY(bt_fail_memory(ctx, "a record", 0));
  if (result) {
    json_decref(run->judged);
    run->judged = json_incref(result);
    BT_TRY(save_record(ctx, run, "judged.json", words, result));
    goto done;
  }
  char text[512];
  said = bt_compare_last_error(err);
  snprintf(text, sizeof text, "its result could not be judged: %.400s", said ? said : "no message");
  set_text(&run->remark, text);
  mark = bt_compare_run_file(run, "not-judged");
  if (mark) BT_TRY(bt_file_write(ctx, mark, text, strlen(text)));
done:
  bt_compare_words_free(words);
  free(err);
  free(said);
  free(mark);
  json_decref(result);
  return st;
}

BtStatus bt_compare_run_ended(BtContext *ctx, const BtCompare *all, BtCompareRun *run, int status,
                              int stopped) {
  BtStatus st = BT_OK;
  const int exited = WIFEXITED(status), code = exited ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  json_t *result = exited && !run->judging ? load(run, "output.json") : NULL;
  const int good = exited && (code == EXIT_CODE_DONE || code == EXIT_CODE_UNCERTIFIED ||
                              (!run->judging && has_result(all, run, code, result)));
  run->wall += bt_app_clock() - run->began;
  if (stopped && !good) {
    run->state = BT_RUN_WAITING;
    goto done;
  }
  if (run->judging) {
    BT_TRY(judged(ctx, all, run, good));
    goto done;
  }
  run->code = code;
  if (!good && run->resumed && exited && (code == EXIT_CODE_ERROR || code == EXIT_CODE_USAGE)) {
    /* The checkpoint does not fit or is damaged: once more, from the start. */
    discard(run, "checkpoint");
    discard_search(run);
    run->state = BT_RUN_RUNNING;
    goto done;
  }
  set_text(&run->error, NULL);
  if (!exited) {
    tell_death(run, status);
  } else if (!good) {
    char *err = bt_compare_run_file(run, "messages.txt"), *said = err ? bt_compare_last_error(err) : NULL;
    set_text(&run->error, said ? said : "it ended with an error and said nothing");
    free(err);
    free(said);
  } else if (!result) {
    set_text(&run->error, "it printed no result");
    run->code = EXIT_CODE_ERROR;
  }
  run->state = run->error ? BT_RUN_FAILED : BT_RUN_FINISHED;
  BT_TRY(save_record(ctx, run, "run.json", run->argv, good ? result : NULL));
  if (run->state == BT_RUN_FINISHED) {
    BT_TRY(bt_compare_run_look(ctx, all, run));
    /* What a run that diverged says names it. */
    if (!run->diverged) discard(run, "checkpoint");
    if (all->spec.judge && !run->judged) run->state = BT_RUN_RUNNING;
  }
done:
  json_decref(result);
  /* Another process of the same run takes over the lock. */
  if (run->state != BT_RUN_RUNNING) release(run);
  return st;
}

double bt_compare_run_share(const BtCompare *all, const BtCompareRun *run) {
  BtContext ctx;
  BtCsv log;
  struct stat info;
  double share = 0;
  if (run->judging) return 1;
  const double seconds = bt_compare_seconds_budget(&all->spec, run->method);
  const int64_t work = bt_compare_work_budget(&all->spec, run->method);
  if (seconds > 0) share = (bt_app_clock() - run->began) / seconds;
  char *path = work > 0 ? bt_compare_run_file(run, bt_compare_form(all, run)->course) : NULL;
  bt_context_init(&ctx);
  if (path && stat(path, &info) == 0 && info.st_size < LOG_GLANCE && bt_csv_read(&ctx, path, &log) >= 0) {
    const long column = bt_csv_column(&log, "work");
    if (column >= 0 && log.rows) share = fmax(share, bt_csv_cell(&log, log.rows - 1, column) / (double)work);
    bt_csv_clear(&log);
  }
  free(path);
  return share > 0 ? fmin(share, 0.99) : 0;
}

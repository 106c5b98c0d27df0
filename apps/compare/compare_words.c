/* What a run is told: its command line, that of its judge, its budget. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "core/file.h"

const BtCompareForm *bt_compare_form(const BtCompare *all, const BtCompareRun *run) {
  return all->spec.methods[run->method].command->form;
}

int64_t bt_compare_work_budget(const BtCompareSpec *spec, size_t method) {
  return llround(spec->methods[method].budget_factor * (double)spec->work);
}

double bt_compare_seconds_budget(const BtCompareSpec *spec, size_t method) {
  return spec->methods[method].budget_factor * spec->seconds;
}

/* "--name=value" as one word, so that a value may look like anything; flags are "--name" or "--no-name". */
static char *option_word(const char *name, const json_t *value) {
  char *text = json_is_boolean(value) ? bt_copy_text("") : bt_compare_value_text(value);
  if (!text) return NULL;
  const size_t size = strlen(name) + strlen(text) + 8;
  char *word = malloc(size);
  if (word && json_is_boolean(value))
    snprintf(word, size, "--%s%s", json_is_true(value) ? "" : "no-", name);
  else if (word)
    snprintf(word, size, "--%s=%s", name, text);
  free(text);
  return word;
}

void bt_compare_words_free(char **words) {
  for (size_t i = 0; words && words[i]; i++) free(words[i]);
  free(words);
}

/* program, the command's words, one word an option; `more` words are left free. NULL if out of memory. */
static char **make_words(const BtCompare *all, const BtCompareCommand *command, const json_t *options,
                         size_t more, size_t *count) {
  const char *key;
  json_t *value;
  size_t n = 0;
  char **words = calloc(command->count + json_object_size(options) + more + 2, sizeof *words);
  if (!words) return NULL;
  int ok = (words[n++] = bt_copy_text(all->program)) != NULL;
  for (size_t i = 0; ok && i < command->count; i++)
    ok = (words[n++] = bt_copy_text(command->word[i])) != NULL;
  json_object_foreach((json_t *)options, key, value) {
    if (ok) ok = (words[n++] = option_word(key, value)) != NULL;
  }
  if (ok) {
    *count = n;
    return words;
  }
  bt_compare_words_free(words);
  return NULL;
}

static int add_file(char **words, size_t *n, const char *name, const char *folder, const char *file) {
  char *path = bt_path_join(folder, file);
  json_t *value = path ? json_string(path) : NULL;
  words[*n] = value ? option_word(name, value) : NULL;
  json_decref(value);
  free(path);
  return words[*n] ? (*n)++, 1 : 0;
}

static int add_text(char **words, size_t *n, const char *text) {
  words[*n] = bt_copy_text(text);
  return words[*n] ? (*n)++, 1 : 0;
}

char **bt_compare_deed_words(const BtCompare *all, const BtCompareRun *run, size_t *count) {
  return make_words(all, all->spec.methods[run->method].command, run->options, 0, count);
}

char **bt_compare_run_words(const BtCompare *all, const BtCompareRun *run) {
  size_t n;
  const BtCompareCommand *command = all->spec.methods[run->method].command;
  const char *const(*file)[2] = command->form->files;
  char **words = make_words(all, command, run->options, 6, &n);
  int ok = words != NULL;
  ok = ok && add_text(words, &n, "--json");
  for (; ok && (*file)[0]; file++)
    if (command->checkpoints || strcmp((*file)[0], "checkpoint") != 0)
      ok = add_file(words, &n, (*file)[0], run->folder, (*file)[1]);
  if (ok) return words;
  bt_compare_words_free(words);
  return NULL;
}

char **bt_compare_judge_words(const BtCompare *all, const BtCompareRun *run) {
  size_t n;
  json_t *options = json_copy(all->spec.options);
  char **words = NULL;
  int ok = options && json_object_update(options, all->spec.judge) == 0;
  if (run->has_seed) ok = ok && json_object_set_new(options, "seed", json_integer(run->seed)) == 0;
  if (ok && !json_object_get(options, "jobs"))
    ok = json_object_set_new(options, "jobs", json_integer(1)) == 0;
  if (ok) words = make_words(all, &all->spec.command, options, 5, &n);
  ok = words != NULL;
  ok = ok && add_text(words, &n, "--json");
  ok = ok && add_file(words, &n, "start", run->folder, "model.json");
  ok = ok && add_file(words, &n, "output", run->folder, "judged-model.json");
  json_decref(options);
  if (ok) return words;
  bt_compare_words_free(words);
  return NULL;
}

static int is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c && strchr("-_./=,:+@%", c));
}

char *bt_compare_shell_line(const char *const *argv) {
  size_t size = 1, n = 0;
  for (size_t i = 0; argv[i]; i++) size += 4 * strlen(argv[i]) + 3;
  char *line = malloc(size);
  if (!line) return NULL;
  for (size_t i = 0; argv[i]; i++) {
    int plain = *argv[i] != '\0';
    for (const char *c = argv[i]; *c; c++) plain &= is_plain(*c);
    if (i) line[n++] = ' ';
    if (!plain) line[n++] = '\'';
    for (const char *c = argv[i]; *c; c++) {
      if (*c == '\'') {
        memcpy(line + n, "'\\''", 4);
        n += 4;
      } else {
        line[n++] = *c;
      }
    }
    if (!plain) line[n++] = '\'';
  }
  line[n] = '\0';
  return line;
}

/* The commands that can be compared, and what their runs leave. */
#include <stdlib.h>
#include <string.h>

#include "compare/compare_check.h"
#include "core/file.h"
#include "nn/nn.h"

static const char *const keeps_model[][2] = {
    {"output", "model.json"}, {"log", "log.csv"}, {"checkpoint", "checkpoint"}, {NULL, NULL}};
static const char *const keeps_weights[][2] = {
    {"log", "log.csv"}, {"checkpoint", "checkpoint"}, {NULL, NULL}};
static const char *const keeps_folder[][2] = {{"output", BT_COMPARE_SEARCH_FOLDER}, {NULL, NULL}};

/* The last is of all commands that write --output and --log. */
static const BtCompareForm forms[] = {
    {.words = "nn train",
     .kind = &bt_compare_network,
     .files = keeps_weights,
     .course = "log.csv",
     .columns = {"epoch", "valid_loss", NULL, NULL, "work", "seconds", "rate"},
     .has_last = 1,
     .resume_brings = "task|hdet",
     .shared_files = "schedule|replica-log|print-task",
     .check = bt_nn_train_foresee},
    {.words = "nn search",
     .kind = &bt_compare_network,
     .files = keeps_folder,
     .course = BT_COMPARE_SEARCH_FOLDER "/trials.csv",
     .columns = {"trial", "best_loss", NULL, NULL, "work", "seconds"},
     .seconds_add_up = 1,
     .goes_on = 1,
     .shared_files = "schedule|replica-log|print-task",
     .check = bt_nn_search_foresee},
    {.kind = &bt_compare_bilevel,
     .files = keeps_model,
     .course = "log.csv",
     .columns = {"iteration", "loss", "eps", "delta", "work", "seconds"},
     .resume_brings = "",
     .shared_files = ""}};
enum { FORMS = sizeof forms / sizeof *forms };

#define COMPARABLE "learn, logreg learn, nn train and nn search can"

/* "nn  train" is "nn train". */
static int is_form(const BtCompareCommand *command, const char *words) {
  for (size_t i = 0; i < command->count; i++) {
    const size_t length = strcspn(words, " ");
    if (length != strlen(command->word[i]) || strncmp(words, command->word[i], length) != 0) return 0;
    words += length + strspn(words + length, " ");
  }
  return *words == '\0';
}

static BtStatus find_form(const BtSpecCheck *c, BtCompareCommand *command) {
  static const char *const needed[] = {"output", "log", "json", "jobs"};
  int related = 0;
  for (int k = 0; k < FORMS; k++) {
    const size_t length = strlen(command->word[0]);
    command->form = &forms[k];
    if (k == FORMS - 1 || is_form(command, forms[k].words)) break;
    related |= strncmp(forms[k].words, command->word[0], length) == 0 && forms[k].words[length] == ' ';
  }
  if (related && !command->form->words)
    return bt_spec_wrong(c, "the runs of bitune %s cannot be compared; those of " COMPARABLE, command->words);
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
    if (!bt_compare_probe_find(c->probe, needed[i]))
      return bt_spec_wrong(c, "bitune %s has no --%s, so its runs cannot be compared; those of " COMPARABLE,
                           command->words, needed[i]);
  return BT_OK;
}

static BtStatus cut_words(const BtSpecCheck *c, const char *text, BtCompareCommand *command) {
  char *rest = NULL;
  command->words = bt_copy_text(text);
  command->cut = bt_copy_text(text);
  if (!command->words || !command->cut) return bt_fail_memory(c->ctx, c->spec->path, 0);
  for (char *word = strtok_r(command->cut, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    if (*word == '-')
      return bt_spec_wrong(c, "\"%.40s\" is an option; it belongs into task.options or a method's options",
                           word);
    if (command->count == BT_COMPARE_MOST_WORDS) return bt_spec_wrong(c, "has too many words");
    command->word[command->count++] = word;
  }
  return BT_OK;
}

BtStatus bt_spec_command(BtSpecCheck *c, const json_t *value, BtCompareCommand *command) {
  const char *text = bt_spec_text(value);
  BtContext said;
  BtStatus st = BT_OK;
  if (text) BT_TRY(cut_words(c, text, command));
  if (!command->count) return bt_spec_wrong(c, "must be a command of bitune, such as \"learn\"");
  bt_context_init(&said);
  if (bt_compare_probe_open(&said, command->word, c->probe) < 0) return bt_spec_wrong(c, "%s", said.error);
  BT_TRY(find_form(c, command));
  command->checkpoints = command->form->resume_brings && bt_compare_probe_find(c->probe, "checkpoint") &&
                         bt_compare_probe_find(c->probe, "resume");
  command->threads = bt_compare_probe_find(c->probe, "threads") != NULL;
  c->command = command;
done:
  return st;
}

void bt_compare_command_clear(BtCompareCommand *command) {
  free(command->words);
  free(command->cut);
  *command = (BtCompareCommand){0};
}

#include "help/completion.h"

#include <stdlib.h>
#include <string.h>

#include "program/app.h"

#define MAX_COMMANDS 64

void bt_completion_visit(const BtCompletion *entry, void (*visit)(void *user, const BtOption *option),
                         void *user) {
  for (size_t s = 0; s < entry->set_count; s++)
    for (const BtOption *o = entry->sets[s].table; o->kind != BT_OPT_KIND_END; o++) visit(user, o);
}

void bt_completion_choices(FILE *out, const char *choices, char separator) {
  for (; *choices; choices++) (void)fputc(*choices == '|' ? separator : *choices, out);
}

int bt_completion_words(const BtCommand *command) {
  return command->operands && strcmp(command->operands, "files") != 0 &&
         strcmp(command->operands, "commands") != 0;
}

static BtStatus completion_check(BtApp *app, const void *settings) {
  (void)settings;
  const char *shell = app->operands[0];
  if (bt_choice_index("bash|zsh|fish", shell, strlen(shell)) >= 0) return BT_OK;
  return bt_fail(&app->ctx, BT_ERR_ARG, "there is no completion for \"%s\"; bash, zsh and fish are known",
                 shell);
}

static BtStatus print_script(BtApp *app, const BtCompletion *entries, size_t count) {
  static void (*const printers[])(FILE *, const BtCompletion *, size_t) = {bt_complete_bash, bt_complete_zsh,
                                                                           bt_complete_fish};
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  BtStatus st = out ? BT_OK : BT_ERR_MEMORY;
  if (out)
    printers[bt_choice_index("bash|zsh|fish", app->operands[0], strlen(app->operands[0]))](out, entries,
                                                                                           count);
  if (out && fclose(out) != 0) st = BT_ERR_MEMORY;
  if (st >= 0) bt_app_document(app, text);
  free(text);
  return st >= 0 ? st : bt_fail_memory(&app->ctx, "the completion script", (double)size);
}

static BtStatus completion_run(BtApp *app, void *settings) {
  (void)settings;
  BtStatus st = BT_OK;
  size_t count = 0;
  BtCompletion *entries = calloc(MAX_COMMANDS, sizeof *entries);
  if (!entries) return bt_fail_memory(&app->ctx, "the completion script", MAX_COMMANDS * sizeof *entries);
  for (const BtCommand *const *c = bt_commands(); *c && count < MAX_COMMANDS; c++, count++) {
    BtCompletion *e = &entries[count];
    e->command = *c;
    e->set_count = bt_command_settings(*c, &e->common, &e->settings, e->sets);
    if (e->set_count == 0) BT_TRY(bt_fail_memory(&app->ctx, "the completion script", 0));
  }
  st = print_script(app, entries, count);
done:
  for (size_t i = 0; i < MAX_COMMANDS; i++) free(entries[i].settings);
  free(entries);
  return st;
}

const BtCommand bt_cmd_completion = {
    .name = "completion",
    .group = BT_GROUP_PROGRAM,
    .summary = "print a script that lets the shell complete bitune's command lines",
    .usage = "bash|zsh|fish",
    .help =
        "The scripts are installed with the program. Without an installation, load one from the shell's "
        "start-up file; see the examples.",
    .examples = {{"source <(bitune completion bash)", "In ~/.bashrc"},
                 {"bitune completion fish > ~/.config/fish/completions/bitune.fish", "For fish"}},
    .min_operands = 1,
    .max_operands = 1,
    .operands = "bash|zsh|fish",
    .check = completion_check,
    .run = completion_run,
};

#include <stdlib.h>

#include "help/help_text.h"
#include "program/app.h"

typedef struct {
  int man;
} Help;

static const BtOption options[] = {
    BT_OPT_FLAG("man", Help, man, "print a man page (roff) instead of plain text"), BT_OPT_END};

static size_t help_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

static BtStatus help_check(BtApp *app, const void *settings) {
  (void)settings;
  if (app->operand_count == 0 || bt_command_find(app->operands[0])) return BT_OK;
  const char *near = bt_command_nearest(app->operands[0]);
  return bt_fail(&app->ctx, BT_ERR_ARG, "there is no command \"%s\"%s%s%s", app->operands[0],
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static BtStatus help_run(BtApp *app, void *settings) {
  const Help *help = settings;
  const BtCommand *command = app->operand_count ? bt_command_find(app->operands[0]) : NULL;
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return bt_fail_memory(&app->ctx, "the help text", 0);
  BtStatus st = help->man ? bt_man_print(&app->ctx, out, command) : bt_help_print(&app->ctx, out, command);
  if (fclose(out) != 0 && st >= 0) st = bt_fail_memory(&app->ctx, "the help text", (double)size);
  if (st >= 0) bt_app_document(app, text);
  free(text);
  return st;
}

const BtCommand bt_cmd_help = {
    .name = "help",
    .group = BT_GROUP_PROGRAM,
    .summary = "tell what a command does, with its options and examples",
    .usage = "[--man] [COMMAND]",
    .help =
        "Without COMMAND the commands are listed. \"bitune COMMAND --help\" prints the same as \"bitune help "
        "COMMAND\".",
    .examples = {{"bitune help denoise", "The options of a command"},
                 {"bitune help --man denoise | man -l -", "The same as a man page"}},
    .max_operands = 1,
    .operands = "commands",
    .settings_size = sizeof(Help),
    .options = help_options,
    .check = help_check,
    .run = help_run,
};

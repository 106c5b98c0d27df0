#include "help/help_text.h"

#include <stdlib.h>
#include <string.h>

#include "help/option_text.h"
#include "program/version.h"

#define WIDTH 79
#define REMARK_COLUMN 24

const BtExitCode bt_exit_codes[] = {{"0", "done"},
                                    {"1", "error; images that could be done are done"},
                                    {"2", "wrong usage"},
                                    {"3", "finished, but the accuracy asked for is not certified"},
                                    {"130", "interrupted; a checkpoint, if asked for, is written"},
                                    {NULL, NULL}};

/* Columns that UTF-8 text takes: continuation bytes and combining accents (U+0300 … U+036F) take none. */
static int text_width(const char *text, size_t length) {
  int width = 0;
  for (size_t i = 0; i < length; i++) {
    const unsigned char c = (unsigned char)text[i];
    width += (c & 0xC0) != 0x80 && c != 0xCC && c != 0xCD;
  }
  return width;
}

/* Prints words from column `at`, breaking lines at WIDTH with `indent` blanks before the next; "\n\n" in the
 * text begins a paragraph. */
static void print_wrapped(FILE *out, const char *text, int at, int indent) {
  int column = at, first = 1;
  while (*text) {
    const size_t gap = strspn(text, " \n");
    const int paragraph = gap >= 2 && memchr(text, '\n', gap) != NULL;
    text += gap;
    const size_t word = strcspn(text, " \n");
    if (word == 0) break;
    if (paragraph && !first) {
      (void)fprintf(out, "\n\n%*s", indent, "");
      column = indent;
    } else if (!first && column + 1 + text_width(text, word) > WIDTH) {
      (void)fprintf(out, "\n%*s", indent, "");
      column = indent;
    } else if (!first) {
      (void)fputc(' ', out);
      column++;
    }
    (void)fwrite(text, 1, word, out);
    column += text_width(text, word);
    text += word;
    first = 0;
  }
  (void)fputc('\n', out);
}

static void print_option(FILE *out, const BtOption *option) {
  char syntax[BT_OPTION_TEXT], remark[BT_OPTION_TEXT];
  bt_option_syntax(option, syntax);
  /* Options without a letter are set in line with the others' long names. */
  int at = fprintf(out, "  %s%s", option->letter ? "" : "    ", syntax);
  if (at > REMARK_COLUMN - 2) {
    (void)fputc('\n', out);
    at = 0;
  }
  (void)fprintf(out, "%*s", REMARK_COLUMN - at, "");
  print_wrapped(out, bt_option_remark(option, remark), REMARK_COLUMN, REMARK_COLUMN);
}

static void print_usage(FILE *out, const BtCommand *command) {
  const char *lead = "Usage:";
  for (const char *form = command->usage;; lead = "      ") {
    const size_t n = strcspn(form, "\n");
    char line[BT_OPTION_TEXT];
    snprintf(line, sizeof line, "%s bitune %s%s%.*s", lead, command->name, n ? " " : "", (int)n, form);
    print_wrapped(out, line, 0, (int)(15 + strlen(command->name)));
    form += n;
    if (!*form) return;
    form++;
  }
}

static BtStatus print_command(BtContext *ctx, FILE *out, const BtCommand *command) {
  BtCommon common;
  void *settings;
  BtOptionSet sets[BT_MAX_SETS];
  const size_t count = bt_command_settings(command, &common, &settings, sets);
  if (count == 0) return bt_fail_memory(ctx, "the options of a command", (double)command->settings_size);

  (void)fprintf(out, "bitune %s: %s\n\n", command->name, command->summary);
  print_usage(out, command);
  (void)fputc('\n', out);
  print_wrapped(out, command->help, 0, 0);
  for (size_t s = 0; s < count; s++) {
    if (sets[s].table->kind == BT_OPT_KIND_END) continue;
    (void)fprintf(out, "\n%s:\n", sets[s].title ? sets[s].title : "Options");
    for (const BtOption *o = sets[s].table; o->kind != BT_OPT_KIND_END; o++) print_option(out, o);
  }
  (void)fputs("\nExamples:\n", out);
  for (const BtExample *e = command->examples; e < command->examples + 3 && e->command; e++)
    (void)fprintf(out, "  # %s\n  %s\n", e->what, e->command);
  free(settings);
  return BT_OK;
}

static void print_overview(FILE *out) {
  const char *group = "";
  (void)fprintf(out, "bitune %s: %s\n\nUsage: bitune COMMAND [options] [operands]\n", bt_version_text(),
                BT_PROGRAM_SUMMARY);
  for (const BtCommand *const *c = bt_commands(); *c; c++) {
    if (strcmp(group, (*c)->group) != 0) (void)fprintf(out, "\n%s:\n", group = (*c)->group);
    const int at = fprintf(out, "  %-12s", (*c)->name);
    print_wrapped(out, (*c)->summary, at, at);
  }
  (void)fputs("\nExit codes:\n", out);
  for (const BtExitCode *e = bt_exit_codes; e->meaning; e++)
    (void)fprintf(out, "  %-5s%s\n", e->code, e->meaning);
  (void)fputs("\n\"bitune help COMMAND\" tells a command's options, with examples.\n", out);
}

BtStatus bt_help_print(BtContext *ctx, FILE *out, const BtCommand *command) {
  if (command) return print_command(ctx, out, command);
  print_overview(out);
  return BT_OK;
}

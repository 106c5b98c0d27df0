/* Man pages in the man(7) macros. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "help/help_text.h"
#include "help/option_text.h"
#include "program/version.h"

/* Text with roff's special characters made harmless; line breaks become blanks. */
static void put(FILE *out, const char *text, size_t length) {
  if (length && (*text == '.' || *text == '\'')) (void)fputs("\\&", out);
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '\\')
      (void)fputs("\\e", out);
    else if (text[i] == '-')
      (void)fputs("\\-", out);
    else if ((unsigned char)text[i] >= 0x20)
      (void)fputc(text[i], out);
    else
      (void)fputc(' ', out);
  }
}

static void put_text(FILE *out, const char *text) { put(out, text, strlen(text)); }

static void put_upper(FILE *out, const char *text) {
  for (; *text; text++) (void)fputc(toupper((unsigned char)*text), out);
}

static void put_paragraphs(FILE *out, const char *text) {
  while (*text) {
    const char *end = strstr(text, "\n\n");
    const size_t n = end ? (size_t)(end - text) : strlen(text);
    (void)fputs(".PP\n", out);
    put(out, text, n);
    (void)fputc('\n', out);
    text += n + (end ? 2 : 0);
  }
}

static void put_title(FILE *out, const BtCommand *command) {
  (void)fputs(".TH BITUNE", out);
  if (command) {
    (void)fputs("\\-", out);
    put_upper(out, command->name);
  }
  (void)fprintf(out, " 1 \"\" \"bitune %s\" \"bitune manual\"\n.nh\n.ad l\n.SH NAME\nbitune%s%s \\- ",
                bt_version_text(), command ? "\\-" : "", command ? command->name : "");
  put_text(out, command ? command->summary : BT_PROGRAM_SUMMARY);
  (void)fputs("\n.SH SYNOPSIS\n", out);
}

static void put_synopsis(FILE *out, const BtCommand *command) {
  for (const char *form = command->usage;;) {
    const size_t n = strcspn(form, "\n");
    (void)fprintf(out, ".B bitune %s\n", command->name);
    if (n) {
      put(out, form, n);
      (void)fputc('\n', out);
    }
    form += n;
    if (!*form) return;
    form++;
    (void)fputs(".br\n", out);
  }
}

static void put_option(FILE *out, const BtOption *o) {
  char text[BT_OPTION_TEXT];
  const char *argument = bt_option_argument(o);
  (void)fputs(".TP\n\\fB", out);
  if (o->letter) (void)fprintf(out, "\\-%c\\fR, \\fB", o->letter);
  (void)fputs("\\-\\-", out);
  put_text(out, o->name);
  (void)fputs("\\fR", out);
  if (argument) {
    (void)fputs(" \\fI", out);
    put_text(out, argument);
    (void)fputs("\\fR", out);
  }
  (void)fputc('\n', out);
  put_text(out, bt_option_remark(o, text));
  (void)fputc('\n', out);
}

static void put_exit_codes(FILE *out) {
  (void)fputs(".SH EXIT STATUS\n", out);
  for (const BtExitCode *e = bt_exit_codes; e->meaning; e++) {
    (void)fprintf(out, ".TP\n.B %s\n", e->code);
    put_text(out, e->meaning);
    (void)fputc('\n', out);
  }
}

static BtStatus print_command(BtContext *ctx, FILE *out, const BtCommand *command) {
  BtCommon common;
  void *settings;
  BtOptionSet sets[BT_MAX_SETS];
  const size_t count = bt_command_settings(command, &common, &settings, sets);
  if (count == 0) return bt_fail_memory(ctx, "the options of a command", (double)command->settings_size);

  put_title(out, command);
  put_synopsis(out, command);
  (void)fputs(".SH DESCRIPTION\n", out);
  put_paragraphs(out, command->help);
  (void)fputs(".SH OPTIONS\n", out);
  for (size_t s = 0; s < count; s++) {
    if (sets[s].table->kind == BT_OPT_KIND_END) continue;
    if (sets[s].title) {
      (void)fputs(".SS ", out);
      put_text(out, sets[s].title);
      (void)fputc('\n', out);
    }
    for (const BtOption *o = sets[s].table; o->kind != BT_OPT_KIND_END; o++) put_option(out, o);
  }
  (void)fputs(".SH EXAMPLES\n", out);
  for (const BtExample *e = command->examples; e < command->examples + 3 && e->command; e++) {
    (void)fputs(".PP\n", out);
    put_text(out, e->what);
    (void)fputs(":\n.PP\n.nf\n.RS 4\n", out);
    put_text(out, e->command);
    (void)fputs("\n.RE\n.fi\n", out);
  }
  put_exit_codes(out);
  (void)fputs(".SH SEE ALSO\n.BR bitune (1)\n", out);
  free(settings);
  return BT_OK;
}

static void print_overview(FILE *out) {
  const char *group = "";
  put_title(out, NULL);
  (void)fputs(".B bitune\n.I COMMAND\n[options] [operands]\n.SH DESCRIPTION\n", out);
  (void)fputs(
      "Regularizers hold parameters that decide how well they restore an image. bitune learns these\n"
      "parameters from pairs of clean and noisy images by bilevel optimization with certified accuracies,\n"
      "and restores images with the learned model.\n.SH COMMANDS\n",
      out);
  for (const BtCommand *const *c = bt_commands(); *c; c++) {
    if (strcmp(group, (*c)->group) != 0) (void)fprintf(out, ".SS %s\n", group = (*c)->group);
    (void)fprintf(out, ".TP\n.BR bitune\\-%s (1)\n", (*c)->name);
    put_text(out, (*c)->summary);
    (void)fputc('\n', out);
  }
  put_exit_codes(out);
  (void)fputs(
      ".SH ENVIRONMENT\n.TP\n.B OPENBLAS_NUM_THREADS, OMP_NUM_THREADS\n"
      "threads of the linear algebra library in each process; 1 unless set, since bitune works with several\n"
      "processes\n.TP\n.B PETSC_OPTIONS\noptions for PETSc, read before those of \\fB\\-\\-petsc\\fR\n"
      ".SH SEE ALSO\n",
      out);
  for (const BtCommand *const *c = bt_commands(); *c; c++)
    (void)fprintf(out, ".BR bitune\\-%s (1)%s\n", (*c)->name, c[1] ? "," : "");
}

BtStatus bt_man_print(BtContext *ctx, FILE *out, const BtCommand *command) {
  if (command) return print_command(ctx, out, command);
  print_overview(out);
  return BT_OK;
}

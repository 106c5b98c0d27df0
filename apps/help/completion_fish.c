#include "help/completion.h"
#include "help/option_text.h"

typedef struct {
  FILE *out;
  const char *command;
} Line;

static void put_quoted(FILE *out, const char *text) {
  (void)fputc('\'', out);
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') (void)fputc('\\', out);
    (void)fputc(*text, out);
  }
  (void)fputc('\'', out);
}

static void put_option(void *user, const BtOption *o) {
  const Line *line = user;
  (void)fprintf(line->out, "complete -c bitune -n '__fish_seen_subcommand_from %s'", line->command);
  if (o->letter) (void)fprintf(line->out, " -s %c", o->letter);
  (void)fprintf(line->out, " -l %s", o->name);
  if (o->kind == BT_OPT_KIND_CHOICE) {
    (void)fputs(" -x -a '", line->out);
    bt_completion_choices(line->out, o->text, ' ');
    (void)fputc('\'', line->out);
  } else if (o->kind != BT_OPT_KIND_FLAG) {
    (void)fputs(bt_option_is_path(o) ? " -r -F" : " -x", line->out);
  }
  (void)fputs(" -d ", line->out);
  put_quoted(line->out, o->help);
  (void)fputc('\n', line->out);
}

static void put_operands(FILE *out, const BtCommand *command, const BtCompletion *all, size_t count) {
  (void)fprintf(out, "complete -c bitune -n '__fish_seen_subcommand_from %s'", command->name);
  if (bt_completion_words(command)) {
    (void)fputs(" -a '", out);
    bt_completion_choices(out, command->operands, ' ');
    (void)fputs("'\n", out);
  } else if (command->operands && *command->operands == 'c') {
    (void)fputs(" -a '", out);
    for (size_t i = 0; i < count; i++) (void)fprintf(out, "%s%s", i ? " " : "", all[i].command->name);
    (void)fputs("'\n", out);
  } else {
    (void)fputs(command->operands ? " -F\n" : " -f\n", out);
  }
}

void bt_complete_fish(FILE *out, const BtCompletion *commands, size_t count) {
  (void)fputs("# fish completion for bitune, printed by `bitune completion fish`\ncomplete -c bitune -f\n",
              out);
  for (size_t i = 0; i < count; i++) {
    (void)fprintf(out, "complete -c bitune -n __fish_use_subcommand -a %s -d ", commands[i].command->name);
    put_quoted(out, commands[i].command->summary);
    (void)fputc('\n', out);
  }
  for (size_t i = 0; i < count; i++) {
    Line line = {out, commands[i].command->name};
    bt_completion_visit(&commands[i], put_option, &line);
    put_operands(out, commands[i].command, commands, count);
  }
}

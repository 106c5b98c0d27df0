#include "help/completion.h"
#include "help/option_text.h"

static void put_names(void *user, const BtOption *o) {
  FILE *out = user;
  if (o->letter) (void)fprintf(out, " -%c", o->letter);
  (void)fprintf(out, " --%s", o->name);
}

/* A case of the previous word: what may follow it. Flags need none. */
static void put_argument(void *user, const BtOption *o) {
  FILE *out = user;
  if (o->kind == BT_OPT_KIND_FLAG) return;
  (void)fputs("        ", out);
  if (o->letter) (void)fprintf(out, "-%c|", o->letter);
  (void)fprintf(out, "--%s) ", o->name);
  if (o->kind == BT_OPT_KIND_CHOICE) {
    (void)fputs("words='", out);
    bt_completion_choices(out, o->text, ' ');
    (void)fputs("' ;;\n", out);
  } else {
    (void)fputs(bt_option_is_path(o) ? "files=1 ;;\n" : "return ;;\n", out);
  }
}

static void put_operands(FILE *out, const BtCommand *command, const BtCompletion *all, size_t count) {
  if (bt_completion_words(command)) {
    (void)fputs("words='", out);
    bt_completion_choices(out, command->operands, ' ');
    (void)fputs("'", out);
  } else if (command->operands && *command->operands == 'c') {
    (void)fputs("words='", out);
    for (size_t i = 0; i < count; i++) (void)fprintf(out, "%s%s", i ? " " : "", all[i].command->name);
    (void)fputs("'", out);
  } else {
    (void)fputs(command->operands ? "files=1" : "return", out);
  }
}

void bt_complete_bash(FILE *out, const BtCompletion *commands, size_t count) {
  (void)fputs(
      "# bash completion for bitune, printed by `bitune completion bash`\n"
      "_bitune() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
      "  local words='' files=''\n"
      "  COMPREPLY=()\n"
      "  if [[ $COMP_CWORD -eq 1 ]]; then\n    words='",
      out);
  for (size_t i = 0; i < count; i++) (void)fprintf(out, "%s ", commands[i].command->name);
  (void)fputs("--help --version'\n  else\n    case $command in\n", out);
  for (size_t i = 0; i < count; i++) {
    const BtCompletion *c = &commands[i];
    (void)fprintf(out, "    %s)\n      case $prev in\n", c->command->name);
    bt_completion_visit(c, put_argument, out);
    (void)fputs("        *) if [[ $cur == -* ]]; then words='", out);
    bt_completion_visit(c, put_names, out);
    (void)fputs("'; else ", out);
    put_operands(out, c->command, commands, count);
    (void)fputs("; fi ;;\n      esac ;;\n", out);
  }
  (void)fputs(
      "    *) return ;;\n    esac\n  fi\n"
      "  local IFS=$' \\t\\n'\n"
      "  if [[ $files ]]; then\n"
      "    IFS=$'\\n'\n"
      "    compopt -o filenames 2>/dev/null\n"
      "    COMPREPLY=($(compgen -f -- \"$cur\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "  fi\n"
      "}\n"
      "complete -F _bitune bitune\n",
      out);
}

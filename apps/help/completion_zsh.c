#include "help/completion.h"
#include "help/option_text.h"

/* Text inside '…:…[…]': quotes, colons and brackets are special to the shell or to _arguments. */
static void put_quoted(FILE *out, const char *text) {
  for (; *text; text++) {
    if (*text == '\'')
      (void)fputs("'\\''", out);
    else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
      (void)fprintf(out, "\\%c", *text);
    else
      (void)fputc(*text, out);
  }
}

static void put_spec(FILE *out, const BtOption *o, const char *name) {
  (void)fprintf(out, " \\\n        '%s[", name);
  put_quoted(out, o->help);
  (void)fputc(']', out);
  if (o->kind != BT_OPT_KIND_FLAG) {
    (void)fputc(':', out);
    put_quoted(out, o->kind == BT_OPT_KIND_CHOICE ? o->name : bt_option_argument(o));
    (void)fputc(':', out);
    if (o->kind == BT_OPT_KIND_CHOICE) {
      (void)fputc('(', out);
      bt_completion_choices(out, o->text, ' ');
      (void)fputc(')', out);
    } else if (bt_option_is_path(o)) {
      (void)fputs("_files", out);
    }
  }
  (void)fputc('\'', out);
}

static void put_option(void *user, const BtOption *o) {
  char name[64];
  if (o->letter) {
    snprintf(name, sizeof name, "-%c", o->letter);
    put_spec(user, o, name);
  }
  snprintf(name, sizeof name, "--%s", o->name);
  put_spec(user, o, name);
}

static void put_operands(FILE *out, const BtCommand *command, const BtCompletion *all, size_t count) {
  if (bt_completion_words(command)) {
    (void)fputs(" \\\n        '1:operand:(", out);
    bt_completion_choices(out, command->operands, ' ');
    (void)fputs(")'", out);
  } else if (command->operands && *command->operands == 'c') {
    (void)fputs(" \\\n        '1:command:(", out);
    for (size_t i = 0; i < count; i++) (void)fprintf(out, "%s%s", i ? " " : "", all[i].command->name);
    (void)fputs(")'", out);
  } else if (command->operands) {
    (void)fputs(" \\\n        '*:file:_files'", out);
  }
}

void bt_complete_zsh(FILE *out, const BtCompletion *commands, size_t count) {
  (void)fputs(
      "#compdef bitune\n"
      "# zsh completion for bitune, printed by `bitune completion zsh`\n"
      "_bitune() {\n"
      "  if (( CURRENT == 2 )); then\n"
      "    local -a commands=(\n",
      out);
  for (size_t i = 0; i < count; i++) {
    (void)fprintf(out, "      '%s:", commands[i].command->name);
    put_quoted(out, commands[i].command->summary);
    (void)fputs("'\n", out);
  }
  (void)fputs(
      "    )\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n",
      out);
  for (size_t i = 0; i < count; i++) {
    (void)fprintf(out, "    %s)\n      _arguments -s", commands[i].command->name);
    bt_completion_visit(&commands[i], put_option, out);
    put_operands(out, commands[i].command, commands, count);
    (void)fputs("\n      ;;\n", out);
  }
  (void)fputs(
      "  esac\n}\nif [[ $funcstack[1] == _bitune ]]; then _bitune \"$@\"; else compdef _bitune bitune; fi\n",
      out);
}

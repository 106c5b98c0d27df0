/* apps/help/completion.h: completion scripts, printed from the commands' tables. One function a shell. */
#ifndef BITUNE_APPS_COMPLETION_H
#define BITUNE_APPS_COMPLETION_H

#include <stdio.h>

#include "command.h"

/* A command with its tables, defaults filled in. */
typedef struct {
  const BtCommand *command;
  BtOptionSet sets[BT_MAX_SETS];
  size_t set_count;
  BtCommon common;
  void *settings; /* owned */
} BtCompletion;

void bt_complete_bash(FILE *out, const BtCompletion *commands, size_t count);
void bt_complete_zsh(FILE *out, const BtCompletion *commands, size_t count);
void bt_complete_fish(FILE *out, const BtCompletion *commands, size_t count);

/* Calls visit(user, option) for all options of a command. */
void bt_completion_visit(const BtCompletion *entry, void (*visit)(void *user, const BtOption *option),
                         void *user);

/* Prints the choices "a|b|c" with `separator` between them. */
void bt_completion_choices(FILE *out, const char *choices, char separator);

/* True if the command's operands are among these words rather than files or nothing. */
int bt_completion_words(const BtCommand *command);

#endif

/* apps/help/help_text.h: help as text and as man pages, printed from the commands' tables. */
#ifndef BITUNE_APPS_HELP_TEXT_H
#define BITUNE_APPS_HELP_TEXT_H

#include <stdio.h>

#include "command.h"

/* `command` NULL means the program as a whole. Errors: BT_ERR_MEMORY. */
BtStatus bt_help_print(BtContext *ctx, FILE *out, const BtCommand *command);
BtStatus bt_man_print(BtContext *ctx, FILE *out, const BtCommand *command);

/* What the exit codes mean, one to a row; ends with a NULL meaning. */
typedef struct {
  const char *code, *meaning;
} BtExitCode;
extern const BtExitCode bt_exit_codes[];

#define BT_PROGRAM_SUMMARY "learn image regularizers from data and restore images with them"

#endif

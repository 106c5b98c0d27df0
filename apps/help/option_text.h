/* apps/help/option_text.h: options in words, the same for help, man page and completion. */
#ifndef BITUNE_APPS_OPTION_TEXT_H
#define BITUNE_APPS_OPTION_TEXT_H

#include "core/option.h"

#define BT_OPTION_TEXT 512

/* What stands for the argument: its metavar, the choices, or a letter for its kind; NULL for a flag. */
const char *bt_option_argument(const BtOption *option);

/* "-o, --output FILE" into text[BT_OPTION_TEXT], returned. */
const char *bt_option_syntax(const BtOption *option, char *text);

/* "noise level (default 25; positive)" into text[BT_OPTION_TEXT], returned. */
const char *bt_option_remark(const BtOption *option, char *text);

/* True if the argument names a file or a folder. */
int bt_option_is_path(const BtOption *option);

#endif

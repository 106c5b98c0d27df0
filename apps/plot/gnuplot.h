/* apps/plot/gnuplot.h: runs gnuplot on a script. */
#ifndef BITUNE_APPS_GNUPLOT_H
#define BITUNE_APPS_GNUPLOT_H

#include <stdio.h>

#include "core/context.h"

/* Feeds `script` (length bytes) to gnuplot and sends what it draws to `picture`, whose `path` is used in
 * errors only. No file name and no text of the user reaches a shell. Errors: BT_ERR_LIBRARY if gnuplot is
 * missing (names the package) or fails (its own message), BT_ERR_IO. */
BtStatus bt_gnuplot(BtContext *ctx, const char *script, size_t length, FILE *picture, const char *path);

/* Prints text as a gnuplot string, quotes included; line breaks and control characters become blanks. */
void bt_gnuplot_quote(FILE *script, const char *text);

#endif

/* apps/images/size.h: image sizes on the command line. */
#ifndef BITUNE_APPS_SIZE_H
#define BITUNE_APPS_SIZE_H

#include <stddef.h>

#include "core/context.h"

/* Reads "HxW", or "N" for a square, both at least 1; BT_ERR_ARG naming the option. */
BtStatus bt_parse_size(BtContext *ctx, const char *option, const char *text, size_t *height, size_t *width);

#endif

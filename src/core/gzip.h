/* core/gzip.h: files that may be compressed by gzip (RFC 1952). */
#ifndef BITUNE_CORE_GZIP_H
#define BITUNE_CORE_GZIP_H

#include <stddef.h>

#include "core/context.h"

/* As bt_file_read(), but a file that begins with gzip's magic number is decompressed; both sizes are limited. Several
 * members in a row are one file. Errors besides: BT_ERR_FORMAT for damaged, truncated or trailing data. */
BtStatus bt_gzip_read(BtContext *ctx, const char *path, size_t limit, char **bytes, size_t *size);

#endif

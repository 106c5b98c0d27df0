#include "images/size.h"

#include <string.h>

#define SIDE_LIMIT ((size_t)1 << 24)

/* A side in pixels; advances over its digits. 0 if there is none or it is too long. */
static size_t read_side(const char **text) {
  size_t n = 0;
  for (; **text >= '0' && **text <= '9'; ++*text)
    if (n <= SIDE_LIMIT) n = 10 * n + (size_t)(**text - '0');
  return n <= SIDE_LIMIT ? n : 0;
}

BtStatus bt_parse_size(BtContext *ctx, const char *option, const char *text, size_t *height, size_t *width) {
  const char *at = text;
  *height = *width = read_side(&at);
  if (*height && (*at == 'x' || *at == 'X')) {
    at++;
    *width = read_side(&at);
  }
  if (*height && *width && !*at) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG, "--%s must be HEIGHTxWIDTH in pixels, such as 128x192, got \"%s\"", option,
                 text);
}

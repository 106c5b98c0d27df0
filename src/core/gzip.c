#include "core/gzip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/file.h"

/* zlib counts in unsigned int. */
#define PIECE ((size_t)1 << 26)

typedef struct {
  char *bytes;
  size_t used, room, limit;
} Output;

static BtStatus grow(BtContext *ctx, const char *path, Output *out) {
  if (out->used > out->limit)
    return bt_fail(ctx, BT_ERR_FORMAT,
                   "%s: decompresses to more than %zu bytes, the most such a file may have", path,
                   out->limit);
  /* One byte beyond the limit tells a file that is too large, one more is for the zero at the end. */
  size_t room = out->room ? 2 * out->room : 65536;
  if (room > out->limit + 1) room = out->limit + 1;
  char *larger = realloc(out->bytes, room + 1);
  if (!larger) return bt_fail_memory(ctx, path, (double)room);
  out->bytes = larger;
  out->room = room;
  return BT_OK;
}

/* Inflates one member from *at on and moves *at behind it. */
static BtStatus inflate_member(BtContext *ctx, const char *path, z_stream *z, const char *data, size_t size,
                               size_t *at, Output *out) {
  int code = Z_OK;
  while (code != Z_STREAM_END) {
    if (out->used == out->room || out->used > out->limit) {
      const BtStatus st = grow(ctx, path, out);
      if (st < 0) return st;
    }
    const size_t left = size - *at, room = out->room - out->used;
    z->next_in = (Bytef *)(data + *at);
    z->avail_in = (uInt)(left < PIECE ? left : PIECE);
    z->next_out = (Bytef *)(out->bytes + out->used);
    z->avail_out = (uInt)(room < PIECE ? room : PIECE);
    const size_t in = z->avail_in, given = z->avail_out;
    code = inflate(z, Z_NO_FLUSH);
    *at += in - z->avail_in;
    out->used += given - z->avail_out;
    if (code == Z_MEM_ERROR) return bt_fail_memory(ctx, path, 65536);
    if (code == Z_BUF_ERROR && *at == size)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: truncated: the gzip stream does not end; fetch the file again",
                     path);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: damaged gzip data at byte %zu (%s); fetch the file again", path,
                     *at, z->msg ? z->msg : "no detail");
    if (code == Z_OK && in - z->avail_in == 0 && given == z->avail_out && *at == size)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: truncated: the gzip stream does not end; fetch the file again",
                     path);
  }
  return BT_OK;
}

static int is_gzip(const char *data, size_t size) {
  return size >= 2 && (unsigned char)data[0] == 0x1f && (unsigned char)data[1] == 0x8b;
}

static BtStatus decompress(BtContext *ctx, const char *path, const char *data, size_t size, Output *out) {
  enum { GZIP_ONLY = 16 };
  BtStatus st = BT_OK;
  z_stream z = {0};
  size_t at = 0;
  if (inflateInit2(&z, GZIP_ONLY + MAX_WBITS) != Z_OK) return bt_fail_memory(ctx, path, 65536);
  do {
    if (!is_gzip(data + at, size - at))
      BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: %zu bytes that are no gzip data follow the compressed ones",
                     path, size - at));
    (void)inflateReset(&z);
    BT_TRY(inflate_member(ctx, path, &z, data, size, &at, out));
  } while (at < size);
  if (out->used > out->limit) BT_TRY(grow(ctx, path, out));
  out->bytes[out->used] = '\0';
done:
  (void)inflateEnd(&z);
  return st;
}

BtStatus bt_gzip_read(BtContext *ctx, const char *path, size_t limit, char **bytes, size_t *size) {
  char *data = NULL;
  size_t length = 0;
  Output out = {.limit = limit};
  *bytes = NULL;
  *size = 0;
  BtStatus st = bt_file_read(ctx, path, limit, &data, &length);
  if (st < 0) return st;
  if (!is_gzip(data, length)) {
    *bytes = data;
    *size = length;
    return BT_OK;
  }
  st = decompress(ctx, path, data, length, &out);
  free(data);
  if (st < 0) {
    free(out.bytes);
    return st;
  }
  *bytes = out.bytes;
  *size = out.used;
  return BT_OK;
}

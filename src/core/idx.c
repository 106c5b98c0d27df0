#include "core/idx.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/gzip.h"

/* MNIST is 47 MB; this leaves room for its larger relatives. */
static const size_t largest_file = (size_t)4 << 30;

enum { UNSIGNED_BYTE = 8, HEADER = 4 };

static BtStatus check_header(BtContext *ctx, const char *path, const unsigned char *b, size_t size) {
  if (size < HEADER)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: truncated: %zu bytes are no idx file", path, size);
  if (b[0] != 0 || b[1] != 0)
    return bt_fail(ctx, BT_ERR_FORMAT,
                   "%s: not an idx file: its magic number is %02x%02x%02x%02x, not 000008..", path, b[0],
                   b[1], b[2], b[3]);
  if (b[2] != UNSIGNED_BYTE)
    return bt_fail(ctx, b[2] >= 9 && b[2] <= 14 ? BT_ERR_UNSUPPORTED : BT_ERR_FORMAT,
                   "%s: entries of idx type 0x%02x; only unsigned bytes (0x08) are read", path, b[2]);
  if (b[3] < 1 || b[3] > BT_IDX_MAX_DIMS)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %d dimensions; 1 to %d are read", path, b[3], BT_IDX_MAX_DIMS);
  return BT_OK;
}

static BtStatus parse(BtContext *ctx, const char *path, size_t size, BtIdx *idx) {
  const unsigned char *b = (const unsigned char *)idx->bytes;
  const BtStatus st = check_header(ctx, path, b, size);
  if (st < 0) return st;
  idx->dims = b[3];
  const size_t start = HEADER + 4 * (size_t)idx->dims;
  if (size < start) return bt_fail(ctx, BT_ERR_FORMAT, "%s: truncated in its header", path);
  idx->size = 1;
  for (int k = 0; k < idx->dims; k++) {
    const unsigned char *d = b + HEADER + 4 * k;
    const size_t length = (size_t)d[0] << 24 | (size_t)d[1] << 16 | (size_t)d[2] << 8 | d[3];
    if (length == 0) return bt_fail(ctx, BT_ERR_FORMAT, "%s: dimension %d is 0", path, k + 1);
    idx->shape[k] = length;
    /* A product larger than any file is as good as the largest: there is too little data. */
    idx->size = idx->size > largest_file / length ? largest_file + 1 : idx->size * length;
  }
  idx->entries = b + start;
  if (size - start < idx->size)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: truncated: %zu bytes of entries, fewer than its header says",
                   path, size - start);
  if (size - start > idx->size)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %zu bytes follow the %zu entries of its header", path,
                   size - start - idx->size, idx->size);
  return BT_OK;
}

BtStatus bt_idx_read(BtContext *ctx, const char *path, BtIdx *idx) {
  size_t size = 0;
  *idx = (BtIdx){0};
  BtStatus st = bt_gzip_read(ctx, path, largest_file, &idx->bytes, &size);
  if (st >= 0) st = parse(ctx, path, size, idx);
  if (st < 0) bt_idx_clear(idx);
  return st;
}

void bt_idx_clear(BtIdx *idx) {
  free(idx->bytes);
  *idx = (BtIdx){0};
}

/* PART-WHAT-idxN-ubyte by any of its names; malloc'ed, NULL if there is none (or out of memory). */
static char *find_file(const char *folder, const char *part, const char *what, int dims) {
  for (int form = 0; form < 4; form++) {
    char name[80];
    snprintf(name, sizeof name, "%.20s-%s%cidx%d-ubyte%s", part, what, form & 2 ? '.' : '-', dims,
             form & 1 ? ".gz" : "");
    char *path = bt_path_join(folder, name);
    if (path && access(path, F_OK) == 0) return path;
    free(path);
  }
  return NULL;
}

int bt_idx_has_part(const char *folder, const char *part) {
  char *path = find_file(folder, part, "images", 3);
  free(path);
  return path != NULL;
}

static BtStatus read_file(BtContext *ctx, const char *folder, const char *part, const char *what, int dims,
                          BtIdx *idx) {
  char *path = find_file(folder, part, what, dims);
  if (!path)
    return bt_fail(ctx, BT_ERR_IO,
                   "%s: no %s-%s-idx%d-ubyte or %s-%s-idx%d-ubyte.gz; is it a folder of MNIST's kind?",
                   folder, part, what, dims, part, what, dims);
  BtStatus st = bt_idx_read(ctx, path, idx);
  if (st >= 0 && idx->dims != dims) {
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: %d dimensions, %d are expected of %s", path, idx->dims, dims, what);
    bt_idx_clear(idx);
  }
  free(path);
  return st;
}

BtStatus bt_idx_read_part(BtContext *ctx, const char *folder, const char *part, BtIdx *images,
                          BtIdx *labels) {
  BtStatus st = BT_OK;
  *images = *labels = (BtIdx){0};
  BT_TRY(read_file(ctx, folder, part, "images", 3, images));
  BT_TRY(read_file(ctx, folder, part, "labels", 1, labels));
  if (images->shape[0] != labels->shape[0])
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: %zu images but %zu labels of part \"%s\"", folder,
                   images->shape[0], labels->shape[0], part));
done:
  if (st < 0) {
    bt_idx_clear(images);
    bt_idx_clear(labels);
  }
  return st;
}

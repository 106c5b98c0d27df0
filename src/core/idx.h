/* core/idx.h: arrays of unsigned bytes in the idx format of the MNIST database (LeCun, Cortes, Burges), also gzipped.
 *
 * A file is two zero bytes, a type (8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit
 * number, and the entries, the last dimension running fastest. */
#ifndef BITUNE_CORE_IDX_H
#define BITUNE_CORE_IDX_H

#include <stddef.h>

#include "core/context.h"

#define BT_IDX_MAX_DIMS 4

typedef struct {
  int dims;
  size_t shape[BT_IDX_MAX_DIMS]; /* all ≥ 1                                             */
  size_t size;                   /* their product                                       */
  const unsigned char *entries;  /* [size], inside `bytes`                              */
  char *bytes;                   /* the file, owned                                     */
} BtIdx;

/* Errors: BT_ERR_IO, BT_ERR_MEMORY, BT_ERR_UNSUPPORTED (another type), BT_ERR_FORMAT (wrong magic number, truncated,
 * trailing bytes, dimension 0). `idx` is empty after an error. */
BtStatus bt_idx_read(BtContext *ctx, const char *path, BtIdx *idx);
void bt_idx_clear(BtIdx *idx);

/* The images and labels of one part ("train" or "t10k") in a folder that has the database's files, with or without .gz,
 * as in PART-images-idx3-ubyte and PART-labels.idx1-ubyte. images->shape is rows × height × width, labels->shape rows.
 * BT_ERR_IO naming the file that is missing, BT_ERR_FORMAT where the two do not fit. */
BtStatus bt_idx_read_part(BtContext *ctx, const char *folder, const char *part, BtIdx *images, BtIdx *labels);

/* True if the folder has images of that part. */
int bt_idx_has_part(const char *folder, const char *part);

#endif

/* imageio/tiff_internal.h: libtiff on files of ours, shared by the TIFF codec's parts.
 *
 * libtiff sees every page as a file of its own: a file whose header points at that page's directory. So any
 * page is opened without a walk through the directories, and a damaged page does not harm the others. */
#ifndef BITUNE_IMAGEIO_TIFF_INTERNAL_H
#define BITUNE_IMAGEIO_TIFF_INTERNAL_H

#include <tiffio.h>

#include "imageio/codec_internal.h"

#define BT_TIFF_TEXT 200

/* A file as libtiff reads and writes it, with what went wrong. */
typedef struct {
  int fd;                     /* borrowed                                                  */
  uint64_t size;              /* bytes; kept up to date while writing                      */
  uint64_t at;                /* position                                                  */
  unsigned char header[16];   /* read instead of the file's first header_size bytes        */
  size_t header_size;         /* 0 when writing                                            */
  int error;                  /* errno of the first failed read or write, 0 if none        */
  char text[BT_TIFF_TEXT];    /* libtiff's first error                                     */
  char warning[BT_TIFF_TEXT]; /* libtiff's first warning                                   */
} BtTiffFile;

/* Opens with libtiff's mode ("r", "w", "w8"); NULL with text or error set. `file` outlives the handle. */
TIFF *bt_tiff_attach(BtTiffFile *file, const char *path, const char *mode);

/* Reads exactly `size` bytes at `offset`, ignoring `header`; returns 0 if that fails. */
int bt_tiff_read_bytes(BtTiffFile *file, uint64_t offset, void *bytes, size_t size);

/* What went wrong, in words; `fallback` if neither the system nor libtiff said. */
const char *bt_tiff_cause(const BtTiffFile *file, const char *fallback);

typedef struct {
  BtTiffFile file;
  int big; /* BigTIFF                                        */
  int big_endian;
  uint64_t *pages; /* [reader->pages] offsets of directories, owned  */
} BtTiffReader;

/* Opens one page. Errors: BT_ERR_IO, BT_ERR_FORMAT, with "path: page k of n: cause". */
BtStatus bt_tiff_open_page(BtContext *ctx, BtImageReader *reader, size_t page, TIFF **tif);

BtStatus bt_tiff_read_page(BtContext *ctx, BtImageReader *reader, size_t page, BtImage *image);

BtStatus bt_tiff_create(BtContext *ctx, BtImageWriter *writer);
BtStatus bt_tiff_write_page(BtContext *ctx, BtImageWriter *writer, const BtImage *image);
BtStatus bt_tiff_finish(BtContext *ctx, BtImageWriter *writer);
void bt_tiff_discard(BtImageWriter *writer);

#endif

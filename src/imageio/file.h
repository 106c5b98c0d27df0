/* imageio/file.h: image files of one or many pages, read and written page by page.
 *
 * PNG: 1–16 bit gray, RGB, palette, with or without alpha. TIFF: 1–16-bit unsigned and 32- or 64-bit float,
 * gray (min-is-black and min-is-white), palette and RGB, with or without alpha, contiguous or separate
 * planes, strips and tiles, every compression libtiff has but old-style JPEG and JBIG, multi-page stacks,
 * BigTIFF. Every input, however broken, gives pixels or one line of error that names the file (and the page,
 * counted from 1) and the cause. */
#ifndef BITUNE_IMAGEIO_FILE_H
#define BITUNE_IMAGEIO_FILE_H

#include "imageio/image.h"

/* Most samples accepted in a page; a header that asks for more is refused before anything is allocated. */
#define BT_IMAGE_MAX_SAMPLES ((size_t)1 << 30)

typedef struct BtImageReader BtImageReader;

/* Opens a PNG or TIFF, told apart by content, not by name. white = 0 takes the sample type's own scale (255,
 * 65535, 1 for float); otherwise the sample value of the colours that becomes 1.0. Errors: BT_ERR_IO,
 * BT_ERR_FORMAT, BT_ERR_UNSUPPORTED. */
BtStatus bt_image_open(BtContext *ctx, const char *path, double white, BtImageReader **reader);
/* Number of pages (1 for PNG). */
size_t bt_image_pages(const BtImageReader *reader);
/* Reads page `page` (0-based, any order) into a new image. Pixels are finite: a NaN or infinite sample is
 * BT_ERR_FORMAT naming its place. */
BtStatus bt_image_read_page(BtContext *ctx, BtImageReader *reader, size_t page, BtImage *image);
void bt_image_close(BtImageReader *reader);

/* Opens, reads the first page, closes. */
BtStatus bt_image_read(BtContext *ctx, const char *path, double white, BtImage *image);

typedef struct BtImageWriter BtImageWriter;

/* Starts an output file of `pages` pages, atomically replaced on commit; the format follows the name (.png,
 * .tif, .tiff). `like` (may be NULL) is the input whose resolution, description and compression are kept if
 * the format has them: LZW, deflate or none (any other becomes deflate); it may be closed after this call.
 * PNG has one page and no float: BT_ERR_UNSUPPORTED says so. */
BtStatus bt_image_create_file(BtContext *ctx, const char *path, size_t pages, const BtImageReader *like,
                              BtImageWriter **writer);
/* Appends a page in the sample type and scale that the image remembers; integer samples are rounded and
 * clipped to their range, float ones are neither. BT_ERR_NUMERIC, naming the place, for a pixel that is not
 * finite or too large for a float. After an error the file cannot be completed. */
BtStatus bt_image_write_page(BtContext *ctx, BtImageWriter *writer, const BtImage *image);
/* Completes the file and frees the writer, whatever happens. BT_ERR_IO; BT_ERR_ARG if pages are missing. */
BtStatus bt_image_commit(BtContext *ctx, BtImageWriter *writer);
/* Leaves the target untouched and frees the writer; NULL is allowed. */
void bt_image_abandon(BtImageWriter *writer);

/* One page to a file. */
BtStatus bt_image_write(BtContext *ctx, const char *path, const BtImage *image);

#endif

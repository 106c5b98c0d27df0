/* imageio/tiff_write.c: TIFF files written page by page, into the temporary file of an atomic replacement. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imageio/tiff_internal.h"

#define STRIP_BYTES ((size_t)1 << 18)

/* Classic TIFF ends at 4 GiB; the margin is for directories and for data that grows by compression. */
#define CLASSIC_LIMIT 3.9e9

/* PAGENUMBER has 16 bits. */
#define MAX_NUMBERED_PAGES 65535

typedef struct {
  BtTiffFile file;
  TIFF *tif;
} BtTiffWriter;

static BtStatus fail_write(BtContext *ctx, const BtImageWriter *writer, const char *fallback) {
  const BtTiffWriter *tiff = writer->state;
  return bt_fail(ctx, tiff->file.error ? BT_ERR_IO : BT_ERR_LIBRARY, "%s: cannot write: %s", writer->path,
                 bt_tiff_cause(&tiff->file, fallback));
}

BtStatus bt_tiff_create(BtContext *ctx, BtImageWriter *writer) {
  /* libtiff reads and rewrites what it wrote: no pipe allows that, nor the atomic file's own stream. */
  if (!writer->file.temporary)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: a TIFF cannot be written to a pipe or a device",
                   writer->path);
  BtTiffWriter *tiff = calloc(1, sizeof *tiff);
  if (!tiff) return bt_fail_memory(ctx, "a TIFF writer", (double)sizeof *tiff);
  writer->state = tiff;
  tiff->file.fd = open(writer->file.temporary, O_RDWR | O_CLOEXEC);
  if (tiff->file.fd < 0)
    return bt_fail(ctx, BT_ERR_IO, "%s: cannot write: %s", writer->path, strerror(errno));
  return BT_OK;
}

static double page_bytes(const BtImage *image) {
  return (double)bt_image_plane_size(image) * (image->colors + image->alpha) *
         (double)bt_sample_size(image->sample);
}

/* The first page tells whether the file may outgrow classic TIFF; so does an input that is that large. */
static BtStatus start(BtContext *ctx, BtImageWriter *writer, const BtImage *first) {
  BtTiffWriter *tiff = writer->state;
  const double estimate = page_bytes(first) * (double)writer->pages;
  const int big = estimate > CLASSIC_LIMIT || (double)writer->input_size > CLASSIC_LIMIT / 2;
  tiff->tif = bt_tiff_attach(&tiff->file, writer->path, big ? "w8" : "w");
  return tiff->tif ? BT_OK : fail_write(ctx, writer, "libtiff does not open it");
}

/* The input's scheme if it is one that loses nothing and every reader has. */
static uint16_t output_compression(const BtImageNotes *notes) {
  if (notes->compression == COMPRESSION_NONE || notes->compression == COMPRESSION_LZW)
    return (uint16_t)notes->compression;
  return COMPRESSION_ADOBE_DEFLATE;
}

static int set_layout(TIFF *tif, const BtImage *image, const BtImageNotes *notes, uint32_t strip_rows) {
  const uint16_t samples = (uint16_t)(image->colors + image->alpha);
  const uint16_t bits = (uint16_t)(8 * bt_sample_size(image->sample));
  const int is_float = image->sample == BT_SAMPLE_F32;
  const uint16_t compression = output_compression(notes);
  const uint16_t extra[1] = {notes->premultiplied ? EXTRASAMPLE_ASSOCALPHA : EXTRASAMPLE_UNASSALPHA};
  return TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, (uint32_t)image->width) == 1 &&
         TIFFSetField(tif, TIFFTAG_IMAGELENGTH, (uint32_t)image->height) == 1 &&
         TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, bits) == 1 &&
         TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, is_float ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT) == 1 &&
         TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, samples) == 1 &&
         (image->alpha == 0 || TIFFSetField(tif, TIFFTAG_EXTRASAMPLES, (uint16_t)1, extra) == 1) &&
         TIFFSetField(tif, TIFFTAG_PHOTOMETRIC,
                      image->colors == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK) == 1 &&
         TIFFSetField(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == 1 &&
         TIFFSetField(tif, TIFFTAG_ORIENTATION,
                      notes->orientation ? notes->orientation : ORIENTATION_TOPLEFT) == 1 &&
         TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, strip_rows) == 1 &&
         TIFFSetField(tif, TIFFTAG_COMPRESSION, compression) == 1 &&
         (compression == COMPRESSION_NONE ||
          TIFFSetField(tif, TIFFTAG_PREDICTOR, is_float ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL) ==
              1);
}

static int set_notes(TIFF *tif, const BtImageWriter *writer) {
  const BtImageNotes *notes = &writer->notes;
  if (notes->x_resolution > 0 &&
      (TIFFSetField(tif, TIFFTAG_XRESOLUTION, notes->x_resolution) != 1 ||
       TIFFSetField(tif, TIFFTAG_YRESOLUTION, notes->y_resolution) != 1 ||
       TIFFSetField(tif, TIFFTAG_RESOLUTIONUNIT, notes->unit ? notes->unit : RESUNIT_NONE) != 1))
    return 0;
  if (writer->written == 0 && notes->description &&
      TIFFSetField(tif, TIFFTAG_IMAGEDESCRIPTION, notes->description) != 1)
    return 0;
  if (writer->pages == 1) return 1;
  if (TIFFSetField(tif, TIFFTAG_SUBFILETYPE, FILETYPE_PAGE) != 1) return 0;
  return writer->pages > MAX_NUMBERED_PAGES ||
         TIFFSetField(tif, TIFFTAG_PAGENUMBER, (int)writer->written, (int)writer->pages) == 1;
}

BtStatus bt_tiff_write_page(BtContext *ctx, BtImageWriter *writer, const BtImage *image) {
  BtStatus st = BT_OK;
  BtTiffWriter *tiff = writer->state;
  unsigned char *strip = NULL;
  if (image->width > UINT32_MAX || image->height > UINT32_MAX)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: %zu×%zu pixels are more than TIFF holds", writer->path,
                   image->width, image->height);
  if (!tiff->tif) BT_TRY(start(ctx, writer, image));

  const size_t row_bytes =
      image->width * (size_t)(image->colors + image->alpha) * bt_sample_size(image->sample);
  size_t strip_rows = STRIP_BYTES / row_bytes;
  if (strip_rows < 1) strip_rows = 1;
  if (strip_rows > image->height) strip_rows = image->height;
  if (!set_layout(tiff->tif, image, &writer->notes, (uint32_t)strip_rows) || !set_notes(tiff->tif, writer)) {
    st = fail_write(ctx, writer, "a tag is refused");
    goto done;
  }
  strip = malloc(strip_rows * row_bytes);
  if (!strip) {
    st = bt_fail_memory(ctx, writer->path, (double)strip_rows * (double)row_bytes);
    goto done;
  }
  for (size_t y = 0, index = 0; y < image->height; y += strip_rows, index++) {
    const size_t rows = image->height - y < strip_rows ? image->height - y : strip_rows;
    for (size_t r = 0; r < rows; r++) bt_samples_pack(image, y + r, strip + r * row_bytes);
    if (TIFFWriteEncodedStrip(tiff->tif, (uint32_t)index, strip, (tmsize_t)(rows * row_bytes)) < 0) {
      st = fail_write(ctx, writer, "a strip is refused");
      goto done;
    }
  }
  if (TIFFWriteDirectory(tiff->tif) != 1 || tiff->file.error)
    st = fail_write(ctx, writer, "a directory is refused");
done:
  free(strip);
  return st;
}

BtStatus bt_tiff_finish(BtContext *ctx, BtImageWriter *writer) {
  BtTiffWriter *tiff = writer->state;
  TIFFClose(tiff->tif);
  tiff->tif = NULL;
  if (tiff->file.error) return fail_write(ctx, writer, "");
  const int fd = tiff->file.fd;
  tiff->file.fd = -1;
  /* Some file systems tell of a full disk only here. */
  if (close(fd) != 0) return bt_fail(ctx, BT_ERR_IO, "%s: cannot write: %s", writer->path, strerror(errno));
  return BT_OK;
}

void bt_tiff_discard(BtImageWriter *writer) {
  BtTiffWriter *tiff = writer->state;
  if (!tiff) return;
  if (tiff->tif) TIFFClose(tiff->tif);
  if (tiff->file.fd >= 0) (void)close(tiff->file.fd);
  free(tiff);
}

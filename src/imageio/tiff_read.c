/* imageio/tiff_read.c: pixels of one TIFF page by blocks: strips or tiles of one or all samples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "imageio/tiff_internal.h"

/* A block may exceed its page by rounding, and by this many samples where writers think of larger pages. */
#define BLOCK_SLACK ((uint64_t)1 << 24)

typedef struct {
  TIFF *tif;
  BtTiffReader *tiff;
  const char *where; /* begins every message                              */

  uint32_t width, height;
  uint16_t bits, format, samples; /* per sample, SAMPLEFORMAT_…, per pixel  */
  uint16_t photometric, planar, compression;
  double top;                 /* largest sample, 1 for float            */
  int inverted;               /* min-is-white                           */
  const uint16_t *palette[3]; /* [2^bits] each, NULL if none; borrowed  */
  double palette_unit;        /* what an 8-bit value counts in palette  */

  int tiled;
  uint32_t block_width, block_height;
  size_t row_bytes; /* of a block                                     */
  size_t block_bytes;
  unsigned char *block; /* [block_bytes], owned                          */
  double *row;          /* samples of a row of a block, owned            */
} Page;

static BtStatus fail_format(BtContext *ctx, const Page *page, const char *fallback) {
  return bt_fail(ctx, page->tiff->file.error ? BT_ERR_IO : BT_ERR_FORMAT, "%s: %s", page->where,
                 bt_tiff_cause(&page->tiff->file, fallback));
}

static const char *photometric_name(unsigned photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MASK: return "a transparency mask";
    case PHOTOMETRIC_SEPARATED: return "CMYK";
    case PHOTOMETRIC_YCBCR: return "YCbCr without JPEG compression";
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB: return "CIE L*a*b*";
    case PHOTOMETRIC_PALETTE: return "a palette of more than 8 bits";
    case PHOTOMETRIC_CFA: return "a camera's colour filter array";
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV: return "SGI LogLuv";
  }
  return "an unknown kind of colour";
}

/* The tags that say what a sample is. */
static BtStatus read_layout(BtContext *ctx, Page *page) {
  TIFF *tif = page->tif;
  uint16_t photometric = 0;
  if (TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &page->width) != 1 ||
      TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &page->height) != 1 ||
      TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &page->bits) != 1 ||
      TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &page->samples) != 1 ||
      TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &page->format) != 1 ||
      TIFFGetFieldDefaulted(tif, TIFFTAG_PLANARCONFIG, &page->planar) != 1 ||
      TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &page->compression) != 1)
    return fail_format(ctx, page, "a tag is missing that tells its size");
  if (TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &photometric) != 1)
    photometric = page->samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB;
  page->photometric = photometric;
  /* Not told is unsigned, says the specification. */
  if (page->format == SAMPLEFORMAT_VOID) page->format = SAMPLEFORMAT_UINT;
  return BT_OK;
}

static BtStatus check_samples(BtContext *ctx, Page *page) {
  const unsigned bits = page->bits;
  const char *kind = page->format == SAMPLEFORMAT_INT             ? "signed integer"
                     : page->format == SAMPLEFORMAT_UINT          ? "unsigned integer"
                     : page->format == SAMPLEFORMAT_IEEEFP        ? "floating-point"
                     : page->format == SAMPLEFORMAT_COMPLEXINT    ? "complex integer"
                     : page->format == SAMPLEFORMAT_COMPLEXIEEEFP ? "complex"
                                                                  : "unknown";
  const int known = page->format == SAMPLEFORMAT_UINT     ? bits >= 1 && bits <= 16
                    : page->format == SAMPLEFORMAT_IEEEFP ? bits == 32 || bits == 64
                                                          : 0;
  if (!known)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED,
                   "%s: %u-bit %s samples; convert to unsigned integers of at most 16 bits or "
                   "to 32-bit floating point",
                   page->where, bits, kind);
  if (!TIFFIsCODECConfigured(page->compression))
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: this libtiff was built without compression scheme %u",
                   page->where, (unsigned)page->compression);
  /* libtiff's decoder for the one guesses much and breaks often; JBIG-KIT aborts the process when a damaged
   * header makes it run out of memory. */
  if (page->compression == COMPRESSION_OJPEG || page->compression == COMPRESSION_JBIG)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: %s compression; save it with another", page->where,
                   page->compression == COMPRESSION_JBIG ? "JBIG" : "old-style JPEG");
  page->top = page->format == SAMPLEFORMAT_UINT ? (double)((1u << bits) - 1) : 1.0;
  return BT_OK;
}

/* 16-bit entries that are v·256 or v·257 of an 8-bit v; in files of some old programs v itself. */
static void measure_palette(Page *page) {
  page->palette_unit = 1.0;
  for (int c = 0; c < 3; c++)
    for (unsigned i = 0; i < 1u << page->bits; i++)
      if (page->palette[c][i] > 255) page->palette_unit = 256.0;
}

/* The colours the samples make up: colors and alpha of the image to come. */
static BtStatus read_colors(BtContext *ctx, Page *page, int *colors, int *alpha) {
  uint16_t own = 1; /* samples that are colours */
  uint16_t *red, *green, *blue;
  *colors = 1;
  *alpha = 0;
  switch (page->photometric) {
    case PHOTOMETRIC_MINISWHITE: page->inverted = 1; break;
    case PHOTOMETRIC_MINISBLACK: break;
    case PHOTOMETRIC_RGB: own = 3; break;
    case PHOTOMETRIC_YCBCR:
      if (page->compression != COMPRESSION_JPEG || page->planar != PLANARCONFIG_CONTIG) goto unsupported;
      /* libjpeg converts. */
      if (TIFFSetField(page->tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) != 1) goto unsupported;
      own = 3;
      break;
    case PHOTOMETRIC_PALETTE:
      if (page->bits > 8 || page->format != SAMPLEFORMAT_UINT) goto unsupported;
      if (TIFFGetField(page->tif, TIFFTAG_COLORMAP, &red, &green, &blue) != 1)
        return bt_fail(ctx, BT_ERR_FORMAT, "%s: a palette image without its palette", page->where);
      page->palette[0] = red, page->palette[1] = green, page->palette[2] = blue;
      measure_palette(page);
      *colors = 3;
      break;
    default: goto unsupported;
  }
  if (own == 3) *colors = 3;
  if (page->inverted && page->format != SAMPLEFORMAT_UINT)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: min-is-white floating-point samples", page->where);
  if (page->samples < own || page->samples > own + 1)
    return bt_fail(ctx, page->samples < own ? BT_ERR_FORMAT : BT_ERR_UNSUPPORTED,
                   "%s: %u samples per pixel; only gray and RGB are read, with at most one of alpha",
                   page->where, (unsigned)page->samples);
  *alpha = page->samples - own;
  return BT_OK;
unsupported:
  return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: its colours are %s; convert to gray or RGB", page->where,
                 photometric_name(page->photometric));
}

/* Sizes of the blocks, checked against the page and, if it is not compressed, the file. */
static BtStatus read_blocks(BtContext *ctx, Page *page) {
  TIFF *tif = page->tif;
  const uint64_t per_pixel = page->planar == PLANARCONFIG_CONTIG ? page->samples : 1;
  const uint64_t page_samples = (uint64_t)page->width * page->height * per_pixel;
  page->tiled = TIFFIsTiled(tif);
  if (page->tiled) {
    if (TIFFGetField(tif, TIFFTAG_TILEWIDTH, &page->block_width) != 1 ||
        TIFFGetField(tif, TIFFTAG_TILELENGTH, &page->block_height) != 1)
      return fail_format(ctx, page, "the size of its tiles is missing");
  } else {
    if (TIFFGetFieldDefaulted(tif, TIFFTAG_ROWSPERSTRIP, &page->block_height) != 1)
      return fail_format(ctx, page, "the number of rows of its strips is missing");
    if (page->block_height > page->height) page->block_height = page->height;
    page->block_width = page->width;
  }
  const uint64_t w = page->block_width, h = page->block_height;
  const uint64_t most = (4 * page_samples + BLOCK_SLACK) / per_pixel;
  if (w == 0 || h == 0 || w > most / h)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: blocks of %.0f×%.0f pixels do not fit a page of %u×%u",
                   page->where, (double)w, (double)h, page->width, page->height);

  const uint64_t row_bytes = (w * per_pixel * page->bits + 7) / 8;
  const uint64_t expected = page->tiled ? TIFFTileRowSize64(tif) : TIFFScanlineSize64(tif);
  const uint64_t block_bytes = page->tiled ? TIFFTileSize64(tif) : TIFFVStripSize64(tif, page->block_height);
  if (row_bytes != expected || row_bytes * h != block_bytes)
    return fail_format(ctx, page, "the sizes of its strips or tiles contradict each other");
  page->row_bytes = (size_t)row_bytes;
  page->block_bytes = (size_t)block_bytes;

  const uint64_t planes = page->planar == PLANARCONFIG_CONTIG ? 1 : page->samples;
  const double needed =
      ((double)page->width * (double)per_pixel * page->bits / 8) * page->height * (double)planes;
  if (page->compression == COMPRESSION_NONE && needed > (double)page->tiff->file.size)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: truncated: its pixels need %.0f bytes, the file has %.0f",
                   page->where, needed, (double)page->tiff->file.size);
  return BT_OK;
}

/* n samples of a block's row to doubles. */
static void unpack(const Page *page, const unsigned char *bytes, size_t n, double *out) {
  const unsigned bits = page->bits;
  if (page->format == SAMPLEFORMAT_IEEEFP && bits == 64) {
    memcpy(out, bytes, n * sizeof *out);
  } else if (page->format == SAMPLEFORMAT_IEEEFP) {
    for (size_t i = 0; i < n; i++) out[i] = ((const float *)(const void *)bytes)[i];
  } else if (bits == 16) {
    for (size_t i = 0; i < n; i++) out[i] = ((const uint16_t *)(const void *)bytes)[i];
  } else if (bits == 8) {
    for (size_t i = 0; i < n; i++) out[i] = bytes[i];
  } else {
    /* Packed without gaps, the highest bit first. */
    uint32_t waiting = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
      for (; have < bits; have += 8) waiting = waiting << 8 | *bytes++;
      have -= bits;
      out[i] = waiting >> have & ((1u << bits) - 1);
    }
  }
}

/* Puts sample s of n pixels, `step` apart in row[], into the image from column x of row y on. */
static void place(const Page *page, BtImage *image, uint16_t s, const double *row, size_t step, size_t n,
                  size_t y, size_t x) {
  const size_t at = y * image->width + x;
  if (page->palette[0] && s == 0) {
    for (int c = 0; c < 3; c++) {
      double *out = bt_image_plane(image, c) + at;
      for (size_t k = 0; k < n; k++)
        out[k] = floor(page->palette[c][(size_t)row[k * step]] / page->palette_unit);
    }
    return;
  }
  const int plane = page->palette[0] ? 3 : s;
  double *out = bt_image_plane(image, plane) + at;
  if (page->inverted && s == 0)
    for (size_t k = 0; k < n; k++) out[k] = page->top - row[k * step];
  else
    for (size_t k = 0; k < n; k++) out[k] = row[k * step];
}

/* libtiff reads what is there; the rest of a block would be whatever the buffer held. */
static BtStatus read_block(BtContext *ctx, Page *page, uint32_t index, size_t bytes) {
  BtTiffFile *file = &page->tiff->file;
  const uint64_t offset = TIFFGetStrileOffset(page->tif, index);
  const uint64_t stored = TIFFGetStrileByteCount(page->tif, index);
  const uint64_t used = page->compression == COMPRESSION_NONE ? bytes : stored;
  if (offset > file->size || used > file->size - offset)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: truncated: %s %u should end at byte %.0f, the file has %.0f",
                   page->where, page->tiled ? "tile" : "strip", index, (double)offset + (double)used,
                   (double)file->size);
  const tmsize_t got = page->tiled ? TIFFReadEncodedTile(page->tif, index, page->block, (tmsize_t)bytes)
                                   : TIFFReadEncodedStrip(page->tif, index, page->block, (tmsize_t)bytes);
  if (got == (tmsize_t)bytes && !file->error) return BT_OK;
  return bt_fail(ctx, file->error ? BT_ERR_IO : BT_ERR_FORMAT, "%s: %s %u: %s", page->where,
                 page->tiled ? "tile" : "strip", index, bt_tiff_cause(file, "too little data"));
}

/* One block whose first pixel is (y, x), of sample s or, if contiguous, of all. */
static BtStatus read_block_pixels(BtContext *ctx, Page *page, BtImage *image, size_t y, size_t x,
                                  uint16_t s) {
  const int contiguous = page->planar == PLANARCONFIG_CONTIG;
  const size_t rows = image->height - y < page->block_height ? image->height - y : page->block_height;
  const size_t columns = image->width - x < page->block_width ? image->width - x : page->block_width;
  const uint16_t per_pixel = contiguous ? page->samples : 1;
  const uint32_t index = page->tiled ? TIFFComputeTile(page->tif, (uint32_t)x, (uint32_t)y, 0, s)
                                     : TIFFComputeStrip(page->tif, (uint32_t)y, s);
  /* The last strip is shorter, the last tile is not. */
  const BtStatus st = read_block(ctx, page, index, page->tiled ? page->block_bytes : rows * page->row_bytes);
  if (st < 0) return st;
  for (size_t r = 0; r < rows; r++) {
    unpack(page, page->block + r * page->row_bytes, columns * per_pixel, page->row);
    for (uint16_t i = 0; i < per_pixel; i++)
      place(page, image, contiguous ? i : s, page->row + i, per_pixel, columns, y + r, x);
  }
  return BT_OK;
}

static BtStatus read_pixels(BtContext *ctx, Page *page, BtImage *image) {
  const uint16_t passes = page->planar == PLANARCONFIG_CONTIG ? 1 : page->samples;
  for (uint16_t s = 0; s < passes; s++)
    for (size_t y = 0; y < image->height; y += page->block_height)
      for (size_t x = 0; x < image->width; x += page->block_width) {
        const BtStatus st = read_block_pixels(ctx, page, image, y, x, s);
        if (st < 0) return st;
      }
  return BT_OK;
}

/* Brings samples to the scale of the type they are remembered as. */
static void finish_samples(const Page *page, BtImage *image) {
  const size_t n = bt_image_plane_size(image);
  image->sample = page->format == SAMPLEFORMAT_IEEEFP ? BT_SAMPLE_F32
                  : page->bits > 8                    ? BT_SAMPLE_U16
                                                      : BT_SAMPLE_U8;
  image->white = page->bits < 8 ? 255.0 : page->top;
  if (page->bits >= 8) return;
  for (int c = page->palette[0] ? 3 : 0; c < image->colors + image->alpha; c++) {
    double *plane = bt_image_plane(image, c);
    for (size_t p = 0; p < n; p++) plane[p] *= 255.0 / page->top;
  }
}

BtStatus bt_tiff_read_page(BtContext *ctx, BtImageReader *reader, size_t number, BtImage *image) {
  BtStatus st = BT_OK;
  char where[BT_ERROR_TEXT];
  int colors = 1, alpha = 0;
  bt_page_name(reader, number, where, sizeof where);
  Page page = {.tiff = reader->state, .where = where};
  BT_TRY(bt_tiff_open_page(ctx, reader, number, &page.tif));
  BT_TRY(read_layout(ctx, &page));
  BT_TRY(check_samples(ctx, &page));
  BT_TRY(read_colors(ctx, &page, &colors, &alpha));
  BT_TRY(bt_page_create(ctx, where, page.width, page.height, colors, alpha, image));
  BT_TRY(read_blocks(ctx, &page));

  page.block = calloc(page.block_bytes, 1);
  page.row = malloc((size_t)page.width * page.samples * sizeof *page.row);
  if (!page.block || !page.row) {
    st = bt_fail_memory(ctx, where, (double)page.block_bytes + 8.0 * (double)page.width * page.samples);
    goto done;
  }
  /* What libtiff said of tags and got over is not the cause of what follows. */
  page.tiff->file.text[0] = page.tiff->file.warning[0] = '\0';
  BT_TRY(read_pixels(ctx, &page, image));
  if (page.tiff->file.warning[0]) bt_warn(ctx, "%s: %s", where, page.tiff->file.warning);
  finish_samples(&page, image);

done:
  free(page.row);
  free(page.block);
  if (page.tif) TIFFClose(page.tif);
  return st;
}

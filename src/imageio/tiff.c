/* imageio/tiff.c: the TIFF codec: finds the pages of a file and the notes of the first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imageio/tiff_internal.h"

/* count, one entry, offset of the next: no directory is smaller. */
#define SMALLEST_DIRECTORY 18

/* The bytes as an unsigned number in the file's order. */
static uint64_t number(const unsigned char *bytes, size_t size, int big_endian) {
  uint64_t x = 0;
  for (size_t i = 0; i < size; i++) x = x << 8 | bytes[big_endian ? i : size - 1 - i];
  return x;
}

static void put_number(unsigned char *bytes, size_t size, int big_endian, uint64_t x) {
  for (size_t i = 0; i < size; i++, x >>= 8) bytes[big_endian ? size - 1 - i : i] = (unsigned char)(x & 255);
}

/* Reads a number of the file; returns 0 past its end. */
static int fetch(BtTiffReader *tiff, uint64_t offset, size_t size, uint64_t *x) {
  unsigned char bytes[8];
  if (offset > tiff->file.size || tiff->file.size - offset < size) return 0;
  if (!bt_tiff_read_bytes(&tiff->file, offset, bytes, size)) return 0;
  *x = number(bytes, size, tiff->big_endian);
  return 1;
}

/* Offset of the directory after the one at `offset`, 0 after the last. */
static int next_directory(BtTiffReader *tiff, uint64_t offset, uint64_t *next) {
  const size_t count_size = tiff->big ? 8 : 2, entry_size = tiff->big ? 20 : 12,
               link_size = tiff->big ? 8 : 4;
  uint64_t entries;
  if (!fetch(tiff, offset, count_size, &entries)) return 0;
  if (entries == 0 || entries > tiff->file.size / entry_size) return 0;
  return fetch(tiff, offset + count_size + entries * entry_size, link_size, next);
}

static BtStatus append_page(BtContext *ctx, BtImageReader *reader, size_t *room, uint64_t offset) {
  BtTiffReader *tiff = reader->state;
  if (reader->pages == *room) {
    const size_t more = *room ? 2 * *room : 4;
    uint64_t *larger = realloc(tiff->pages, more * sizeof *larger);
    if (!larger) return bt_fail_memory(ctx, "a list of pages", (double)more * sizeof *larger);
    tiff->pages = larger;
    *room = more;
  }
  tiff->pages[reader->pages++] = offset;
  return BT_OK;
}

/* Follows the chain of directories. Brent's way to find a loop: a mark, set at pages 1, 2, 4, …, is met. */
static BtStatus list_pages(BtContext *ctx, BtImageReader *reader) {
  BtTiffReader *tiff = reader->state;
  const uint64_t limit = tiff->file.size / SMALLEST_DIRECTORY + 1;
  uint64_t offset, mark = 0;
  size_t room = 0;
  if (!fetch(tiff, tiff->big ? 8 : 4, tiff->big ? 8 : 4, &offset) || offset == 0)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: a TIFF without pages", reader->path);
  while (offset != 0) {
    if (offset == mark || reader->pages == limit)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: the directories of its pages form a loop", reader->path);
    if ((reader->pages & (reader->pages - 1)) == 0) mark = offset;
    const BtStatus st = append_page(ctx, reader, &room, offset);
    if (st < 0) return st;
    if (!next_directory(tiff, offset, &offset)) {
      if (tiff->file.error)
        return bt_fail(ctx, BT_ERR_IO, "%s: cannot read: %s", reader->path, strerror(tiff->file.error));
      return bt_fail(ctx, BT_ERR_FORMAT,
                     "%s: page %zu: its directory lies outside of the file, which is damaged or "
                     "truncated",
                     reader->path, reader->pages);
    }
  }
  return BT_OK;
}

/* Bytes of a value of a TIFF type, 0 if unknown. */
static uint64_t type_size(uint64_t type) {
  static const unsigned char sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < sizeof sizes ? sizes[type] : 0;
}

/* Tags without which pixels would mean something else; libtiff only warns when it cannot read them. */
static int matters(uint64_t tag) {
  static const uint16_t tags[] = {
      TIFFTAG_BITSPERSAMPLE, TIFFTAG_STRIPOFFSETS,     TIFFTAG_STRIPBYTECOUNTS,    TIFFTAG_COLORMAP,
      TIFFTAG_TILEOFFSETS,   TIFFTAG_TILEBYTECOUNTS,   TIFFTAG_EXTRASAMPLES,       TIFFTAG_SAMPLEFORMAT,
      TIFFTAG_JPEGTABLES,    TIFFTAG_YCBCRSUBSAMPLING, TIFFTAG_REFERENCEBLACKWHITE};
  for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
    if (tag == tags[i]) return 1;
  return 0;
}

/* Whether the values of all tags that matter lie inside the file; if not, *tag is the first that does not. */
static int values_are_there(BtTiffReader *tiff, uint64_t directory, uint64_t *tag) {
  const size_t count_size = tiff->big ? 8 : 2, word = tiff->big ? 8 : 4, entry_size = 4 + 2 * word;
  uint64_t entries = 0;
  *tag = 0;
  if (!fetch(tiff, directory, count_size, &entries)) return 0;
  for (uint64_t i = 0, at = directory + count_size; i < entries; i++, at += entry_size) {
    unsigned char entry[20];
    if (!bt_tiff_read_bytes(&tiff->file, at, entry, entry_size)) return 0;
    *tag = number(entry, 2, tiff->big_endian);
    const uint64_t size = type_size(number(entry + 2, 2, tiff->big_endian)), most = tiff->file.size;
    const uint64_t count = number(entry + 4, word, tiff->big_endian);
    const uint64_t offset = number(entry + 4 + word, word, tiff->big_endian);
    if (!matters(*tag) || size == 0 || count <= word / size) continue;
    if (count > most / size || offset > most - count * size) return 0;
  }
  return 1;
}

BtStatus bt_tiff_open_page(BtContext *ctx, BtImageReader *reader, size_t page, TIFF **tif) {
  BtTiffReader *tiff = reader->state;
  const size_t link_size = tiff->big ? 8 : 4;
  char where[BT_ERROR_TEXT];
  uint64_t tag;
  bt_page_name(reader, page, where, sizeof where);
  if (!values_are_there(tiff, tiff->pages[page], &tag))
    return bt_fail(ctx, tiff->file.error ? BT_ERR_IO : BT_ERR_FORMAT,
                   "%s: damaged or truncated: tag %u points outside of the file", where, (unsigned)tag);
  put_number(tiff->file.header + link_size, link_size, tiff->big_endian, tiff->pages[page]);
  *tif = bt_tiff_attach(&tiff->file, reader->path, "r");
  if (*tif) return BT_OK;
  return bt_fail(ctx, tiff->file.error ? BT_ERR_IO : BT_ERR_FORMAT, "%s: %s", where,
                 bt_tiff_cause(&tiff->file, "its directory is damaged"));
}

/* Others are nonsense, which libtiff would not write. */
static int is_resolution(float x) { return x >= 1e-6f && x <= 1e9f; }

static BtStatus read_notes(BtContext *ctx, BtImageReader *reader) {
  BtImageNotes *notes = &reader->notes;
  TIFF *tif;
  const BtStatus st = bt_tiff_open_page(ctx, reader, 0, &tif);
  if (st < 0) return st;

  float x = 0, y = 0;
  uint16_t unit = 0, orientation = 0, compression = 0, extra_count = 0;
  uint16_t *extra = NULL;
  char *description = NULL;
  BtStatus copied = BT_OK;
  if (TIFFGetField(tif, TIFFTAG_XRESOLUTION, &x) == 1 && TIFFGetField(tif, TIFFTAG_YRESOLUTION, &y) == 1 &&
      is_resolution(x) && is_resolution(y)) {
    notes->x_resolution = x;
    notes->y_resolution = y;
  }
  if (TIFFGetFieldDefaulted(tif, TIFFTAG_RESOLUTIONUNIT, &unit) == 1 && unit >= 1 && unit <= 3)
    notes->unit = unit;
  if (TIFFGetFieldDefaulted(tif, TIFFTAG_ORIENTATION, &orientation) == 1 && orientation >= 1 &&
      orientation <= 8)
    notes->orientation = orientation;
  if (TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &compression) == 1) notes->compression = compression;
  if (TIFFGetFieldDefaulted(tif, TIFFTAG_EXTRASAMPLES, &extra_count, &extra) == 1 && extra_count > 0)
    notes->premultiplied = extra[0] == EXTRASAMPLE_ASSOCALPHA;
  if (TIFFGetField(tif, TIFFTAG_IMAGEDESCRIPTION, &description) == 1 && description) {
    notes->description = bt_copy_text(description);
    if (!notes->description) copied = bt_fail_memory(ctx, "a description", (double)strlen(description));
  }
  TIFFClose(tif);
  return copied;
}

static int recognizes_tiff(const unsigned char signature[8]) {
  static const char *const magics[] = {"II*\0", "MM\0*", "II+\0", "MM\0+"};
  for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
    if (memcmp(signature, magics[i], 4) == 0) return 1;
  return 0;
}

static BtStatus open_tiff(BtContext *ctx, BtImageReader *reader) {
  BtStatus st = BT_OK;
  BtTiffReader *tiff = calloc(1, sizeof *tiff);
  if (!tiff) return bt_fail_memory(ctx, "a TIFF reader", (double)sizeof *tiff);
  reader->state = tiff;
  tiff->file.fd = fileno(reader->stream);
  tiff->file.size = reader->size;
  if (!bt_tiff_read_bytes(&tiff->file, 0, tiff->file.header, 8)) goto short_file;
  tiff->big_endian = tiff->file.header[0] == 'M';
  tiff->big = tiff->file.header[2] == '+' || tiff->file.header[3] == '+';
  if (tiff->big && !bt_tiff_read_bytes(&tiff->file, 0, tiff->file.header, 16)) goto short_file;
  BT_TRY(list_pages(ctx, reader));
  tiff->file.header_size = tiff->big ? 16 : 8;
  BT_TRY(read_notes(ctx, reader));
done:
  return st;
short_file:
  if (tiff->file.error)
    return bt_fail(ctx, BT_ERR_IO, "%s: cannot read: %s", reader->path, strerror(tiff->file.error));
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: TIFF: the file is truncated", reader->path);
}

static void close_tiff(BtImageReader *reader) {
  BtTiffReader *tiff = reader->state;
  if (!tiff) return;
  free(tiff->pages);
  free(tiff);
}

const BtImageCodec bt_tiff_codec = {
    .name = "TIFF",
    .extensions = " tif tiff ",
    .stacks = 1,
    .floats = 1,
    .recognizes = recognizes_tiff,
    .open = open_tiff,
    .read_page = bt_tiff_read_page,
    .write_page = bt_tiff_write_page,
    .close = close_tiff,
    .create = bt_tiff_create,
    .finish = bt_tiff_finish,
    .discard = bt_tiff_discard,
};

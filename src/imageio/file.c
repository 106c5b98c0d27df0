#include "imageio/file.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "imageio/codec_internal.h"

static const BtImageCodec *const codecs[] = {&bt_png_codec, &bt_tiff_codec};
static const size_t codec_count = sizeof codecs / sizeof *codecs;

double bt_sample_scale(BtSample sample) {
  switch (sample) {
    case BT_SAMPLE_U8: return 255.0;
    case BT_SAMPLE_U16: return 65535.0;
    case BT_SAMPLE_F32: break;
  }
  return 1.0;
}

size_t bt_sample_size(BtSample sample) {
  switch (sample) {
    case BT_SAMPLE_U8: return 1;
    case BT_SAMPLE_U16: return 2;
    case BT_SAMPLE_F32: break;
  }
  return 4;
}

void bt_page_name(const BtImageReader *reader, size_t page, char *text, size_t size) {
  if (reader->pages == 1)
    snprintf(text, size, "%s", reader->path);
  else
    snprintf(text, size, "%s: page %zu of %zu", reader->path, page + 1, reader->pages);
}

BtStatus bt_page_create(BtContext *ctx, const char *where, uint64_t width, uint64_t height, int colors,
                        int alpha, BtImage *image) {
  *image = (BtImage){0};
  if (width == 0 || height == 0) return bt_fail(ctx, BT_ERR_FORMAT, "%s: the image has no pixels", where);
  if (width > BT_IMAGE_MAX_SAMPLES / (uint64_t)(colors + alpha) / height)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED,
                   "%s: %.0f×%.0f pixels with %d planes are more than the %zu samples allowed", where,
                   (double)width, (double)height, colors + alpha, BT_IMAGE_MAX_SAMPLES);
  return bt_image_create(ctx, (size_t)width, (size_t)height, colors, alpha, image);
}

/* The value nearest to x in 0 … top; NaN, which bt_image_write_page refuses, would become 0. */
static unsigned nearest(double x, double top) { return x > 0.0 ? (unsigned)((x < top ? x : top) + 0.5) : 0; }

void bt_samples_pack(const BtImage *image, size_t r, void *out) {
  const size_t n = image->width, planes = (size_t)(image->colors + image->alpha);
  const double top = bt_sample_scale(image->sample);
  for (size_t c = 0; c < planes; c++) {
    const double *row = bt_image_plane(image, (int)c) + r * n;
    const double white = (int)c < image->colors ? image->white : top;
    switch (image->sample) {
      case BT_SAMPLE_U8:
        for (size_t k = 0; k < n; k++)
          ((uint8_t *)out)[k * planes + c] = (uint8_t)nearest(row[k] * white, top);
        break;
      case BT_SAMPLE_U16:
        for (size_t k = 0; k < n; k++)
          ((uint16_t *)out)[k * planes + c] = (uint16_t)nearest(row[k] * white, top);
        break;
      case BT_SAMPLE_F32:
        for (size_t k = 0; k < n; k++) ((float *)out)[k * planes + c] = (float)(row[k] * white);
        break;
    }
  }
}

static BtStatus copy_notes(BtContext *ctx, const BtImageReader *like, size_t pages, BtImageNotes *notes) {
  *notes = like->notes;
  notes->description = NULL;
  /* ImageJ's and OME's descriptions count the pages. */
  if (!like->notes.description || like->pages != pages) return BT_OK;
  notes->description = bt_copy_text(like->notes.description);
  return notes->description ? BT_OK
                            : bt_fail_memory(ctx, "a description", (double)strlen(like->notes.description));
}

static BtStatus check_regular(BtContext *ctx, const char *path, const struct stat *info) {
  if (S_ISDIR(info->st_mode)) return bt_fail(ctx, BT_ERR_IO, "%s: is a folder; name an image file", path);
  if (!S_ISREG(info->st_mode)) return bt_fail(ctx, BT_ERR_IO, "%s: is not a regular file", path);
  return BT_OK;
}

BtStatus bt_image_open(BtContext *ctx, const char *path, double white, BtImageReader **out) {
  BtStatus st = BT_OK;
  struct stat info;
  *out = NULL;
  if (!(white >= 0.0) || isinf(white))
    return bt_fail(ctx, BT_ERR_ARG, "%s: the white level must be positive and finite, not %g", path, white);
  BtImageReader *reader = calloc(1, sizeof *reader);
  if (!reader) return bt_fail_memory(ctx, "an image reader", (double)sizeof *reader);
  reader->white = white;
  reader->notes.orientation = 1;

  reader->path = bt_copy_text(path);
  if (!reader->path) {
    st = bt_fail_memory(ctx, "a file name", (double)strlen(path));
    goto done;
  }
  /* Before fopen, which would wait on a pipe. */
  if (stat(path, &info) != 0) {
    st = bt_fail(ctx, BT_ERR_IO, "%s: %s", path, strerror(errno));
    goto done;
  }
  BT_TRY(check_regular(ctx, path, &info));
  reader->stream = fopen(path, "rb");
  if (!reader->stream || fstat(fileno(reader->stream), &info) != 0) {
    st = bt_fail(ctx, BT_ERR_IO, "%s: %s", path, strerror(errno));
    goto done;
  }
  BT_TRY(check_regular(ctx, path, &info));
  reader->size = (uint64_t)info.st_size;

  unsigned char signature[8] = {0};
  if (fread(signature, 1, sizeof signature, reader->stream) < sizeof signature && ferror(reader->stream)) {
    st = bt_fail(ctx, BT_ERR_IO, "%s: %s", path, strerror(errno));
    goto done;
  }
  for (size_t i = 0; i < codec_count && !reader->codec; i++)
    if (codecs[i]->recognizes(signature)) reader->codec = codecs[i];
  if (!reader->codec) {
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: neither PNG nor TIFF%s", path,
                 reader->size == 0 ? ", but empty" : "");
    goto done;
  }
  BT_TRY(reader->codec->open(ctx, reader));
  *out = reader;
  reader = NULL;

done:
  bt_image_close(reader);
  return st;
}

size_t bt_image_pages(const BtImageReader *reader) { return reader->pages; }

/* Turns samples into fractions: colours of what the user calls white, alpha of the type's largest value. */
static BtStatus scale_page(BtContext *ctx, const BtImageReader *reader, size_t page, BtImage *image) {
  const size_t n = bt_image_plane_size(image);
  const double top = image->white;
  if (reader->white > 0.0) image->white = reader->white;
  for (int c = 0; c < image->colors + image->alpha; c++) {
    const double white = c < image->colors ? image->white : top;
    double *plane = bt_image_plane(image, c);
    int finite = 1;
    for (size_t p = 0; p < n; p++) {
      plane[p] /= white;
      finite &= plane[p] - plane[p] == 0.0;
    }
    if (finite) continue;
    size_t bad = 0;
    while (isfinite(plane[bad])) bad++;
    char where[BT_ERROR_TEXT];
    bt_page_name(reader, page, where, sizeof where);
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s at row %zu, column %zu (counted from 0)", where,
                   isnan(plane[bad]) ? "NaN" : "infinity", bad / image->width, bad % image->width);
  }
  return BT_OK;
}

BtStatus bt_image_read_page(BtContext *ctx, BtImageReader *reader, size_t page, BtImage *image) {
  *image = (BtImage){0};
  if (page >= reader->pages)
    return bt_fail(ctx, BT_ERR_ARG, "%s: page %zu was asked for, but there are %zu", reader->path, page + 1,
                   reader->pages);
  BtStatus st = reader->codec->read_page(ctx, reader, page, image);
  if (st >= 0) st = scale_page(ctx, reader, page, image);
  if (st < 0) bt_image_clear(image);
  return st;
}

void bt_image_close(BtImageReader *reader) {
  if (!reader) return;
  if (reader->codec && reader->codec->close) reader->codec->close(reader);
  if (reader->stream) (void)fclose(reader->stream);
  free(reader->notes.description);
  free(reader->path);
  free(reader);
}

BtStatus bt_image_read(BtContext *ctx, const char *path, double white, BtImage *image) {
  BtImageReader *reader;
  *image = (BtImage){0};
  BtStatus st = bt_image_open(ctx, path, white, &reader);
  if (st < 0) return st;
  st = bt_image_read_page(ctx, reader, 0, image);
  bt_image_close(reader);
  return st;
}

/* The codec of a file name's extension, NULL if there is none. */
static const BtImageCodec *codec_by_name(const char *path) {
  const char *extension = bt_path_extension(path);
  const size_t length = strlen(extension);
  for (size_t i = 0; length > 0 && i < codec_count; i++)
    for (const char *known = codecs[i]->extensions; *known; known += strcspn(known, " ")) {
      known += strspn(known, " ");
      if (strcspn(known, " ") == length && strncasecmp(known, extension, length) == 0) return codecs[i];
    }
  return NULL;
}

BtStatus bt_image_create_file(BtContext *ctx, const char *path, size_t pages, const BtImageReader *like,
                              BtImageWriter **out) {
  BtStatus st = BT_OK;
  *out = NULL;
  const BtImageCodec *codec = codec_by_name(path);
  if (!codec)
    return bt_fail(ctx, BT_ERR_ARG, "%s: the name of an image file ends in .png, .tif or .tiff", path);
  if (pages == 0) return bt_fail(ctx, BT_ERR_ARG, "%s: an image file needs a page", path);
  if (pages > 1 && !codec->stacks)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: %s holds one page, not %zu; write a .tif", path, codec->name,
                   pages);

  BtImageWriter *writer = calloc(1, sizeof *writer);
  if (!writer) return bt_fail_memory(ctx, "an image writer", (double)sizeof *writer);
  writer->codec = codec;
  writer->pages = pages;
  writer->path = bt_copy_text(path);
  if (!writer->path) {
    st = bt_fail_memory(ctx, "a file name", (double)strlen(path));
    goto done;
  }
  if (like) {
    writer->input_size = like->size;
    BT_TRY(copy_notes(ctx, like, pages, &writer->notes));
  }
  BT_TRY(bt_atomic_open(ctx, path, &writer->file));
  if (codec->create) BT_TRY(codec->create(ctx, writer));
  *out = writer;
  writer = NULL;

done:
  bt_image_abandon(writer);
  return st;
}

/* A page that the file can hold: finite pixels and, in float files, none beyond the type's range. */
static BtStatus check_page(BtContext *ctx, const BtImageWriter *writer, const BtImage *image) {
  if (image->sample == BT_SAMPLE_F32 && !writer->codec->floats)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: %s holds no floating-point samples; write a .tif",
                   writer->path, writer->codec->name);
  if (!(image->white > 0.0) || isinf(image->white))
    return bt_fail(ctx, BT_ERR_ARG, "%s: the white level must be positive and finite, not %g", writer->path,
                   image->white);
  const double limit = image->sample == BT_SAMPLE_F32 ? FLT_MAX / fmax(image->white, 1.0) : DBL_MAX;
  const size_t n = bt_image_plane_size(image);
  for (int c = 0; c < image->colors + image->alpha; c++) {
    const double *plane = bt_image_plane(image, c);
    for (size_t p = 0; p < n; p++)
      if (!(fabs(plane[p]) <= limit))
        return bt_fail(ctx, BT_ERR_NUMERIC,
                       "%s: page %zu has %g at row %zu, column %zu (counted from 0), which no "
                       "sample holds",
                       writer->path, writer->written + 1, plane[p], p / image->width, p % image->width);
  }
  return BT_OK;
}

BtStatus bt_image_write_page(BtContext *ctx, BtImageWriter *writer, const BtImage *image) {
  if (writer->written == writer->pages)
    return bt_fail(ctx, BT_ERR_ARG, "%s: a page more than the %zu announced", writer->path, writer->pages);
  BtStatus st = check_page(ctx, writer, image);
  if (st >= 0) st = writer->codec->write_page(ctx, writer, image);
  if (st < 0)
    writer->broken = 1;
  else
    writer->written++;
  return st;
}

BtStatus bt_image_commit(BtContext *ctx, BtImageWriter *writer) {
  BtStatus st = BT_OK;
  if (writer->broken)
    st = bt_fail(ctx, BT_ERR_IO, "%s: not written, because page %zu failed", writer->path,
                 writer->written + 1);
  else if (writer->written != writer->pages)
    st = bt_fail(ctx, BT_ERR_ARG, "%s: %zu pages were announced, %zu written", writer->path, writer->pages,
                 writer->written);
  else if (writer->codec->finish)
    st = writer->codec->finish(ctx, writer);
  if (st >= 0) st = bt_atomic_commit(ctx, &writer->file);
  bt_image_abandon(writer);
  return st;
}

void bt_image_abandon(BtImageWriter *writer) {
  if (!writer) return;
  if (writer->codec->discard) writer->codec->discard(writer);
  bt_atomic_abort(&writer->file);
  free(writer->notes.description);
  free(writer->path);
  free(writer);
}

BtStatus bt_image_write(BtContext *ctx, const char *path, const BtImage *image) {
  BtImageWriter *writer;
  BtStatus st = bt_image_create_file(ctx, path, 1, NULL, &writer);
  if (st < 0) return st;
  st = bt_image_write_page(ctx, writer, image);
  if (st >= 0) return bt_image_commit(ctx, writer);
  bt_image_abandon(writer);
  return st;
}

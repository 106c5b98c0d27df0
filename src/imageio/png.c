/* imageio/png.c: PNG in and out, on libpng.
 *
 * libpng reports errors by longjmp. Each function that calls setjmp keeps everything that outlives the jump
 * in a job struct of its caller and has no changing locals of its own. */
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "imageio/codec_internal.h"

#define PNG_TEXT 160
#define METERS_PER_INCH 0.0254
#define METERS_PER_CENTIMETER 0.01

typedef struct {
  FILE *stream;
  png_structp png;
  png_infop info;
  int passes; /* 7 if interlaced, else 1                       */
  size_t row_bytes;
  unsigned char *rows; /* all rows if interlaced, else one; owned       */
  int error;           /* errno of a failed read or write, 0 if none    */
  char text[PNG_TEXT]; /* libpng's message                              */
} PngJob;

/* libpng's error handler; must not return. */
static void on_error(png_structp png, png_const_charp text) {
  PngJob *job = png_get_error_ptr(png);
  strncat(job->text, text, sizeof job->text - strlen(job->text) - 1);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void on_read(png_structp png, png_bytep bytes, size_t size) {
  PngJob *job = png_get_io_ptr(png);
  if (fread(bytes, 1, size, job->stream) == size) return;
  if (ferror(job->stream)) job->error = errno;
  png_error(png, "the file is truncated");
}

static void on_write(png_structp png, png_bytep bytes, size_t size) {
  PngJob *job = png_get_io_ptr(png);
  if (fwrite(bytes, 1, size, job->stream) == size) return;
  job->error = errno;
  png_error(png, "write error");
}

static void on_flush(png_structp png) { (void)png; }

static BtStatus fail_read(BtContext *ctx, const BtImageReader *reader, const PngJob *job) {
  if (job->error) return bt_fail(ctx, BT_ERR_IO, "%s: cannot read: %s", reader->path, strerror(job->error));
  if (!job->png) return bt_fail_memory(ctx, reader->path, 0.0);
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: PNG: %s", reader->path, job->text);
}

static int is_little_endian(void) {
  const uint16_t one = 1;
  return *(const unsigned char *)&one == 1;
}

/* Reads up to the pixels; libpng's own limits are replaced by BT_IMAGE_MAX_SAMPLES. */
static int read_header(PngJob *job) {
  if (setjmp(png_jmpbuf(job->png))) return 0;
  png_set_read_fn(job->png, job, on_read);
  png_set_user_limits(job->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(job->png, job->info);
  return 1;
}

/* Has libpng deliver gray or RGB, with or without alpha, of 8 or 16 bits in the machine's byte order. */
static int prepare_rows(PngJob *job) {
  if (setjmp(png_jmpbuf(job->png))) return 0;
  png_set_expand(job->png);
  if (is_little_endian()) png_set_swap(job->png);
  job->passes = png_set_interlace_handling(job->png);
  png_read_update_info(job->png, job->info);
  job->row_bytes = png_get_rowbytes(job->png, job->info);
  return 1;
}

static void place_row(BtImage *image, size_t r, const unsigned char *row) {
  const size_t n = image->width, planes = (size_t)(image->colors + image->alpha);
  for (size_t c = 0; c < planes; c++) {
    double *out = bt_image_plane(image, (int)c) + r * n;
    if (image->sample == BT_SAMPLE_U16)
      for (size_t k = 0; k < n; k++) out[k] = ((const uint16_t *)(const void *)row)[k * planes + c];
    else
      for (size_t k = 0; k < n; k++) out[k] = row[k * planes + c];
  }
}

static int read_rows(PngJob *job, BtImage *image) {
  if (setjmp(png_jmpbuf(job->png))) return 0;
  const size_t stride = job->passes > 1 ? job->row_bytes : 0;
  for (int pass = 0; pass < job->passes; pass++)
    for (size_t r = 0; r < image->height; r++) {
      png_read_row(job->png, job->rows + r * stride, NULL);
      if (pass == job->passes - 1) place_row(image, r, job->rows + r * stride);
    }
  png_read_end(job->png, NULL);
  return 1;
}

static int start_reading(BtImageReader *reader, PngJob *job) {
  *job = (PngJob){.stream = reader->stream};
  if (fseek(reader->stream, 0, SEEK_SET) != 0) {
    job->error = errno;
    return 0;
  }
  job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
  if (!job->png) return 0;
  job->info = png_create_info_struct(job->png);
  if (!job->info) {
    strncat(job->text, "out of memory", sizeof job->text - 1);
    return 0;
  }
  return read_header(job);
}

static void end_reading(PngJob *job) {
  if (job->png) png_destroy_read_struct(&job->png, &job->info, NULL);
  free(job->rows);
}

static int recognizes_png(const unsigned char signature[8]) {
  return memcmp(signature, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static BtStatus open_png(BtContext *ctx, BtImageReader *reader) {
  BtStatus st = BT_OK;
  PngJob job;
  if (!start_reading(reader, &job)) {
    st = fail_read(ctx, reader, &job);
    goto done;
  }
  reader->pages = 1;
  png_uint_32 x, y;
  int unit;
  if (png_get_pHYs(job.png, job.info, &x, &y, &unit) && x > 0 && y > 0) {
    const int metric = unit == PNG_RESOLUTION_METER;
    reader->notes.unit = metric ? 3 : 1;
    reader->notes.x_resolution = x * (metric ? METERS_PER_CENTIMETER : 1.0);
    reader->notes.y_resolution = y * (metric ? METERS_PER_CENTIMETER : 1.0);
  }
done:
  end_reading(&job);
  return st;
}

static BtStatus read_png_page(BtContext *ctx, BtImageReader *reader, size_t page, BtImage *image) {
  BtStatus st = BT_OK;
  PngJob job;
  (void)page;
  if (!start_reading(reader, &job)) {
    st = fail_read(ctx, reader, &job);
    goto done;
  }
  /* Sizes are judged before prepare_rows(), which allocates rows. */
  const int type = png_get_color_type(job.png, job.info);
  const int colors = type & PNG_COLOR_MASK_COLOR ? 3 : 1;
  const int alpha = type & PNG_COLOR_MASK_ALPHA || png_get_valid(job.png, job.info, PNG_INFO_tRNS) ? 1 : 0;
  BT_TRY(bt_page_create(ctx, reader->path, png_get_image_width(job.png, job.info),
                        png_get_image_height(job.png, job.info), colors, alpha, image));
  if (!prepare_rows(&job)) {
    st = fail_read(ctx, reader, &job);
    goto done;
  }
  image->sample = png_get_bit_depth(job.png, job.info) == 16 ? BT_SAMPLE_U16 : BT_SAMPLE_U8;
  image->white = bt_sample_scale(image->sample);
  if (job.row_bytes != image->width * (size_t)(colors + alpha) * bt_sample_size(image->sample)) {
    st = bt_fail(ctx, BT_ERR_LIBRARY, "%s: libpng gives rows of %zu bytes", reader->path, job.row_bytes);
    goto done;
  }
  const size_t bytes = job.row_bytes * (job.passes > 1 ? image->height : 1);
  job.rows = calloc(bytes, 1);
  if (!job.rows) {
    st = bt_fail_memory(ctx, reader->path, (double)bytes);
    goto done;
  }
  if (!read_rows(&job, image)) st = fail_read(ctx, reader, &job);
done:
  end_reading(&job);
  return st;
}

/* Resolution in pixels per metre; 0 if it cannot be told. */
static png_uint_32 per_meter(double resolution, int unit) {
  const double x = unit == 2   ? resolution / METERS_PER_INCH
                   : unit == 3 ? resolution / METERS_PER_CENTIMETER
                               : resolution;
  return x >= 0.5 && x < (double)PNG_UINT_31_MAX ? (png_uint_32)(x + 0.5) : 0;
}

static int write_image(PngJob *job, const BtImage *image, const BtImageNotes *notes) {
  if (setjmp(png_jmpbuf(job->png))) return 0;
  png_set_write_fn(job->png, job, on_write, on_flush);
  png_set_user_limits(job->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  const int type =
      (image->colors == 3 ? PNG_COLOR_MASK_COLOR : 0) | (image->alpha ? PNG_COLOR_MASK_ALPHA : 0);
  png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height,
               image->sample == BT_SAMPLE_U16 ? 16 : 8, type, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  const png_uint_32 x = per_meter(notes->x_resolution, notes->unit),
                    y = per_meter(notes->y_resolution, notes->unit);
  if (x > 0 && y > 0)
    png_set_pHYs(job->png, job->info, x, y, notes->unit >= 2 ? PNG_RESOLUTION_METER : PNG_RESOLUTION_UNKNOWN);
  png_write_info(job->png, job->info);
  if (is_little_endian()) png_set_swap(job->png);
  for (size_t r = 0; r < image->height; r++) {
    bt_samples_pack(image, r, job->rows);
    png_write_row(job->png, job->rows);
  }
  png_write_end(job->png, NULL);
  return 1;
}

static BtStatus write_png_page(BtContext *ctx, BtImageWriter *writer, const BtImage *image) {
  BtStatus st = BT_OK;
  PngJob job = {.stream = writer->file.stream};
  if (image->width > PNG_UINT_31_MAX || image->height > PNG_UINT_31_MAX)
    return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: %zu×%zu pixels are more than PNG holds", writer->path,
                   image->width, image->height);
  const size_t bytes = image->width * (size_t)(image->colors + image->alpha) * bt_sample_size(image->sample);
  job.rows = malloc(bytes);
  job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  if (job.png) job.info = png_create_info_struct(job.png);
  if (!job.rows || !job.info) {
    st = bt_fail_memory(ctx, writer->path, (double)bytes);
    goto done;
  }
  if (!write_image(&job, image, &writer->notes)) {
    if (job.error)
      st = bt_fail(ctx, BT_ERR_IO, "%s: cannot write: %s", writer->path, strerror(job.error));
    else
      st = bt_fail(ctx, BT_ERR_LIBRARY, "%s: PNG: %s", writer->path, job.text);
  }
done:
  if (job.png) png_destroy_write_struct(&job.png, &job.info);
  free(job.rows);
  return st;
}

const BtImageCodec bt_png_codec = {
    .name = "PNG",
    .extensions = " png ",
    .stacks = 0,
    .floats = 0,
    .recognizes = recognizes_png,
    .open = open_png,
    .read_page = read_png_page,
    .write_page = write_png_page,
};

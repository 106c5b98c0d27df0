/* Files that are damaged, hostile, unsupported or cannot be written: an error says so, nothing is left. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tiffio.h>

#include "core/file.h"
#include "core/rng.h"
#include "harness.h"
#include "image_fixtures.h"
#include "imageio/file.h"

#define MOST_BYTES ((size_t)1 << 24)

static BtContext ctx;

static void write_bytes(const char *path, const void *bytes, size_t size) {
  BT_CHECK_STATUS(bt_file_write(&ctx, path, bytes, size), BT_OK, &ctx);
}

/* Reads all pages; the first error, whose text must name the file. */
static BtStatus read_all(const char *path) {
  BtImageReader *reader;
  ctx.error[0] = '\0';
  BtStatus st = bt_image_open(&ctx, path, 0.0, &reader);
  if (st >= 0) {
    for (size_t page = 0; st >= 0 && page < bt_image_pages(reader); page++) {
      BtImage image;
      st = bt_image_read_page(&ctx, reader, page, &image);
      if ((st < 0) != (image.pixels == NULL)) BT_CHECK(!"pixels exactly without an error");
      bt_image_clear(&image);
    }
    bt_image_close(reader);
  }
  if (st < 0 && strncmp(ctx.error, path, strlen(path)) != 0) BT_CHECK_TEXT(ctx.error, path);
  return st;
}

/* Checks that reading fails with a status and a text that contains `words`. */
static void check_refused(const char *path, BtStatus wanted, const char *words) {
  const BtStatus st = read_all(path);
  BT_CHECK_STATUS(st, wanted, &ctx);
  BT_CHECK_ROW(strstr(ctx.error, words) != NULL, "\"%s\" does not say \"%s\"", ctx.error, words);
}

/* A fixture's bytes, malloc'ed; NULL if this libtiff lacks its compression. */
static char *fixture_bytes(const BtFixture *f, size_t *size) {
  char *bytes = NULL;
  const char *path = bt_test_path(f->name);
  if (bt_fixture_write(f, path) > 0)
    BT_CHECK_STATUS(bt_file_read(&ctx, path, MOST_BYTES, &bytes, size), BT_OK, &ctx);
  return bytes;
}

/* Whether the first page is what the fixture's formula says. */
static int is_intact(const BtFixture *f, const char *path) {
  BtImage image;
  if (bt_image_read(&ctx, path, 0.0, &image) < 0) return 0;
  double worst = 0.0;
  for (int c = 0; c < image.colors + image.alpha; c++)
    for (unsigned r = 0; r < image.height; r++)
      for (unsigned k = 0; k < image.width; k++) {
        const double got = bt_image_plane(&image, c)[r * image.width + k];
        worst = fmax(worst, fabs(got - bt_fixture_pixel(f, 0, c, r, k)));
      }
  bt_image_clear(&image);
  return worst <= f->tolerance + 1e-12;
}

/* What is cut off may be a description or a resolution, but no pixel may change. */
static void truncated_files(void) {
  const char *path = bt_test_path("truncated");
  for (size_t i = 0; i < bt_fixture_count; i++) {
    const BtFixture *f = &bt_fixtures[i];
    size_t size = 0, wrong = 0, refused = 0;
    char *bytes = fixture_bytes(f, &size);
    if (!bytes) continue;
    for (size_t kept = 0; kept < size; kept += kept < 64 || size - kept < 300 ? 7 : 61) {
      write_bytes(path, bytes, kept);
      if (read_all(path) < 0)
        refused++;
      else
        wrong += !is_intact(f, path);
    }
    BT_CHECK_ROW(wrong == 0, "%s: %zu truncated files have other pixels", f->name, wrong);
    BT_CHECK_ROW(refused > 20, "%s: %zu truncated files are refused", f->name, refused);
    free(bytes);
  }
}

static void flipped_bytes(void) {
  const char *path = bt_test_path("flipped");
  for (size_t i = 0; i < bt_fixture_count; i++) {
    size_t size = 0;
    char *bytes = fixture_bytes(&bt_fixtures[i], &size);
    if (!bytes) continue;
    for (size_t k = 0; k < 60; k++) {
      const size_t at = (size_t)(bt_rng_uniform(3, i, k) * (double)(k % 2 ? size : size < 64 ? size : 64));
      const char before = bytes[at];
      bytes[at] = (char)(before ^ 1 << k % 8);
      write_bytes(path, bytes, size);
      (void)read_all(path);
      bytes[at] = before;
    }
    free(bytes);
  }
}

/* PNG's checksums notice any flipped bit of pixels. */
static void flipped_pixels_of_png(void) {
  const char *path = bt_test_path("flipped.png");
  for (size_t i = 0; i < bt_fixture_count; i++) {
    size_t size = 0;
    if (bt_fixtures[i].mode) continue;
    char *bytes = fixture_bytes(&bt_fixtures[i], &size);
    BT_NEED(bytes);
    bytes[size - 40] ^= 4;
    write_bytes(path, bytes, size);
    BT_CHECK_STATUS(read_all(path), BT_ERR_FORMAT, &ctx);
    free(bytes);
  }
}

static void not_images(void) {
  check_refused(bt_test_path("missing.png"), BT_ERR_IO, strerror(ENOENT));
  check_refused(bt_test_folder(), BT_ERR_IO, "folder");
  check_refused("/dev/null", BT_ERR_IO, "regular");
  write_bytes(bt_test_path("x.jpg"), "\xff\xd8\xff\xe0 JFIF", 9);
  check_refused(bt_test_path("x.jpg"), BT_ERR_FORMAT, "neither PNG nor TIFF");
  write_bytes(bt_test_path("empty.tif"), "", 0);
  check_refused(bt_test_path("empty.tif"), BT_ERR_FORMAT, "empty");
  write_bytes(bt_test_path("head.tif"), "II*\0", 4);
  check_refused(bt_test_path("head.tif"), BT_ERR_FORMAT, "truncated");
  write_bytes(bt_test_path("none.tif"), "MM\0*\0\0\0\0", 8);
  check_refused(bt_test_path("none.tif"), BT_ERR_FORMAT, "without pages");
  write_bytes(bt_test_path("far.tif"), "II*\0\xff\xff\xff\xff", 8);
  check_refused(bt_test_path("far.tif"), BT_ERR_FORMAT, "outside");
}

static void pages_in_a_loop(void) {
  /* Two directories of one entry each; the second points back at the first. */
  static const char loop[] =
      "II*\0\x08\0\0\0"
      "\1\0"
      "\0\1\3\0\1\0\0\0\1\0\0\0"
      "\x1a\0\0\0"
      "\1\0"
      "\0\1\3\0\1\0\0\0\1\0\0\0"
      "\x08\0\0\0";
  write_bytes(bt_test_path("loop.tif"), loop, sizeof loop - 1);
  check_refused(bt_test_path("loop.tif"), BT_ERR_FORMAT, "loop");
}

static void page_beyond_the_last(void) {
  BtImageReader *reader;
  BtImage image;
  BT_NEED(bt_fixture_write(&bt_fixtures[0], bt_test_path("one.tif")) == 1);
  BT_CHECK_STATUS(bt_image_open(&ctx, bt_test_path("one.tif"), 0.0, &reader), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_read_page(&ctx, reader, 1, &image), BT_ERR_ARG, &ctx);
  BT_CHECK(image.pixels == NULL);
  bt_image_close(reader);
}

/* A page of 4×3 uncompressed zero bytes with the given tags. */
typedef struct {
  const char *name;
  unsigned width, height, bits, format, samples, photometric;
  BtStatus status;
  const char *words;
} Refusal;

static const Refusal refusals[] = {
    {"signed", 4, 3, 16, SAMPLEFORMAT_INT, 1, PHOTOMETRIC_MINISBLACK, BT_ERR_UNSUPPORTED,
     "16-bit signed integer"},
    {"u32", 4, 3, 32, SAMPLEFORMAT_UINT, 1, PHOTOMETRIC_MINISBLACK, BT_ERR_UNSUPPORTED, "32-bit unsigned"},
    {"half", 4, 3, 16, SAMPLEFORMAT_IEEEFP, 1, PHOTOMETRIC_MINISBLACK, BT_ERR_UNSUPPORTED, "16-bit floating"},
    {"complex", 4, 3, 64, SAMPLEFORMAT_COMPLEXIEEEFP, 1, PHOTOMETRIC_MINISBLACK, BT_ERR_UNSUPPORTED,
     "complex"},
    {"cmyk", 4, 3, 8, SAMPLEFORMAT_UINT, 4, PHOTOMETRIC_SEPARATED, BT_ERR_UNSUPPORTED, "CMYK"},
    {"lab", 4, 3, 8, SAMPLEFORMAT_UINT, 3, PHOTOMETRIC_CIELAB, BT_ERR_UNSUPPORTED, "L*a*b*"},
    {"channels", 4, 3, 8, SAMPLEFORMAT_UINT, 5, PHOTOMETRIC_MINISBLACK, BT_ERR_UNSUPPORTED, "5 samples"},
    {"white-float", 4, 3, 32, SAMPLEFORMAT_IEEEFP, 1, PHOTOMETRIC_MINISWHITE, BT_ERR_UNSUPPORTED,
     "min-is-white"},
    {"two-of-three", 4, 3, 8, SAMPLEFORMAT_UINT, 2, PHOTOMETRIC_RGB, BT_ERR_FORMAT, "2 samples"},
    {"huge", 1000000, 1000000, 8, SAMPLEFORMAT_UINT, 1, PHOTOMETRIC_MINISBLACK, BT_ERR_UNSUPPORTED,
     "samples allowed"},
    {"large", 30000, 20000, 8, SAMPLEFORMAT_UINT, 1, PHOTOMETRIC_MINISBLACK, BT_ERR_FORMAT, "truncated"},
};

static void unsupported_kinds(void) {
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    const Refusal *kind = &refusals[i];
    unsigned char zeros[4 * 3 * 40] = {0};
    const char *path = bt_test_path(kind->name);
    TIFF *tif = TIFFOpen(path, "w");
    BT_NEED(tif);
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, kind->width);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, kind->height);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, kind->bits);
    TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, kind->format);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, kind->samples);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, kind->photometric);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, kind->height);
    TIFFWriteRawStrip(tif, 0, zeros, sizeof zeros);
    TIFFClose(tif);
    check_refused(path, kind->status, kind->words);
  }
}

/* A PNG whose header, with a right checksum, asks for 2^31−1 pixels a side. */
static void oversized_png(void) {
  static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,    0,    0,    13,
                                      'I',  'H', 'D', 'R', 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
                                      8,    0,   0,   0,   0,    0x31, 0xa2, 0x54, 0xba, 0,    0,    0,
                                      0,    'I', 'D', 'A', 'T',  0x35, 0xaf, 0x06, 0x1e};
  write_bytes(bt_test_path("huge.png"), png, sizeof png);
  check_refused(bt_test_path("huge.png"), BT_ERR_UNSUPPORTED, "samples allowed");
}

static void samples_that_are_not_finite(void) {
  static const float values[] = {NAN, INFINITY, -INFINITY};
  static const char *const words[] = {"page 2 of 2: NaN at row 1, column 3", "infinity at row 1, column 3",
                                      "infinity at row 1, column 3"};
  const char *path = bt_test_path("nan.tif");
  for (size_t i = 0; i < 3; i++) {
    TIFF *tif = TIFFOpen(path, "w");
    BT_NEED(tif);
    for (unsigned page = 0; page < 2; page++) {
      float row[4] = {0.5f, 0.25f, 1.0f, 0.0f};
      TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, 4);
      TIFFSetField(tif, TIFFTAG_IMAGELENGTH, 2);
      TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 32);
      TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
      TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
      TIFFWriteScanline(tif, row, 0, 0);
      if (page == 1) row[3] = values[i];
      TIFFWriteScanline(tif, row, 1, 0);
      TIFFWriteDirectory(tif);
    }
    TIFFClose(tif);
    check_refused(path, BT_ERR_FORMAT, words[i]);
  }
}

static BtImage flat_image(size_t side, BtSample sample) {
  BtImage image;
  BT_CHECK_STATUS(bt_image_create(&ctx, side, side, 1, 0, &image), BT_OK, &ctx);
  image.sample = sample;
  image.white = sample == BT_SAMPLE_F32 ? 1.0 : sample == BT_SAMPLE_U16 ? 65535.0 : 255.0;
  for (size_t p = 0; p < side * side; p++) image.pixels[p] = bt_rng_uniform(9, side, p);
  return image;
}

/* The target's content, its folder's entries, before and after a write that must fail. */
static void check_write_fails(const char *name, const BtImage *image, BtStatus wanted, const char *words) {
  const char *path = bt_test_path(name);
  char *bytes = NULL;
  size_t size = 0;
  write_bytes(path, "as before", 9);
  const int entries = bt_test_entries(bt_test_folder());
  BT_CHECK_STATUS(bt_image_write(&ctx, path, image), wanted, &ctx);
  BT_CHECK_ROW(strstr(ctx.error, words) != NULL, "\"%s\" does not say \"%s\"", ctx.error, words);
  BT_CHECK(bt_test_entries(bt_test_folder()) == entries);
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 100, &bytes, &size), BT_OK, &ctx);
  BT_CHECK(bytes && size == 9 && memcmp(bytes, "as before", 9) == 0);
  free(bytes);
}

static void pixels_that_no_file_holds(void) {
  BtImage image = flat_image(5, BT_SAMPLE_F32);
  check_write_fails("float.png", &image, BT_ERR_UNSUPPORTED, "write a .tif");
  image.pixels[7] = 1e39;
  check_write_fails("large.tif", &image, BT_ERR_NUMERIC, "row 1, column 2");
  image.pixels[7] = NAN;
  check_write_fails("nan.tif", &image, BT_ERR_NUMERIC, "nan");
  image.sample = BT_SAMPLE_U8;
  check_write_fails("nan.png", &image, BT_ERR_NUMERIC, "nan");
  image.pixels[7] = 0.0;
  image.white = 0.0;
  check_write_fails("black.png", &image, BT_ERR_ARG, "white");
  bt_image_clear(&image);
}

static void files_that_cannot_be_begun(void) {
  BtImageWriter *writer = NULL;
  static const struct {
    const char *name;
    size_t pages;
    BtStatus status;
    const char *words;
  } cases[] = {
      {"x.jpg", 1, BT_ERR_ARG, ".png, .tif"},       {"x", 1, BT_ERR_ARG, ".png, .tif"},
      {".tif", 1, BT_ERR_ARG, ".png, .tif"},        {"x.ti", 1, BT_ERR_ARG, ".png, .tif"},
      {"x.png", 2, BT_ERR_UNSUPPORTED, "one page"}, {"x.tif", 0, BT_ERR_ARG, "needs a page"},
      {"no/such/x.tif", 1, BT_ERR_IO, "no/such"},   {"no/such/x.png", 1, BT_ERR_IO, "no/such"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const BtStatus st =
        bt_image_create_file(&ctx, bt_test_path(cases[i].name), cases[i].pages, NULL, &writer);
    BT_CHECK_STATUS(st, cases[i].status, &ctx);
    BT_CHECK_ROW(writer == NULL && strstr(ctx.error, cases[i].words), "%s: \"%s\"", cases[i].name, ctx.error);
  }
}

/* Too few pages, a failed page, and second thoughts leave the target alone. */
static void files_that_are_not_completed(void) {
  static const char *const names[] = {"half.png", "half.tif"};
  BtImage image = flat_image(40, BT_SAMPLE_U8), broken = flat_image(4, BT_SAMPLE_U8);
  broken.pixels[3] = NAN;
  for (size_t i = 0; i < 2; i++)
    for (int kind = 0; kind < 3; kind++) {
      const char *path = bt_test_path(names[i]);
      const size_t pages = i == 1 ? 2 : 1;
      BtImageWriter *writer = NULL;
      const int entries = bt_test_entries(bt_test_folder());
      BT_CHECK_STATUS(bt_image_create_file(&ctx, path, pages, NULL, &writer), BT_OK, &ctx);
      BT_NEED(writer);
      if (pages == 2) BT_CHECK_STATUS(bt_image_write_page(&ctx, writer, &image), BT_OK, &ctx);
      if (kind == 0) BT_CHECK_STATUS(bt_image_commit(&ctx, writer), BT_ERR_ARG, &ctx);
      if (kind == 1) {
        BT_CHECK_STATUS(bt_image_write_page(&ctx, writer, &broken), BT_ERR_NUMERIC, &ctx);
        BT_CHECK_STATUS(bt_image_commit(&ctx, writer), BT_ERR_IO, &ctx);
      }
      if (kind == 2) bt_image_abandon(writer);
      struct stat info;
      BT_CHECK(stat(path, &info) != 0 && bt_test_entries(bt_test_folder()) == entries);
    }
  bt_image_abandon(NULL);
  bt_image_clear(&image);
  bt_image_clear(&broken);
}

/* A limit on the size of files stands for a full disk: writes fail at the same place, with another errno. */
static void full_disk(void) {
  static const char *const names[] = {"full.png", "full.tif", "full.tiff"};
  static const BtSample samples[] = {BT_SAMPLE_U16, BT_SAMPLE_U8, BT_SAMPLE_F32};
  static const rlim_t limits[] = {0, 4, 20, 1000, 4096, 50000};
  struct rlimit before, limit;
  BT_NEED(getrlimit(RLIMIT_FSIZE, &before) == 0);
  BT_NEED(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
      BtImage image = flat_image(300, samples[i]);
      const char *path = bt_test_path(names[i]);
      write_bytes(path, "as before", 9);
      const int entries = bt_test_entries(bt_test_folder());
      limit = before;
      limit.rlim_cur = limits[k];
      const int limited = setrlimit(RLIMIT_FSIZE, &limit) == 0;
      const BtStatus st = bt_image_write(&ctx, path, &image);
      setrlimit(RLIMIT_FSIZE, &before);
      BT_CHECK(limited);
      BT_CHECK_STATUS(st, BT_ERR_IO, &ctx);
      BT_CHECK_ROW(strstr(ctx.error, strerror(EFBIG)) != NULL, "limit %g: \"%s\"", (double)limits[k],
                   ctx.error);
      struct stat info;
      BT_CHECK(stat(path, &info) == 0 && info.st_size == 9 && bt_test_entries(bt_test_folder()) == entries);
      bt_image_clear(&image);
    }
}

static const BtTest tests[] = {
    {"truncated files are refused", truncated_files},
    {"flipped bytes give pixels or an error", flipped_bytes},
    {"flipped pixels of a PNG are noticed", flipped_pixels_of_png},
    {"what is no image is refused", not_images},
    {"pages in a loop are refused", pages_in_a_loop},
    {"a page beyond the last is refused", page_beyond_the_last},
    {"unsupported kinds are named", unsupported_kinds},
    {"an oversized PNG is refused", oversized_png},
    {"NaN and infinity are located", samples_that_are_not_finite},
    {"pixels that no file holds are refused", pixels_that_no_file_holds},
    {"files that cannot be begun", files_that_cannot_be_begun},
    {"files that are not completed leave nothing", files_that_are_not_completed},
    {"a full disk is reported and leaves nothing", full_disk},
};

int main(void) { return bt_test_main("imageio damage", tests, sizeof tests / sizeof *tests); }

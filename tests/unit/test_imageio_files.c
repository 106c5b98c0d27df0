/* Image files: every kind is read as it is, what is written is read back, notes are kept. */
#include "imageio/file.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#include "core/file.h"
#include "core/rng.h"
#include "harness.h"
#include "image_fixtures.h"

static BtContext ctx;

static BtSample expected_sample(const BtFixture *f) {
  return f->bits > 16 ? BT_SAMPLE_F32 : f->bits > 8 && f->bits <= 16 ? BT_SAMPLE_U16 : BT_SAMPLE_U8;
}

static double expected_white(const BtFixture *f) {
  return f->bits > 16 ? 1.0 : f->bits > 8 ? (double)((1u << f->bits) - 1) : 255.0;
}

static double fixture_error(const BtFixture *f, unsigned page, const BtImage *image) {
  double worst = 0.0;
  for (int c = 0; c < image->colors + image->alpha; c++)
    for (unsigned r = 0; r < image->height; r++)
      for (unsigned k = 0; k < image->width; k++) {
        const double got = bt_image_plane(image, c)[r * image->width + k];
        worst = fmax(worst, fabs(got - bt_fixture_pixel(f, page, c, r, k)));
      }
  return worst;
}

static void check_fixture_page(const BtFixture *f, BtImageReader *reader, unsigned page) {
  BtImage image;
  if (!BT_CHECK_STATUS(bt_image_read_page(&ctx, reader, page, &image), BT_OK, &ctx)) return;
  const int shape = image.width == bt_fixture_width(page) && image.height == BT_FIXTURE_HEIGHT &&
                    image.colors == bt_fixture_colors(f) && image.alpha == bt_fixture_alpha(f);
  BT_CHECK_ROW(shape, "%s: %zu×%zu, %d + %d planes", f->name, image.width, image.height, image.colors,
               image.alpha);
  BT_CHECK_ROW(image.sample == expected_sample(f) && image.white == expected_white(f),
               "%s: sample type %d, white %g", f->name, (int)image.sample, image.white);
  const double error = shape ? fixture_error(f, page, &image) : 0.0;
  BT_CHECK_ROW(error <= f->tolerance + 1e-12, "%s: page %u is wrong by %g", f->name, page, error);
  bt_image_clear(&image);
}

static void reads_every_kind(void) {
  for (size_t i = 0; i < bt_fixture_count; i++) {
    const BtFixture *f = &bt_fixtures[i];
    const char *path = bt_test_path(f->name);
    const int written = bt_fixture_write(f, path);
    BT_CHECK_ROW(written >= 0, "%s is not written", f->name);
    if (written <= 0) continue;
    BtImageReader *reader;
    if (!BT_CHECK_STATUS(bt_image_open(&ctx, path, 0.0, &reader), BT_OK, &ctx)) continue;
    BT_CHECK(bt_image_pages(reader) == f->pages);
    /* Backwards, then the first again: pages are read in any order. */
    for (unsigned page = f->pages; page-- > 0;) check_fixture_page(f, reader, page);
    check_fixture_page(f, reader, 0);
    bt_image_close(reader);
  }
}

/* Random samples of the type, exactly representable, up to the white level. */
static BtImage random_image(size_t width, size_t height, int colors, int alpha, BtSample sample,
                            double white) {
  BtImage image;
  BT_CHECK_STATUS(bt_image_create(&ctx, width, height, colors, alpha, &image), BT_OK, &ctx);
  image.sample = sample;
  image.white = white;
  const size_t n = bt_image_plane_size(&image);
  for (size_t p = 0; p < n * (size_t)(colors + alpha); p++) {
    const double top = p < n * (size_t)colors    ? white
                       : sample == BT_SAMPLE_U8  ? 255
                       : sample == BT_SAMPLE_U16 ? 65535
                                                 : 1;
    const double u = bt_rng_uniform(width, height, p);
    image.pixels[p] = sample == BT_SAMPLE_F32 ? (double)(float)(3.0 * u - 1.0) : floor(u * (top + 1.0)) / top;
  }
  return image;
}

static int same_image(const BtImage *a, const BtImage *b) {
  return a->width == b->width && a->height == b->height && a->colors == b->colors && a->alpha == b->alpha &&
         a->sample == b->sample && a->white == b->white &&
         memcmp(a->pixels, b->pixels,
                bt_image_plane_size(a) * (size_t)(a->colors + a->alpha) * sizeof(double)) == 0;
}

static void round_trip(const char *name, BtSample sample, double white, int colors, int alpha, size_t width,
                       size_t height) {
  BtImage image = random_image(width, height, colors, alpha, sample, white), back;
  const char *path = bt_test_path(name);
  BT_CHECK_STATUS(bt_image_write(&ctx, path, &image), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_read(&ctx, path, white, &back), BT_OK, &ctx);
  BT_CHECK_ROW(back.pixels && same_image(&image, &back),
               "%s: sample type %d, white %g, %d + %d planes, %zu×%zu", name, (int)sample, white, colors,
               alpha, width, height);
  bt_image_clear(&back);
  bt_image_clear(&image);
}

static void round_trips(void) {
  static const size_t sizes[][2] = {{1, 1}, {17, 9}, {700, 260}};
  for (int colors = 1; colors <= 3; colors += 2)
    for (int alpha = 0; alpha < 2; alpha++)
      for (size_t i = 0; i < 3; i++) {
        const size_t w = sizes[i][0], h = sizes[i][1];
        round_trip("trip.png", BT_SAMPLE_U8, 255, colors, alpha, w, h);
        round_trip("trip.PNG", BT_SAMPLE_U16, 65535, colors, alpha, w, h);
        round_trip("trip.png", BT_SAMPLE_U16, 4095, colors, alpha, w, h);
        round_trip("trip.tif", BT_SAMPLE_U8, 255, colors, alpha, w, h);
        round_trip("trip.TIFF", BT_SAMPLE_U16, 65535, colors, alpha, w, h);
        round_trip("trip.tif", BT_SAMPLE_U16, 4095, colors, alpha, w, h);
        round_trip("trip.tiff", BT_SAMPLE_F32, 1, colors, alpha, w, h);
        round_trip("trip.tiff", BT_SAMPLE_F32, 4, colors, alpha, w, h);
      }
}

static void rounds_and_clips(void) {
  static const double values[] = {-5.0,        -0.001,      0.0, 0.49 / 255, 0.51 / 255,
                                  100.4 / 255, 100.6 / 255, 1.0, 1.2,        1e300};
  static const double wanted[] = {0, 0, 0, 0, 1, 100, 101, 255, 255, 255};
  static const char *const names[] = {"clip.png", "clip.tif"};
  for (size_t i = 0; i < 2; i++) {
    BtImage image, back;
    BT_CHECK_STATUS(bt_image_create(&ctx, 10, 1, 1, 0, &image), BT_OK, &ctx);
    memcpy(image.pixels, values, sizeof values);
    BT_CHECK_STATUS(bt_image_write(&ctx, bt_test_path(names[i]), &image), BT_OK, &ctx);
    BT_CHECK_STATUS(bt_image_read(&ctx, bt_test_path(names[i]), 0.0, &back), BT_OK, &ctx);
    for (size_t k = 0; back.pixels && k < 10; k++) BT_CHECK_NEAR(back.pixels[k] * 255.0, wanted[k], 1e-12);
    bt_image_clear(&image);
    bt_image_clear(&back);
  }
}

/* A stack of pages that differ in size and kind, with each compression an input may have. */
static void writes_stacks(void) {
  static const char *const inputs[] = {NULL, "g8.tif", "g16.tif", "g8-alpha.tif", "g8-jpeg.tif", "g8.png"};
  static const int wanted[] = {COMPRESSION_ADOBE_DEFLATE, COMPRESSION_NONE,
                               COMPRESSION_LZW,           COMPRESSION_ADOBE_DEFLATE,
                               COMPRESSION_ADOBE_DEFLATE, COMPRESSION_ADOBE_DEFLATE};
  static const BtSample samples[] = {BT_SAMPLE_U8, BT_SAMPLE_U16, BT_SAMPLE_F32};
  static const double whites[] = {255, 65535, 1};
  const char *path = bt_test_path("stack.tif");
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
    BtImageReader *like = NULL;
    BtImageWriter *writer;
    BtImage pages[3];
    if (inputs[i] && bt_image_open(&ctx, bt_test_path(inputs[i]), 0.0, &like) < 0) continue;
    BT_CHECK_STATUS(bt_image_create_file(&ctx, path, 3, like, &writer), BT_OK, &ctx);
    if (like) bt_image_close(like);
    for (size_t k = 0; k < 3; k++) {
      pages[k] = random_image(300 + 7 * k, 300, k == 1 ? 3 : 1, k == 2, samples[k], whites[k]);
      BT_CHECK_STATUS(bt_image_write_page(&ctx, writer, &pages[k]), BT_OK, &ctx);
    }
    BT_CHECK_STATUS(bt_image_write_page(&ctx, writer, &pages[0]), BT_ERR_ARG, &ctx);
    BT_CHECK_STATUS(bt_image_commit(&ctx, writer), BT_OK, &ctx);

    BtImageReader *reader = NULL;
    BT_CHECK_STATUS(bt_image_open(&ctx, path, 0.0, &reader), BT_OK, &ctx);
    for (size_t k = 0; k < 3; k++) {
      BtImage back = {0};
      if (reader) BT_CHECK_STATUS(bt_image_read_page(&ctx, reader, 2 - k, &back), BT_OK, &ctx);
      BT_CHECK(back.pixels && same_image(&pages[2 - k], &back));
      bt_image_clear(&back);
    }
    if (reader) bt_image_close(reader);
    for (size_t k = 0; k < 3; k++) bt_image_clear(&pages[k]);

    uint16_t compression = 0;
    TIFF *tif = TIFFOpen(path, "r");
    BT_NEED(tif);
    BT_CHECK(TIFFNumberOfDirectories(tif) == 3);
    BT_CHECK(TIFFGetField(tif, TIFFTAG_COMPRESSION, &compression) == 1 && compression == wanted[i]);
    TIFFClose(tif);
  }
}

static void copy_file(const char *from, const char *to, size_t pages) {
  BtImageReader *reader = NULL;
  BtImageWriter *writer = NULL;
  BT_CHECK_STATUS(bt_image_open(&ctx, from, 0.0, &reader), BT_OK, &ctx);
  BT_NEED(reader);
  BT_CHECK_STATUS(bt_image_create_file(&ctx, to, pages, reader, &writer), BT_OK, &ctx);
  for (size_t k = 0; writer && k < pages; k++) {
    BtImage image;
    BT_CHECK_STATUS(bt_image_read_page(&ctx, reader, k, &image), BT_OK, &ctx);
    BT_CHECK_STATUS(bt_image_write_page(&ctx, writer, &image), BT_OK, &ctx);
    bt_image_clear(&image);
  }
  if (writer) BT_CHECK_STATUS(bt_image_commit(&ctx, writer), BT_OK, &ctx);
  bt_image_close(reader);
}

static void check_notes(const char *path, double x, double y, int unit, const char *description) {
  float got_x = 0, got_y = 0;
  uint16_t got_unit = 0;
  char *text = NULL;
  TIFF *tif = TIFFOpen(path, "r");
  BT_NEED(tif);
  TIFFGetField(tif, TIFFTAG_XRESOLUTION, &got_x);
  TIFFGetField(tif, TIFFTAG_YRESOLUTION, &got_y);
  TIFFGetField(tif, TIFFTAG_RESOLUTIONUNIT, &got_unit);
  BT_CHECK_NEAR((double)got_x, x, 0.01);
  BT_CHECK_NEAR((double)got_y, y, 0.01);
  BT_CHECK(got_unit == unit);
  if (TIFFGetField(tif, TIFFTAG_IMAGEDESCRIPTION, &text) != 1) text = NULL;
  BT_CHECK(description ? text && strcmp(text, description) == 0 : text == NULL);
  TIFFClose(tif);
}

static void keeps_notes(void) {
  copy_file(bt_test_path("rgb8.tif"), bt_test_path("notes.tif"), 1);
  check_notes(bt_test_path("notes.tif"), 300.0, 150.0, RESUNIT_INCH, "a fixture");
  copy_file(bt_test_path("g16-stack.tif"), bt_test_path("notes.tif"), 5);
  check_notes(bt_test_path("notes.tif"), 300.0, 150.0, RESUNIT_INCH, "a fixture");
  /* A description may count the pages, so it does not go with some of them. */
  copy_file(bt_test_path("g16-stack.tif"), bt_test_path("notes.tif"), 2);
  check_notes(bt_test_path("notes.tif"), 300.0, 150.0, RESUNIT_INCH, NULL);
  copy_file(bt_test_path("rgb8.png"), bt_test_path("notes.tif"), 1);
  check_notes(bt_test_path("notes.tif"), 40.0, 80.0, RESUNIT_CENTIMETER, NULL);
  copy_file(bt_test_path("rgb8.tif"), bt_test_path("notes.png"), 1);
  copy_file(bt_test_path("notes.png"), bt_test_path("notes.tif"), 1);
  check_notes(bt_test_path("notes.tif"), 300.0 / 2.54, 150.0 / 2.54, RESUNIT_CENTIMETER, NULL);
}

static void white_level_of_the_user(void) {
  BtImage image = random_image(6, 5, 3, 1, BT_SAMPLE_U16, 65535), back;
  BT_CHECK_STATUS(bt_image_write(&ctx, bt_test_path("white.png"), &image), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_read(&ctx, bt_test_path("white.png"), 4095.0, &back), BT_OK, &ctx);
  BT_NEED(back.pixels);
  BT_CHECK(back.white == 4095.0 && back.sample == BT_SAMPLE_U16);
  BT_CHECK_NEAR(back.pixels[7], image.pixels[7] * 65535.0 / 4095.0, 1e-12);
  BT_CHECK_NEAR(bt_image_plane(&back, 3)[7], bt_image_plane(&image, 3)[7], 1e-15);
  bt_image_clear(&image);
  bt_image_clear(&back);
  static const double wrong[] = {-1.0, -INFINITY, INFINITY, NAN};
  for (size_t i = 0; i < 4; i++) {
    BT_CHECK_STATUS(bt_image_read(&ctx, bt_test_path("white.png"), wrong[i], &back), BT_ERR_ARG, &ctx);
    BT_CHECK(back.pixels == NULL);
  }
}

static const BtTest tests[] = {
    {"every kind of file is read", reads_every_kind},
    {"written and read back", round_trips},
    {"integers are rounded and clipped", rounds_and_clips},
    {"stacks of unequal pages", writes_stacks},
    {"resolution and description are kept", keeps_notes},
    {"white level of the user", white_level_of_the_user},
};

int main(void) { return bt_test_main("imageio files", tests, sizeof tests / sizeof *tests); }

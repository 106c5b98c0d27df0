/* Pixels in memory: image operations, metrics, image sets, synthetic images. */
#include "imageio/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "harness.h"
#include "imageio/metrics.h"
#include "imageio/set.h"
#include "imageio/synth.h"

static BtContext ctx;

/* Planes, rows and columns told apart by value. */
static BtImage numbered(size_t width, size_t height, int colors, int alpha) {
  BtImage image;
  BT_CHECK_STATUS(bt_image_create(&ctx, width, height, colors, alpha, &image), BT_OK, &ctx);
  for (int c = 0; c < colors + alpha; c++)
    for (size_t p = 0; p < width * height; p++)
      bt_image_plane(&image, c)[p] = 0.1 * c + 0.001 * (double)(p / width) + 0.00001 * (double)(p % width);
  return image;
}

static void refuses_impossible_sizes(void) {
  BtImage image;
  BT_CHECK_STATUS(bt_image_create(&ctx, 0, 3, 1, 0, &image), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, 3, 0, 1, 0, &image), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, 3, 3, 2, 0, &image), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, 3, 3, 1, 2, &image), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, (size_t)1 << 40, (size_t)1 << 40, 3, 1, &image), BT_ERR_ARG, &ctx);
  BT_CHECK(image.pixels == NULL);
  bt_image_clear(&image);
}

static void crops_the_centre(void) {
  BtImage image = numbered(7, 6, 1, 1);
  BT_CHECK_STATUS(bt_image_crop(&ctx, &image, 3, 100), BT_OK, &ctx);
  BT_CHECK(image.width == 7 && image.height == 3 && image.alpha == 1);
  BT_CHECK_NEAR(image.pixels[0], 0.001, 1e-15);
  BT_CHECK_STATUS(bt_image_crop(&ctx, &image, 3, 4), BT_OK, &ctx);
  BT_CHECK_NEAR(bt_image_plane(&image, 1)[0], 0.1 + 0.001 + 0.00001, 1e-15);
  BT_CHECK_NEAR(bt_image_plane(&image, 1)[11], 0.1 + 0.003 + 0.00004, 1e-15);
  bt_image_clear(&image);
}

static void takes_the_luminance(void) {
  BtImage image = numbered(2, 1, 3, 1), copy;
  image.sample = BT_SAMPLE_U16;
  image.white = 4095;
  BT_CHECK_STATUS(bt_image_copy(&ctx, &image, &copy), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_to_gray(&ctx, &copy), BT_OK, &ctx);
  BT_CHECK(copy.colors == 1 && copy.alpha == 0 && copy.sample == BT_SAMPLE_U16 && copy.white == 4095);
  BT_CHECK_NEAR(copy.pixels[1], 0.1 * 0.587 + 0.2 * 0.114 + 0.00001, 1e-15);
  bt_image_clear(&copy);
  bt_image_clear(&image);
}

static double dot(const BtImage *a, const BtImage *b) {
  double sum = 0.0;
  for (size_t p = 0; p < 3 * bt_image_plane_size(a); p++) sum += a->pixels[p] * b->pixels[p];
  return sum;
}

static void opponent_is_orthonormal(void) {
  BtImage a, b, back;
  BT_CHECK_STATUS(bt_image_create(&ctx, 5, 4, 3, 1, &a), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, 5, 4, 3, 1, &b), BT_OK, &ctx);
  bt_image_add_noise(&a, 255, 1, 1);
  bt_image_add_noise(&b, 255, 1, 2);
  BT_CHECK_STATUS(bt_image_copy(&ctx, &a, &back), BT_OK, &ctx);
  const double before = dot(&a, &b), norm = dot(&a, &a), first = a.pixels[0] + a.pixels[20] + a.pixels[40];
  bt_image_to_opponent(&a);
  bt_image_to_opponent(&b);
  BT_CHECK_NEAR(dot(&a, &b), before, 1e-12);
  BT_CHECK_NEAR(dot(&a, &a), norm, 1e-12);
  BT_CHECK_NEAR(a.pixels[0], first / sqrt(3.0), 1e-14);
  bt_image_from_opponent(&a);
  double worst = 0.0;
  for (size_t p = 0; p < 80; p++) worst = fmax(worst, fabs(a.pixels[p] - back.pixels[p]));
  BT_CHECK_NEAR(worst, 0.0, 1e-14);
  bt_image_clear(&a);
  bt_image_clear(&b);
  bt_image_clear(&back);
}

/* Four standard errors of each statistic, of a fixed seed. */
static void noise_is_white(void) {
  const size_t side = 128, n = side * side;
  BtImage image, again;
  BT_CHECK_STATUS(bt_image_create(&ctx, side, side, 3, 1, &image), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, side, side, 3, 1, &again), BT_OK, &ctx);
  bt_image_add_noise(&image, 25.0, 7, 3);
  bt_image_add_noise(&again, 25.0, 7, 3);
  BT_CHECK(memcmp(image.pixels, again.pixels, 4 * n * sizeof *image.pixels) == 0);
  double alpha = 0.0;
  for (size_t p = 3 * n; p < 4 * n; p++) alpha += fabs(image.pixels[p]);
  BT_CHECK_NEAR(alpha, 0.0, 0.0);

  for (int opponent = 0; opponent < 2; opponent++) {
    double sum = 0.0, squares = 0.0, right = 0.0, below = 0.0, between = 0.0;
    const double sigma = 25.0 / 255.0;
    for (size_t p = 0; p < 3 * n; p++) {
      const double x = image.pixels[p] / sigma;
      sum += x;
      squares += x * x;
      if (p % side) right += x * image.pixels[p - 1] / sigma;
      if (p % n >= side) below += x * image.pixels[p - side] / sigma;
      if (p >= n) between += x * image.pixels[p - n] / sigma;
    }
    const double m = 3.0 * (double)n;
    BT_CHECK_NEAR(sum / m, 0.0, 4.0 / sqrt(m));
    BT_CHECK_NEAR(squares / m, 1.0, 4.0 * sqrt(2.0 / m));
    BT_CHECK_NEAR(right / m, 0.0, 4.0 / sqrt(m));
    BT_CHECK_NEAR(below / m, 0.0, 4.0 / sqrt(m));
    BT_CHECK_NEAR(between / m, 0.0, 4.0 / sqrt(m));
    bt_image_to_opponent(&image);
  }
  bt_image_clear(&image);
  bt_image_clear(&again);
}

/* Noise is keyed by plane and pixel: a gray image has that of the first plane. */
static void noise_is_keyed(void) {
  BtImage gray, color;
  BT_CHECK_STATUS(bt_image_create(&ctx, 9, 5, 1, 0, &gray), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, 9, 5, 3, 0, &color), BT_OK, &ctx);
  bt_image_add_noise(&gray, 50, 11, 4);
  bt_image_add_noise(&color, 50, 11, 4);
  BT_CHECK(memcmp(gray.pixels, color.pixels, 45 * sizeof(double)) == 0);
  BT_CHECK(color.pixels[0] != color.pixels[45]);
  bt_image_clear(&gray);
  bt_image_clear(&color);
}

static void make_pair(size_t width, size_t height, int colors, BtImage *a, BtImage *b) {
  BT_CHECK_STATUS(bt_image_create(&ctx, width, height, colors, 1, a), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_image_create(&ctx, width, height, colors, 1, b), BT_OK, &ctx);
  for (int c = 0; c < colors; c++)
    for (size_t p = 0; p < width * height; p++) {
      const double r = (double)(p / width), k = (double)(p % width);
      const double x = 0.5 + 0.3 * sin(0.2 * r + c) * cos(0.13 * k);
      bt_image_plane(a, c)[p] = x;
      bt_image_plane(b, c)[p] = x + 0.05 * sin(1.7 * r + 0.9 * k + c) + 0.02 * c;
    }
}

/* From scikit-image 0.26, structural_similarity(gaussian_weights=True, sigma=1.5,
 * use_sample_covariance=False, data_range=1) and 10 log10(1/mean((a−b)²)). */
static const struct {
  size_t width, height;
  int colors;
  double ssim, psnr;
} references[] = {
    {31, 40, 1, 0.8007766285583188, 29.030036189070884},
    {50, 17, 3, 0.8006100320256354, 27.17216184924297},
    {11, 11, 1, 0.818316306575955, 29.032938092561132},
};

static void metrics_agree_with_references(void) {
  for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
    BtImage a, b;
    double ssim = 0.0, psnr = 0.0;
    make_pair(references[i].width, references[i].height, references[i].colors, &a, &b);
    BT_CHECK_STATUS(bt_image_ssim(&ctx, &a, &b, &ssim), BT_OK, &ctx);
    BT_CHECK_STATUS(bt_image_psnr(&ctx, &a, &b, &psnr), BT_OK, &ctx);
    BT_CHECK_NEAR(ssim, references[i].ssim, 1e-10);
    BT_CHECK_NEAR(psnr, references[i].psnr, 1e-10);
    BT_CHECK_STATUS(bt_image_ssim(&ctx, &a, &a, &ssim), BT_OK, &ctx);
    BT_CHECK_NEAR(ssim, 1.0, 1e-12);
    bt_image_clear(&a);
    bt_image_clear(&b);
  }
}

static void metrics_at_their_limits(void) {
  BtImage a, b, other, unused;
  double value = 0.0;
  make_pair(10, 30, 1, &a, &b);
  make_pair(30, 10, 1, &other, &unused);
  BT_CHECK_STATUS(bt_image_ssim(&ctx, &a, &a, &value), BT_OK, &ctx);
  BT_CHECK(isnan(value));
  BT_CHECK_STATUS(bt_image_psnr(&ctx, &a, &a, &value), BT_OK, &ctx);
  BT_CHECK(isinf(value) && value > 0.0);
  BT_CHECK_STATUS(bt_image_psnr(&ctx, &a, &other, &value), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(bt_image_ssim(&ctx, &a, &other, &value), BT_ERR_ARG, &ctx);
  BT_CHECK_NEAR(bt_psnr(0.01), 20.0, 1e-12);
  bt_image_clear(&a);
  bt_image_clear(&b);
  bt_image_clear(&other);
  bt_image_clear(&unused);
}

static void touch(const char *folder, const char *name) {
  char *path = bt_path_join(folder, name);
  BT_CHECK(path && bt_file_write(&ctx, path, "x", 1) == BT_OK);
  free(path);
}

static void lists_images(void) {
  char folder[4096], empty[4096];
  snprintf(folder, sizeof folder, "%s", bt_test_path("set"));
  snprintf(empty, sizeof empty, "%s", bt_test_path("set/folder.png"));
  BT_CHECK_STATUS(bt_make_folder(&ctx, empty), BT_OK, &ctx);
  static const char *const names[] = {"b.png",  "B.PNG",     "a.tiff", "a10.tif",
                                      "a9.TIF", "notes.txt", "png",    ".c.png"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) touch(folder, names[i]);

  char *last = bt_path_join(folder, "notes.txt");
  BT_NEED(last);
  const char *const paths[] = {last, folder};
  BtImageSet set;
  BT_CHECK_STATUS(bt_image_set_list(&ctx, paths, 2, &set), BT_OK, &ctx);
  static const char *const expected[] = {"notes.txt", "B.PNG", "a.tiff", "a10.tif", "a9.TIF", "b.png"};
  BT_CHECK(set.count == 6);
  for (size_t i = 0; i < set.count && i < 6; i++) BT_CHECK_TEXT(bt_path_base(set.paths[i]), expected[i]);
  bt_image_set_clear(&set);
  free(last);

  const char *const wrong[] = {folder, "/nonexistent.png"};
  BT_CHECK_STATUS(bt_image_set_list(&ctx, wrong, 2, &set), BT_ERR_IO, &ctx);
  BT_CHECK(set.count == 0 && set.paths == NULL);
  const char *const hollow[] = {empty};
  BT_CHECK_STATUS(bt_image_set_list(&ctx, hollow, 1, &set), BT_ERR_ARG, &ctx);
}

static void finds_partners(void) {
  char folder[4096];
  char *found = NULL;
  snprintf(folder, sizeof folder, "%s", bt_test_path("partners"));
  BT_CHECK_STATUS(bt_make_folder(&ctx, folder), BT_OK, &ctx);
  static const char *const names[] = {"one.png", "one.tif", "two.TIFF", "two.txt", "two.b.png"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) touch(folder, names[i]);
  static const char *const pairs[][2] = {{"x/one.png", "one.png"},
                                         {"one.tif", "one.tif"},
                                         {"y/one.tiff", "one.png"},
                                         {"/x/two.png", "two.TIFF"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    BT_CHECK_STATUS(bt_image_set_partner(&ctx, folder, pairs[i][0], &found), BT_OK, &ctx);
    BT_CHECK_TEXT(found ? bt_path_base(found) : "", pairs[i][1]);
    free(found);
  }
  BT_CHECK_STATUS(bt_image_set_partner(&ctx, folder, "x/three.png", &found), BT_ERR_IO, &ctx);
  BT_CHECK(found == NULL && strstr(ctx.error, "three.png") && strstr(ctx.error, "partners"));
  BT_CHECK_STATUS(bt_image_set_partner(&ctx, "/nonexistent", "one.png", &found), BT_ERR_IO, &ctx);
}

static void synthetic_images_are_reproducible(void) {
  static const size_t sizes[][2] = {{64, 64}, {97, 40}, {1, 1}, {3, 200}};
  for (int kind = BT_SYNTH_LEAVES; kind <= BT_SYNTH_PHANTOM; kind++)
    for (int colors = 1; colors <= 3; colors += 2)
      for (size_t i = 0; i < 4; i++) {
        BtImage a, b, c;
        const size_t w = sizes[i][0], h = sizes[i][1], bytes = (size_t)colors * w * h * sizeof(double);
        BT_CHECK_STATUS(bt_synth(&ctx, (BtSynthKind)kind, w, h, colors, 5, 1, &a), BT_OK, &ctx);
        BT_CHECK_STATUS(bt_synth(&ctx, (BtSynthKind)kind, w, h, colors, 5, 1, &b), BT_OK, &ctx);
        BT_CHECK_STATUS(bt_synth(&ctx, (BtSynthKind)kind, w, h, colors, 5, 2, &c), BT_OK, &ctx);
        double lo = INFINITY, hi = -INFINITY, off = 0.0;
        for (size_t p = 0; p < bytes / sizeof(double); p++) {
          lo = fmin(lo, a.pixels[p]);
          hi = fmax(hi, a.pixels[p]);
          off = fmax(off, fabs(a.pixels[p] * 255.0 - round(a.pixels[p] * 255.0)));
        }
        BT_CHECK(lo >= 0.0 && hi <= 1.0 && a.colors == colors && a.alpha == 0);
        BT_CHECK_NEAR(off, 0.0, 1e-12);
        BT_CHECK(memcmp(a.pixels, b.pixels, bytes) == 0);
        if (i != 2) BT_CHECK(memcmp(a.pixels, c.pixels, bytes) != 0);
        bt_image_clear(&a);
        bt_image_clear(&b);
        bt_image_clear(&c);
      }
}

/* Photographs have gradients of heavy tails; those of 180×180 crops of BSDS have a kurtosis of 7 to 39. */
static void leaves_resemble_photographs(void) {
  double kurtosis = 0.0, slope = 0.0;
  const size_t side = 128, images = 8;
  for (size_t i = 0; i < images; i++) {
    BtImage image;
    double squares = 0.0, fourths = 0.0;
    BT_CHECK_STATUS(bt_synth(&ctx, BT_SYNTH_LEAVES, side, side, 1, 21, i, &image), BT_OK, &ctx);
    for (size_t p = 0; p < side * side; p++) {
      const double g = p % side ? image.pixels[p] - image.pixels[p - 1] : 0.0;
      squares += g * g;
      fourths += g * g * g * g;
    }
    kurtosis += fourths * (double)(side * (side - 1)) / (squares * squares) / (double)images;
    slope += sqrt(squares / (double)(side * (side - 1))) / (double)images;
    bt_image_clear(&image);
  }
  BT_CHECK_ROW(kurtosis > 7.0 && kurtosis < 39.0, "kurtosis %g", kurtosis);
  BT_CHECK_ROW(slope > 0.03 && slope < 0.1, "rms gradient %g", slope);
}

static const BtTest tests[] = {
    {"impossible sizes are refused", refuses_impossible_sizes},
    {"crop keeps the centre", crops_the_centre},
    {"gray is the luminance", takes_the_luminance},
    {"opponent transform is orthonormal", opponent_is_orthonormal},
    {"noise is white, also in opponent colours", noise_is_white},
    {"noise is keyed by plane and pixel", noise_is_keyed},
    {"PSNR and SSIM agree with references", metrics_agree_with_references},
    {"metrics at their limits", metrics_at_their_limits},
    {"folders are listed in order", lists_images},
    {"partners are found", finds_partners},
    {"synthetic images are reproducible", synthetic_images_are_reproducible},
    {"dead leaves resemble photographs", leaves_resemble_photographs},
};

int main(void) { return bt_test_main("imageio", tests, sizeof tests / sizeof *tests); }

/* The noise estimate on images of known noise. */
#include <math.h>

#include "harness.h"
#include "imageio/noise_level.h"
#include "imageio/synth.h"

static BtContext ctx;

typedef struct {
  const char *name;
  int colors;
  double sigma;     /* 0–255 scale                                           */
  double levels;    /* samples are rounded and clipped to this many; 0: not  */
  double tolerance; /* of the estimate                                       */
} Case;

static const Case cases[] = {
    {"float gray 5", 1, 5, 0, 0.6},     {"float gray 15", 1, 15, 0, 0.8},    {"float gray 25", 1, 25, 0, 1},
    {"float gray 50", 1, 50, 0, 2},     {"16-bit gray 10", 1, 10, 65535, 1}, {"8-bit gray 10", 1, 10, 255, 1},
    {"float colour 10", 3, 10, 0, 0.6}, {"float colour 30", 3, 30, 0, 1.2},
};

static void quantize(BtImage *image, double levels) {
  const size_t n = (size_t)image->colors * bt_image_plane_size(image);
  for (size_t i = 0; i < n && levels > 0; i++)
    image->pixels[i] = round(fmin(1, fmax(0, image->pixels[i])) * levels) / levels;
}

/* Synthetic scenes with contrast halved about the middle, so that clipping plays no part. */
static void known_noise(void) {
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const Case *c = &cases[k];
    double sum = 0;
    for (size_t scene = 0; scene < 4; scene++) {
      BtImage image = {0};
      double sigma;
      BT_NEED(bt_synth(&ctx, BT_SYNTH_LEAVES, 192, 160, c->colors, 7, scene, &image) >= 0);
      for (size_t i = 0; i < (size_t)image.colors * bt_image_plane_size(&image); i++)
        image.pixels[i] = 0.25 + 0.5 * image.pixels[i];
      bt_image_add_noise(&image, c->sigma, 3, scene);
      quantize(&image, c->levels);
      image.sample = c->levels == 255 ? BT_SAMPLE_U8 : c->levels > 0 ? BT_SAMPLE_U16 : BT_SAMPLE_F32;
      if (c->levels > 0) image.white = c->levels;
      BT_CHECK_STATUS(bt_noise_level(&ctx, &image, &sigma), BT_OK, &ctx);
      BT_CHECK_ROW(fabs(sigma - c->sigma) <= 2 * c->tolerance, "%s, scene %zu: %g", c->name, scene, sigma);
      sum += sigma / 4;
      bt_image_clear(&image);
    }
    BT_CHECK_ROW(fabs(sum - c->sigma) <= c->tolerance, "%s: mean %g", c->name, sum);
  }
}

/* Contrast and brightness of the whole image: the estimate follows the one and does not mind the other. */
static void scales(void) {
  BtImage image = {0};
  double sigma, scaled;
  BT_NEED(bt_synth(&ctx, BT_SYNTH_LEAVES, 96, 96, 1, 7, 1, &image) >= 0);
  image.sample = BT_SAMPLE_F32;
  bt_image_add_noise(&image, 20, 3, 0);
  BT_CHECK_STATUS(bt_noise_level(&ctx, &image, &sigma), BT_OK, &ctx);
  for (size_t i = 0; i < bt_image_plane_size(&image); i++) image.pixels[i] = 100 + 3 * image.pixels[i];
  BT_CHECK_STATUS(bt_noise_level(&ctx, &image, &scaled), BT_OK, &ctx);
  BT_CHECK_NEAR(scaled, 3 * sigma, 1e-6 * sigma);
  bt_image_clear(&image);
}

static void without_noise(void) {
  BtImage image = {0};
  double sigma;
  BT_NEED(bt_image_create(&ctx, 40, 30, 1, 0, &image) >= 0);
  for (size_t i = 0; i < bt_image_plane_size(&image); i++) image.pixels[i] = 0.3;
  BT_CHECK_STATUS(bt_noise_level(&ctx, &image, &sigma), BT_OK, &ctx);
  BT_CHECK_NEAR(sigma, 0, 1e-6);
  for (size_t i = 0; i < bt_image_plane_size(&image); i++) image.pixels[i] = (double)(i % 40) / 40;
  BT_CHECK_STATUS(bt_noise_level(&ctx, &image, &sigma), BT_OK, &ctx);
  BT_CHECK_NEAR(sigma, 0, 1e-3);
  bt_image_clear(&image);
}

/* Transparency has no part in it. */
static void alpha(void) {
  BtImage gray = {0}, both = {0};
  double a, b;
  BT_NEED(bt_image_create(&ctx, 50, 50, 1, 0, &gray) >= 0 && bt_image_create(&ctx, 50, 50, 1, 1, &both) >= 0);
  bt_image_add_noise(&gray, 10, 1, 0);
  for (size_t i = 0; i < 2500; i++) both.pixels[i] = gray.pixels[i];
  for (size_t i = 0; i < 2500; i++) bt_image_plane(&both, 1)[i] = (double)(i * 7919 % 2500) / 2500;
  BT_CHECK_STATUS(bt_noise_level(&ctx, &gray, &a), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_noise_level(&ctx, &both, &b), BT_OK, &ctx);
  BT_CHECK(a == b);
  bt_image_clear(&gray);
  bt_image_clear(&both);
}

static void too_small(void) {
  BtImage image = {0};
  double sigma = 1;
  BT_NEED(bt_image_create(&ctx, 13, 100, 1, 0, &image) >= 0);
  BT_CHECK_STATUS(bt_noise_level(&ctx, &image, &sigma), BT_ERR_ARG, &ctx);
  BT_CHECK(isnan(sigma));
  bt_image_clear(&image);
}

/* Squares of such pixels are infinite; that must not pass for an image without noise. */
static void too_large(void) {
  BtImage image = {0};
  double sigma = 1;
  BT_NEED(bt_image_create(&ctx, 40, 30, 1, 0, &image) >= 0);
  bt_image_add_noise(&image, 10, 1, 0);
  for (size_t i = 0; i < bt_image_plane_size(&image); i++) image.pixels[i] *= 1e200;
  BT_CHECK_STATUS(bt_noise_level(&ctx, &image, &sigma), BT_ERR_NUMERIC, &ctx);
  BT_CHECK(isnan(sigma));
  bt_image_clear(&image);
}

int main(void) {
  static const BtTest tests[] = {{"known noise", known_noise},     {"scales", scales},
                                 {"without noise", without_noise}, {"alpha", alpha},
                                 {"too small", too_small},         {"too large", too_large}};
  bt_context_init(&ctx);
  return bt_test_main("noise_level", tests, sizeof tests / sizeof *tests);
}

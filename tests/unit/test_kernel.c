/* Convolution kernels: what descriptions mean, what files may hold, and what is refused. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "harness.h"
#include "imageio/file.h"
#include "imageio/kernel.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Sum, centroid and variance along x and y (up), in pixels. */
typedef struct {
  double sum, x, y, xx, yy, xy;
} Moments;

static Moments moments(const BtKernel *k) {
  Moments m = {0};
  for (size_t i = 0; i < k->height; i++)
    for (size_t j = 0; j < k->width; j++) {
      const double t = k->taps[i * k->width + j];
      const double x = (double)j - (double)(k->width / 2), y = (double)(k->height / 2) - (double)i;
      m.sum += t, m.x += t * x, m.y += t * y, m.xx += t * x * x, m.yy += t * y * y, m.xy += t * x * y;
    }
  return m;
}

static void shapes(void) {
  BtContext ctx;
  BtKernel k;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(bt_kernel_parse(&ctx, "gaussian:1.6", &k), BT_OK, &ctx);
  Moments m = moments(&k);
  BT_CHECK(k.height == 15 && k.width == 15);
  BT_CHECK_NEAR(m.sum, 1, 1e-14);
  BT_CHECK_NEAR(m.xx, 1.6 * 1.6, 0.01);
  BT_CHECK_NEAR(k.taps[7 * 15 + 8] / k.taps[7 * 15 + 7], exp(-0.5 / 2.56), 1e-14);
  bt_kernel_clear(&k);

  BT_CHECK_STATUS(bt_kernel_parse(&ctx, "box:3", &k), BT_OK, &ctx);
  BT_CHECK(k.height == 3 && k.width == 3);
  for (size_t i = 0; i < 9; i++) BT_CHECK_NEAR(k.taps[i], 1.0 / 9, 1e-16);
  bt_kernel_clear(&k);

  /* Along an axis a line of whole length is a row of equal taps. */
  BT_CHECK_STATUS(bt_kernel_parse(&ctx, "motion:5,0", &k), BT_OK, &ctx);
  BT_CHECK(k.height == 1 && k.width == 5);
  for (size_t i = 0; i < k.width && k.width == 5; i++) BT_CHECK_NEAR(k.taps[i], 0.2, 1e-15);
  bt_kernel_clear(&k);
  BT_CHECK_STATUS(bt_kernel_parse(&ctx, "motion:5,90", &k), BT_OK, &ctx);
  BT_CHECK(k.height == 5 && k.width == 1);
  bt_kernel_clear(&k);

  /* Counter-clockwise: x and y grow together; a line of length 15 and thickness 1 has variances 15²/12 and
   * 1/12. */
  BT_CHECK_STATUS(bt_kernel_parse(&ctx, "motion:15,30", &k), BT_OK, &ctx);
  m = moments(&k);
  const double along = 225.0 / 12, across = 1.0 / 12, pixel = 1.0 / 12;
  BT_CHECK_NEAR(m.x, 0, 1e-12);
  BT_CHECK_NEAR(m.y, 0, 1e-12);
  BT_CHECK_NEAR(m.xx, 0.75 * along + 0.25 * across + pixel, 0.1);
  BT_CHECK_NEAR(m.yy, 0.25 * along + 0.75 * across + pixel, 0.1);
  BT_CHECK_NEAR(m.xy, sqrt(0.1875) * (along - across), 0.1);
  bt_kernel_clear(&k);

  BT_CHECK_STATUS(bt_kernel_parse(&ctx, "disk:4", &k), BT_OK, &ctx);
  m = moments(&k);
  BT_CHECK(k.height == 9 && k.width == 9);
  BT_CHECK_NEAR(m.xx, 4.0 + pixel, 0.05);
  BT_CHECK_NEAR(1 / k.taps[4 * 9 + 4], acos(-1.0) * 16, 0.05);
  bt_kernel_clear(&k);
  BT_CHECK_STATUS(bt_kernel_parse(&ctx, "disk:0.3", &k), BT_OK, &ctx);
  BT_CHECK(k.height == 1 && k.width == 1 && k.taps[0] == 1);
  bt_kernel_clear(&k);
}

/* Shapes between the points that sample them: no blur. */
static void tiny_shapes(void) {
  static const char *const rows[] = {"disk:0.001", "motion:0.001,0", "motion:0.001,90", "gaussian:1e-300"};
  for (size_t i = 0; i < COUNT(rows); i++) {
    BtContext ctx;
    BtKernel k;
    bt_context_init(&ctx);
    BT_CHECK_STATUS(bt_kernel_parse(&ctx, rows[i], &k), BT_OK, &ctx);
    const double middle = k.taps[k.height * k.width / 2];
    BT_CHECK_ROW(middle == 1, "%s: middle tap %g", rows[i], middle);
    bt_kernel_clear(&k);
  }
}

static void wrong_descriptions(void) {
  static const struct {
    const char *text, *says;
  } rows[] = {{"gauss:2", "there are gaussian:SIGMA"},
              {"", "there are gaussian:SIGMA"},
              {"gaussian", "standard deviation"},
              {"gaussian:", "standard deviation"},
              {"gaussian:-1", "standard deviation"},
              {"gaussian:nan", "standard deviation"},
              {"gaussian:1,2", "standard deviation"},
              {"gaussian:1x", "standard deviation"},
              {"gaussian:100000", "4095"},
              {"motion:15", "an angle"},
              {"motion:15,inf", "an angle"},
              {"motion:0,10", "an angle"},
              {"motion:9999,10", "4095"},
              {"disk:0", "a radius"},
              {"box:2.5", "whole pixels"},
              {"box:5000", "whole pixels"}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    BtContext ctx;
    BtKernel k;
    bt_context_init(&ctx);
    const BtStatus st = bt_kernel_parse(&ctx, rows[i].text, &k);
    BT_CHECK_ROW(st == BT_ERR_ARG && strstr(ctx.error, rows[i].says) && !k.taps, "\"%s\": %d %s",
                 rows[i].text, (int)st, ctx.error);
    bt_kernel_clear(&k);
  }
}

static void tables(void) {
  static const struct {
    const char *text;
    BtStatus status;
    size_t height, width;
    double first;
    const char *says;
  } rows[] = {{"1,2\n3,4\n", BT_OK, 2, 2, 0.1, NULL},
              {"# a comment\n\n 1 ; 2 \r\n3\t4", BT_OK, 2, 2, 0.1, NULL},
              {"2", BT_OK, 1, 1, 1, NULL},
              {"1,2,\n1,1,\n", BT_OK, 2, 2, 0.2, NULL},
              {"-1,3,-1", BT_OK, 1, 3, -1, NULL},
              {"1e300,1e300", BT_OK, 1, 2, 0.5, NULL},
              {"", BT_ERR_FORMAT, 0, 0, 0, "no numbers"},
              {"# 1\n", BT_ERR_FORMAT, 0, 0, 0, "no numbers"},
              {"1,2\n3\n", BT_ERR_FORMAT, 0, 0, 0, ":2: a row of 1"},
              {"1,x\n", BT_ERR_FORMAT, 0, 0, 0, ":1: no number"},
              {"1,,2\n", BT_ERR_FORMAT, 0, 0, 0, ":1: no number"},
              {"1,nan\n", BT_ERR_FORMAT, 0, 0, 0, "no finite"},
              {"1\ninf\n", BT_ERR_FORMAT, 0, 0, 0, ":2: inf is no finite"},
              {"0,0\n", BT_ERR_ARG, 0, 0, 0, "sum is zero"},
              {"1,-1\n", BT_ERR_ARG, 0, 0, 0, "sum is zero"},
              {"0.1,0.2,-0.3\n", BT_ERR_ARG, 0, 0, 0, "sum is zero"}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    const char *path = bt_test_path("kernel.csv");
    BtContext ctx;
    BtKernel k;
    bt_context_init(&ctx);
    BT_CHECK_STATUS(bt_file_write(&ctx, path, rows[i].text, strlen(rows[i].text)), BT_OK, &ctx);
    const BtStatus st = bt_kernel_read(&ctx, path, &k);
    BT_CHECK_ROW(st == rows[i].status &&
                     (!rows[i].says || (strstr(ctx.error, rows[i].says) && strstr(ctx.error, path))),
                 "table %zu: %d %s", i, (int)st, ctx.error);
    BT_CHECK_ROW(k.height == rows[i].height && k.width == rows[i].width, "table %zu is %zux%zu", i, k.height,
                 k.width);
    if (k.taps) BT_CHECK_NEAR(k.taps[0], rows[i].first, 1e-15);
    BT_CHECK((st == BT_OK) == (k.taps != NULL));
    bt_kernel_clear(&k);
  }
}

static void images(void) {
  const char *path = bt_test_path("kernel.png");
  BtContext ctx;
  BtImage image = {0};
  BtKernel k;
  bt_context_init(&ctx);
  BT_NEED(bt_image_create(&ctx, 3, 2, 1, 0, &image) == BT_OK);
  image.sample = BT_SAMPLE_U8;
  image.white = 255;
  for (size_t i = 0; i < 6; i++) image.pixels[i] = (double)(i + 1) / 255;
  BT_CHECK_STATUS(bt_image_write(&ctx, path, &image), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_kernel_read(&ctx, path, &k), BT_OK, &ctx);
  BT_CHECK(k.height == 2 && k.width == 3);
  for (size_t i = 0; i < 6 && k.taps; i++) BT_CHECK_NEAR(k.taps[i], (double)(i + 1) / 21, 1e-15);
  bt_kernel_clear(&k);
  for (size_t i = 0; i < 6; i++) image.pixels[i] = 0;
  BT_CHECK_STATUS(bt_image_write(&ctx, path, &image), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_kernel_read(&ctx, path, &k), BT_ERR_ARG, NULL);
  BT_CHECK(strstr(ctx.error, "sum is zero") != NULL);
  BT_CHECK_STATUS(bt_kernel_read(&ctx, bt_test_path("missing.png"), &k), BT_ERR_IO, NULL);
  bt_image_clear(&image);
}

static const BtTest tests[] = {{"descriptions", shapes},
                               {"tiny shapes", tiny_shapes},
                               {"wrong descriptions", wrong_descriptions},
                               {"tables", tables},
                               {"images", images}};

int main(void) { return bt_test_main("kernel", tests, COUNT(tests)); }

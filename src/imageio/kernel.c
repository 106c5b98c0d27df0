#include "imageio/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FINENESS 32 /* points per pixel and direction that shapes are sampled at */

void bt_kernel_clear(BtKernel *kernel) {
  free(kernel->taps);
  *kernel = (BtKernel){0};
}

/* Zeroed taps of 2·reach + 1 rows and columns. */
static BtStatus create(BtContext *ctx, const char *text, double reach_rows, double reach_columns,
                       BtKernel *kernel) {
  const double limit = (BT_KERNEL_LARGEST - 1) / 2;
  if (!(reach_rows <= limit && reach_columns <= limit))
    return bt_fail(ctx, BT_ERR_ARG, "\"%.80s\" is a kernel of more than %d pixels a side", text,
                   BT_KERNEL_LARGEST);
  kernel->height = 2 * (size_t)reach_rows + 1;
  kernel->width = 2 * (size_t)reach_columns + 1;
  kernel->taps = calloc(kernel->height * kernel->width, sizeof *kernel->taps);
  return kernel->taps ? BT_OK : bt_fail_memory(ctx, "a kernel", (double)(kernel->height * kernel->width) * 8);
}

/* A shape so small that it lies between the points that sample it is a point. */
static void divide_by_sum(BtKernel *kernel) {
  double sum = 0;
  for (size_t i = 0; i < kernel->height * kernel->width; i++) sum += kernel->taps[i];
  if (sum == 0) sum = kernel->taps[kernel->height * kernel->width / 2] = 1;
  for (size_t i = 0; i < kernel->height * kernel->width; i++) kernel->taps[i] /= sum;
}

static BtStatus gaussian(BtContext *ctx, const char *text, const double *a, BtKernel *kernel) {
  const double reach = fmax(1, ceil(4 * a[0]));
  const BtStatus st = create(ctx, text, reach, reach, kernel);
  for (size_t i = 0; st >= 0 && i < kernel->height; i++)
    for (size_t j = 0; j < kernel->width; j++) {
      const double y = ((double)i - reach) / a[0], x = ((double)j - reach) / a[0];
      kernel->taps[i * kernel->width + j] = exp(-0.5 * (x * x + y * y));
    }
  return st;
}

static BtStatus box(BtContext *ctx, const char *text, const double *a, BtKernel *kernel) {
  if (a[0] != floor(a[0]) || a[0] > BT_KERNEL_LARGEST)
    return bt_fail(ctx, BT_ERR_ARG, "\"%.80s\": a box has 1 to %d whole pixels a side", text,
                   BT_KERNEL_LARGEST);
  kernel->height = kernel->width = (size_t)a[0];
  kernel->taps = calloc(kernel->height * kernel->width, sizeof *kernel->taps);
  if (!kernel->taps) return bt_fail_memory(ctx, "a kernel", a[0] * a[0] * 8);
  for (size_t i = 0; i < kernel->height * kernel->width; i++) kernel->taps[i] = 1;
  return BT_OK;
}

/* Whether the shape with numbers a holds the point x to the right of and y above its middle. */
typedef int Holds(const double *a, double x, double y);

static int disk_holds(const double *a, double x, double y) { return x * x + y * y <= a[0] * a[0]; }

static int line_holds(const double *a, double x, double y) {
  return fabs(a[1] * x + a[2] * y) <= 0.5 * a[0] && fabs(a[1] * y - a[2] * x) <= 0.5;
}

/* Taps are the parts of the pixels that the shape covers. */
static void cover(Holds *holds, const double *a, BtKernel *kernel) {
  const double middle_y = (double)(kernel->height / 2), middle_x = (double)(kernel->width / 2);
  for (size_t i = 0; i < kernel->height; i++)
    for (size_t j = 0; j < kernel->width; j++) {
      int inside = 0;
      for (int k = 0; k < FINENESS * FINENESS; k++) {
        const double y = middle_y - (double)i + (k / FINENESS + 0.5) / FINENESS - 0.5;
        const double x = (double)j - middle_x + (k % FINENESS + 0.5) / FINENESS - 0.5;
        inside += holds(a, x, y);
      }
      kernel->taps[i * kernel->width + j] = inside;
    }
}

static BtStatus disk(BtContext *ctx, const char *text, const double *a, BtKernel *kernel) {
  const double reach = ceil(fmax(0, a[0] - 0.5));
  const BtStatus st = create(ctx, text, reach, reach, kernel);
  if (st >= 0) cover(disk_holds, a, kernel);
  return st;
}

static BtStatus motion(BtContext *ctx, const char *text, const double *a, BtKernel *kernel) {
  const double turn = a[1] * acos(-1.0) / 180, line[3] = {a[0], cos(turn), sin(turn)};
  /* Half sides of the box around the line; the slack keeps cos(90°) = 6e-17 from adding a row. */
  const double x = 0.5 * (a[0] * fabs(line[1]) + fabs(line[2])),
               y = 0.5 * (a[0] * fabs(line[2]) + fabs(line[1]));
  const BtStatus st = create(ctx, text, ceil(fmax(0, y - 0.5 - 1e-9)), ceil(fmax(0, x - 0.5 - 1e-9)), kernel);
  if (st >= 0) cover(line_holds, line, kernel);
  return st;
}

static const struct {
  const char *name, *wants;
  int numbers;
  BtStatus (*make)(BtContext *ctx, const char *text, const double *a, BtKernel *kernel);
} forms[] = {{"gaussian", "a standard deviation in pixels, such as gaussian:1.6", 1, gaussian},
             {"motion", "a length in pixels and an angle in degrees, such as motion:15,30", 2, motion},
             {"disk", "a radius in pixels, such as disk:3.5", 1, disk},
             {"box", "a side in pixels, such as box:5", 1, box}};

/* "1.5" or "15,30" into a[2]; the first must be positive. */
static int read_numbers(const char *text, int count, double *a) {
  for (int k = 0; k < count; k++) {
    char *end;
    a[k] = strtod(text, &end);
    if (end == text || !isfinite(a[k]) || *end != (k + 1 < count ? ',' : '\0')) return 0;
    text = end + 1;
  }
  return a[0] > 0 && a[0] <= 1e6;
}

BtStatus bt_kernel_parse(BtContext *ctx, const char *text, BtKernel *kernel) {
  const char *colon = strchr(text, ':');
  const size_t length = colon ? (size_t)(colon - text) : strlen(text);
  *kernel = (BtKernel){0};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    double a[2];
    if (strlen(forms[i].name) != length || memcmp(forms[i].name, text, length) != 0) continue;
    if (!colon || !read_numbers(colon + 1, forms[i].numbers, a))
      return bt_fail(ctx, BT_ERR_ARG, "blur \"%.80s\": %s wants %s", text, forms[i].name, forms[i].wants);
    const BtStatus st = forms[i].make(ctx, text, a, kernel);
    if (st < 0)
      bt_kernel_clear(kernel);
    else
      divide_by_sum(kernel);
    return st;
  }
  return bt_fail(ctx, BT_ERR_ARG, "no blur \"%.80s\"; there are " BT_KERNEL_FORMS, text);
}

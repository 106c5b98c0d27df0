#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "imageio/file.h"
#include "imageio/kernel.h"

#define MOST_BYTES ((size_t)1 << 29)

/* A table while it is read. */
typedef struct {
  const char *path;
  size_t line, room;
  BtKernel *kernel;
} Table;

static BtStatus append(BtContext *ctx, Table *t, size_t count, double value) {
  if (count == t->room) {
    t->room = t->room ? 2 * t->room : 256;
    double *larger = realloc(t->kernel->taps, t->room * sizeof *larger);
    if (!larger) return bt_fail_memory(ctx, "a kernel", (double)t->room * sizeof *larger);
    t->kernel->taps = larger;
  }
  t->kernel->taps[count] = value;
  return BT_OK;
}

/* One line that ends at '\0'. */
static BtStatus read_line(BtContext *ctx, Table *t, const char *at) {
  BtKernel *kernel = t->kernel;
  size_t columns = 0;
  at += strspn(at, " \t\r");
  if (!*at || *at == '#') return BT_OK;
  for (;;) {
    char *end;
    const double value = strtod(at, &end);
    if (end == at) return bt_fail(ctx, BT_ERR_FORMAT, "%s:%zu: no number at \"%.20s\"", t->path, t->line, at);
    if (!isfinite(value))
      return bt_fail(ctx, BT_ERR_FORMAT, "%s:%zu: %.*s is no finite number", t->path, t->line,
                     (int)(end - at), at);
    const BtStatus st = append(ctx, t, kernel->height * kernel->width + columns, value);
    if (st < 0) return st;
    columns++;
    at = end + strspn(end, " \t\r");
    if (!*at) break;
    if (*at == ',' || *at == ';') at += 1 + strspn(at + 1, " \t\r");
    if (!*at) break;
  }
  if (kernel->height == 0) kernel->width = columns;
  if (columns != kernel->width)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s:%zu: a row of %zu numbers after rows of %zu", t->path, t->line,
                   columns, kernel->width);
  kernel->height++;
  return BT_OK;
}

static BtStatus read_table(BtContext *ctx, const char *path, BtKernel *kernel) {
  Table table = {.path = path, .line = 1, .kernel = kernel};
  char *text = NULL, *next;
  size_t size;
  BtStatus st = BT_OK;
  BT_TRY(bt_file_read(ctx, path, MOST_BYTES, &text, &size));
  if (strlen(text) != size)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: no table of numbers: it holds a zero byte", path));
  for (char *line = text; line; line = next, table.line++) {
    next = strchr(line, '\n');
    if (next) *next++ = '\0';
    BT_TRY(read_line(ctx, &table, line));
  }
  if (kernel->height == 0) st = bt_fail(ctx, BT_ERR_FORMAT, "%s: there are no numbers in it", path);
done:
  free(text);
  return st;
}

static BtStatus read_image(BtContext *ctx, const char *path, BtKernel *kernel) {
  BtImage image = {0};
  BtStatus st = BT_OK;
  BT_TRY(bt_image_read(ctx, path, 0, &image));
  BT_TRY(bt_image_to_gray(ctx, &image));
  *kernel = (BtKernel){image.height, image.width, image.pixels};
  image.pixels = NULL;
done:
  bt_image_clear(&image);
  return st;
}

/* A sum that is rounding alone counts as zero. */
static BtStatus normalize(BtContext *ctx, const char *path, BtKernel *kernel) {
  const size_t n = kernel->height * kernel->width;
  double sum = 0, largest = 0, size = 0;
  if (kernel->height > BT_KERNEL_LARGEST || kernel->width > BT_KERNEL_LARGEST)
    return bt_fail(ctx, BT_ERR_ARG, "%s: a kernel of %zux%zu pixels; at most %d a side are taken", path,
                   kernel->height, kernel->width, BT_KERNEL_LARGEST);
  for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(kernel->taps[i]));
  for (size_t i = 0; i < n && largest > 0; i++) {
    kernel->taps[i] /= largest;
    sum += kernel->taps[i];
    size += fabs(kernel->taps[i]);
  }
  if (!(fabs(sum) > 1e-10 * size))
    return bt_fail(ctx, BT_ERR_ARG,
                   "%s: the kernel's sum is zero, so it cannot be divided by it; a blur's is positive", path);
  for (size_t i = 0; i < n; i++) kernel->taps[i] /= sum;
  return BT_OK;
}

BtStatus bt_kernel_read(BtContext *ctx, const char *path, BtKernel *kernel) {
  const char *extension = bt_path_extension(path);
  const int table = strcasecmp(extension, "csv") == 0 || strcasecmp(extension, "txt") == 0;
  *kernel = (BtKernel){0};
  BtStatus st = table ? read_table(ctx, path, kernel) : read_image(ctx, path, kernel);
  if (st >= 0) st = normalize(ctx, path, kernel);
  if (st < 0) bt_kernel_clear(kernel);
  return st;
}

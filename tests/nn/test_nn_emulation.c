/* What only the emulated device can show: the order in which threads and blocks run changes no bit, errors of
 * kernels come out, missing devices are named. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_emulation/emulation.h"
#include "nn_check.h"

enum { ROWS = 300, CLASSES = 70, COUNT = ROWS * CLASSES };

/* Sums of all kinds, one after the other; *n their number. */
static NnReal *sums(EmulationOrder order, size_t *n) {
  static NnReal x[COUNT], labels[ROWS];
  const NnRows vectors = {ROWS, 1, CLASSES, 1}, images = {3, 1, CLASSES, ROWS / 3};
  NnBackend *b = nn_test_backend(1);
  if (!b) abort();
  for (size_t i = 0; i < COUNT; i++) x[i] = (NnReal)sin((double)(i * i % 1009));
  for (size_t i = 0; i < ROWS; i++) labels[i] = (NnReal)(i % 7);
  *n = COUNT + ROWS + 3 * CLASSES + 2 * ROWS + 1;
  NnReal *out = malloc(*n * sizeof *out), *in = nn_put(b, x, COUNT), *label = nn_put(b, labels, ROWS),
         *y = nn_memory(b, *n);
  if (!out) abort();
  NnReal *p = y, *loss = p + COUNT, *columns = loss + ROWS, *rows = columns + 3 * CLASSES,
         *dot = rows + 2 * ROWS;
  emulation_order(order);
  b->kernels->fill(b, *n, 0, y);
  b->kernels->cross_entropy(b, ROWS, CLASSES, in, label, p, loss);
  b->kernels->channel_sum(b, vectors, NULL, 0, in, in, 0, columns);
  b->kernels->channel_sum(b, images, NULL, 0, in, NULL, 0, columns + CLASSES);
  b->kernels->row_sum(b, images, NULL, in, in, 0, rows, CLASSES);
  b->kernels->scatter(b, ROWS, CLASSES, 7, label, in, p);
  b->kernels->dot(b, COUNT, 1, in, in, 0, dot);
  emulation_order(EMULATION_ASCENDING);
  nn_take(b, y, out, *n);
  nn_drop(b, in);
  nn_drop(b, label);
  nn_backend_close(b);
  return out;
}

static void orders(void) {
  size_t n, m;
  NnReal *first = sums(EMULATION_ASCENDING, &n);
  for (int order = EMULATION_DESCENDING; order < EMULATION_ORDERS; order++) {
    NnReal *other = sums((EmulationOrder)order, &m);
    BT_CHECK_ROW(n == m && memcmp(first, other, n * sizeof *first) == 0, "order %d changes bits", order);
    free(other);
  }
  free(first);
}

static void errors(void) {
  BtContext ctx;
  NnBackend *b = nn_test_backend(1), *none;
  NnReal value;
  BT_NEED(b);
  bt_context_init(&ctx);
  NnReal *x = nn_memory(b, 1);
  emulation_fail();
  b->kernels->fill(b, 1, 2, x);
  b->kernels->fill(b, 1, 3, x);
  BT_CHECK_STATUS(b->check(&ctx, b), BT_ERR_LIBRARY, &ctx);
  BT_CHECK_ROW(strstr(ctx.error, "kernel fill") != NULL, "\"%s\" does not name the kernel", ctx.error);
  BT_CHECK_STATUS(b->check(&ctx, b), BT_OK, &ctx);
  emulation_fail();
  b->kernels->fill(b, 1, 4, x);
  BT_CHECK_STATUS(b->download(&ctx, b, &value, x, sizeof value), BT_ERR_LIBRARY, &ctx);
  BT_CHECK_STATUS(b->download(&ctx, b, &value, x, sizeof value), BT_OK, &ctx);
  BT_CHECK(value == 4);
  nn_drop(b, x);
  nn_backend_close(b);
  BT_CHECK_STATUS(nn_backend_open(&ctx, "cuda:2", 0, &none), BT_ERR_UNSUPPORTED, &ctx);
  BT_CHECK(none == NULL && strstr(ctx.error, "2 devices") != NULL);
}

/* Larger than a staging buffer, and changed at once. */
static void uploads(void) {
  enum { MANY = 3000000 };
  BtContext ctx;
  NnBackend *b = nn_test_backend(1);
  BT_NEED(b);
  bt_context_init(&ctx);
  NnReal *x = malloc(MANY * sizeof *x);
  if (!x) abort();
  for (size_t i = 0; i < MANY; i++) x[i] = (NnReal)i;
  NnReal *device = nn_put(b, x, MANY);
  memset(x, 0, MANY * sizeof *x);
  nn_take(b, device, x, MANY);
  size_t wrong = 0;
  for (size_t i = 0; i < MANY; i++) wrong += x[i] != (NnReal)i;
  BT_CHECK(wrong == 0);
  free(x);
  nn_backend_close(b);
}

static const BtTest tests[] = {{"order of threads", orders}, {"errors", errors}, {"uploads", uploads}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "emulated device", tests, sizeof tests / sizeof *tests);
}

/* What only the emulated device can show: the order in which threads and blocks run changes no bit, errors of
 * kernels come out, missing devices are named, what a training step starts and waits for, and what cannot be
 * recorded. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_emulation/emulation.h"
#include "nn/train.h"
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

/* Nothing but kernels may be started while they are recorded, and the backend is as before then. */
static void recordings(void) {
  BtContext ctx;
  NnBackend *b;
  NnRecording *r = NULL;
  NnReal value = 5, *x;
  void *memory;
  bt_context_init(&ctx);
  if (!BT_CHECK_STATUS(nn_backend_open(&ctx, "cuda,graph", 1, &b), BT_OK, &ctx)) return;
  x = nn_memory(b, 1);
  for (int wrong = 0; wrong < 6; wrong++) {
    BT_CHECK_STATUS(b->record(&ctx, b), BT_OK, &ctx);
    switch (wrong) {
      case 0: BT_CHECK_STATUS(b->upload(&ctx, b, x, &value, sizeof value), BT_ERR_ARG, &ctx); break;
      case 1: BT_CHECK_STATUS(b->download(&ctx, b, &value, x, sizeof value), BT_ERR_ARG, &ctx); break;
      case 2: BT_CHECK_STATUS(b->finish(&ctx, b), BT_ERR_ARG, &ctx); break;
      case 3: BT_CHECK_STATUS(b->allocate(&ctx, b, 64, &memory), BT_ERR_LIBRARY, &ctx); break;
      case 4: b->kernels->axpby(b, 1, 1, x, 1, x); break; /* it has never been started */
      default: emulation_fail_capture();
    }
    const BtStatus st = b->recorded(&ctx, b, &r);
    /* What was refused has told of it and recorded nothing. */
    BT_CHECK_ROW(wrong < 3 ? st == BT_OK : st < 0 && r == NULL && strstr(ctx.error, "captur"), "case %d: %s",
                 wrong, ctx.error);
    if (r) b->forget(b, r);
  }
  b->kernels->fill(b, 1, 1, x);
  b->kernels->axpby(b, 1, 1, x, 1, x); /* 2 */
  BT_CHECK_STATUS(b->record(&ctx, b), BT_OK, &ctx);
  b->kernels->axpby(b, 1, 1, x, 1, x);
  BT_CHECK_STATUS(b->recorded(&ctx, b, &r), BT_OK, &ctx);
  for (int i = 0; i < 3; i++) BT_CHECK_STATUS(b->replay(&ctx, b, r), BT_OK, &ctx);
  nn_take(b, x, &value, 1);
  BT_CHECK(value == 16);
  b->forget(b, r);
  nn_backend_close(b);
}

typedef struct {
  int warnings;
  EmulationCounts last; /* after the step before            */
  int64_t epoch;        /* that it belongs to               */
  size_t most;          /* started one by one in a step     */
} Watch;

static int watch(void *user, const BtEvent *event) {
  const BtTrainingEvent *e = &event->as.training;
  const EmulationCounts now = emulation_counts();
  Watch *w = user;
  w->warnings += event->type == BT_EVENT_WARNING;
  if (event->type != BT_EVENT_TRAINING || e->moment != BT_TRAINED_STEP) return 0;
  const size_t single = now.single - w->last.single;
  if (e->step > 2 && e->epoch == w->epoch && single > w->most) w->most = single;
  w->last = now;
  w->epoch = e->epoch;
  return 0;
}

/* A training; its loss, and the most that a step after the second started one by one. graph: 2 where a
 * recording is made to fail. */
static double train(int graph, int64_t read_every, EmulationCounts *counts, int64_t *steps, size_t *most) {
  const NnTrainOptions o = {.tuner = NN_TUNER_NONE, .seed = 1, .epochs = 2, .read_every = read_every};
  NnTraining *t = NULL;
  NnTask *task = NULL;
  NnData *data = NULL;
  NnBackend *b = NULL;
  BtContext ctx;
  Watch w = {0};
  bt_context_init(&ctx);
  BT_CHECK_STATUS(bt_context_observe(&ctx, watch, &w), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_backend_open(&ctx, graph ? "cuda,graph" : "cuda", 1, &b), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_task_load(&ctx, "tiny-lstm", &task), BT_OK, &ctx);
  if (!b || !task) abort();
  task->data.count = task->data.test_count = 150;
  task->data.valid_share = 0;
  task->data.length = 4;
  task->batch = task->eval_batch = 4;
  BT_CHECK_STATUS(nn_data_open(&ctx, &task->data, &data), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_training_create(&ctx, task, &o, data, b, &t), BT_OK, &ctx);
  if (!t) abort();
  if (graph == 2) emulation_fail_capture();
  const EmulationCounts before = emulation_counts();
  BT_CHECK_STATUS(nn_training_run(&ctx, t, 0), BT_OK, &ctx);
  const EmulationCounts after = emulation_counts();
  const NnTrainResult r = nn_training_result(t);
  *counts = (EmulationCounts){after.single - before.single, after.graphs - before.graphs,
                              after.waits - before.waits};
  *steps = r.step;
  *most = w.most;
  BT_CHECK(w.warnings == (graph == 2) && r.replayed == (graph == 1 ? r.step - 1 : 0));
  nn_training_destroy(t);
  nn_data_close(data);
  nn_task_free(task);
  nn_backend_close(b);
  return r.train_loss;
}

/* A training step of a recurrent network with clipping waits for nothing; recorded, it is a graph, the copies
 * of its batch, states, numbers and losses. Where recording fails the training goes on without. */
static void starts(void) {
  EmulationCounts seldom, often, graph, failed;
  int64_t steps;
  size_t most;
  const double loss = train(0, 16, &seldom, &steps, &most);
  BT_CHECK(train(0, 1, &often, &steps, &most) == loss);
  BT_CHECK_ROW(steps >= 16 && often.waits - seldom.waits == (size_t)(steps - 2 * ((steps / 2 + 15) / 16)),
               "%zu and %zu waits in %lld steps", often.waits, seldom.waits, (long long)steps);
  BT_CHECK(train(1, 16, &graph, &steps, &most) == loss);
  BT_CHECK_ROW(graph.graphs == (size_t)steps - 1 && graph.waits == seldom.waits, "%zu graphs, %zu waits",
               graph.graphs, graph.waits);
  /* Its batch, labels, states, numbers and losses. */
  BT_CHECK_ROW(most == 5, "%zu copies beside the graph", most);
  BT_CHECK(train(2, 16, &failed, &steps, &most) == loss);
  BT_CHECK(failed.graphs == 0 && failed.single == seldom.single && most > 100);
}

static const BtTest tests[] = {{"order of threads", orders},
                               {"errors", errors},
                               {"uploads", uploads},
                               {"recordings", recordings},
                               {"what a step starts", starts}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "emulated device", tests, sizeof tests / sizeof *tests);
}

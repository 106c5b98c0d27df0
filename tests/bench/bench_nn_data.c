/* What it costs to deliver and to augment a batch of CIFAR-10's shape, against a training step of a small
 * network. bench_nn_data [THREADS] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nn/augment.h"
#include "nn/initial.h"
#include "nn/loader.h"

enum { BATCH = 128, SIDE = 32, STEPS = 24, COLUMNS = 4 };

static double bench_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(BtStatus st, const BtContext *ctx) {
  if (st >= 0) return;
  fprintf(stderr, "%s\n", ctx->error);
  exit(1);
}

static NnLoader *loader(BtContext *ctx, const NnData *data, int threads) {
  const NnLoaderOptions o = {.split = NN_TRAIN, .batch = BATCH, .seed = 1, .shuffle = 1, .threads = threads};
  NnLoader *l;
  must(nn_loader_create(ctx, data, &o, &l), ctx);
  return l;
}

/* Mean time of nn_loader_get, alone. */
static double deliver(BtContext *ctx, const NnData *data) {
  NnLoader *l = loader(ctx, data, 0);
  NnBatch b;
  const double start = bench_seconds();
  for (size_t i = 0; i < 10 * STEPS; i++) must(nn_loader_get(ctx, l, i / 20, i % 20, &b), ctx);
  const double t = (bench_seconds() - start) / (10 * STEPS);
  nn_loader_destroy(l);
  return t;
}

static NnId conv(NnGraph *g, const char *name, NnId x, size_t in, size_t out) {
  const NnId w = nn_parameter(g, name, NN_GENERAL, NN_SHAPE(out, in, 3, 3));
  return nn_max_pool(g, nn_unary(g, NN_RELU, nn_conv2d(g, x, w, NN_NONE, 1, 1, NULL)), 2, 2, 0);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x, size_t n) {
  qsort(x, n, sizeof *x, ascending);
  return x[n / 2];
}

/* Median times of a step (forward, backward) and of the wait for its batch. */
static void train(BtContext *ctx, NnBackend *backend, const NnData *data, int threads) {
  NnLoader *l = loader(ctx, data, threads);
  NnGraph *g;
  double waited[STEPS], computed[STEPS];
  must(nn_graph_create(ctx, backend, BATCH, &g), ctx);
  const NnId x = nn_input(g, "x", NN_SHAPE(3, SIDE, SIDE)), label = nn_input(g, "label", NN_SHAPE(1));
  NnId y = conv(g, "3", conv(g, "2", conv(g, "1", x, 3, 16), 16, 32), 32, 32);
  const NnId w = nn_parameter(g, "4", NN_GENERAL, NN_SHAPE(10, 512));
  y = nn_linear(g, nn_reshape(g, y, NN_SHAPE(512)), w, NN_NONE, NULL);
  const NnId loss = nn_mean(g, nn_cross_entropy(g, y, label));
  must(nn_graph_close(ctx, g), ctx);
  for (NnId i = 0; i < nn_graph_nodes(g); i++)
    if (nn_graph_group(g, i)) must(nn_initial_uniform(ctx, g, i, 1, 0.05), ctx);
  for (size_t i = 0; i < STEPS; i++) {
    const NnRun run = {.batch = BATCH, .seed = 1, .step = i, .training = 1};
    NnBatch b;
    const double start = bench_seconds();
    must(nn_loader_get(ctx, l, i / 20, i % 20, &b), ctx);
    const double ready = bench_seconds();
    must(nn_graph_set(ctx, g, x, b.x, (size_t)BATCH * 3 * SIDE * SIDE), ctx);
    must(nn_graph_set(ctx, g, label, b.label, BATCH), ctx);
    must(nn_graph_forward(ctx, g, &run), ctx);
    must(nn_graph_gradient(ctx, g, loss, NN_GENERAL), ctx);
    waited[i] = ready - start, computed[i] = bench_seconds() - ready;
  }
  printf("step %7.2f ms, wait for its batch %6.3f ms with %d prefetching\n", 1e3 * median(computed, STEPS),
         1e3 * median(waited, STEPS), threads);
  nn_graph_destroy(g);
  nn_loader_destroy(l);
}

static NnId flip(NnGraph *g, NnId x, NnId r) { return (void)r, nn_flip(g, x); }
static NnId crop(NnGraph *g, NnId x, NnId r) { return (void)r, nn_crop(g, x, 4); }
static NnId cutout(NnGraph *g, NnId x, NnId r) { return nn_cutout(g, x, r, 2, 3); }
static NnId jitter(NnGraph *g, NnId x, NnId r) { return nn_jitter(g, x, r, (NnJitterColumns){0, 0, 0, 0}); }
static NnId affine(NnGraph *g, NnId x, NnId r) { return nn_affine(g, x, r, (NnAffineColumns){1, 1, 0, 0}); }
static NnId noise(NnGraph *g, NnId x, NnId r) { return nn_input_noise(g, x, r, 0); }

static void augmentation(BtContext *ctx, NnBackend *backend, const char *name,
                         NnId (*build)(NnGraph *g, NnId x, NnId rates)) {
  static const NnReal rates[COLUMNS] = {(NnReal)0.3, 20, 8, 2};
  NnGraph *g;
  double best = 1e9;
  must(nn_graph_create(ctx, backend, BATCH, &g), ctx);
  const NnId x = nn_input(g, "x", NN_SHAPE(3, SIDE, SIDE)), r = nn_constant(g, "rates", NN_SHAPE(COLUMNS));
  (void)build(g, x, r);
  must(nn_graph_close(ctx, g), ctx);
  must(nn_graph_set(ctx, g, r, rates, COLUMNS), ctx);
  for (size_t i = 0; i < STEPS; i++) {
    const NnRun run = {.batch = BATCH, .seed = 1, .step = i, .training = 1};
    const double start = bench_seconds();
    must(nn_graph_forward(ctx, g, &run), ctx);
    const double t = bench_seconds() - start;
    if (t < best) best = t;
  }
  printf("%-8s %7.2f ms, %6.1f ns a pixel\n", name, 1e3 * best, 1e9 * best / (BATCH * SIDE * SIDE));
  nn_graph_destroy(g);
}

int main(int argc, char **argv) {
  BtContext ctx;
  NnBackend *backend;
  NnData *data;
  NnDataOptions o = {0};
  bt_context_init(&ctx);
  bt_options_default(nn_data_options, &o);
  o.kind = NN_DATA_TEXTURES;
  o.size = SIDE, o.count = 4000, o.test_count = 0;
  must(nn_backend_open(&ctx, "cpu", argc > 1 ? atoi(argv[1]) : 0, &backend), &ctx);
  must(nn_data_open(&ctx, &o, &data), &ctx);
  printf("%d threads, batches of %d images 3 x %d x %d\n", backend->threads, BATCH, SIDE, SIDE);
  printf("batch delivered in %.3f ms\n", 1e3 * deliver(&ctx, data));
  for (int threads = 0; threads < 2; threads++) train(&ctx, backend, data, threads);
  augmentation(&ctx, backend, "flip", flip);
  augmentation(&ctx, backend, "crop", crop);
  augmentation(&ctx, backend, "cutout", cutout);
  augmentation(&ctx, backend, "jitter", jitter);
  augmentation(&ctx, backend, "affine", affine);
  augmentation(&ctx, backend, "noise", noise);
  nn_data_close(data);
  nn_backend_close(backend);
  return 0;
}

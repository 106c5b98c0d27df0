/* Layers of the networks in the documentation: seconds and rates of forward and backward runs, against a
 * large matrix product and, on the CPU, for convolutions, oneDNN. bench_nn [THREADS | DEVICE], such as cuda
 * or cuda,tf32; exit code 77 where the device is not there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_nn.h"
#include "nn/initial.h"
#include "nn/ops.h"

#define REPEATS 15

static int on_cpu = 1;

double bench_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(BtStatus st, const BtContext *ctx) {
  if (st >= 0) return;
  fprintf(stderr, "%s\n", ctx->error);
  exit(1);
}

NnReal *bench_numbers(NnBackend *b, size_t n) {
  BtContext ctx;
  void *memory;
  NnReal *x = malloc(n * sizeof *x);
  bt_context_init(&ctx);
  if (!x) exit(1);
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)((double)(i % 13) * 0.1 - 0.6);
  must(b->allocate(&ctx, b, n * sizeof *x, &memory), &ctx);
  must(b->upload(&ctx, b, memory, x, n * sizeof *x), &ctx);
  free(x);
  return memory;
}

double bench_best(NnBackend *b, BenchCall *call, void *user) {
  BtContext ctx;
  double best = 1e9;
  bt_context_init(&ctx);
  /* A device is given enough to do that its start does not count. */
  const int calls = on_cpu ? 1 : 20;
  for (int i = 0; i < REPEATS; i++) {
    const double start = bench_seconds();
    for (int k = 0; k < calls; k++) call(b, user);
    must(b->finish(&ctx, b), &ctx);
    const double t = (bench_seconds() - start) / calls;
    if (t < best) best = t;
  }
  return best;
}

typedef struct {
  NnConv conv;
  size_t m, n, k;
  NnReal *x, *w, *y, *work;
} Arrays;

static void call_gemm(NnBackend *b, void *user) {
  const Arrays *a = user;
  b->kernels->gemm(b, 0, 1, a->m, a->n, a->k, 1, a->x, a->k, a->w, a->k, 0, a->y, a->n);
}
static void call_forward(NnBackend *b, void *user) {
  const Arrays *a = user;
  b->kernels->conv2d(b, &a->conv, a->x, a->w, 0, a->y, a->work);
}
static void call_data(NnBackend *b, void *user) {
  const Arrays *a = user;
  b->kernels->conv2d_data(b, &a->conv, a->w, a->y, 0, a->x, a->work);
}
static void call_filter(NnBackend *b, void *user) {
  const Arrays *a = user;
  b->kernels->conv2d_filter(b, &a->conv, a->x, a->y, 0, a->w, a->work);
}

static void release(NnBackend *b, Arrays *a) {
  b->release(b, a->x);
  b->release(b, a->w);
  b->release(b, a->y);
  if (a->work) b->release(b, a->work);
}

static void gemm_rate(NnBackend *b, size_t m, size_t n, size_t k) {
  Arrays a = {.m = m, .n = n, .k = k};
  a.x = bench_numbers(b, m * k), a.w = bench_numbers(b, n * k), a.y = bench_numbers(b, m * n);
  const double best = bench_best(b, call_gemm, &a);
  printf("gemm %5zu x %5zu x %5zu             %8.3f ms  %8.1f GFLOP/s\n", m, n, k, 1e3 * best,
         2e-9 * (double)m * (double)n * (double)k / best);
  release(b, &a);
}

static void conv_row(NnBackend *b, const char *name, NnConv c) {
  c.out_height = (c.height + 2 * c.pad - c.kernel_height) / c.stride + 1;
  c.out_width = (c.width + 2 * c.pad - c.kernel_width) / c.stride + 1;
  const size_t in = c.batch * c.channels * c.height * c.width,
               out = c.batch * c.filters * c.out_height * c.out_width;
  const size_t size = c.filters * c.channels * c.kernel_height * c.kernel_width;
  const double gflop = 2e-9 * (double)out * (double)(size / c.filters);
  Arrays a = {.conv = c};
  a.x = bench_numbers(b, in), a.w = bench_numbers(b, size), a.y = bench_numbers(b, out);
  a.work = bench_numbers(b, b->kernels->conv2d_work(b, &c));
  ConvTimes t;
  t.forward = bench_best(b, call_forward, &a);
  b->kernels->fill(b, size, (NnReal)0.01, a.w); /* results of the one are factors of the next */
  t.data = bench_best(b, call_data, &a);
  b->kernels->fill(b, in, (NnReal)0.01, a.x);
  t.filter = bench_best(b, call_filter, &a);
  printf("%-22s %6.2f GFLOP %6.1f MB  here %7.3f %7.3f %7.3f ms %8.1f GFLOP/s", name, gflop,
         4e-6 * (double)(in + out + size), 1e3 * t.forward, 1e3 * t.data, 1e3 * t.filter,
         3 * gflop / (t.forward + t.data + t.filter));
  if (on_cpu) {
    const ConvTimes plain = bench_onednn(&c, 1), best = bench_onednn(&c, 0);
    if (plain.forward > 0)
      printf("  oneDNN nchw %7.2f %7.2f %7.2f ms, own layout %7.2f %7.2f %7.2f ms", 1e3 * plain.forward,
             1e3 * plain.data, 1e3 * plain.filter, 1e3 * best.forward, 1e3 * best.data, 1e3 * best.filter);
  }
  printf("\n");
  release(b, &a);
}

/* One training run (forward, backward) of a graph, the least of several. */
static double graph_time(BtContext *ctx, NnGraph *g, NnId loss, NnResponseMode mode, int groups) {
  const NnRun run = {.batch = nn_graph_max_batch(g), .response = mode, .training = 1};
  double best = 1e9;
  for (int i = 0; i < REPEATS; i++) {
    const double start = bench_seconds();
    must(nn_graph_forward(ctx, g, &run), ctx);
    must(nn_graph_gradient(ctx, g, loss, groups), ctx);
    must(nn_graph_backend(g)->finish(ctx, nn_graph_backend(g)), ctx);
    const double t = bench_seconds() - start;
    if (t < best) best = t;
  }
  return best;
}

static void initial(BtContext *ctx, NnGraph *g) {
  for (NnId i = 0; i < nn_graph_nodes(g); i++)
    if (nn_graph_group(g, i)) must(nn_initial_uniform(ctx, g, i, 1, 0.02), ctx);
}

/* Products of one forward run, 2 flops each: W x of all layers. */
static double forward_gflop(const NnGraph *g) {
  double sum = 0;
  for (NnId i = 0; i < nn_graph_nodes(g); i++) {
    const char *op = nn_graph_op(g, i);
    if (strcmp(op, "linear") != 0 && strcmp(op, "conv2d") != 0) continue;
    /* The layer's weights are the parameters NAMEW before it; each is used once for every place of the
     * output. */
    const NnShape y = nn_graph_shape(g, i);
    NnId w = i;
    while (w > 0 && !(nn_graph_group(g, w) == NN_GENERAL && nn_graph_shape(g, w).dims > 1)) w--;
    const double places = y.dims == 3 ? (double)(y.dim[1] * y.dim[2]) : y.dims == 2 ? (double)y.dim[0] : 1;
    sum += 2e-9 * (double)nn_graph_max_batch(g) * places * (double)nn_shape_size(nn_graph_shape(g, w));
  }
  return sum;
}

static void report(BtContext *ctx, NnGraph *g, NnId loss, const char *name) {
  must(nn_graph_close(ctx, g), ctx);
  initial(ctx, g);
  const double gflop = 3 * forward_gflop(g); /* forward, gradients in data and in weights */
  const double plain = graph_time(ctx, g, loss, NN_RESPONSE_OFF, NN_GENERAL);
  const double full = graph_time(ctx, g, loss, NN_RESPONSE_FULL, NN_GENERAL | NN_RESPONSE);
  const double linearised = graph_time(ctx, g, loss, NN_RESPONSE_LINEARISED, NN_RESPONSE);
  printf(
      "%-34s plain %8.2f ms, response %8.2f ms, linearised %8.2f ms; general + linearised / plain %.2f; "
      "plain "
      "%.2f GFLOP, %.0f GFLOP/s, arena %.0f MB\n",
      name, 1e3 * plain, 1e3 * full, 1e3 * linearised, (plain + linearised) / plain, gflop, gflop / plain,
      1e-6 * (double)nn_graph_bytes(g));
  nn_graph_destroy(g);
}

static NnId dense(NnGraph *g, const char *layer, NnId x, NnId delta, NnId rates, size_t h, size_t in,
                  size_t out) {
  char name[6][32];
  static const char *const parts[] = {"W", "b", "U", "u", "V", "C"};
  for (int i = 0; i < 6; i++) snprintf(name[i], sizeof name[i], "%s%s", layer, parts[i]);
  const NnResponse r = {delta, nn_parameter(g, name[2], NN_RESPONSE, NN_SHAPE(out, in)),
                        nn_parameter(g, name[3], NN_RESPONSE, NN_SHAPE(out)),
                        nn_parameter(g, name[4], NN_RESPONSE, NN_SHAPE(out, h)),
                        nn_parameter(g, name[5], NN_RESPONSE, NN_SHAPE(out, h))};
  x = nn_dropout(g, x, rates, 0, NN_DROP_ELEMENTS);
  return nn_linear(g, x, nn_parameter(g, name[0], NN_GENERAL, NN_SHAPE(out, in)),
                   nn_parameter(g, name[1], NN_GENERAL, NN_SHAPE(out)), &r);
}

static NnId loss_of(NnGraph *g, NnId x) {
  return nn_mean(g, nn_cross_entropy(g, nn_linearised_output(g, x), nn_input(g, "label", NN_SHAPE(1))));
}

static void mlp(BtContext *ctx, NnBackend *b) {
  NnGraph *g;
  must(nn_graph_create(ctx, b, 128, &g), ctx);
  const NnId delta = nn_input(g, "delta", NN_SHAPE(3)), rates = nn_input(g, "rates", NN_SHAPE(3));
  NnId x = nn_input(g, "x", NN_SHAPE(784));
  x = nn_unary(g, NN_RELU, dense(g, "1", x, delta, rates, 3, 784, 1200));
  x = nn_unary(g, NN_RELU, dense(g, "2", x, delta, rates, 3, 1200, 1200));
  report(ctx, g, loss_of(g, dense(g, "3", x, delta, rates, 3, 1200, 10)), "MLP 784-1200-1200-10, batch 128");
}

static NnId conv(NnGraph *g, const char *layer, NnId x, NnId delta, size_t in, size_t out) {
  char name[6][32];
  static const char *const parts[] = {"W", "b", "U", "u", "V", "C"};
  for (int i = 0; i < 6; i++) snprintf(name[i], sizeof name[i], "%s%s", layer, parts[i]);
  const NnShape w = NN_SHAPE(out, in, 5, 5);
  const NnResponse r = {delta, nn_parameter(g, name[2], NN_RESPONSE, w),
                        nn_parameter(g, name[3], NN_RESPONSE, NN_SHAPE(out)),
                        nn_parameter(g, name[4], NN_RESPONSE, NN_SHAPE(out, 6)),
                        nn_parameter(g, name[5], NN_RESPONSE, NN_SHAPE(out, 6))};
  x = nn_conv2d(g, x, nn_parameter(g, name[0], NN_GENERAL, w),
                nn_parameter(g, name[1], NN_GENERAL, NN_SHAPE(out)), 1, 2, &r);
  return nn_max_pool(g, nn_unary(g, NN_RELU, x), 2, 2, 0);
}

static void simple_cnn(BtContext *ctx, NnBackend *b) {
  NnGraph *g;
  must(nn_graph_create(ctx, b, 128, &g), ctx);
  const NnId delta = nn_input(g, "delta", NN_SHAPE(6)), rates = nn_input(g, "rates", NN_SHAPE(6));
  NnId x = conv(g, "1", nn_input(g, "x", NN_SHAPE(1, 28, 28)), delta, 1, 16);
  x = nn_reshape(g, conv(g, "2", x, delta, 16, 32), NN_SHAPE(1568));
  x = nn_unary(g, NN_RELU, dense(g, "3", x, delta, rates, 6, 1568, 1568));
  report(ctx, g, loss_of(g, dense(g, "4", x, delta, rates, 6, 1568, 10)), "SimpleCNN 28x28, batch 128");
}

static void lstm(BtContext *ctx, NnBackend *b) {
  enum { N = 650, T = 10 };
  NnGraph *g;
  must(nn_graph_create(ctx, b, 40, &g), ctx);
  const NnId W = nn_parameter(g, "ih", NN_GENERAL, NN_SHAPE(4 * N, N)),
             bias = nn_parameter(g, "b", NN_GENERAL, NN_SHAPE(4 * N));
  const NnId R = nn_parameter(g, "hh", NN_GENERAL, NN_SHAPE(4 * N, N));
  const NnId x = nn_linear(g, nn_input(g, "x", NN_SHAPE(T, N)), W, bias, NULL);
  NnId state = nn_input(g, "state", NN_SHAPE(2 * N));
  for (size_t t = 0; t < T; t++) {
    const NnId now = nn_reshape(g, nn_slice(g, x, 0, t, 1), NN_SHAPE(4 * N));
    state =
        nn_lstm_cell(g, nn_add(g, now, nn_linear(g, nn_slice(g, state, 0, 0, N), R, NN_NONE, NULL)), state);
  }
  const NnId loss = nn_mean(g, nn_multiply(g, state, state));
  must(nn_graph_close(ctx, g), ctx);
  initial(ctx, g);
  const double t = graph_time(ctx, g, loss, NN_RESPONSE_OFF, NN_GENERAL);
  /* 2·2·4N·N products forward; the same for the weights, and for h, not for x, backward. */
  const double gflop = 1e-9 * 40.0 * T * 4 * N * N * 2 * (2 + 2 + 1);
  printf("LSTM layer 650, batch 40, %d steps     plain %8.2f ms, %6.1f GFLOP/s\n", T, 1e3 * t, gflop / t);
  nn_graph_destroy(g);
}

int main(int argc, char **argv) {
  BtContext ctx;
  NnBackend *b;
  bt_context_init(&ctx);
  const int threads = argc > 1 ? atoi(argv[1]) : 0;
  const char *device = argc > 1 && threads <= 0 ? argv[1] : "cpu";
  const BtStatus st = nn_backend_open(&ctx, device, threads, &b);
  if (st == BT_ERR_UNSUPPORTED) {
    printf("SKIPPED: %s\n", ctx.error);
    return 77;
  }
  must(st, &ctx);
  on_cpu = strcmp(b->name, "cpu") == 0;
  printf("%s, %d threads; convolutions: forward, data gradient, filter gradient, least of %d\n", b->name,
         b->threads, REPEATS);
  gemm_rate(b, 2048, 2048, 2048);
  gemm_rate(b, 128, 1200, 1200);
  gemm_rate(b, 128, 4096, 4096);
  conv_row(b, "SimpleCNN 1",
           (NnConv){.batch = 128,
                    .channels = 1,
                    .height = 28,
                    .width = 28,
                    .filters = 16,
                    .kernel_height = 5,
                    .kernel_width = 5,
                    .stride = 1,
                    .pad = 2});
  conv_row(b, "SimpleCNN 2",
           (NnConv){.batch = 128,
                    .channels = 16,
                    .height = 14,
                    .width = 14,
                    .filters = 32,
                    .kernel_height = 5,
                    .kernel_width = 5,
                    .stride = 1,
                    .pad = 2});
  conv_row(b, "AlexNet 1",
           (NnConv){.batch = 128,
                    .channels = 3,
                    .height = 32,
                    .width = 32,
                    .filters = 64,
                    .kernel_height = 3,
                    .kernel_width = 3,
                    .stride = 2,
                    .pad = 1});
  conv_row(b, "AlexNet 2",
           (NnConv){.batch = 128,
                    .channels = 64,
                    .height = 8,
                    .width = 8,
                    .filters = 192,
                    .kernel_height = 3,
                    .kernel_width = 3,
                    .stride = 1,
                    .pad = 1});
  conv_row(b, "AlexNet 4",
           (NnConv){.batch = 128,
                    .channels = 384,
                    .height = 4,
                    .width = 4,
                    .filters = 256,
                    .kernel_height = 3,
                    .kernel_width = 3,
                    .stride = 1,
                    .pad = 1});
  conv_row(b, "VGG16 2",
           (NnConv){.batch = 32,
                    .channels = 64,
                    .height = 32,
                    .width = 32,
                    .filters = 64,
                    .kernel_height = 3,
                    .kernel_width = 3,
                    .stride = 1,
                    .pad = 1});
  conv_row(b, "VGG16 12",
           (NnConv){.batch = 128,
                    .channels = 512,
                    .height = 2,
                    .width = 2,
                    .filters = 512,
                    .kernel_height = 3,
                    .kernel_width = 3,
                    .stride = 1,
                    .pad = 1});
  bench_kernels(b);
  mlp(&ctx, b);
  simple_cnn(&ctx, b);
  lstm(&ctx, b);
  nn_backend_close(b);
  return 0;
}

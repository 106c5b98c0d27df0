/* Layers of the networks in the documentation: seconds and rates of forward and backward runs on the CPU,
 * against a large matrix product and, for convolutions, oneDNN. bench_nn [THREADS] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench_nn.h"
#include "nn/initial.h"
#include "nn/ops.h"

#define REPEATS 15

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

static NnReal *numbers(size_t n) {
  NnReal *x = malloc(n * sizeof *x);
  if (!x) exit(1);
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)((double)(i % 13) * 0.1 - 0.6);
  return x;
}

static void gemm_rate(NnBackend *b, size_t m, size_t n, size_t k) {
  NnReal *A = numbers(m * k), *B = numbers(n * k), *C = numbers(m * n);
  double best = 1e9;
  for (int i = 0; i < REPEATS; i++) {
    const double start = bench_seconds();
    b->kernels->gemm(b, 0, 1, m, n, k, 1, A, k, B, k, 0, C, n);
    const double t = bench_seconds() - start;
    if (t < best) best = t;
  }
  printf("gemm %5zu x %5zu x %5zu             %8.2f ms  %6.1f GFLOP/s\n", m, n, k, 1e3 * best,
         2e-9 * (double)m * (double)n * (double)k / best);
  free(A), free(B), free(C);
}

static void conv_row(NnBackend *b, const char *name, NnConv c) {
  c.out_height = (c.height + 2 * c.pad - c.kernel_height) / c.stride + 1;
  c.out_width = (c.width + 2 * c.pad - c.kernel_width) / c.stride + 1;
  const size_t in = c.batch * c.channels * c.height * c.width,
               out = c.batch * c.filters * c.out_height * c.out_width;
  const size_t size = c.filters * c.channels * c.kernel_height * c.kernel_width;
  const double gflop = 2e-9 * (double)out * (double)(size / c.filters);
  NnReal *x = numbers(in), *w = numbers(size), *y = numbers(out),
         *work = numbers(b->kernels->conv2d_work(b, &c));
  ConvTimes t = {1e9, 1e9, 1e9};
  for (int i = 0; i < REPEATS; i++) {
    const double t0 = bench_seconds();
    b->kernels->conv2d(b, &c, x, w, 0, y, work);
    const double t1 = bench_seconds();
    b->kernels->conv2d_data(b, &c, w, y, 0, x, work);
    const double t2 = bench_seconds();
    b->kernels->conv2d_filter(b, &c, x, y, 0, w, work);
    const double t3 = bench_seconds();
    if (t1 - t0 < t.forward) t.forward = t1 - t0;
    if (t2 - t1 < t.data) t.data = t2 - t1;
    if (t3 - t2 < t.filter) t.filter = t3 - t2;
    for (size_t k = 0; k < size; k++) w[k] = (NnReal)0.01;
    for (size_t k = 0; k < in; k++) x[k] = (NnReal)0.01;
  }
  const ConvTimes plain = bench_onednn(&c, 1), best = bench_onednn(&c, 0);
  printf("%-22s %6.2f GFLOP  here %7.2f %7.2f %7.2f ms %6.1f GFLOP/s", name, gflop, 1e3 * t.forward,
         1e3 * t.data, 1e3 * t.filter, 3 * gflop / (t.forward + t.data + t.filter));
  if (plain.forward > 0)
    printf("  oneDNN nchw %7.2f %7.2f %7.2f ms, own layout %7.2f %7.2f %7.2f ms", 1e3 * plain.forward,
           1e3 * plain.data, 1e3 * plain.filter, 1e3 * best.forward, 1e3 * best.data, 1e3 * best.filter);
  printf("\n");
  free(x), free(w), free(y), free(work);
}

/* One training run (forward, backward) of a graph, the least of several. */
static double graph_time(BtContext *ctx, NnGraph *g, NnId loss, NnResponseMode mode, int groups) {
  const NnRun run = {.batch = nn_graph_max_batch(g), .response = mode, .training = 1};
  double best = 1e9;
  for (int i = 0; i < REPEATS; i++) {
    const double start = bench_seconds();
    must(nn_graph_forward(ctx, g, &run), ctx);
    must(nn_graph_gradient(ctx, g, loss, groups), ctx);
    const double t = bench_seconds() - start;
    if (t < best) best = t;
  }
  return best;
}

static void initial(BtContext *ctx, NnGraph *g) {
  for (NnId i = 0; i < nn_graph_nodes(g); i++)
    if (nn_graph_group(g, i)) must(nn_initial_uniform(ctx, g, i, 1, 0.02), ctx);
}

static void report(BtContext *ctx, NnGraph *g, NnId loss, const char *name) {
  must(nn_graph_close(ctx, g), ctx);
  initial(ctx, g);
  const double plain = graph_time(ctx, g, loss, NN_RESPONSE_OFF, NN_GENERAL);
  const double full = graph_time(ctx, g, loss, NN_RESPONSE_FULL, NN_GENERAL | NN_RESPONSE);
  const double linearised = graph_time(ctx, g, loss, NN_RESPONSE_LINEARISED, NN_RESPONSE);
  printf("%-34s plain %8.1f ms, response %8.1f ms, linearised %8.1f ms; general + linearised / plain %.2f\n",
         name, 1e3 * plain, 1e3 * full, 1e3 * linearised, (plain + linearised) / plain);
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
  printf("LSTM layer 650, batch 40, %d steps     plain %8.1f ms, %6.1f GFLOP/s\n", T, 1e3 * t, gflop / t);
  nn_graph_destroy(g);
}

int main(int argc, char **argv) {
  BtContext ctx;
  NnBackend *b;
  bt_context_init(&ctx);
  must(nn_backend_open(&ctx, "cpu", argc > 1 ? atoi(argv[1]) : 0, &b), &ctx);
  printf("%d threads; convolutions: forward, data gradient, filter gradient, least of %d\n", b->threads,
         REPEATS);
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
  mlp(&ctx, b);
  simple_cnn(&ctx, b);
  lstm(&ctx, b);
  nn_backend_close(b);
  return 0;
}

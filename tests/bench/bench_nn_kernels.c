/* Kernels that are bound by memory, by what they read and write at least once. */
#include <stdio.h>

#include "bench_nn.h"

#define COUNT ((size_t)1 << 23) /* numbers of an array, 32 MB */
#define ARRAYS 7
#define WORDS 2800
#define ENTRIES 10000

/* COUNT numbers as images of AlexNet's first layer, and as rows of a large layer. */
static const NnRows images = {COUNT / (64 * 256), 1, 64, 256}, rows = {COUNT / 4096, 1, 4096, 1};
static const NnPool pool = {COUNT / 256, 16, 16, 2, 2, 0, 8, 8};
static const NnKey key = {.seed = 1, .step = 2, .stream = 3};

#define CALL(name, ...)                        \
  static void name(NnBackend *b, void *user) { \
    const NnKernels *k = b->kernels;           \
    NnReal **a = user;                         \
    __VA_ARGS__;                               \
  }

CALL(fill, k->fill(b, COUNT, 1, a[0]))
CALL(axpby, k->axpby(b, COUNT, 2, a[0], 0, a[1]))
CALL(axpby_added, k->axpby(b, COUNT, 2, a[0], 1, a[1]))
CALL(multiply, k->multiply(b, COUNT, 1, a[0], a[1], 0, a[2]))
CALL(relu, k->unary(b, NN_RELU, COUNT, a[0], a[1]))
CALL(relu_chain, k->unary_chain(b, NN_RELU, COUNT, a[0], a[1], a[2], 0, a[3]))
CALL(scale_images, k->scale(b, images, a[0], 64, a[1], 0, a[2]))
CALL(scale_rows, k->scale(b, rows, a[0], 4096, a[1], 0, a[2]))
CALL(bias, k->broadcast(b, images, a[0], NULL, 0, 1, a[1]))
CALL(sum_images, k->channel_sum(b, images, NULL, 0, a[0], NULL, 0, a[1]))
CALL(sum_rows, k->channel_sum(b, rows, NULL, 0, a[0], NULL, 0, a[1]))
CALL(row_sum, k->row_sum(b, images, NULL, a[0], a[1], 0, a[2], 64))
CALL(dot, k->dot(b, COUNT, 1, a[0], a[1], 0, a[2]))
CALL(statistics, k->norm_statistics(b, images, a[0], (NnReal)1e-5, a[1], a[2], a[3]))
CALL(project, k->norm_project(b, images, a[0], a[1], a[2], a[2], 0, a[3]))
CALL(max_pool, k->max_pool(b, &pool, a[0], a[1], (int32_t *)(void *)a[2]))
CALL(max_scatter, k->max_pool_scatter(b, &pool, a[1], (const int32_t *)(const void *)a[2], 0, a[3]))
CALL(mask, k->dropout_mask(b, key, rows.rows, 4096, a[0], 1, a[1]))
CALL(normal, k->normal(b, key, COUNT, a[1]))
CALL(entropy, k->cross_entropy(b, COUNT / 8192, 8192, a[0], a[1], a[2], a[3]))
/* Steps of size 0, whose numbers are the last two arrays. */
static const NnSgd sgd_step = {0, (NnReal)0.9, 0, 0};
static const NnAdam adam_step = {(NnReal)0.9, (NnReal)0.99, (NnReal)1e-3, 0, 10, 0, 1};
CALL(sgd, k->sgd(b, (const NnSgd *)(const void *)a[5], COUNT, a[0], a[1], a[2]))
CALL(adam, k->adam(b, (const NnAdam *)(const void *)a[6], COUNT, a[0], a[1], a[2], a[3]))
CALL(embedding, k->gather(b, WORDS, 650, ENTRIES, a[4], a[0], 0, a[1]))
CALL(embedding_gradient, k->scatter(b, WORDS, 650, ENTRIES, a[4], a[0], a[1]))

void bench_kernels(NnBackend *b) {
  static const double n = (double)COUNT, numbers = WORDS * 650;
  static NnReal words[WORDS];
  static const struct {
    const char *name;
    BenchCall *call;
    double numbers; /* read and written */
  } kernels[] = {
      {"fill", fill, n},
      {"axpby", axpby, 2 * n},
      {"axpby, added", axpby_added, 3 * n},
      {"multiply", multiply, 3 * n},
      {"relu", relu, 2 * n},
      {"relu, chain", relu_chain, 4 * n},
      {"scale, images", scale_images, 2 * n},
      {"scale, rows", scale_rows, 3 * n},
      {"bias, images", bias, 2 * n},
      {"channel_sum, images", sum_images, n},
      {"channel_sum, rows", sum_rows, n},
      {"row_sum, images", row_sum, 2 * n},
      {"dot", dot, 2 * n},
      {"norm_statistics (two passes)", statistics, 2 * n},
      {"norm_project (three passes)", project, 6 * n},
      {"max_pool", max_pool, 1.5 * n},
      {"max_pool_scatter", max_scatter, 1.5 * n},
      {"dropout_mask", mask, n},
      {"normal", normal, n},
      {"cross_entropy, 8192 classes", entropy, 2 * n},
      {"sgd with momentum", sgd, 5 * n},
      {"adam", adam, 7 * n},
      {"gather, 2800 words of 650", embedding, 2 * numbers},
      {"scatter, 2800 words of 650", embedding_gradient, 3 * numbers},
  };
  NnReal *a[ARRAYS];
  for (int i = 0; i < ARRAYS; i++) a[i] = bench_numbers(b, i < 5 ? COUNT : 64);
  for (size_t i = 0; i < WORDS; i++) words[i] = (NnReal)(i * i % ENTRIES);
  if (b->upload(NULL, b, a[4], words, sizeof words) < 0 ||
      b->upload(NULL, b, a[5], &sgd_step, sizeof sgd_step) < 0 ||
      b->upload(NULL, b, a[6], &adam_step, sizeof adam_step) < 0)
    return;
  for (size_t r = 0; r < sizeof kernels / sizeof *kernels; r++) {
    const double t = bench_best(b, kernels[r].call, a), bytes = 4 * kernels[r].numbers;
    printf("%-32s %7.1f MB %9.3f ms %8.1f GB/s\n", kernels[r].name, 1e-6 * bytes, 1e3 * t, 1e-9 * bytes / t);
  }
  for (int i = 0; i < ARRAYS; i++) b->release(b, a[i]);
}

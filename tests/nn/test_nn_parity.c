/* Every kernel on the CPU and on the device that the first argument names: sizes that fill several blocks and
 * leave remainders, pointers that are not aligned, outputs full of NaN where they must not be read. Each
 * array is an allocation of its own, for tools that watch their ends. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "nn_check.h"

#define ARRAYS 7

typedef enum {
  NORMAL, /* standard normal                       */
  SPREAD, /* distinct numbers                      */
  RATE,   /* around 0 … 1, some below, above, NaN  */
  UNIT,   /* uniform on (0, 1)                     */
  WHOLE,  /* whole numbers below 40, a few from −2 */
  OUT,    /* NaN; compared                         */
  IN_OUT, /* normal; compared                      */
  UNIT_IN_OUT
} Fill;

typedef struct {
  const char *name;
  void (*run)(NnBackend *b, NnReal *const *a);
  double tolerance; /* of 1 + the largest number; 0: the same bits */
  struct {
    Fill fill;
    size_t count; /* 0: no array */
  } arrays[ARRAYS];
} Row;

#define KERNEL(name, ...) \
  static void name(NnBackend *b, NnReal *const *a) { __VA_ARGS__; }
#define K b->kernels

KERNEL(gemm_nn, K->gemm(b, 0, 0, 70, 50, 33, 1, a[0], 35, a[1], 52, 0, a[2], 51))
KERNEL(gemm_nt, K->gemm(b, 0, 1, 70, 50, 33, 2, a[0], 33, a[1], 34, 1, a[2], 50))
KERNEL(gemm_tn, K->gemm(b, 1, 0, 70, 50, 33, 1, a[0], 71, a[1], 50, (NnReal)0.5, a[2], 50))
KERNEL(gemm_tt, K->gemm(b, 1, 1, 70, 50, 33, -1, a[0], 70, a[1], 33, 0, a[2], 53))

/* x 3 × 5 × 13 × 12, w 4 × 5 × 3 × 3, stride 2, pad 1: y 3 × 4 × 7 × 6 */
static const NnConv conv = {3, 5, 13, 12, 4, 3, 3, 2, 1, 7, 6};
static void conv_all(NnBackend *b, NnReal *const *a, NnReal beta) {
  NnReal *work = nn_memory(b, K->conv2d_work(b, &conv));
  K->conv2d(b, &conv, a[0], a[1], beta, a[3], work);
  K->conv2d_data(b, &conv, a[1], a[2], beta, a[4], work);
  K->conv2d_filter(b, &conv, a[0], a[2], beta, a[5], work);
  BtContext ctx;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(b->finish(&ctx, b), BT_OK, &ctx);
  nn_drop(b, work);
}
KERNEL(conv_fresh, conv_all(b, a, 0))
KERNEL(conv_added, conv_all(b, a, 1))

/* Overlapping windows over a border; windows with gaps. */
static const NnPool overlapping = {30, 11, 9, 3, 2, 1, 6, 5}, gaps = {30, 11, 9, 2, 3, 0, 4, 3};
static void pool_all(NnBackend *b, const NnPool *p, NnReal *const *a, NnReal beta) {
  int32_t *index = (int32_t *)(void *)a[6];
  K->max_pool(b, p, a[0], a[2], index);
  K->max_pool_gather(b, p, a[0], index, beta, a[3]);
  K->max_pool_scatter(b, p, a[1], index, beta, a[4]);
  K->average_pool(b, p, a[0], beta, a[3]);
  K->average_pool_data(b, p, a[1], 1, a[5]);
}
KERNEL(pool_overlapping, pool_all(b, &overlapping, a, 0))
KERNEL(pool_overlapping_added, pool_all(b, &overlapping, a, (NnReal)0.5))
KERNEL(pool_gaps, pool_all(b, &gaps, a, 0))
KERNEL(pool_gather, K->max_pool(b, &overlapping, a[0], a[2], (int32_t *)(void *)a[6]);
       K->max_pool_gather(b, &overlapping, a[1], (int32_t *)(void *)a[6], 0, a[3]))

#define N ((size_t)70003)
KERNEL(fill, K->fill(b, N, 3, a[0]); K->fill(b, 1, 2, a[0] + 5); K->fill(b, 0, 1, a[0]))
KERNEL(axpby, K->axpby(b, N, 2, a[0], 0, a[1]); K->axpby(b, N, 2, a[0], -1, a[2]);
       K->axpby(b, N, (NnReal)0.5, a[3], 0, a[3]))
KERNEL(axpby_unaligned, K->axpby(b, N - 1, 2, a[0] + 1, 0, a[1] + 1);
       K->axpby(b, N - 3, 2, a[0] + 3, -1, a[2] + 1); K->axpby(b, 2, 2, a[0], 0, a[1]))
KERNEL(multiply, K->multiply(b, N, 2, a[0], a[1], 0, a[2]); K->multiply(b, N - 1, 2, a[0] + 1, a[1], 1, a[3]))
KERNEL(squares, K->multiply(b, N, 1, a[0], a[0], 0, a[1]))
static void unary_all(NnBackend *b, NnReal *const *a) {
  for (int f = 0; f < NN_UNARY_COUNT; f++) {
    const NnReal *x = a[f == NN_LOG ? 1 : 0] + f;
    K->unary(b, (NnUnary)f, 1001, x, a[2] + 1001 * f);
    K->unary_chain(b, (NnUnary)f, 1001, x, a[2] + 1001 * f, a[3], 0, a[4] + 1001 * f);
    K->unary_chain(b, (NnUnary)f, 1001, x, a[2] + 1001 * f, a[3], -2, a[5] + 1001 * f);
  }
}
KERNEL(copy_rows, K->copy_rows(b, 300, 70, 2, a[0] + 1, 75, 0, a[1], 70);
       K->copy_rows(b, 300, 70, 1, a[0], 75, (NnReal)0.5, a[2] + 2, 73))

static const NnRows images = {6, 1, 5, 700}, sequences = {7, 9, 70, 1}, vectors = {5000, 1, 33, 1},
                    wide = {3, 1, 40000, 1}, one = {1, 1, 1, 50001}, planes = {40, 3, 6, 4};
static void channels(NnBackend *b, NnRows n, NnReal *const *a) {
  const size_t stride = n.channels + 1;
  K->scale(b, n, a[1], stride, a[0], 0, a[2]);
  K->scale(b, n, a[1], 0, a[0], 1, a[2]);
  K->broadcast(b, n, a[1], NULL, 0, 2, a[2]);
  K->broadcast(b, n, NULL, a[1], stride, 1, a[2]);
  K->channel_sum(b, n, NULL, 0, a[0], NULL, 0, a[3]);
  K->channel_sum(b, n, a[1], stride, a[0], a[2], 1, a[3]);
  K->row_sum(b, n, NULL, a[0], NULL, 0, a[4], stride);
  K->row_sum(b, n, a[1], a[0], a[2], (NnReal)0.5, a[4], stride);
  K->dot(b, nn_rows_count(n), 2, a[0], a[2], 0, a[5]);
  K->dot(b, nn_rows_count(n), 1, a[0], NULL, 1, a[5]);
}
KERNEL(channels_images, channels(b, images, a))
KERNEL(channels_sequences, channels(b, sequences, a))
KERNEL(channels_vectors, channels(b, vectors, a))
KERNEL(channels_wide, channels(b, wide, a))
KERNEL(channels_one, channels(b, one, a))
KERNEL(channels_planes, channels(b, planes, a))
/* The last row's stride leaves one number behind it; rows of sums are as far apart as those of factors. */
#define CHANNELS(rows, repeat, channels, plane)                                   \
  {                                                                               \
    {NORMAL, (size_t)(rows) * (repeat) * (channels) * (plane)},                   \
        {NORMAL, (size_t)(rows) * ((channels) + 1) - 1},                          \
        {OUT, (size_t)(rows) * (repeat) * (channels) * (plane)}, {OUT, channels}, \
        {IN_OUT, (size_t)(rows) * ((channels) + 1) - 1}, {                        \
      OUT, 1                                                                      \
    }                                                                             \
  }

static void norm(NnBackend *b, NnRows n, NnReal *const *a) {
  NnReal *mean = a[3], *inverse = a[3] + n.channels, *variance = inverse + n.channels;
  K->norm_statistics(b, n, a[0], (NnReal)1e-5, mean, inverse, variance);
  K->norm_apply(b, n, a[0], mean, inverse, a[1], a[1] + n.channels, a[4], a[5]);
  K->norm_project(b, n, a[2], a[4], inverse, a[1], 0, a[6]);
  K->norm_project(b, n, a[2], a[4], inverse, a[1], 1, a[6]);
  K->norm_inverse(b, n.channels, variance, (NnReal)1e-3, inverse);
}
KERNEL(norm_images, norm(b, images, a))
KERNEL(norm_vectors, norm(b, vectors, a))
#define NORM(rows, channels, plane)                                                                   \
  {                                                                                                   \
    {NORMAL, (size_t)(rows) * (channels) * (plane)}, {NORMAL, 2 * (channels)},                        \
        {NORMAL, (size_t)(rows) * (channels) * (plane)}, {OUT, 3 * (channels)},                       \
        {OUT, (size_t)(rows) * (channels) * (plane)}, {OUT, (size_t)(rows) * (channels) * (plane)}, { \
      OUT, (size_t)(rows) * (channels) * (plane)                                                      \
    }                                                                                                 \
  }

/* Labels are whole numbers below 40, a few negative: their rows must become NaN. */
static void entropy(NnBackend *b, size_t rows, size_t classes, NnReal *const *a) {
  K->cross_entropy(b, rows, classes, a[0], a[1], a[3], a[4]);
  K->cross_entropy_jvp(b, rows, classes, a[3], a[1], a[2], 0, a[5]);
  K->cross_entropy_jvp(b, rows, classes, a[3], a[1], a[2], 1, a[5]);
  K->cross_entropy_vjp(b, rows, classes, a[3], a[1], a[2], 0, a[6]);
}
KERNEL(entropy_small, entropy(b, 301, 41, a))
KERNEL(entropy_large, entropy(b, 5, 3000, a))
#define ENTROPY(rows, classes)                                                                 \
  {                                                                                            \
    {NORMAL, (size_t)(rows) * (classes)}, {WHOLE, rows}, {NORMAL, (size_t)(rows) * (classes)}, \
        {OUT, (size_t)(rows) * (classes)}, {OUT, rows}, {OUT, rows}, {                         \
      OUT, (size_t)(rows) * (classes)                                                          \
    }                                                                                          \
  }

KERNEL(look_up, K->gather(b, 900, 300, 40, a[0], a[1], 0, a[2]);
       K->gather(b, 900, 300, 40, a[0], a[1], 2, a[3]); K->scatter(b, 900, 300, 40, a[0], a[4], a[5]))

#define R ((size_t)9)
#define H ((size_t)70)
KERNEL(lstm, K->lstm(b, R, H, a[0], a[1], a[2], a[3]); K->lstm_jvp(b, R, H, a[1], a[3], a[0], a[1], a[4]);
       K->lstm_vjp(b, R, H, a[1], a[3], a[2], 0, a[5], 0, a[6]))
KERNEL(lstm_parts, K->lstm(b, R, H, a[0], a[1], a[2], a[3]);
       K->lstm_jvp(b, R, H, a[1], a[3], NULL, a[1], a[4]); K->lstm_jvp(b, R, H, a[1], a[3], a[0], NULL, a[4]);
       K->lstm_vjp(b, R, H, a[1], a[3], a[2], 1, a[5], 0, NULL);
       K->lstm_vjp(b, R, H, a[1], a[3], a[2], 0, NULL, 1, a[6]))

static const NnKey key = {.seed = 0x123456789abcdefull, .step = 0x100000007ull, .stream = 3};
KERNEL(masks, K->dropout_mask(b, key, 7, 3001, a[0], 2, a[1]);
       K->dropout_mask(b, key, 5000, 1, a[2], 1, a[3]); K->dropout_mask(b, key, 3, 1000, a[0], 0, a[4] + 1))
KERNEL(noise, K->normal(b, key, 30001, a[0]))

/* Steps with numbers that lie on the backend. */
static void sgd(NnBackend *b, NnReal *const *a) {
  const NnSgd o[3] = {{(NnReal)0.1, (NnReal)0.9, (NnReal)0.01, 1},
                      {(NnReal)0.1, (NnReal)0.9, (NnReal)0.01, 0},
                      {(NnReal)0.1, 0, (NnReal)0.01, 0}};
  NnSgd *there = nn_put_bytes(b, o, sizeof o);
  for (int i = 0; i < 3; i++) K->sgd(b, there + i, N, a[0], a[1], i < 2 ? a[2] : NULL);
  nn_drop(b, there);
}

static void adam(NnBackend *b, NnReal *const *a) {
  const NnAdam o[2] = {
      {(NnReal)0.9, (NnReal)0.99, (NnReal)1e-4, (NnReal)0.1, 10, (NnReal)0.1, 1},
      {(NnReal)0.9, (NnReal)0.99, (NnReal)1e-4, (NnReal)0.05, (NnReal)7.07, 0, (NnReal)0.999}};
  NnAdam *there = nn_put_bytes(b, o, sizeof o);
  for (int i = 0; i < 2; i++) K->adam(b, there + i, N, a[0], a[1], a[2], a[3]);
  nn_drop(b, there);
}

static void rmsprop(NnBackend *b, NnReal *const *a) {
  const NnRmsprop o[2] = {{(NnReal)1e-2, (NnReal)0.9, (NnReal)1e-3, (NnReal)0.5, (NnReal)0.1},
                          {(NnReal)1e-2, (NnReal)0.9, (NnReal)1e-3, 0, 0}};
  NnRmsprop *there = nn_put_bytes(b, o, sizeof o);
  for (int i = 0; i < 2; i++) K->rmsprop(b, there + i, N, a[0], a[1], a[2], i ? NULL : a[3]);
  nn_drop(b, there);
}

KERNEL(clip, K->dot(b, N, 1, a[0], a[0], 0, a[1]); K->clip(b, N, 0.3, a[1], a[0]);
       K->dot(b, N, 1, a[2], a[2], 0, a[1]); K->clip(b, N, 1e9, a[1], a[2]))

/* The masks of a key are those of one whose step lies on the backend. */
static void based(NnBackend *b, NnReal *const *a) {
  const uint64_t step = key.step - 5;
  uint64_t *base = nn_put_bytes(b, &step, sizeof step);
  NnKey k = key;
  k.step = 5, k.base = base;
  K->dropout_mask(b, k, 7, 3001, a[0], 2, a[1]);
  K->normal(b, k, 3001, a[2]);
  nn_drop(b, base);
}

static const NnImages colours = {5, 3, 37, 41}, gray = {5, 1, 37, 41};
static void augment(NnBackend *b, const NnImages *n, NnReal *const *a, size_t stride) {
  const NnStrengths s = {{a[1], a[1] + 1, a[1] + 2, a[1] + 3}, stride},
                    light = {{NULL, NULL, a[1], a[1] + 1}, stride};
  const NnStrengths holes = {{a[2], a[2] + 1}, stride ? 2 : 0};
  const size_t count = n->rows * n->channels * n->height * n->width;
  K->flip(b, key, n, a[0], a[3]);
  K->crop(b, key, n, 4, a[3], a[4]);
  K->cutout(b, key, n, &holes, a[4], a[3]);
  K->jitter(b, key, n, n->channels == 3 ? &s : &light, a[0], a[4]);
  K->axpby(b, count, 1, a[3], 0, a[5]);
  K->affine(b, key, n, &s, a[0], a[6]);
}
KERNEL(augment_colours, augment(b, &colours, a, 4))
KERNEL(augment_gray, augment(b, &gray, a, 0))
#define AUGMENT(count)                                                                               \
  {                                                                                                  \
    {UNIT, count}, {UNIT, 20}, {WHOLE, 10}, {OUT, count}, {OUT, count}, {OUT, count}, { OUT, count } \
  }

#define POOL(in, out)                                                                                \
  {                                                                                                  \
    {SPREAD, in}, {NORMAL, out}, {OUT, out}, {IN_OUT, out}, {IN_OUT, in}, {IN_OUT, in}, { OUT, out } \
  }
#define CONV(fill)                                                                         \
  {                                                                                        \
    {NORMAL, 2340}, {NORMAL, 180}, {NORMAL, 504}, {fill, 504}, {fill, 2340}, { fill, 180 } \
  }

static const Row rows[] = {
    {"gemm", gemm_nn, 2e-6, {{NORMAL, 69 * 35 + 33}, {NORMAL, 32 * 52 + 50}, {IN_OUT, 69 * 51 + 50}}},
    {"gemm, B transposed", gemm_nt, 2e-6, {{NORMAL, 70 * 33}, {NORMAL, 49 * 34 + 33}, {IN_OUT, 70 * 50}}},
    {"gemm, A transposed", gemm_tn, 2e-6, {{NORMAL, 32 * 71 + 70}, {NORMAL, 33 * 50}, {IN_OUT, 70 * 50}}},
    {"gemm, both transposed", gemm_tt, 2e-6, {{NORMAL, 33 * 70}, {NORMAL, 50 * 33}, {IN_OUT, 69 * 53 + 50}}},
    {"convolutions", conv_fresh, 1e-5, CONV(OUT)},
    {"convolutions, added", conv_added, 1e-5, CONV(IN_OUT)},
    {"pooling, overlapping", pool_overlapping, 1e-6, POOL(2970, 900)},
    {"pooling, overlapping, added", pool_overlapping_added, 1e-6, POOL(2970, 900)},
    {"pooling, gaps", pool_gaps, 1e-6, POOL(2970, 360)},
    {"max_pool_gather",
     pool_gather,
     0,
     {{SPREAD, 2970}, {NORMAL, 2970}, {OUT, 900}, {OUT, 900}, {0}, {0}, {OUT, 900}}},
    {"fill", fill, 0, {{OUT, N}}},
    {"axpby", axpby, 1e-6, {{NORMAL, N}, {OUT, N}, {IN_OUT, N}, {IN_OUT, N}}},
    {"axpby, not aligned", axpby_unaligned, 1e-6, {{NORMAL, N}, {IN_OUT, N}, {IN_OUT, N}}},
    {"multiply", multiply, 1e-6, {{NORMAL, N}, {NORMAL, N}, {OUT, N}, {IN_OUT, N}}},
    {"multiply by itself", squares, 1e-6, {{NORMAL, N}, {OUT, N}}},
    {"unary",
     unary_all,
     1e-6,
     {{NORMAL, 1010}, {UNIT, 1010}, {OUT, 7007}, {NORMAL, 1001}, {OUT, 7007}, {IN_OUT, 7007}}},
    {"copy_rows", copy_rows, 1e-6, {{NORMAL, 299 * 75 + 71}, {OUT, 300 * 70}, {IN_OUT, 299 * 73 + 72}}},
    {"sums and products, images", channels_images, 1e-5, CHANNELS(6, 1, 5, 700)},
    {"sums and products, sequences", channels_sequences, 1e-5, CHANNELS(7, 9, 70, 1)},
    {"sums and products, vectors", channels_vectors, 1e-5, CHANNELS(5000, 1, 33, 1)},
    {"sums and products, wide", channels_wide, 1e-5, CHANNELS(3, 1, 40000, 1)},
    {"sums and products, one", channels_one, 1e-5, CHANNELS(1, 1, 1, 50001)},
    {"sums and products, planes of sequences", channels_planes, 1e-5, CHANNELS(40, 3, 6, 4)},
    {"normalisation, images", norm_images, 1e-5, NORM(6, 5, 700)},
    {"normalisation, vectors", norm_vectors, 1e-5, NORM(5000, 33, 1)},
    {"cross entropy", entropy_small, 3e-6, ENTROPY(301, 41)},
    {"cross entropy, many classes", entropy_large, 3e-6, ENTROPY(5, 3000)},
    {"gather and scatter",
     look_up,
     0,
     {{WHOLE, 900}, {NORMAL, 12000}, {OUT, 270000}, {IN_OUT, 270000}, {NORMAL, 270000}, {IN_OUT, 12000}}},
    {"lstm",
     lstm,
     2e-6,
     {{NORMAL, R * 4 * H},
      {NORMAL, R * 2 * H},
      {OUT, R * 2 * H},
      {OUT, R * 5 * H},
      {OUT, R * 2 * H},
      {OUT, R * 4 * H},
      {OUT, R * 2 * H}}},
    {"lstm, parts",
     lstm_parts,
     2e-6,
     {{NORMAL, R * 4 * H},
      {NORMAL, R * 2 * H},
      {OUT, R * 2 * H},
      {OUT, R * 5 * H},
      {OUT, R * 2 * H},
      {IN_OUT, R * 4 * H},
      {IN_OUT, R * 2 * H}}},
    {"dropout_mask", masks, 0, {{RATE, 14}, {OUT, 21007}, {RATE, 5000}, {OUT, 5000}, {IN_OUT, 3001}}},
    {"normal", noise, 1e-6, {{OUT, 30001}}},
    {"draws with a base", based, 1e-6, {{RATE, 14}, {OUT, 21007}, {OUT, 3001}}},
    {"clip", clip, 1e-6, {{IN_OUT, N}, {OUT, 1}, {IN_OUT, N}}},
    {"sgd", sgd, 1e-6, {{NORMAL, N}, {IN_OUT, N}, {IN_OUT, N}}},
    {"adam", adam, 1e-5, {{NORMAL, N}, {IN_OUT, N}, {IN_OUT, N}, {UNIT_IN_OUT, N}}},
    {"rmsprop", rmsprop, 1e-5, {{NORMAL, N}, {IN_OUT, N}, {UNIT_IN_OUT, N}, {IN_OUT, N}}},
    {"augmentations", augment_colours, 1e-4, AUGMENT(5 * 3 * 37 * 41)},
    {"augmentations, gray", augment_gray, 1e-4, AUGMENT(5 * 37 * 41)},
};

static NnReal element(Fill fill, uint64_t stream, size_t i) {
  const double u = bt_rng_uniform(3, stream, i), z = bt_rng_normal(4, stream, i);
  switch (fill) {
    case SPREAD: return (NnReal)((double)(i * 7919 % 100003) * 1e-4);
    case RATE: return (NnReal)(i % 97 == 5 ? NAN : 1.4 * u - 0.2);
    case UNIT:
    case UNIT_IN_OUT: return (NnReal)u;
    case WHOLE: return (NnReal)floor(42 * u - 2);
    case OUT: return (NnReal)NAN;
    default: return (NnReal)z;
  }
}

/* The arrays of a row after it ran on a device. */
static void run_row(const Row *row, const char *name, NnReal *result[ARRAYS]) {
  BtContext ctx;
  NnBackend *b;
  NnReal *a[ARRAYS] = {0};
  bt_context_init(&ctx);
  if (!BT_CHECK_STATUS(nn_backend_open(&ctx, name, 2, &b), BT_OK, &ctx)) abort();
  for (int k = 0; k < ARRAYS; k++) {
    const size_t n = row->arrays[k].count;
    if (!n) continue;
    result[k] = malloc(n * sizeof **result);
    if (!result[k]) abort();
    for (size_t i = 0; i < n; i++) result[k][i] = element(row->arrays[k].fill, (uint64_t)k, i);
    a[k] = nn_put(b, result[k], n);
  }
  row->run(b, a);
  BT_CHECK_ROW(b->finish(&ctx, b) == BT_OK, "%s on %s: %s", row->name, name, ctx.error);
  for (int k = 0; k < ARRAYS; k++)
    if (a[k]) nn_take(b, a[k], result[k], row->arrays[k].count);
  nn_backend_close(b);
}

static void compare(const Row *row, int k, const NnReal *cpu, const NnReal *device) {
  double error = 0, scale = 1;
  size_t where = 0;
  for (size_t i = 0; i < row->arrays[k].count; i++) {
    const double x = (double)cpu[i], y = (double)device[i];
    if (isfinite(x)) scale = fmax(scale, fabs(x));
    /* NaN where the CPU has it, and nowhere else. */
    const double d = isnan(x) || isnan(y) ? (isnan(x) && isnan(y) ? 0 : INFINITY) : fabs(x - y);
    if (d > error) error = d, where = i;
  }
  BT_CHECK_ROW(error <= row->tolerance * scale, "%s, array %d, element %zu: %.9g instead of %.9g, of %g",
               row->name, k, where, (double)device[where], (double)cpu[where], scale);
}

static void every_kernel(void) {
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    NnReal *result[2][ARRAYS] = {{0}};
    run_row(&rows[r], "cpu", result[0]);
    run_row(&rows[r], nn_test_device(), result[1]);
    for (int k = 0; k < ARRAYS; k++) {
      if (result[0][k]) compare(&rows[r], k, result[0][k], result[1][k]);
      free(result[0][k]);
      free(result[1][k]);
    }
  }
}

static const BtTest tests[] = {{"every kernel as on the CPU", every_kernel}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "parity of devices", tests, sizeof tests / sizeof *tests);
}

/* Kernels against plain loops; masks and noise against their definition; the same bits for any number of
 * threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "nn_check.h"

#define TOLERANCE NN_TOLERANCE(2e-5, 1e-13)

static NnReal *numbers(size_t n, uint64_t stream) {
  NnReal *x = malloc((n ? n : 1) * sizeof *x);
  if (!x) abort();
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)bt_rng_normal(3, stream, i);
  return x;
}

static NnReal *copy_of(const NnReal *x, size_t n) {
  NnReal *y = malloc(n * sizeof *y);
  if (!y) abort();
  memcpy(y, x, n * sizeof *y);
  return y;
}

static void compare(const char *what, size_t row, size_t n, const NnReal *got, const NnReal *wanted,
                    double scale) {
  double error = 0;
  for (size_t i = 0; i < n; i++)
    error = fmax(error, isnan((double)got[i]) ? INFINITY : fabs((double)got[i] - (double)wanted[i]));
  BT_CHECK_ROW(error <= TOLERANCE * scale, "%s, row %zu: off by %g", what, row, error);
}

static void products(void) {
  static const struct {
    size_t m, n, k;
    int ta, tb;
    double alpha, beta;
  } rows[] = {{1, 1, 1, 0, 0, 1, 0},       {3, 5, 7, 0, 1, 2, 1},       {5, 3, 4, 1, 0, -1, 0.5},
              {200, 333, 97, 0, 0, 1, 0},  {333, 200, 130, 1, 1, 1, 1}, {1000, 10, 784, 0, 1, 1, 0},
              {10, 1000, 128, 1, 0, 1, 0}, {97, 64, 500, 1, 1, 0.5, 2}};
  NnBackend *b = nn_test_backend(3);
  BT_NEED(b);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    const size_t m = rows[r].m, n = rows[r].n, k = rows[r].k;
    const size_t lda = (rows[r].ta ? m : k) + 1, ldb = (rows[r].tb ? k : n) + 2, ldc = n + 3;
    NnReal *A = numbers((rows[r].ta ? k : m) * lda, 1), *B = numbers((rows[r].tb ? n : k) * ldb, 2);
    NnReal *C = numbers(m * ldc, 3), *wanted = copy_of(C, m * ldc);
    NnReal *a = nn_put(b, A, (rows[r].ta ? k : m) * lda), *d = nn_put(b, B, (rows[r].tb ? n : k) * ldb),
           *c = nn_put(b, C, m * ldc);
    b->kernels->gemm(b, rows[r].ta, rows[r].tb, m, n, k, (NnReal)rows[r].alpha, a, lda, d, ldb,
                     (NnReal)rows[r].beta, c, ldc);
    nn_drop(b, a), nn_drop(b, d);
    nn_take(b, c, C, m * ldc);
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (size_t l = 0; l < k; l++)
          sum += (double)A[rows[r].ta ? l * lda + i : i * lda + l] *
                 (double)B[rows[r].tb ? j * ldb + l : l * ldb + j];
        wanted[i * ldc + j] = (NnReal)(rows[r].alpha * sum + rows[r].beta * (double)wanted[i * ldc + j]);
      }
    compare("gemm", r, m * ldc, C, wanted, sqrt((double)k) * 3);
    free(A), free(B), free(C), free(wanted);
  }
  nn_backend_close(b);
}

static void convolutions(void) {
  static const NnConv rows[] = {{3, 2, 5, 6, 4, 3, 3, 1, 1, 5, 6},     {2, 1, 9, 8, 3, 5, 5, 2, 2, 5, 4},
                                {7, 3, 2, 2, 5, 3, 3, 1, 1, 2, 2},     {2, 2, 6, 7, 2, 1, 1, 3, 0, 2, 3},
                                {2, 1, 30, 31, 2, 3, 5, 1, 2, 32, 31}, {9, 4, 1, 1, 3, 3, 3, 1, 1, 1, 1},
                                {70, 1, 8, 8, 3, 3, 3, 1, 1, 8, 8}};
  NnBackend *b = nn_test_backend(2);
  BT_NEED(b);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    const NnConv *c = &rows[r];
    const size_t in = c->batch * c->channels * c->height * c->width, plane = c->out_height * c->out_width;
    const size_t out = c->batch * c->filters * plane, taps = c->kernel_height * c->kernel_width;
    NnReal *x = numbers(in, 1), *w = numbers(c->filters * c->channels * taps, 2), *y = numbers(out, 3);
    NnReal *wanted = copy_of(y, out);
    for (size_t beta = 0; beta < 2; beta++) {
      NnReal *work = nn_memory(b, b->kernels->conv2d_work(b, c)), *dx = nn_put(b, x, in),
             *dw = nn_put(b, w, c->filters * c->channels * taps), *dy = nn_put(b, y, out);
      b->kernels->conv2d(b, c, dx, dw, (NnReal)beta, dy, work);
      nn_drop(b, dx), nn_drop(b, dw), nn_drop(b, work);
      nn_take(b, dy, y, out);
      for (size_t o = 0; o < out; o++) {
        const size_t n = o / plane / c->filters, f = o / plane % c->filters, oy = o % plane / c->out_width,
                     ox = o % c->out_width;
        double sum = (double)beta * (double)wanted[o];
        for (size_t q = 0; q < c->channels; q++)
          for (size_t i = 0; i < c->kernel_height; i++)
            for (size_t j = 0; j < c->kernel_width; j++) {
              const long long iy = (long long)(oy * c->stride + i) - (long long)c->pad;
              const long long ix = (long long)(ox * c->stride + j) - (long long)c->pad;
              if (iy < 0 || ix < 0 || iy >= (long long)c->height || ix >= (long long)c->width) continue;
              sum += (double)w[(f * c->channels + q) * taps + i * c->kernel_width + j] *
                     (double)x[((n * c->channels + q) * c->height + (size_t)iy) * c->width + (size_t)ix];
            }
        wanted[o] = (NnReal)sum;
      }
      compare("conv2d", r, out, y, wanted, sqrt((double)(c->channels * taps)) * 6);
    }
    free(x), free(w), free(y), free(wanted);
  }
  nn_backend_close(b);
}

static void pooling(void) {
  static const NnPool rows[] = {{4, 6, 6, 2, 2, 0, 3, 3}, {3, 7, 5, 3, 2, 1, 4, 3}, {2, 4, 4, 4, 1, 0, 1, 1}};
  BtContext ctx;
  NnBackend *b = nn_test_backend(2);
  bt_context_init(&ctx);
  BT_NEED(b);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    const NnPool *p = &rows[r];
    const size_t in = p->planes * p->height * p->width, plane = p->out_height * p->out_width,
                 out = p->planes * plane;
    NnReal *x = numbers(in, 1), *most = numbers(out, 2), *mean = numbers(out, 3);
    NnReal *want_most = copy_of(most, out), *want_mean = copy_of(mean, out);
    int32_t *index = calloc(out, sizeof *index);
    if (!index) abort();
    for (size_t o = 0; o < out; o++) {
      double best = -INFINITY, sum = 0, count = 0;
      for (size_t i = 0; i < p->kernel; i++)
        for (size_t j = 0; j < p->kernel; j++) {
          const long long iy = (long long)(o % plane / p->out_width * p->stride + i) - (long long)p->pad;
          const long long ix = (long long)(o % p->out_width * p->stride + j) - (long long)p->pad;
          if (iy < 0 || ix < 0 || iy >= (long long)p->height || ix >= (long long)p->width) continue;
          const double v = (double)x[(o / plane * p->height + (size_t)iy) * p->width + (size_t)ix];
          best = fmax(best, v), sum += v, count++;
        }
      want_most[o] = (NnReal)best, want_mean[o] = (NnReal)(sum / count);
    }
    NnReal *dx = nn_put(b, x, in), *d_most = nn_memory(b, out), *d_mean = nn_memory(b, out),
           *d_index = nn_memory(b, out * sizeof(int32_t) / sizeof(NnReal) + 1);
    b->kernels->max_pool(b, p, dx, d_most, (int32_t *)(void *)d_index);
    b->kernels->average_pool(b, p, dx, 0, d_mean);
    BT_CHECK_STATUS(b->download(&ctx, b, index, d_index, out * sizeof *index), BT_OK, &ctx);
    nn_drop(b, dx), nn_drop(b, d_index);
    nn_take(b, d_most, most, out);
    nn_take(b, d_mean, mean, out);
    compare("max_pool", r, out, most, want_most, 1);
    compare("average_pool", r, out, mean, want_mean, 1);
    for (size_t o = 0; o < out; o++)
      BT_CHECK(x[o / plane * p->height * p->width + (size_t)index[o]] == most[o]);
    free(x), free(most), free(mean), free(want_most), free(want_mean), free(index);
  }
  nn_backend_close(b);
}

/* Sums and products of [rows][repeat][channels][plane], all forms of the optional arguments. */
static void channels(void) {
  static const NnRows rows[] = {{5, 1, 7, 1},    {3, 4, 6, 1}, {4, 1, 3, 10},
                                {1, 1, 1, 9000}, {2, 3, 2, 5}, {300, 1, 70, 1}};
  NnBackend *b = nn_test_backend(3);
  BT_NEED(b);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
    for (int form = 0; form < 4; form++) {
      const NnRows n = rows[r];
      const size_t count = nn_rows_count(n), stride = n.channels + 1, line = n.channels * n.plane;
      NnReal *x = numbers(count, 1), *z = numbers(count, 2), *s = numbers(n.rows * stride, 3),
             *u = numbers(n.channels, 4);
      NnReal *c = numbers(n.channels, 5), *d = numbers(n.rows * stride, 6), *y = numbers(count, 7),
             *v = numbers(count, 8);
      NnReal *wc = copy_of(c, n.channels), *wd = copy_of(d, n.rows * stride), *wy = copy_of(y, count),
             *wv = copy_of(v, count);
      const NnReal *opt_s = form & 1 ? s : NULL, *opt_z = form & 2 ? z : NULL, *opt_u = form & 1 ? u : NULL;
      const NnReal *bs = form & 2 ? s : NULL;
      for (size_t k = 0; k < n.channels; k++) wc[k] = (NnReal)(0.5 * (double)wc[k]);
      for (size_t k = 0; k < n.rows; k++)
        for (size_t q = 0; q < n.channels; q++)
          wd[k * stride + q] = (NnReal)(0.5 * (double)wd[k * stride + q]);
      for (size_t i = 0; i < count; i++) {
        const size_t row = i / line / n.repeat, k = i % line / n.plane;
        const double product = (double)x[i] * (opt_z ? (double)z[i] : 1), a = (double)s[row * stride + k];
        wc[k] = (NnReal)((double)wc[k] + product * (opt_s ? a : 1));
        wd[row * stride + k] = (NnReal)((double)wd[row * stride + k] + product * (opt_u ? (double)u[k] : 1));
        wy[i] = (NnReal)(2 * (double)wy[i] + a * (double)x[i]);
        wv[i] = (NnReal)((form & 2 ? (double)wv[i] : 0) + (opt_u ? (double)u[k] : 1) * (bs ? a : 1));
      }
      const size_t wide = n.rows * stride;
      NnReal *dx = nn_put(b, x, count), *dz = nn_put(b, opt_z, count), *ds = nn_put(b, s, wide),
             *du = nn_put(b, opt_u, n.channels);
      NnReal *dc = nn_put(b, c, n.channels), *dd = nn_put(b, d, wide), *dy = nn_put(b, y, count),
             *dv = nn_put(b, v, count);
      b->kernels->channel_sum(b, n, opt_s ? ds : NULL, stride, dx, dz, (NnReal)0.5, dc);
      b->kernels->row_sum(b, n, du, dx, dz, (NnReal)0.5, dd, stride);
      b->kernels->scale(b, n, ds, stride, dx, 2, dy);
      b->kernels->broadcast(b, n, du, bs ? ds : NULL, stride, (NnReal)(form & 2 ? 1 : 0), dv);
      nn_drop(b, dx), nn_drop(b, dz), nn_drop(b, ds), nn_drop(b, du);
      nn_take(b, dc, c, n.channels), nn_take(b, dd, d, wide), nn_take(b, dy, y, count),
          nn_take(b, dv, v, count);
      compare("channel_sum", r, n.channels, c, wc, 100);
      compare("row_sum", r, n.rows * stride, d, wd, 100);
      compare("scale", r, count, y, wy, 10);
      compare("broadcast", r, count, v, wv, 10);
      free(x), free(z), free(s), free(u), free(c), free(d), free(y), free(v);
      free(wc), free(wd), free(wy), free(wv);
    }
  nn_backend_close(b);
}

static void draw_mask(NnBackend *b, NnKey key, size_t rows, size_t count, const NnReal *rate, size_t stride,
                      NnReal *mask) {
  NnReal *r = nn_put(b, rate, rows * stride), *m = nn_memory(b, rows * count);
  b->kernels->dropout_mask(b, key, rows, count, r, stride, m);
  nn_drop(b, r);
  nn_take(b, m, mask, rows * count);
}

static void masks(void) {
  enum { ROWS = 7, COUNT = 5000 };
  static NnReal mask[ROWS * COUNT], again[ROWS * COUNT];
  const NnReal rate[ROWS][2] = {{0, 0}, {(NnReal)0.1, 0}, {(NnReal)0.5, 0}, {(NnReal)0.95, 0},
                                {1, 0}, {(NnReal)NAN, 0}, {-1, 0}};
  NnBackend *b = nn_test_backend(3);
  BT_NEED(b);
  const NnKey key = {.seed = 0x123456789abcdefull, .step = 77, .stream = 5};
  draw_mask(b, key, ROWS, COUNT, rate[0], 2, mask);
  for (size_t r = 0; r < ROWS; r++) {
    const double q = rate[r][0] > 0 ? fmin((double)rate[r][0], 1) : 0;
    size_t dropped = 0, wrong = 0;
    for (size_t i = r * COUNT; i < (r + 1) * COUNT; i++) {
      /* Element i is word i mod 4 of Philox block i/4. */
      const uint32_t counter[4] = {(uint32_t)(i / 4), 5, 77, 0}, k[2] = {0x89abcdefu, 0x1234567u};
      uint32_t word[4];
      bt_philox(counter, k, word);
      const int keep = (double)word[i % 4] >= floor(q * 0x1p32);
      const NnReal used = q > 0 ? rate[r][0] : 0, wanted = keep && q < 1 ? 1 / (1 - used) : 0;
      wrong += mask[i] != wanted;
      dropped += mask[i] == 0;
    }
    BT_CHECK_ROW(wrong == 0, "mask of rate %g: %zu elements differ from the definition", q, wrong);
    BT_CHECK_NEAR((double)dropped / COUNT, q, 5 * sqrt(q * (1 - q) / COUNT));
  }
  /* A part of the step may lie on the backend. */
  const uint64_t part = 70;
  uint64_t *base = nn_put_bytes(b, &part, sizeof part);
  NnKey based = key;
  based.step = 7, based.base = base;
  draw_mask(b, based, ROWS, COUNT, rate[0], 2, again);
  BT_CHECK(memcmp(mask, again, sizeof mask) == 0);
  nn_drop(b, base);
  /* A smaller batch is a prefix; seed, step and stream matter. */
  draw_mask(b, key, 3, COUNT, rate[0], 2, again);
  BT_CHECK(memcmp(mask, again, 3 * COUNT * sizeof *mask) == 0);
  for (int k = 0; k < 3; k++) {
    NnKey other = key;
    if (k == 0) other.seed++;
    if (k == 1) other.step++;
    if (k == 2) other.stream++;
    draw_mask(b, other, 3, COUNT, rate[0], 2, again);
    size_t same = 0;
    for (size_t i = 2 * COUNT; i < 3 * COUNT; i++) same += mask[i] == again[i];
    BT_CHECK_NEAR((double)same / COUNT, 0.5, 5 * 0.5 / sqrt((double)COUNT));
  }
  nn_backend_close(b);
}

static void noise(void) {
  enum { MANY = 200001 };
  static NnReal x[MANY];
  double m1 = 0, m2 = 0, m4 = 0, lag = 0;
  NnBackend *b = nn_test_backend(2);
  BT_NEED(b);
  NnReal *drawn = nn_memory(b, MANY);
  b->kernels->normal(b, (NnKey){.seed = 9, .step = 1, .stream = 2}, MANY, drawn);
  nn_take(b, drawn, x, MANY);
  for (size_t i = 0; i + 1 < MANY; i++) {
    const double v = (double)x[i];
    m1 += v, m2 += v * v, m4 += v * v * v * v, lag += v * (double)x[i + 1];
  }
  const double n = MANY - 1, five = 5 / sqrt(n);
  BT_CHECK_NEAR(m1 / n, 0, five);
  BT_CHECK_NEAR(m2 / n, 1, five * sqrt(2));
  BT_CHECK_NEAR(m4 / n, 3, five * sqrt(96));
  BT_CHECK_NEAR(lag / n, 0, five);
  nn_backend_close(b);
}

/* A network large enough that every kernel splits its work. */
static NnId network(NnGraph *g) {
  const NnId rates = nn_input(g, "rates", NN_SHAPE(2)), delta = nn_input(g, "delta", NN_SHAPE(2));
  const NnShape w = NN_SHAPE(20, 3, 3, 3), v = NN_SHAPE(300, 20 * 8 * 8);
  const NnResponse r = {delta, nn_parameter(g, "U1", NN_RESPONSE, w),
                        nn_parameter(g, "u1", NN_RESPONSE, NN_SHAPE(20)),
                        nn_parameter(g, "V1", NN_RESPONSE, NN_SHAPE(20, 2)),
                        nn_parameter(g, "C1", NN_RESPONSE, NN_SHAPE(20, 2))};
  NnId x = nn_conv2d(g, nn_input(g, "x", NN_SHAPE(3, 16, 16)), nn_parameter(g, "W1", NN_GENERAL, w),
                     nn_parameter(g, "b1", NN_GENERAL, NN_SHAPE(20)), 1, 1, &r);
  x = nn_batch_norm(g, x, nn_parameter(g, "gamma", NN_GENERAL, NN_SHAPE(20)),
                    nn_parameter(g, "beta", NN_GENERAL, NN_SHAPE(20)),
                    nn_parameter(g, "mean", NN_BUFFER, NN_SHAPE(20)),
                    nn_parameter(g, "variance", NN_BUFFER, NN_SHAPE(20)), 0.1, 1e-5);
  x = nn_dropout(g, nn_max_pool(g, nn_unary(g, NN_RELU, x), 2, 2, 0), rates, 0, NN_DROP_ELEMENTS);
  const NnResponse q = {delta, nn_parameter(g, "U2", NN_RESPONSE, v), NN_NONE,
                        nn_parameter(g, "V2", NN_RESPONSE, NN_SHAPE(300, 2)), NN_NONE};
  x = nn_linear(g, nn_reshape(g, x, NN_SHAPE(20 * 8 * 8)), nn_parameter(g, "W2", NN_GENERAL, v), NN_NONE, &q);
  return nn_mean(g, nn_cross_entropy(g, x, nn_input(g, "label:300", NN_SHAPE(1))));
}

/* All parameters' gradients and the buffers, one after the other; *count their number. `garbage` overwrites
 * the row after the batch. */
static NnReal *gradients(int threads, size_t max_batch, size_t *count) {
  BtContext ctx;
  NnGraph *g;
  NnBackend *b = nn_test_backend(threads);
  NnReal *all = NULL;
  const NnRun run = {.batch = 20, .seed = 4, .step = 9, .response = NN_RESPONSE_FULL, .training = 1};
  bt_context_init(&ctx);
  BT_CHECK_STATUS(nn_graph_create(&ctx, b, max_batch, &g), BT_OK, &ctx);
  const NnId loss = network(g);
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  nn_fill_leaves(g, 31);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &run), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_gradient(&ctx, g, loss, NN_GENERAL | NN_RESPONSE), BT_OK, &ctx);
  *count = 0;
  for (NnId i = 0; i < nn_graph_nodes(g); i++) {
    if (!nn_graph_group(g, i)) continue;
    const size_t n = nn_elements(g, i, 1);
    all = realloc(all, (*count + n + 1) * sizeof *all);
    if (!all) abort();
    BT_CHECK_STATUS((nn_graph_group(g, i) == NN_BUFFER ? nn_graph_get : nn_graph_get_adjoint)(
                        &ctx, g, i, all + *count, n),
                    BT_OK, &ctx);
    *count += n;
  }
  BT_CHECK_STATUS(nn_graph_get(&ctx, g, loss, all + (*count)++, 1), BT_OK, &ctx);
  BT_CHECK(isfinite((double)all[*count - 1]));
  nn_graph_destroy(g);
  nn_backend_close(b);
  return all;
}

static void threads(void) {
  static const struct {
    int threads;
    size_t max_batch;
  } rows[] = {{2, 20}, {3, 20}, {8, 20}, {2, 33}};
  size_t count, n;
  NnReal *one = gradients(1, 20, &count);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    NnReal *other = gradients(rows[r].threads, rows[r].max_batch, &n);
    BT_CHECK_ROW(n == count && memcmp(one, other, n * sizeof *one) == 0,
                 "%d threads, graph for %zu: not the bits of one thread and 20", rows[r].threads,
                 rows[r].max_batch);
    free(other);
  }
  free(one);
}

/* Running statistics of batch norm against the moments of the batch. */
static void running_statistics(void) {
  enum { BATCH = 6, C = 2 };
  BtContext ctx;
  NnGraph *g;
  NnBackend *b = nn_test_backend(1);
  NnReal x[BATCH * C], got[C];
  const NnReal start[C] = {1, 2};
  bt_context_init(&ctx);
  BT_CHECK_STATUS(nn_graph_create(&ctx, b, BATCH, &g), BT_OK, &ctx);
  const NnId in = nn_input(g, "x", NN_SHAPE(C)), mean = nn_parameter(g, "mean", NN_BUFFER, NN_SHAPE(C)),
             variance = nn_parameter(g, "variance", NN_BUFFER, NN_SHAPE(C));
  (void)nn_batch_norm(g, in, nn_parameter(g, "gamma", NN_GENERAL, NN_SHAPE(C)),
                      nn_parameter(g, "beta", NN_GENERAL, NN_SHAPE(C)), mean, variance, 0.25, 1e-5);
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  for (size_t i = 0; i < BATCH * C; i++) x[i] = (NnReal)bt_rng_normal(1, 1, i);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, in, x, BATCH * C), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, mean, start, C), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, variance, start, C), BT_OK, &ctx);
  const NnRun frozen = {.batch = BATCH, .training = 1, .keep_statistics = 1},
              run = {.batch = BATCH, .training = 1};
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &frozen), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_get(&ctx, g, mean, got, C), BT_OK, &ctx);
  BT_CHECK(memcmp(got, start, sizeof got) == 0);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &run), BT_OK, &ctx);
  for (size_t c = 0; c < C; c++) {
    double m = 0, v = 0;
    for (size_t i = 0; i < BATCH; i++) m += (double)x[i * C + c] / BATCH;
    for (size_t i = 0; i < BATCH; i++) v += pow((double)x[i * C + c] - m, 2) / (BATCH - 1);
    BT_CHECK_STATUS(nn_graph_get(&ctx, g, mean, got, C), BT_OK, &ctx);
    BT_CHECK_NEAR((double)got[c], 0.75 * (double)start[c] + 0.25 * m, TOLERANCE);
    BT_CHECK_STATUS(nn_graph_get(&ctx, g, variance, got, C), BT_OK, &ctx);
    BT_CHECK_NEAR((double)got[c], 0.75 * (double)start[c] + 0.25 * v, TOLERANCE);
  }
  nn_graph_destroy(g);
  nn_backend_close(b);
}

static NnId two_of_a_name(NnGraph *g) {
  return nn_add(g, nn_input(g, "x", NN_SHAPE(1)), nn_input(g, "x", NN_SHAPE(1)));
}
static NnId shapes_differ(NnGraph *g) {
  return nn_add(g, nn_input(g, "x", NN_SHAPE(2)), nn_input(g, "y", NN_SHAPE(3)));
}
static NnId batch_differs(NnGraph *g) {
  return nn_multiply(g, nn_input(g, "x", NN_SHAPE(2)), nn_constant(g, "y", NN_SHAPE(2)));
}
static NnId wrong_weights(NnGraph *g) {
  return nn_linear(g, nn_input(g, "x", NN_SHAPE(4)), nn_parameter(g, "W", NN_GENERAL, NN_SHAPE(3, 5)),
                   NN_NONE, NULL);
}
static NnId filter_too_large(NnGraph *g) {
  return nn_conv2d(g, nn_input(g, "x", NN_SHAPE(1, 4, 4)),
                   nn_parameter(g, "W", NN_GENERAL, NN_SHAPE(1, 1, 5, 5)), NN_NONE, 1, 0, NULL);
}
static NnId no_stride(NnGraph *g) { return nn_max_pool(g, nn_input(g, "x", NN_SHAPE(1, 4, 4)), 2, 0, 0); }
static NnId one_channel(NnGraph *g) {
  return nn_dropout(g, nn_input(g, "x", NN_SHAPE(1, 4, 4)), nn_constant(g, "r", NN_SHAPE(1)), 0,
                    NN_DROP_CHANNELS);
}
static NnId no_column(NnGraph *g) {
  return nn_dropout(g, nn_input(g, "x", NN_SHAPE(4)), nn_constant(g, "r", NN_SHAPE(1)), 1, NN_DROP_ELEMENTS);
}
static NnId empty_shape(NnGraph *g) { return nn_input(g, "x", NN_SHAPE(4, 0)); }
static NnId huge_shape(NnGraph *g) { return nn_input(g, "x", NN_SHAPE((size_t)1 << 62, 8)); }
static NnId empty_range(NnGraph *g) {
  return nn_range(g, nn_input(g, "x", NN_SHAPE(1)), 0, (NnRange){.low = 1, .high = 1});
}
static NnId slice_outside(NnGraph *g) { return nn_slice(g, nn_input(g, "x", NN_SHAPE(4)), 0, 2, SIZE_MAX); }
static NnId no_node(NnGraph *g) { return nn_unary(g, NN_RELU, 7); }
static NnId bad_group(NnGraph *g) { return nn_parameter(g, "W", (NnGroup)3, NN_SHAPE(1)); }

static void refusals(void) {
  static const struct {
    NnId (*build)(NnGraph *g);
    const char *text;
  } rows[] = {
      {two_of_a_name, "two nodes"},     {shapes_differ, "differ"},     {batch_differs, "differ"},
      {wrong_weights, "W is 3 x 5"},    {filter_too_large, "not fit"}, {no_stride, "not fit"},
      {one_channel, "whole images"},    {no_column, "no column 1"},    {empty_shape, "impossible shape"},
      {huge_shape, "impossible shape"}, {empty_range, "empty"},        {slice_outside, "outside"},
      {no_node, "is no node"},          {bad_group, "group"}};
  BtContext ctx;
  NnBackend *b = nn_test_backend(1), *none;
  NnGraph *g;
  bt_context_init(&ctx);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    BT_CHECK_STATUS(nn_graph_create(&ctx, b, 2, &g), BT_OK, &ctx);
    const NnId x = rows[r].build(g);
    BT_CHECK_ROW(x == NN_NONE, "row %zu was accepted", r);
    BT_CHECK(nn_mean(g, x) == NN_NONE);
    BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_ERR_ARG, &ctx);
    BT_CHECK_ROW(strstr(ctx.error, rows[r].text) != NULL, "row %zu: \"%s\"", r, ctx.error);
    nn_graph_destroy(g);
  }
  /* More memory than there is, a batch that is too large, a run before it is closed, wrong devices. */
  BT_CHECK_STATUS(nn_graph_create(&ctx, b, 256, &g), BT_OK, &ctx);
  (void)nn_input(g, "x", NN_SHAPE((size_t)1 << 19, (size_t)1 << 19));
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_ERR_MEMORY, &ctx);
  nn_graph_destroy(g);
  BT_CHECK_STATUS(nn_graph_create(&ctx, b, 0, &g), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_graph_create(&ctx, b, 2, &g), BT_OK, &ctx);
  const NnId x = nn_input(g, "x", NN_SHAPE(3)), y = nn_unary(g, NN_RELU, x);
  NnReal values[9] = {0};
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &(NnRun){.batch = 1}), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_backward(&ctx, g, NN_GENERAL), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &(NnRun){.batch = 3}), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, x, values, 7), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &(NnRun){.batch = 1}), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_seed_tangent(&ctx, g, y, values, 3), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_graph_seed_adjoint(&ctx, g, y, values, 6), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_graph_gradient(&ctx, g, y, NN_GENERAL), BT_ERR_ARG, &ctx);
  nn_graph_destroy(g);
  nn_backend_close(b);
  static const char *const devices[] = {
      "gpu",        "cuda:",      "cuda:x",     "cuda:-1",    "cuda:99999",       "",
      "cudax",      "cuda,tf16",  "cuda:0tf32", "cuda:,tf32", "cuda,graph,graph", "cuda,graphs",
      "cuda,tf32,", "cuda:1graph"};
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
    BT_CHECK_STATUS(nn_backend_open(&ctx, devices[i], 0, &none), BT_ERR_ARG, &ctx);
  BT_CHECK_STATUS(nn_backend_open(&ctx, "cpu", -1, &none), BT_ERR_ARG, &ctx);
}

/* Labels and tokens outside of their range give NaN and touch nothing else. */
static void broken_labels(void) {
  const NnReal labels[4] = {-1, 5, (NnReal)1.5, (NnReal)NAN}, logits[20] = {0}, zeros[10] = {0};
  NnReal loss[4], table[10], y[8];
  NnBackend *b = nn_test_backend(1);
  BT_NEED(b);
  NnReal *label = nn_put(b, labels, 4), *x = nn_put(b, logits, 20), *p = nn_memory(b, 20),
         *d_loss = nn_memory(b, 4), *d_table = nn_put(b, zeros, 10), *d_y = nn_memory(b, 8);
  b->kernels->cross_entropy(b, 4, 5, x, label, p, d_loss);
  b->kernels->gather(b, 4, 2, 5, label, d_table, 0, d_y);
  b->kernels->scatter(b, 4, 2, 5, label, x, d_table);
  nn_take(b, d_loss, loss, 4), nn_take(b, d_table, table, 10), nn_take(b, d_y, y, 8);
  for (int i = 0; i < 4; i++) BT_CHECK(isnan((double)loss[i]) && isnan((double)y[2 * i]));
  BT_CHECK(memcmp(table, zeros, sizeof table) == 0);
  /* Logits far apart neither overflow nor lose the loss. */
  const NnReal far[2] = {3000, -3000}, wrong = 1;
  NnReal *d_far = nn_put(b, far, 2), *d_wrong = nn_put(b, &wrong, 1), *d_first = nn_memory(b, 1);
  b->kernels->cross_entropy(b, 1, 2, d_far, d_wrong, p, d_first);
  nn_take(b, d_first, loss, 1);
  BT_CHECK_NEAR((double)loss[0], 6000, 0);
  nn_drop(b, label), nn_drop(b, x), nn_drop(b, p), nn_drop(b, d_far), nn_drop(b, d_wrong);
  nn_backend_close(b);
}

static void range_inverses(void) {
  const NnRange rows[] = {{0, 0.95, 0, 0},
                          {2, INFINITY, 0, 0},
                          {-INFINITY, 5, 0, 0},
                          {-INFINITY, INFINITY, 0, 0},
                          {1, INFINITY, 0, 1}};
  const double values[] = {0.05, 2.5, -3, 7, 1.001};
  for (size_t i = 0; i < 5; i++)
    BT_CHECK_NEAR(nn_range_value(rows[i], nn_range_inverse(rows[i], values[i])), values[i], 1e-12);
  BT_CHECK_NEAR(nn_range_value((NnRange){2, 24, 1, 0}, nn_range_inverse((NnRange){2, 24, 0, 0}, 4.7)), 4, 0);
}

/* A shared mask is the same one; masks of their own differ; whole rows go or stay. */
static void shared_masks(void) {
  enum { ROWS = 30, COLUMNS = 40, SIZE = ROWS * COLUMNS };
  static NnReal ones[SIZE], value[4][SIZE];
  const NnReal rates[4] = {0, (NnReal)0.25, 0,
                           (NnReal)0.75}; /* the second example's rate counts for nothing */
  const NnShape shape = NN_SHAPE(ROWS, COLUMNS);
  BtContext ctx;
  NnGraph *g;
  NnBackend *b = nn_test_backend(2);
  NnId masked[4];
  bt_context_init(&ctx);
  BT_NEED(b);
  BT_CHECK_STATUS(nn_graph_create(&ctx, b, 2, &g), BT_OK, &ctx);
  const NnId W = nn_parameter(g, "W", NN_GENERAL, shape), U = nn_parameter(g, "U", NN_RESPONSE, shape);
  const NnId r = nn_input(g, "rates", NN_SHAPE(2));
  masked[0] = nn_drop_connect(g, W, r, 1, 0, NN_NONE);
  masked[1] = nn_drop_connect(g, U, r, 1, 0, masked[0]);
  masked[2] = nn_drop_connect(g, W, r, 1, 0, NN_NONE);
  masked[3] = nn_drop_connect(g, W, r, 1, 1, NN_NONE);
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  for (size_t i = 0; i < SIZE; i++) ones[i] = 1;
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, W, ones, SIZE), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, U, ones, SIZE), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, r, rates, 4), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &(NnRun){.batch = 2, .training = 1}), BT_OK, &ctx);
  size_t dropped = 0, same = 0, whole = 0;
  for (int k = 0; k < 4; k++) BT_CHECK_STATUS(nn_graph_get(&ctx, g, masked[k], value[k], SIZE), BT_OK, &ctx);
  for (size_t i = 0; i < SIZE; i++) {
    dropped += value[0][i] == 0, same += value[0][i] == value[2][i];
    whole += value[3][i] == value[3][i / COLUMNS * COLUMNS];
  }
  BT_CHECK(memcmp(value[0], value[1], sizeof value[0]) == 0);
  BT_CHECK_NEAR((double)dropped / SIZE, 0.25, 5 * sqrt(0.25 * 0.75 / SIZE));
  BT_CHECK_NEAR((double)same / SIZE, 0.625, 0.1);
  BT_CHECK(whole == SIZE);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &(NnRun){.batch = 2}), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_get(&ctx, g, masked[0], value[0], SIZE), BT_OK, &ctx);
  BT_CHECK(memcmp(value[0], ones, sizeof ones) == 0);
  nn_graph_destroy(g);
  nn_backend_close(b);
}

static const BtTest tests[] = {{"products", products},
                               {"convolutions", convolutions},
                               {"pooling", pooling},
                               {"channels", channels},
                               {"masks", masks},
                               {"shared masks", shared_masks},
                               {"noise", noise},
                               {"threads and batches", threads},
                               {"running statistics", running_statistics},
                               {"refusals", refusals},
                               {"broken labels", broken_labels},
                               {"ranges", range_inverses}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "kernels of networks", tests, sizeof tests / sizeof *tests);
}

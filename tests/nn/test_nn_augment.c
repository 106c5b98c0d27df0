/* Augmentations against plain references with draws and formulas of their own, on the device named by the
 * first argument ("cpu"). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "nn/augment.h"
#include "nn_check.h"

enum { SEED = 77, STEP = 5, H = 9, W = 11, PLANE = H * W, COLUMNS = 4 };

static BtContext ctx;

/* Word `element` of the draw of stream 1, by core's generator. */
static uint32_t word(size_t element) {
  const uint32_t counter[4] = {(uint32_t)(element / 4), 1, STEP, 0}, key[2] = {SEED, 0};
  uint32_t out[4];
  bt_philox(counter, key, out);
  return out[element % 4];
}
static double uniform(size_t element, double low, double high) {
  return low + (high - low) * (word(element) + 0.5) * 0x1p-32;
}
static size_t below(size_t element, size_t n) { return (size_t)floor(word(element) * 0x1p-32 * (double)n); }

/* One augmentation of images x [rows × channels × H × W] with rates [rows × 4]. */
typedef NnId Build(NnGraph *g, NnId x, NnId rates);
static NnId flipped(NnGraph *g, NnId x, NnId r) { return (void)r, nn_flip(g, x); }
static NnId cropped(NnGraph *g, NnId x, NnId r) { return (void)r, nn_crop(g, x, 2); }
static NnId cut(NnGraph *g, NnId x, NnId r) { return nn_cutout(g, x, r, 1, 3); }
static NnId cut_once(NnGraph *g, NnId x, NnId r) { return nn_cutout(g, x, r, 1, -1); }
static NnId jittered(NnGraph *g, NnId x, NnId r) {
  return nn_jitter(g, x, r, (NnJitterColumns){.hue = 0, .saturation = 1, .brightness = 2, .contrast = 3});
}
static NnId lit(NnGraph *g, NnId x, NnId r) {
  return nn_jitter(g, x, r, (NnJitterColumns){.hue = -1, .saturation = -1, .brightness = 2, .contrast = -1});
}
static NnId moved(NnGraph *g, NnId x, NnId r) {
  return nn_affine(g, x, r, (NnAffineColumns){.rotation = 0, .shear = 1, .translation = 2, .scale = 3});
}
static NnId noisy(NnGraph *g, NnId x, NnId r) { return nn_input_noise(g, x, r, 2); }

static Build *const all[] = {flipped, cropped, cut, cut_once, jittered, lit, moved, noisy};
#define ALL (sizeof all / sizeof *all)

typedef struct {
  size_t rows, channels;
  int training, threads;
} Setting;

static void apply(Build *build, Setting s, const NnReal *x, const NnReal *rates, NnReal *y) {
  NnBackend *backend = nn_test_backend(s.threads ? s.threads : 2);
  NnGraph *g;
  if (!backend) return;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(nn_graph_create(&ctx, backend, s.rows + 1, &g), BT_OK, &ctx);
  const NnId in = nn_input(g, "x", NN_SHAPE(s.channels, H, W)), r = nn_input(g, "rates", NN_SHAPE(COLUMNS));
  const NnId out = build(g, in, r);
  const NnRun run = {.batch = s.rows, .seed = SEED, .step = STEP, .training = s.training};
  const size_t count = s.rows * s.channels * PLANE;
  if (BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx)) {
    BT_CHECK_STATUS(nn_graph_set(&ctx, g, in, x, count), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_set(&ctx, g, r, rates, s.rows * COLUMNS), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &run), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_get(&ctx, g, out, y, count), BT_OK, &ctx);
  }
  nn_graph_destroy(g);
  nn_backend_close(backend);
}

/* Images of `rows` rows in [0, 1], and as much room for results. */
typedef struct {
  size_t rows, channels, count;
  NnReal *x, *y, *rates;
} Fixture;

static Fixture fixture(size_t rows, size_t channels) {
  Fixture f = {rows, channels, rows * channels * PLANE, NULL, NULL, NULL};
  f.x = calloc(f.count, sizeof *f.x);
  f.y = calloc(f.count, sizeof *f.y);
  f.rates = calloc(rows * COLUMNS, sizeof *f.rates);
  if (!f.x || !f.y || !f.rates) abort();
  for (size_t i = 0; i < f.count; i++) f.x[i] = (NnReal)bt_rng_uniform(4, 0, i);
  return f;
}
static void release(Fixture *f) {
  free(f->x);
  free(f->y);
  free(f->rates);
}
/* Strengths that differ from row to row. */
static void set_rates(Fixture *f, double a, double b, double c, double d) {
  const double most[COLUMNS] = {a, b, c, d};
  for (size_t i = 0; i < f->rows * COLUMNS; i++)
    f->rates[i] = (NnReal)(most[i % COLUMNS] * (0.5 + 0.5 * bt_rng_uniform(6, 1, i)));
}

static void identity(void) {
  static const NnReal none[] = {0, -3, (NnReal)NAN};
  Fixture f = fixture(6, 3);
  for (size_t k = 0; k < ALL; k++) {
    set_rates(&f, 10, 10, 3, 3);
    memset(f.y, 0, f.count * sizeof *f.y);
    apply(all[k], (Setting){6, 3, 0, 0}, f.x, f.rates, f.y);
    BT_CHECK_ROW(memcmp(f.x, f.y, f.count * sizeof *f.y) == 0, "augmentation %zu without training", k);
    for (size_t v = 0; k >= 2 && v < sizeof none / sizeof *none; v++) {
      if (all[k] == noisy && v == 2) continue; /* NaN passes into the image there, where it is noticed */
      for (size_t i = 0; i < f.rows * COLUMNS; i++) f.rates[i] = none[v];
      memset(f.y, 0, f.count * sizeof *f.y);
      apply(all[k], (Setting){6, 3, 1, 0}, f.x, f.rates, f.y);
      BT_CHECK_ROW(memcmp(f.x, f.y, f.count * sizeof *f.y) == 0, "augmentation %zu, strength %g", k,
                   (double)none[v]);
    }
  }
  release(&f);
}

static void same_for_any_threads(void) {
  Fixture f = fixture(40, 3);
  NnReal *other = calloc(f.count, sizeof *other);
  if (!other) abort();
  set_rates(&f, 30, 8, 0.9, 2.5);
  for (size_t k = 0; k < ALL; k++) {
    apply(all[k], (Setting){40, 3, 1, 1}, f.x, f.rates, f.y);
    apply(all[k], (Setting){40, 3, 1, 7}, f.x, f.rates, other);
    BT_CHECK_ROW(memcmp(other, f.y, f.count * sizeof *f.y) == 0, "augmentation %zu", k);
    BT_CHECK_ROW(memcmp(f.x, f.y, f.count * sizeof *f.y) != 0, "augmentation %zu does something", k);
  }
  free(other);
  release(&f);
}

static double pixel(const NnReal *plane, long i, long j) {
  return i >= 0 && j >= 0 && i < H && j < W ? (double)plane[i * W + j] : 0;
}

/* Flips and crops move pixels: exact. */
static void flips_and_crops(void) {
  enum { ROWS = 600 };
  Fixture f = fixture(ROWS, 2);
  int flips = 0, places[25] = {0};
  apply(flipped, (Setting){ROWS, 2, 1, 0}, f.x, f.rates, f.y);
  for (size_t r = 0; r < ROWS; r++) {
    const int flip = word(4 * r) >= 0x80000000u;
    int same = 1;
    for (size_t c = 2 * r; c < 2 * r + 2; c++)
      for (long p = 0; p < PLANE; p++)
        same &=
            (double)f.y[c * PLANE + (size_t)p] == pixel(f.x + c * PLANE, p / W, flip ? W - 1 - p % W : p % W);
    BT_CHECK_ROW(same, "row %zu, flipped: %d", r, flip);
    flips += flip;
  }
  BT_CHECK_NEAR(flips, ROWS / 2, 4 * sqrt(ROWS / 4.0));
  apply(cropped, (Setting){ROWS, 2, 1, 0}, f.x, f.rates, f.y);
  for (size_t r = 0; r < ROWS; r++) {
    const long down = (long)below(4 * r, 5) - 2, right = (long)below(4 * r + 1, 5) - 2;
    int same = 1;
    for (size_t c = 2 * r; c < 2 * r + 2; c++)
      for (long p = 0; p < PLANE; p++)
        same &= (double)f.y[c * PLANE + (size_t)p] == pixel(f.x + c * PLANE, p / W + down, p % W + right);
    BT_CHECK_ROW(same, "row %zu, moved by %ld, %ld", r, down, right);
    places[5 * (down + 2) + right + 2]++;
  }
  for (int k = 0; k < 25; k++) BT_CHECK_NEAR(places[k], ROWS / 25, 5 * sqrt(ROWS / 25.0));
  release(&f);
}

static void cutouts(int once) {
  enum { ROWS = 300, BLOCK = 64 }; /* words of a row: two for each of 32 holes */
  Fixture f = fixture(ROWS, 2);
  for (size_t r = 0; r < ROWS; r++) {
    f.rates[r * COLUMNS + 1] = (NnReal)(0.5 + (double)(r % 13)); /* floor: 0 … 12, beyond the image */
    f.rates[r * COLUMNS + 3] = (NnReal)((double)(r % 4) + 0.9);  /* floor: 0 … 3 */
  }
  f.rates[5 * COLUMNS + 3] = 1000;
  f.rates[6 * COLUMNS + 1] = (NnReal)1e30;
  apply(once ? cut_once : cut, (Setting){ROWS, 2, 1, 0}, f.x, f.rates, f.y);
  for (size_t r = 0; r < ROWS; r++) {
    const long length = r == 6 ? 2 * W : (long)(r % 13), holes = once ? 1 : r == 5 ? 32 : (long)(r % 4);
    int same = 1;
    for (long p = 0; p < PLANE; p++) {
      int inside = 0;
      for (size_t k = 0; k < (size_t)holes; k++) {
        const long top = (long)below(BLOCK * r + 2 * k, H) - length / 2;
        const long left = (long)below(BLOCK * r + 2 * k + 1, W) - length / 2;
        inside |= p / W >= top && p / W < top + length && p % W >= left && p % W < left + length;
      }
      for (size_t c = 2 * r; c < 2 * r + 2; c++) {
        const size_t at = c * PLANE + (size_t)p;
        same &= f.y[at] == (inside ? 0 : f.x[at]);
      }
    }
    BT_CHECK_ROW(same, "row %zu: %ld holes of %ld", r, holes, length);
  }
  release(&f);
}

static void cutouts_of_many(void) { cutouts(0); }
static void cutouts_of_one(void) { cutouts(1); }

/* Hue, saturation, value of a colour and back, as Smith (1978) has them. */
static void to_hsv(const double rgb[3], double hsv[3]) {
  const double v = fmax(rgb[0], fmax(rgb[1], rgb[2])), c = v - fmin(rgb[0], fmin(rgb[1], rgb[2]));
  double h = 0;
  if (c > 0) {
    if (v == rgb[0])
      h = fmod((rgb[1] - rgb[2]) / c + 6, 6);
    else if (v == rgb[1])
      h = (rgb[2] - rgb[0]) / c + 2;
    else
      h = (rgb[0] - rgb[1]) / c + 4;
  }
  hsv[0] = h / 6, hsv[1] = v > 0 ? c / v : 0, hsv[2] = v;
}
static void from_hsv(const double hsv[3], double rgb[3]) {
  const double h = 6 * (hsv[0] - floor(hsv[0])), v = hsv[2], s = hsv[1], f = h - floor(h);
  const double p = v * (1 - s), q = v * (1 - s * f), t = v * (1 - s * (1 - f));
  const double table[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  memcpy(rgb, table[(int)h % 6], 3 * sizeof *rgb);
}

static double clamp(double x) { return fmin(fmax(x, 0), 1); }
static double luma(const double *rgb) { return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]; }

static void jitters(void) {
  enum { ROWS = 50 };
  Fixture f = fixture(ROWS, 3);
  set_rates(&f, 0.5, 1.4, 1.2, 0.8);
  for (size_t i = 0; i < 40; i++) f.x[i] = f.x[PLANE + i] = f.x[2 * PLANE + i]; /* grays, and equal colours */
  for (size_t i = 40; i < 60; i++) f.x[i] = f.x[PLANE + i];
  apply(jittered, (Setting){ROWS, 3, 1, 0}, f.x, f.rates, f.y);
  for (size_t r = 0; r < ROWS; r++) {
    const NnReal *s = f.rates + COLUMNS * r, *x = f.x + 3 * PLANE * r, *y = f.y + 3 * PLANE * r;
    double factor[3], z[PLANE][3], mean = 0, worst = 0;
    const double strength[3] = {(double)s[2], (double)s[3], (double)s[1]};
    for (size_t k = 0; k < 3; k++) factor[k] = uniform(4 * r + k, fmax(0, 1 - strength[k]), 1 + strength[k]);
    const double turn = uniform(4 * r + 3, -(double)s[0], (double)s[0]);
    for (size_t p = 0; p < PLANE; p++) {
      for (size_t c = 0; c < 3; c++) z[p][c] = clamp(factor[0] * (double)x[c * PLANE + p]);
      mean += luma(z[p]) / PLANE;
    }
    for (size_t p = 0; p < PLANE; p++) {
      double hsv[3];
      for (size_t c = 0; c < 3; c++) z[p][c] = clamp(mean + factor[1] * (z[p][c] - mean));
      const double gray = luma(z[p]);
      for (size_t c = 0; c < 3; c++) z[p][c] = clamp(gray + factor[2] * (z[p][c] - gray));
      to_hsv(z[p], hsv);
      hsv[0] += turn;
      from_hsv(hsv, z[p]);
      for (size_t c = 0; c < 3; c++) worst = fmax(worst, fabs(z[p][c] - (double)y[c * PLANE + p]));
    }
    BT_CHECK_ROW(worst < NN_TOLERANCE(2e-5, 1e-6), "row %zu: off by %g", r, worst);
  }
  release(&f);
}

/* The distribution of a factor: brightness of gray images. */
static void factors_are_uniform(void) {
  enum { ROWS = 1000 };
  Fixture f = fixture(ROWS, 1);
  double sum = 0, squares = 0, low = 9, high = 0;
  for (size_t i = 0; i < f.count; i++) f.x[i] = (NnReal)0.5;
  for (size_t r = 0; r < ROWS; r++) f.rates[r * COLUMNS + 2] = (NnReal)0.6;
  apply(lit, (Setting){ROWS, 1, 1, 0}, f.x, f.rates, f.y);
  for (size_t r = 0; r < ROWS; r++) {
    const double factor = 2 * (double)f.y[r * PLANE];
    sum += factor, squares += factor * factor, low = fmin(low, factor), high = fmax(high, factor);
  }
  const double mean = sum / ROWS, variance = squares / ROWS - mean * mean;
  BT_CHECK(low >= 0.4 - 1e-6 && low < 0.41 && high <= 1.6 + 1e-6 && high > 1.59);
  BT_CHECK_NEAR(mean, 1, 4 * 0.6 / sqrt(3.0 * ROWS));
  BT_CHECK_NEAR(variance, 0.12, 0.01);
  release(&f);
}

/* The forward map's matrix is inverted numerically, and sampled with weights (1 − |d|)₊ over all pixels. */
static void affine_maps(void) {
  enum { ROWS = 40 };
  const double degree = acos(-1.0) / 180;
  Fixture f = fixture(ROWS, 2);
  set_rates(&f, 45, 45, 0.5, 0.5);
  for (int k = 0; k < 4; k++) f.rates[k] = (NnReal)200; /* more than there is sense in */
  apply(moved, (Setting){ROWS, 2, 1, 0}, f.x, f.rates, f.y);
  for (size_t r = 0; r < ROWS; r++) {
    const NnReal *s = f.rates + COLUMNS * r;
    double draw[5], worst = 0;
    const double limit[5] = {(double)s[0], fmin((double)s[1], 80), (double)s[2], (double)s[2], 0};
    for (size_t k = 0; k < 4; k++) draw[k] = uniform(8 * r + k, -limit[k], limit[k]);
    draw[4] = uniform(8 * r + 4, fmax(0.05, 1 - (double)s[3]), 1 + (double)s[3]);
    const double a = degree * draw[0], t = tan(degree * draw[1]), z = draw[4];
    /* Result = z·[cos −sin; sin cos]·[1 −t; 0 1]·source, about the centre. */
    const double m[4] = {z * cos(a), z * (-t * cos(a) - sin(a)), z * sin(a), z * (-t * sin(a) + cos(a))};
    const double det = m[0] * m[3] - m[1] * m[2], cx = (W - 1) / 2.0, cy = (H - 1) / 2.0;
    for (long p = 0; p < PLANE; p++) {
      const double u = (double)(p % W) - cx - draw[2] * W, v = (double)(p / W) - cy - draw[3] * H;
      const double x = (m[3] * u - m[1] * v) / det + cx, y = (-m[2] * u + m[0] * v) / det + cy;
      for (size_t c = 2 * r; c < 2 * r + 2; c++) {
        double sum = 0;
        for (long q = 0; q < PLANE; q++)
          sum += fmax(0, 1 - fabs(x - (double)(q % W))) * fmax(0, 1 - fabs(y - (double)(q / W))) *
                 (double)f.x[c * PLANE + (size_t)q];
        worst = fmax(worst, fabs(sum - (double)f.y[c * PLANE + (size_t)p]));
      }
    }
    BT_CHECK_ROW(worst < (r ? NN_TOLERANCE(5e-5, 1e-10) : NN_TOLERANCE(1e-2, 1e-9)), "row %zu: off by %g", r,
                 worst);
  }
  release(&f);
}

static void noise(void) {
  enum { ROWS = 60 };
  Fixture f = fixture(ROWS, 3);
  double squares[2] = {0}, sum = 0;
  for (size_t r = 0; r < ROWS; r++) f.rates[r * COLUMNS + 2] = (NnReal)(r % 2 ? 0.3 : 0.1);
  apply(noisy, (Setting){ROWS, 3, 1, 0}, f.x, f.rates, f.y);
  for (size_t i = 0; i < f.count; i++) {
    const double d = (double)f.y[i] - (double)f.x[i];
    sum += d, squares[i / (3 * PLANE) % 2] += d * d;
  }
  const double half = (double)f.count / 2;
  BT_CHECK_NEAR(sum / (double)f.count, 0, 4 * 0.23 / sqrt((double)f.count));
  BT_CHECK_NEAR(sqrt(squares[0] / half), 0.1, 4 * 0.1 / sqrt(2 * half));
  BT_CHECK_NEAR(sqrt(squares[1] / half), 0.3, 4 * 0.3 / sqrt(2 * half));
  release(&f);
}

/* Strengths without a batch act on all rows alike. */
static void one_strength_for_all(void) {
  Fixture f = fixture(5, 3);
  NnBackend *backend = nn_test_backend(2);
  NnGraph *g;
  NnReal *all_rows = calloc(f.count, sizeof *all_rows);
  const NnReal rates[COLUMNS] = {(NnReal)0.3, (NnReal)0.5, (NnReal)0.5, (NnReal)0.5};
  BT_NEED(backend && all_rows);
  for (size_t i = 0; i < f.rows * COLUMNS; i++) f.rates[i] = rates[i % COLUMNS];
  apply(jittered, (Setting){5, 3, 1, 0}, f.x, f.rates, f.y);
  BT_CHECK_STATUS(nn_graph_create(&ctx, backend, 5, &g), BT_OK, &ctx);
  const NnId x = nn_input(g, "x", NN_SHAPE(3, H, W)), r = nn_constant(g, "rates", NN_SHAPE(COLUMNS));
  const NnId y = jittered(g, x, r);
  const NnRun run = {.batch = 5, .seed = SEED, .step = STEP, .training = 1};
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, x, f.x, f.count), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, r, rates, COLUMNS), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &run), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_get(&ctx, g, y, all_rows, f.count), BT_OK, &ctx);
  BT_CHECK(memcmp(all_rows, f.y, f.count * sizeof *f.y) == 0);
  free(all_rows);
  nn_graph_destroy(g);
  nn_backend_close(backend);
  release(&f);
}

/* What is no data, or does not fit, is refused when the graph is built. */
static NnId of_parameter(NnGraph *g) {
  const NnId image = nn_input(g, "x", NN_SHAPE(3, H, W));
  return nn_flip(g, nn_bias(g, image, nn_parameter(g, "b", NN_GENERAL, NN_SHAPE(3))));
}
static NnId of_vector(NnGraph *g) { return nn_crop(g, nn_input(g, "x", NN_SHAPE(12)), 2); }
static NnId no_column(NnGraph *g) {
  return nn_cutout(g, nn_input(g, "x", NN_SHAPE(3, H, W)), nn_input(g, "rates", NN_SHAPE(2)), 1, 2);
}
static NnId gray_hue(NnGraph *g) {
  return jittered(g, nn_input(g, "x", NN_SHAPE(1, H, W)), nn_input(g, "rates", NN_SHAPE(COLUMNS)));
}
static NnId two_channels(NnGraph *g) {
  return lit(g, nn_input(g, "x", NN_SHAPE(2, H, W)), nn_input(g, "rates", NN_SHAPE(COLUMNS)));
}
static void refusals(void) {
  static const struct {
    NnId (*build)(NnGraph *g);
    const char *words;
  } cases[] = {{of_parameter, "flip: x depends on parameters"},
               {of_vector, "crop: x must be a batched image"},
               {no_column, "cutout: the rates have no column 2"},
               {gray_hue, "jitter: 1 channels"},
               {two_channels, "jitter: 2 channels"}};
  NnBackend *backend = nn_test_backend(1);
  BT_NEED(backend);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    NnGraph *g;
    bt_context_init(&ctx);
    BT_CHECK_STATUS(nn_graph_create(&ctx, backend, 2, &g), BT_OK, &ctx);
    BT_CHECK(cases[i].build(g) == NN_NONE);
    BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_ERR_ARG, &ctx);
    BT_CHECK_ROW(strstr(ctx.error, cases[i].words) != NULL, "\"%s\" does not say \"%s\"", ctx.error,
                 cases[i].words);
    nn_graph_destroy(g);
  }
  nn_backend_close(backend);
}

/* Hyperparameters set strengths, and receive no gradient through them; layers above do. */
static void no_derivative(void) {
  NnBackend *backend = nn_test_backend(2);
  NnGraph *g;
  BT_NEED(backend);
  Fixture f = fixture(4, 3);
  NnReal lambda[COLUMNS] = {1, 1, 1, 1}, gradient[COLUMNS], b[3];
  bt_context_init(&ctx);
  BT_CHECK_STATUS(nn_graph_create(&ctx, backend, 4, &g), BT_OK, &ctx);
  const NnId x = nn_input(g, "x", NN_SHAPE(3, H, W));
  const NnId rates = nn_parameter(g, "lambda", NN_HYPER, NN_SHAPE(COLUMNS));
  const NnId bias = nn_parameter(g, "b", NN_GENERAL, NN_SHAPE(3));
  const NnId y = nn_sum(g, nn_bias(g, moved(g, jittered(g, x, rates), rates), bias));
  const NnRun run = {.batch = 4, .seed = SEED, .step = STEP, .training = 1};
  nn_graph_want(g, x);
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, x, f.x, f.count), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_set(&ctx, g, rates, lambda, COLUMNS), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &run), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_gradient(&ctx, g, y, NN_GENERAL | NN_HYPER), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_get_adjoint(&ctx, g, rates, gradient, COLUMNS), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_get_adjoint(&ctx, g, bias, b, 3), BT_OK, &ctx);
  for (int k = 0; k < COLUMNS; k++) BT_CHECK(gradient[k] == 0);
  for (int c = 0; c < 3; c++) BT_CHECK_NEAR((double)b[c], 4 * PLANE, 1e-3);
  nn_graph_destroy(g);
  nn_backend_close(backend);
  release(&f);
}

static const BtTest tests[] = {
    {"identity without training and at strength 0", identity},
    {"same for any number of threads", same_for_any_threads},
    {"flips and crops", flips_and_crops},
    {"cutout", cutouts_of_many},
    {"cutout, one hole", cutouts_of_one},
    {"jitter", jitters},
    {"factors are uniform", factors_are_uniform},
    {"affine maps", affine_maps},
    {"noise", noise},
    {"one strength for all rows", one_strength_for_all},
    {"refusals", refusals},
    {"no derivative", no_derivative},
};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "augmentations", tests, sizeof tests / sizeof *tests);
}

/* The filter bank's sweep against the definition, for every way to compute it that this machine has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "regularizers/filter_bank.h"
#include "regularizers/filter_bank_internal.h"

typedef struct {
  size_t filters, size;
  BtShape shape;
  int inputs, outputs, tap_sums;
  int same; /* both inputs are one image */
} Case;

/* A case's data, its results by definition and bounds of what rounding may do to them. */
typedef struct {
  const Case *test;
  double *taps[2], *image[2];
  double *g[2];            /* [rows][K][columns], numbers that a float holds     */
  double *t[2], *t_sum[2]; /* responses and Σ |c x|, as g                        */
  long double *out;
  double *out_sum; /* [shape]                                            */
  long double *sums;
  double *sums_sum; /* [K][s][s]                                          */
  double unit;      /* unit roundoff of the run                           */
  int single;
  size_t rows_seen;
  double worst;   /* largest error of a response, in terms of its bound */
  double product; /* Σ t g                                              */
} Run;

static size_t reflect(ptrdiff_t i, size_t n) {
  const ptrdiff_t period = 2 * (ptrdiff_t)n;
  i = ((i % period) + period) % period;
  return (size_t)(i < (ptrdiff_t)n ? i : period - 1 - i);
}

/* The sweep as its header defines it. */
static void reference(Run *run) {
  const Case *test = run->test;
  const size_t K = test->filters, s = test->size, W = test->shape.width, H = test->shape.height,
               a = (s - 1) / 2;
  for (int l = 0; l < 2; l++)
    for (size_t r = 0; r < H; r++)
      for (size_t k = 0; k < K; k++)
        for (size_t c = 0; c < W; c++) {
          const size_t at = (r * K + k) * W + c;
          const double g = run->g[l][at];
          for (size_t i = 0; i < s; i++)
            for (size_t j = 0; j < s; j++) {
              const size_t p = reflect((ptrdiff_t)(r + i) - (ptrdiff_t)a, H) * W +
                               reflect((ptrdiff_t)(c + j) - (ptrdiff_t)a, W);
              const size_t tap = (k * s + i) * s + j;
              const double x = run->image[l][p], weight = run->taps[l][tap];
              if (l < test->inputs) {
                run->t[l][at] += weight * x;
                run->t_sum[l][at] += fabs(weight * x);
                run->sums[tap] += g * x;
                run->sums_sum[tap] += fabs(g * x);
              }
              if (l < test->outputs) {
                run->out[p] += weight * g;
                run->out_sum[p] += fabs(weight * g);
              }
            }
        }
}

static double *zeros(size_t n) { return calloc(n ? n : 1, sizeof(double)); }

static double *randoms(uint64_t stream, size_t n, double shift) {
  double *x = zeros(n);
  for (size_t j = 0; x && j < n; j++) x[j] = bt_rng_uniform(5, stream, j) - shift;
  return x;
}

static int start(Run *run, const Case *test) {
  const size_t n = bt_shape_size(test->shape), taps = test->filters * test->size * test->size;
  *run = (Run){.test = test};
  int ok = 1;
  for (int l = 0; l < 2; l++) {
    run->taps[l] = randoms(1 + (uint64_t)l, taps, 0.5);
    run->image[l] = randoms(3 + (uint64_t)(test->same ? 0 : l), n, 0);
    run->g[l] = randoms(5 + (uint64_t)l, test->filters * n, 0.4);
    run->t[l] = zeros(test->filters * n);
    run->t_sum[l] = zeros(test->filters * n);
    ok = ok && run->taps[l] && run->image[l] && run->g[l] && run->t[l] && run->t_sum[l];
    for (size_t j = 0; ok && j < test->filters * n; j++) run->g[l][j] = (double)(float)run->g[l][j];
  }
  run->out = calloc(n, sizeof *run->out);
  run->out_sum = zeros(n);
  run->sums = calloc(taps, sizeof *run->sums);
  run->sums_sum = zeros(taps);
  ok = ok && run->out && run->out_sum && run->sums && run->sums_sum;
  if (ok) reference(run);
  return ok;
}

static void clear(Run *run) {
  for (int l = 0; l < 2; l++) {
    free(run->taps[l]);
    free(run->image[l]);
    free(run->g[l]);
    free(run->t[l]);
    free(run->t_sum[l]);
  }
  free(run->out);
  free(run->out_sum);
  free(run->sums);
  free(run->sums_sum);
}

/* Checks a row's responses and hands out g. A sum of m products whose factors were rounded is within (m + 2)
 * u Σ |products| (Higham 2002, section 3.1, to first order). */
static void act(void *user, const BtBankRow *row) {
  Run *run = user;
  const Case *test = run->test;
  const size_t W = test->shape.width;
  const int tracks = test->inputs > test->outputs ? test->inputs : test->outputs;
  const double terms = (double)(test->size * test->size) + 2;
  BT_CHECK_ROW(row->row == run->rows_seen && row->columns == W && row->stride >= W, "row %zu", row->row);
  run->rows_seen++;
  for (int l = 0; l < tracks; l++)
    for (size_t k = 0; k < test->filters; k++) {
      for (size_t c = 0; c < W; c++) {
        const size_t at = (row->row * test->filters + k) * W + c;
        float *single = (float *)row->t[l] + k * row->stride + c;
        double *both = (double *)row->t[l] + k * row->stride + c;
        const double t = run->single ? (double)*single : *both;
        if (l < test->inputs) {
          run->worst = fmax(run->worst, fabs(t - run->t[l][at]) / (terms * run->unit * run->t_sum[l][at]));
          if (isnan(t)) run->worst = (double)INFINITY;
          if (l < test->outputs) run->product += t * run->g[l][at];
        }
        if (run->single)
          *single = (float)run->g[l][at];
        else
          *both = run->g[l][at];
      }
      /* What act() may overwrite. */
      for (size_t c = W; c < W + 15; c++)
        if (run->single)
          ((float *)row->t[l])[k * row->stride + c] = NAN;
        else
          ((double *)row->t[l])[k * row->stride + c] = (double)NAN;
    }
}

/* Largest error of n sums in terms of their bound (terms + 2) u Σ |products|; NaN counts as infinite. */
static double worst(size_t n, const double *got, const long double *wanted, const double *sum, double terms,
                    double unit) {
  double largest = 0;
  for (size_t j = 0; j < n; j++) {
    const double bound = (terms + 2) * unit * sum[j];
    const double error = got[j] == (double)wanted[j] ? 0 : fabs(got[j] - (double)wanted[j]) / bound;
    largest = isnan(error) ? (double)INFINITY : fmax(largest, error);
  }
  return largest;
}

/* Largest error relative to the largest entry. */
static double relative(size_t n, const double *got, const long double *wanted) {
  double error = 0, scale = 0;
  for (size_t j = 0; j < n; j++) {
    error = fmax(error, fabs(got[j] - (double)wanted[j]));
    scale = fmax(scale, fabs((double)wanted[j]));
  }
  return scale > 0 ? error / scale : 0;
}

static void check_run(Run *run, BtBankMethod method, int single) {
  const Case *test = run->test;
  const size_t n = bt_shape_size(test->shape), taps = test->filters * test->size * test->size;
  const BtFilterBank bank[2] = {{test->filters, test->size, run->taps[0]},
                                {test->filters, test->size, run->taps[1]}};
  double *out = randoms(20, n, 0), *sums = randoms(21, taps, 0);
  run->single = single;
  run->unit = single ? 0x1p-24 : 0x1p-53;
  run->rows_seen = 0;
  run->worst = run->product = 0;
  const BtStatus st =
      bt_bank_sweep_by(method,
                       &(BtBankSweep){.bank = {&bank[0], &bank[1]},
                                      .image = {run->image[0], run->image[test->same ? 0 : 1]},
                                      .inputs = test->inputs,
                                      .outputs = test->outputs,
                                      .out = test->outputs ? out : NULL,
                                      .tap_sums = test->tap_sums ? sums : NULL,
                                      .act = act,
                                      .user = run,
                                      .single = single},
                       test->shape);
  BT_CHECK_STATUS(st, BT_OK, NULL);
  char what[128];
  snprintf(what, sizeof what, "method %d, %s, %zu of %zu, %zu x %zu, %d in, %d out", (int)method,
           single ? "single" : "double", test->filters, test->size, test->shape.height, test->shape.width,
           test->inputs, test->outputs);
  BT_CHECK_ROW(run->rows_seen == test->shape.height, "%s: %zu rows", what, run->rows_seen);
  BT_CHECK_ROW(run->worst <= 1, "%s: responses %g", what, run->worst);
  /* Few of the rounding errors in a bound have the same sign: entries of the size of the largest have a few
   * u. */
  const double small = single ? 4e-6 : 1e-14;
  if (test->outputs) {
    /* K s² terms for each output, then up to (⌈s/H⌉ + 1)(⌈s/W⌉ + 1) places of the extension. */
    const double terms = (double)(2 * taps + 4 * test->size * test->size);
    const double error = worst(n, out, run->out, run->out_sum, terms, run->unit),
                 share = relative(n, out, run->out);
    BT_CHECK_ROW(error <= 1, "%s: adjoint %g", what, error);
    BT_CHECK_ROW(share <= small, "%s: adjoint %g of the largest", what, share);
  }
  if (test->tap_sums) {
    const double terms = fmin((double)n * 2, 256 + 64);
    const double error =
        worst(taps, sums, run->sums, run->sums_sum, single ? terms : 2 * (double)n, run->unit);
    const double share = relative(taps, sums, run->sums);
    BT_CHECK_ROW(error <= 1, "%s: tap sums %g", what, error);
    BT_CHECK_ROW(share <= small, "%s: tap sums %g of the largest", what, share);
  }
  /* ⟨C x, g⟩ = ⟨x, Cᵀ g⟩ */
  if (test->inputs == test->outputs && test->outputs) {
    double product = 0, size = 0;
    for (size_t j = 0; j < n; j++)
      product += run->image[0][j] * out[j], size += run->image[0][j] * run->out_sum[j];
    if (test->inputs == 1)
      BT_CHECK_ROW(fabs(product - run->product) <= 10 * run->unit * size, "%s: %.17g is not %.17g", what,
                   product, run->product);
  }
  free(out);
  free(sums);
}

static void check_case(const Case *test) {
  Run run;
  if (BT_CHECK(start(&run, test)))
    for (int method = 0; method < BT_BANK_METHODS; method++)
      for (int single = 0; single < 2; single++)
        if (bt_bank_can((BtBankMethod)method, single)) check_run(&run, (BtBankMethod)method, single);
  clear(&run);
}

static const BtShape shapes[] = {{1, 1}, {1, 9},   {9, 1},   {5, 3},    {2, 2},
                                 {7, 7}, {64, 64}, {37, 53}, {181, 33}, {3, 700}};
static const size_t counts[] = {1, 3, 8, 13, 48};
static const size_t sizes[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15};
#define COUNT(table) (sizeof table / sizeof *table)

/* All shapes, numbers and sizes of filters, but the most expensive. */
static void one_input_one_output(void) {
  for (size_t shape = 0; shape < COUNT(shapes); shape++)
    for (size_t count = 0; count < COUNT(counts); count++)
      for (size_t size = 0; size < COUNT(sizes); size++) {
        const Case test = {counts[count], sizes[size], shapes[shape], 1, 1, 1, 0};
        const size_t work = counts[count] * sizes[size] * sizes[size] * bt_shape_size(shapes[shape]);
        if (work < 4000000) check_case(&test);
      }
}

static void large(void) {
  static const Case cases[] = {
      {48, 7, {64, 64}, 1, 1, 1, 0},  {48, 9, {37, 53}, 1, 1, 1, 0}, {8, 15, {64, 64}, 1, 1, 1, 0},
      {2, 63, {37, 53}, 1, 1, 1, 0},  {1, 63, {5, 3}, 1, 1, 1, 0},   {8, 2, {2, 2500}, 1, 1, 1, 0},
      {3, 3, {150, 200}, 1, 1, 1, 0},
  };
  for (size_t j = 0; j < COUNT(cases); j++) check_case(&cases[j]);
}

/* Every number of inputs and outputs; with no input act() alone makes g. */
static void inputs_and_outputs(void) {
  for (int inputs = 0; inputs <= 2; inputs++)
    for (int outputs = 0; outputs <= 2; outputs++)
      for (int tap_sums = 0; tap_sums <= 1; tap_sums++)
        for (int same = 0; same <= (inputs == 2); same++) {
          const Case test = {13, 5, {21, 41}, inputs, outputs, tap_sums, same},
                     tiny = {3, 4, {1, 2}, inputs, outputs, tap_sums, same};
          check_case(&test);
          check_case(&tiny);
        }
}

/* Transforms for large filters in single precision only; and what bt_bank_sweep() then does is right. */
static void chosen_method(void) {
  const BtShape image = {321, 481};
  for (size_t size = 2; size <= 63; size += 61)
    for (int single = 0; single <= 1; single++) {
      const BtFilterBank bank = {48, size, NULL};
      const BtBankSweep sweep = {.bank = {&bank}, .inputs = 1, .outputs = 1, .single = single};
      BT_CHECK((bt_bank_choice(&sweep, image) == BT_BANK_FOURIER) == (single && size == 63));
    }
  const Case test = {5, 3, {11, 19}, 1, 1, 0, 0};
  Run run;
  if (BT_CHECK(start(&run, &test))) {
    const BtFilterBank bank = {5, 3, run.taps[0]};
    double out[11 * 19];
    run.unit = 0x1p-53;
    BT_CHECK_STATUS(bt_bank_sweep(&(BtBankSweep){.bank = {&bank},
                                                 .image = {run.image[0]},
                                                 .inputs = 1,
                                                 .outputs = 1,
                                                 .out = out,
                                                 .act = act,
                                                 .user = &run},
                                  test.shape),
                    BT_OK, NULL);
    BT_CHECK(run.worst <= 1);
    BT_CHECK(relative(11 * 19, out, run.out) <= 1e-14);
  }
  clear(&run);
}

int main(void) {
  static const BtTest tests[] = {
      {"one input, one output, tap sums", one_input_one_output},
      {"large", large},
      {"inputs and outputs", inputs_and_outputs},
      {"the method chosen", chosen_method},
  };
  return bt_test_main("filter bank", tests, COUNT(tests));
}

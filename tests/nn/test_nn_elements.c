/* Exponentials, by elements and in rows, against the mathematical library's in double precision. */
#include <math.h>

#include "harness.h"
#include "nn_check.h"

enum { N = 40001, CLASSES = 37, H = 29 };
static const double relative = NN_TOLERANCE(4e-7, 1e-15);

static double logistic(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }

/* Numbers on both sides of zero, from 1e-4 to 87. */
static NnReal number(size_t i) {
  const double x = 1e-4 * pow(87e4, (double)(i / 2) / (N / 2));
  return (NnReal)(i % 2 ? x : -x);
}

static void functions(void) {
  static NnReal x[N], y[N];
  static const struct {
    NnUnary f;
    double (*exact)(double);
  } rows[] = {{NN_TANH, tanh}, {NN_SIGMOID, logistic}};
  NnBackend *b = nn_test_backend(2);
  BT_NEED(b);
  for (size_t i = 0; i < N; i++) x[i] = number(i);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    double error = 0;
    NnReal *d_x = nn_put(b, x, N), *d_y = nn_memory(b, N);
    b->kernels->unary(b, rows[r].f, N, d_x, d_y);
    nn_drop(b, d_x);
    nn_take(b, d_y, y, N);
    for (size_t i = 0; i < N; i++) {
      const double exact = rows[r].exact((double)x[i]);
      error = fmax(error, isnan((double)y[i]) ? INFINITY : fabs((double)y[i] / exact - 1));
    }
    BT_CHECK_ROW(error <= relative, "function %d: off by %g", (int)rows[r].f, error);
  }
  nn_backend_close(b);
}

/* What is not finite, and what is too large for e^x. */
static void ends(void) {
  enum { COUNT = 5 };
  const NnReal x[COUNT] = {(NnReal)INFINITY, (NnReal)-INFINITY, (NnReal)NAN, 1000, -1000};
  const double wanted[2][COUNT] = {{1, -1, (double)NAN, 1, -1}, {1, 0, (double)NAN, 1, 0}};
  const NnUnary f[2] = {NN_TANH, NN_SIGMOID};
  NnBackend *b = nn_test_backend(1);
  BT_NEED(b);
  for (int r = 0; r < 2; r++) {
    NnReal y[COUNT], *d_x = nn_put(b, x, COUNT), *d_y = nn_memory(b, COUNT);
    b->kernels->unary(b, f[r], COUNT, d_x, d_y);
    nn_drop(b, d_x);
    nn_take(b, d_y, y, COUNT);
    for (int i = 0; i < COUNT; i++)
      BT_CHECK(isnan(wanted[r][i]) ? isnan((double)y[i]) : fabs((double)y[i] - wanted[r][i]) < 1e-37);
  }
  nn_backend_close(b);
}

static void softmax(void) {
  enum { ROWS = 6 };
  static NnReal x[ROWS * CLASSES], p[ROWS * CLASSES], loss[ROWS], label[ROWS];
  double off = 0, error = 0;
  NnBackend *b = nn_test_backend(2);
  BT_NEED(b);
  for (size_t i = 0; i < ROWS * CLASSES; i++) x[i] = number(i * 7919 % N) / (NnReal)(1 + i / CLASSES);
  for (size_t r = 0; r < ROWS; r++) label[r] = (NnReal)(5 * r);
  NnReal *d_x = nn_put(b, x, ROWS * CLASSES), *d_label = nn_put(b, label, ROWS),
         *d_p = nn_memory(b, ROWS * CLASSES), *d_loss = nn_memory(b, ROWS);
  b->kernels->cross_entropy(b, ROWS, CLASSES, d_x, d_label, d_p, d_loss);
  nn_drop(b, d_x), nn_drop(b, d_label);
  nn_take(b, d_p, p, ROWS * CLASSES), nn_take(b, d_loss, loss, ROWS);
  for (size_t r = 0; r < ROWS; r++) {
    double sum = 0, most = -INFINITY;
    for (size_t c = 0; c < CLASSES; c++) most = fmax(most, (double)x[r * CLASSES + c]);
    for (size_t c = 0; c < CLASSES; c++) sum += exp((double)x[r * CLASSES + c] - most);
    for (size_t c = 0; c < CLASSES; c++)
      error = fmax(error, fabs((double)p[r * CLASSES + c] - exp((double)x[r * CLASSES + c] - most) / sum));
    const double wanted = log(sum) + most - (double)x[r * CLASSES + 5 * r];
    off = fmax(off, fabs((double)loss[r] - wanted) / fmax(1, wanted));
  }
  BT_CHECK_ROW(error <= relative, "probabilities are off by %g", error);
  BT_CHECK_ROW(off <= relative, "losses are off by %g", off);
  nn_backend_close(b);
}

/* A step of an LSTM by its definition. */
static void memory(void) {
  enum { ROWS = 3 };
  static NnReal z[ROWS * 4 * H], before[ROWS * 2 * H], after[ROWS * 2 * H];
  double error = 0;
  NnBackend *b = nn_test_backend(2);
  BT_NEED(b);
  for (size_t i = 0; i < ROWS * 4 * H; i++) z[i] = number(i * 7919 % N) / 10;
  for (size_t i = 0; i < ROWS * 2 * H; i++) before[i] = number(i * 6841 % N) / 50;
  NnReal *d_z = nn_put(b, z, ROWS * 4 * H), *d_before = nn_put(b, before, ROWS * 2 * H),
         *d_after = nn_memory(b, ROWS * 2 * H), *saved = nn_memory(b, ROWS * 5 * H);
  b->kernels->lstm(b, ROWS, H, d_z, d_before, d_after, saved);
  nn_drop(b, d_z), nn_drop(b, d_before), nn_drop(b, saved);
  nn_take(b, d_after, after, ROWS * 2 * H);
  for (size_t r = 0; r < ROWS; r++)
    for (size_t k = 0; k < H; k++) {
      double gate[4];
      for (size_t i = 0; i < 4; i++) gate[i] = (double)z[(r * 4 + i) * H + k];
      const double c =
          logistic(gate[1]) * (double)before[(r * 2 + 1) * H + k] + logistic(gate[0]) * tanh(gate[2]);
      error = fmax(error, fabs((double)after[(r * 2 + 1) * H + k] - c));
      error = fmax(error, fabs((double)after[r * 2 * H + k] - logistic(gate[3]) * tanh(c)));
    }
  BT_CHECK_ROW(error <= 2 * relative, "state is off by %g", error);
  nn_backend_close(b);
}

static const BtTest tests[] = {
    {"functions", functions}, {"ends", ends}, {"softmax", softmax}, {"lstm", memory}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "exponentials of networks", tests, sizeof tests / sizeof *tests);
}

#include "nn/cpu_internal.h"

static size_t entry_of(NnReal token, size_t entries) {
  return token >= 0 && token < (NnReal)entries && token == (NnReal)(size_t)token ? (size_t)token : entries;
}

static void gather(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                   const NnReal *table, NnReal beta, NnReal *y) {
  NN_PARALLEL(b, rows * columns)
  for (size_t r = 0; r < rows; r++) {
    const size_t k = entry_of(token[r], entries);
    for (size_t c = 0; c < columns; c++) {
      const NnReal v = k < entries ? table[k * columns + c] : (NnReal)NAN;
      NnReal *to = y + r * columns + c;
      *to = beta == 0 ? v : v + beta * *to;
    }
  }
}

/* A thread has columns of its own and takes the rows in order. */
static void scatter(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                    const NnReal *g, NnReal *table) {
  const size_t block = 64;
  NN_PARALLEL(b, rows * columns)
  for (size_t first = 0; first < columns; first += block)
    for (size_t r = 0; r < rows; r++) {
      const size_t k = entry_of(token[r], entries), last = nn_min(first + block, columns);
      if (k == entries) continue;
      for (size_t c = first; c < last; c++) table[k * columns + c] += g[r * columns + c];
    }
}

static void lstm(NnBackend *b, size_t rows, size_t hidden, const NnReal *gates, const NnReal *previous,
                 NnReal *state, NnReal *saved) {
  const size_t H = hidden;
  NN_PARALLEL(b, 8 * rows * H)
  for (size_t r = 0; r < rows; r++) {
    const NnReal *z = gates + r * 4 * H, *p = previous + r * 2 * H;
    NnReal *y = state + r * 2 * H, *a = saved + r * 5 * H;
    for (size_t k = 0; k < H; k++) {
      a[k] = nn_sigmoid(z[k]);
      a[H + k] = nn_sigmoid(z[H + k]);
      a[2 * H + k] = NN_MATH(tanh)(z[2 * H + k]);
      a[3 * H + k] = nn_sigmoid(z[3 * H + k]);
      const NnReal c = a[H + k] * p[H + k] + a[k] * a[2 * H + k];
      a[4 * H + k] = NN_MATH(tanh)(c);
      y[H + k] = c;
      y[k] = a[3 * H + k] * a[4 * H + k];
    }
  }
}

static void lstm_jvp(NnBackend *b, size_t rows, size_t hidden, const NnReal *previous, const NnReal *saved,
                     const NnReal *gates_dot, const NnReal *previous_dot, NnReal *state_dot) {
  const size_t H = hidden;
  NN_PARALLEL(b, 8 * rows * H)
  for (size_t r = 0; r < rows; r++) {
    const NnReal *p = previous + r * 2 * H, *a = saved + r * 5 * H;
    NnReal *y = state_dot + r * 2 * H;
    for (size_t k = 0; k < H; k++) {
      const NnReal i = a[k], f = a[H + k], g = a[2 * H + k], o = a[3 * H + k], t = a[4 * H + k];
      NnReal c = 0, o_dot = 0;
      if (previous_dot) c += f * previous_dot[r * 2 * H + H + k];
      if (gates_dot) {
        const NnReal *z = gates_dot + r * 4 * H;
        c += i * (1 - i) * z[k] * g + f * (1 - f) * z[H + k] * p[H + k] + i * (1 - g * g) * z[2 * H + k];
        o_dot = o * (1 - o) * z[3 * H + k];
      }
      y[H + k] = c;
      y[k] = o_dot * t + o * (1 - t * t) * c;
    }
  }
}

static void lstm_vjp(NnBackend *b, size_t rows, size_t hidden, const NnReal *previous, const NnReal *saved,
                     const NnReal *g, NnReal beta_gates, NnReal *g_gates, NnReal beta_previous,
                     NnReal *g_previous) {
  const size_t H = hidden;
  NN_PARALLEL(b, 8 * rows * H)
  for (size_t r = 0; r < rows; r++) {
    const NnReal *p = previous + r * 2 * H, *a = saved + r * 5 * H, *gy = g + r * 2 * H;
    for (size_t k = 0; k < H; k++) {
      const NnReal i = a[k], f = a[H + k], m = a[2 * H + k], o = a[3 * H + k], t = a[4 * H + k];
      const NnReal gc = gy[H + k] + gy[k] * o * (1 - t * t);
      if (g_gates) {
        NnReal *z = g_gates + r * 4 * H;
        const NnReal d[4] = {gc * m * i * (1 - i), gc * p[H + k] * f * (1 - f), gc * i * (1 - m * m),
                             gy[k] * t * o * (1 - o)};
        for (size_t q = 0; q < 4; q++)
          z[q * H + k] = beta_gates == 0 ? d[q] : d[q] + beta_gates * z[q * H + k];
      }
      if (g_previous) {
        NnReal *q = g_previous + r * 2 * H;
        q[k] = beta_previous == 0 ? 0 : beta_previous * q[k];
        q[H + k] = gc * f + (beta_previous == 0 ? 0 : beta_previous * q[H + k]);
      }
    }
  }
}

void nn_cpu_sequence_kernels(NnKernels *k) {
  k->gather = gather;
  k->scatter = scatter;
  k->lstm = lstm;
  k->lstm_jvp = lstm_jvp;
  k->lstm_vjp = lstm_vjp;
}

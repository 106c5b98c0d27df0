#include "nn/cpu/cpu_internal.h"

static void gather(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                   const NnReal *table, NnReal beta, NnReal *y) {
  NN_PARALLEL(b, rows * columns)
  for (size_t r = 0; r < rows; r++) {
    const size_t k = nn_index_of(token[r], entries);
    for (size_t c = 0; c < columns; c++)
      y[r * columns + c] =
          nn_blend(k < entries ? table[k * columns + c] : (NnReal)NAN, beta, y + r * columns + c);
  }
}

/* A thread has columns of its own and takes the rows in order. */
static void scatter(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                    const NnReal *g, NnReal *table) {
  const size_t block = 64;
  NN_PARALLEL(b, rows * columns)
  for (size_t first = 0; first < columns; first += block)
    for (size_t r = 0; r < rows; r++) {
      const size_t k = nn_index_of(token[r], entries), last = nn_min(first + block, columns);
      if (k == entries) continue;
      for (size_t c = first; c < last; c++) table[k * columns + c] += g[r * columns + c];
    }
}

BT_SIMD static void lstm_row(size_t H, const NnReal *restrict gates, const NnReal *restrict previous,
                             NnReal *restrict state, NnReal *restrict saved) {
#pragma omp simd
  for (size_t k = 0; k < H; k++) nn_lstm_unit(H, gates + k, previous + k, state + k, saved + k);
}

static void lstm(NnBackend *b, size_t rows, size_t H, const NnReal *gates, const NnReal *previous,
                 NnReal *state, NnReal *saved) {
  NN_PARALLEL(b, 8 * rows * H)
  for (size_t r = 0; r < rows; r++)
    lstm_row(H, gates + r * 4 * H, previous + r * 2 * H, state + r * 2 * H, saved + r * 5 * H);
}

static void lstm_jvp(NnBackend *b, size_t rows, size_t H, const NnReal *previous, const NnReal *saved,
                     const NnReal *gates_dot, const NnReal *previous_dot, NnReal *state_dot) {
  NN_PARALLEL(b, 8 * rows * H)
  for (size_t r = 0; r < rows; r++)
    for (size_t k = 0; k < H; k++)
      nn_lstm_unit_jvp(H, previous + r * 2 * H + k, saved + r * 5 * H + k,
                       gates_dot ? gates_dot + r * 4 * H + k : NULL,
                       previous_dot ? previous_dot + r * 2 * H + k : NULL, state_dot + r * 2 * H + k);
}

BT_SIMD static void lstm_vjp_row(size_t H, const NnReal *restrict previous, const NnReal *restrict saved,
                                 const NnReal *restrict g, NnReal beta_gates, NnReal *restrict g_gates,
                                 NnReal beta_previous, NnReal *restrict g_previous) {
  if (g_gates && g_previous) {
#pragma omp simd
    for (size_t k = 0; k < H; k++)
      nn_lstm_unit_vjp(H, previous + k, saved + k, g + k, beta_gates, g_gates + k, beta_previous,
                       g_previous + k);
    return;
  }
  for (size_t k = 0; k < H; k++)
    nn_lstm_unit_vjp(H, previous + k, saved + k, g + k, beta_gates, g_gates ? g_gates + k : NULL,
                     beta_previous, g_previous ? g_previous + k : NULL);
}

static void lstm_vjp(NnBackend *b, size_t rows, size_t H, const NnReal *previous, const NnReal *saved,
                     const NnReal *g, NnReal beta_gates, NnReal *g_gates, NnReal beta_previous,
                     NnReal *g_previous) {
  NN_PARALLEL(b, 8 * rows * H)
  for (size_t r = 0; r < rows; r++)
    lstm_vjp_row(H, previous + r * 2 * H, saved + r * 5 * H, g + r * 2 * H, beta_gates,
                 g_gates ? g_gates + r * 4 * H : NULL, beta_previous,
                 g_previous ? g_previous + r * 2 * H : NULL);
}

void nn_cpu_sequence_kernels(NnKernels *k) {
  k->gather = gather;
  k->scatter = scatter;
  k->lstm = lstm;
  k->lstm_jvp = lstm_jvp;
  k->lstm_vjp = lstm_vjp;
}

#include "nn/cuda/cuda_internal.h"

static __global__ void gather_kernel(size_t rows, size_t columns, size_t entries, const NnReal *token,
                                     const NnReal *table, NnReal beta, NnReal *y) {
  NN_EACH(i, rows * columns) {
    const size_t r = nn_quotient(i, columns), k = nn_index_of(token[r], entries);
    y[i] = nn_blend(k < entries ? table[k * columns + (i - r * columns)] : (NnReal)NAN, beta, y + i);
  }
}

static void gather(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                   const NnReal *table, NnReal beta, NnReal *y) {
  NN_START_EACH(nn_cuda(b), gather, rows * columns, rows, columns, entries, token, table, beta, y);
}

/* Block (r, k) owns columns 256·k … of the entry that row r names first, and adds its rows in order; blocks
 * of rows that name an entry again have nothing to do. So each number has one writer and the CPU's order. */
static __global__ void scatter_kernel(size_t rows, size_t columns, size_t entries, const NnReal *token,
                                      const NnReal *g, NnReal *table) {
  __shared__ int named[NN_THREADS];
  const size_t c = (size_t)blockIdx.y * NN_THREADS + threadIdx.x;
  for (size_t owner = blockIdx.x; owner < rows; owner += gridDim.x) {
    const size_t entry = nn_index_of(token[owner], entries);
    int earlier = 0;
    for (size_t r = threadIdx.x; r < owner && !earlier; r += NN_THREADS) earlier = token[r] == token[owner];
    if (__syncthreads_or(entry == entries || earlier)) continue;
    NnReal sum = c < columns ? table[entry * columns + c] : 0;
    for (size_t first = owner; first < rows; first += NN_THREADS) {
      const size_t mine = first + threadIdx.x;
      named[threadIdx.x] = mine < rows && token[mine] == token[owner];
      if (!__syncthreads_or(named[threadIdx.x])) continue;
      for (size_t k = 0; k < NN_THREADS; k++)
        if (named[k] && c < columns) sum += g[(first + k) * columns + c];
      __syncthreads();
    }
    if (c < columns) table[entry * columns + c] = sum;
  }
}

static void scatter(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                    const NnReal *g, NnReal *table) {
  NnCuda *cuda = nn_cuda(b);
  const size_t parts = (columns + NN_THREADS - 1) / NN_THREADS;
  if (rows == 0 || columns == 0) return;
  if (parts > 65535) {
    nn_cuda_fail(cuda, BT_ERR_UNSUPPORTED, "table of %zu columns", columns);
    return;
  }
  const dim3 grid((unsigned)nn_min(rows, (size_t)1 << 20), (unsigned)parts, 1);
  NN_START(cuda, scatter, grid, rows, columns, entries, token, g, table);
}

static __global__ void lstm_kernel(size_t rows, size_t H, const NnReal *gates, const NnReal *previous,
                                   NnReal *state, NnReal *saved) {
  NN_EACH(i, rows * H) {
    const size_t r = nn_quotient(i, H), k = i - r * H;
    nn_lstm_unit(H, gates + r * 4 * H + k, previous + r * 2 * H + k, state + r * 2 * H + k,
                 saved + r * 5 * H + k);
  }
}

static void lstm(NnBackend *b, size_t rows, size_t H, const NnReal *gates, const NnReal *previous,
                 NnReal *state, NnReal *saved) {
  NN_START_EACH(nn_cuda(b), lstm, rows * H, rows, H, gates, previous, state, saved);
}

static __global__ void lstm_jvp_kernel(size_t rows, size_t H, const NnReal *previous, const NnReal *saved,
                                       const NnReal *gates_dot, const NnReal *previous_dot,
                                       NnReal *state_dot) {
  NN_EACH(i, rows * H) {
    const size_t r = nn_quotient(i, H), k = i - r * H;
    nn_lstm_unit_jvp(H, previous + r * 2 * H + k, saved + r * 5 * H + k,
                     gates_dot ? gates_dot + r * 4 * H + k : NULL,
                     previous_dot ? previous_dot + r * 2 * H + k : NULL, state_dot + r * 2 * H + k);
  }
}

static void lstm_jvp(NnBackend *b, size_t rows, size_t H, const NnReal *previous, const NnReal *saved,
                     const NnReal *gates_dot, const NnReal *previous_dot, NnReal *state_dot) {
  NN_START_EACH(nn_cuda(b), lstm_jvp, rows * H, rows, H, previous, saved, gates_dot, previous_dot, state_dot);
}

static __global__ void lstm_vjp_kernel(size_t rows, size_t H, const NnReal *previous, const NnReal *saved,
                                       const NnReal *g, NnReal beta_gates, NnReal *g_gates,
                                       NnReal beta_previous, NnReal *g_previous) {
  NN_EACH(i, rows * H) {
    const size_t r = nn_quotient(i, H), k = i - r * H;
    nn_lstm_unit_vjp(H, previous + r * 2 * H + k, saved + r * 5 * H + k, g + r * 2 * H + k, beta_gates,
                     g_gates ? g_gates + r * 4 * H + k : NULL, beta_previous,
                     g_previous ? g_previous + r * 2 * H + k : NULL);
  }
}

static void lstm_vjp(NnBackend *b, size_t rows, size_t H, const NnReal *previous, const NnReal *saved,
                     const NnReal *g, NnReal beta_gates, NnReal *g_gates, NnReal beta_previous,
                     NnReal *g_previous) {
  NN_START_EACH(nn_cuda(b), lstm_vjp, rows * H, rows, H, previous, saved, g, beta_gates, g_gates,
                beta_previous, g_previous);
}

void nn_cuda_sequence_kernels(NnKernels *k) {
  k->gather = gather;
  k->scatter = scatter;
  k->lstm = lstm;
  k->lstm_jvp = lstm_jvp;
  k->lstm_vjp = lstm_vjp;
}

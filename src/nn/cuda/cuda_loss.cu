/* Cross entropy: a power of two of threads for each row, from as many as there are classes to a block. */
#include "nn/cuda/cuda_internal.h"

/* As nn_group_sum, for the maximum. */
static __device__ inline NnReal group_most(NnReal v, NnReal *shared, unsigned lanes) {
  const unsigned t = threadIdx.x, lane = t & (lanes - 1);
  shared[t] = v;
  __syncthreads();
  for (unsigned step = lanes / 2; step > 0; step /= 2) {
    if (lane < step && shared[t + step] > shared[t]) shared[t] = shared[t + step];
    __syncthreads();
  }
  const NnReal most = shared[t - lane];
  __syncthreads();
  return most;
}

/* The loop over rows is the same for all threads of a block, for their barriers. */
static __global__ void cross_entropy_kernel(size_t rows, size_t classes, unsigned lanes, const NnReal *x,
                                            const NnReal *label, NnReal *p, NnReal *loss) {
  __shared__ double sums[NN_THREADS];
  __shared__ NnReal largest[NN_THREADS];
  const unsigned lane = threadIdx.x & (lanes - 1), groups = NN_THREADS / lanes;
  for (size_t first = (size_t)blockIdx.x * groups; first < rows; first += (size_t)gridDim.x * groups) {
    const size_t r = first + threadIdx.x / lanes, end = r < rows ? classes : 0;
    const NnReal *v = x + r * classes;
    NnReal *q = p + r * classes, most = -INFINITY;
    double sum = 0;
    for (size_t c = lane; c < end; c += lanes) most = v[c] > most ? v[c] : most;
    most = group_most(most, largest, lanes);
    for (size_t c = lane; c < end; c += lanes) {
      q[c] = NN_MATH(exp)(v[c] - most);
      sum += (double)q[c];
    }
    sum = nn_group_sum(sum, sums, lanes);
    for (size_t c = lane; c < end; c += lanes) q[c] = (NnReal)((double)q[c] / sum);
    if (r < rows && lane == 0) {
      const size_t k = nn_index_of(label[r], classes);
      loss[r] = k < classes ? (NnReal)(log(sum) - (double)(v[k] - most)) : (NnReal)NAN;
    }
  }
}

static void cross_entropy(NnBackend *b, size_t rows, size_t classes, const NnReal *x, const NnReal *label,
                          NnReal *p, NnReal *loss) {
  const unsigned lanes = nn_cuda_lanes(classes);
  NN_START_EACH(nn_cuda(b), cross_entropy, rows * lanes, rows, classes, lanes, x, label, p, loss);
}

static __global__ void cross_entropy_jvp_kernel(size_t rows, size_t classes, unsigned lanes, const NnReal *p,
                                                const NnReal *label, const NnReal *u, NnReal beta,
                                                NnReal *out) {
  __shared__ double sums[NN_THREADS];
  const unsigned lane = threadIdx.x & (lanes - 1), groups = NN_THREADS / lanes;
  for (size_t first = (size_t)blockIdx.x * groups; first < rows; first += (size_t)gridDim.x * groups) {
    const size_t r = first + threadIdx.x / lanes, end = r < rows ? classes : 0;
    double sum = 0;
    for (size_t c = lane; c < end; c += lanes) sum += (double)p[r * classes + c] * (double)u[r * classes + c];
    sum = nn_group_sum(sum, sums, lanes);
    if (r < rows && lane == 0) {
      const size_t k = nn_index_of(label[r], classes);
      const NnReal v = k < classes ? (NnReal)(sum - (double)u[r * classes + k]) : (NnReal)NAN;
      out[r] = nn_blend(v, beta, out + r);
    }
  }
}

static void cross_entropy_jvp(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                              const NnReal *u, NnReal beta, NnReal *out) {
  const unsigned lanes = nn_cuda_lanes(classes);
  NN_START_EACH(nn_cuda(b), cross_entropy_jvp, rows * lanes, rows, classes, lanes, p, label, u, beta, out);
}

static __global__ void cross_entropy_vjp_kernel(size_t rows, size_t classes, const NnReal *p,
                                                const NnReal *label, const NnReal *g, NnReal beta,
                                                NnReal *out) {
  NN_EACH(i, rows * classes) {
    const size_t r = nn_quotient(i, classes), c = i - r * classes, k = nn_index_of(label[r], classes);
    const NnReal a = k < classes ? g[r] : (NnReal)NAN;
    out[i] = nn_blend(a * (p[i] - (NnReal)(c == k)), beta, out + i);
  }
}

static void cross_entropy_vjp(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                              const NnReal *g, NnReal beta, NnReal *out) {
  NN_START_EACH(nn_cuda(b), cross_entropy_vjp, rows * classes, rows, classes, p, label, g, beta, out);
}

void nn_cuda_loss_kernels(NnKernels *k) {
  k->cross_entropy = cross_entropy;
  k->cross_entropy_jvp = cross_entropy_jvp;
  k->cross_entropy_vjp = cross_entropy_vjp;
}

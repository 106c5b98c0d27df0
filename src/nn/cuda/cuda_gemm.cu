/* Products by cuBLAS, which is column-major: C = op(A) op(B) in rows is Cᵀ = op(B)ᵀ op(A)ᵀ in columns. */
#include "nn/cuda/cuda_internal.h"

static void gemm(NnBackend *b, int transpose_a, int transpose_b, size_t m, size_t n, size_t k, NnReal alpha,
                 const NnReal *A, size_t lda, const NnReal *B, size_t ldb, NnReal beta, NnReal *C,
                 size_t ldc) {
  NnCuda *cuda = nn_cuda(b);
  if (m == 0 || n == 0) return;
  const cublasStatus_t status = cublasSgemm_64(
      cuda->cublas, transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N,
      (int64_t)n, (int64_t)m, (int64_t)k, &alpha, B, (int64_t)ldb, A, (int64_t)lda, &beta, C, (int64_t)ldc);
  if (status != CUBLAS_STATUS_SUCCESS)
    nn_cuda_fail(cuda, BT_ERR_LIBRARY, "cuBLAS: product of %zu x %zu x %zu: %s", m, n, k,
                 cublasGetStatusString(status));
}

void nn_cuda_gemm_kernels(NnKernels *k) { k->gemm = gemm; }

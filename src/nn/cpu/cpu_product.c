/* One thread's product, by oneDNN where that is built in and the product is worth its preparation, by
 * OpenBLAS otherwise. Which one follows from the sizes alone. */
#include <cblas.h>

#include "nn/cpu/cpu_internal.h"

#if defined(BITUNE_ONEDNN) && !defined(NN_DOUBLE)
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#define ONEDNN_FLOPS 1e5 /* below, OpenBLAS is faster */
#define ONEDNN_SIDE 8    /* least rows and columns    */

/* oneDNN takes as many threads as OpenMP would give it here: one. It has no setting of its own. */
static int onednn(int ta, int tb, size_t m, size_t n, size_t k, NnReal alpha, const NnReal *A, size_t lda,
                  const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc) {
  if (m < ONEDNN_SIDE || n < ONEDNN_SIDE || 2.0 * (double)m * (double)n * (double)k < ONEDNN_FLOPS) return 0;
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const dnnl_status_t done =
      dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, alpha, A,
                 (dnnl_dim_t)lda, B, (dnnl_dim_t)ldb, beta, C, (dnnl_dim_t)ldc);
  omp_set_num_threads(threads);
  return done == dnnl_success;
}
#else
static int onednn(int ta, int tb, size_t m, size_t n, size_t k, NnReal alpha, const NnReal *A, size_t lda,
                  const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc) {
  (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)alpha, (void)A, (void)lda, (void)B, (void)ldb;
  (void)beta, (void)C, (void)ldc;
  return 0;
}
#endif

#ifdef NN_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

void nn_gemm_one_thread(void) { openblas_set_num_threads(1); }

void nn_gemm_serial(int ta, int tb, size_t m, size_t n, size_t k, NnReal alpha, const NnReal *A, size_t lda,
                    const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc) {
  if (onednn(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) return;
  GEMM(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n,
       (blasint)k, alpha, A, (blasint)lda, B, (blasint)ldb, beta, C, (blasint)ldc);
}

/* nn/cpu/cpu_internal.h: kernels of the CPU backend, by file.
 *
 * A kernel is a loop over chunks of fixed size, dealt over OpenMP threads, around a function on one chunk
 * that the compiler vectorises for several instruction sets (core/simd.h; what OpenMP outlines is not cloned,
 * so it is apart). */
#ifndef BITUNE_NN_CPU_INTERNAL_H
#define BITUNE_NN_CPU_INTERNAL_H

#include "core/simd.h"
#include "nn/backend.h"
#include "nn/element_internal.h"

#define NN_CHUNK ((size_t)8192) /* elements of a piece of work */
/* Elements that are worth the start of threads: where others use the cores, too, each start can cost a time
 * slice. */
#define NN_PARALLEL_FROM (4 * NN_CHUNK)

#define NN_PRAGMA(x) _Pragma(#x)
/* Deals the iterations of the for loop that follows, if there is `work` (elements) enough. */
#define NN_PARALLEL(b, work) \
  NN_PRAGMA(omp parallel for schedule(static) num_threads((b)->threads) if ((work) > NN_PARALLEL_FROM))

/* cpu_gemm.c */
void nn_cpu_gemm(NnBackend *b, int ta, int tb, size_t m, size_t n, size_t k, NnReal alpha, const NnReal *A,
                 size_t lda, const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc);
/* cpu_product.c: the same on the calling thread. */
void nn_gemm_serial(int ta, int tb, size_t m, size_t n, size_t k, NnReal alpha, const NnReal *A, size_t lda,
                    const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc);
void nn_gemm_one_thread(void);

/* cpu_conv.c */
size_t nn_cpu_conv2d_work(NnBackend *b, const NnConv *conv);
void nn_cpu_conv2d(NnBackend *b, const NnConv *conv, const NnReal *x, const NnReal *w, NnReal beta, NnReal *y,
                   NnReal *work);
void nn_cpu_conv2d_data(NnBackend *b, const NnConv *conv, const NnReal *w, const NnReal *gy, NnReal beta,
                        NnReal *gx, NnReal *work);
void nn_cpu_conv2d_filter(NnBackend *b, const NnConv *conv, const NnReal *x, const NnReal *gy, NnReal beta,
                          NnReal *gw, NnReal *work);

/* Each of these sets the kernels of its file. */
void nn_cpu_pool_kernels(NnKernels *kernels);
void nn_cpu_elementwise_kernels(NnKernels *kernels);
void nn_cpu_channel_kernels(NnKernels *kernels);
void nn_cpu_norm_kernels(NnKernels *kernels);
void nn_cpu_loss_kernels(NnKernels *kernels);
void nn_cpu_sequence_kernels(NnKernels *kernels);
void nn_cpu_random_kernels(NnKernels *kernels);
void nn_cpu_augment_kernels(NnKernels *kernels);
void nn_cpu_optimizer_kernels(NnKernels *kernels);

#endif

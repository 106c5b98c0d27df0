/* nn/kernels.h: the kernels that a backend supplies.
 *
 * Pointers are to memory of the backend. Sizes are counts of elements; matrices are row-major, images NCHW.
 * Kernels return nothing: an error is kept by the backend and reported by check() or finish(). Unless told
 * otherwise a kernel computes out ← beta·out + result; beta = 0 means that out is not read. Sums are formed
 * in an order that depends on the sizes alone, so results are the same for any number of threads. */
#ifndef BITUNE_NN_KERNELS_H
#define BITUNE_NN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "nn/real.h"

typedef struct NnBackend NnBackend;

/* A batch of rows seen as [rows][repeat][channels][plane]: element ((r·repeat + t)·channels + c)·plane + p.
 * Images: repeat 1, plane H·W; vectors: repeat 1, plane 1; sequences of vectors: repeat = length, plane 1. */
typedef struct {
  size_t rows, repeat, channels, plane;
} NnRows;

static inline size_t nn_rows_count(NnRows r) { return r.rows * r.repeat * r.channels * r.plane; }

/* y[n][k][h'][w'] = Σ w[k][c][i][j] x[n][c][h'·stride − pad + i][w'·stride − pad + j], zero outside of x. */
typedef struct {
  size_t batch, channels, height, width; /* x [batch × channels × height × width]                     */
  size_t filters, kernel_height, kernel_width;
  size_t stride, pad;
  size_t out_height, out_width; /* y [batch × filters × out_height × out_width]                       */
} NnConv;

/* Windows of kernel × kernel; windows reach over the border by `pad`, where there is nothing: the maximum
 * ignores it, the average divides by the number of elements inside. */
typedef struct {
  size_t planes, height, width; /* x [planes × height × width], planes = batch · channels */
  size_t kernel, stride, pad;
  size_t out_height, out_width;
} NnPool;

typedef enum {
  NN_RELU,
  NN_TANH,
  NN_SIGMOID,
  NN_SOFTPLUS,
  NN_EXP,
  NN_LOG,
  NN_FLOOR, /* derivative taken as zero */
  NN_UNARY_COUNT
} NnUnary;

/* Key of a draw of random numbers: element i of stream `stream` in step `step` is the same on every backend.
 */
typedef struct {
  uint64_t seed, step;
  uint32_t stream;
  const uint64_t *base; /* in memory of the backend, added to the step when the kernel runs; NULL: 0 */
} NnKey;

/* Images of a batch, NCHW. */
typedef struct {
  size_t rows, channels, height, width;
} NnImages;

/* Strengths of an augmentation, by NN_CUTOUT_…, NN_JITTER_…, NN_AFFINE_…: column[k][r·stride] is that of row
 * r; NULL: none. */
#define NN_MOST_STRENGTHS 4
typedef struct {
  const NnReal *column[NN_MOST_STRENGTHS];
  size_t stride; /* 0: one for all rows */
} NnStrengths;

enum { NN_CUTOUT_LENGTH, NN_CUTOUT_HOLES };
enum { NN_JITTER_HUE, NN_JITTER_SATURATION, NN_JITTER_BRIGHTNESS, NN_JITTER_CONTRAST };
enum { NN_AFFINE_ROTATION, NN_AFFINE_SHEAR, NN_AFFINE_TRANSLATION, NN_AFFINE_SCALE };

/* What a step of an optimizer (nn/optimizer.h) is taken with: numbers that change from step to step, which
 * kernels therefore read from memory of the backend. */
typedef struct {
  NnReal rate, momentum, decay; /* step size; momentum; weight of an L2 penalty added to the gradient  */
  int nesterov;
} NnSgd;

typedef struct {
  NnReal beta1, beta2, epsilon;
  NnReal step;  /* rate/(1 − beta1^t) at this step t = 1, 2, …                                          */
  NnReal root;  /* 1/√(1 − beta2^t)                                                                     */
  NnReal added; /* weight of an L2 penalty added to the gradient                                        */
  NnReal shrink; /* the weights are multiplied by it: 1, AdamW: 1 − rate·decay                           */
} NnAdam;

typedef struct {
  NnReal rate, alpha, epsilon, momentum, decay;
} NnRmsprop;

/* An array to be searched: x [size], or [rows × size] if it is batched. */
typedef struct {
  const NnReal *x;
  size_t size;
  int batched;
} NnArray;

typedef struct NnKernels {
  /* C [m×n] = alpha·op(A)·op(B) + beta·C, op(A) [m×k], op(B) [k×n]; ld*: elements from row to row. */
  void (*gemm)(NnBackend *b, int transpose_a, int transpose_b, size_t m, size_t n, size_t k, NnReal alpha,
               const NnReal *A, size_t lda, const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc);

  /* Elements of `work` that the three convolutions need at most. */
  size_t (*conv2d_work)(NnBackend *b, const NnConv *conv);
  void (*conv2d)(NnBackend *b, const NnConv *conv, const NnReal *x, const NnReal *w, NnReal beta, NnReal *y,
                 NnReal *work);
  void (*conv2d_data)(NnBackend *b, const NnConv *conv, const NnReal *w, const NnReal *gy, NnReal beta,
                      NnReal *gx, NnReal *work);
  void (*conv2d_filter)(NnBackend *b, const NnConv *conv, const NnReal *x, const NnReal *gy, NnReal beta,
                        NnReal *gw, NnReal *work);

  /* index: place of the maximum in its plane, one per output. */
  void (*max_pool)(NnBackend *b, const NnPool *pool, const NnReal *x, NnReal *y, int32_t *index);
  /* y = beta·y + x at index: the tangent of max_pool. */
  void (*max_pool_gather)(NnBackend *b, const NnPool *pool, const NnReal *x, const int32_t *index,
                          NnReal beta, NnReal *y);
  void (*max_pool_scatter)(NnBackend *b, const NnPool *pool, const NnReal *gy, const int32_t *index,
                           NnReal beta, NnReal *gx);
  void (*average_pool)(NnBackend *b, const NnPool *pool, const NnReal *x, NnReal beta, NnReal *y);
  void (*average_pool_data)(NnBackend *b, const NnPool *pool, const NnReal *gy, NnReal beta, NnReal *gx);

  void (*fill)(NnBackend *b, size_t n, NnReal value, NnReal *x);
  /* y = alpha·x + beta·y */
  void (*axpby)(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, NnReal beta, NnReal *y);
  /* z = alpha·x⊙y + beta·z */
  void (*multiply)(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
                   NnReal *z);
  /* y = f(x) */
  void (*unary)(NnBackend *b, NnUnary f, size_t n, const NnReal *x, NnReal *y);
  /* v = f'(x)⊙u + beta·v, with y = f(x) given too */
  void (*unary_chain)(NnBackend *b, NnUnary f, size_t n, const NnReal *x, const NnReal *y, const NnReal *u,
                      NnReal beta, NnReal *v);
  /* dst[r][j] = alpha·src[r][j] + beta·dst[r][j], r < rows, j < columns, with strides from row to row. */
  void (*copy_rows)(NnBackend *b, size_t rows, size_t columns, NnReal alpha, const NnReal *src,
                    size_t src_stride, NnReal beta, NnReal *dst, size_t dst_stride);

  /* y = s[r][c]·x + beta·y; s has `stride` elements from row to row, 0: one row for all. */
  void (*scale)(NnBackend *b, NnRows n, const NnReal *s, size_t stride, const NnReal *x, NnReal beta,
                NnReal *y);
  /* y = u[c]·s[r][c] + beta·y; u or s may be NULL: ones. */
  void (*broadcast)(NnBackend *b, NnRows n, const NnReal *u, const NnReal *s, size_t stride, NnReal beta,
                    NnReal *y);
  /* out[c] = Σ over r, t, p of s[r][c]·x·z + beta·out[c]; s, z may be NULL: ones. */
  void (*channel_sum)(NnBackend *b, NnRows n, const NnReal *s, size_t stride, const NnReal *x,
                      const NnReal *z, NnReal beta, NnReal *out);
  /* out[r·stride + c] = u[c]·Σ over t, p of x·z + beta·out; u, z may be NULL: ones. */
  void (*row_sum)(NnBackend *b, NnRows n, const NnReal *u, const NnReal *x, const NnReal *z, NnReal beta,
                  NnReal *out, size_t stride);
  /* *out = alpha·Σ x·y + beta·*out; y may be NULL: ones. */
  void (*dot)(NnBackend *b, size_t n, NnReal alpha, const NnReal *x, const NnReal *y, NnReal beta,
              NnReal *out);

  /* x − mean over all but c → mean [c], 1/sqrt(var + epsilon) [c] and var [c], the biased variance. */
  void (*norm_statistics)(NnBackend *b, NnRows n, const NnReal *x, NnReal epsilon, NnReal *mean,
                          NnReal *inverse, NnReal *variance);
  /* inverse = 1/sqrt(variance + epsilon) */
  void (*norm_inverse)(NnBackend *b, size_t channels, const NnReal *variance, NnReal epsilon,
                       NnReal *inverse);
  /* xhat = (x − mean)·inverse, y = gamma·xhat + shift */
  void (*norm_apply)(NnBackend *b, NnRows n, const NnReal *x, const NnReal *mean, const NnReal *inverse,
                     const NnReal *gamma, const NnReal *shift, NnReal *xhat, NnReal *y);
  /* out = gamma·inverse·P u + beta·out with P u = u − mean(u) − xhat·mean(u·xhat), the tangent and the
   * adjoint of normalisation by the batch's own statistics. */
  void (*norm_project)(NnBackend *b, NnRows n, const NnReal *u, const NnReal *xhat, const NnReal *inverse,
                       const NnReal *gamma, NnReal beta, NnReal *out);

  /* loss[r] = −log softmax(x[r])[label[r]], p = softmax(x); a label that is no class gives NaN. x, p [rows ×
   * classes] */
  void (*cross_entropy)(NnBackend *b, size_t rows, size_t classes, const NnReal *x, const NnReal *label,
                        NnReal *p, NnReal *loss);
  /* out[r] = Σ (p − onehot)·u + beta·out[r] */
  void (*cross_entropy_jvp)(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                            const NnReal *u, NnReal beta, NnReal *out);
  /* out = g[r]·(p − onehot) + beta·out */
  void (*cross_entropy_vjp)(NnBackend *b, size_t rows, size_t classes, const NnReal *p, const NnReal *label,
                            const NnReal *g, NnReal beta, NnReal *out);

  /* y[r] = table[token[r]] + beta·y[r], rows of `columns`; a token that is no row of the table gives NaN. */
  void (*gather)(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                 const NnReal *table, NnReal beta, NnReal *y);
  /* table[token[r]] += g[r], r in order */
  void (*scatter)(NnBackend *b, size_t rows, size_t columns, size_t entries, const NnReal *token,
                  const NnReal *g, NnReal *table);

  /* A step of a long short-term memory (Hochreiter, Schmidhuber 1997, with forget gates): gates [rows ×
   * 4·hidden] are pre-activations in the order input, forget, candidate, output; previous and state [rows ×
   * 2·hidden] hold h, then c; saved [rows × 5·hidden]: the four activations and tanh c. */
  void (*lstm)(NnBackend *b, size_t rows, size_t hidden, const NnReal *gates, const NnReal *previous,
               NnReal *state, NnReal *saved);
  /* Tangent of the step; gates_dot and previous_dot may be NULL: zero. */
  void (*lstm_jvp)(NnBackend *b, size_t rows, size_t hidden, const NnReal *previous, const NnReal *saved,
                   const NnReal *gates_dot, const NnReal *previous_dot, NnReal *state_dot);
  /* Adjoint of the step; either result may be NULL. Only the c half of g_previous is written (h enters by the
   * gates): its h half is left alone if beta_previous is 1, else set to zero. */
  void (*lstm_vjp)(NnBackend *b, size_t rows, size_t hidden, const NnReal *previous, const NnReal *saved,
                   const NnReal *g, NnReal beta_gates, NnReal *g_gates, NnReal beta_previous,
                   NnReal *g_previous);

  /* mask[r][i] = 0 with probability rate[r·stride], else 1/(1 − rate), i < count; 32-bit uniforms of element
   * r·count + i. A rate that is not positive keeps all, one of 1 or more keeps nothing. */
  void (*dropout_mask)(NnBackend *b, NnKey key, size_t rows, size_t count, const NnReal *rate, size_t stride,
                       NnReal *mask);
  /* x[i] standard normal */
  void (*normal)(NnBackend *b, NnKey key, size_t n, NnReal *x);

  /* Augmentations (nn/augment.h) of images x → y, which do not overlap; draws and arithmetic are those of
   * nn/augment_internal.h. */
  void (*flip)(NnBackend *b, NnKey key, const NnImages *n, const NnReal *x, NnReal *y);
  void (*crop)(NnBackend *b, NnKey key, const NnImages *n, size_t pad, const NnReal *x, NnReal *y);
  void (*cutout)(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                 NnReal *y);
  void (*jitter)(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                 NnReal *y);
  void (*affine)(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                 NnReal *y);

  /* x is scaled to the Euclidean norm `most` if √(*square), its own, is larger. */
  void (*clip)(NnBackend *b, size_t n, double most, const NnReal *square, NnReal *x);
  /* If all of watched [count] are finite: *first = −1 and nothing else is read. Otherwise *first becomes the
   * number of the first of the arrays (in memory of the backend) that has an element which is not finite,
   * `arrays` if none has. */
  void (*find_nonfinite)(NnBackend *b, size_t count, const NnReal *watched, size_t arrays,
                         const NnArray *array, size_t rows, NnReal *first);

  /* One step on weights w [n] with gradient g; state is updated; *o is in memory of the backend. */
  void (*sgd)(NnBackend *b, const NnSgd *o, size_t n, const NnReal *g, NnReal *w,
              NnReal *momentum /* may be NULL */);
  void (*adam)(NnBackend *b, const NnAdam *o, size_t n, const NnReal *g, NnReal *w, NnReal *first,
               NnReal *second);
  void (*rmsprop)(NnBackend *b, const NnRmsprop *o, size_t n, const NnReal *g, NnReal *w, NnReal *square,
                  NnReal *momentum /* may be NULL */);
} NnKernels;

#endif

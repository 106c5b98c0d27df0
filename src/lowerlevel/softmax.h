/* lowerlevel/softmax.h: sums over the rows of a data set of multinomial logistic regression, on plain arrays.
 *
 * Row i has d features x_i, a label y_i < K and probabilities p_i = softmax(W x_i), W = w as K × d, row by row. Rows are
 * taken in blocks that stay in the second-level cache; per row the two products take 4Kd flops and read x_i once.
 * Sums are accumulated in double; `single` computes everything else in single precision. */
#ifndef BITUNE_LOWERLEVEL_SOFTMAX_H
#define BITUNE_LOWERLEVEL_SOFTMAX_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  size_t rows, features, classes;
  const double *x;       /* [rows][features]                                 */
  const float *x_single; /* the same rounded; NULL where `single` is not used */
  const int32_t *label;  /* [rows] 0 … classes−1                             */
} BtSoftmaxRows;

/* Rows of one block: a sum over rows has at most that many terms plus the number of blocks in a row. */
size_t bt_softmax_block(size_t features);

/* Doubles of scratch that the functions below need. */
size_t bt_softmax_work(size_t features, size_t classes);

/* Doubles that hold the probabilities of that many rows, in either precision. */
static inline size_t bt_softmax_probabilities_size(size_t rows, size_t classes) { return rows * classes; }

/* Returns Σ_i log Σ_k e^{w_k·x_i} − w_{y_i}·x_i and writes gradient[K·d] ← Σ_i (p_i − e_{y_i}) x_iᵀ; p, where not
 * NULL and the precision is double, gets what bt_softmax_prepare() would write. */
double bt_softmax_value_grad(const BtSoftmaxRows *rows, int single, const double *w, double *gradient, double *p,
                             double *work);

/* Stores the probabilities at w, in blocks of classes × rows. */
void bt_softmax_prepare(const BtSoftmaxRows *rows, const double *w, double *p, double *work);

/* kept ← p in the precision that the two functions below are to be called with. */
void bt_softmax_keep(const BtSoftmaxRows *rows, int single, const double *p, void *kept);

/* product[K·d] ← Σ_i (diag p_i − p_i p_iᵀ)(V x_i) x_iᵀ. */
void bt_softmax_hess_mult(const BtSoftmaxRows *rows, int single, const void *p, const double *v, double *product,
                          double *work);

/* diagonal[K·d] ← Σ_i p_ik (1 − p_ik) x_ij². */
void bt_softmax_hess_diagonal(const BtSoftmaxRows *rows, int single, const void *p, double *diagonal, double *work);

/* How unevenly Q x_i, Q = q as K × d, spreads over the classes at w; in double. */
typedef struct {
  double largest; /* max_i ‖Q x_i‖                                                        */
  double square;  /* Σ_i ‖Q x_i‖²                                                         */
  double spread;  /* Σ_i ‖x_i‖² Var_i(Q x_i), the variance under p_i                      */
} BtSoftmaxSpread;

BtSoftmaxSpread bt_softmax_spread(const BtSoftmaxRows *rows, const double *w, const double *q, double *work);

/* scores[rows][K] ← p_i row by row; returns the sum of value_grad(), 0 without labels. */
double bt_softmax_predict(const BtSoftmaxRows *rows, const double *w, double *scores, double *work);

#endif

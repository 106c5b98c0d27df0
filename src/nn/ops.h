/* nn/ops.h: the operations of a graph.
 *
 * "Rows" are examples; shapes are given without the batch. All return the new node, NN_NONE after an error.
 */
#ifndef BITUNE_NN_OPS_H
#define BITUNE_NN_OPS_H

#include "nn/graph.h"

/* The structured best response of a layer with n hyperparameters (arXiv:1903.03088):
 * y += s⊙(U x) + c⊙u with s = V δ, c = C δ for the δ of each example. U has the shape of W, u that of
 * b, V and C are [outputs × n]. u and C may be NN_NONE where the layer has no bias. */
typedef struct {
  NnId delta, U, u, V, C;
} NnResponse;

/* y = W x + b (+ response). x [in] or [T × in], W [out × in], b [out] or NN_NONE, y [out] or [T × out].
 * response may be NULL. W need not be a parameter: a DropConnect of one, for instance. */
NnId nn_linear(NnGraph *g, NnId x, NnId W, NnId b, const NnResponse *response);

/* y = W h + b + U(s⊙h) with s = V δ, V [in × n]: the response of a decoder that shares the table of an
 * embedding whose columns respond. response->u and C as in nn_linear. */
NnId nn_linear_columns(NnGraph *g, NnId x, NnId W, NnId b, const NnResponse *response);

/* x [channels × height × width], W [filters × channels × kh × kw], b [filters] or NN_NONE. */
NnId nn_conv2d(NnGraph *g, NnId x, NnId W, NnId b, size_t stride, size_t pad, const NnResponse *response);

/* token [T] (numbers 0 … entries − 1) → y [T × width] (or [width] if T = 1), table [entries × width];
 * response: s⊙U[token] with V [width × n]. */
NnId nn_embedding(NnGraph *g, NnId token, NnId table, const NnResponse *response);

/* y = x + b over the channels (first dimension of an image, last of a vector or sequence). */
NnId nn_bias(NnGraph *g, NnId x, NnId b);

/* y = scale_c·x + shift_c over the channels: standardises images, for instance; scale, shift [channels], shift
 * may be NN_NONE. */
NnId nn_channel_affine(NnGraph *g, NnId x, NnId scale, NnId shift);

/* Batch norm over the channels: gamma, beta parameters [channels], mean and variance of group NN_BUFFER
 * [channels]. momentum: weight of the batch in the running statistics (0.1 is usual), variance there with
 * n/(n−1). */
NnId nn_batch_norm(NnGraph *g, NnId x, NnId gamma, NnId beta, NnId mean, NnId variance, double momentum,
                   double epsilon);

NnId nn_unary(NnGraph *g, NnUnary f, NnId x);
NnId nn_max_pool(NnGraph *g, NnId x, size_t kernel, size_t stride, size_t pad);
NnId nn_average_pool(NnGraph *g, NnId x, size_t kernel, size_t stride, size_t pad);
/* [channels × h × w] → [channels], the mean. */
NnId nn_global_pool(NnGraph *g, NnId x);

NnId nn_add(NnGraph *g, NnId x, NnId y);      /* same shape, both batched or neither                   */
NnId nn_subtract(NnGraph *g, NnId x, NnId y); /* same shape                                            */
NnId nn_multiply(NnGraph *g, NnId x, NnId y); /* same shape                                            */
NnId nn_scale(NnGraph *g, NnId x, double factor, double shift);
/* Σ over rows of a [rows × columns] node without batch of a·b: [rows]. */
NnId nn_row_dot(NnGraph *g, NnId a, NnId b);

NnId nn_reshape(NnGraph *g, NnId x, NnShape shape);
/* Joins along dimension `dim`; other sizes equal. */
NnId nn_concat(NnGraph *g, NnId x, NnId y, int dim);
/* Elements first … first + count − 1 along dimension `dim`. */
NnId nn_slice(NnGraph *g, NnId x, int dim, size_t first, size_t count);
/* First row of a batched node as one without batch: for hyperparameters that act on the batch as a whole. */
NnId nn_first_row(NnGraph *g, NnId x);

/* What a dropout mask drops as one. */
typedef enum {
  NN_DROP_ELEMENTS,
  NN_DROP_CHANNELS, /* of an image               */
  NN_DROP_SEQUENCE  /* [T × n]: one mask for all T */
} NnDrop;

/* x⊙mask, inverted scaling. The rate is column `column` of `rates` [n], batched (one per example) or not (one
 * for all). There is no derivative in the rates. Without training: x. */
NnId nn_dropout(NnGraph *g, NnId x, NnId rates, size_t column, NnDrop what);
/* The same for weights: elements of W, or whole rows (words of an embedding); the rate of the first example.
 * like: NN_NONE, or another DropConnect of the same shape whose mask is shared (that of W, for U). */
NnId nn_drop_connect(NnGraph *g, NnId W, NnId rates, size_t column, int whole_rows, NnId like);

/* Per example (and position): −log softmax(x)[label]. x [classes] or [T × classes], label [1] or [T] → [1] or
 * [T]. */
NnId nn_cross_entropy(NnGraph *g, NnId x, NnId label);
/* Per example: mean of (x − y)² over its elements → [1]. */
NnId nn_squared_error(NnGraph *g, NnId x, NnId y);
/* Mean, or sum, of all elements, of all examples → scalar without batch. */
NnId nn_mean(NnGraph *g, NnId x);
NnId nn_sum(NnGraph *g, NnId x);

/* One step of an LSTM: gates [4·hidden] before their activations (input, forget, candidate, output), state
 * [2·hidden]: h, then c → the next state. */
NnId nn_lstm_cell(NnGraph *g, NnId gates, NnId state);

/* Mean over the examples of ½ c_n ‖W + diag(V δ_n) U‖², c the column `column` of rates (batched) → scalar.
 * In runs without response δ must be 0. response NULL: ½ c ‖W‖² with the first row's c. For biases: W = b, U
 * = u, V = C. Only delta, U and V of `response` are used. */
NnId nn_l2_penalty(NnGraph *g, NnId W, NnId rates, size_t column, const NnResponse *response);
/* Activation penalties of sequences h [T × n] (Merity, McCann, Socher 2017, arXiv:1708.01009), their weights
 * columns of `rates`, first row: AR = α mean h², TAR = β mean (h_t+1 − h_t)² → scalars. */
NnId nn_ar_penalty(NnGraph *g, NnId h, NnId rates, size_t column);
NnId nn_tar_penalty(NnGraph *g, NnId h, NnId rates, size_t column);

/* λ' = λ + softplus(s)⊙ε, ε ~ N(0, I) for each example; lambda, s [n] → batched [n]. Unperturbed runs: λ' =
 * λ. */
NnId nn_perturb(NnGraph *g, NnId lambda, NnId s);
/* λ' − λ, where λ counts as a constant: the input of a centred response. */
NnId nn_centre(NnGraph *g, NnId perturbed, NnId lambda);
/* Σ log(softplus(s_i)·sqrt(2πe)): the entropy of the perturbation → scalar. */
NnId nn_entropy(NnGraph *g, NnId s);

/* Ranges of hyperparameters; an infinite end is open. Both: a + (b − a)·sigmoid; [a,∞): a + softplus, or a + exp
 * if logarithmic; (−∞,b]: b − softplus; none: as it is. Discrete ones are floored; their derivative is taken as
 * zero. */
typedef struct {
  double low, high;
  int discrete, logarithmic;
} NnRange;
/* Column `column` of x [n], batched or not, in its range → [1]. */
NnId nn_range(NnGraph *g, NnId x, size_t column, NnRange range);

/* Where the loss reads the network's output: y0 + J δ in NN_RESPONSE_LINEARISED, x itself otherwise. Has no
 * tangent of its own in linearised runs. */
NnId nn_linearised_output(NnGraph *g, NnId x);

/* The computation a + (b − a)σ(x) etc. of one number, and its inverse for initial values. */
double nn_range_value(NnRange range, double x);
double nn_range_inverse(NnRange range, double value);

#endif

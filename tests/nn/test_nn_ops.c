/* Every operation: a row in a table, each checked by nn_check.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "nn_check.h"

#define H 3 /* hyperparameters */

static NnId in(NnGraph *g, NnShape s) { return nn_input(g, "x", s); }
static NnId general(NnGraph *g, const char *name, NnShape s) { return nn_parameter(g, name, NN_GENERAL, s); }
static NnId response(NnGraph *g, const char *name, NnShape s) {
  return nn_parameter(g, name, NN_RESPONSE, s);
}
static NnId relu(NnGraph *g, NnId x) { return nn_unary(g, NN_RELU, x); }

static NnResponse responses(NnGraph *g, NnId delta, NnShape w, size_t scaled, size_t shifted,
                            const char *layer) {
  char name[5][32];
  const char *const parts[] = {"U", "u", "V", "C"};
  for (int i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%s%s", layer, parts[i]);
  NnResponse r = {.delta = delta,
                  .U = response(g, name[0], w),
                  .u = NN_NONE,
                  .V = response(g, name[2], NN_SHAPE(scaled, H)),
                  .C = NN_NONE};
  if (shifted) {
    r.u = response(g, name[1], NN_SHAPE(shifted));
    r.C = response(g, name[3], NN_SHAPE(shifted, H));
  }
  return r;
}

static NnId linear(NnGraph *g) {
  return nn_linear(g, in(g, NN_SHAPE(5)), general(g, "W", NN_SHAPE(4, 5)), general(g, "b", NN_SHAPE(4)),
                   NULL);
}
static NnId linear_sequence(NnGraph *g) {
  return nn_linear(g, in(g, NN_SHAPE(3, 5)), general(g, "W", NN_SHAPE(4, 5)), NN_NONE, NULL);
}
static NnId linear_response(NnGraph *g) {
  const NnResponse r = responses(g, nn_input(g, "delta", NN_SHAPE(H)), NN_SHAPE(4, 5), 4, 4, "");
  const NnId x = in(g, NN_SHAPE(5));
  return nn_linearised_output(
      g, nn_linear(g, x, general(g, "W", NN_SHAPE(4, 5)), general(g, "b", NN_SHAPE(4)), &r));
}
static NnId sequence_response(NnGraph *g) {
  const NnResponse r = responses(g, nn_input(g, "delta", NN_SHAPE(H)), NN_SHAPE(4, 5), 4, 4, "");
  const NnId x = in(g, NN_SHAPE(3, 5));
  return nn_linearised_output(
      g, nn_linear(g, x, general(g, "W", NN_SHAPE(4, 5)), general(g, "b", NN_SHAPE(4)), &r));
}
static NnId columns_response(NnGraph *g) {
  const NnResponse r = responses(g, nn_input(g, "delta", NN_SHAPE(H)), NN_SHAPE(4, 5), 5, 4, "");
  const NnId x = in(g, NN_SHAPE(3, 5));
  return nn_linearised_output(
      g, nn_linear_columns(g, x, general(g, "W", NN_SHAPE(4, 5)), general(g, "b", NN_SHAPE(4)), &r));
}
static NnId conv(NnGraph *g) {
  return nn_conv2d(g, in(g, NN_SHAPE(3, 7, 6)), general(g, "W", NN_SHAPE(4, 3, 3, 3)),
                   general(g, "b", NN_SHAPE(4)), 1, 1, NULL);
}
static NnId conv_stride(NnGraph *g) {
  return nn_conv2d(g, in(g, NN_SHAPE(2, 8, 9)), general(g, "W", NN_SHAPE(3, 2, 5, 3)), NN_NONE, 2, 2, NULL);
}
static NnId conv_plain(NnGraph *g) {
  return nn_conv2d(g, in(g, NN_SHAPE(2, 4, 4)), general(g, "W", NN_SHAPE(3, 2, 4, 4)), NN_NONE, 3, 0, NULL);
}
/* Enough columns for one image a group. */
static NnId conv_large(NnGraph *g) {
  return nn_conv2d(g, in(g, NN_SHAPE(1, 25, 24)), general(g, "W", NN_SHAPE(2, 1, 3, 3)), NN_NONE, 1, 1, NULL);
}
static NnId conv_response(NnGraph *g) {
  const NnResponse r = responses(g, nn_input(g, "delta", NN_SHAPE(H)), NN_SHAPE(4, 2, 3, 3), 4, 4, "");
  return nn_linearised_output(g, nn_conv2d(g, in(g, NN_SHAPE(2, 5, 5)), general(g, "W", NN_SHAPE(4, 2, 3, 3)),
                                           general(g, "b", NN_SHAPE(4)), 2, 1, &r));
}
static NnId embedding(NnGraph *g) {
  return nn_embedding(g, nn_input(g, "token:6", NN_SHAPE(4)), general(g, "W", NN_SHAPE(6, 5)), NULL);
}
static NnId embedding_response(NnGraph *g) {
  const NnResponse r = responses(g, nn_input(g, "delta", NN_SHAPE(H)), NN_SHAPE(6, 5), 5, 0, "");
  return nn_linearised_output(
      g, nn_embedding(g, nn_input(g, "token:6", NN_SHAPE(4)), general(g, "W", NN_SHAPE(6, 5)), &r));
}
static NnId bias_image(NnGraph *g) {
  return nn_bias(g, in(g, NN_SHAPE(3, 2, 4)), general(g, "b", NN_SHAPE(3)));
}
static NnId bias_sequence(NnGraph *g) {
  return nn_bias(g, in(g, NN_SHAPE(3, 4)), general(g, "b", NN_SHAPE(4)));
}
static NnId channel_affine(NnGraph *g) {
  return nn_channel_affine(g, in(g, NN_SHAPE(3, 2, 4)), general(g, "scale", NN_SHAPE(3)),
                           general(g, "b", NN_SHAPE(3)));
}
static NnId channel_scale(NnGraph *g) {
  return nn_channel_affine(g, in(g, NN_SHAPE(5)), general(g, "scale", NN_SHAPE(5)), NN_NONE);
}
static NnId norm(NnGraph *g, NnShape s, size_t c) {
  return nn_batch_norm(g, in(g, s), general(g, "gamma", NN_SHAPE(c)), general(g, "beta", NN_SHAPE(c)),
                       nn_parameter(g, "mean", NN_BUFFER, NN_SHAPE(c)),
                       nn_parameter(g, "variance", NN_BUFFER, NN_SHAPE(c)), 0.1, 1e-5);
}
static NnId norm_image(NnGraph *g) { return norm(g, NN_SHAPE(3, 4, 2), 3); }
static NnId norm_vector(NnGraph *g) { return norm(g, NN_SHAPE(4), 4); }
/* Values whose order no step changes: kinks stay away. */
static NnId spread(NnGraph *g, NnShape s) { return nn_input(g, "spread", s); }
static NnId unary_relu(NnGraph *g) { return relu(g, spread(g, NN_SHAPE(4, 3))); }
static NnId unary_tanh(NnGraph *g) { return nn_unary(g, NN_TANH, in(g, NN_SHAPE(7))); }
static NnId unary_sigmoid(NnGraph *g) { return nn_unary(g, NN_SIGMOID, in(g, NN_SHAPE(7))); }
static NnId unary_softplus(NnGraph *g) { return nn_unary(g, NN_SOFTPLUS, in(g, NN_SHAPE(7))); }
static NnId unary_exp(NnGraph *g) { return nn_unary(g, NN_EXP, in(g, NN_SHAPE(7))); }
static NnId unary_log(NnGraph *g) { return nn_unary(g, NN_LOG, nn_scale(g, unary_exp(g), 1, 0.5)); }
static NnId max_pool(NnGraph *g) { return nn_max_pool(g, spread(g, NN_SHAPE(2, 6, 7)), 2, 2, 0); }
static NnId max_pool_overlap(NnGraph *g) { return nn_max_pool(g, spread(g, NN_SHAPE(2, 6, 7)), 3, 2, 1); }
static NnId average_pool(NnGraph *g) { return nn_average_pool(g, in(g, NN_SHAPE(2, 6, 7)), 3, 2, 1); }
static NnId global_pool(NnGraph *g) { return nn_global_pool(g, in(g, NN_SHAPE(3, 4, 5))); }
static NnId add(NnGraph *g) { return nn_add(g, in(g, NN_SHAPE(4)), nn_input(g, "y", NN_SHAPE(4))); }
static NnId subtract(NnGraph *g) { return nn_subtract(g, in(g, NN_SHAPE(4)), nn_input(g, "y", NN_SHAPE(4))); }
static NnId multiply(NnGraph *g) { return nn_multiply(g, in(g, NN_SHAPE(4)), nn_input(g, "y", NN_SHAPE(4))); }
static NnId square(NnGraph *g) {
  const NnId x = in(g, NN_SHAPE(4));
  return nn_multiply(g, x, x);
}
static NnId scale(NnGraph *g) { return nn_scale(g, in(g, NN_SHAPE(4)), -2.5, 1.5); }
static NnId row_dot(NnGraph *g) {
  return nn_row_dot(g, general(g, "a", NN_SHAPE(3, 2, 2, 2)), general(g, "b", NN_SHAPE(3, 2, 2, 2)));
}
static NnId row_dot_self(NnGraph *g) {
  const NnId a = general(g, "a", NN_SHAPE(5));
  return nn_row_dot(g, a, a);
}
/* x is read as it is, through a view, and through a view of a view. */
static NnId views(NnGraph *g) {
  const NnId x = in(g, NN_SHAPE(3, 4)), y = nn_reshape(g, x, NN_SHAPE(2, 6));
  const NnId z = nn_reshape(g, nn_multiply(g, y, y), NN_SHAPE(12));
  return nn_concat(g, nn_multiply(g, z, nn_reshape(g, y, NN_SHAPE(12))),
                   nn_slice(g, nn_reshape(g, x, NN_SHAPE(12)), 0, 2, 5), 0);
}
static NnId reshape(NnGraph *g) { return nn_reshape(g, in(g, NN_SHAPE(3, 4)), NN_SHAPE(2, 6)); }
static NnId concat(NnGraph *g) {
  return nn_concat(g, in(g, NN_SHAPE(2, 3, 4)), nn_input(g, "y", NN_SHAPE(2, 5, 4)), 1);
}
static NnId slice(NnGraph *g) { return nn_slice(g, in(g, NN_SHAPE(2, 5, 3)), 1, 1, 2); }
/* Two parts of one node, and the node itself. */
static NnId slices(NnGraph *g) {
  const NnId x = in(g, NN_SHAPE(6));
  const NnId y = nn_multiply(g, nn_slice(g, x, 0, 0, 3), nn_slice(g, x, 0, 2, 3));
  return nn_concat(g, nn_multiply(g, x, x), y, 0);
}
static NnId first_row(NnGraph *g) { return nn_first_row(g, in(g, NN_SHAPE(4))); }
static NnId mean(NnGraph *g) { return nn_mean(g, in(g, NN_SHAPE(4, 2))); }
static NnId sum(NnGraph *g) { return nn_sum(g, in(g, NN_SHAPE(4, 2))); }
static NnId dropout(NnGraph *g) {
  return nn_dropout(g, in(g, NN_SHAPE(9)), nn_input(g, "rates", NN_SHAPE(2)), 1, NN_DROP_ELEMENTS);
}
static NnId dropout_channels(NnGraph *g) {
  return nn_dropout(g, in(g, NN_SHAPE(4, 2, 3)), nn_constant(g, "rates", NN_SHAPE(2)), 0, NN_DROP_CHANNELS);
}
static NnId dropout_sequence(NnGraph *g) {
  return nn_dropout(g, in(g, NN_SHAPE(3, 5)), nn_input(g, "rates", NN_SHAPE(1)), 0, NN_DROP_SEQUENCE);
}
static NnId drop_connect(NnGraph *g) {
  const NnId rates = nn_input(g, "rates", NN_SHAPE(2)), W = general(g, "W", NN_SHAPE(4, 5));
  const NnId masked = nn_drop_connect(g, W, rates, 1, 0, NN_NONE);
  const NnId shared = nn_drop_connect(g, response(g, "U", NN_SHAPE(4, 5)), rates, 1, 0, masked);
  const NnId x = in(g, NN_SHAPE(5));
  return nn_add(g, nn_linear(g, x, masked, NN_NONE, NULL), nn_linear(g, x, shared, NN_NONE, NULL));
}
static NnId drop_rows(NnGraph *g) {
  const NnId table =
      nn_drop_connect(g, general(g, "W", NN_SHAPE(6, 3)), nn_input(g, "rates", NN_SHAPE(1)), 0, 1, NN_NONE);
  return nn_embedding(g, nn_input(g, "token:6", NN_SHAPE(1)), table, NULL);
}
static NnId cross_entropy(NnGraph *g) {
  return nn_cross_entropy(g, in(g, NN_SHAPE(5)), nn_input(g, "label:5", NN_SHAPE(1)));
}
static NnId cross_entropy_sequence(NnGraph *g) {
  return nn_mean(g, nn_cross_entropy(g, in(g, NN_SHAPE(3, 5)), nn_input(g, "label:5", NN_SHAPE(3))));
}
static NnId squared_error(NnGraph *g) {
  return nn_squared_error(g, in(g, NN_SHAPE(2, 3)), nn_input(g, "y", NN_SHAPE(2, 3)));
}
static NnId lstm_cell(NnGraph *g) {
  return nn_lstm_cell(g, in(g, NN_SHAPE(12)), nn_input(g, "state", NN_SHAPE(6)));
}
static NnId l2(NnGraph *g) {
  return nn_l2_penalty(g, general(g, "W", NN_SHAPE(4, 3)), nn_input(g, "c", NN_SHAPE(2)), 1, NULL);
}
static NnId l2_response(NnGraph *g) {
  const NnResponse r = responses(g, nn_input(g, "delta", NN_SHAPE(H)), NN_SHAPE(4, 3), 4, 0, "");
  return nn_l2_penalty(g, general(g, "W", NN_SHAPE(4, 3)), nn_input(g, "c", NN_SHAPE(2)), 1, &r);
}
static NnId ar(NnGraph *g) {
  return nn_ar_penalty(g, in(g, NN_SHAPE(4, 3)), nn_input(g, "c", NN_SHAPE(2)), 0);
}
static NnId tar(NnGraph *g) {
  return nn_tar_penalty(g, in(g, NN_SHAPE(4, 3)), nn_constant(g, "c", NN_SHAPE(2)), 0);
}
static NnId perturb(NnGraph *g) {
  return nn_perturb(g, nn_parameter(g, "lambda", NN_HYPER, NN_SHAPE(H)),
                    nn_parameter(g, "s", NN_HYPER, NN_SHAPE(H)));
}
/* λ itself is a constant there. */
static NnId centre(NnGraph *g) {
  return nn_centre(g, in(g, NN_SHAPE(H)), nn_parameter(g, "lambda", NN_BUFFER, NN_SHAPE(H)));
}
static NnId entropy(NnGraph *g) { return nn_entropy(g, nn_parameter(g, "s", NN_HYPER, NN_SHAPE(H))); }
static NnId ranges(NnGraph *g) {
  const NnId x = in(g, NN_SHAPE(4));
  NnId y = nn_range(g, x, 0, (NnRange){.low = -1, .high = 2});
  y = nn_concat(g, y, nn_range(g, x, 1, (NnRange){.low = 3, .high = INFINITY}), 0);
  y = nn_concat(g, y, nn_range(g, x, 2, (NnRange){.low = -INFINITY, .high = 3}), 0);
  return nn_concat(g, y, nn_range(g, x, 3, (NnRange){.low = -INFINITY, .high = INFINITY}), 0);
}

#define OFF NN_RESPONSE_OFF
#define FULL NN_RESPONSE_FULL
#define LINEARISED NN_RESPONSE_LINEARISED

static const NnCase cases[] = {
    /* name, graph, response, training, perturbed, batch */
    {"linear", linear, OFF, 1, 0, 6},
    {"linear, sequence", linear_sequence, OFF, 1, 0, 2},
    {"linear, response off", linear_response, OFF, 1, 0, 3},
    {"linear, response", linear_response, FULL, 1, 0, 3},
    {"linear, linearised", linear_response, LINEARISED, 1, 0, 3},
    {"linear, sequence, response", sequence_response, FULL, 1, 0, 2},
    {"linear, sequence, linearised", sequence_response, LINEARISED, 1, 0, 2},
    {"linear, columns, response", columns_response, FULL, 1, 0, 2},
    {"linear, columns, linearised", columns_response, LINEARISED, 1, 0, 2},
    {"conv2d 3x3 pad 1", conv, OFF, 1, 0, 3},
    {"conv2d 5x3 stride 2 pad 2", conv_stride, OFF, 1, 0, 3},
    {"conv2d 4x4 stride 3", conv_plain, OFF, 1, 0, 3},
    {"conv2d 24x25, more images than partial sums", conv_large, OFF, 1, 0, 19},
    {"conv2d, response", conv_response, FULL, 1, 0, 3},
    {"conv2d, linearised", conv_response, LINEARISED, 1, 0, 3},
    {"embedding", embedding, OFF, 1, 0, 3},
    {"embedding, response", embedding_response, FULL, 1, 0, 3},
    {"embedding, linearised", embedding_response, LINEARISED, 1, 0, 3},
    {"bias, images", bias_image, OFF, 1, 0, 3},
    {"bias, sequences", bias_sequence, OFF, 1, 0, 3},
    {"channel affine", channel_affine, OFF, 1, 0, 3},
    {"channel affine, no shift", channel_scale, OFF, 1, 0, 3},
    {"batch norm, images", norm_image, OFF, 1, 0, 3},
    {"batch norm, vectors", norm_vector, OFF, 1, 0, 7},
    {"batch norm, evaluation", norm_image, OFF, 0, 0, 3},
    {"relu", unary_relu, OFF, 1, 0, 3},
    {"tanh", unary_tanh, OFF, 1, 0, 3},
    {"sigmoid", unary_sigmoid, OFF, 1, 0, 3},
    {"softplus", unary_softplus, OFF, 1, 0, 3},
    {"exp", unary_exp, OFF, 1, 0, 3},
    {"log", unary_log, OFF, 1, 0, 3},
    {"max pool", max_pool, OFF, 1, 0, 3},
    {"max pool, overlapping", max_pool_overlap, OFF, 1, 0, 3},
    {"average pool", average_pool, OFF, 1, 0, 3},
    {"global pool", global_pool, OFF, 1, 0, 3},
    {"add", add, OFF, 1, 0, 3},
    {"subtract", subtract, OFF, 1, 0, 3},
    {"multiply", multiply, OFF, 1, 0, 3},
    {"multiply by itself", square, OFF, 1, 0, 3},
    {"scale", scale, OFF, 1, 0, 3},
    {"row dot", row_dot, OFF, 1, 0, 3},
    {"row dot with itself", row_dot_self, OFF, 1, 0, 3},
    {"reshape", reshape, OFF, 1, 0, 3},
    {"views", views, OFF, 1, 0, 3},
    {"concat", concat, OFF, 1, 0, 3},
    {"slice", slice, OFF, 1, 0, 3},
    {"slices that overlap", slices, OFF, 1, 0, 3},
    {"first row", first_row, OFF, 1, 0, 3},
    {"mean", mean, OFF, 1, 0, 3},
    {"sum", sum, OFF, 1, 0, 3},
    {"dropout", dropout, OFF, 1, 0, 4},
    {"dropout, evaluation", dropout, OFF, 0, 0, 4},
    {"dropout of channels", dropout_channels, OFF, 1, 0, 4},
    {"dropout of sequences", dropout_sequence, OFF, 1, 0, 4},
    {"drop connect", drop_connect, OFF, 1, 0, 3},
    {"drop connect of words", drop_rows, OFF, 1, 0, 5},
    {"cross entropy", cross_entropy, OFF, 1, 0, 4},
    {"cross entropy, sequence", cross_entropy_sequence, OFF, 1, 0, 4},
    {"squared error", squared_error, OFF, 1, 0, 4},
    {"lstm cell", lstm_cell, OFF, 1, 0, 3},
    {"l2 penalty", l2, OFF, 1, 0, 3},
    {"l2 penalty, response", l2_response, FULL, 1, 0, 3},
    {"l2 penalty, linearised", l2_response, LINEARISED, 1, 0, 3},
    {"activation penalty", ar, OFF, 1, 0, 3},
    {"temporal activation penalty", tar, OFF, 1, 0, 3},
    {"perturb", perturb, OFF, 1, 1, 4},
    {"perturb, unperturbed", perturb, OFF, 1, 0, 4},
    {"centre", centre, OFF, 1, 1, 4},
    {"entropy", entropy, OFF, 1, 1, 4},
    {"ranges", ranges, OFF, 1, 1, 4},
};

static void all_cases(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) nn_check_case(&cases[i]);
}

/* On the CPU the comparison would be with itself. */
static void parity(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) nn_check_parity(&cases[i]);
}

static const BtTest tests[] = {{"every operation", all_cases}, {"every operation as on the CPU", parity}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "operations of networks", tests, argc > 1 ? 2 : 1);
}

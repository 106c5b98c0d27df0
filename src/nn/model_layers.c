/* Layers with weights, and those without. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/model_internal.h"

enum { WIDEST = 1 << 24 };

void nn_build_weight_drop(NnBuilder *b, NnFields *f, NnWeights *w) {
  NnRate rate;
  if (!nn_build_share(b, f, "weight_drop", &rate)) return;
  w->W = nn_drop_connect(b->g, w->W, rate.rates, rate.column, 0, NN_NONE);
  if (w->use) w->response.U = nn_drop_connect(b->g, w->response.U, rate.rates, rate.column, 0, w->W);
}

void nn_build_l2(NnBuilder *b, NnFields *f, const NnWeights *w) {
  const json_t *own = nn_field_value(f, "l2");
  NnRate rate;
  if (!nn_build_rate_value(b, f, "l2", own ? own : b->l2, 1, &rate)) return;
  nn_build_penalty(b, nn_l2_penalty(b->g, w->W, rate.rates, rate.column, w->use));
}

/* "out": a number, or "classes". */
static size_t outputs(NnBuilder *b, NnFields *f) {
  const json_t *v = nn_field_value(f, "out");
  if (json_is_string(v) && strcmp(json_string_value(v), "classes") == 0) {
    if (b->model->problem.classes) return b->model->problem.classes;
    nn_fields_fail(f, "\"out\" is \"classes\", but the labels of these data are numbers");
    return 1;
  }
  if (json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) <= WIDEST)
    return (size_t)json_integer_value(v);
  nn_fields_fail(f, "\"out\" must be a whole number from 1 to %d, or \"classes\"", WIDEST);
  return 1;
}

/* "initial": bound of the uniform distribution that weights are drawn from; "he": that of deep networks of
 * ReLU (He, Zhang, Ren, Sun 2015, arXiv:1502.01852). */
static double bound(NnFields *f, size_t fan_in) {
  const json_t *v = nn_field_value(f, "initial");
  const double x = json_is_number(v) ? json_number_value(v) : 0;
  if (json_is_string(v) && strcmp(json_string_value(v), "he") == 0) return sqrt(6 / (double)fan_in);
  if (!v) return 1 / sqrt((double)fan_in);
  if (x > 0 && x <= 1e3) return x;
  nn_fields_fail(f, "\"initial\" must be a number from 0 to 1000, or \"he\"");
  return 1;
}

static NnId linear(NnBuilder *b, NnFields *f, NnId x) {
  const NnShape in = nn_build_shape(b, x);
  const size_t out = outputs(b, f), width = in.dims ? in.dim[in.dims - 1] : 1;
  const int bias = nn_field_flag(f, "bias", 1);
  NnWeights w;
  if (in.dims > 2) {
    nn_fields_fail(f, "takes vectors; put a \"flatten\" before it");
    return NN_NONE;
  }
  nn_build_weights(b, "", NN_SHAPE(out, width), out, bias ? out : 0, bound(f, width), &w);
  nn_build_l2(b, f, &w);
  nn_build_weight_drop(b, f, &w);
  return f->status < 0 ? NN_NONE : nn_linear(b->g, x, w.W, w.b, w.use);
}

static NnId conv2d(NnBuilder *b, NnFields *f, NnId x) {
  const NnShape in = nn_build_shape(b, x);
  const size_t out = outputs(b, f), kernel = (size_t)nn_field_int(f, "kernel", 3, 1, 1024),
               stride = (size_t)nn_field_int(f, "stride", 1, 1, 1024),
               pad = (size_t)nn_field_int(f, "pad", 0, 0, 1023);
  const int bias = nn_field_flag(f, "bias", 1);
  NnWeights w;
  if (in.dims != 3) {
    nn_fields_fail(f, "takes images [channels x height x width]");
    return NN_NONE;
  }
  nn_build_weights(b, "", NN_SHAPE(out, in.dim[0], kernel, kernel), out, bias ? out : 0,
                   bound(f, in.dim[0] * kernel * kernel), &w);
  nn_build_l2(b, f, &w);
  nn_build_weight_drop(b, f, &w);
  return f->status < 0 ? NN_NONE : nn_conv2d(b->g, x, w.W, w.b, stride, pad, w.use);
}

/* Channels of an image, else width of a vector. */
static size_t channels(const NnBuilder *b, NnId x) {
  const NnShape s = nn_build_shape(b, x);
  return s.dims == 3 ? s.dim[0] : s.dims ? s.dim[s.dims - 1] : 1;
}

static NnId bias(NnBuilder *b, NnFields *f, NnId x) {
  (void)f;
  return nn_bias(b->g, x,
                 nn_build_parameter(b, "b", NN_GENERAL, NN_SHAPE(channels(b, x)), NN_START_CONSTANT, 0));
}

static NnId batch_norm(NnBuilder *b, NnFields *f, NnId x) {
  const NnShape s = NN_SHAPE(channels(b, x));
  const double momentum = nn_field_real(f, "momentum", 0.1, 1e-6, 1),
               epsilon = nn_field_real(f, "epsilon", 1e-5, 1e-12, 1);
  const NnId gamma = nn_build_parameter(b, "gamma", NN_GENERAL, s, NN_START_CONSTANT, 1),
             beta = nn_build_parameter(b, "beta", NN_GENERAL, s, NN_START_CONSTANT, 0),
             mean = nn_build_parameter(b, "mean", NN_BUFFER, s, NN_START_CONSTANT, 0),
             variance = nn_build_parameter(b, "variance", NN_BUFFER, s, NN_START_CONSTANT, 1);
  return nn_batch_norm(b->g, x, gamma, beta, mean, variance, momentum, epsilon);
}

static NnId relu(NnBuilder *b, NnFields *f, NnId x) {
  (void)f;
  return nn_unary(b->g, NN_RELU, x);
}

static NnId hyperbolic_tangent(NnBuilder *b, NnFields *f, NnId x) {
  (void)f;
  return nn_unary(b->g, NN_TANH, x);
}

static NnId sigmoid(NnBuilder *b, NnFields *f, NnId x) {
  (void)f;
  return nn_unary(b->g, NN_SIGMOID, x);
}

typedef NnId Pool(NnGraph *g, NnId x, size_t kernel, size_t stride, size_t pad);

static NnId pool(NnBuilder *b, NnFields *f, NnId x, Pool *op) {
  const size_t kernel = (size_t)nn_field_int(f, "kernel", 2, 1, 1024),
               stride = (size_t)nn_field_int(f, "stride", (int64_t)kernel, 1, 1024),
               pad = (size_t)nn_field_int(f, "pad", 0, 0, 1023);
  return op(b->g, x, kernel, stride, pad);
}

static NnId max_pool(NnBuilder *b, NnFields *f, NnId x) { return pool(b, f, x, nn_max_pool); }
static NnId average_pool(NnBuilder *b, NnFields *f, NnId x) { return pool(b, f, x, nn_average_pool); }

static NnId global_pool(NnBuilder *b, NnFields *f, NnId x) {
  (void)f;
  return nn_global_pool(b->g, x);
}

static NnId flatten(NnBuilder *b, NnFields *f, NnId x) {
  (void)f;
  return nn_reshape(b->g, x, NN_SHAPE(nn_shape_size(nn_build_shape(b, x))));
}

static NnId dropout(NnBuilder *b, NnFields *f, NnId x) {
  static const NnDrop what[] = {NN_DROP_ELEMENTS, NN_DROP_CHANNELS, NN_DROP_SEQUENCE};
  const int of = nn_field_choice(f, "of", 0, "elements|channels|sequence");
  NnRate rate;
  if (!nn_build_share(b, f, "rate", &rate)) {
    nn_fields_fail(f, "needs a \"rate\"");
    return NN_NONE;
  }
  return nn_dropout(b->g, x, rate.rates, rate.column, what[of]);
}

/* y = f(x) + shortcut(x), the shortcut x itself unless it has layers of its own. */
static NnId residual(NnBuilder *b, NnFields *f, NnId x) {
  char prefix[80];
  const json_t *layers = nn_field_value(f, "layers"), *shortcut = nn_field_value(f, "shortcut");
  snprintf(prefix, sizeof prefix, "%.40s.", b->layer);
  const NnId y = nn_build_layers(b, layers, prefix, x);
  snprintf(prefix, sizeof prefix, "%.40s.shortcut", b->layer);
  const NnId z = shortcut && y != NN_NONE ? nn_build_layers(b, shortcut, prefix, x) : x;
  return y == NN_NONE || z == NN_NONE ? NN_NONE : nn_add(b->g, y, z);
}

const NnLayerType nn_weight_layers[] = {
    {"linear", linear}, {"conv2d", conv2d}, {"bias", bias}, {"batch-norm", batch_norm}, {NULL, NULL}};

const NnLayerType nn_plain_layers[] = {{"relu", relu},
                                       {"tanh", hyperbolic_tangent},
                                       {"sigmoid", sigmoid},
                                       {"max-pool", max_pool},
                                       {"average-pool", average_pool},
                                       {"global-pool", global_pool},
                                       {"flatten", flatten},
                                       {"dropout", dropout},
                                       {"residual", residual},
                                       {NULL, NULL}};

/* Layers of language models: embedding, long short-term memory, the decoder tied to the embedding, penalties
 * of activations (Merity, Keskar, Socher 2017, arXiv:1708.02182; responses: arXiv:1903.03088). */
#include <math.h>
#include <stdio.h>

#include "nn/model_internal.h"

/* The response of the table is a scaling of its columns, W + U diag(Vδ), so that the decoder can share it. */
static NnId embedding(NnBuilder *b, NnFields *f, NnId x) {
  const NnModel *m = b->model;
  const size_t width = (size_t)nn_field_int(f, "out", 0, 1, 1 << 20);
  const double bound = nn_field_real(f, "initial", 1 / sqrt((double)(width ? width : 1)), 0, 1e3);
  NnWeights w;
  NnRate rate;
  if (!m->problem.tokens || x != m->x) {
    nn_fields_fail(f, "must be the first layer, of data that are text");
    return NN_NONE;
  }
  if (width == 0) {
    nn_fields_fail(f, "needs \"out\", its width");
    return NN_NONE;
  }
  nn_build_weights(b, "", NN_SHAPE(m->problem.classes, width), width, 0, bound, &w);
  b->table = w.W;
  b->table_response = w.response;
  /* "word_drop": whole words, in the encoder alone. */
  if (nn_build_share(b, f, "word_drop", &rate)) {
    w.W = nn_drop_connect(b->g, w.W, rate.rates, rate.column, 1, NN_NONE);
    if (w.use) w.response.U = nn_drop_connect(b->g, w.response.U, rate.rates, rate.column, 1, w.W);
  }
  return f->status < 0 ? NN_NONE : nn_embedding(b->g, x, w.W, w.use);
}

/* Nodes [1 × n] joined by halves: the copies grow as T log T, not T². */
static NnId stack(NnGraph *g, const NnId *row, size_t count) {
  if (count == 1) return row[0];
  return nn_concat(g, stack(g, row, count / 2), stack(g, row + count / 2, count - count / 2), 0);
}

/* x [T × n] → h [T × hidden]; the state before is an input, that after becomes the next batch's. */
static NnId unroll(NnBuilder *b, NnFields *f, NnId gates, const NnWeights *recurrent, size_t hidden) {
  enum { LONGEST = 4096 };
  NnGraph *g = b->g;
  NnModel *m = b->model;
  NnId row[LONGEST];
  char name[80];
  const size_t T = nn_graph_shape(g, gates).dim[0];
  if (T > LONGEST || m->states == NN_MAX_STATES) {
    nn_fields_fail(f, "at most %d steps and %d such layers", LONGEST, NN_MAX_STATES);
    return NN_NONE;
  }
  snprintf(name, sizeof name, "%s.state", b->layer);
  NnId state = nn_input(g, name, NN_SHAPE(2 * hidden));
  m->state[m->states].before = state;
  for (size_t t = 0; t < T; t++) {
    const NnId h = nn_slice(g, state, 0, 0, hidden);
    const NnId now = nn_reshape(g, nn_slice(g, gates, 0, t, 1), NN_SHAPE(4 * hidden));
    state = nn_lstm_cell(g, nn_add(g, now, nn_linear(g, h, recurrent->W, NN_NONE, recurrent->use)), state);
    row[t] = nn_reshape(g, nn_slice(g, state, 0, 0, hidden), NN_SHAPE(1, hidden));
  }
  m->state[m->states++].after = state;
  return stack(g, row, T);
}

static NnId lstm(NnBuilder *b, NnFields *f, NnId x) {
  const NnShape in = nn_build_shape(b, x);
  const size_t hidden = (size_t)nn_field_int(f, "hidden", 0, 1, 1 << 18);
  const double bound = nn_field_real(f, "initial", 1 / sqrt((double)(hidden ? hidden : 1)), 0, 1e3);
  NnWeights input, recurrent;
  if (in.dims != 2) {
    nn_fields_fail(f, "takes sequences [T x n], of an embedding");
    return NN_NONE;
  }
  if (hidden == 0) {
    nn_fields_fail(f, "needs \"hidden\", its number of units");
    return NN_NONE;
  }
  const size_t out = 4 * hidden;
  nn_build_weights(b, "input.", NN_SHAPE(out, in.dim[1]), out, out, bound, &input);
  nn_build_weights(b, "recurrent.", NN_SHAPE(out, hidden), out, 0, bound, &recurrent);
  nn_build_weight_drop(b, f, &recurrent);
  const NnId gates = nn_linear(b->g, x, input.W, input.b, input.use);
  return f->status < 0 || gates == NN_NONE ? NN_NONE : unroll(b, f, gates, &recurrent, hidden);
}

static NnId decoder(NnBuilder *b, NnFields *f, NnId x) {
  const size_t words = b->model->problem.classes;
  if (b->table == NN_NONE) {
    nn_fields_fail(f, "shares the table of an embedding, of which there is none before it");
    return NN_NONE;
  }
  NnResponse r = b->table_response;
  const NnId bias = nn_build_parameter(b, "b", NN_GENERAL, NN_SHAPE(words), NN_START_CONSTANT, 0);
  if (b->delta != NN_NONE) {
    const NnShape width = nn_build_shape(b, b->table);
    r.u = nn_build_parameter(b, "u", NN_RESPONSE, NN_SHAPE(words), NN_START_UNIFORM,
                             1 / sqrt((double)width.dim[1]));
    r.C =
        nn_build_parameter(b, "C", NN_RESPONSE, NN_SHAPE(words, b->model->hyper->count), NN_START_OFFSETS, 0);
  }
  return nn_linear_columns(b->g, x, b->table, bias, b->delta == NN_NONE ? NULL : &r);
}

typedef NnId Penalty(NnGraph *g, NnId h, NnId rates, size_t column);

/* Of y0 + J δ in linearised runs, as the loss. */
static NnId penalise(NnBuilder *b, NnFields *f, NnId x, Penalty *op) {
  NnRate rate;
  if (!nn_build_rate(b, f, "weight", 0, &rate)) {
    nn_fields_fail(f, "needs a \"weight\"");
    return NN_NONE;
  }
  const NnId penalty = op(b->g, nn_linearised_output(b->g, x), rate.rates, rate.column);
  if (penalty == NN_NONE) return NN_NONE;
  nn_build_penalty(b, penalty);
  return x;
}

static NnId activation(NnBuilder *b, NnFields *f, NnId x) { return penalise(b, f, x, nn_ar_penalty); }
static NnId slowness(NnBuilder *b, NnFields *f, NnId x) { return penalise(b, f, x, nn_tar_penalty); }

const NnLayerType nn_sequence_layers[] = {{"embedding", embedding},  {"lstm", lstm},
                                          {"decoder", decoder},      {"ar-penalty", activation},
                                          {"tar-penalty", slowness}, {NULL, NULL}};

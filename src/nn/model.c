#include "nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/initial.h"
#include "nn/model_internal.h"

NnShape nn_build_shape(const NnBuilder *b, NnId x) {
  return x == NN_NONE ? (NnShape){0} : nn_graph_shape(b->g, x);
}

void nn_build_start(NnBuilder *b, NnId node, NnStart kind, double value, double *values) {
  NnModel *m = b->model;
  if (m->initials == m->initial_room) {
    const size_t room = m->initial_room ? 2 * m->initial_room : 64;
    NnInitial *more = realloc(m->initial, room * sizeof *more);
    if (!more) { /* closing the graph needs memory too and reports it */
      free(values);
      return;
    }
    m->initial = more;
    m->initial_room = room;
  }
  m->initial[m->initials++] = (NnInitial){node, kind, value, values};
}

NnId nn_build_parameter(NnBuilder *b, const char *part, NnGroup group, NnShape shape, NnStart kind,
                        double value) {
  char name[128];
  snprintf(name, sizeof name, "%s.%s", b->layer, part);
  const NnId id = nn_parameter(b->g, name, group, shape);
  if (id != NN_NONE) nn_build_start(b, id, kind, value, NULL);
  return id;
}

void nn_build_weights(NnBuilder *b, const char *part, NnShape shape, size_t scaled, size_t bias_size,
                      double bound, NnWeights *w) {
  char name[16];
  *w = (NnWeights){.b = NN_NONE, .response = {b->delta, NN_NONE, NN_NONE, NN_NONE, NN_NONE}};
#define PARAMETER(letter, group, shape, kind, value) \
  (snprintf(name, sizeof name, "%s" letter, part), nn_build_parameter(b, name, group, shape, kind, value))
  w->W = PARAMETER("W", NN_GENERAL, shape, NN_START_UNIFORM, bound);
  if (bias_size) w->b = PARAMETER("b", NN_GENERAL, NN_SHAPE(bias_size), NN_START_UNIFORM, bound);
  if (b->delta == NN_NONE) return;
  const size_t n = b->model->hyper->count;
  NnResponse *r = &w->response;
  r->U = PARAMETER("U", NN_RESPONSE, shape, NN_START_UNIFORM, bound);
  r->V = PARAMETER("V", NN_RESPONSE, NN_SHAPE(scaled, n), NN_START_OFFSETS, 0);
  if (bias_size) {
    r->u = PARAMETER("u", NN_RESPONSE, NN_SHAPE(bias_size), NN_START_UNIFORM, bound);
    r->C = PARAMETER("C", NN_RESPONSE, NN_SHAPE(bias_size, n), NN_START_OFFSETS, 0);
  }
#undef PARAMETER
  w->use = r;
}

NnId nn_build_constants(NnBuilder *b, size_t count, double *values) {
  char name[32];
  snprintf(name, sizeof name, "fixed%d", ++b->fixed);
  const NnId id = nn_constant(b->g, name, NN_SHAPE(count));
  if (id == NN_NONE)
    free(values);
  else
    nn_build_start(b, id, NN_START_VALUES, 0, values);
  return id;
}

/* A number as a node: for penalties of responses, which weigh each example, one with a batch. */
static NnId fixed_rate(NnBuilder *b, double value, int batched) {
  char name[32];
  double *values = malloc(sizeof *values);
  if (!values) return NN_NONE;
  *values = value;
  const NnId constant = nn_build_constants(b, 1, values);
  if (!batched || b->delta == NN_NONE) return constant;
  snprintf(name, sizeof name, "zero%d", b->fixed);
  const NnId zero = nn_constant(b->g, name, NN_SHAPE(1, b->model->hyper->count));
  return nn_linear(b->g, b->delta, zero, constant, NULL);
}

int nn_build_rate_value(NnBuilder *b, NnFields *f, const char *key, const json_t *v, int batched,
                        NnRate *rate) {
  if (!v || f->status < 0) return 0;
  if (json_is_number(v)) {
    if (!(json_number_value(v) >= 0)) {
      nn_fields_fail(f, "\"%s\" must not be negative", key);
      return 0;
    }
    *rate = (NnRate){fixed_rate(b, json_number_value(v), batched), 0};
    return 1;
  }
  const long column = json_is_string(v) ? nn_hyper_find(b->model->hyper, json_string_value(v)) : -1;
  if (column >= 0) {
    *rate = (NnRate){b->model->nodes.rates, (size_t)column};
    return 1;
  }
  if (json_is_string(v))
    nn_fields_fail(f, "\"%s\": there is no hyperparameter \"%.60s\"", key, json_string_value(v));
  else
    nn_fields_fail(f, "\"%s\" must be a number or the name of a hyperparameter", key);
  return 0;
}

int nn_build_rate(NnBuilder *b, NnFields *f, const char *key, int batched, NnRate *rate) {
  return nn_build_rate_value(b, f, key, nn_field_value(f, key), batched, rate);
}

int nn_build_share(NnBuilder *b, NnFields *f, const char *key, NnRate *rate) {
  const json_t *v = nn_field_value(f, key);
  const long column = json_is_string(v) ? nn_hyper_find(b->model->hyper, json_string_value(v)) : -1;
  const double most = column >= 0 ? b->model->hyper->item[column].range.high : json_number_value(v);
  if (column >= 0 && !(most <= 1))
    nn_fields_fail(f, "\"%s\": the range of \"%.60s\" must end at 1 or below", key, json_string_value(v));
  else if (column < 0 && !(most < 1))
    nn_fields_fail(f, "\"%s\" must be below 1", key);
  return nn_build_rate_value(b, f, key, v, 0, rate);
}

void nn_build_penalty(NnBuilder *b, NnId penalty) {
  b->penalties = b->penalties == NN_NONE ? penalty : nn_add(b->g, b->penalties, penalty);
}

static const NnLayerType *find_type(const char *type) {
  static const NnLayerType *const tables[] = {nn_weight_layers, nn_plain_layers, nn_sequence_layers,
                                              nn_augment_layers};
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
    for (const NnLayerType *l = tables[t]; l->type; l++)
      if (strcmp(l->type, type) == 0) return l;
  return NULL;
}

static NnId build_layer(NnBuilder *b, const json_t *object, NnId x) {
  char place[256];
  const char *type = json_string_value(json_object_get(object, "type"));
  snprintf(place, sizeof place, "%.100s: layer %.40s%s%.40s%s", b->file, b->layer + strlen("layer"),
           type ? " (" : "", type ? type : "", type ? ")" : "");
  NnFields f = nn_fields(b->ctx, place, object);
  const NnLayerType *l = type ? find_type(type) : NULL;
  NnId y = NN_NONE;
  (void)nn_field_text(&f, "type", NULL);
  if (!type) nn_fields_fail(&f, "needs a \"type\"");
  if (!l) nn_fields_fail(&f, "there is no such layer");
  if (f.status >= 0) y = l->build(b, &f, x);
  if (y != NN_NONE) nn_name(b->g, y, b->layer);
  if (b->status < 0) return NN_NONE; /* of a layer inside of this one */
  /* What the graph says of it, without its own prefix. */
  const char *cause = b->ctx->error, *prefix = "network: ";
  if (f.status >= 0 && y == NN_NONE)
    nn_fields_fail(&f, "%s", strncmp(cause, prefix, strlen(prefix)) == 0 ? cause + strlen(prefix) : cause);
  b->status = nn_fields_end(&f);
  return b->status < 0 ? NN_NONE : y;
}

NnId nn_build_layers(NnBuilder *b, const json_t *layers, const char *prefix, NnId x) {
  enum { DEEPEST = 8 };
  char saved[sizeof b->layer];
  memcpy(saved, b->layer, sizeof saved);
  if (!json_is_array(layers) || json_array_size(layers) == 0 || b->depth == DEEPEST) {
    b->status = bt_fail(
        b->ctx, BT_ERR_FORMAT, "%s: %s", b->file,
        b->depth == DEEPEST ? "blocks are nested deeper than 8"
                            : "\"layers\" must be an array that is not empty");
    return NN_NONE;
  }
  b->depth++;
  for (size_t i = 0; i < json_array_size(layers) && x != NN_NONE; i++) {
    snprintf(b->layer, sizeof b->layer, "%.40s%zu", prefix, i + 1);
    x = build_layer(b, json_array_get(layers, i), x);
  }
  b->depth--;
  memcpy(b->layer, saved, sizeof saved);
  return x;
}

typedef enum { CROSS_ENTROPY, SQUARED_ERROR } Loss;

static NnId build_loss(NnBuilder *b, Loss kind) {
  NnModel *m = b->model;
  m->label = nn_input(b->g, "label", m->problem.label);
  m->losses = kind == CROSS_ENTROPY ? nn_cross_entropy(b->g, m->output, m->label)
                                    : nn_squared_error(b->g, m->output, m->label);
  return nn_mean(b->g, m->losses);
}

/* Values of an example, or of a place in its sequence. */
static size_t outputs(const NnModel *m) {
  const NnShape y = nn_graph_shape(m->graph, m->output);
  return y.dim[y.dims - 1];
}

static BtStatus build(NnBuilder *b, const json_t *description, const NnModelOptions *o) {
  NnModel *m = b->model;
  NnGraph *g = b->g;
  char place[160];
  snprintf(place, sizeof place, "%.120s: model", b->file);
  NnFields f = nn_fields(b->ctx, place, description);
  const json_t *layers = nn_field_value(&f, "layers");
  const int kind = nn_field_choice(&f, "loss", m->problem.classes ? CROSS_ENTROPY : SQUARED_ERROR,
                                   "cross-entropy|squared-error");
  b->l2 = nn_field_value(&f, "l2");
  if (nn_fields_end(&f) < 0) return f.status;
  if (kind == CROSS_ENTROPY && !m->problem.classes)
    return nn_fields_fail(&f, "cross-entropy needs labels that are classes; these are numbers");

  m->nodes = nn_hyper_nodes(g, m->hyper, o->centred);
  if (o->responds) b->delta = m->nodes.delta;
  m->x = nn_input(g, "x", m->problem.x);
  const NnId y = nn_build_layers(b, layers, "layer", m->x);
  if (b->status < 0) return b->status;
  m->output = nn_linearised_output(g, y);
  m->loss = build_loss(b, (Loss)kind);
  m->objective = b->penalties == NN_NONE ? m->loss : nn_add(g, m->loss, b->penalties);
  m->upper = m->loss;
  if (m->hyper->count > 0 && o->entropy > 0)
    m->upper = nn_add(g, m->loss, nn_scale(g, nn_entropy(g, m->nodes.s), -o->entropy, 0));
  if (m->loss != NN_NONE && kind == CROSS_ENTROPY && outputs(m) < m->problem.classes)
    return nn_fields_fail(&f, "its result has %zu values, the data have %zu classes", outputs(m),
                          m->problem.classes);
  if (m->upper != NN_NONE) return nn_graph_close(b->ctx, g);
  char cause[BT_ERROR_TEXT];
  memcpy(cause, b->ctx->error, sizeof cause);
  return nn_fields_fail(&f, "its result does not fit the data: %s", cause);
}

BtStatus nn_model_create(BtContext *ctx, NnBackend *backend, const char *file, const json_t *description,
                         const NnHyperSet *hyper, const NnProblem *problem, const NnModelOptions *options,
                         NnModel **model) {
  BtStatus st = BT_OK;
  *model = NULL;
  if (options->responds && hyper->count == 0)
    return bt_fail(ctx, BT_ERR_ARG, "%s: there are no hyperparameters to tune", file);
  NnModel *m = calloc(1, sizeof *m);
  if (!m) return bt_fail_memory(ctx, "network", sizeof *m);
  m->problem = *problem;
  m->hyper = hyper;
  m->responds = options->responds;
  NnBuilder b = {
      .ctx = ctx, .model = m, .file = file, .delta = NN_NONE, .penalties = NN_NONE, .table = NN_NONE};
  BT_TRY(nn_graph_create(ctx, backend, options->max_batch, &m->graph));
  b.g = m->graph;
  BT_TRY(build(&b, description, options));
  m->problem.mean = m->problem.deviation = NULL;
  *model = m;
  return BT_OK;
done:
  nn_model_destroy(m);
  return st;
}

void nn_model_destroy(NnModel *m) {
  if (!m) return;
  nn_graph_destroy(m->graph);
  for (size_t i = 0; i < m->initials; i++) free(m->initial[i].values);
  free(m->initial);
  free(m);
}

static BtStatus set_values(BtContext *ctx, NnGraph *g, const NnInitial *i) {
  const size_t n = nn_shape_size(nn_graph_shape(g, i->node));
  NnReal *x = malloc(n * sizeof *x);
  if (!x) return bt_fail_memory(ctx, "constants", (double)(n * sizeof *x));
  for (size_t k = 0; k < n; k++) x[k] = (NnReal)i->values[k];
  const BtStatus st = nn_graph_set(ctx, g, i->node, x, n);
  free(x);
  return st;
}

BtStatus nn_model_initial(BtContext *ctx, NnModel *m, uint64_t seed, double deviation, const double *values) {
  BtStatus st = nn_hyper_initial(ctx, m->graph, m->hyper, &m->nodes, values);
  for (size_t k = 0; k < m->initials && st >= 0; k++) {
    const NnInitial *i = &m->initial[k];
    switch (i->kind) {
      case NN_START_UNIFORM: st = nn_initial_uniform(ctx, m->graph, i->node, seed, i->value); break;
      case NN_START_OFFSETS: st = nn_initial_normal(ctx, m->graph, i->node, seed, deviation); break;
      case NN_START_CONSTANT: st = nn_initial_constant(ctx, m->graph, i->node, i->value); break;
      case NN_START_VALUES: st = set_values(ctx, m->graph, i); break;
    }
  }
  return st;
}

static size_t state_size(const NnModel *m, int i, size_t rows) {
  return rows * nn_shape_size(nn_graph_shape(m->graph, m->state[i].before));
}

size_t nn_model_state_size(const NnModel *m, size_t rows) {
  size_t n = 0;
  for (int i = 0; i < m->states; i++) n += state_size(m, i, rows);
  return n;
}

void nn_model_get_state(const NnModel *m, size_t rows, NnReal *after) {
  for (int i = 0; i < m->states; after += state_size(m, i++, rows))
    nn_graph_copy(m->graph, m->state[i].after, state_size(m, i, rows), after);
}

void nn_model_set_state(NnModel *m, size_t rows, const NnReal *before) {
  for (int i = 0; i < m->states; i++) {
    nn_graph_put(m->graph, m->state[i].before, state_size(m, i, rows), before);
    if (before) before += state_size(m, i, rows);
  }
}

#include "nn/hyper.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "nn/fields.h"

enum { LONGEST_NAME = 60 };

static BtStatus parse_one(BtContext *ctx, const char *place, const json_t *object, NnHyper *h) {
  NnFields f = nn_fields(ctx, place, object);
  double lambda;
  const char *name = nn_field_text(&f, "name", ""), *unit = nn_field_text(&f, "unit", "");
  h->range.low = nn_field_real(&f, "low", (double)-INFINITY, -1e30, 1e30);
  h->range.high = nn_field_real(&f, "high", (double)INFINITY, -1e30, 1e30);
  h->range.discrete = nn_field_flag(&f, "discrete", 0);
  h->range.logarithmic = nn_field_flag(&f, "log", 0);
  h->initial = nn_field_real(&f, "initial", (double)NAN, -1e30, 1e30);
  h->scale = nn_field_real(&f, "scale", 1, 1e-6, 100);
  h->per_batch = nn_field_flag(&f, "per_batch", 0);
  if (!*name) nn_fields_fail(&f, "needs a \"name\"");
  /* Names are columns of logs and schedules. */
  if (strlen(name) > LONGEST_NAME || strpbrk(name, ",\"\r\n\t "))
    nn_fields_fail(&f, "\"name\" must have at most %d characters, and no blanks, commas or quotes",
                   LONGEST_NAME);
  if (strcmp(name, "step") == 0) nn_fields_fail(&f, "\"step\" is the training step, no hyperparameter");
  if (strncmp(name, "scale(", 6) == 0)
    nn_fields_fail(&f, "\"%s\" is the name of a column of scales, no hyperparameter", name);
  if (isnan(h->initial)) nn_fields_fail(&f, "%s needs an \"initial\" value", name);
  if (!(h->range.low < h->range.high))
    nn_fields_fail(&f, "%s: the range from %g to %g is empty", name, h->range.low, h->range.high);
  if (h->range.logarithmic && (isfinite(h->range.high) || !isfinite(h->range.low)))
    nn_fields_fail(&f, "%s: \"log\" is for ranges with a lower end alone", name);
  const BtStatus st = nn_fields_end(&f);
  if (st < 0) return st;
  h->name = bt_copy_text(name);
  h->unit = bt_copy_text(unit);
  if (!h->name || !h->unit) return bt_fail_memory(ctx, "hyperparameters", 64);
  BtContext inner;
  bt_context_init(&inner);
  if (nn_hyper_unconstrained(&inner, h, h->initial, &lambda) < 0)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s", place, inner.error);
  return BT_OK;
}

BtStatus nn_hyper_parse(BtContext *ctx, const char *file, const json_t *array, NnHyperSet *set) {
  BtStatus st = BT_OK;
  *set = (NnHyperSet){0};
  if (!array) return BT_OK;
  if (!json_is_array(array))
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: \"hyperparameters\" must be an array", file);
  const size_t n = json_array_size(array);
  set->item = calloc(n ? n : 1, sizeof *set->item);
  json_t *names = json_object();
  if (!set->item || !names) st = bt_fail_memory(ctx, "hyperparameters", (double)n * sizeof *set->item);
  for (size_t i = 0; i < n && st >= 0; i++) {
    char place[256];
    snprintf(place, sizeof place, "%.200s: hyperparameter %zu", file, i + 1);
    set->count = i + 1;
    st = parse_one(ctx, place, json_array_get(array, i), &set->item[i]);
    if (st >= 0 && json_object_get(names, set->item[i].name))
      st = bt_fail(ctx, BT_ERR_FORMAT, "%s: there is another \"%.60s\"", place, set->item[i].name);
    if (st >= 0 && json_object_set_new(names, set->item[i].name, json_true()) != 0)
      st = bt_fail_memory(ctx, "hyperparameters", 64);
  }
  json_decref(names);
  if (st < 0) nn_hyper_clear(set);
  return st;
}

void nn_hyper_clear(NnHyperSet *set) {
  for (size_t i = 0; i < set->count; i++) {
    free(set->item[i].name);
    free(set->item[i].unit);
  }
  free(set->item);
  *set = (NnHyperSet){0};
}

long nn_hyper_find(const NnHyperSet *set, const char *name) {
  for (size_t i = 0; i < set->count; i++)
    if (set->item[i].name && strcmp(set->item[i].name, name) == 0) return (long)i;
  return -1;
}

BtStatus nn_hyper_unconstrained(BtContext *ctx, const NnHyper *h, double value, double *lambda) {
  /* A whole number stays above its floor whatever rounding does on the way back. */
  const double nudged = h->range.discrete && value == floor(value) ? value + 1e-3 : value;
  if (value > h->range.low && nudged < h->range.high) {
    *lambda = nn_range_inverse(h->range, nudged);
    if (isfinite(*lambda)) return BT_OK;
  }
  /* The lower end of a discrete range is one of its values. */
  if (h->range.discrete && value == h->range.low) {
    *lambda = nn_range_inverse(h->range, value + 1e-3);
    return BT_OK;
  }
  return bt_fail(ctx, BT_ERR_ARG, "%s = %g is outside its range (%g, %g), whose ends it cannot take", h->name,
                 value, h->range.low, h->range.high);
}

/* Values by column as sums of functions of λ' times factors of the columns, so that their number of
 * operations does not depend on the number of hyperparameters: the graph's constants, by name. */
typedef enum { SIGMOID, SOFTPLUS, EXP, IDENTITY, PARTS, FLOORED = PARTS, WHOLE, OWN, FACTORS } Factor;
static const char *const factor_names[FACTORS] = {"range.sigmoid",  "range.softplus", "range.exp",
                                                  "range.identity", "range.floored",  "range.whole",
                                                  "range.own"};
static const char shift_name[] = "range.shift", shared_name[] = "range.shared";

static double factor_of(const NnHyper *h, Factor m) {
  const NnRange r = h->range;
  const int low = isfinite(r.low) != 0, high = isfinite(r.high) != 0;
  switch (m) {
    case SIGMOID: return low && high ? r.high - r.low : 0;
    case SOFTPLUS: return low && !high ? !r.logarithmic : high && !low ? -1 : 0;
    case EXP: return low && !high && r.logarithmic;
    case IDENTITY: return !low && !high;
    case FLOORED: return r.discrete;
    case WHOLE: return !r.discrete;
    case OWN: return !h->per_batch;
    default: return 0;
  }
}

static double shift_of(const NnHyper *h) {
  return isfinite(h->range.low) ? h->range.low : isfinite(h->range.high) ? h->range.high : 0;
}

static int needed(const NnHyperSet *set, Factor m) {
  for (size_t i = 0; i < set->count; i++)
    if (factor_of(&set->item[i], m) != 0) return 1;
  return 0;
}

/* x times the factors of the columns, plus their shifts (NN_NONE: none). */
static NnId weigh(NnGraph *g, const NnHyperSet *set, NnId x, Factor m, NnId shift) {
  return nn_channel_affine(g, x, nn_constant(g, factor_names[m], NN_SHAPE(set->count)), shift);
}

static NnId sum(NnGraph *g, NnId a, NnId b) { return a == NN_NONE ? b : nn_add(g, a, b); }

static NnId rates(NnGraph *g, const NnHyperSet *set, NnId x) {
  static const NnUnary function[PARTS] = {NN_SIGMOID, NN_SOFTPLUS, NN_EXP};
  NnId y = NN_NONE, shift = nn_constant(g, shift_name, NN_SHAPE(set->count));
  for (Factor m = SIGMOID; m < PARTS; m++) {
    if (!needed(set, m)) continue;
    const NnId z = m == IDENTITY ? x : nn_unary(g, function[m], x);
    y = sum(g, y, weigh(g, set, z, m, y == NN_NONE ? shift : NN_NONE));
  }
  if (!needed(set, FLOORED)) return y;
  const NnId floored = weigh(g, set, nn_unary(g, NN_FLOOR, y), FLOORED, NN_NONE);
  return nn_add(g, floored, weigh(g, set, y, WHOLE, NN_NONE));
}

/* λ' with the columns that act on the batch as a whole from the first row. */
static NnId share(NnGraph *g, const NnHyperSet *set, NnId x) {
  int shared = 0;
  for (size_t i = 0; i < set->count; i++) shared |= set->item[i].per_batch;
  if (!shared) return x;
  const NnId first = nn_multiply(g, nn_first_row(g, x), nn_constant(g, shared_name, NN_SHAPE(set->count)));
  return weigh(g, set, x, OWN, first);
}

NnHyperNodes nn_hyper_nodes(NnGraph *g, const NnHyperSet *set, int centred) {
  if (set->count == 0) return (NnHyperNodes){NN_NONE, NN_NONE, NN_NONE, NN_NONE, NN_NONE};
  NnHyperNodes n;
  n.lambda = nn_parameter(g, "lambda", NN_HYPER, NN_SHAPE(set->count));
  n.s = nn_parameter(g, "s", NN_HYPER, NN_SHAPE(set->count));
  n.perturbed = share(g, set, nn_perturb(g, n.lambda, n.s));
  n.delta = centred ? nn_centre(g, n.perturbed, n.lambda) : n.perturbed;
  n.rates = rates(g, set, n.perturbed);
  return n;
}

static BtStatus set_constants(BtContext *ctx, NnGraph *g, const NnHyperSet *set, NnReal *x) {
  const size_t n = set->count;
  BtStatus st = BT_OK;
  for (Factor m = SIGMOID; m < FACTORS && st >= 0; m++) {
    const NnId id = nn_graph_find(g, factor_names[m]);
    if (id == NN_NONE) continue;
    for (size_t i = 0; i < n; i++) x[i] = (NnReal)factor_of(&set->item[i], m);
    st = nn_graph_set(ctx, g, id, x, n);
  }
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)shift_of(&set->item[i]);
  if (st >= 0) st = nn_graph_set(ctx, g, nn_graph_find(g, shift_name), x, n);
  const NnId shared = nn_graph_find(g, shared_name);
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)set->item[i].per_batch;
  if (st >= 0 && shared != NN_NONE) st = nn_graph_set(ctx, g, shared, x, n);
  return st;
}

BtStatus nn_hyper_set(BtContext *ctx, NnGraph *g, const NnHyperSet *set, const NnHyperNodes *nodes,
                      const double *values) {
  const size_t n = set->count;
  BtStatus st = BT_OK;
  if (n == 0) return BT_OK;
  NnReal *x = malloc(n * sizeof *x);
  if (!x) return bt_fail_memory(ctx, "hyperparameters", (double)n);
  for (size_t i = 0; i < n && st >= 0; i++) {
    double lambda = 0;
    st = nn_hyper_unconstrained(ctx, &set->item[i], values ? values[i] : set->item[i].initial, &lambda);
    x[i] = (NnReal)lambda;
  }
  if (st >= 0) st = nn_graph_set(ctx, g, nodes->lambda, x, n);
  free(x);
  return st;
}

BtStatus nn_hyper_initial(BtContext *ctx, NnGraph *g, const NnHyperSet *set, const NnHyperNodes *nodes,
                          const double *values) {
  const size_t n = set->count;
  const NnRange positive = {.low = 0, .high = (double)INFINITY};
  if (n == 0) return BT_OK;
  NnReal *x = malloc(n * sizeof *x);
  if (!x) return bt_fail_memory(ctx, "hyperparameters", (double)n);
  BtStatus st = nn_hyper_set(ctx, g, set, nodes, values);
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)nn_range_inverse(positive, set->item[i].scale);
  if (st >= 0) st = nn_graph_set(ctx, g, nodes->s, x, n);
  if (st >= 0) st = set_constants(ctx, g, set, x);
  free(x);
  return st;
}

BtStatus nn_hyper_values(BtContext *ctx, const NnGraph *g, const NnHyperSet *set, const NnHyperNodes *nodes,
                         double *values, double *scales) {
  const size_t n = set->count;
  const NnRange positive = {.low = 0, .high = (double)INFINITY};
  if (n == 0) return BT_OK;
  NnReal *x = malloc(n * sizeof *x);
  if (!x) return bt_fail_memory(ctx, "hyperparameters", (double)n);
  BtStatus st = nn_graph_get(ctx, g, nodes->lambda, x, n);
  for (size_t i = 0; i < n && st >= 0; i++) {
    NnRange r = set->item[i].range;
    r.discrete = 0;
    values[i] = nn_range_value(r, (double)x[i]);
  }
  if (st >= 0 && scales) st = nn_graph_get(ctx, g, nodes->s, x, n);
  for (size_t i = 0; i < n && st >= 0 && scales; i++) scales[i] = nn_range_value(positive, (double)x[i]);
  free(x);
  return st;
}

#include "nn/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "nn/fields.h"
#include "nn/task_texts_internal.h"

enum { LARGEST_FILE = 1 << 24 };

typedef enum { CONSTANT, STEP, COSINE, ONE_CYCLE, NON_MONOTONE } Rule;
#define RULES "constant|step|cosine|one-cycle|non-monotone"

static void parse_milestones(NnFields *f, NnSchedule *s) {
  const json_t *array = nn_field_value(f, "milestones");
  const size_t n = array ? json_array_size(array) : 0;
  if (array && (n == 0 || n > NN_MAX_MILESTONES))
    nn_fields_fail(f, "\"milestones\" must be an array of 1 to %d epochs", NN_MAX_MILESTONES);
  for (size_t i = 0; i < n && n <= NN_MAX_MILESTONES; i++) {
    const json_t *v = json_array_get(array, i);
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 1000000)
      nn_fields_fail(f, "milestone %zu must be a whole number of epochs", i + 1);
    s->milestone[s->milestone_count++] = (int64_t)json_integer_value(v);
  }
}

/* A text (constant, cosine, …) or an object with "kind". */
static BtStatus parse_rule(BtContext *ctx, const char *place, const json_t *value, double rate,
                           NnStepRule *r) {
  static const NnScheduleKind kinds[] = {NN_SCHEDULE_CONSTANT, NN_SCHEDULE_STEP, NN_SCHEDULE_COSINE,
                                         NN_SCHEDULE_ONE_CYCLE, NN_SCHEDULE_CONSTANT};
  char where[400];
  *r = (NnStepRule){.schedule = {.kind = NN_SCHEDULE_CONSTANT, .rate = rate, .total = 1}};
  if (!value) return BT_OK;
  snprintf(where, sizeof where, "%s: schedule", place);
  NnFields f = nn_fields(ctx, where, value);
  const Rule kind = (Rule)nn_field_choice(&f, "kind", CONSTANT, RULES);
  NnSchedule *s = &r->schedule;
  s->kind = kinds[kind];
  r->trigger = kind == NON_MONOTONE;
  r->factor = nn_field_real(&f, "factor", kind == NON_MONOTONE ? 0.25 : 0.1, 1e-9, 1);
  r->patience = nn_field_int(&f, "patience", 5, 1, 100000);
  s->factor = r->factor;
  s->floor = nn_field_real(&f, "floor", 0, 0, rate);
  s->warm_up = nn_field_real(&f, "warm_up", 0.3, 0, 1);
  s->initial_divisor = nn_field_real(&f, "initial_divisor", 25, 1, 1e12);
  s->final_divisor = nn_field_real(&f, "final_divisor", 1e4, 1, 1e12);
  parse_milestones(&f, s);
  BtStatus st = nn_fields_end(&f);
  if (st < 0) return st;
  BtContext inner;
  bt_context_init(&inner);
  if (nn_schedule_check(&inner, s) < 0) st = nn_fields_fail(&f, "%s", inner.error);
  return st;
}

NnSchedule nn_step_rule_schedule(const NnStepRule *rule, int64_t steps_per_epoch, int64_t epochs) {
  NnSchedule s = rule->schedule;
  for (int i = 0; i < s.milestone_count; i++) s.milestone[i] *= steps_per_epoch;
  s.total = epochs * steps_per_epoch > 0 ? epochs * steps_per_epoch : 1;
  return s;
}

static BtStatus parse_descent(BtContext *ctx, const char *place, const json_t *object, NnDescent *d) {
  NnFields f = nn_fields(ctx, place, object);
  const NnOptimizerKind kind = (NnOptimizerKind)nn_field_choice(&f, "kind", NN_SGD, "sgd|adam|adamw|rmsprop");
  NnOptimizerOptions o = nn_optimizer_defaults(kind);
  const double rate = nn_field_real(&f, "rate", (double)NAN, 1e-12, 1e6);
  o.momentum = nn_field_real(&f, "momentum", o.momentum, 0, 1);
  o.nesterov = nn_field_flag(&f, "nesterov", o.nesterov);
  o.beta1 = nn_field_real(&f, "beta1", o.beta1, 0, 1);
  o.beta2 = nn_field_real(&f, "beta2", o.beta2, 0, 1);
  o.alpha = nn_field_real(&f, "alpha", o.alpha, 0, 1);
  o.epsilon = nn_field_real(&f, "epsilon", o.epsilon, 1e-30, 1e6);
  o.decay = nn_field_real(&f, "decay", o.decay, 0, 1e6);
  o.clip = nn_field_real(&f, "clip", o.clip, 0, 1e30);
  const json_t *schedule = nn_field_value(&f, "schedule");
  if (isnan(rate)) nn_fields_fail(&f, "needs a \"rate\", the step size");
  const BtStatus st = nn_fields_end(&f);
  if (st < 0) return st;
  d->options = o;
  return parse_rule(ctx, place, schedule, rate, &d->rule);
}

static BtStatus parse_data(BtContext *ctx, const char *place, const json_t *object, NnDataOptions *o) {
  NnFields f = nn_fields(ctx, place, object);
  bt_options_default(nn_data_options, o);
  nn_field_options(&f, nn_data_options, "data-", o);
  return nn_fields_end(&f);
}

/* Adam with a small step, as STN's authors use it, where the task says nothing. */
static BtStatus parse_tuning(BtContext *ctx, NnTask *t, const char *place, const json_t *object) {
  char where[300];
  t->train_steps = 2;
  t->valid_steps = 1;
  t->warm_up_epochs = 5;
  t->entropy = 1e-3;
  t->tuning.options = nn_optimizer_defaults(NN_ADAM);
  t->tuning.rule.schedule = (NnSchedule){.kind = NN_SCHEDULE_CONSTANT, .rate = 3e-3, .total = 1};
  if (!object) return BT_OK;
  NnFields f = nn_fields(ctx, place, object);
  const json_t *optimizer = nn_field_value(&f, "optimizer");
  t->train_steps = nn_field_int(&f, "train_steps", t->train_steps, 1, 1000000);
  t->valid_steps = nn_field_int(&f, "valid_steps", t->valid_steps, 1, 1000000);
  t->warm_up_epochs = nn_field_int(&f, "warm_up_epochs", t->warm_up_epochs, 0, 1000000);
  t->warm_up_steps = nn_field_int(&f, "warm_up_steps", 0, 0, (int64_t)1 << 40);
  t->entropy = nn_field_real(&f, "entropy", t->entropy, 0, 1e6);
  t->fixed_scales = nn_field_choice(&f, "scales", 0, "learned|fixed");
  const BtStatus st = nn_fields_end(&f);
  if (st < 0 || !optimizer) return st;
  snprintf(where, sizeof where, "%.250s: optimizer", place);
  return parse_descent(ctx, where, optimizer, &t->tuning);
}

static BtStatus parse(BtContext *ctx, NnTask *t) {
  char place[300];
  BtStatus st = BT_OK;
  NnFields f = nn_fields(ctx, t->file, t->json);
  (void)nn_field_text(&f, "about", NULL);
  const json_t *data = nn_field_value(&f, "data"), *hyper = nn_field_value(&f, "hyperparameters"),
               *weights = nn_field_value(&f, "optimizer"),
               *response = nn_field_value(&f, "response_optimizer"), *tuning = nn_field_value(&f, "tuning");
  t->model = nn_field_value(&f, "model");
  t->batch = nn_field_int(&f, "batch", 128, 1, 1 << 20);
  t->eval_batch = nn_field_int(&f, "eval_batch", t->batch, 1, 1 << 20);
  t->epochs = nn_field_int(&f, "epochs", 10, 1, 10000000);
  if (!data) nn_fields_fail(&f, "needs \"data\"");
  if (!t->model) nn_fields_fail(&f, "needs a \"model\"");
  if (!weights) nn_fields_fail(&f, "needs an \"optimizer\"");
  BT_TRY(nn_fields_end(&f));
#define PLACE(what) (snprintf(place, sizeof place, "%.200s: " what, t->file), place)
  BT_TRY(parse_data(ctx, PLACE("data"), data, &t->data));
  BT_TRY(nn_hyper_parse(ctx, t->file, hyper, &t->hyper));
  BT_TRY(parse_descent(ctx, PLACE("optimizer"), weights, &t->weights));
  t->response = t->weights;
  if (response) BT_TRY(parse_descent(ctx, PLACE("response_optimizer"), response, &t->response));
  BT_TRY(parse_tuning(ctx, t, PLACE("tuning"), tuning));
#undef PLACE
done:
  return st;
}

BtStatus nn_task_parse(BtContext *ctx, const char *file, json_t *json, NnTask **task) {
  *task = NULL;
  NnTask *t = calloc(1, sizeof *t);
  if (!t) return bt_fail_memory(ctx, "task", sizeof *t);
  t->file = bt_copy_text(file);
  t->json = json_incref(json);
  const BtStatus st = t->file ? parse(ctx, t) : bt_fail_memory(ctx, "task", 64);
  if (st < 0)
    nn_task_free(t);
  else
    *task = t;
  return st;
}

void nn_task_free(NnTask *t) {
  if (!t) return;
  nn_hyper_clear(&t->hyper);
  json_decref(t->json);
  free(t->file);
  free(t);
}

const char *nn_task_name(size_t i) { return i < nn_task_text_count ? nn_task_texts[i].name : NULL; }

const char *nn_task_text(const char *name, size_t *size) {
  for (size_t i = 0; i < nn_task_text_count; i++) {
    if (strcmp(nn_task_texts[i].name, name) != 0) continue;
    *size = nn_task_texts[i].size;
    return (const char *)nn_task_texts[i].text;
  }
  return NULL;
}

BtStatus nn_task_load(BtContext *ctx, const char *name, NnTask **task) {
  size_t size = 0;
  json_t *json = NULL;
  BtStatus st = BT_OK;
  const char *text = nn_task_text(name, &size);
  *task = NULL;
  if (text) {
    json_error_t error;
    json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json) return bt_fail(ctx, BT_ERR_FORMAT, "%s:%d: %s", name, error.line, error.text);
  } else {
    st = bt_json_load(ctx, name, LARGEST_FILE, &json);
  }
  if (st >= 0) st = nn_task_parse(ctx, name, json, task);
  json_decref(json);
  return st;
}

#include "nn/fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

NnFields nn_fields(BtContext *ctx, const char *place, const json_t *object) {
  NnFields f = {.ctx = ctx, .place = place, .object = object};
  if (!json_is_object(object)) nn_fields_fail(&f, "must be an object {...}");
  return f;
}

BtStatus nn_fields_fail(NnFields *f, const char *format, ...) {
  char text[BT_ERROR_TEXT];
  va_list args;
  if (f->status < 0) return f->status;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  f->status = bt_fail(f->ctx, BT_ERR_FORMAT, "%s: %s", f->place, text);
  return f->status;
}

const json_t *nn_field_value(NnFields *f, const char *key) {
  if (f->status < 0) return NULL;
  if (f->count < NN_MAX_FIELDS) snprintf(f->asked[f->count++], sizeof f->asked[0], "%s", key);
  return json_object_get(f->object, key);
}

double nn_field_real(NnFields *f, const char *key, double initial, double lo, double hi) {
  const json_t *v = nn_field_value(f, key);
  if (!v) return initial;
  const double x = json_is_number(v) ? json_number_value(v) : (double)NAN;
  if (x >= lo && x <= hi) return x;
  nn_fields_fail(f, "\"%s\" must be a number from %g to %g", key, lo, hi);
  return initial;
}

int64_t nn_field_int(NnFields *f, const char *key, int64_t initial, int64_t lo, int64_t hi) {
  const json_t *v = nn_field_value(f, key);
  if (!v) return initial;
  if (json_is_integer(v) && json_integer_value(v) >= lo && json_integer_value(v) <= hi)
    return json_integer_value(v);
  nn_fields_fail(f, "\"%s\" must be a whole number from %lld to %lld", key, (long long)lo, (long long)hi);
  return initial;
}

int nn_field_flag(NnFields *f, const char *key, int initial) {
  const json_t *v = nn_field_value(f, key);
  if (!v) return initial;
  if (json_is_boolean(v)) return json_is_true(v);
  nn_fields_fail(f, "\"%s\" must be true or false", key);
  return initial;
}

const char *nn_field_text(NnFields *f, const char *key, const char *initial) {
  const json_t *v = nn_field_value(f, key);
  if (!v) return initial;
  if (json_is_string(v)) return json_string_value(v);
  nn_fields_fail(f, "\"%s\" must be a text", key);
  return initial;
}

int nn_field_choice(NnFields *f, const char *key, int initial, const char *choices) {
  const char *text = nn_field_text(f, key, NULL);
  if (!text) return initial;
  const int index = bt_choice_index(choices, text, strlen(text));
  if (index >= 0) return index;
  nn_fields_fail(f, "\"%s\" is \"%.40s\", must be one of %s", key, text, choices);
  return initial;
}

static void set_option(NnFields *f, const BtOption *option, const char *key, void *target, const json_t *v) {
  char number[64], name[32];
  const char *text = number;
  if (json_is_string(v))
    text = json_string_value(v);
  else if (option->kind == BT_OPT_KIND_TEXT) {
    nn_fields_fail(f, "\"%s\" must be a text", key);
    return;
  } else if (json_is_boolean(v))
    text = json_is_true(v) ? "yes" : "no";
  else if (json_is_integer(v))
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
  else if (json_is_real(v))
    snprintf(number, sizeof number, "%.17g", json_real_value(v));
  else {
    nn_fields_fail(f, "\"%s\" must be a number, text, true or false", key);
    return;
  }
  BtContext inner;
  bt_context_init(&inner);
  snprintf(name, sizeof name, "\"%s\"", key);
  if (bt_option_set_as(&inner, option, name, target, text) < 0) nn_fields_fail(f, "%s", inner.error);
}

void nn_field_options(NnFields *f, const BtOption *table, const char *prefix, void *target) {
  for (const BtOption *o = table; o->kind != BT_OPT_KIND_END; o++) {
    char key[24];
    const char *name = strncmp(o->name, prefix, strlen(prefix)) == 0 ? o->name + strlen(prefix) : o->name;
    snprintf(key, sizeof key, "%s", name);
    for (char *c = key; *c; c++)
      if (*c == '-') *c = '_';
    const json_t *v = nn_field_value(f, key);
    if (v) set_option(f, o, key, target, v);
  }
}

BtStatus nn_fields_end(NnFields *f) {
  const char *key;
  json_t *value;
  if (f->status < 0) return f->status;
  json_object_foreach((json_t *)f->object, key, value) {
    int known = 0;
    for (int i = 0; i < f->count && !known; i++) known = strcmp(f->asked[i], key) == 0;
    if (!known) return nn_fields_fail(f, "there is no field \"%.60s\" here", key);
  }
  return BT_OK;
}

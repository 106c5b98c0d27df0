#include "compare/compare_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

BtStatus bt_spec_wrong(const BtSpecCheck *c, const char *format, ...) {
  char text[BT_ERROR_TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return bt_fail(c->ctx, BT_ERR_FORMAT, "%s: %s%s%.700s", c->spec->path, c->where, *c->where ? ": " : "",
                 text);
}

void bt_spec_at(BtSpecCheck *c, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(c->where, sizeof c->where, format, args);
  va_end(args);
}

const char *bt_spec_text(const json_t *value) {
  const json_t *here = json_is_object(value) ? json_object_get(value, BT_COMPARE_FROM_HERE) : NULL;
  return json_string_value(here ? here : value);
}

int bt_spec_from_here(const json_t *value) {
  return json_is_object(value) && json_object_get(value, BT_COMPARE_FROM_HERE) != NULL;
}

const char *bt_spec_kind(const json_t *value) {
  if (bt_spec_text(value)) return "a text";
  switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    default: return "null";
  }
}

BtStatus bt_spec_fields(const BtSpecCheck *c, const json_t *object, const char *names) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    if (bt_choice_index(names, key, strlen(key)) < 0)
      return bt_spec_wrong(c, "unknown field \"%.60s\"; there are %s", key, names);
  }
  return BT_OK;
}

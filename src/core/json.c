#include "core/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

BtStatus bt_json_load(BtContext *ctx, const char *path, size_t limit, json_t **object) {
  char *text;
  size_t size;
  json_error_t error;
  *object = NULL;
  const BtStatus st = bt_file_read(ctx, path, limit, &text, &size);
  if (st < 0) return st;
  json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
  free(text);
  if (!value && json_error_code(&error) == json_error_out_of_memory)
    return bt_fail_memory(ctx, path, (double)size);
  if (!value) return bt_fail(ctx, BT_ERR_FORMAT, "%s:%d:%d: %s", path, error.line, error.column, error.text);
  if (!json_is_object(value)) {
    json_decref(value);
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: not a JSON object", path);
  }
  *object = value;
  return BT_OK;
}

typedef struct {
  FILE *stream;
  int error; /* errno of the first write that failed, 0 if none */
} Sink;

static int write_part(const char *text, size_t size, void *user) {
  Sink *sink = user;
  if (fwrite(text, 1, size, sink->stream) == size) return 0;
  sink->error = errno;
  return -1;
}

BtStatus bt_json_save(BtContext *ctx, const char *path, const json_t *value) {
  BtAtomicFile file;
  if (!value) return bt_fail_memory(ctx, path, 0);
  const BtStatus st = bt_atomic_open(ctx, path, &file);
  if (st < 0) return st;
  Sink sink = {file.stream, 0};
  const size_t layout = JSON_INDENT(2) | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY;
  if (json_dump_callback(value, write_part, &sink, layout) != 0 || write_part("\n", 1, &sink) != 0) {
    bt_atomic_abort(&file);
    if (!sink.error) return bt_fail(ctx, BT_ERR_LIBRARY, "%s: cannot encode the content as JSON", path);
    return bt_fail(ctx, BT_ERR_IO, "%s: cannot write: %s", path, strerror(sink.error));
  }
  return bt_atomic_commit(ctx, &file);
}

json_t *bt_json_real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *bt_json_reals(const double *x, size_t n) {
  json_t *array = json_array();
  for (size_t i = 0; array && i < n; i++) {
    if (json_array_append_new(array, bt_json_real(x[i])) != 0) {
      json_decref(array);
      array = NULL;
    }
  }
  return array;
}

static BtStatus find(BtContext *ctx, const char *path, const json_t *object, const char *key,
                     json_t **value) {
  *value = json_object_get(object, key);
  if (*value) return BT_OK;
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: field \"%s\" is missing", path, key);
}

/* `index` is the text that follows the key in errors: "" or "[1]". */
static BtStatus check_real(BtContext *ctx, const char *path, const char *key, const char *index,
                           const json_t *value, double lo, double hi, double *out) {
  const double x = json_is_number(value) ? json_number_value(value) : NAN;
  if (!isfinite(x)) return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s%s is not a finite number", path, key, index);
  if (x < lo || x > hi)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s%s is out of range [%g, %g]", path, key, index, lo, hi);
  *out = x;
  return BT_OK;
}

BtStatus bt_json_get_string(BtContext *ctx, const char *path, const json_t *object, const char *key,
                            const char **value) {
  json_t *field;
  const BtStatus st = find(ctx, path, object, key, &field);
  if (st < 0) return st;
  if (!json_is_string(field)) return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s is not a string", path, key);
  *value = json_string_value(field);
  return BT_OK;
}

BtStatus bt_json_get_real(BtContext *ctx, const char *path, const json_t *object, const char *key, double lo,
                          double hi, double *value) {
  json_t *field;
  const BtStatus st = find(ctx, path, object, key, &field);
  return st < 0 ? st : check_real(ctx, path, key, "", field, lo, hi, value);
}

BtStatus bt_json_get_int(BtContext *ctx, const char *path, const json_t *object, const char *key, int64_t lo,
                         int64_t hi, int64_t *value) {
  json_t *field;
  const BtStatus st = find(ctx, path, object, key, &field);
  if (st < 0) return st;
  if (!json_is_integer(field)) return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s is not an integer", path, key);
  const int64_t x = json_integer_value(field);
  if (x < lo || x > hi)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s is out of range [%" PRId64 ", %" PRId64 "]", path, key, lo,
                   hi);
  *value = x;
  return BT_OK;
}

BtStatus bt_json_get_reals(BtContext *ctx, const char *path, const json_t *object, const char *key, double lo,
                           double hi, size_t n, double *values) {
  json_t *field;
  BtStatus st = find(ctx, path, object, key, &field);
  if (st < 0) return st;
  if (!json_is_array(field)) return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s is not an array", path, key);
  if (json_array_size(field) != n)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s has %zu numbers instead of %zu", path, key,
                   json_array_size(field), n);
  for (size_t i = 0; i < n && st >= 0; i++) {
    char index[32];
    snprintf(index, sizeof index, "[%zu]", i);
    st = check_real(ctx, path, key, index, json_array_get(field, i), lo, hi, &values[i]);
  }
  return st;
}

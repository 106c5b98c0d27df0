#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "harness.h"

static BtContext ctx;

/* want: the error after "FILE:", or NULL for a good file. */
static const struct {
  const char *text, *want;
} files[] = {
    {"{\"a\": 1}", NULL},
    {" {}\n", NULL},
    {"", "1:0: '[' or '{' expected near end of file"},
    {"[1]", " not a JSON object"},
    {"3", "1:1: '[' or '{' expected near '3'"},
    {"{\"a\": 1,\n \"b\": }", "2:7: unexpected token near '}'"},
    {"{\"a\": 1}\nx", "2:1: end of file expected near 'x'"},
    {"{\"a\": 1, \"a\": 2}", "1:12: duplicate object key near '\"a\"'"},
    {"{\"a\": nan}", "1:9: invalid token near 'nan'"},
    {"{\"a\": 1e999}", "1:11: real number overflow near '1e999'"},
    {"{\"a\": \"\xff\"}", "1:7: unable to decode byte 0xff near '\"'"},
    {"{\"a", "1:3: premature end of input near '\"a'"},
};

static void loading(void) {
  const char *path = bt_test_path("m.json");
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    json_t *object;
    BT_CHECK_STATUS(bt_file_write(&ctx, path, files[i].text, strlen(files[i].text)), BT_OK, &ctx);
    const BtStatus st = bt_json_load(&ctx, path, 1000, &object);
    if (!files[i].want) {
      BT_CHECK_STATUS(st, BT_OK, &ctx);
      BT_CHECK(json_is_object(object));
    } else {
      char wanted[512];
      snprintf(wanted, sizeof wanted, "%s:%s", path, files[i].want);
      BT_CHECK_STATUS(st, BT_ERR_FORMAT, &ctx);
      BT_CHECK_TEXT(ctx.error, wanted);
      BT_CHECK(object == NULL);
    }
    json_decref(object);
  }

  /* Nesting without end must not end the stack; too large a file is not parsed. */
  json_t *object;
  static char deep[1 << 20];
  for (size_t i = 0; i + 5 < sizeof deep; i += 5) memcpy(deep + i, "{\"a\":", 5);
  BT_CHECK_STATUS(bt_file_write(&ctx, path, deep, sizeof deep), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_json_load(&ctx, path, sizeof deep, &object), BT_ERR_FORMAT, &ctx);
  BT_CHECK(strstr(ctx.error, "depth") != NULL);
  BT_CHECK_STATUS(bt_json_load(&ctx, path, sizeof deep - 1, &object), BT_ERR_FORMAT, &ctx);
  BT_CHECK(strstr(ctx.error, "larger than") != NULL);
  BT_CHECK_STATUS(bt_json_load(&ctx, bt_test_path("none.json"), 9, &object), BT_ERR_IO, &ctx);
}

static void saving(void) {
  static const double values[] = {0.1,     -0.0, 1e-308, 4.9406564584124654e-324, 1.7976931348623157e308,
                                  1.0 / 3, 3};
  enum { N = sizeof values / sizeof *values };
  const char *path = bt_test_path("saved.json");
  double back[N] = {0};
  json_t *object = json_object(), *again;
  BT_CHECK(json_object_set_new(object, "x", bt_json_reals(values, N)) == 0);
  BT_CHECK_STATUS(bt_json_save(&ctx, path, object), BT_OK, &ctx);
  json_decref(object);
  BT_CHECK_STATUS(bt_json_load(&ctx, path, 10000, &again), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_json_get_reals(&ctx, path, again, "x", -HUGE_VAL, HUGE_VAL, N, back), BT_OK, &ctx);
  BT_CHECK(memcmp(back, values, sizeof values) == 0);
  json_decref(again);

  char *text;
  size_t size;
  json_t *array = json_pack("[o, o, s]", bt_json_real(NAN), bt_json_real(-INFINITY), "a");
  BT_CHECK_STATUS(bt_json_save(&ctx, path, array), BT_OK, &ctx);
  json_decref(array);
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 1000, &text, &size), BT_OK, &ctx);
  BT_CHECK_TEXT(text, "[\n  null,\n  null,\n  \"a\"\n]\n");
  free(text);

  BT_CHECK_STATUS(bt_json_save(&ctx, path, NULL), BT_ERR_MEMORY, &ctx);
  json_t *string = json_string("x");
  BT_CHECK_STATUS(bt_json_save(&ctx, "/dev/full", string), BT_ERR_IO, &ctx);
  BT_CHECK_TEXT(ctx.error, "/dev/full: cannot write: No space left on device");
  json_decref(string);
}

typedef enum { STRING, REAL, INT, REALS } Kind;

/* Numbers must lie in [-1, 10]; arrays have two. */
static const struct {
  Kind kind;
  const char *text, *want;
} fields[] = {
    {STRING, "{\"k\": \"tv\"}", NULL},
    {STRING, "{}", "m.json: field \"k\" is missing"},
    {STRING, "{\"k\": 1}", "m.json: k is not a string"},
    {REAL, "{\"k\": 2.5}", NULL},
    {REAL, "{\"k\": 10}", NULL},
    {REAL, "{\"K\": 10}", "m.json: field \"k\" is missing"},
    {REAL, "{\"k\": \"1\"}", "m.json: k is not a finite number"},
    {REAL, "{\"k\": null}", "m.json: k is not a finite number"},
    {REAL, "{\"k\": -1.5}", "m.json: k is out of range [-1, 10]"},
    {REAL, "{\"k\": 10.5}", "m.json: k is out of range [-1, 10]"},
    {INT, "{\"k\": -1}", NULL},
    {INT, "{\"k\": 1.0}", "m.json: k is not an integer"},
    {INT, "{\"k\": true}", "m.json: k is not an integer"},
    {INT, "{\"k\": 11}", "m.json: k is out of range [-1, 10]"},
    {INT, "{}", "m.json: field \"k\" is missing"},
    {REALS, "{\"k\": [1, 2.5]}", NULL},
    {REALS, "{}", "m.json: field \"k\" is missing"},
    {REALS, "{\"k\": 1}", "m.json: k is not an array"},
    {REALS, "{\"k\": [1]}", "m.json: k has 1 numbers instead of 2"},
    {REALS, "{\"k\": [1, 2, 3]}", "m.json: k has 3 numbers instead of 2"},
    {REALS, "{\"k\": [1, null]}", "m.json: k[1] is not a finite number"},
    {REALS, "{\"k\": [-2, 1]}", "m.json: k[0] is out of range [-1, 10]"},
};

static void getting(void) {
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    json_t *object = json_loads(fields[i].text, 0, NULL);
    const char *string = NULL;
    double x[2] = {0};
    int64_t n = 0;
    BtStatus st = BT_OK;
    BT_NEED(object);
    switch (fields[i].kind) {
      case STRING: st = bt_json_get_string(&ctx, "m.json", object, "k", &string); break;
      case REAL: st = bt_json_get_real(&ctx, "m.json", object, "k", -1, 10, x); break;
      case INT: st = bt_json_get_int(&ctx, "m.json", object, "k", -1, 10, &n); break;
      case REALS: st = bt_json_get_reals(&ctx, "m.json", object, "k", -1, 10, 2, x); break;
    }
    const json_t *k = json_object_get(object, "k");
    if (fields[i].want) {
      BT_CHECK_STATUS(st, BT_ERR_FORMAT, &ctx);
      BT_CHECK_TEXT(ctx.error, fields[i].want);
    } else {
      BT_CHECK_STATUS(st, BT_OK, &ctx);
      if (fields[i].kind == STRING) BT_CHECK_TEXT(string, json_string_value(k));
      if (fields[i].kind == REAL) BT_CHECK(x[0] == json_number_value(k));
      if (fields[i].kind == INT) BT_CHECK(n == json_integer_value(k));
      if (fields[i].kind == REALS) BT_CHECK(x[0] == 1 && x[1] == 2.5);
    }
    json_decref(object);
  }
}

static const BtTest tests[] = {
    {"files good and bad", loading},
    {"saving keeps every bit", saving},
    {"fields good and bad", getting},
};

int main(void) { return bt_test_main("json", tests, sizeof tests / sizeof *tests); }

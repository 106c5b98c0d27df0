/* tests/cli/json_get.c: JSON for shell scripts.
 *
 *   json_get FILE PATH             one value; PATH is "training.theta.0"; "theta.#" is the length of an array.
 *                                  A number has 17 significant digits, a text no quotes, the rest is JSON.
 *   json_get --without A,B,… FILE  the file on one line, keys sorted, without the fields of these names
 *
 * FILE may be "-". Exit code 1 if the file is no JSON or has no such value. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *path) {
  json_error_t error;
  json_t *json = strcmp(path, "-") == 0 ? json_loadf(stdin, 0, &error) : json_load_file(path, 0, &error);
  if (!json) fprintf(stderr, "json_get: %s: line %d: %s\n", path, error.line, error.text);
  return json;
}

/* The value at a path below `json`, borrowed; its length in *length if the path ends in '#'. */
static const json_t *find(const json_t *json, const char *path, int *is_length) {
  char key[256];
  *is_length = 0;
  while (json && *path) {
    const size_t size = strcspn(path, ".");
    if (size >= sizeof key) return NULL;
    memcpy(key, path, size);
    key[size] = '\0';
    path += size + (path[size] == '.');
    if (strcmp(key, "#") == 0) {
      *is_length = 1;
      return json_is_array(json) ? json : NULL;
    }
    json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10)) : json_object_get(json, key);
  }
  return json;
}

static int print(const json_t *value, int is_length) {
  if (!value) return 1;
  if (is_length)
    printf("%zu\n", json_array_size(value));
  else if (json_is_string(value))
    printf("%s\n", json_string_value(value));
  else {
    json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    putchar('\n');
  }
  return 0;
}

static void remove_field(json_t *json, const char *name) {
  const char *key;
  json_t *value;
  size_t i;
  if (json_is_object(json)) {
    (void)json_object_del(json, name);
    json_object_foreach(json, key, value) remove_field(value, name);
  }
  json_array_foreach(json, i, value) remove_field(value, name);
}

int main(int argc, char **argv) {
  int failed = 1, is_length = 0;
  json_t *json = NULL;
  if (argc == 4 && strcmp(argv[1], "--without") == 0) {
    json = load(argv[3]);
    for (char *name = strtok(argv[2], ","); json && name; name = strtok(NULL, ",")) remove_field(json, name);
    failed = print(json, 0);
  } else if (argc == 3) {
    json = load(argv[1]);
    const json_t *value = find(json, argv[2], &is_length);
    failed = print(value, is_length);
  } else {
    fputs("usage: json_get FILE PATH | json_get --without NAME,... FILE\n", stderr);
  }
  json_decref(json);
  return failed;
}

/* "PATH=VALUE": fields of a specification set on the command line. */
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"

/* "task.options.train=DIR": sets a field, whose parents must be there (a missing "options" or "budget" is
 * made). */
BtStatus bt_compare_assign(BtContext *ctx, const char *path, json_t *root, const char *assignment) {
  const char *equals = strchr(assignment, '=');
  json_t *at = root;
  if (!equals || equals == assignment)
    return bt_fail(ctx, BT_ERR_ARG,
                   "\"%.80s\" sets nothing; PATH=VALUE is wanted, such as task.options.train=photos",
                   assignment);
  const char *name = assignment;
  char key[128];
  for (;;) {
    const size_t length = strcspn(name, ".=");
    const int last = name[length] == '=';
    if (length == 0 || length >= sizeof key || name + length > equals)
      return bt_fail(ctx, BT_ERR_ARG, "\"%.80s\": the name of a field is missing", assignment);
    memcpy(key, name, length);
    key[length] = '\0';
    if (last) break;
    char *end;
    const long index = strtol(key, &end, 10);
    json_t *next = json_is_array(at) && !*end ? json_array_get(at, (size_t)index) : json_object_get(at, key);
    const int can_be_made =
        strcmp(key, "options") == 0 || strcmp(key, "budget") == 0 || strcmp(key, "judge") == 0;
    if (!next && json_is_object(at) && can_be_made && json_object_set_new(at, key, next = json_object()) != 0)
      next = NULL;
    if (!next)
      return bt_fail(ctx, BT_ERR_ARG, "%s has no \"%.*s\" to set", path, (int)(name + length - assignment),
                     assignment);
    at = next;
    name += length + 1;
  }
  const json_t *old = json_object_get(at, key);
  json_t *value = json_is_string(old) ? NULL : json_loads(equals + 1, JSON_DECODE_ANY, NULL);
  if (!value || json_is_string(value)) {
    json_t *text = value ? value : json_string(equals + 1);
    value = json_pack("{s:o}", BT_COMPARE_FROM_HERE, text);
  }
  if (!json_is_object(at)) {
    json_decref(value);
    return bt_fail(ctx, BT_ERR_ARG, "%s has no \"%.*s\" to set", path, (int)(equals - assignment),
                   assignment);
  }
  return value && json_object_set_new(at, key, value) == 0
             ? BT_OK
             : bt_fail(ctx, BT_ERR_ARG, "\"%.80s\": the value is not UTF-8 text", assignment);
}

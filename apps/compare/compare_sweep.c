/* Options that take several values, and the one of them that plots are drawn over. */
#include <string.h>

#include "compare/compare_check.h"
#include "core/file.h"

#define MOST_VALUES 10000

/* Every combination of {"a": [..], "b": [..]} into `points`, the first option varying slowest. */
static BtStatus expand_product(BtSpecCheck *c, const json_t *sweep, json_t **points) {
  char where[BT_SPEC_WHERE];
  const char *key;
  json_t *values;
  memcpy(where, c->where, sizeof where);
  json_object_foreach((json_t *)sweep, key, values) {
    json_t *more = json_array(), *point, *value;
    size_t i, j;
    bt_spec_at(c, "%.180s.%.60s", where, key);
    BtStatus st = more ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
    if (st >= 0 && (!json_is_array(values) || json_array_size(values) == 0))
      st = bt_spec_wrong(c, "must be a list of values, such as [1, 0.1]");
    if (st >= 0 && json_array_size(values) * json_array_size(*points) > MOST_VALUES)
      st = bt_spec_wrong(c, "gives too many runs");
    json_array_foreach(*points, i, point) {
      if (st < 0) break;
      json_array_foreach(values, j, value) {
        json_t *one = json_deep_copy(point);
        if (!one || json_object_set(one, key, value) != 0 || json_array_append(more, one) != 0)
          st = bt_fail_memory(c->ctx, c->spec->path, 0);
        json_decref(one);
        if (st < 0) break;
      }
    }
    json_decref(*points);
    *points = more;
    if (st < 0) return st;
  }
  memcpy(c->where, where, sizeof where);
  return BT_OK;
}

BtStatus bt_spec_sweep(BtSpecCheck *c, const json_t *sweep, json_t **points) {
  BtStatus st = BT_OK;
  char where[BT_SPEC_WHERE];
  json_t *raw = NULL, *point;
  size_t i;
  memcpy(where, c->where, sizeof where);
  *points = json_array();
  if (!*points) return bt_fail_memory(c->ctx, c->spec->path, 0);
  if (json_is_array(sweep) && json_array_size(sweep) > 0) {
    raw = json_deep_copy(sweep);
  } else if (!sweep || (json_is_object(sweep) && !bt_spec_from_here(sweep))) {
    raw = json_pack("[{}]");
    if (raw && sweep) BT_TRY(expand_product(c, sweep, &raw));
  } else {
    BT_TRY(bt_spec_wrong(c, "must be an object of lists, {\"eps0\": [1, 0.1]}, or a list of option objects"));
  }
  if (!raw) BT_TRY(bt_fail_memory(c->ctx, c->spec->path, 0));
  json_array_foreach(raw, i, point) {
    json_t *options = NULL;
    if (json_is_array(sweep)) bt_spec_at(c, "%.180s[%zu]", where, i);
    st = bt_spec_options(c, point, &options);
    for (size_t j = 0; st >= 0 && j < json_array_size(*points); j++)
      if (json_equal(options, json_array_get(*points, j)))
        st = bt_spec_wrong(c, "the same values are there twice");
    if (st >= 0 && json_array_append(*points, options) != 0) st = bt_fail_memory(c->ctx, c->spec->path, 0);
    json_decref(options);
    BT_TRY(st);
  }
done:
  memcpy(c->where, where, sizeof where);
  json_decref(raw);
  return st;
}

BtStatus bt_spec_axis(BtSpecCheck *c) {
  BtCompareSpec *s = c->spec;
  const json_t *first = json_array_get(s->methods[0].points, 0);
  const char *key, *axis = NULL;
  json_t *value;
  if (json_array_size(s->methods[0].points) < 2) return BT_OK;
  json_object_foreach((json_t *)first, key, value) {
    int numeric = 1, varies = 0, linked = 1;
    for (size_t p = 0; p < json_array_size(s->methods[0].points); p++) {
      const json_t *point = json_array_get(s->methods[0].points, p);
      numeric &= json_is_number(json_object_get(point, key));
      varies |= !json_equal(json_object_get(point, key), value);
      /* Options that move together (eps0 and delta0) are one axis. */
      linked &= !axis || json_equal(json_object_get(point, key), json_object_get(point, axis));
    }
    if (!varies) continue;
    if (!numeric || !linked) return BT_OK;
    if (!axis) axis = key;
  }
  if (!axis) return BT_OK;
  s->axis = bt_copy_text(axis);
  return s->axis ? BT_OK : bt_fail_memory(c->ctx, s->path, 0);
}

/* Values of options in a specification: looked up in the program's tables and kept. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare/compare_check.h"
#include "core/file.h"
#include "help/option_text.h"

char *bt_compare_value_text(const json_t *value) {
  char text[64];
  if (bt_spec_text(value)) return bt_copy_text(bt_spec_text(value));
  if (json_is_integer(value)) {
    snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return bt_copy_text(text);
  }
  if (json_is_real(value)) {
    /* The shortest that reads back as the same number. */
    for (int digits = 6; digits <= 17; digits++) {
      snprintf(text, sizeof text, "%.*g", digits, json_real_value(value));
      if (strtod(text, NULL) == json_real_value(value)) break;
    }
    return bt_copy_text(text);
  }
  if (json_is_boolean(value)) return bt_copy_text(json_is_true(value) ? "yes" : "no");
  return bt_copy_text("");
}

/* A list of numbers as the text "1,2,3"; NULL if it holds anything else. */
static char *join_numbers(const json_t *list) {
  size_t size = 1, n = 0;
  const json_t *value;
  char *text = malloc(32 * json_array_size(list) + 1);
  if (!text) return NULL;
  *text = '\0';
  json_array_foreach((json_t *)list, n, value) {
    char *one = json_is_number(value) ? bt_compare_value_text(value) : NULL;
    if (!one) {
      free(text);
      return NULL;
    }
    size += (size_t)snprintf(text + size - 1, 32, "%s%s", n ? "," : "", one);
    free(one);
  }
  return text;
}

/* The absolute form of a path that is relative to a folder; malloc'ed. */
static char *absolute(const char *folder, const char *path) {
  char *joined = *path == '/' ? bt_copy_text(path) : bt_path_join(folder, path);
  char *real = joined ? realpath(joined, NULL) : NULL;
  if (real || !joined || *joined == '/') {
    if (real) free(joined);
    return real ? real : joined;
  }
  char here[PATH_MAX];
  char *whole = getcwd(here, sizeof here) ? bt_path_join(here, joined) : NULL;
  free(joined);
  return whole;
}

/* Options such as --start take a file or something else: a text that names a file is one. */
static int may_be_path(const BtOption *o) {
  return o->kind == BT_OPT_KIND_TEXT && o->metavar &&
         (strstr(o->metavar, "MODEL") || strstr(o->metavar, "FILE") || strstr(o->metavar, "DIR"));
}

static json_t *text_value(const BtSpecCheck *c, const BtOption *o, const json_t *value) {
  const char *text = bt_spec_text(value);
  const char *folder = bt_spec_from_here(value) ? "." : c->spec->folder;
  char *path = NULL;
  json_t *out;
  if (*text && bt_option_is_path(o)) {
    path = absolute(folder, text);
  } else if (*text && may_be_path(o)) {
    path = absolute(folder, text);
    if (path && access(path, F_OK) != 0) {
      free(path);
      path = NULL;
    }
  }
  out = json_string(path ? path : text);
  free(path);
  return out;
}

/* One option's value in the form it is kept in: a number, true, false or a text. */
static BtStatus take_value(const BtSpecCheck *c, const BtOption *o, const json_t *value, json_t **out) {
  char *joined;
  *out = NULL;
  switch (o->kind) {
    case BT_OPT_KIND_FLAG:
      if (!json_is_boolean(value))
        return bt_spec_wrong(c, "must be true or false, is %s", bt_spec_kind(value));
      break;
    case BT_OPT_KIND_REAL:
    case BT_OPT_KIND_INT:
      if (!json_is_number(value)) return bt_spec_wrong(c, "must be a number, is %s", bt_spec_kind(value));
      break;
    case BT_OPT_KIND_CHOICE:
      if (!bt_spec_text(value))
        return bt_spec_wrong(c, "must be one of %s, is %s", o->text, bt_spec_kind(value));
      break;
    case BT_OPT_KIND_TEXT:
    case BT_OPT_KIND_END:
      if (json_is_array(value) && json_array_size(value) > 0 && (joined = join_numbers(value))) {
        *out = json_string(joined);
        free(joined);
        return *out ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
      }
      if (!bt_spec_text(value) && !json_is_number(value))
        return bt_spec_wrong(c, "must be a text%s, is %s",
                             json_is_array(value) ? " or a list of numbers" : "", bt_spec_kind(value));
      if (bt_spec_text(value)) {
        *out = text_value(c, o, value);
        return *out ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
      }
      break;
  }
  *out = bt_spec_text(value) ? json_string(bt_spec_text(value)) : json_deep_copy(value);
  return *out ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
}

/* Options that this command sets itself, and where the others come from. */
static BtStatus check_free(const BtSpecCheck *c, const char *name) {
  static const char own[] = "output|log|checkpoint|resume|json|quiet|help";
  const BtCompareSpec *s = c->spec;
  if (bt_choice_index(own, name, strlen(name)) >= 0)
    return bt_spec_wrong(c, "bitune compare sets this option itself; leave it out");
  if (bt_choice_index(c->command->form->shared_files, name, strlen(name)) >= 0)
    return bt_spec_wrong(c, "all runs would write to the same place; leave it out");
  if (s->work > 0 && strcmp(name, "max-work") == 0)
    return bt_spec_wrong(c, "budget.work sets it already; leave one of them out");
  if (s->seconds > 0 && strcmp(name, "max-seconds") == 0)
    return bt_spec_wrong(c, "budget.seconds sets it already; leave one of them out");
  if (s->seed_count > 0 && strcmp(name, "seed") == 0)
    return bt_spec_wrong(c, "seeds sets it already; leave one of them out");
  return BT_OK;
}

static BtStatus check_option(BtSpecCheck *c, const char *name, const json_t *value, json_t *out) {
  char text[BT_ERROR_TEXT], where[BT_SPEC_WHERE];
  BtContext said;
  json_t *kept = NULL;
  BtStatus st = BT_OK;
  const BtOption *option = bt_compare_probe_find(c->probe, name);
  memcpy(where, c->where, sizeof where);
  if (!option) {
    bt_compare_probe_unknown(c->probe, name, text, sizeof text);
    return bt_spec_wrong(c, "bitune %s: %s", c->command->words, text);
  }
  bt_spec_at(c, "%.180s.%.60s", where, name);
  BT_TRY(check_free(c, name));
  BT_TRY(take_value(c, option, value, &kept));
  char *word = bt_compare_value_text(kept);
  if (!word) BT_TRY(bt_fail_memory(c->ctx, c->spec->path, 0));
  bt_context_init(&said);
  if (bt_compare_probe_set(c->probe, &said, name, word) < 0) st = bt_spec_wrong(c, "%s", said.error);
  free(word);
  if (st >= 0 && json_object_set(out, name, kept) != 0) st = bt_fail_memory(c->ctx, c->spec->path, 0);
done:
  json_decref(kept);
  memcpy(c->where, where, sizeof where);
  return st;
}

BtStatus bt_spec_options(BtSpecCheck *c, const json_t *in, json_t **out) {
  BtStatus st = BT_OK;
  const char *key;
  json_t *value;
  *out = json_object();
  if (!*out) return bt_fail_memory(c->ctx, c->spec->path, 0);
  if (!in) return BT_OK;
  if (!json_is_object(in) || bt_spec_from_here(in))
    return bt_spec_wrong(c, "must be an object of options, is %s", bt_spec_kind(in));
  json_object_foreach((json_t *)in, key, value) {
    st = check_option(c, key, value, *out);
    if (st < 0) break;
  }
  return st;
}

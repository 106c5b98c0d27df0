/* The specification of a comparison: read, changed by the command line, checked against the program's tables.
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "core/file.h"
#include "core/json.h"
#include "option_text.h"

#define SPEC_LIMIT ((size_t)16 << 20)
#define WHERE 256
#define MOST_VALUES 10000

/* What is being checked. */
typedef struct {
  BtContext *ctx;
  BtCompareSpec *spec;
  BtCompareProbe probe;
  char where[WHERE]; /* "methods[1].options" */
} Check;

static BtStatus wrong(const Check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static BtStatus wrong(const Check *c, const char *format, ...) {
  char text[BT_ERROR_TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return bt_fail(c->ctx, BT_ERR_FORMAT, "%s: %s%s%.700s", c->spec->path, c->where, *c->where ? ": " : "",
                 text);
}

static void at(Check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void at(Check *c, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(c->where, sizeof c->where, format, args);
  va_end(args);
}

static const char *text_of(const json_t *value) {
  const json_t *here = json_is_object(value) ? json_object_get(value, BT_COMPARE_FROM_HERE) : NULL;
  return json_string_value(here ? here : value);
}

static int is_from_here(const json_t *value) {
  return json_is_object(value) && json_object_get(value, BT_COMPARE_FROM_HERE) != NULL;
}

static const char *kind_name(const json_t *value) {
  if (text_of(value)) return "a text";
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

/* Refuses fields that are not in the list "a|b|c". */
static BtStatus known_fields(const Check *c, const json_t *object, const char *names) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    if (bt_choice_index(names, key, strlen(key)) < 0)
      return wrong(c, "unknown field \"%.60s\"; there are %s", key, names);
  }
  return BT_OK;
}

char *bt_compare_value_text(const json_t *value) {
  char text[64];
  if (text_of(value)) return bt_copy_text(text_of(value));
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

static json_t *text_value(const Check *c, const BtOption *o, const json_t *value) {
  const char *text = text_of(value);
  const char *folder = is_from_here(value) ? "." : c->spec->folder;
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
static BtStatus take_value(const Check *c, const BtOption *o, const json_t *value, json_t **out) {
  char *joined;
  *out = NULL;
  switch (o->kind) {
    case BT_OPT_KIND_FLAG:
      if (!json_is_boolean(value)) return wrong(c, "must be true or false, is %s", kind_name(value));
      break;
    case BT_OPT_KIND_REAL:
    case BT_OPT_KIND_INT:
      if (!json_is_number(value)) return wrong(c, "must be a number, is %s", kind_name(value));
      break;
    case BT_OPT_KIND_CHOICE:
      if (!text_of(value)) return wrong(c, "must be one of %s, is %s", o->text, kind_name(value));
      break;
    case BT_OPT_KIND_TEXT:
    case BT_OPT_KIND_END:
      if (json_is_array(value) && json_array_size(value) > 0 && (joined = join_numbers(value))) {
        *out = json_string(joined);
        free(joined);
        return *out ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
      }
      if (!text_of(value) && !json_is_number(value))
        return wrong(c, "must be a text, is %s", kind_name(value));
      if (text_of(value)) {
        *out = text_value(c, o, value);
        return *out ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
      }
      break;
  }
  *out = text_of(value) ? json_string(text_of(value)) : json_deep_copy(value);
  return *out ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
}

/* Options that this command sets itself, and where the others come from. */
static BtStatus check_free(const Check *c, const char *name) {
  static const char own[] = "output|log|checkpoint|resume|json|quiet|help";
  const BtCompareSpec *s = c->spec;
  if (bt_choice_index(own, name, strlen(name)) >= 0)
    return wrong(c, "bitune compare sets this option itself; leave it out");
  if (s->work > 0 && strcmp(name, "max-work") == 0)
    return wrong(c, "budget.work sets it already; leave one of them out");
  if (s->seconds > 0 && strcmp(name, "max-seconds") == 0)
    return wrong(c, "budget.seconds sets it already; leave one of them out");
  if (s->seed_count > 0 && strcmp(name, "seed") == 0)
    return wrong(c, "seeds sets it already; leave one of them out");
  return BT_OK;
}

static BtStatus check_option(Check *c, const char *name, const json_t *value, json_t *out) {
  char text[BT_ERROR_TEXT], where[WHERE];
  BtContext said;
  json_t *kept = NULL;
  BtStatus st = BT_OK;
  const BtOption *option = bt_compare_probe_find(&c->probe, name);
  memcpy(where, c->where, sizeof where);
  if (!option) {
    bt_compare_probe_unknown(&c->probe, name, text, sizeof text);
    return wrong(c, "bitune %s: %s", c->spec->words, text);
  }
  at(c, "%.180s.%.60s", where, name);
  BT_TRY(check_free(c, name));
  BT_TRY(take_value(c, option, value, &kept));
  char *word = bt_compare_value_text(kept);
  if (!word) BT_TRY(bt_fail_memory(c->ctx, c->spec->path, 0));
  bt_context_init(&said);
  if (bt_compare_probe_set(&c->probe, &said, name, word) < 0) st = wrong(c, "%s", said.error);
  free(word);
  if (st >= 0 && json_object_set(out, name, kept) != 0) st = bt_fail_memory(c->ctx, c->spec->path, 0);
done:
  json_decref(kept);
  memcpy(c->where, where, sizeof where);
  return st;
}

/* An object of options into a new one. */
static BtStatus check_options(Check *c, const json_t *in, json_t **out) {
  BtStatus st = BT_OK;
  const char *key;
  json_t *value;
  *out = json_object();
  if (!*out) return bt_fail_memory(c->ctx, c->spec->path, 0);
  if (!in) return BT_OK;
  if (!json_is_object(in) || is_from_here(in))
    return wrong(c, "must be an object of options, is %s", kind_name(in));
  json_object_foreach((json_t *)in, key, value) {
    st = check_option(c, key, value, *out);
    if (st < 0) break;
  }
  return st;
}

static BtStatus take_number(Check *c, const json_t *object, const char *key, int whole, double *out) {
  const json_t *value = json_object_get(object, key);
  *out = 0;
  if (!value) return BT_OK;
  at(c, "budget.%s", key);
  if (!json_is_number(value) || (whole && !json_is_integer(value)) || !(json_number_value(value) > 0))
    return wrong(c, "must be a positive %s", whole ? "whole number" : "number of seconds");
  *out = json_number_value(value);
  return BT_OK;
}

static BtStatus take_budget(Check *c) {
  const json_t *budget = json_object_get(c->spec->root, "budget");
  BtStatus st = BT_OK;
  double work = 0;
  if (!budget) return BT_OK;
  at(c, "budget");
  if (!json_is_object(budget)) return wrong(c, "must be an object with work, seconds or both");
  BT_TRY(known_fields(c, budget, "work|seconds"));
  BT_TRY(take_number(c, budget, "work", 1, &work));
  BT_TRY(take_number(c, budget, "seconds", 0, &c->spec->seconds));
  c->spec->work = (int64_t)work;
  at(c, "budget");
  if (work > 0 && !bt_compare_probe_find(&c->probe, "max-work"))
    return wrong(c, "bitune %s has no --max-work; give seconds instead", c->spec->words);
  if (c->spec->seconds > 0 && !bt_compare_probe_find(&c->probe, "max-seconds"))
    return wrong(c, "bitune %s has no --max-seconds; give work instead", c->spec->words);
done:
  return st;
}

static BtStatus take_command(Check *c) {
  BtCompareSpec *s = c->spec;
  const json_t *task = json_object_get(s->root, "task");
  BtStatus st = BT_OK;
  if (!task) return wrong(c, "\"task\" is missing; it says which command is run on which data");
  at(c, "task");
  if (!json_is_object(task)) return wrong(c, "must be an object with command and options");
  BT_TRY(known_fields(c, task, "command|options"));
  const char *command = text_of(json_object_get(task, "command"));
  at(c, "task.command");
  if (!command || !*command) return wrong(c, "must be a command of bitune, such as \"learn\"");
  char *rest = NULL;
  s->words = bt_copy_text(command);
  s->cut = bt_copy_text(command);
  if (!s->words || !s->cut) return bt_fail_memory(c->ctx, s->path, 0);
  for (char *word = strtok_r(s->cut, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    if (*word == '-') return wrong(c, "\"%.40s\" is an option; it belongs into task.options", word);
    if (s->command_words == BT_COMPARE_MOST_WORDS) return wrong(c, "has too many words");
    s->command[s->command_words++] = word;
  }
  if (!s->command_words) return wrong(c, "must be a command of bitune, such as \"learn\"");
  BtContext said;
  bt_context_init(&said);
  if (bt_compare_probe_open(&said, s->command, &c->probe) < 0) return wrong(c, "%s", said.error);
  s->checkpoints =
      bt_compare_probe_find(&c->probe, "checkpoint") && bt_compare_probe_find(&c->probe, "resume");
done:
  return st;
}

static BtStatus take_seeds(Check *c) {
  BtCompareSpec *s = c->spec;
  const json_t *seeds = json_object_get(s->root, "seeds"), *value;
  size_t i;
  if (!seeds) return BT_OK;
  at(c, "seeds");
  if (!json_is_array(seeds) || json_array_size(seeds) == 0)
    return wrong(c, "must be a list of whole numbers, such as [1, 2, 3]");
  if (!bt_compare_probe_find(&c->probe, "seed"))
    return wrong(c, "bitune %s has no --seed; leave seeds out", s->words);
  s->seeds = calloc(json_array_size(seeds), sizeof *s->seeds);
  if (!s->seeds) return bt_fail_memory(c->ctx, s->path, 0);
  json_array_foreach((json_t *)seeds, i, value) {
    at(c, "seeds[%zu]", i);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
      return wrong(c, "must be a whole number, not negative");
    for (size_t j = 0; j < i; j++)
      if (s->seeds[j] == json_integer_value(value)) return wrong(c, "is there already");
    s->seeds[i] = json_integer_value(value);
  }
  s->seed_count = json_array_size(seeds);
  return BT_OK;
}

/* Every combination of {"a": [..], "b": [..]} into `points`, the first option varying slowest. */
static BtStatus expand_product(Check *c, const json_t *sweep, json_t **points) {
  char where[WHERE];
  const char *key;
  json_t *values;
  memcpy(where, c->where, sizeof where);
  json_object_foreach((json_t *)sweep, key, values) {
    json_t *more = json_array(), *point, *value;
    size_t i, j;
    at(c, "%.180s.%.60s", where, key);
    BtStatus st = more ? BT_OK : bt_fail_memory(c->ctx, c->spec->path, 0);
    if (st >= 0 && (!json_is_array(values) || json_array_size(values) == 0))
      st = wrong(c, "must be a list of values, such as [1, 0.1]");
    if (st >= 0 && json_array_size(values) * json_array_size(*points) > MOST_VALUES)
      st = wrong(c, "gives too many runs");
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

/* "sweep" into a list of option objects, each checked. */
static BtStatus take_sweep(Check *c, const json_t *sweep, json_t **points) {
  BtStatus st = BT_OK;
  char where[WHERE];
  json_t *raw = NULL, *point;
  size_t i;
  memcpy(where, c->where, sizeof where);
  *points = json_array();
  if (!*points) return bt_fail_memory(c->ctx, c->spec->path, 0);
  if (json_is_array(sweep) && json_array_size(sweep) > 0) {
    raw = json_deep_copy(sweep);
  } else if (!sweep || (json_is_object(sweep) && !is_from_here(sweep))) {
    raw = json_pack("[{}]");
    if (raw && sweep) BT_TRY(expand_product(c, sweep, &raw));
  } else {
    BT_TRY(wrong(c, "must be an object of lists, {\"eps0\": [1, 0.1]}, or a list of option objects"));
  }
  if (!raw) BT_TRY(bt_fail_memory(c->ctx, c->spec->path, 0));
  json_array_foreach(raw, i, point) {
    json_t *options = NULL;
    if (json_is_array(sweep)) at(c, "%.180s[%zu]", where, i);
    st = check_options(c, point, &options);
    for (size_t j = 0; st >= 0 && j < json_array_size(*points); j++)
      if (json_equal(options, json_array_get(*points, j))) st = wrong(c, "the same values are there twice");
    if (st >= 0 && json_array_append(*points, options) != 0) st = bt_fail_memory(c->ctx, c->spec->path, 0);
    json_decref(options);
    BT_TRY(st);
  }
done:
  memcpy(c->where, where, sizeof where);
  json_decref(raw);
  return st;
}

static BtStatus take_start(Check *c, size_t i, const json_t *value, BtCompareStart *start) {
  BtStatus st = BT_OK;
  json_t *options = NULL;
  at(c, "starts[%zu]", i);
  if (json_is_object(value) && !is_from_here(value)) {
    BT_TRY(known_fields(c, value, "name|options"));
    start->label = json_string_value(json_object_get(value, "name"));
    if (!start->label || !*start->label) BT_TRY(wrong(c, "\"name\" must be a text"));
    at(c, "starts[%zu].options", i);
    BT_TRY(check_options(c, json_object_get(value, "options"), &start->options));
    return st;
  }
  options = json_pack("{s:O}", "start", value);
  if (!options) BT_TRY(bt_fail_memory(c->ctx, c->spec->path, 0));
  BT_TRY(check_options(c, options, &start->options));
  const char *text = json_string_value(json_object_get(start->options, "start"));
  start->label = text ? (strchr(text, '/') ? bt_path_base(text) : text) : "";
done:
  json_decref(options);
  return st;
}

static BtStatus take_starts(Check *c) {
  BtCompareSpec *s = c->spec;
  const json_t *starts = json_object_get(s->root, "starts"), *value;
  size_t i;
  at(c, "starts");
  if (starts && (!json_is_array(starts) || json_array_size(starts) == 0))
    return wrong(
        c,
        "must be a list of starts: \"-5,-5\", [-5, -5], \"model.json\" or {\"name\": .., \"options\": {..}}");
  s->start_count = starts ? json_array_size(starts) : 1;
  s->starts = calloc(s->start_count, sizeof *s->starts);
  if (!s->starts) return bt_fail_memory(c->ctx, s->path, 0);
  if (!starts) {
    s->starts[0] = (BtCompareStart){"", json_object()};
    return s->starts[0].options ? BT_OK : bt_fail_memory(c->ctx, s->path, 0);
  }
  json_array_foreach((json_t *)starts, i, value) {
    const BtStatus st = take_start(c, i, value, &s->starts[i]);
    if (st < 0) return st;
    for (size_t j = 0; j < i; j++)
      if (strcmp(s->starts[j].label, s->starts[i].label) == 0)
        return wrong(c, "there is another start \"%.80s\"", s->starts[i].label);
  }
  return BT_OK;
}

/* An option set at two places leaves open which counts. */
static BtStatus check_apart(const Check *c, const json_t *a, const json_t *b, const char *where) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)a, key, value) {
    if (json_object_get(b, key))
      return wrong(c, "%.60s is set here and by %s; leave one of them out", key, where);
  }
  return BT_OK;
}

static BtStatus take_method(Check *c, size_t i, const json_t *value) {
  BtCompareSpec *s = c->spec;
  BtCompareMethod *m = &s->methods[i];
  BtStatus st = BT_OK;
  at(c, "methods[%zu]", i);
  if (!json_is_object(value)) return wrong(c, "must be an object with name and options");
  BT_TRY(known_fields(c, value, "name|options|sweep"));
  m->name = json_string_value(json_object_get(value, "name"));
  if (!m->name || !*m->name) return wrong(c, "\"name\" must be a text: it stands in legends and tables");
  if (strlen(m->name) > 60) return wrong(c, "\"name\" has more than 60 bytes");
  for (const char *at = m->name; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f) return wrong(c, "\"name\" has a control character");
  for (size_t j = 0; j < i; j++)
    if (strcmp(s->methods[j].name, m->name) == 0)
      return wrong(c, "another method is named \"%s\" already", m->name);
  at(c, "methods[%zu].options", i);
  BT_TRY(check_options(c, json_object_get(value, "options"), &m->options));
  const json_t *own = json_object_get(value, "sweep");
  if (own)
    at(c, "methods[%zu].sweep", i);
  else
    at(c, "sweep");
  BT_TRY(take_sweep(c, own ? own : json_object_get(s->root, "sweep"), &m->points));
  for (size_t p = 0; p < json_array_size(m->points); p++) {
    const json_t *point = json_array_get(m->points, p);
    BT_TRY(check_apart(c, point, m->options, "a method's options"));
    for (size_t k = 0; k < s->start_count; k++) BT_TRY(check_apart(c, point, s->starts[k].options, "starts"));
  }
  at(c, "methods[%zu].options", i);
  for (size_t k = 0; k < s->start_count; k++)
    BT_TRY(check_apart(c, m->options, s->starts[k].options, "starts"));
done:
  return st;
}

static BtStatus take_methods(Check *c) {
  BtCompareSpec *s = c->spec;
  const json_t *methods = json_object_get(s->root, "methods"), *value;
  size_t i;
  at(c, "methods");
  if (!json_is_array(methods) || json_array_size(methods) == 0)
    return wrong(c, "must be a list of {\"name\": .., \"options\": {..}}, at least one");
  if (json_array_size(methods) > BT_COMPARE_MOST_METHODS)
    return wrong(c, "are more than %d", BT_COMPARE_MOST_METHODS);
  s->methods = calloc(json_array_size(methods), sizeof *s->methods);
  if (!s->methods) return bt_fail_memory(c->ctx, s->path, 0);
  s->method_count = json_array_size(methods);
  json_array_foreach((json_t *)methods, i, value) {
    const BtStatus st = take_method(c, i, value);
    if (st < 0) return st;
  }
  return BT_OK;
}

static BtStatus take_judge(Check *c) {
  const json_t *judge = json_object_get(c->spec->root, "judge");
  BtStatus st = BT_OK;
  if (!judge) return BT_OK;
  at(c, "judge");
  if (!json_is_object(judge)) return wrong(c, "must be an object with options");
  BT_TRY(known_fields(c, judge, "options"));
  if (!bt_compare_probe_find(&c->probe, "start"))
    return wrong(c, "bitune %s has no --start, by which a result could be judged; leave judge out",
                 c->spec->words);
  at(c, "judge.options");
  BT_TRY(check_options(c, json_object_get(judge, "options"), &c->spec->judge));
  if (json_object_get(c->spec->judge, "start"))
    return wrong(c, "start is the result to be judged; leave it out");
done:
  return st;
}

/* The one numeric option that takes several values in every method's sweep. */
static BtStatus find_axis(Check *c) {
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

static BtStatus take_text(Check *c, const char *key, const char **out) {
  const json_t *value = json_object_get(c->spec->root, key);
  *out = value ? text_of(value) : NULL;
  at(c, "%s", key);
  return value && !*out ? wrong(c, "must be a text, is %s", kind_name(value)) : BT_OK;
}

static BtStatus check_document(Check *c) {
  BtCompareSpec *s = c->spec;
  BtStatus st = BT_OK;
  BT_TRY(known_fields(c, s->root, "title|note|task|budget|methods|starts|sweep|seeds|judge"));
  BT_TRY(take_text(c, "title", &s->title));
  BT_TRY(take_text(c, "note", &s->note));
  at(c, "%s", "");
  BT_TRY(take_command(c));
  BT_TRY(take_budget(c));
  BT_TRY(take_seeds(c));
  at(c, "task.options");
  BT_TRY(check_options(c, json_object_get(json_object_get(s->root, "task"), "options"), &s->options));
  BT_TRY(take_starts(c));
  BT_TRY(take_methods(c));
  BT_TRY(take_judge(c));
  BT_TRY(find_axis(c));
done:
  return st;
}

static char *folder_of(const char *path) {
  const char *base = bt_path_base(path);
  char *folder = bt_copy_text(base == path ? "." : path);
  if (folder && base != path) folder[base - path > 1 ? base - path - 1 : 1] = '\0';
  return folder;
}

BtStatus bt_compare_spec_load(BtContext *ctx, const char *path, const char *const *sets, size_t set_count,
                              BtCompareSpec *spec) {
  BtStatus st = BT_OK;
  Check check = {.ctx = ctx, .spec = spec};
  memset(spec, 0, sizeof *spec);
  spec->path = path;
  BT_TRY(bt_json_load(ctx, path, SPEC_LIMIT, &spec->root));
  for (size_t i = 0; i < set_count; i++) BT_TRY(bt_compare_assign(ctx, path, spec->root, sets[i]));
  spec->folder = folder_of(path);
  if (!spec->folder) BT_TRY(bt_fail_memory(ctx, path, 0));
  BT_TRY(check_document(&check));
done:
  if (check.probe.app.command) bt_compare_probe_close(&check.probe);
  if (st < 0) bt_compare_spec_clear(spec);
  return st;
}

void bt_compare_spec_clear(BtCompareSpec *spec) {
  for (size_t i = 0; i < spec->method_count; i++) {
    json_decref(spec->methods[i].options);
    json_decref(spec->methods[i].points);
  }
  for (size_t i = 0; spec->starts && i < spec->start_count; i++) json_decref(spec->starts[i].options);
  free(spec->methods);
  free(spec->starts);
  free(spec->seeds);
  free(spec->folder);
  free(spec->words);
  free(spec->cut);
  free(spec->axis);
  json_decref(spec->options);
  json_decref(spec->judge);
  json_decref(spec->root);
  memset(spec, 0, sizeof *spec);
}

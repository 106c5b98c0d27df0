/* The specification of a comparison: read, changed by the command line, checked field by field. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_check.h"
#include "core/file.h"
#include "core/json.h"

#define SPEC_LIMIT ((size_t)16 << 20)
#define MOST_WORK 0x1p53 /* up to which doubles hold all whole numbers */

static BtStatus take_number(BtSpecCheck *c, const json_t *object, const char *key, int whole, double *out) {
  const json_t *value = json_object_get(object, key);
  *out = 0;
  if (!value) return BT_OK;
  bt_spec_at(c, "budget.%s", key);
  if (!json_is_number(value) || (whole && !json_is_integer(value)) || !(json_number_value(value) > 0))
    return bt_spec_wrong(c, "must be a positive %s", whole ? "whole number" : "number of seconds");
  *out = json_number_value(value);
  if (whole && *out > MOST_WORK) return bt_spec_wrong(c, "must be %.0f or less", MOST_WORK);
  return BT_OK;
}

static BtStatus check_budget(const BtSpecCheck *c) {
  if (c->spec->work > 0 && !bt_compare_probe_find(c->probe, "max-work"))
    return bt_spec_wrong(c, "bitune %s has no --max-work; give seconds instead", c->command->words);
  if (c->spec->seconds > 0 && !bt_compare_probe_find(c->probe, "max-seconds"))
    return bt_spec_wrong(c, "bitune %s has no --max-seconds; give work instead", c->command->words);
  return BT_OK;
}

static BtStatus take_budget(BtSpecCheck *c) {
  const json_t *budget = json_object_get(c->spec->root, "budget");
  BtStatus st = BT_OK;
  double work = 0;
  if (!budget) return BT_OK;
  bt_spec_at(c, "budget");
  if (!json_is_object(budget)) return bt_spec_wrong(c, "must be an object with work, seconds or both");
  BT_TRY(bt_spec_fields(c, budget, "work|seconds"));
  BT_TRY(take_number(c, budget, "work", 1, &work));
  BT_TRY(take_number(c, budget, "seconds", 0, &c->spec->seconds));
  c->spec->work = (int64_t)work;
  bt_spec_at(c, "budget");
  BT_TRY(check_budget(c));
done:
  return st;
}

/* Which weights of a network are compared. */
static BtStatus take_weights(BtSpecCheck *c) {
  static const char choices[] = "best|last";
  const json_t *value = json_object_get(c->spec->root, "weights");
  const char *text = value ? bt_spec_text(value) : NULL;
  if (!value) return BT_OK;
  bt_spec_at(c, "weights");
  if (!text || bt_choice_index(choices, text, strlen(text)) < 0)
    return bt_spec_wrong(c,
                         "must be \"best\", those of the epoch with the least validation loss, or \"last\"");
  if (c->command->form->kind != &bt_compare_network)
    return bt_spec_wrong(c, "bitune %s trains no network; leave weights out", c->command->words);
  c->spec->last_weights = bt_choice_index(choices, text, strlen(text));
  return BT_OK;
}

static BtStatus take_command(BtSpecCheck *c) {
  BtCompareSpec *s = c->spec;
  const json_t *task = json_object_get(s->root, "task");
  BtStatus st = BT_OK;
  if (!task) return bt_spec_wrong(c, "\"task\" is missing; it says which command is run on which data");
  bt_spec_at(c, "task");
  if (!json_is_object(task)) return bt_spec_wrong(c, "must be an object with command and options");
  BT_TRY(bt_spec_fields(c, task, "command|options"));
  bt_spec_at(c, "task.command");
  BT_TRY(bt_spec_command(c, json_object_get(task, "command"), &s->command));
done:
  return st;
}

static BtStatus take_seeds(BtSpecCheck *c) {
  BtCompareSpec *s = c->spec;
  const json_t *seeds = json_object_get(s->root, "seeds"), *value;
  size_t i;
  if (!seeds) return BT_OK;
  bt_spec_at(c, "seeds");
  if (!json_is_array(seeds) || json_array_size(seeds) == 0)
    return bt_spec_wrong(c, "must be a list of whole numbers, such as [1, 2, 3]");
  if (!bt_compare_probe_find(c->probe, "seed"))
    return bt_spec_wrong(c, "bitune %s has no --seed; leave seeds out", c->command->words);
  s->seeds = calloc(json_array_size(seeds), sizeof *s->seeds);
  if (!s->seeds) return bt_fail_memory(c->ctx, s->path, 0);
  json_array_foreach((json_t *)seeds, i, value) {
    bt_spec_at(c, "seeds[%zu]", i);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
      return bt_spec_wrong(c, "must be a whole number, not negative");
    for (size_t j = 0; j < i; j++)
      if (s->seeds[j] == json_integer_value(value)) return bt_spec_wrong(c, "is there already");
    s->seeds[i] = json_integer_value(value);
  }
  s->seed_count = json_array_size(seeds);
  return BT_OK;
}

static BtStatus take_start(BtSpecCheck *c, size_t i, const json_t *value, BtCompareStart *start) {
  BtStatus st = BT_OK;
  json_t *options = NULL;
  bt_spec_at(c, "starts[%zu]", i);
  if (json_is_object(value) && !bt_spec_from_here(value)) {
    BT_TRY(bt_spec_fields(c, value, "name|options"));
    start->label = json_string_value(json_object_get(value, "name"));
    if (!start->label || !*start->label) BT_TRY(bt_spec_wrong(c, "\"name\" must be a text"));
    bt_spec_at(c, "starts[%zu].options", i);
    BT_TRY(bt_spec_options(c, json_object_get(value, "options"), &start->options));
    return st;
  }
  options = json_pack("{s:O}", "start", value);
  if (!options) BT_TRY(bt_fail_memory(c->ctx, c->spec->path, 0));
  BT_TRY(bt_spec_options(c, options, &start->options));
  const char *text = json_string_value(json_object_get(start->options, "start"));
  start->label = text ? (strchr(text, '/') ? bt_path_base(text) : text) : "";
done:
  json_decref(options);
  return st;
}

static BtStatus take_starts(BtSpecCheck *c) {
  BtCompareSpec *s = c->spec;
  const json_t *starts = json_object_get(s->root, "starts"), *value;
  size_t i;
  bt_spec_at(c, "starts");
  if (starts && (!json_is_array(starts) || json_array_size(starts) == 0))
    return bt_spec_wrong(
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
        return bt_spec_wrong(c, "there is another start \"%.80s\"", s->starts[i].label);
  }
  return BT_OK;
}

/* An option set at two places leaves open which counts. */
static BtStatus check_apart(const BtSpecCheck *c, const json_t *a, const json_t *b, const char *where) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)a, key, value) {
    if (json_object_get(b, key))
      return bt_spec_wrong(c, "%.60s is set here and by %s; leave one of them out", key, where);
  }
  return BT_OK;
}

/* The method's share of the budget: 10 lets it do ten times the others' work. */
static BtStatus take_factor(const BtSpecCheck *c, const json_t *value, double *factor) {
  const BtCompareSpec *s = c->spec;
  *factor = 1;
  if (!value) return BT_OK;
  if (!json_is_number(value) || !(json_number_value(value) > 0))
    return bt_spec_wrong(c, "\"budget_factor\" must be a positive number, such as 10");
  if (!s->work && !(s->seconds > 0)) return bt_spec_wrong(c, "\"budget_factor\" needs a budget to multiply");
  *factor = json_number_value(value);
  const double work = *factor * (double)s->work, seconds = *factor * s->seconds;
  /* A product that rounds to 0 would lift the limit. */
  if (s->work && !(work >= 1 && work <= MOST_WORK))
    return bt_spec_wrong(
        c, "\"budget_factor\" makes of budget.work %lld a budget of %.4g; 1 to %.0f are allowed",
        (long long)s->work, work, MOST_WORK);
  if (s->seconds > 0 && !(seconds > 0 && isfinite(seconds)))
    return bt_spec_wrong(c, "\"budget_factor\" makes of budget.seconds %.4g a budget of %.4g", s->seconds,
                         seconds);
  return BT_OK;
}

/* A command of the method's own, which must leave the same kind of results and know the task's options. */
static BtStatus take_own_command(BtSpecCheck *c, size_t i, const json_t *value, BtCompareMethod *m) {
  const BtCompareSpec *s = c->spec;
  json_t *options = NULL;
  BtStatus st = BT_OK;
  bt_spec_at(c, "methods[%zu].command", i);
  BT_TRY(bt_spec_command(c, value, &m->own));
  m->command = &m->own;
  if (m->own.form->kind != s->command.form->kind)
    return bt_spec_wrong(
        c, "its runs leave other results than those of bitune %s and cannot be compared with them",
        s->command.words);
  BT_TRY(check_budget(c));
  if (s->seed_count && !bt_compare_probe_find(c->probe, "seed"))
    return bt_spec_wrong(c, "bitune %s has no --seed; leave seeds out", m->own.words);
  BT_TRY(bt_spec_options(c, json_object_get(json_object_get(s->root, "task"), "options"), &options));
done:
  json_decref(options);
  return st;
}

static BtStatus take_method_options(BtSpecCheck *c, size_t i, const json_t *value) {
  BtCompareSpec *s = c->spec;
  BtCompareMethod *m = &s->methods[i];
  BtStatus st = BT_OK;
  bt_spec_at(c, "methods[%zu].options", i);
  BT_TRY(bt_spec_options(c, json_object_get(value, "options"), &m->options));
  const json_t *own = json_object_get(value, "sweep");
  if (own)
    bt_spec_at(c, "methods[%zu].sweep", i);
  else
    bt_spec_at(c, "sweep");
  BT_TRY(bt_spec_sweep(c, own ? own : json_object_get(s->root, "sweep"), &m->points));
  for (size_t p = 0; p < json_array_size(m->points); p++) {
    const json_t *point = json_array_get(m->points, p);
    BT_TRY(check_apart(c, point, m->options, "a method's options"));
    for (size_t k = 0; k < s->start_count; k++) BT_TRY(check_apart(c, point, s->starts[k].options, "starts"));
  }
  bt_spec_at(c, "methods[%zu].options", i);
  for (size_t k = 0; k < s->start_count; k++)
    BT_TRY(check_apart(c, m->options, s->starts[k].options, "starts"));
done:
  return st;
}

static BtStatus take_method(BtSpecCheck *c, size_t i, const json_t *value) {
  BtCompareSpec *s = c->spec;
  BtCompareMethod *m = &s->methods[i];
  const BtSpecCheck task = *c;
  BtCompareProbe probe = {0};
  BtStatus st = BT_OK;
  bt_spec_at(c, "methods[%zu]", i);
  if (!json_is_object(value)) return bt_spec_wrong(c, "must be an object with name and options");
  BT_TRY(bt_spec_fields(c, value, "name|command|options|sweep|budget_factor"));
  m->name = json_string_value(json_object_get(value, "name"));
  if (!m->name || !*m->name)
    return bt_spec_wrong(c, "\"name\" must be a text: it stands in legends and tables");
  if (strlen(m->name) > 60) return bt_spec_wrong(c, "\"name\" has more than 60 bytes");
  for (const char *at = m->name; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f) return bt_spec_wrong(c, "\"name\" has a control character");
  for (size_t j = 0; j < i; j++)
    if (strcmp(s->methods[j].name, m->name) == 0)
      return bt_spec_wrong(c, "another method is named \"%s\" already", m->name);
  BT_TRY(take_factor(c, json_object_get(value, "budget_factor"), &m->budget_factor));
  m->command = &s->command;
  if (json_object_get(value, "command")) {
    c->probe = &probe;
    BT_TRY(take_own_command(c, i, json_object_get(value, "command"), m));
  }
  if (s->last_weights && !m->command->form->has_last)
    BT_TRY(bt_spec_wrong(c, "bitune %s tells the losses of best epochs alone; leave weights out",
                         m->command->words));
  BT_TRY(take_method_options(c, i, value));
done:
  if (probe.app.command) bt_compare_probe_close(&probe);
  c->probe = task.probe;
  c->command = task.command;
  return st;
}

static BtStatus take_methods(BtSpecCheck *c) {
  BtCompareSpec *s = c->spec;
  const json_t *methods = json_object_get(s->root, "methods"), *value;
  size_t i;
  bt_spec_at(c, "methods");
  if (!json_is_array(methods) || json_array_size(methods) == 0)
    return bt_spec_wrong(c, "must be a list of {\"name\": .., \"options\": {..}}, at least one");
  if (json_array_size(methods) > BT_COMPARE_MOST_METHODS)
    return bt_spec_wrong(c, "are more than %d", BT_COMPARE_MOST_METHODS);
  s->methods = calloc(json_array_size(methods), sizeof *s->methods);
  if (!s->methods) return bt_fail_memory(c->ctx, s->path, 0);
  s->method_count = json_array_size(methods);
  json_array_foreach((json_t *)methods, i, value) {
    const BtStatus st = take_method(c, i, value);
    if (st < 0) return st;
  }
  return BT_OK;
}

static BtStatus take_judge(BtSpecCheck *c) {
  const json_t *judge = json_object_get(c->spec->root, "judge");
  BtStatus st = BT_OK;
  if (!judge) return BT_OK;
  bt_spec_at(c, "judge");
  if (!json_is_object(judge)) return bt_spec_wrong(c, "must be an object with options");
  BT_TRY(bt_spec_fields(c, judge, "options"));
  if (!bt_compare_probe_find(c->probe, "start"))
    return bt_spec_wrong(c, "bitune %s has no --start, by which a result could be judged; leave judge out",
                         c->command->words);
  bt_spec_at(c, "judge.options");
  BT_TRY(bt_spec_options(c, json_object_get(judge, "options"), &c->spec->judge));
  if (json_object_get(c->spec->judge, "start"))
    return bt_spec_wrong(c, "start is the result to be judged; leave it out");
done:
  return st;
}

static BtStatus take_text(BtSpecCheck *c, const char *key, const char **out) {
  const json_t *value = json_object_get(c->spec->root, key);
  *out = value ? bt_spec_text(value) : NULL;
  bt_spec_at(c, "%s", key);
  return value && !*out ? bt_spec_wrong(c, "must be a text, is %s", bt_spec_kind(value)) : BT_OK;
}

static BtStatus check_document(BtSpecCheck *c) {
  BtCompareSpec *s = c->spec;
  BtStatus st = BT_OK;
  BT_TRY(bt_spec_fields(c, s->root, "title|note|task|budget|weights|methods|starts|sweep|seeds|judge"));
  BT_TRY(take_text(c, "title", &s->title));
  BT_TRY(take_text(c, "note", &s->note));
  bt_spec_at(c, "%s", "");
  BT_TRY(take_command(c));
  BT_TRY(take_budget(c));
  BT_TRY(take_weights(c));
  BT_TRY(take_seeds(c));
  bt_spec_at(c, "task.options");
  BT_TRY(bt_spec_options(c, json_object_get(json_object_get(s->root, "task"), "options"), &s->options));
  BT_TRY(take_starts(c));
  BT_TRY(take_methods(c));
  BT_TRY(take_judge(c));
  BT_TRY(bt_spec_axis(c));
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
  BtCompareProbe probe = {0};
  BtSpecCheck check = {.ctx = ctx, .spec = spec, .probe = &probe};
  memset(spec, 0, sizeof *spec);
  spec->path = path;
  BT_TRY(bt_json_load(ctx, path, SPEC_LIMIT, &spec->root));
  for (size_t i = 0; i < set_count; i++) BT_TRY(bt_compare_assign(ctx, path, spec->root, sets[i]));
  spec->folder = folder_of(path);
  if (!spec->folder) BT_TRY(bt_fail_memory(ctx, path, 0));
  BT_TRY(check_document(&check));
done:
  if (probe.app.command) bt_compare_probe_close(&probe);
  if (st < 0) bt_compare_spec_clear(spec);
  return st;
}

void bt_compare_spec_clear(BtCompareSpec *spec) {
  for (size_t i = 0; i < spec->method_count; i++) {
    bt_compare_command_clear(&spec->methods[i].own);
    json_decref(spec->methods[i].options);
    json_decref(spec->methods[i].points);
  }
  for (size_t i = 0; spec->starts && i < spec->start_count; i++) json_decref(spec->starts[i].options);
  free(spec->methods);
  free(spec->starts);
  free(spec->seeds);
  free(spec->folder);
  bt_compare_command_clear(&spec->command);
  free(spec->axis);
  json_decref(spec->options);
  json_decref(spec->judge);
  json_decref(spec->root);
  memset(spec, 0, sizeof *spec);
}

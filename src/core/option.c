#include "core/option.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

#define NAME_LIMIT 64

static void *field(const BtOption *option, void *target) { return (char *)target + option->offset; }

void bt_options_default(const BtOption *table, void *target) {
  for (const BtOption *o = table; o->kind != BT_OPT_KIND_END; o++) {
    void *f = field(o, target);
    switch (o->kind) {
      case BT_OPT_KIND_REAL: *(double *)f = o->initial; break;
      case BT_OPT_KIND_INT: *(int64_t *)f = isnan(o->initial) ? INT64_MIN : (int64_t)o->initial; break;
      case BT_OPT_KIND_FLAG:
      case BT_OPT_KIND_CHOICE: *(int *)f = (int)o->initial; break;
      case BT_OPT_KIND_TEXT: *(const char **)f = o->text; break;
      case BT_OPT_KIND_END: break;
    }
  }
}

/* A decimal number and nothing else: no blanks, hexadecimals, infinities or NaN. */
static int parse_real(const char *text, double *x) {
  if (!*text || text[strspn(text, "+-.0123456789eE")]) return 0;
  char *end;
  *x = strtod(text, &end);
  return end != text && !*end && isfinite(*x);
}

static int parse_int(const char *text, int64_t *x) {
  if (!*text || text[strspn(text, "+-0123456789")]) return 0;
  char *end;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  *x = value;
  return end != text && !*end && errno == 0;
}

/* "> 0", "in [0, 1)", or "" if every number will do. */
static const char *domain_text(const BtOption *o, char *text, size_t size) {
  const int below = isfinite(o->lo), above = isfinite(o->hi);
  text[0] = '\0';
  if (below && above)
    snprintf(text, size, "in %c%g, %g%c", o->lo_open ? '(' : '[', o->lo, o->hi, o->hi_open ? ')' : ']');
  else if (below)
    snprintf(text, size, "%s %g", o->lo_open ? ">" : ">=", o->lo);
  else if (above)
    snprintf(text, size, "%s %g", o->hi_open ? "<" : "<=", o->hi);
  return text;
}

static int in_domain(const BtOption *o, double x) {
  return (o->lo_open ? x > o->lo : x >= o->lo) && (o->hi_open ? x < o->hi : x <= o->hi);
}

static BtStatus set_number(BtContext *ctx, const BtOption *o, const char *name, void *f, const char *text) {
  char domain[96];
  const int whole = o->kind == BT_OPT_KIND_INT;
  double x = 0;
  int64_t i = 0;
  const int parsed = whole ? parse_int(text, &i) : parse_real(text, &x);
  domain_text(o, domain, sizeof domain);
  if (!parsed)
    return bt_fail(ctx, BT_ERR_ARG, "%s must be %s%s%s, got \"%s\"", name,
                   whole ? "an integer" : "a number", *domain ? " " : "", domain, text);
  if (!in_domain(o, whole ? (double)i : x))
    return bt_fail(ctx, BT_ERR_ARG, "%s must be %s, got \"%s\"", name, domain, text);
  if (whole)
    *(int64_t *)f = i;
  else
    *(double *)f = x;
  return BT_OK;
}

static BtStatus set_choice(BtContext *ctx, const BtOption *o, const char *name, void *f, const char *text) {
  const int index = bt_choice_index(o->text, text, strlen(text));
  if (index < 0)
    return bt_fail(ctx, BT_ERR_ARG, "%s must be one of %s, got \"%s\"", name, o->text, text);
  *(int *)f = index;
  return BT_OK;
}

static BtStatus set_flag(BtContext *ctx, const char *name, void *f, const char *text) {
  static const char words[] = "no|yes|false|true|off|on|0|1";
  const int index = bt_choice_index(words, text, strlen(text));
  if (index < 0) return bt_fail(ctx, BT_ERR_ARG, "%s must be yes or no, got \"%s\"", name, text);
  *(int *)f = index % 2;
  return BT_OK;
}

BtStatus bt_option_set_as(BtContext *ctx, const BtOption *option, const char *name, void *target,
                          const char *text) {
  void *f = field(option, target);
  switch (option->kind) {
    case BT_OPT_KIND_REAL:
    case BT_OPT_KIND_INT: return set_number(ctx, option, name, f, text);
    case BT_OPT_KIND_CHOICE: return set_choice(ctx, option, name, f, text);
    case BT_OPT_KIND_FLAG: return set_flag(ctx, name, f, text);
    case BT_OPT_KIND_TEXT: *(const char **)f = text; return BT_OK;
    case BT_OPT_KIND_END: break;
  }
  return bt_fail(ctx, BT_ERR_ARG, "the end of an option table cannot be set");
}

BtStatus bt_option_set(BtContext *ctx, const BtOption *option, void *target, const char *text) {
  char name[NAME_LIMIT + 3];
  snprintf(name, sizeof name, "--%s", option->kind == BT_OPT_KIND_END ? "" : option->name);
  return bt_option_set_as(ctx, option, name, target, text);
}

typedef struct {
  const BtOption *option; /* NULL if not found */
  void *target;
} Match;

/* The command line on its way through the tables. */
typedef struct {
  const BtOptionSet *sets;
  size_t count;
  int argc, next; /* argv[next] is read next */
  char *const *argv;
} Parser;

static Match find_name(const Parser *p, const char *name, size_t length) {
  for (size_t s = 0; s < p->count; s++)
    for (const BtOption *o = p->sets[s].table; o->kind != BT_OPT_KIND_END; o++)
      if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
        return (Match){o, p->sets[s].target};
  return (Match){NULL, NULL};
}

static Match find_letter(const Parser *p, char letter) {
  for (size_t s = 0; s < p->count; s++)
    for (const BtOption *o = p->sets[s].table; o->kind != BT_OPT_KIND_END; o++)
      if (o->letter == letter) return (Match){o, p->sets[s].target};
  return (Match){NULL, NULL};
}

/* Levenshtein distance by rows of the dynamic programme. */
size_t bt_edit_distance(const char *a, size_t m, const char *b, size_t n) {
  size_t row[NAME_LIMIT + 1];
  if (n > NAME_LIMIT) return m > n ? m : n;
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; i <= m; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t best = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[n];
}

static BtStatus fail_unknown(BtContext *ctx, const Parser *p, const char *typed, size_t length) {
  char hint[NAME_LIMIT + 32] = "";
  size_t best = length / 2 + 1;
  for (size_t s = 0; s < p->count; s++) {
    for (const BtOption *o = p->sets[s].table; o->kind != BT_OPT_KIND_END; o++) {
      for (int negated = 0; negated <= (o->kind == BT_OPT_KIND_FLAG); negated++) {
        char name[NAME_LIMIT + 1];
        const int n = snprintf(name, sizeof name, "%s%s", negated ? "no-" : "", o->name);
        if (n < 0 || n > NAME_LIMIT) continue;
        /* An abbreviation counts as one slip, however much it leaves out. */
        const int abbreviation = length > 1 && strncmp(name, typed, length) == 0;
        const size_t distance = abbreviation ? 1 : bt_edit_distance(typed, length, name, (size_t)n);
        if (distance >= best) continue;
        best = distance;
        snprintf(hint, sizeof hint, "; did you mean --%s?", name);
      }
    }
  }
  return bt_fail(ctx, BT_ERR_ARG, "unknown option --%.*s%s", (int)(length > 200 ? 200 : length), typed, hint);
}

/* "-5" and "-" are values; "-o", "--name" and "--" are not. */
static int looks_like_option(const char *text) {
  double x;
  return text[0] == '-' && text[1] != '\0' && !parse_real(text, &x);
}

/* Sets an option that takes a value: the attached one, else the next argument. */
static BtStatus take_value(BtContext *ctx, Parser *p, Match m, const char *attached) {
  const BtOption *o = m.option;
  const char *value = attached;
  if (!value && p->next < p->argc && !looks_like_option(p->argv[p->next])) value = p->argv[p->next++];
  if (value) return bt_option_set(ctx, o, m.target, value);
  const char *what = o->metavar ? o->metavar : o->kind == BT_OPT_KIND_CHOICE ? o->text : "VALUE";
  return bt_fail(ctx, BT_ERR_ARG, "option --%s needs a value (%s)", o->name, what);
}

/* `text` follows the two dashes. */
static BtStatus parse_long(BtContext *ctx, Parser *p, const char *text) {
  const size_t length = strcspn(text, "=");
  const char *attached = text[length] ? text + length + 1 : NULL;
  const Match m = find_name(p, text, length);
  if (m.option && (m.option->kind != BT_OPT_KIND_FLAG || attached)) return take_value(ctx, p, m, attached);
  if (m.option) return bt_option_set(ctx, m.option, m.target, "yes");

  const int negated = length > 3 && strncmp(text, "no-", 3) == 0;
  const Match flag = negated ? find_name(p, text + 3, length - 3) : m;
  if (!flag.option || flag.option->kind != BT_OPT_KIND_FLAG) return fail_unknown(ctx, p, text, length);
  if (attached) return bt_fail(ctx, BT_ERR_ARG, "option --no-%s takes no value", flag.option->name);
  return bt_option_set(ctx, flag.option, flag.target, "no");
}

/* `text` follows the dash: flags, the last of which may be an option with its value. */
static BtStatus parse_short(BtContext *ctx, Parser *p, const char *text) {
  for (; *text; text++) {
    const Match m = find_letter(p, *text);
    if (!m.option) return bt_fail(ctx, BT_ERR_ARG, "unknown option -%c", *text);
    if (m.option->kind != BT_OPT_KIND_FLAG) return take_value(ctx, p, m, text[1] ? text + 1 : NULL);
    const BtStatus st = bt_option_set(ctx, m.option, m.target, "yes");
    if (st < 0) return st;
  }
  return BT_OK;
}

BtStatus bt_options_parse(BtContext *ctx, const BtOptionSet *sets, size_t count, int argc, char *const *argv,
                          const char **operands, size_t *operand_count) {
  Parser p = {.sets = sets, .count = count, .argc = argc, .next = 1, .argv = argv};
  BtStatus st = BT_OK;
  int ended = 0;
  *operand_count = 0;
  while (p.next < argc && st >= 0) {
    const char *text = argv[p.next++];
    if (ended || !looks_like_option(text))
      operands[(*operand_count)++] = text;
    else if (strcmp(text, "--") == 0)
      ended = 1;
    else
      st = text[1] == '-' ? parse_long(ctx, &p, text + 2) : parse_short(ctx, &p, text + 1);
  }
  return st;
}

int bt_choice_index(const char *choices, const char *text, size_t length) {
  int index = 0;
  for (const char *c = choices;; c++, index++) {
    const size_t n = strcspn(c, "|");
    if (n == length && memcmp(c, text, n) == 0) return index;
    c += n;
    if (!*c) return -1;
  }
}

const char *bt_choice_name(const char *choices, int index, char *buffer, size_t size) {
  const char *c = choices;
  buffer[0] = '\0';
  for (; index > 0 && *c; index--) {
    c += strcspn(c, "|");
    if (*c) c++;
  }
  if (index == 0) snprintf(buffer, size, "%.*s", (int)strcspn(c, "|"), c);
  return buffer;
}

/* A JSON string; the bytes of a file name that is not UTF-8 become question marks. */
static json_t *text_json(const char *text) {
  json_t *value = json_string(text);
  char *copy = value ? NULL : malloc(strlen(text) + 1);
  if (copy) {
    for (size_t i = 0; i <= strlen(text); i++) copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    value = json_string(copy);
  }
  free(copy);
  return value;
}

static json_t *option_json(const BtOption *o, const void *target) {
  const void *f = (const char *)target + o->offset;
  char name[NAME_LIMIT + 1];
  int64_t whole;
  switch (o->kind) {
    case BT_OPT_KIND_REAL: return bt_json_real(*(const double *)f);
    case BT_OPT_KIND_INT:
      whole = *(const int64_t *)f;
      return whole == INT64_MIN ? json_null() : json_integer(whole);
    case BT_OPT_KIND_FLAG: return json_boolean(*(const int *)f);
    case BT_OPT_KIND_TEXT: return *(const char *const *)f ? text_json(*(const char *const *)f) : json_null();
    case BT_OPT_KIND_CHOICE: return text_json(bt_choice_name(o->text, *(const int *)f, name, sizeof name));
    case BT_OPT_KIND_END: break;
  }
  return NULL;
}

json_t *bt_options_json(const BtOption *table, const void *target) {
  json_t *object = json_object();
  for (const BtOption *o = table; object && o->kind != BT_OPT_KIND_END; o++) {
    if (json_object_set_new(object, o->name, option_json(o, target)) != 0) {
      json_decref(object);
      object = NULL;
    }
  }
  return object;
}

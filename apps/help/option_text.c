#include "help/option_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *bt_option_argument(const BtOption *option) {
  switch (option->kind) {
    case BT_OPT_KIND_REAL: return option->metavar ? option->metavar : "X";
    case BT_OPT_KIND_INT: return option->metavar ? option->metavar : "N";
    case BT_OPT_KIND_TEXT: return option->metavar ? option->metavar : "TEXT";
    case BT_OPT_KIND_CHOICE: return option->metavar ? option->metavar : option->text;
    case BT_OPT_KIND_FLAG:
    case BT_OPT_KIND_END: break;
  }
  return NULL;
}

const char *bt_option_syntax(const BtOption *option, char *text) {
  const char *argument = bt_option_argument(option);
  char letter[8] = "";
  if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
  snprintf(text, BT_OPTION_TEXT, "%s--%s%s%s", letter, option->name, argument ? " " : "",
           argument ? argument : "");
  return text;
}

/* "default 25", "" if there is none worth saying. */
static void default_text(const BtOption *o, char *text, size_t size) {
  char name[64];
  text[0] = '\0';
  if (o->kind == BT_OPT_KIND_CHOICE)
    snprintf(text, size, "default %s", bt_choice_name(o->text, (int)o->initial, name, sizeof name));
  else if (o->kind == BT_OPT_KIND_TEXT && o->text)
    snprintf(text, size, "default %s", o->text);
  else if ((o->kind == BT_OPT_KIND_REAL || o->kind == BT_OPT_KIND_INT) && !isnan(o->initial))
    snprintf(text, size, "default %.10g", o->initial);
}

/* "positive", "0 to 1", "" if every number will do. */
static void domain_text(const BtOption *o, char *text, size_t size) {
  const int below = isfinite(o->lo), above = isfinite(o->hi);
  text[0] = '\0';
  if (o->kind != BT_OPT_KIND_REAL && o->kind != BT_OPT_KIND_INT) return;
  if (below && above)
    snprintf(text, size, "%.10g to %.10g%s", o->lo, o->hi, o->lo_open || o->hi_open ? ", exclusive" : "");
  else if (below && o->lo == 0)
    snprintf(text, size, "%s", o->lo_open ? "positive" : "not negative");
  else if (below)
    snprintf(text, size, "%s %.10g", o->lo_open ? "above" : "at least", o->lo);
  else if (above)
    snprintf(text, size, "%s %.10g", o->hi_open ? "below" : "at most", o->hi);
}

const char *bt_option_remark(const BtOption *option, char *text) {
  char preset[160], domain[96];
  default_text(option, preset, sizeof preset);
  domain_text(option, domain, sizeof domain);
  const int any = *preset || *domain, both = *preset && *domain;
  snprintf(text, BT_OPTION_TEXT, "%s%s%s%s%s%s", option->help, any ? " (" : "", preset, both ? "; " : "",
           domain, any ? ")" : "");
  return text;
}

int bt_option_is_path(const BtOption *option) {
  static const char *const paths[] = {"FILE", "DIR", "PATH", "MODEL", "IMAGE"};
  if (option->kind != BT_OPT_KIND_TEXT || !option->metavar) return 0;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    if (strncmp(option->metavar, paths[i], strlen(paths[i])) == 0) return 1;
  return 0;
}

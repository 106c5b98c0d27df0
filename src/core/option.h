/* core/option.h: settings as tables.
 *
 * One table per struct gives its defaults, validation, command-line parsing, --help, man page, shell completion and
 * the JSON record of a run. A table ends with BT_OPT_END. */
#ifndef BITUNE_CORE_OPTION_H
#define BITUNE_CORE_OPTION_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

typedef enum { BT_OPT_KIND_END, BT_OPT_KIND_REAL, BT_OPT_KIND_INT, BT_OPT_KIND_FLAG, BT_OPT_KIND_TEXT,
               BT_OPT_KIND_CHOICE } BtOptionKind;

typedef struct {
  const char *name;      /* long name without dashes                                               */
  char letter;           /* short name, or 0                                                       */
  BtOptionKind kind;
  size_t offset;         /* of the field: double, int64_t, int (flag, choice index), const char *  */
  double initial;        /* default of numbers, flags and choices (NAN: unset, INT64_MIN as an int) */
  const char *text;      /* default of a text (NULL: unset); the choices as "a|b|c"                */
  double lo, hi;         /* domain of numbers                                                      */
  int lo_open, hi_open;  /* whether the ends are excluded                                          */
  const char *metavar;   /* what the argument stands for in help: FILE, DIR, S, …                  */
  const char *help;      /* one sentence without a full stop; units named                          */
} BtOption;

#define BT_POSITIVE 0.0, (double)INFINITY, 1, 1
#define BT_NONNEGATIVE 0.0, (double)INFINITY, 0, 1
#define BT_IN(a, b) (a), (b), 1, 1           /* open interval      */
#define BT_WITHIN(a, b) (a), (b), 0, 0       /* closed interval    */
#define BT_ANY (double)-INFINITY, (double)INFINITY, 1, 1

#define BT_OPT_REAL(name, Type, field, initial, domain, metavar, help) \
  { name, 0, BT_OPT_KIND_REAL, offsetof(Type, field), initial, NULL, domain, metavar, help }
#define BT_OPT_INT(name, Type, field, initial, domain, metavar, help) \
  { name, 0, BT_OPT_KIND_INT, offsetof(Type, field), initial, NULL, domain, metavar, help }
#define BT_OPT_FLAG(name, Type, field, help) \
  { name, 0, BT_OPT_KIND_FLAG, offsetof(Type, field), 0, NULL, BT_ANY, NULL, help }
#define BT_OPT_TEXT(name, letter, Type, field, initial, metavar, help) \
  { name, letter, BT_OPT_KIND_TEXT, offsetof(Type, field), 0, initial, BT_ANY, metavar, help }
#define BT_OPT_CHOICE(name, Type, field, initial, choices, help) \
  { name, 0, BT_OPT_KIND_CHOICE, offsetof(Type, field), initial, choices, BT_ANY, NULL, help }
/* Many choices: help shows the metavar, and its sentence names them. */
#define BT_OPT_CHOICE_OF(name, Type, field, initial, choices, metavar, help) \
  { name, 0, BT_OPT_KIND_CHOICE, offsetof(Type, field), initial, choices, BT_ANY, metavar, help }
#define BT_OPT_END \
  { NULL, 0, BT_OPT_KIND_END, 0, 0, NULL, BT_ANY, NULL, NULL }

/* A table with the struct it fills; a command has several. */
typedef struct {
  const BtOption *table;
  void *target;
  const char *title; /* heading in help, e.g. "Method MAID"; NULL for the command's own options    */
} BtOptionSet;

/* Sets every field of `target` to its default. */
void bt_options_default(const BtOption *table, void *target);

/* Sets one option from text, validated; a text option borrows it. A flag takes yes|no|true|false|on|off|1|0.
 * Errors: BT_ERR_ARG naming option, value and domain; the field keeps its value. */
BtStatus bt_option_set(BtContext *ctx, const BtOption *option, void *target, const char *text);
/* The same of what is no command line: errors call the option `name`. */
BtStatus bt_option_set_as(BtContext *ctx, const BtOption *option, const char *name, void *target,
                          const char *text);

/* Parses argv[1..argc) over `count` sets: "--name value", "--name=value", "-x value", "--flag", "--no-flag"; "--"
 * ends the options. Negative numbers are values ("--log-weight -5"); a value that looks like an option must be
 * attached ("--output=-x.png"). Given twice, the last counts; texts point into argv. What is left goes to
 * operands (argv's own pointers, room for argc), their number to *operand_count. Unknown options are BT_ERR_ARG
 * with the nearest known name ("did you mean --sigma?"). Each set's target must hold its defaults already. */
BtStatus bt_options_parse(BtContext *ctx, const BtOptionSet *sets, size_t count, int argc, char *const *argv,
                          const char **operands, size_t *operand_count);

/* Index of a choice's text, -1 if unknown; the text of index i into buffer. */
int bt_choice_index(const char *choices, const char *text, size_t length);
const char *bt_choice_name(const char *choices, int index, char *buffer, size_t size);

/* Slips (letters added, left out or exchanged) between a[m] and b[n], for hints at the name that was meant.
 * Names of more than 64 letters in b count as wholly different. */
size_t bt_edit_distance(const char *a, size_t m, const char *b, size_t n);

/* {name: value} of a whole table; new reference. */
json_t *bt_options_json(const BtOption *table, const void *target);

#endif

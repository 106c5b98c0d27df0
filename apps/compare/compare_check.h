/* apps/compare/compare_check.h: what the files share that check a comparison's specification. */
#ifndef BITUNE_APPS_COMPARE_CHECK_H
#define BITUNE_APPS_COMPARE_CHECK_H

#include "compare/compare.h"

#define BT_SPEC_WHERE 256

/* What is being checked. */
typedef struct {
  BtContext *ctx;
  BtCompareSpec *spec;
  BtCompareProbe *probe;           /* of the command whose options are being checked */
  const BtCompareCommand *command; /* this command                                   */
  char where[BT_SPEC_WHERE]; /* "methods[1].options" */
} BtSpecCheck;

/* Says where in the document the check has come to. */
void bt_spec_at(BtSpecCheck *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* BT_ERR_FORMAT that names the file and this place. */
BtStatus bt_spec_wrong(const BtSpecCheck *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A text, whether from the file or, as an object of BT_COMPARE_FROM_HERE, from the command line; NULL: it is none. */
const char *bt_spec_text(const json_t *value);
int bt_spec_from_here(const json_t *value);
/* "a text", "a list", … */
const char *bt_spec_kind(const json_t *value);
/* Refuses fields that are not in the list "a|b|c". */
BtStatus bt_spec_fields(const BtSpecCheck *c, const json_t *object, const char *names);

/* compare_command.c: a command and what its runs leave. Opens c->probe and makes it the command of what follows;
 * the probe must be closed even after an error, the command cleared. */
BtStatus bt_spec_command(BtSpecCheck *c, const json_t *value, BtCompareCommand *command);

/* compare_values.c: an object of options, each checked by the command's own tables, into a new one: *out, owned. */
BtStatus bt_spec_options(BtSpecCheck *c, const json_t *in, json_t **out);

/* compare_sweep.c: "sweep" (NULL: none) into a list of option objects, each checked: *points, owned. */
BtStatus bt_spec_sweep(BtSpecCheck *c, const json_t *sweep, json_t **points);
/* Finds spec->axis: the one numeric option that takes several values in every method's sweep. */
BtStatus bt_spec_axis(BtSpecCheck *c);

#endif

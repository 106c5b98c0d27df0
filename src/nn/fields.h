/* nn/fields.h: descriptions in JSON, read field by field.
 *
 * The first error is kept and all later calls return their defaults, so that a reader is a list of fields;
 * nn_fields_end reports it, and any field that nobody asked for: a misspelt name is an error, never ignored.
 */
#ifndef BITUNE_NN_FIELDS_H
#define BITUNE_NN_FIELDS_H

#include <jansson.h>
#include <stdint.h>

#include "core/option.h"

#define NN_MAX_FIELDS 48

typedef struct {
  BtContext *ctx;
  const char *place;    /* what errors begin with: "task.json: layer 3 (conv2d)"; borrowed */
  const json_t *object; /* borrowed */
  BtStatus status;
  int count;
  char asked[NN_MAX_FIELDS][24];
} NnFields;

/* BT_ERR_FORMAT, kept in the fields, if `object` is no JSON object. */
NnFields nn_fields(BtContext *ctx, const char *place, const json_t *object);

/* A field that may be missing. Texts and values are borrowed from the object. Numbers must lie in [lo, hi].
 */
double nn_field_real(NnFields *f, const char *key, double initial, double lo, double hi);
int64_t nn_field_int(NnFields *f, const char *key, int64_t initial, int64_t lo, int64_t hi);
int nn_field_flag(NnFields *f, const char *key, int initial);
const char *nn_field_text(NnFields *f, const char *key, const char *initial);
/* Index in "a|b|c". */
int nn_field_choice(NnFields *f, const char *key, int initial, const char *choices);
/* Any value, NULL if missing. */
const json_t *nn_field_value(NnFields *f, const char *key);
/* The fields of a table: --NAME-OF-OPTION is name_of_option, without `prefix` ("data-") where it has that.
 * Missing ones stay as they are. Texts are borrowed from the object. */
void nn_field_options(NnFields *f, const BtOption *table, const char *prefix, void *target);

/* Records an error "PLACE: TEXT"; returns the status kept. */
BtStatus nn_fields_fail(NnFields *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first error; else BT_ERR_FORMAT for a field that was not asked for. */
BtStatus nn_fields_end(NnFields *f);

#endif

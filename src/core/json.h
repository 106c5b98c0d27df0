/* core/json.h: checked reading and atomic writing of JSON, on jansson.
 *
 * Readers name the file and the field in their errors: "m.json: theta[1] is not a finite number". */
#ifndef BITUNE_CORE_JSON_H
#define BITUNE_CORE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

/* Loads an object from a file of at most `limit` bytes; *object is a new reference. Errors: BT_ERR_IO,
 * BT_ERR_FORMAT with line and column. */
BtStatus bt_json_load(BtContext *ctx, const char *path, size_t limit, json_t **object);

/* Writes a value atomically, indented, with 17 significant digits. */
BtStatus bt_json_save(BtContext *ctx, const char *path, const json_t *value);

/* A number, or null where x is NaN or infinite (JSON has no such numbers). New reference. */
json_t *bt_json_real(double x);

/* An array of n numbers. New reference; NULL if out of memory. */
json_t *bt_json_reals(const double *x, size_t n);

/* Typed access to a required field; `path` names the file in errors (BT_ERR_FORMAT). Strings are borrowed from the
 * object. Numbers must be finite and inside [lo, hi]. */
BtStatus bt_json_get_string(BtContext *ctx, const char *path, const json_t *object, const char *key,
                            const char **value);
BtStatus bt_json_get_real(BtContext *ctx, const char *path, const json_t *object, const char *key, double lo,
                          double hi, double *value);
BtStatus bt_json_get_int(BtContext *ctx, const char *path, const json_t *object, const char *key, int64_t lo,
                         int64_t hi, int64_t *value);
/* Exactly n finite numbers, each inside [lo, hi], into values[n]. */
BtStatus bt_json_get_reals(BtContext *ctx, const char *path, const json_t *object, const char *key, double lo,
                           double hi, size_t n, double *values);

#endif

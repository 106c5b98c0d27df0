#include "regularizers/model.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "regularizers/catalog.h"
#include "regularizers/foe.h"

static const char *const format_name = "bitune-model";
static const int64_t format_version = 1;
/* The largest field of experts has 4 million parameters of at most 15 characters. */
static const size_t largest_file = (size_t)64 << 20;

/* Parameters of large models are written to 10 significant digits, which moves none by more than 5·10⁻¹⁰ of
 * itself; small ones exactly. */
#define FEW_PARAMETERS 16
#define NUMBERS_PER_LINE 8

/* Number of parameters from j on that share a name. */
static size_t run_length(const BtRegularizer *reg, size_t j) {
  const char *name = reg->ops->parameter_name(reg, j);
  size_t end = j + 1;
  while (end < reg->parameters && strcmp(reg->ops->parameter_name(reg, end), name) == 0) end++;
  return end - j;
}

static void run_name(const BtRegularizer *reg, size_t j, size_t length, char *text, size_t size) {
  const char *name = reg->ops->parameter_name(reg, j);
  if (length == 1)
    snprintf(text, size, "%s", name);
  else
    snprintf(text, size, "%s*%zu", name, length);
}

/* The array "parameters" must name this program's parameters in its order, or θ means something else. */
static BtStatus check_names(BtContext *ctx, const char *path, const json_t *object,
                            const BtRegularizer *reg) {
  const json_t *names = json_object_get(object, "parameters");
  size_t entry = 0;
  char expected[80];
  if (!names) return BT_OK;
  if (!json_is_array(names))
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: regularizer.parameters is not an array", path);
  for (size_t j = 0; j < reg->parameters; entry++) {
    const size_t length = run_length(reg, j);
    const json_t *item = json_array_get(names, entry);
    run_name(reg, j, length, expected, sizeof expected);
    if (!json_is_string(item) || strcmp(json_string_value(item), expected) != 0)
      return bt_fail(ctx, BT_ERR_FORMAT,
                     "%s: regularizer.parameters[%zu] is \"%.40s\", this version of bitune expects \"%s\"",
                     path, entry, json_is_string(item) ? json_string_value(item) : "?", expected);
    j += length;
  }
  if (json_array_size(names) > entry)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: regularizer.parameters has %zu names instead of %zu", path,
                   json_array_size(names), entry);
  return BT_OK;
}

static BtStatus read_theta(BtContext *ctx, const char *path, const json_t *object, BtModel *model) {
  const BtRegularizer *reg = &model->regularizer;
  BtStatus st = BT_OK;
  BT_TRY(check_names(ctx, path, object, reg));
  model->theta = calloc(reg->parameters, sizeof *model->theta);
  if (!model->theta) return bt_fail_memory(ctx, "a model", (double)reg->parameters * 8);
  BT_TRY(bt_json_get_reals(ctx, path, object, "theta", -1e300, 1e300, reg->parameters, model->theta));
  for (size_t j = 0; j < reg->parameters; j++) {
    double lo, hi;
    reg->ops->domain(reg, j, &lo, &hi);
    if (!(model->theta[j] >= lo && model->theta[j] <= hi))
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: theta[%zu] (%s) is %g, outside [%g, %g]", path, j,
                     reg->ops->parameter_name(reg, j), model->theta[j], lo, hi);
  }
done:
  return st;
}

/* Name, variant and, where the family has filters, their number and size. */
static BtStatus read_kind(BtContext *ctx, const char *path, const json_t *object, BtRegularizer *reg) {
  BtStatus st = BT_OK;
  BtRegularizerSpec spec = {0};
  int64_t filters, size;
  BT_TRY(bt_json_get_string(ctx, path, object, "name", &spec.name));
  BT_TRY(bt_json_get_string(ctx, path, object, "variant", &spec.variant));
  if (bt_regularizer_find(NULL, &spec, reg) < 0 ||
      strcmp(bt_regularizer_variant_name(reg), spec.variant) != 0)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: this bitune has no regularizer \"%.40s\" of variant \"%.40s\"",
                   path, spec.name, spec.variant));
  if (reg->filters == 0) goto done;
  BT_TRY(bt_json_get_int(ctx, path, object, "filters", 1, BT_FOE_MOST_FILTERS, &filters));
  BT_TRY(bt_json_get_int(ctx, path, object, "size", 2, BT_FOE_LARGEST, &size));
  spec.filters = (size_t)filters;
  spec.size = (size_t)size;
  BT_TRY(bt_regularizer_find(ctx, &spec, reg));
done:
  return st;
}

BtStatus bt_model_load(BtContext *ctx, const char *path, BtModel *model) {
  BtStatus st = BT_OK;
  json_t *file = NULL;
  const char *format, *problem;
  int64_t version;
  memset(model, 0, sizeof *model);
  BT_TRY(bt_json_load(ctx, path, largest_file, &file));
  BT_TRY(bt_json_get_string(ctx, path, file, "format", &format));
  if (strcmp(format, format_name) != 0)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: not a bitune model (format is \"%.40s\")", path, format));
  BT_TRY(bt_json_get_int(ctx, path, file, "version", 1, 1000000, &version));
  if (version > format_version)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: model format %lld is newer than this bitune; update bitune", path,
                   (long long)version));
  BT_TRY(bt_json_get_string(ctx, path, file, "problem", &problem));
  if (strcmp(problem, "denoising") != 0)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: a model for \"%.40s\", not for denoising", path, problem));
  BT_TRY(bt_json_get_real(ctx, path, file, "sigma", 1e-6, 1e6, &model->sigma));
  const json_t *reg = json_object_get(file, "regularizer");
  if (!json_is_object(reg)) BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: field \"regularizer\" is missing", path));
  BT_TRY(read_kind(ctx, path, reg, &model->regularizer));
  BT_TRY(read_theta(ctx, path, reg, model));
done:
  json_decref(file);
  if (st < 0) bt_model_clear(model);
  return st;
}

void bt_model_clear(BtModel *model) {
  free(model->theta);
  memset(model, 0, sizeof *model);
}

static json_t *names_json(const BtRegularizer *reg) {
  json_t *names = json_array();
  char name[80];
  for (size_t j = 0, length; j < reg->parameters; j += length) {
    length = run_length(reg, j);
    run_name(reg, j, length, name, sizeof name);
    (void)json_array_append_new(names, json_string(name));
  }
  return names;
}

/* "key": value, indented by two blanks like the rest of the file. Returns 0 if that cannot be encoded. */
static int put_field(FILE *out, const char *key, const json_t *value, size_t layout) {
  char *text = value ? json_dumps(value, layout | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY) : NULL;
  if (!text) return 0;
  (void)fprintf(out, "\"%s\": ", key);
  for (const char *c = text; *c; c++) {
    (void)fputc(*c, out);
    if (*c == '\n') (void)fputs("  ", out);
  }
  free(text);
  return 1;
}

static int put_new(FILE *out, const char *key, json_t *value) {
  const int done = put_field(out, key, value, JSON_COMPACT);
  (void)fputs(",\n    ", out);
  json_decref(value);
  return done;
}

static int put_theta(FILE *out, const double *theta, size_t count) {
  const size_t layout = JSON_ENCODE_ANY | JSON_REAL_PRECISION(count <= FEW_PARAMETERS ? 17 : 10);
  (void)fputs("\"theta\": [", out);
  for (size_t j = 0; j < count; j++) {
    json_t *number = json_real(theta[j]);
    const int failed = !number || json_dumpf(number, out, layout) != 0;
    json_decref(number);
    if (failed) return 0;
    if (j + 1 < count) (void)fputs((j + 1) % NUMBERS_PER_LINE ? ", " : ",\n      ", out);
  }
  (void)fputs("]", out);
  return 1;
}

/* Writes what bt_json_save() would, but with many numbers to the line. Returns 0 if a
 * number is not finite. */
static int put_model(FILE *out, const BtModel *model, const json_t *training) {
  const BtRegularizer *reg = &model->regularizer;
  json_t *sigma = json_real(model->sigma);
  (void)fprintf(out, "{\n  \"format\": \"%s\",\n  \"version\": %lld,\n  \"problem\": \"denoising\",\n  ",
                format_name, (long long)format_version);
  int done = put_field(out, "sigma", sigma, 0);
  json_decref(sigma);
  (void)fputs(",\n  \"regularizer\": {\n    ", out);
  done = done && put_new(out, "name", json_string(reg->ops->name));
  done = done && put_new(out, "variant", json_string(bt_regularizer_variant_name(reg)));
  if (reg->filters) {
    done = done && put_new(out, "filters", json_integer((json_int_t)reg->filters));
    done = done && put_new(out, "size", json_integer((json_int_t)reg->size));
  }
  done = done && put_new(out, "parameters", names_json(reg));
  done = done && put_theta(out, model->theta, reg->parameters);
  (void)fputs("\n  }", out);
  if (training) {
    (void)fputs(",\n  ", out);
    done = done && put_field(out, "training", training, JSON_INDENT(2));
  }
  (void)fputs("\n}\n", out);
  return done;
}

BtStatus bt_model_save(BtContext *ctx, const char *path, const BtModel *model, json_t *training) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return bt_fail_memory(ctx, path, 0);
  const int encoded = put_model(out, model, training), written = !ferror(out);
  BtStatus st = fclose(out) == 0 && written ? BT_OK : bt_fail_memory(ctx, path, (double)size);
  if (st >= 0 && !encoded) st = bt_fail(ctx, BT_ERR_LIBRARY, "%s: cannot encode the model as JSON", path);
  if (st >= 0) st = bt_file_write(ctx, path, text, size);
  free(text);
  return st;
}

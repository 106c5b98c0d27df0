#include "regularizers/model.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "regularizers/catalog.h"

static const char *const format_name = "bitune-model";
static const int64_t format_version = 1;
/* A model of 100,000 parameters is under 3 MB. */
static const size_t largest_file = (size_t)64 << 20;

/* The array "parameters" must name this program's parameters in its order, or θ means something else. */
static BtStatus check_names(BtContext *ctx, const char *path, const json_t *object,
                            const BtRegularizer *reg) {
  const json_t *names = json_object_get(object, "parameters");
  if (!names) return BT_OK;
  if (!json_is_array(names) || json_array_size(names) != reg->parameters)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: field \"parameters\" must list %zu names", path, reg->parameters);
  for (size_t j = 0; j < reg->parameters; j++) {
    const char *name = json_string_value(json_array_get(names, j)),
               *expected = reg->ops->parameter_name(reg, j);
    if (!name || strcmp(name, expected) != 0)
      return bt_fail(ctx, BT_ERR_FORMAT,
                     "%s: parameter %zu is \"%.40s\", this version of bitune expects \"%s\"", path, j,
                     name ? name : "?", expected);
  }
  return BT_OK;
}

static BtStatus read_theta(BtContext *ctx, const char *path, const json_t *object, BtModel *model) {
  const BtRegularizer *reg = &model->regularizer;
  BtStatus st = BT_OK;
  model->theta = calloc(reg->parameters, sizeof *model->theta);
  if (!model->theta) return bt_fail_memory(ctx, "a model", (double)reg->parameters * 8);
  BT_TRY(check_names(ctx, path, object, reg));
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

BtStatus bt_model_load(BtContext *ctx, const char *path, BtModel *model) {
  BtStatus st = BT_OK;
  json_t *file = NULL;
  const char *format, *name, *variant = NULL, *problem;
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
  BT_TRY(bt_json_get_string(ctx, path, reg, "name", &name));
  BT_TRY(bt_json_get_string(ctx, path, reg, "variant", &variant));
  if (bt_regularizer_find(NULL, name, variant, &model->regularizer) < 0)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: this bitune has no regularizer \"%.40s\" of variant \"%.40s\"",
                   path, name, variant));
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

BtStatus bt_model_save(BtContext *ctx, const char *path, const BtModel *model, json_t *training) {
  const BtRegularizer *reg = &model->regularizer;
  json_t *names = json_array();
  for (size_t j = 0; j < reg->parameters; j++)
    (void)json_array_append_new(names, json_string(reg->ops->parameter_name(reg, j)));
  json_t *file = json_pack("{s:s, s:I, s:s, s:f, s:{s:s, s:s, s:o, s:o}}", "format", format_name, "version",
                           (json_int_t)format_version, "problem", "denoising", "sigma", model->sigma,
                           "regularizer", "name", reg->ops->name, "variant", bt_regularizer_variant_name(reg),
                           "parameters", names, "theta", bt_json_reals(model->theta, reg->parameters));
  if (!file) return bt_fail_memory(ctx, "a model file", 1024);
  if (training) (void)json_object_set(file, "training", training);
  const BtStatus st = bt_json_save(ctx, path, file);
  json_decref(file);
  return st;
}

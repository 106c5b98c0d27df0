/* Model files of logistic regression. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "logreg/logreg.h"

static const char *const format_name = "bitune-logreg-model";
static const int64_t format_version = 1;
static const size_t largest_file = (size_t)1 << 30;
static const int64_t most_features = 10000000;
static const double huge = 1e300;

void bt_logreg_model_clear(BtLogregModel *model) {
  free(model->labels);
  free(model->mean);
  free(model->deviation);
  free(model->theta);
  free(model->weights);
  *model = (BtLogregModel){0};
}

static json_t *labels_json(const BtLogregModel *model) {
  json_t *list = json_array();
  for (size_t k = 0; list && k < model->classes; k++)
    (void)json_array_append_new(list, json_integer((json_int_t)model->labels[k]));
  return list;
}

static json_t *split_json(const BtLogregSplit *split) {
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "seed", (json_int_t)split->seed, "rows",
                   (json_int_t)split->rows, "train", (json_int_t)split->train, "valid",
                   (json_int_t)split->valid, "test", (json_int_t)split->test, "fingerprint",
                   split->fingerprint);
}

static json_t *model_json(const BtLogregModel *m, json_t *training) {
  char ridge[40], loss[40];
  json_t *file =
      json_pack("{s:s, s:I, s:s, s:I}", "format", format_name, "version", (json_int_t)format_version,
                "problem", "logistic regression", "features", (json_int_t)m->features);
  int bad = !file;
  bad |= json_object_set_new(file, "labels", labels_json(m));
  if (m->height)
    bad |= json_object_set_new(
        file, "image",
        json_pack("{s:I, s:I, s:I, s:I}", "height", (json_int_t)m->height, "width", (json_int_t)m->width,
                  "from_height", (json_int_t)m->from_height, "from_width", (json_int_t)m->from_width));
  if (m->mean)
    bad |= json_object_set_new(file, "standardise",
                               json_pack("{s:o, s:o}", "mean", bt_json_reals(m->mean, m->features),
                                         "deviation", bt_json_reals(m->deviation, m->features)));
  bad |= json_object_set_new(
      file, "ridge", json_string(bt_choice_name(BT_RIDGE_CHOICES, (int)m->ridge, ridge, sizeof ridge)));
  bad |= json_object_set_new(
      file, "lower_loss",
      json_string(bt_choice_name(BT_LOWER_LOSS_CHOICES, m->mean_loss, loss, sizeof loss)));
  bad |= json_object_set_new(file, "ridge_floor", json_real(m->floor));
  bad |= json_object_set_new(file, "split", split_json(&m->split));
  bad |= json_object_set_new(file, "theta", bt_json_reals(m->theta, m->parameters));
  bad |= json_object_set_new(file, "weights", bt_json_reals(m->weights, m->classes * m->features));
  if (training) bad |= json_object_set(file, "training", training);
  if (!bad) return file;
  json_decref(file);
  return NULL;
}

BtStatus bt_logreg_model_save(BtContext *ctx, const char *path, const BtLogregModel *model,
                              json_t *training) {
  json_t *file = model_json(model, training);
  if (!file) return bt_fail(ctx, BT_ERR_LIBRARY, "%s: cannot encode the model as JSON", path);
  const BtStatus st = bt_json_save(ctx, path, file);
  json_decref(file);
  return st;
}

static BtStatus get_size(BtContext *ctx, const char *path, const json_t *object, const char *key, int64_t lo,
                         size_t *size) {
  int64_t value = 0;
  const BtStatus st = bt_json_get_int(ctx, path, object, key, lo, most_features, &value);
  *size = (size_t)value;
  return st;
}

static BtStatus get_choice(BtContext *ctx, const char *path, const json_t *object, const char *key,
                           const char *choices, int *index) {
  const char *text;
  const BtStatus st = bt_json_get_string(ctx, path, object, key, &text);
  if (st < 0) return st;
  *index = bt_choice_index(choices, text, strlen(text));
  return *index >= 0
             ? BT_OK
             : bt_fail(ctx, BT_ERR_FORMAT, "%s: %s is \"%.40s\", not one of %s", path, key, text, choices);
}

static BtStatus read_labels(BtContext *ctx, const char *path, const json_t *file, BtLogregModel *m) {
  const json_t *list = json_object_get(file, "labels");
  m->classes = json_array_size(list);
  if (!json_is_array(list) || m->classes < 2 || m->classes > BT_MOST_CLASSES)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: labels is not an array of 2 to %d integers", path,
                   BT_MOST_CLASSES);
  m->labels = calloc(m->classes, sizeof *m->labels);
  if (!m->labels) return bt_fail_memory(ctx, path, 8.0 * (double)m->classes);
  for (size_t k = 0; k < m->classes; k++) {
    const json_t *item = json_array_get(list, k);
    m->labels[k] = (int64_t)json_integer_value(item);
    if (!json_is_integer(item) || (k > 0 && m->labels[k] <= m->labels[k - 1]))
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: labels[%zu] is not an integer larger than the one before", path,
                     k);
  }
  return BT_OK;
}

static BtStatus read_image(BtContext *ctx, const char *path, const json_t *image, BtLogregModel *m) {
  BtStatus st = BT_OK;
  if (!image) return st;
  BT_TRY(get_size(ctx, path, image, "height", 1, &m->height));
  BT_TRY(get_size(ctx, path, image, "width", 1, &m->width));
  BT_TRY(get_size(ctx, path, image, "from_height", (int64_t)m->height, &m->from_height));
  BT_TRY(get_size(ctx, path, image, "from_width", (int64_t)m->width, &m->from_width));
  if (m->height * m->width != m->features)
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: images of %zux%zu have %zu features, the model %zu", path,
                 m->height, m->width, m->height * m->width, m->features);
done:
  return st;
}

static BtStatus read_standardise(BtContext *ctx, const char *path, const json_t *object, BtLogregModel *m) {
  BtStatus st = BT_OK;
  if (!object) return st;
  m->mean = calloc(m->features, sizeof *m->mean);
  m->deviation = calloc(m->features, sizeof *m->deviation);
  if (!m->mean || !m->deviation) return bt_fail_memory(ctx, path, 16.0 * (double)m->features);
  BT_TRY(bt_json_get_reals(ctx, path, object, "mean", -huge, huge, m->features, m->mean));
  BT_TRY(bt_json_get_reals(ctx, path, object, "deviation", 1e-300, huge, m->features, m->deviation));
done:
  return st;
}

static BtStatus read_split(BtContext *ctx, const char *path, const json_t *object, BtLogregSplit *split) {
  BtStatus st = BT_OK;
  if (!json_is_object(object)) return bt_fail(ctx, BT_ERR_FORMAT, "%s: field \"split\" is missing", path);
  int64_t rows = 0, count[3] = {0};
  BT_TRY(bt_json_get_int(ctx, path, object, "seed", 0, INT64_MAX, &split->seed));
  BT_TRY(bt_json_get_int(ctx, path, object, "rows", 2, INT64_C(1) << 40, &rows));
  BT_TRY(bt_json_get_int(ctx, path, object, "train", 1, rows, &count[0]));
  BT_TRY(bt_json_get_int(ctx, path, object, "valid", 1, rows - count[0], &count[1]));
  BT_TRY(bt_json_get_int(ctx, path, object, "test", 0, rows - count[0] - count[1], &count[2]));
  BT_TRY(bt_json_get_real(ctx, path, object, "fingerprint", -huge, huge, &split->fingerprint));
  split->rows = (size_t)rows;
  split->train = (size_t)count[0];
  split->valid = (size_t)count[1];
  split->test = (size_t)count[2];
done:
  return st;
}

static BtStatus read_numbers(BtContext *ctx, const char *path, const json_t *file, BtLogregModel *m) {
  BtStatus st = BT_OK;
  m->parameters = bt_ridge_parameters(m->ridge, m->features, m->classes);
  const size_t n = m->classes * m->features;
  /* An array of another length is refused before memory for the one that is expected is asked for. */
  if (json_array_size(json_object_get(file, "weights")) != n)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: weights has %zu numbers instead of %zu", path,
                   json_array_size(json_object_get(file, "weights")), n);
  m->theta = calloc(m->parameters, sizeof *m->theta);
  m->weights = calloc(n, sizeof *m->weights);
  if (!m->theta || !m->weights) return bt_fail_memory(ctx, path, 16.0 * (double)n);
  BT_TRY(
      bt_json_get_reals(ctx, path, file, "theta", -BT_RIDGE_BOUND, BT_RIDGE_BOUND, m->parameters, m->theta));
  BT_TRY(bt_json_get_reals(ctx, path, file, "weights", -1e100, 1e100, n, m->weights));
done:
  return st;
}

BtStatus bt_logreg_model_load(BtContext *ctx, const char *path, BtLogregModel *m, json_t **training) {
  BtStatus st = BT_OK;
  json_t *file = NULL;
  const char *format;
  int64_t version;
  int ridge = 0;
  *m = (BtLogregModel){0};
  BT_TRY(bt_json_load(ctx, path, largest_file, &file));
  BT_TRY(bt_json_get_string(ctx, path, file, "format", &format));
  if (strcmp(format, format_name) != 0)
    BT_TRY(
        bt_fail(ctx, BT_ERR_FORMAT, "%s: not a model of bitune logreg (format is \"%.40s\")", path, format));
  BT_TRY(bt_json_get_int(ctx, path, file, "version", 1, 1000000, &version));
  if (version > format_version)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: model format %lld is newer than this bitune; update bitune", path,
                   (long long)version));
  BT_TRY(get_size(ctx, path, file, "features", 1, &m->features));
  BT_TRY(read_labels(ctx, path, file, m));
  BT_TRY(get_choice(ctx, path, file, "ridge", BT_RIDGE_CHOICES, &ridge));
  m->ridge = (BtRidge)ridge;
  BT_TRY(get_choice(ctx, path, file, "lower_loss", BT_LOWER_LOSS_CHOICES, &m->mean_loss));
  /* Models of earlier versions have none. */
  if (json_object_get(file, "ridge_floor"))
    BT_TRY(bt_json_get_real(ctx, path, file, "ridge_floor", 0, 1e300, &m->floor));
  BT_TRY(read_numbers(ctx, path, file, m));
  BT_TRY(read_image(ctx, path, json_object_get(file, "image"), m));
  BT_TRY(read_standardise(ctx, path, json_object_get(file, "standardise"), m));
  BT_TRY(read_split(ctx, path, json_object_get(file, "split"), &m->split));
  if (training) *training = json_incref(json_object_get(file, "training"));
done:
  json_decref(file);
  if (st < 0) bt_logreg_model_clear(m);
  return st;
}

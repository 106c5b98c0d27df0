/* One trial of a search: a training with hyperparameters that stay, and the file that says what came of it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "nn/nn_search.h"

#define FILE_LIMIT ((size_t)1 << 20)

char *bt_nn_search_path(const BtNnSearch *search, const char *name, const char *extension) {
  char file[64];
  snprintf(file, sizeof file, "%s%s", name, extension);
  return bt_path_join(search->set->search.output, file);
}

static const double *point(const BtNnSearch *search, size_t i) {
  return search->theta + i * search->space.hyper->count;
}

static json_t *score_json(NnScore s) {
  return json_pack("{s:o, s:o}", "loss", bt_json_real(s.loss), "accuracy", bt_json_real(s.accuracy));
}

static BtStatus write_trial(BtNnSearch *search, size_t i) {
  BtContext *ctx = &search->app->ctx;
  const BtNnTrial *t = &search->trial[i];
  const NnHyperSet *hyper = search->space.hyper;
  char *path = bt_nn_search_path(search, search->name[i], ".json");
  double *values = calloc(hyper->count + 1, sizeof *values);
  json_t *record = NULL, *losses = json_array();
  for (int k = 0; k < t->rungs && losses; k++) (void)json_array_append_new(losses, bt_json_real(t->loss[k]));
  if (path && values && losses) {
    bt_nn_space_values(&search->space, point(search, i), values);
    record =
        json_pack("{s:I, s:o, s:o, s:b, s:s, s:I, s:I, s:O, s:o, s:o, s:f}", "trial", (json_int_t)i + 1,
                  "hyperparameters", bt_nn_hyper_json(hyper, values), "theta",
                  bt_json_reals(point(search, i), hyper->count), "failed", t->failed, "error", t->error,
                  "epochs", (json_int_t)t->epochs, "best_epoch", (json_int_t)t->best_epoch, "rung_losses",
                  losses, "valid", score_json(t->valid), "test", score_json(t->test), "seconds", t->seconds);
  }
  const BtStatus st = record ? bt_json_save(ctx, path, record) : bt_fail_memory(ctx, "a trial", FILE_LIMIT);
  json_decref(record);
  json_decref(losses);
  free(values);
  free(path);
  return st;
}

static double real_of(const json_t *value) {
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static NnScore score_of(const json_t *object) {
  return (NnScore){real_of(json_object_get(object, "loss")), real_of(json_object_get(object, "accuracy"))};
}

static BtStatus parse_trial(BtNnSearch *search, size_t i, const char *path, const json_t *record) {
  BtContext *ctx = &search->app->ctx;
  const size_t n = search->space.hyper->count;
  const json_t *losses = json_object_get(record, "rung_losses"), *theta = json_object_get(record, "theta");
  const char *error;
  BtNnTrial t = {.failed = json_is_true(json_object_get(record, "failed"))};
  BtStatus st = BT_OK;
  for (size_t j = 0; j < n; j++)
    if (json_array_size(theta) != n || real_of(json_array_get(theta, j)) != point(search, i)[j])
      return bt_fail(ctx, BT_ERR_FORMAT,
                     "%s: is a trial at another point than this search asks for; name an empty folder", path);
  BT_TRY(bt_json_get_int(ctx, path, record, "epochs", 0, INT64_MAX, &t.epochs));
  BT_TRY(bt_json_get_int(ctx, path, record, "best_epoch", 0, t.epochs, &t.best_epoch));
  BT_TRY(bt_json_get_real(ctx, path, record, "seconds", 0, HUGE_VAL, &t.seconds));
  BT_TRY(bt_json_get_string(ctx, path, record, "error", &error));
  if (json_array_size(losses) > (size_t)search->rungs.count)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: rung_losses has more entries than the search has rungs", path);
  t.rungs = (int)json_array_size(losses);
  for (int k = 0; k < t.rungs; k++) {
    t.loss[k] = real_of(json_array_get(losses, (size_t)k));
    if (!t.failed && !isfinite(t.loss[k]))
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: rung_losses[%d] is not a finite number", path, k);
  }
  if (t.failed) t.rungs = search->rungs.count;
  snprintf(t.error, sizeof t.error, "%s", error);
  t.valid = score_of(json_object_get(record, "valid"));
  t.test = score_of(json_object_get(record, "test"));
  search->trial[i] = t;
done:
  return st;
}

BtStatus bt_nn_trial_read(BtNnSearch *search, size_t i) {
  BtContext *ctx = &search->app->ctx;
  char *path = bt_nn_search_path(search, search->name[i], ".json");
  json_t *record = NULL;
  BtStatus st = BT_OK;
  if (!path) return bt_fail_memory(ctx, "a trial", 64);
  if (access(path, F_OK) == 0) {
    st = bt_json_load(ctx, path, FILE_LIMIT, &record);
    if (st >= 0) st = parse_trial(search, i, path, record);
  }
  json_decref(record);
  free(path);
  return st;
}

void bt_nn_trial_drop(const BtNnSearch *search, size_t i) {
  char *path = bt_nn_search_path(search, search->name[i], ".safetensors");
  if (path) (void)unlink(path);
  free(path);
}

static void take_result(BtNnTrial *t, const NnTraining *training) {
  const NnTrainResult r = nn_training_result(training);
  t->epochs = r.epoch;
  t->best_epoch = r.best_epoch;
  t->valid = r.best_valid;
  t->test = r.best_test;
  t->seconds = r.seconds;
}

/* Trains up to `until`; what the checkpoint holds is not done again. */
static BtStatus train(BtNnSearch *search, const double *values, int64_t until, const char *checkpoint,
                      BtNnTrial *t) {
  BtContext *ctx = &search->app->ctx;
  const BtNnSession *s = &search->session;
  NnTraining *training = NULL;
  BtStatus st = BT_OK;
  const double left = search->deadline - bt_app_clock();
  if (!(left > 0)) return BT_MAX_ITERS;
  const NnTrainOptions o = {.tuner = NN_TUNER_NONE,
                            .seed = (uint64_t)search->set->seed,
                            .epochs = search->epochs,
                            .max_seconds = isfinite(left) ? left : 0,
                            .threads = 1,
                            .initial = values,
                            .checkpoint = checkpoint,
                            .temporary = 1};
  BT_TRY(nn_training_create(ctx, s->task, &o, s->data, s->backend, &training));
  if (access(checkpoint, F_OK) == 0) BT_TRY(nn_training_load(ctx, training, checkpoint));
  st = nn_training_run(ctx, training, until);
  if (st == BT_OK || st == BT_ERR_NUMERIC) take_result(t, training);
  if (st == BT_ERR_NUMERIC) {
    t->failed = 1;
    snprintf(t->error, sizeof t->error, "%.*s", (int)sizeof t->error - 1, ctx->error);
    *ctx->error = '\0';
    st = BT_OK;
  }
done:
  nn_training_destroy(training);
  return st;
}

/* Checkpoints of trials that have ended, but for those that failed, are kept as long as they are the best of
 * this process. */
static void drop_worse(const BtNnSearch *search, size_t i) {
  size_t best = i;
  for (size_t k = 0; k < search->known; k++)
    if (k != i && bt_team_owns(&search->app->team, k) &&
        bt_nn_trial_finished(&search->trial[k], search->rungs.count - 1) && !search->trial[k].failed &&
        (search->trial[best].failed || search->trial[k].valid.loss < search->trial[best].valid.loss))
      best = k;
  for (size_t k = 0; k < search->known; k++)
    if (k != best && bt_team_owns(&search->app->team, k) &&
        bt_nn_trial_finished(&search->trial[k], search->rungs.count - 1))
      bt_nn_trial_drop(search, k);
}

BtStatus bt_nn_trial_run(BtNnSearch *search, size_t i, int rung) {
  BtContext *ctx = &search->app->ctx;
  BtNnTrial *t = &search->trial[i];
  const int last = search->rungs.count - 1;
  BtStatus st = bt_nn_trial_read(search, i);
  if (st < 0 || bt_nn_trial_finished(t, rung)) return st;
  char *checkpoint = bt_nn_search_path(search, search->name[i], ".safetensors");
  double *values = calloc(search->space.hyper->count + 1, sizeof *values);
  if (!checkpoint || !values) {
    st = bt_fail_memory(ctx, "a trial", 64);
  } else {
    bt_nn_space_values(&search->space, point(search, i), values);
    st = train(search, values, search->rungs.epochs[rung], checkpoint, t);
  }
  if (st == BT_OK) {
    t->loss[rung] = t->failed ? (double)INFINITY : t->valid.loss;
    t->rungs = t->failed ? last + 1 : rung + 1;
    st = write_trial(search, i);
  }
  if (st == BT_OK && t->failed) bt_warn(ctx, "%s failed: %s", search->name[i], t->error);
  if (st == BT_OK && t->failed) bt_nn_trial_drop(search, i);
  if (st == BT_OK && t->rungs > last) drop_worse(search, i);
  free(checkpoint);
  free(values);
  return st;
}

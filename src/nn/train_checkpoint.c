/* Checkpoints of a training. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "nn/train_internal.h"

static const char format_name[] = "bitune-nn-1";

enum { COUNTERS = sizeof(NnCounters) / sizeof(int64_t), FIGURES = sizeof(NnFigures) / sizeof(double) };

/* One tensor of the training itself. */
typedef struct {
  const char *name;
  BtTensorType type;
  size_t count;
  void *elements;
  int finite; /* all of them are; figures may be missing */
} Entry;

enum { MOST_ENTRIES = 8 + NN_BEST_GROUPS };

/* Those that there are; the best epoch's only once there is one. */
static int entries(NnTraining *t, Entry *e) {
  static const char *const best[NN_BEST_GROUPS] = {"best.general", "best.response", "best.hyper",
                                                   "best.buffers"};
  int n = 0;
  e[n++] = (Entry){"train.counters", BT_TENSOR_I64, COUNTERS, &t->count, 1};
  e[n++] = (Entry){"train.figures", BT_TENSOR_F64, FIGURES, &t->figures, 0};
  if (t->count.epochs_seen > 0)
    e[n++] = (Entry){"train.history", BT_TENSOR_F64, (size_t)t->count.epochs_seen, t->history, 0};
  if (t->states > 0) {
    e[n++] = (Entry){"train.state", NN_REAL_TENSOR, t->states, t->saved_state, 1};
    e[n++] = (Entry){"tune.state", NN_REAL_TENSOR, t->states, t->saved_state + t->states, 1};
  }
  if (t->count.best_epoch == 0) return n;
  if (t->task->hyper.count > 0)
    e[n++] = (Entry){"best.values", BT_TENSOR_F64, t->task->hyper.count, t->best_hyper, 1};
  for (int q = 0; q < NN_BEST_GROUPS; q++) {
    size_t count;
    (void)nn_graph_group_values(t->model->graph, (NnGroup)(1 << q), &count);
    if (count > 0) e[n++] = (Entry){best[q], NN_REAL_TENSOR, count, t->best[q], 1};
  }
  return n;
}

static json_t *metadata(const NnTraining *t) {
  char kind[16];
  char *task = json_dumps(t->task->json, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_t *m =
      task ? json_pack("{s:s, s:s, s:s, s:s}", "format", format_name, "task", task, "file", t->task->file,
                       "tuner", bt_choice_name(NN_TUNER_CHOICES, (int)t->o.tuner, kind, sizeof kind))
           : NULL;
  free(task);
  if (!m) return NULL;
  const int more = t->extra ? json_object_set_new(m, t->extra->key, json_string(t->extra->text)) : 0;
  if (more == 0 && json_object_set_new(m, "seed", json_sprintf("%llu", (unsigned long long)t->o.seed)) == 0 &&
      json_object_set_new(m, "epochs", json_sprintf("%lld", (long long)t->epochs)) == 0)
    return m;
  json_decref(m);
  return NULL;
}

static BtStatus write(BtContext *ctx, NnTraining *t, BtTensorWriter *writer) {
  Entry e[MOST_ENTRIES];
  const int n = entries(t, e);
  BtStatus st = BT_OK;
  BT_TRY(nn_training_fetch_states(ctx, t));
  for (int i = 0; i < n; i++) BT_TRY(bt_tensors_declare(ctx, writer, e[i].name, e[i].type, 1, &e[i].count));
  BT_TRY(nn_graph_declare(ctx, t->model->graph, writer, ""));
  BT_TRY(nn_tuner_declare(ctx, t->tuner, writer));
  if (t->extra) BT_TRY(t->extra->declare(ctx, t->extra->user, writer));
  for (int i = 0; i < n; i++) BT_TRY(bt_tensors_append(ctx, writer, e[i].elements, e[i].count));
  BT_TRY(nn_graph_append(ctx, t->model->graph, writer));
  BT_TRY(nn_tuner_append(ctx, t->tuner, writer));
  if (t->extra) BT_TRY(t->extra->append(ctx, t->extra->user, writer));
done:
  return st;
}

BtStatus nn_training_claim(BtContext *ctx, NnTraining *t) {
  const BtStatus st = t->o.checkpoint ? bt_file_writable(ctx, t->o.checkpoint) : BT_OK;
  return st < 0 || !t->o.checkpoint ? st : bt_file_claim(ctx, t->o.checkpoint, &t->claim);
}

BtStatus nn_training_save(BtContext *ctx, NnTraining *t, const char *path) {
  BtTensorWriter *writer = NULL;
  BtStatus st = bt_file_claim(ctx, path, &t->claim);
  if (st < 0) return st;
  json_t *m = metadata(t);
  if (!m) return bt_fail_memory(ctx, "checkpoint", 0);
  st = bt_tensors_create(ctx, path, m, &writer);
  json_decref(m);
  if (st < 0) return st;
  bt_tensors_claim(writer, &t->claim);
  st = write(ctx, t, writer);
  if (st >= 0) return bt_tensors_commit(ctx, writer);
  bt_tensors_abandon(writer);
  return st;
}

static BtStatus check_counters(BtContext *ctx, const NnTraining *t, const char *path) {
  const NnCounters *c = &t->count;
  const int place = c->epoch >= 0 && c->epoch < INT64_MAX / t->batches - 1 && c->index >= 0 &&
                    c->index <= t->batches && c->step == c->epoch * t->batches + c->index;
  if (place && c->tuned >= 0 && c->tuned / t->task->valid_steps <= c->step && c->epochs_seen >= 0 &&
      c->epochs_seen <= c->epoch && c->best_epoch >= 0 && c->best_epoch <= c->epoch)
    return BT_OK;
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: its counters do not fit the data: another data set?", path);
}

static BtStatus check_figures(BtContext *ctx, const NnTraining *t, const char *path) {
  const NnFigures *f = &t->figures;
  if (f->multiplier > 0 && f->multiplier <= 1 && isfinite(f->loss_sum) && f->seconds >= 0 &&
      isfinite(f->seconds) && f->step_seconds >= 0)
    return BT_OK;
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: its figures are damaged", path);
}

static BtStatus read(BtContext *ctx, NnTraining *t, const char *path, BtTensorReader *reader) {
  Entry e[MOST_ENTRIES];
  BtStatus st = BT_OK;
  BT_TRY(bt_tensors_read(ctx, reader, "train.counters", BT_TENSOR_I64, COUNTERS, &t->count));
  BT_TRY(check_counters(ctx, t, path));
  BT_TRY(nn_training_reserve(ctx, t, t->count.epochs_seen));
  if (t->count.best_epoch > 0) BT_TRY(nn_training_keep_best(ctx, t)); /* makes the room */
  const int n = entries(t, e);
  for (int i = 0; i < n; i++)
    BT_TRY((e[i].finite ? bt_tensors_read_finite : bt_tensors_read)(ctx, reader, e[i].name, e[i].type,
                                                                 e[i].count, e[i].elements));
  BT_TRY(nn_training_put_states(ctx, t));
  BT_TRY(check_figures(ctx, t, path));
  BT_TRY(nn_graph_load(ctx, t->model->graph, reader, ""));
  BT_TRY(nn_tuner_load(ctx, t->tuner, reader));
  if (t->extra) BT_TRY(t->extra->load(ctx, t->extra->user, reader));
  t->replayed = 0;
done:
  return st;
}

static BtStatus check_identity(BtContext *ctx, const NnTraining *t, const char *path,
                               BtTensorReader *reader) {
  json_t *mine = metadata(t);
  BtStatus st = mine ? BT_OK : bt_fail_memory(ctx, "checkpoint", 0);
  static const char *const keys[] = {"format", "task", "tuner", "seed"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys && st >= 0; k++) {
    const char *theirs = bt_tensors_metadata(reader, keys[k]);
    if (!theirs || strcmp(theirs, json_string_value(json_object_get(mine, keys[k]))) != 0)
      st = bt_fail(ctx, BT_ERR_FORMAT, "%s: %s", path,
                   k == 0   ? "no checkpoint of a network's training"
                   : k == 1 ? "is of another task"
                   : k == 2 ? "is of another tuner"
                            : "is of another seed");
  }
  json_decref(mine);
  return st;
}

BtStatus nn_training_load(BtContext *ctx, NnTraining *t, const char *path) {
  BtTensorReader *reader;
  BtStatus st = bt_tensors_open(ctx, path, &reader);
  if (st < 0) return st;
  st = check_identity(ctx, t, path, reader);
  if (st >= 0) st = read(ctx, t, path, reader);
  bt_tensors_close(reader);
  return st;
}

/* A whole number in the metadata, −1 if it is none. */
static long long number(const BtTensorReader *reader, const char *key) {
  const char *text = bt_tensors_metadata(reader, key);
  char *end;
  const long long n = text ? strtoll(text, &end, 10) : -1;
  return text && *text && *end == '\0' ? n : -1;
}

static BtStatus read_info(BtContext *ctx, const char *path, const BtTensorReader *reader,
                          NnCheckpointInfo *info) {
  const char *format = bt_tensors_metadata(reader, "format"), *text = bt_tensors_metadata(reader, "task"),
             *file = bt_tensors_metadata(reader, "file"), *kind = bt_tensors_metadata(reader, "tuner");
  const long long seed = number(reader, "seed"), epochs = number(reader, "epochs");
  const int tuner = kind ? bt_choice_index(NN_TUNER_CHOICES, kind, strlen(kind)) : -1;
  if (!format || strcmp(format, format_name) != 0 || !text || tuner < 0 || seed < 0 || epochs < 1)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: no checkpoint of a network's training", path);
  json_error_t error;
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  if (!json) return bt_fail(ctx, BT_ERR_FORMAT, "%s: its task is no JSON: %s", path, error.text);
  info->tuner = (NnTunerKind)tuner;
  info->seed = (uint64_t)seed;
  info->epochs = epochs;
  const BtStatus st = nn_task_parse(ctx, file ? file : path, json, &info->task);
  json_decref(json);
  return st;
}

BtStatus nn_checkpoint_read(BtContext *ctx, const char *path, NnCheckpointInfo *info) {
  BtTensorReader *reader;
  *info = (NnCheckpointInfo){0};
  BtStatus st = bt_tensors_open(ctx, path, &reader);
  if (st < 0) return st;
  st = read_info(ctx, path, reader, info);
  bt_tensors_close(reader);
  return st;
}

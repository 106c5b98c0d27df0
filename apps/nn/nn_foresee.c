/* What can be told of a run before it begins. */
#include <stdio.h>
#include <stdlib.h>

#include "nn/nn.h"

/* "TASK\nDATA", malloc'ed. */
static char *key_of(const BtNn *set) {
  char *key = NULL;
  size_t size;
  FILE *out = open_memstream(&key, &size);
  if (!out) return NULL;
  (void)fprintf(out, "%s\n%s", set->task, set->data ? set->data : "");
  if (fclose(out) == 0) return key;
  free(key);
  return NULL;
}

/* What the data are, as [rows to train with, words of a row; 0: no text]; null where they cannot be opened,
 * which a run will tell. New reference. */
static BtStatus look(BtContext *ctx, const BtNn *set, const NnTask *task, json_t **found) {
  NnDataInfo info;
  const BtStatus st = bt_nn_session_foresee(ctx, set, task, &info);
  *found = NULL;
  if (st > 0 || st == BT_ERR_MEMORY) return st;
  *found = st < 0 ? json_null()
                  : json_pack("[I, I]", (json_int_t)info.rows[NN_TRAIN],
                              (json_int_t)(info.text ? nn_shape_size(info.label) : 0));
  return *found ? BT_OK : bt_fail_memory(ctx, "data", 64);
}

/* The work of the first epoch; 0 where it cannot be told. Data are looked at once for all runs on them. */
static BtStatus epoch_work(BtContext *ctx, const BtNn *set, const NnTask *task, NnTunerKind tuner,
                           json_t *known, int64_t *work) {
  char *key = key_of(set);
  BtStatus st = BT_OK;
  *work = 0;
  if (!key) return bt_fail_memory(ctx, "a name of data", 64);
  if (!json_object_get(known, key)) {
    json_t *found;
    BT_COMPLETE(look(ctx, set, task, &found));
    if (json_object_set_new(known, key, found) != 0) BT_TRY(bt_fail_memory(ctx, "data", 64));
  }
  const json_t *data = json_object_get(known, key);
  if (json_is_array(data)) {
    const size_t words = (size_t)json_integer_value(json_array_get(data, 1));
    const NnDataInfo info = {.rows = {(size_t)json_integer_value(json_array_get(data, 0))},
                             .text = words > 0,
                             .x = NN_SHAPE(words),
                             .label = NN_SHAPE(words)};
    st = nn_epoch_work(ctx, task, tuner, &info, work);
  }
done:
  free(key);
  return st;
}

BtStatus bt_nn_train_foresee(BtContext *ctx, const void *settings, json_t *known) {
  const BtNn *set = settings;
  NnTask *task;
  int64_t least = 0;
  BtStatus st = nn_task_load(ctx, set->task, &task);
  if (st < 0) return st;
  if (set->ensemble.hdet) BT_TRY(bt_nn_hdet_foresee(ctx, &set->ensemble, task));
  if (set->work > 0) BT_COMPLETE(epoch_work(ctx, set, task, (NnTunerKind)set->tuner, known, &least));
  if (least > set->work)
    st = bt_fail(ctx, BT_ERR_ARG, "%s: an epoch takes %lld gradients, more than the %lld of --max-work",
                 task->file, (long long)least, (long long)set->work);
done:
  nn_task_free(task);
  return st;
}

BtStatus bt_nn_search_foresee(BtContext *ctx, const void *settings, json_t *known) {
  const BtNn *set = settings;
  NnTask *task;
  int64_t work = 0;
  BtStatus st = nn_task_load(ctx, set->task, &task);
  if (st < 0) return st;
  if (set->work > 0) BT_COMPLETE(epoch_work(ctx, set, task, NN_TUNER_NONE, known, &work));
  st = bt_nn_search_plan(ctx, set, task, work);
done:
  nn_task_free(task);
  return st;
}

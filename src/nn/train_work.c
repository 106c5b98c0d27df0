/* What a training costs, counted in gradients. */
#include "nn/train_internal.h"

/* Examples, or words of text, of a training batch. */
static int64_t batch_size(const NnTask *task, const NnDataInfo *info) {
  return task->batch * (info->text ? (int64_t)nn_shape_size(info->label) : 1);
}

static int64_t warm_up(const NnTraining *t) {
  const int64_t by_epochs = t->task->warm_up_epochs * t->batches;
  return by_epochs > t->task->warm_up_steps ? by_epochs : t->task->warm_up_steps;
}

int nn_training_tunes(const NnTraining *t, int64_t step) {
  const int64_t past = step - warm_up(t);
  return t->tune && past > 0 && past % t->task->train_steps == 0;
}

int64_t nn_training_taken(const NnTraining *t) { return t->count.step - t->left_out; }

int64_t nn_training_work(const NnTraining *t, int64_t steps, int64_t tuned) {
  const int64_t runs = t->traits.centred ? 2 : 1;
  return (runs * steps + tuned) * batch_size(t->task, nn_data_info(t->data));
}

/* The work of whole epochs, their validation steps included. */
static int64_t work_of(const NnTraining *t, int64_t epochs) {
  const int64_t steps = epochs * t->batches, past = steps - warm_up(t);
  const int64_t tuned = t->tune && past > 0 ? past / t->task->train_steps * t->task->valid_steps : 0;
  return nn_training_work(t, steps, tuned);
}

BtStatus nn_training_plan(BtContext *ctx, NnTraining *t) {
  const int64_t limit = t->o.work, least = work_of(t, 1);
  t->epochs = t->o.epochs > 0 ? t->o.epochs : t->task->epochs;
  if (limit <= 0) return BT_OK;
  if (limit < least)
    return bt_fail(ctx, BT_ERR_ARG, "%s: an epoch takes %lld gradients, more than the %lld allowed",
                   t->task->file, (long long)least, (long long)limit);
  int64_t most = limit / nn_training_work(t, t->batches, 0);
  if (t->o.epochs > 0 && t->o.epochs < most) most = t->o.epochs;
  /* The largest number whose work is within the limit lies in [1, most]. */
  for (t->epochs = 1; t->epochs < most;) {
    const int64_t middle = t->epochs + (most - t->epochs + 1) / 2;
    if (work_of(t, middle) <= limit)
      t->epochs = middle;
    else
      most = middle - 1;
  }
  return BT_OK;
}

BtStatus nn_epoch_work(BtContext *ctx, const NnTask *task, const NnData *data, int64_t *work) {
  const NnLoaderOptions o = {.split = NN_TRAIN, .batch = (size_t)task->batch, .shuffle = 1};
  NnLoader *loader = NULL;
  const BtStatus st = nn_loader_create(ctx, data, &o, &loader);
  *work = st < 0 ? 0 : (int64_t)nn_loader_batches(loader) * batch_size(task, nn_data_info(data));
  nn_loader_destroy(loader);
  return st;
}

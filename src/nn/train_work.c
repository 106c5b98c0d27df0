/* What a training costs, counted in gradients. */
#include <math.h>

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

/* Gradients that a training step computes of each example. */
static int runs_of(const NnTraining *t) { return t->traits.centred ? 2 : 1; }

int64_t nn_training_work(const NnTraining *t, int64_t steps, int64_t tuned) {
  return (runs_of(t) * steps + tuned) * batch_size(t->task, nn_data_info(t->data));
}

/* The work of whole epochs, their validation steps included: exact up to NN_MOST_WORK, and no overflow
 * beyond. */
static double work_of(const NnTraining *t, int64_t epochs) {
  const double steps = (double)epochs * (double)t->batches, past = steps - (double)warm_up(t);
  const double tuned =
      t->tune && past > 0 ? floor(past / (double)t->task->train_steps) * (double)t->task->valid_steps : 0;
  return (runs_of(t) * steps + tuned) * (double)batch_size(t->task, nn_data_info(t->data));
}

BtStatus nn_training_plan(BtContext *ctx, NnTraining *t) {
  const double limit = fmin((double)t->o.work, NN_MOST_WORK), least = work_of(t, 1);
  t->epochs = t->o.epochs > 0 ? t->o.epochs : t->task->epochs;
  if (t->o.work <= 0 && work_of(t, t->epochs) > NN_MOST_WORK)
    return bt_fail(ctx, BT_ERR_ARG,
                   "%s: %lld epochs take %.3g gradients, more than the %.3g that are counted; take fewer",
                   t->task->file, (long long)t->epochs, work_of(t, t->epochs), NN_MOST_WORK);
  if (t->o.work <= 0) return BT_OK;
  if (limit < least)
    return bt_fail(ctx, BT_ERR_ARG, "%s: an epoch takes %.0f gradients, more than the %.0f allowed",
                   t->task->file, least, limit);
  int64_t most = (int64_t)limit;
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

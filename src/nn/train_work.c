/* What a training costs, counted in gradients. */
#include <math.h>

#include "nn/train_internal.h"

/* What determines the work of a training. */
typedef struct {
  const NnTask *task;
  NnTunerTraits traits;
  int64_t batches; /* of an epoch                                  */
  int64_t size;    /* examples, or words of text, of a batch       */
} Cost;

static Cost cost(const NnTask *task, NnTunerTraits traits, const NnDataInfo *info, int64_t batches) {
  const int64_t words = info->text ? (int64_t)nn_shape_size(info->label) : 1;
  return (Cost){task, traits, batches, task->batch * words};
}

static Cost cost_of(const NnTraining *t) {
  return cost(t->task, t->traits, nn_data_info(t->data), t->batches);
}

static int64_t warm_up(const NnTask *task, int64_t batches) {
  const int64_t by_epochs = task->warm_up_epochs * batches;
  return by_epochs > task->warm_up_steps ? by_epochs : task->warm_up_steps;
}

int nn_training_tunes(const NnTraining *t, int64_t step) {
  const int64_t past = step - warm_up(t->task, t->batches);
  return t->tune && past > 0 && past % t->task->train_steps == 0;
}

int64_t nn_training_taken(const NnTraining *t) { return t->count.step - t->left_out; }

/* Gradients that a training step computes of each example. */
static int runs_of(NnTunerTraits traits) { return traits.centred ? 2 : 1; }

int64_t nn_training_work(const NnTraining *t, int64_t steps, int64_t tuned) {
  return (runs_of(t->traits) * steps + tuned) * cost_of(t).size;
}

/* The work of whole epochs, their validation steps included: exact up to NN_MOST_WORK, and no overflow
 * beyond. */
static double work_of(const Cost *c, int64_t epochs) {
  const double steps = (double)epochs * (double)c->batches,
               past = steps - (double)warm_up(c->task, c->batches);
  const double tuned = c->traits.responds && past > 0
                           ? floor(past / (double)c->task->train_steps) * (double)c->task->valid_steps
                           : 0;
  return (runs_of(c->traits) * steps + tuned) * (double)c->size;
}

BtStatus nn_training_plan(BtContext *ctx, NnTraining *t) {
  const Cost c = cost_of(t);
  const double limit = fmin((double)t->o.work, NN_MOST_WORK), least = work_of(&c, 1);
  t->epochs = t->o.epochs > 0 ? t->o.epochs : t->task->epochs;
  if (t->o.work <= 0 && work_of(&c, t->epochs) > NN_MOST_WORK)
    return bt_fail(ctx, BT_ERR_ARG,
                   "%s: %lld epochs take %.3g gradients, more than the %.3g that are counted; take fewer",
                   t->task->file, (long long)t->epochs, work_of(&c, t->epochs), NN_MOST_WORK);
  if (t->o.work <= 0) return BT_OK;
  if (limit < least)
    return bt_fail(ctx, BT_ERR_ARG, "%s: an epoch takes %.0f gradients, more than the %.0f allowed",
                   t->task->file, least, limit);
  int64_t most = (int64_t)limit;
  if (t->o.epochs > 0 && t->o.epochs < most) most = t->o.epochs;
  /* The largest number whose work is within the limit lies in [1, most]. */
  for (t->epochs = 1; t->epochs < most;) {
    const int64_t middle = t->epochs + (most - t->epochs + 1) / 2;
    if (work_of(&c, middle) <= limit)
      t->epochs = middle;
    else
      most = middle - 1;
  }
  return BT_OK;
}

BtStatus nn_epoch_work(BtContext *ctx, const NnTask *task, NnTunerKind tuner, const NnDataInfo *info,
                       int64_t *work) {
  const NnLoaderOptions o = {.split = NN_TRAIN, .batch = (size_t)task->batch, .shuffle = 1};
  size_t batches = 0;
  const BtStatus st = nn_loader_count(ctx, info, &o, &batches);
  const Cost c = cost(task, nn_tuner_traits(tuner), info, (int64_t)batches);
  *work = st < 0 ? 0 : (int64_t)fmin(work_of(&c, 1), NN_MOST_WORK);
  return st;
}

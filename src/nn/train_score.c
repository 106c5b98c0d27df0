/* Evaluation of a training's network, the best epoch so far, and the trigger that lowers the step size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/train_internal.h"

static BtStatus reserve(BtContext *ctx, NnTraining *t, size_t count) {
  if (count <= t->scratch_room) return BT_OK;
  NnReal *more = realloc(t->scratch, count * sizeof *more);
  if (!more) return bt_fail_memory(ctx, "evaluation", (double)(count * sizeof *more));
  t->scratch = more;
  t->scratch_room = count;
  return BT_OK;
}

typedef struct {
  double loss, correct;
  size_t losses, rows;
} Sums;

/* Losses of the positions that count. */
static BtStatus add_losses(BtContext *ctx, NnTraining *t, const NnBatch *batch, Sums *s) {
  const NnModel *m = t->model;
  const size_t each = nn_shape_size(nn_graph_shape(m->graph, m->losses)),
               used = batch->steps < each ? batch->steps : each, count = batch->rows * each;
  BtStatus st = reserve(ctx, t, count);
  if (st >= 0) st = nn_graph_get(ctx, m->graph, m->losses, t->scratch, count);
  if (st < 0) return st;
  for (size_t r = 0; r < batch->rows; r++)
    for (size_t k = 0; k < used; k++) s->loss += (double)t->scratch[r * each + k];
  s->losses += batch->rows * used;
  return BT_OK;
}

/* Rows whose largest output is the label's. */
static BtStatus add_correct(BtContext *ctx, NnTraining *t, const NnBatch *batch, Sums *s) {
  const NnModel *m = t->model;
  const size_t classes = m->problem.classes, count = batch->rows * classes;
  BtStatus st = reserve(ctx, t, count);
  if (st >= 0) st = nn_graph_get(ctx, m->graph, m->output, t->scratch, count);
  if (st < 0) return st;
  for (size_t r = 0; r < batch->rows; r++) {
    const NnReal *y = t->scratch + r * classes;
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
      if (y[c] > y[best]) best = c;
    s->correct += best == (size_t)batch->label[r];
  }
  s->rows += batch->rows;
  return BT_OK;
}

/* Recurrent states go from window to window, zero at the beginning. */
static BtStatus evaluate(BtContext *ctx, NnTraining *t, NnLoader *loader, Sums *s) {
  NnModel *m = t->model;
  const int counts = m->problem.classes > 0 && !m->problem.tokens;
  BtStatus st = BT_OK;
  for (size_t i = 0; i < nn_loader_batches(loader); i++) {
    NnBatch batch;
    if (bt_stop_requested(ctx)) return BT_STOPPED;
    BT_TRY(nn_loader_get(ctx, loader, 0, i, &batch));
    const NnRun run = {.batch = batch.rows, .response = t->traits.evaluation};
    BT_TRY(nn_graph_set(ctx, m->graph, m->x, batch.x, batch.rows * nn_shape_size(m->problem.x)));
    BT_TRY(nn_graph_set(ctx, m->graph, m->label, batch.label, batch.rows * nn_shape_size(m->problem.label)));
    nn_model_set_state(m, batch.rows, i > 0 && batch.carried ? t->score_state : NULL);
    BT_TRY(nn_graph_forward(ctx, m->graph, &run));
    nn_model_get_state(m, batch.rows, t->score_state);
    BT_TRY(add_losses(ctx, t, &batch, s));
    if (counts) BT_TRY(add_correct(ctx, t, &batch, s));
  }
done:
  return st;
}

BtStatus nn_training_evaluate(BtContext *ctx, NnTraining *t, NnSplit split, NnScore *score) {
  Sums s = {0};
  *score = (NnScore){(double)NAN, (double)NAN};
  if (split == NN_TRAIN || !t->score[split])
    return bt_fail(ctx, BT_ERR_ARG, "there are no %s data to evaluate", nn_split_name(split));
  const BtStatus st = evaluate(ctx, t, t->score[split], &s);
  if (st != BT_OK) return st;
  score->loss = s.loss / (double)s.losses;
  if (s.rows) score->accuracy = s.correct / (double)s.rows;
  return BT_OK;
}

BtStatus nn_training_reserve(BtContext *ctx, NnTraining *t, int64_t entries) {
  if (entries <= (int64_t)t->history_room) return BT_OK;
  const size_t room = (size_t)entries + 64;
  double *more = realloc(t->history, room * sizeof *more);
  if (!more) return bt_fail_memory(ctx, "history", (double)(room * sizeof *more));
  t->history = more;
  t->history_room = room;
  return BT_OK;
}

/* Non-monotone trigger: this epoch is worse than the best of those that lie more than `patience` before it.
 */
static void trigger(NnTraining *t) {
  const NnStepRule *rule = &t->task->weights.rule;
  const int64_t n = t->count.epochs_seen, last = n - 1, early = last - rule->patience;
  double least = (double)INFINITY;
  if (!rule->trigger) return;
  for (int64_t i = 0; i < early; i++) least = fmin(least, t->history[i]);
  if (t->history[last] > least) {
    t->figures.multiplier *= rule->factor;
    t->count.triggered = t->count.epoch;
  }
}

static NnReal *group(const NnTraining *t, int q, size_t *count) {
  return nn_graph_group_values(t->model->graph, (NnGroup)(1 << q), count);
}

BtStatus nn_training_keep_best(BtContext *ctx, NnTraining *t) {
  NnBackend *b = nn_graph_backend(t->model->graph);
  BtStatus st = BT_OK;
  for (int q = 0; q < NN_BEST_GROUPS; q++) {
    size_t n;
    const NnReal *values = group(t, q, &n);
    if (n == 0) continue;
    if (!t->best[q] && !(t->best[q] = malloc(n * sizeof(NnReal))))
      return bt_fail_memory(ctx, "the best weights", (double)(n * sizeof(NnReal)));
    BT_TRY(b->download(ctx, b, t->best[q], values, n * sizeof(NnReal)));
  }
  BT_TRY(nn_training_hyper(ctx, t, t->best_hyper, NULL));
done:
  return st;
}

BtStatus nn_training_use_best(BtContext *ctx, NnTraining *t) {
  NnBackend *b = nn_graph_backend(t->model->graph);
  BtStatus st = BT_OK;
  if (t->count.best_epoch == 0) return bt_fail(ctx, BT_ERR_ARG, "no epoch has been evaluated yet");
  for (int q = 0; q < NN_BEST_GROUPS; q++) {
    size_t n;
    NnReal *values = group(t, q, &n);
    if (n > 0) BT_TRY(b->upload(ctx, b, values, t->best[q], n * sizeof(NnReal)));
  }
done:
  return st;
}

static BtStatus score_split(BtContext *ctx, NnTraining *t, NnSplit split, double figures[2]) {
  NnScore s;
  if (!t->score[split]) return BT_OK;
  const BtStatus st = nn_training_evaluate(ctx, t, split, &s);
  if (st != BT_OK) return st;
  figures[0] = s.loss;
  figures[1] = s.accuracy;
  if (isfinite(s.loss)) return BT_OK;
  return bt_fail(ctx, BT_ERR_NUMERIC, "the %s loss is not finite", nn_split_name(split));
}

BtStatus nn_training_score(BtContext *ctx, NnTraining *t) {
  const BtStatus st = score_split(ctx, t, NN_VALID, t->figures.valid);
  return st == BT_OK ? score_split(ctx, t, NN_TEST, t->figures.test) : st;
}

BtStatus nn_training_judge(BtContext *ctx, NnTraining *t, int *best) {
  NnFigures *f = &t->figures;
  BtStatus st = BT_OK;
  BT_TRY(nn_training_reserve(ctx, t, t->count.epochs_seen + 1));
  /* Without validation data the training loss takes their place. */
  const double loss = t->score[NN_VALID] ? f->valid[0] : f->train_loss;
  *best = t->count.best_epoch == 0 || loss < f->best_valid[0];
  t->history[t->count.epochs_seen++] = loss;
  trigger(t);
  if (!*best) return BT_OK;
  t->count.best_epoch = t->count.epoch;
  f->best_valid[0] = loss;
  f->best_valid[1] = f->valid[1];
  memcpy(f->best_test, f->test, sizeof f->best_test);
  BT_TRY(nn_training_keep_best(ctx, t));
done:
  return st;
}

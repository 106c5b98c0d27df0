#include "nn/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "nn/train_internal.h"

static BtStatus create_loader(BtContext *ctx, const NnTraining *t, NnSplit split, int64_t batch, int shuffle,
                              NnLoader **loader) {
  const NnLoaderOptions o = {
      .split = split, .batch = (size_t)batch, .seed = t->o.seed, .shuffle = shuffle, .threads = t->o.threads};
  const BtStatus st = nn_loader_create(ctx, t->data, &o, loader);
  if (st != BT_ERR_ARG) return st;
  char cause[512];
  snprintf(cause, sizeof cause, "%.500s", ctx->error);
  return bt_fail(ctx, st, "%s: %s; set a smaller \"batch\" or \"eval_batch\"", t->task->file, cause);
}

static BtStatus create_loaders(BtContext *ctx, NnTraining *t) {
  const size_t *rows = nn_data_info(t->data)->rows;
  BtStatus st = BT_OK;
  BT_TRY(create_loader(ctx, t, NN_TRAIN, t->task->batch, 1, &t->train));
  if (t->traits.responds) {
    if (rows[NN_VALID] == 0)
      return bt_fail(ctx, BT_ERR_ARG, "%s: tuning needs validation data; set \"valid_share\"", t->task->file);
    BT_TRY(create_loader(ctx, t, NN_VALID, t->task->batch, 1, &t->tune));
  }
  for (int s = NN_VALID; s < NN_SPLITS; s++)
    if (rows[s] > 0) BT_TRY(create_loader(ctx, t, (NnSplit)s, t->task->eval_batch, 0, &t->score[s]));
  t->batches = (int64_t)nn_loader_batches(t->train);
done:
  return st;
}

NnProblem nn_problem(const NnDataInfo *info) {
  return (NnProblem){.x = info->x,
                     .label = info->label,
                     .classes = info->classes,
                     .tokens = info->text,
                     .channels = info->channels,
                     .mean = info->mean,
                     .deviation = info->deviation};
}

static BtStatus create_model(BtContext *ctx, NnTraining *t, NnBackend *backend) {
  const NnTask *task = t->task;
  const NnProblem problem = nn_problem(nn_data_info(t->data));
  const int64_t most = task->batch > task->eval_batch ? task->batch : task->eval_batch;
  const NnModelOptions o = {.max_batch = (size_t)most,
                            .responds = t->traits.responds,
                            .centred = t->traits.centred,
                            .entropy = task->entropy};
  const NnTunerOptions tuner = {.kind = t->o.tuner,
                                .fixed_scales = task->fixed_scales,
                                .seed = t->o.seed,
                                .weights = task->weights.options,
                                .response = task->response.options,
                                .hyper = task->tuning.options};
  BtStatus st = BT_OK;
  BT_TRY(nn_model_create(ctx, backend, task->file, task->model, &task->hyper, &problem, &o, &t->model));
  BT_TRY(nn_model_initial(ctx, t->model, t->o.seed, t->traits.deviation, t->o.initial));
  BT_TRY(nn_tuner_create(ctx, &tuner, t->model, &t->tuner));
done:
  return st;
}

static BtStatus create_states(BtContext *ctx, NnTraining *t, NnBackend *b) {
  const size_t bytes = t->states * sizeof(NnReal),
               scored = nn_model_state_size(t->model, (size_t)t->task->eval_batch) * sizeof(NnReal);
  BtStatus st = BT_OK;
  if (bytes == 0) return BT_OK;
  BT_TRY(b->allocate(ctx, b, bytes, (void **)&t->train_state));
  BT_TRY(b->allocate(ctx, b, bytes, (void **)&t->tune_state));
  BT_TRY(b->allocate(ctx, b, scored, (void **)&t->score_state));
done:
  return st;
}

static BtStatus create_buffers(BtContext *ctx, NnTraining *t, NnBackend *backend) {
  const size_t n = t->task->hyper.count ? t->task->hyper.count : 1;
  t->states = nn_model_state_size(t->model, (size_t)t->task->batch);
  t->saved_state = calloc(2 * t->states + 1, sizeof *t->saved_state);
  t->hyper = calloc(n, sizeof *t->hyper);
  t->scales = calloc(n, sizeof *t->scales);
  t->best_hyper = calloc(n, sizeof *t->best_hyper);
  if (t->saved_state && t->hyper && t->scales && t->best_hyper) return create_states(ctx, t, backend);
  return bt_fail_memory(ctx, "training", (double)(t->states * sizeof(NnReal)));
}

BtStatus nn_training_fetch_states(BtContext *ctx, NnTraining *t) {
  NnBackend *b = nn_graph_backend(t->model->graph);
  const size_t bytes = t->states * sizeof(NnReal);
  BtStatus st = BT_OK;
  if (bytes == 0) return BT_OK;
  BT_TRY(b->download(ctx, b, t->saved_state, t->train_state, bytes));
  BT_TRY(b->download(ctx, b, t->saved_state + t->states, t->tune_state, bytes));
done:
  return st;
}

BtStatus nn_training_put_states(BtContext *ctx, NnTraining *t) {
  NnBackend *b = nn_graph_backend(t->model->graph);
  const size_t bytes = t->states * sizeof(NnReal);
  BtStatus st = BT_OK;
  if (bytes == 0) return BT_OK;
  BT_TRY(b->upload(ctx, b, t->train_state, t->saved_state, bytes));
  BT_TRY(b->upload(ctx, b, t->tune_state, t->saved_state + t->states, bytes));
done:
  return st;
}

static BtStatus check_options(BtContext *ctx, const NnTraining *t) {
  const NnReplay *r = t->o.replay;
  if (t->traits.responds && t->task->hyper.count == 0)
    return bt_fail(ctx, BT_ERR_ARG, "%s: has no hyperparameters to tune; use the tuner none", t->task->file);
  if (t->read_every > NN_TUNER_STEPS)
    return bt_fail(ctx, BT_ERR_ARG, "losses must be read every %d steps or more often", NN_TUNER_STEPS);
  if (!r) return BT_OK;
  if (t->o.tuner != NN_TUNER_NONE)
    return bt_fail(ctx, BT_ERR_ARG, "a schedule is replayed with the tuner none alone");
  for (size_t i = 0; i < r->rows; i++)
    if (r->step[i] < 0 || (i && r->step[i] < r->step[i - 1]))
      return bt_fail(ctx, BT_ERR_ARG, "the schedule's steps must not descend (row %zu)", i + 1);
  return BT_OK;
}

BtStatus nn_training_create(BtContext *ctx, const NnTask *task, const NnTrainOptions *options,
                            const NnData *data, NnBackend *backend, NnTraining **training) {
  BtStatus st = BT_OK;
  *training = NULL;
  NnTraining *t = calloc(1, sizeof *t);
  if (!t) return bt_fail_memory(ctx, "training", sizeof *t);
  t->claim = -1;
  t->task = task;
  t->o = *options;
  t->data = data;
  t->traits = nn_tuner_traits(options->tuner);
  t->figures.multiplier = 1;
  t->read_every = options->read_every > 0 ? options->read_every : strcmp(backend->name, "cpu") == 0 ? 1 : 16;
  double *const unknown[] = {t->figures.valid, t->figures.test, t->figures.best_valid, t->figures.best_test};
  for (int i = 0; i < 4; i++) unknown[i][0] = unknown[i][1] = (double)NAN;
  BT_TRY(check_options(ctx, t));
  BT_TRY(create_loaders(ctx, t));
  BT_TRY(nn_training_plan(ctx, t));
  BT_TRY(create_model(ctx, t, backend));
  BT_TRY(create_buffers(ctx, t, backend));
  t->rate = nn_step_rule_schedule(&task->weights.rule, t->batches, t->epochs);
  t->response_rate = nn_step_rule_schedule(&task->response.rule, t->batches, t->epochs);
  t->tuning_rate = nn_step_rule_schedule(&task->tuning.rule, t->batches, t->epochs);
  *training = t;
  return BT_OK;
done:
  nn_training_destroy(t);
  return st;
}

static void destroy_states(NnTraining *t) {
  NnReal *const states[] = {t->train_state, t->tune_state, t->score_state};
  for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
    if (!states[i]) continue;
    NnBackend *b = nn_graph_backend(t->model->graph);
    b->release(b, states[i]);
  }
}

void nn_training_destroy(NnTraining *t) {
  if (!t) return;
  nn_loader_destroy(t->train);
  nn_loader_destroy(t->tune);
  for (int s = 0; s < NN_SPLITS; s++) nn_loader_destroy(t->score[s]);
  destroy_states(t);
  nn_tuner_destroy(t->tuner);
  nn_model_destroy(t->model);
  for (int q = 0; q < NN_BEST_GROUPS; q++) free(t->best[q]);
  free(t->saved_state);
  free(t->hyper);
  free(t->scales);
  free(t->best_hyper);
  free(t->history);
  free(t->scratch);
  if (t->claim >= 0) (void)close(t->claim);
  free(t);
}

/* Sets a batch and the states before it: zero where a stream begins. */
static BtStatus feed(BtContext *ctx, NnTraining *t, const NnBatch *batch, const NnReal *state) {
  NnModel *m = t->model;
  BtStatus st = BT_OK;
  BT_TRY(nn_graph_set(ctx, m->graph, m->x, batch->x, batch->rows * nn_shape_size(m->problem.x)));
  BT_TRY(nn_graph_set(ctx, m->graph, m->label, batch->label, batch->rows * nn_shape_size(m->problem.label)));
  nn_model_set_state(m, batch->rows, batch->carried ? state : NULL);
done:
  return st;
}

static BtStatus replay(BtContext *ctx, NnTraining *t) {
  const NnReplay *r = t->o.replay;
  const size_t n = t->task->hyper.count, before = t->replayed;
  if (!r || n == 0) return BT_OK;
  while (t->replayed < r->rows && r->step[t->replayed] <= t->count.step) t->replayed++;
  if (t->replayed == before) return BT_OK;
  return nn_hyper_set(ctx, t->model->graph, &t->task->hyper, &t->model->nodes,
                      r->values + (t->replayed - 1) * n);
}

/* Mean over the steps of this epoch whose losses have been read, or over the last epoch. */
static double train_loss(const NnTraining *t) {
  const int64_t steps = t->count.index - t->unread;
  return steps > 0 ? t->figures.loss_sum / (double)steps : t->figures.train_loss;
}

/* Reads the losses of steps since the last time. After BT_ERR_NUMERIC the count of steps is that of those
 * before the one that diverged. */
static BtStatus settle(BtContext *ctx, NnTraining *t) {
  NnTunerLosses losses;
  const BtStatus st = nn_tuner_losses(ctx, t->tuner, &losses);
  for (size_t i = 0; i < losses.steps; i++) t->figures.loss_sum += losses.training[i];
  if (!isnan(losses.validation)) t->tuning_loss = losses.validation;
  if (st == BT_ERR_NUMERIC) t->count.step -= t->unread - (int64_t)losses.steps;
  t->unread = 0;
  return st;
}

static BtStatus emit(BtContext *ctx, NnTraining *t, BtTrainingMoment moment, double tuning_loss, int best,
                     double now) {
  const NnFigures *f = &t->figures;
  const int scored = moment == BT_TRAINED_EPOCH;
  const double unknown = (double)NAN;
  BtTrainingEvent e = {.moment = moment,
                       .epoch = t->count.epoch,
                       .epochs = t->epochs,
                       .step = t->count.step,
                       .steps = t->epochs * t->batches,
                       .rate = f->multiplier * nn_schedule_rate(&t->rate, t->count.step),
                       .train_loss = train_loss(t),
                       .tuning_loss = tuning_loss,
                       .valid_loss = scored ? f->valid[0] : unknown,
                       .valid_accuracy = scored ? f->valid[1] : unknown,
                       .test_loss = scored ? f->test[0] : unknown,
                       .test_accuracy = scored ? f->test[1] : unknown,
                       .best = best,
                       .work = nn_training_work(t, t->count.step, t->count.tuned),
                       .seconds = f->seconds + now};
  if (moment != BT_TRAINED_STEP) {
    const BtStatus st = nn_training_hyper(ctx, t, t->hyper, t->scales);
    if (st < 0) return st;
    e.hyper = t->hyper;
    e.hyper_count = (int64_t)t->task->hyper.count;
    if (t->traits.responds) e.scales = t->scales;
  }
  return bt_emit(ctx, &(BtEvent){.type = BT_EVENT_TRAINING, .as.training = e});
}

static BtStatus training_step(BtContext *ctx, NnTraining *t) {
  NnBatch batch;
  BtStatus st = BT_OK;
  BT_TRY(replay(ctx, t));
  BT_TRY(nn_loader_get(ctx, t->train, (uint64_t)t->count.epoch, (size_t)t->count.index, &batch));
  BT_TRY(feed(ctx, t, &batch, t->train_state));
  BT_TRY(nn_tuner_train(
      ctx, t->tuner, batch.rows, t->figures.multiplier * nn_schedule_rate(&t->rate, t->count.step),
      t->figures.multiplier * nn_schedule_rate(&t->response_rate, t->count.step), t->train_state));
  t->count.index++;
  t->count.step++;
  if (++t->unread == t->read_every) BT_TRY(settle(ctx, t));
  BT_TRY(replay(ctx, t));
done:
  return st;
}

/* Validation batches come in epochs of their own. */
static BtStatus validation_step(BtContext *ctx, NnTraining *t) {
  const int64_t batches = (int64_t)nn_loader_batches(t->tune);
  NnBatch batch;
  BtStatus st = BT_OK;
  if (nn_tuner_full(t->tuner)) BT_TRY(settle(ctx, t));
  BT_TRY(nn_loader_get(ctx, t->tune, (uint64_t)(t->count.tuned / batches), (size_t)(t->count.tuned % batches),
                       &batch));
  BT_TRY(feed(ctx, t, &batch, t->tune_state));
  BT_TRY(nn_tuner_validate(ctx, t->tuner, batch.rows, nn_schedule_rate(&t->tuning_rate, t->count.step),
                           t->tune_state));
  t->count.tuned++;
done:
  return st;
}

/* A training step and the validation steps that are due behind it; `start`: clock of this call of run. */
static BtStatus step(BtContext *ctx, NnTraining *t, double start) {
  BtStatus st = BT_OK;
  const double begin = bt_clock();
  BT_TRY(training_step(ctx, t));
  const int tunes = nn_training_tunes(t, t->count.step);
  for (int64_t k = 0; k < t->task->valid_steps && tunes; k++) BT_TRY(validation_step(ctx, t));
  if (tunes) BT_TRY(settle(ctx, t));
  const double now = bt_clock();
  t->figures.step_seconds += now - begin;
  st = emit(ctx, t, BT_TRAINED_STEP, (double)NAN, 0, now - start);
  if (st == BT_OK && tunes) st = emit(ctx, t, BT_TRAINED_TUNED, t->tuning_loss, 0, now - start);
done:
  return st;
}

/* A stop during the evaluation leaves the epoch to be ended by a resumed run. */
static BtStatus end_epoch(BtContext *ctx, NnTraining *t, double start) {
  int best = 0;
  BtStatus st = settle(ctx, t);
  if (st == BT_OK) st = nn_training_score(ctx, t);
  if (st != BT_OK) return st;
  t->figures.train_loss = t->figures.loss_sum / (double)t->batches;
  t->figures.loss_sum = 0;
  t->count.index = 0;
  t->count.epoch++;
  BT_TRY(nn_training_judge(ctx, t, &best));
  st = emit(ctx, t, BT_TRAINED_EPOCH, (double)NAN, best, bt_clock() - start);
done:
  return st;
}

/* Writes the checkpoint with the time so far. */
static BtStatus save(BtContext *ctx, NnTraining *t, double *start) {
  const double now = bt_clock();
  t->figures.seconds += now - *start;
  *start = now;
  if (!t->o.checkpoint) return BT_OK;
  const BtStatus st = nn_training_save(ctx, t, t->o.checkpoint);
  if (st >= 0) t->saved = 1;
  return st;
}

static BtStatus fail_diverged(BtContext *ctx, const NnTraining *t) {
  char cause[512];
  memcpy(cause, ctx->error, sizeof cause - 1);
  cause[sizeof cause - 1] = '\0';
  const int kept = t->saved && !t->o.temporary;
  return bt_fail(ctx, BT_ERR_NUMERIC, "diverged in step %lld (epoch %lld): %s; %s%s",
                 (long long)t->count.step + 1, (long long)t->count.epoch + 1, cause,
                 kept ? "the last good state is in " : "try a smaller step size",
                 kept             ? t->o.checkpoint
                 : t->o.temporary ? ""
                                  : "; no checkpoint has been written");
}

BtStatus nn_training_run(BtContext *ctx, NnTraining *t, int64_t until) {
  const int64_t end = until > 0 && until < t->epochs ? until : t->epochs;
  double start = bt_clock();
  const double deadline = t->o.max_seconds > 0 ? start + t->o.max_seconds : (double)INFINITY;
  BtStatus st = BT_OK;
  t->time_up = 0;
  while (st == BT_OK && t->count.epoch < end) {
    if (t->count.index == t->batches) {
      st = end_epoch(ctx, t, start);
      if (st == BT_OK) st = save(ctx, t, &start);
    } else if (bt_stop_requested(ctx)) {
      st = BT_STOPPED;
    } else if (bt_clock() >= deadline) {
      t->time_up = 1;
      st = BT_MAX_ITERS;
    } else {
      st = step(ctx, t, start);
    }
  }
  if (st == BT_ERR_NUMERIC) return fail_diverged(ctx, t);
  if (st < 0) return st;
  const BtStatus settled = settle(ctx, t);
  if (settled == BT_ERR_NUMERIC) return fail_diverged(ctx, t);
  const BtStatus saved = settled < 0 || st == BT_OK ? settled : save(ctx, t, &start);
  return saved < 0 ? saved : st;
}

NnModel *nn_training_model(NnTraining *t) { return t->model; }

BtStatus nn_training_hyper(BtContext *ctx, const NnTraining *t, double *values, double *scales) {
  return nn_hyper_values(ctx, t->model->graph, &t->task->hyper, &t->model->nodes, values, scales);
}

int nn_training_best_hyper(const NnTraining *t, double *values) {
  memcpy(values, t->best_hyper, t->task->hyper.count * sizeof *values);
  return t->count.best_epoch > 0;
}

NnTrainResult nn_training_result(const NnTraining *t) {
  const NnFigures *f = &t->figures;
  const int64_t taken = nn_training_taken(t);
  return (NnTrainResult){
      .epoch = t->count.epoch,
      .step = taken,
      .tuned = t->count.tuned,
      .work = nn_training_work(t, taken, t->count.tuned),
      .valid = {f->valid[0], f->valid[1]},
      .test = {f->test[0], f->test[1]},
      .best_epoch = t->count.best_epoch,
      .best_valid = {f->best_valid[0], f->best_valid[1]},
      .best_test = {f->best_test[0], f->best_test[1]},
      .train_loss = train_loss(t),
      .rate = f->multiplier * nn_schedule_rate(&t->rate, t->count.step),
      .seconds = f->seconds,
      .examples_per_second =
          f->step_seconds > 0
              ? (double)taken * (double)t->task->batch *
                    (t->model->problem.tokens ? (double)nn_shape_size(t->model->problem.label) : 1) /
                    f->step_seconds
              : 0,
      .time_up = t->time_up,
      .saved = t->saved,
      .replayed = nn_tuner_replays(t->tuner)};
}

#include "nn/hdet_training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"
#include "nn/train_internal.h"

static const char description_key[] = "ensemble";

struct NnHdetTraining {
  NnHdetTrainingOptions o;
  NnTraining *t;
  BtTeam *team;
  NnHdet *hdet;
  NnLoader *train, *vote;
  NnTrainExtra extra;
  int column[NN_HDET_MAX_HYPERS]; /* of the task's hyperparameters, −1: of the optimizer */
  double step_seconds;            /* of this run */
  int64_t taken;                  /* steps of this rank's replicas */
  int resumed;                    /* from a checkpoint */
  int stopped;                    /* an observer of this rank wants the run to stop */
  int applied;                    /* replica whose values are in the graph, −1: none     */
  NnReal *lambda;                 /* [hyperparameters of the task]                       */
  double *value;                  /* [hypers × replicas] of a sync, in their ranges      */
  /* On the backend: recurrent states, [owned × states] before the replicas' next batches, [states] of votes.
   */
  NnReal *state, *vote_state;
};

static const NnHyper *hyper_of(const NnHdetTraining *e, int i) {
  return e->column[i] < 0 ? NULL : &e->t->task->hyper.item[e->column[i]];
}

static double in_range(const NnHyper *h, double lambda) {
  NnRange range;
  if (!h) return lambda;
  range = h->range;
  range.discrete = 0;
  return nn_range_value(range, lambda);
}

/* An entry of the ensemble's hyperparameters for a choice by name. */
static BtStatus choose(BtContext *ctx, const NnTask *task, const NnHdetChoice *c, NnHdetOptions *o,
                       int *columns) {
  const NnOptimizerOptions *weights = &task->weights.options;
  const int adam = weights->kind == NN_ADAM || weights->kind == NN_ADAMW;
  BtStatus st = BT_OK;
  if (o->hypers == NN_HDET_MAX_HYPERS)
    return bt_fail(ctx, BT_ERR_ARG, "at most %d hyperparameters can be spread", NN_HDET_MAX_HYPERS);
  NnHdetHyper *h = &o->hyper[o->hypers];
  *h = (NnHdetHyper){
      .role = NN_HDET_OTHER, .space = {NN_SPREAD_FREE, 0, 0}, .spread = c->spread, .steered = c->steered};
  snprintf(h->name, sizeof h->name, "%s", c->name);
  columns[o->hypers] = -1;
  if (strcmp(c->name, "lr") == 0) {
    h->role = NN_HDET_RATE;
    h->space.spread = c->space;
  } else if (strcmp(c->name, "weight-decay") == 0) {
    h->role = NN_HDET_DECAY;
    h->space.spread = NN_SPREAD_LOG;
    h->initial = weights->decay;
    if (!(weights->decay > 0))
      return bt_fail(ctx, BT_ERR_ARG, "%s: weight-decay cannot be spread around 0; the task must set one",
                     task->file);
  } else if (strcmp(c->name, "momentum") == 0) {
    h->role = NN_HDET_MOMENTUM;
    h->space = (NnSpreadSpace){NN_SPREAD_LOGIT, 0, 1};
    h->initial = adam ? weights->beta1 : weights->momentum;
    if (!(h->initial > 0))
      return bt_fail(ctx, BT_ERR_ARG, "%s: momentum cannot be spread around 0; the task must set one",
                     task->file);
  } else {
    const NnHyperSet *set = &task->hyper;
    const long column = nn_hyper_find(set, c->name);
    if (column < 0)
      return bt_fail(
          ctx, BT_ERR_ARG,
          "%s: there is no \"%s\" to spread; it is lr, weight-decay, momentum or one of the task's "
          "hyperparameters",
          task->file, c->name);
    columns[o->hypers] = (int)column;
    st = nn_hyper_unconstrained(ctx, &set->item[column], set->item[column].initial, &h->initial);
  }
  for (int i = 0; i < o->hypers; i++)
    if (strcmp(o->hyper[i].name, h->name) == 0)
      return bt_fail(ctx, BT_ERR_ARG, "%s is to be spread twice", c->name);
  o->hypers++;
  return st;
}

/* All of them in o->hyper; columns [NN_HDET_MAX_HYPERS] of the task's hyperparameters, −1: the optimizer's. */
static BtStatus choose_all(BtContext *ctx, const NnTask *task, const NnHdetTrainingOptions *options,
                           NnHdetOptions *o, int *columns) {
  const NnHdetChoice still = {.name = "lr"};
  BtStatus st = BT_OK;
  int rate = 0;
  o->hypers = 0;
  for (int i = 0; i < options->choices; i++) {
    BT_TRY(choose(ctx, task, &options->choice[i], o, columns));
    rate |= strcmp(options->choice[i].name, "lr") == 0;
  }
  if (!rate) BT_TRY(choose(ctx, task, &still, o, columns));
done:
  return st;
}

/* Puts the values that a replica, or (replica −1) the base has into the graph. */
static BtStatus apply(BtContext *ctx, NnHdetTraining *e, int replica) {
  NnTraining *t = e->t;
  const size_t n = t->task->hyper.count;
  int any = 0;
  if (n == 0) return BT_OK;
  BtStatus st = nn_graph_get(ctx, t->model->graph, t->model->nodes.lambda, e->lambda, n);
  for (int i = 0; i < e->o.ensemble.hypers; i++) {
    if (e->column[i] < 0) continue;
    e->lambda[e->column[i]] = (NnReal)(replica < 0 ? nn_hdet_base(e->hdet, i) : nn_hdet_value(e->hdet, i));
    any = 1;
  }
  return st < 0 || !any ? st : nn_graph_set(ctx, t->model->graph, t->model->nodes.lambda, e->lambda, n);
}

/* A batch through the network; recurrent networks from `state` if it is carried on, else from zero; the state
 * becomes what follows. */
static BtStatus forward(BtContext *ctx, NnHdetTraining *e, const NnBatch *batch, const NnRun *run,
                        int carried, NnReal *state, NnReal *loss) {
  NnModel *m = e->t->model;
  const size_t rows = batch->rows;
  BtStatus st = BT_OK;
  BT_TRY(nn_graph_set(ctx, m->graph, m->x, batch->x, rows * nn_shape_size(m->problem.x)));
  BT_TRY(nn_graph_set(ctx, m->graph, m->label, batch->label, rows * nn_shape_size(m->problem.label)));
  nn_model_set_state(m, rows, carried ? state : NULL);
  BT_TRY(nn_graph_forward(ctx, m->graph, run));
  nn_model_get_state(m, rows, state);
  BT_TRY(nn_graph_get(ctx, m->graph, m->loss, loss, 1));
done:
  return st;
}

/* Batch number `index` of an epoch, for the next step of the replica in the graph. Of a text it is the next
 * window of the replica's own stretch, whose recurrent states go on within a block and start from zero in
 * each, so that at a sync the replicas differ by nothing. */
static void next_batch(const NnHdetTraining *e, uint64_t *epoch, size_t *index, int *carried) {
  const uint64_t draw = nn_hdet_draw(e->hdet), batches = (uint64_t)e->t->batches;
  const int64_t at = nn_hdet_at(e->hdet), stretch = e->t->batches / e->o.ensemble.replicas;
  *epoch = draw / batches;
  *index = (size_t)(draw % batches);
  *carried = 0;
  if (e->t->states == 0) return;
  *epoch = (uint64_t)(at / stretch);
  *index = (size_t)(nn_hdet_replica(e->hdet) * stretch + at % stretch);
  *carried = at % stretch > 0 && at % e->o.ensemble.sync > 0;
}

/* Mean loss of validation batches, the same for all replicas and others in the next sync. */
static BtStatus judge(void *user, BtContext *ctx, NnHdet *hdet, double *loss) {
  NnHdetTraining *e = user;
  const int64_t batches = (int64_t)nn_loader_batches(e->vote),
                first = nn_hdet_syncs(hdet) * e->o.vote_batches;
  BtStatus st = BT_OK;
  double sum = 0;
  for (int64_t i = first; i < first + e->o.vote_batches; i++) {
    NnBatch batch;
    NnReal value;
    BT_TRY(nn_loader_get(ctx, e->vote, (uint64_t)(i / batches), (size_t)(i % batches), &batch));
    const NnRun run = {.batch = batch.rows, .response = NN_RESPONSE_OFF};
    BT_TRY(forward(ctx, e, &batch, &run, i > first && batch.carried, e->vote_state, &value));
    sum += (double)value;
  }
  *loss = sum / e->o.vote_batches;
done:
  return st;
}

/* The training loss, and for others a sync with the task's hyperparameters in their ranges. */
static void observe(void *user, const NnHdetSync *sync) {
  NnHdetTraining *e = user;
  double before[NN_HDET_MAX_HYPERS], after[NN_HDET_MAX_HYPERS];
  NnHdetSync s = *sync;
  double sum = 0;
  for (int r = 0; r < s.replicas; r++) sum += s.kept[r] ? s.trained[r] : 0;
  if (s.valid > 0) e->t->figures.train_loss = sum / s.valid;
  if (!e->o.observe) return;
  for (int i = 0; i < s.hypers; i++) {
    const NnHyper *h = hyper_of(e, i);
    before[i] = in_range(h, sync->before[i]);
    after[i] = in_range(h, sync->after[i]);
    for (int r = 0; r < s.replicas; r++)
      e->value[i * s.replicas + r] = in_range(h, sync->value[i * s.replicas + r]);
  }
  s.before = before, s.after = after, s.value = e->value;
  e->o.observe(e->o.user, &s);
}

/* Batches of all replicas so far, as the training counts them. At the end it stands behind those too that are
 * left out because they make no step of all. */
static void count(NnHdetTraining *e) {
  NnTraining *t = e->t;
  const int64_t taken = nn_hdet_at(e->hdet) * e->o.ensemble.replicas;
  t->count.step = nn_hdet_done(e->hdet) ? t->epochs * t->batches : taken;
  t->left_out = t->count.step - taken;
  t->count.epoch = t->count.step / t->batches;
  t->count.index = t->count.step % t->batches;
}

static BtStatus extra_declare(BtContext *ctx, void *user, BtTensorWriter *writer) {
  return nn_hdet_declare(ctx, ((NnHdetTraining *)user)->hdet, writer, "ensemble.");
}

static BtStatus extra_append(BtContext *ctx, void *user, BtTensorWriter *writer) {
  return nn_hdet_append(ctx, ((NnHdetTraining *)user)->hdet, writer);
}

static BtStatus extra_load(BtContext *ctx, void *user, BtTensorReader *reader) {
  NnHdetTraining *e = user;
  e->resumed = 1;
  const BtStatus st = nn_hdet_load(ctx, e->hdet, reader, "ensemble.");
  if (st >= 0) count(e);
  return st;
}

static BtStatus create_loaders(BtContext *ctx, NnHdetTraining *e) {
  const NnTraining *t = e->t;
  NnLoaderOptions o = {
      .split = NN_TRAIN, .batch = (size_t)t->task->batch, .seed = t->o.seed, .shuffle = 1, .threads = 0};
  const BtStatus st = nn_loader_create(ctx, t->data, &o, &e->train);
  if (st < 0 || e->o.vote_batches == 0) return st;
  if (nn_data_info(t->data)->rows[NN_VALID] > 0) o.split = NN_VALID;
  return nn_loader_create(ctx, t->data, &o, &e->vote);
}

static BtStatus create_states(BtContext *ctx, NnHdetTraining *e) {
  NnBackend *b = nn_graph_backend(e->t->model->graph);
  const size_t bytes = e->t->states * sizeof *e->state,
               owned = bt_team_owned(e->team, (size_t)e->o.ensemble.replicas);
  BtStatus st = BT_OK;
  if (bytes == 0) return BT_OK;
  BT_TRY(b->allocate(ctx, b, owned * bytes, (void **)&e->state));
  BT_TRY(b->allocate(ctx, b, bytes, (void **)&e->vote_state));
done:
  return st;
}

static BtStatus create(BtContext *ctx, NnHdetTraining *e) {
  NnTraining *t = e->t;
  NnHdetOptions *o = &e->o.ensemble;
  BtStatus st = BT_OK;
  if (t->o.tuner != NN_TUNER_NONE)
    return bt_fail(
        ctx, BT_ERR_ARG,
        "an ensemble (--hdet) and a tuner cannot steer one training: use --tuner none and name what the "
        "tuner would tune in --hdet, or leave --hdet out; `bitune compare` runs both side by side");
  BT_TRY(choose_all(ctx, t->task, &e->o, o, e->column));
  BT_TRY(create_loaders(ctx, e));
  o->total = nn_hdet_plan(t, o->replicas).steps;
  if (o->total < 1)
    return bt_fail(ctx, BT_ERR_ARG,
                   "%s: %d replicas cannot share the %lld batches of %lld epochs; take fewer", t->task->file,
                   o->replicas, (long long)t->batches, (long long)t->epochs);
  if (t->states > 0 && t->batches < o->replicas)
    return bt_fail(ctx, BT_ERR_ARG, "%s: a text of %lld windows cannot be cut into %d replicas' stretches",
                   t->task->file, (long long)t->batches, o->replicas);
  if (o->schedule.total == 0 && o->replicas > 0) {
    o->schedule = nn_step_rule_schedule(&t->task->weights.rule, t->batches / o->replicas, t->epochs);
    o->schedule.total = o->total;
  }
  o->judge = e->o.vote_batches > 0 ? judge : NULL;
  o->observe = observe;
  o->user = e;
  e->lambda = calloc(t->task->hyper.count + 1, sizeof *e->lambda);
  e->value = calloc((size_t)(o->replicas > 0 ? o->replicas : 1) * (size_t)o->hypers, sizeof *e->value);
  if (!e->lambda || !e->value) return bt_fail_memory(ctx, "ensemble", 0);
  BT_TRY(create_states(ctx, e));
  BT_TRY(nn_hdet_create(ctx, o, e->team, t->model->graph, nn_tuner_weights(t->tuner), &e->hdet));
  e->extra = (NnTrainExtra){description_key, e->o.description, extra_declare, extra_append, extra_load, e};
  t->extra = &e->extra;
done:
  return st;
}

BtStatus nn_hdet_choices_check(BtContext *ctx, const NnHdetTrainingOptions *options, const NnTask *task) {
  NnHdetOptions o = options->ensemble;
  int columns[NN_HDET_MAX_HYPERS];
  return choose_all(ctx, task, options, &o, columns);
}

BtStatus nn_hdet_training_create(BtContext *ctx, const NnHdetTrainingOptions *options, NnTraining *training,
                                 BtTeam *team, NnHdetTraining **ensemble) {
  *ensemble = NULL;
  NnHdetTraining *e = calloc(1, sizeof *e);
  if (!e) return bt_fail_memory(ctx, "ensemble", sizeof *e);
  e->o = *options;
  e->t = training;
  e->team = team;
  e->applied = -1;
  const BtStatus st = create(ctx, e);
  if (st < 0)
    nn_hdet_training_destroy(e);
  else
    *ensemble = e;
  return st;
}

void nn_hdet_training_destroy(NnHdetTraining *e) {
  if (!e) return;
  if (e->t->extra == &e->extra) e->t->extra = NULL;
  nn_hdet_destroy(e->hdet);
  nn_loader_destroy(e->train);
  nn_loader_destroy(e->vote);
  NnBackend *b = nn_graph_backend(e->t->model->graph);
  if (e->state) b->release(b, e->state);
  if (e->vote_state) b->release(b, e->vote_state);
  free(e->lambda);
  free(e->value);
  free(e);
}

NnHdetPlan nn_hdet_plan(const NnTraining *t, int replicas) {
  const int64_t steps = replicas > 0 ? t->epochs * t->batches / replicas : 0;
  return (NnHdetPlan){steps, t->task->weights.rule.schedule.rate, t->o.seed};
}

int nn_hdet_training_hypers(const NnHdetTraining *e) { return e->o.ensemble.hypers; }
double nn_hdet_training_base(const NnHdetTraining *e, int i) {
  return in_range(hyper_of(e, i), nn_hdet_base(e->hdet, i));
}
double nn_hdet_training_seconds(const NnHdetTraining *e) { return e->step_seconds; }
NnHdet *nn_hdet_training_hdet(NnHdetTraining *e) { return e->hdet; }
const char *nn_hdet_training_name(const NnHdetTraining *e, int hyper) {
  return e->o.ensemble.hyper[hyper].name;
}

/* Batches of all replicas in the middle of a block, by what this rank has done. */
static int64_t progress(const NnHdetTraining *e) {
  const int64_t replicas = e->o.ensemble.replicas;
  return e->taken * replicas / (int64_t)bt_team_owned(e->team, (size_t)replicas);
}

static BtStatus tell(BtContext *ctx, NnHdetTraining *e, BtTrainingMoment moment, int best, double start) {
  NnTraining *t = e->t;
  const NnFigures *f = &t->figures;
  const int scored = moment == BT_TRAINED_EPOCH;
  const double unknown = (double)NAN;
  int rate = 0;
  if (e->team->rank != 0) return BT_OK;
  while (e->o.ensemble.hyper[rate].role != NN_HDET_RATE) rate++;
  BtTrainingEvent event = {.moment = moment,
                           .epoch = t->count.epoch,
                           .epochs = t->epochs,
                           .step = scored ? nn_training_taken(t) : progress(e),
                           .steps = e->o.ensemble.total * e->o.ensemble.replicas,
                           .rate = nn_hdet_base(e->hdet, rate),
                           .train_loss = f->train_loss,
                           .tuning_loss = unknown,
                           .valid_loss = scored ? f->valid[0] : unknown,
                           .valid_accuracy = scored ? f->valid[1] : unknown,
                           .test_loss = scored ? f->test[0] : unknown,
                           .test_accuracy = scored ? f->test[1] : unknown,
                           .best = best,
                           .work = nn_training_work(t, nn_training_taken(t), 0),
                           .seconds = f->seconds + bt_clock() - start};
  if (scored) {
    const BtStatus st = nn_training_hyper(ctx, t, t->hyper, NULL);
    if (st < 0) return st;
    event.hyper = t->hyper;
    event.hyper_count = (int64_t)t->task->hyper.count;
  }
  const BtStatus st = bt_emit(ctx, &(BtEvent){.type = BT_EVENT_TRAINING, .as.training = event});
  if (st == BT_STOPPED) {
    e->stopped = 1;
    nn_hdet_stop(e->hdet);
  }
  return st < 0 ? st : BT_OK;
}

static BtStatus step(BtContext *ctx, NnHdetTraining *e) {
  NnTraining *t = e->t;
  NnModel *m = t->model;
  NnHdet *h = e->hdet;
  const double begin = bt_clock();
  NnRun run = {.seed = t->o.seed, .step = nn_hdet_draw(h), .training = 1};
  NnReal *state = t->states > 0 ? e->state + (size_t)(nn_hdet_replica(h) / e->team->size) * t->states : NULL;
  NnBatch batch;
  NnReal loss;
  uint64_t epoch;
  size_t index;
  int carried;
  BtStatus st = BT_OK;
  if (e->applied != nn_hdet_replica(h)) BT_TRY(apply(ctx, e, e->applied = nn_hdet_replica(h)));
  next_batch(e, &epoch, &index, &carried);
  BT_TRY(nn_loader_get(ctx, e->train, epoch, index, &batch));
  run.batch = batch.rows;
  BT_TRY(forward(ctx, e, &batch, &run, carried, state, &loss));
  BT_TRY(nn_graph_gradient(ctx, m->graph, m->objective, NN_GENERAL));
  st = nn_hdet_step(ctx, h, (double)loss);
  e->taken++;
  const double took = bt_clock() - begin;
  t->figures.step_seconds += took;
  e->step_seconds += took;
done:
  return st;
}

static BtStatus save(BtContext *ctx, NnHdetTraining *e, double *start) {
  NnTraining *t = e->t;
  const double now = bt_clock();
  t->figures.seconds += now - *start;
  *start = now;
  if (!e->o.checkpoint || e->team->rank != 0 || !nn_hdet_converged(e->hdet)) return BT_OK;
  const BtStatus st = nn_training_save(ctx, t, e->o.checkpoint);
  if (st >= 0) t->saved = 1;
  return st;
}

/* At a sync: whole epochs since the last are scored as one. */
static BtStatus synced(BtContext *ctx, NnHdetTraining *e, double *start) {
  NnTraining *t = e->t;
  const int64_t epoch = t->count.epoch;
  int best = 0;
  BtStatus st = BT_OK;
  count(e);
  e->applied = -1;
  e->taken = nn_hdet_at(e->hdet) * (int64_t)bt_team_owned(e->team, (size_t)e->o.ensemble.replicas);
  if (t->count.epoch == epoch || e->team->rank != 0) return BT_OK;
  /* A stop waits for the next step, where it is that of all ranks. */
  const BtStop stop = ctx->stop;
  ctx->stop = (BtStop){0};
  BT_TRY(apply(ctx, e, -1));
  BT_TRY(nn_training_score(ctx, t));
  BT_TRY(nn_training_judge(ctx, t, &best));
  BT_TRY(tell(ctx, e, BT_TRAINED_EPOCH, best, *start));
  BT_TRY(save(ctx, e, start));
done:
  ctx->stop = stop;
  return st;
}

/* What ends the run for good, and what is left of it. */
static BtStatus fail(BtContext *ctx, const NnHdetTraining *e, BtStatus st) {
  char cause[512];
  snprintf(cause, sizeof cause, "%.500s", ctx->error);
  if (!e->t->saved)
    return bt_fail(ctx, st, "%s; no checkpoint has been written%s", cause,
                   e->resumed ? " since the one that this run went on from" : "");
  return bt_fail(ctx, st, "%s; the last checkpoint is %s", cause, e->o.checkpoint);
}

/* Where this rank alone cannot go on, the others learn it in the collective that they wait for, as a stop,
 * and then the cause. Returns what all end with. */
static BtStatus leave(BtContext *ctx, NnHdetTraining *e, BtStatus failed) {
  char cause[512];
  snprintf(cause, sizeof cause, "%.500s", ctx->error);
  const BtStatus others = nn_hdet_leave(ctx, e->hdet);
  (void)bt_fail(ctx, failed, "%s", cause);
  return others == BT_STOPPED ? bt_team_agree(e->team, ctx, failed) : failed;
}

/* Ranks' clocks differ: a stop that nobody has asked for is that of the time, whichever rank's was up first. */
static BtStatus why_stopped(BtContext *ctx, const NnHdetTraining *e) {
  return bt_team_agree(e->team, ctx, e->stopped ? BT_STOPPED : BT_MAX_ITERS);
}

/* Steps and what belongs to them, to the end; BT_MAX_ITERS where the time is up. */
static BtStatus run(BtContext *ctx, NnHdetTraining *e, double deadline, double *start) {
  BtStatus st = BT_OK;
  while (st == BT_OK && !nn_hdet_done(e->hdet)) {
    const int64_t syncs = nn_hdet_syncs(e->hdet);
    if (bt_clock() >= deadline) nn_hdet_stop(e->hdet);
    st = step(ctx, e);
    if (st == BT_OK) st = tell(ctx, e, BT_TRAINED_STEP, 0, *start);
    if (st == BT_OK && nn_hdet_syncs(e->hdet) > syncs) st = synced(ctx, e, start);
  }
  if (st == BT_STOPPED) return why_stopped(ctx, e);
  return st < 0 ? leave(ctx, e, st) : st;
}

BtStatus nn_hdet_training_run(BtContext *ctx, NnHdetTraining *e) {
  NnTraining *t = e->t;
  double start = bt_clock();
  const double deadline = t->o.max_seconds > 0 ? start + t->o.max_seconds : (double)INFINITY;
  e->stopped = 0;
  count(e);
  e->taken = nn_hdet_at(e->hdet) * (int64_t)bt_team_owned(e->team, (size_t)e->o.ensemble.replicas);
  BtStatus st = run(ctx, e, deadline, &start);
  if (st == BT_ERR_TEAM || st == BT_ERR_NUMERIC) return fail(ctx, e, st);
  if (st < 0) return st;
  t->time_up = st == BT_MAX_ITERS;
  count(e);
  const BtStatus saved = st == BT_OK ? BT_OK : save(ctx, e, &start);
  return saved < 0 ? saved : st;
}

BtStatus nn_hdet_description(BtContext *ctx, const char *path, char **text) {
  BtTensorReader *reader;
  *text = NULL;
  const BtStatus st = bt_tensors_open(ctx, path, &reader);
  if (st < 0) return st;
  const char *found = bt_tensors_metadata(reader, description_key);
  *text = bt_copy_text(found ? found : "");
  bt_tensors_close(reader);
  return *text ? BT_OK : bt_fail_memory(ctx, "a checkpoint's description", 0);
}

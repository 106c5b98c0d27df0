/* Trainings on generated data: what the tuners promise, and that a resumed run equals an unbroken one. */
#include "nn/hdet_training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "nn_check.h"

typedef struct {
  BtContext ctx;
  NnTask *task;
  NnData *data;
  NnBackend *backend;
} Set;

/* count: examples or words, 0: the task's. */
static int open_set(Set *s, const char *task, int64_t count) {
  *s = (Set){0};
  bt_context_init(&s->ctx);
  s->backend = nn_test_backend(1);
  return s->backend && BT_CHECK_STATUS(nn_task_load(&s->ctx, task, &s->task), BT_OK, &s->ctx) &&
         (s->task->data.count = count ? count : s->task->data.count) > 0 &&
         BT_CHECK_STATUS(nn_data_open(&s->ctx, &s->task->data, &s->data), BT_OK, &s->ctx);
}

static void close_set(Set *s) {
  nn_data_close(s->data);
  nn_backend_close(s->backend);
  nn_task_free(s->task);
}

static NnTraining *training(Set *s, const NnTrainOptions *o) {
  NnTraining *t = NULL;
  BT_CHECK_STATUS(nn_training_create(&s->ctx, s->task, o, s->data, s->backend, &t), BT_OK, &s->ctx);
  return t;
}

/* All weights, hyperparameters and buffers as they lie in memory. */
static NnReal *values(Set *s, NnTraining *t, size_t *count) {
  const NnGraph *g = nn_training_model(t)->graph;
  size_t total = 0, n;
  for (int q = 0; q < NN_GROUPS; q++) {
    (void)nn_graph_group_values(g, (NnGroup)(1 << q), &n);
    total += n;
  }
  NnReal *x = calloc(total + 1, sizeof *x);
  *count = 0;
  for (int q = 0; q < NN_GROUPS && x; q++) {
    const NnReal *from = nn_graph_group_values(g, (NnGroup)(1 << q), &n);
    if (n == 0) continue;
    BT_CHECK_STATUS(s->backend->download(&s->ctx, s->backend, x + *count, from, n * sizeof *x), BT_OK,
                    &s->ctx);
    *count += n;
  }
  return x;
}

/* The loss falls, hyperparameters move and stay in their ranges. */
static void tuned(const char *name, NnTunerKind kind, int64_t epochs) {
  enum { MOST = 32 };
  double start[MOST], end[MOST];
  Set s;
  if (open_set(&s, name, 0) && BT_CHECK(s.task->hyper.count <= MOST)) {
    NnTraining *t = training(&s, &(NnTrainOptions){.tuner = kind, .seed = 3, .epochs = epochs});
    NnScore first;
    BT_CHECK_STATUS(nn_training_hyper(&s.ctx, t, start, NULL), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_evaluate(&s.ctx, t, NN_VALID, &first), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
    const NnTrainResult r = nn_training_result(t);
    BT_CHECK_ROW(r.best_valid.loss < 0.9 * first.loss, "%s, tuner %d: validation loss %g, at the start %g",
                 name, (int)kind, r.best_valid.loss, first.loss);
    BT_CHECK(r.epoch == epochs);
    BT_CHECK((r.tuned > 0) == (kind != NN_TUNER_NONE));
    BT_CHECK_STATUS(nn_training_hyper(&s.ctx, t, end, NULL), BT_OK, &s.ctx);
    for (size_t i = 0; i < s.task->hyper.count; i++) {
      const NnHyper *h = &s.task->hyper.item[i];
      BT_CHECK_ROW((start[i] != end[i]) == (kind != NN_TUNER_NONE), "%s: %s went from %g to %g", name,
                   h->name, start[i], end[i]);
      BT_CHECK_ROW(end[i] >= h->range.low && end[i] <= h->range.high, "%s: %s is %g", name, h->name, end[i]);
    }
    nn_training_destroy(t);
  }
  close_set(&s);
}

static void tuners(void) {
  static const char *const names[] = {"tiny-mlp", "tiny-cnn", "tiny-lstm"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    for (int kind = NN_TUNER_NONE; kind <= NN_TUNER_DSTN; kind++) tuned(names[i], (NnTunerKind)kind, 5);
}

typedef struct {
  int64_t step;
} Stopper;

static int stop_at(void *user, const BtEvent *event) {
  const Stopper *s = user;
  return event->type == BT_EVENT_TRAINING && event->as.training.moment == BT_TRAINED_STEP &&
         event->as.training.step == s->step;
}

/* Stopped within an epoch, written, read into another training: the same bits at the end. */
static void resumed(const char *name, NnTunerKind kind, int64_t epochs, int64_t step) {
  const char *path = bt_test_path("checkpoint.safetensors");
  NnTrainOptions o = {.tuner = kind, .seed = 5, .epochs = epochs};
  size_t n[2] = {0, 0};
  NnReal *x[2] = {NULL, NULL};
  NnTrainResult r[2];
  Set s;
  if (open_set(&s, name, strcmp(name, "tiny-lstm") ? 450 : 6000)) {
    NnTraining *whole = training(&s, &o);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, whole, 0), BT_OK, &s.ctx);
    x[0] = values(&s, whole, &n[0]);
    r[0] = nn_training_result(whole);
    nn_training_destroy(whole);

    Stopper stopper = {step};
    o.checkpoint = path;
    NnTraining *part = training(&s, &o);
    BT_CHECK_STATUS(bt_context_observe(&s.ctx, stop_at, &stopper), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, part, 0), BT_STOPPED, &s.ctx);
    BT_CHECK(nn_training_result(part).step == step);
    nn_training_destroy(part);
    s.ctx.observer_count = 0;

    NnTraining *rest = training(&s, &o);
    BT_CHECK_STATUS(nn_training_load(&s.ctx, rest, path), BT_OK, &s.ctx);
    BT_CHECK(nn_training_result(rest).step == step);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, rest, 0), BT_OK, &s.ctx);
    x[1] = values(&s, rest, &n[1]);
    r[1] = nn_training_result(rest);
    nn_training_destroy(rest);
    BT_CHECK(n[0] == n[1] && n[0] > 0);
    BT_CHECK_ROW(n[0] == n[1] && memcmp(x[0], x[1], n[0] * sizeof(NnReal)) == 0, "%s: weights differ", name);
    BT_CHECK(r[0].best_valid.loss == r[1].best_valid.loss && r[0].valid.loss == r[1].valid.loss);
    BT_CHECK(r[0].train_loss == r[1].train_loss && r[0].best_epoch == r[1].best_epoch);
  }
  free(x[0]);
  free(x[1]);
  close_set(&s);
}

static void resuming(void) {
  resumed("tiny-mlp", NN_TUNER_DSTN, 6, 27);
  resumed("tiny-mlp", NN_TUNER_STN, 5, 18); /* at the end of an epoch */
  resumed("tiny-cnn", NN_TUNER_CSTN, 5, 22);
  resumed("tiny-lstm", NN_TUNER_DSTN, 3, 70);
}

/* The best epoch's weights come back from a checkpoint. */
static void best_weights(void) {
  const char *path = bt_test_path("best.safetensors");
  const NnTrainOptions o = {.tuner = NN_TUNER_DSTN, .seed = 2, .epochs = 4, .checkpoint = path};
  NnScore score;
  Set s;
  if (open_set(&s, "tiny-mlp", 0)) {
    NnTraining *t = training(&s, &o);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
    const NnTrainResult r = nn_training_result(t);
    nn_training_destroy(t);
    t = training(&s, &o);
    BT_CHECK_STATUS(nn_training_use_best(&s.ctx, t), BT_ERR_ARG, &s.ctx);
    BT_CHECK_STATUS(nn_training_load(&s.ctx, t, path), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_use_best(&s.ctx, t), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_evaluate(&s.ctx, t, NN_TEST, &score), BT_OK, &s.ctx);
    BT_CHECK(score.loss == r.best_test.loss && score.accuracy == r.best_test.accuracy);
    nn_training_destroy(t);
    /* Another seed or tuner does not fit. */
    t = training(&s, &(NnTrainOptions){.tuner = NN_TUNER_DSTN, .seed = 3});
    BT_CHECK_STATUS(nn_training_load(&s.ctx, t, path), BT_ERR_FORMAT, &s.ctx);
    nn_training_destroy(t);
    t = training(&s, &(NnTrainOptions){.tuner = NN_TUNER_STN, .seed = 2});
    BT_CHECK_STATUS(nn_training_load(&s.ctx, t, path), BT_ERR_FORMAT, &s.ctx);
    nn_training_destroy(t);
  }
  close_set(&s);
}

/* A run that diverges says where. */
static void diverging(void) {
  Set s;
  if (open_set(&s, "tiny-mlp", 0)) {
    s.task->weights.rule.schedule.rate = NN_TOLERANCE(1e30, 1e200);
    char first[BT_ERROR_TEXT];
    NnTraining *t = training(&s, &(NnTrainOptions){.tuner = NN_TUNER_NONE, .epochs = 2, .read_every = 1});
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_ERR_NUMERIC, &s.ctx);
    BT_CHECK_ROW(strstr(s.ctx.error, "diverged in step 2 ") && strstr(s.ctx.error, "layer"), "%s",
                 s.ctx.error);
    memcpy(first, s.ctx.error, sizeof first);
    nn_training_destroy(t);
    /* Found out later, when the weights are lost, with the same number and tensor. */
    t = training(&s, &(NnTrainOptions){.tuner = NN_TUNER_NONE, .epochs = 2, .read_every = 5});
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_ERR_NUMERIC, &s.ctx);
    BT_CHECK_ROW(strcmp(s.ctx.error, first) == 0, "%s; wanted: %s", s.ctx.error, first);
    nn_training_destroy(t);
  }
  close_set(&s);
}

/* Losses that are read late change nothing but when they are told. */
static void read_late(const char *name, NnTunerKind kind, int64_t epochs) {
  static const int64_t every[] = {1, 7, NN_TUNER_STEPS};
  enum { WAYS = sizeof every / sizeof *every };
  size_t n[WAYS] = {0};
  NnReal *x[WAYS] = {NULL};
  NnTrainResult r[WAYS];
  Set s;
  if (open_set(&s, name, strcmp(name, "tiny-lstm") ? 450 : 6000)) {
    for (int i = 0; i < WAYS; i++) {
      NnTraining *t =
          training(&s, &(NnTrainOptions){.tuner = kind, .seed = 5, .epochs = epochs, .read_every = every[i]});
      BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
      x[i] = values(&s, t, &n[i]);
      r[i] = nn_training_result(t);
      nn_training_destroy(t);
      BT_CHECK_ROW(n[0] == n[i] && memcmp(x[0], x[i], n[0] * sizeof(NnReal)) == 0, "%s: weights differ",
                   name);
      BT_CHECK(r[0].train_loss == r[i].train_loss && r[0].best_valid.loss == r[i].best_valid.loss);
    }
    for (int i = 0; i < WAYS; i++) free(x[i]);
  }
  close_set(&s);
}

static void reading(void) {
  for (int kind = NN_TUNER_NONE; kind <= NN_TUNER_DSTN; kind++) read_late("tiny-mlp", (NnTunerKind)kind, 5);
  read_late("tiny-lstm", NN_TUNER_DSTN, 2);
  Set s;
  if (open_set(&s, "tiny-mlp", 0)) {
    NnTraining *t = NULL;
    const NnTrainOptions o = {.read_every = NN_TUNER_STEPS + 1};
    BT_CHECK_STATUS(nn_training_create(&s.ctx, s.task, &o, s.data, s.backend, &t), BT_ERR_ARG, &s.ctx);
  }
  close_set(&s);
}

/* What the rule says (arXiv:1708.02182): the step size shrinks after an epoch that is worse than the best of
 * those that lie more than `patience` before it. */
typedef struct {
  int64_t patience;
  double factor, rate, loss[64];
  int epochs, shrunk;
} Rule;

static int follow_rule(void *user, const BtEvent *event) {
  Rule *rule = user;
  const BtTrainingEvent *e = &event->as.training;
  if (event->type != BT_EVENT_TRAINING || e->moment != BT_TRAINED_EPOCH || rule->epochs == 64) return 0;
  double least = INFINITY;
  for (int64_t i = 0; i + rule->patience < rule->epochs; i++) least = fmin(least, rule->loss[i]);
  rule->loss[rule->epochs++] = e->valid_loss;
  if (e->valid_loss > least) {
    rule->rate *= rule->factor;
    rule->shrunk++;
  }
  BT_CHECK_ROW(e->rate == rule->rate, "epoch %lld: rate %g, wanted %g", (long long)e->epoch, e->rate,
               rule->rate);
  return 0;
}

/* On a network that learns its few examples by heart, so that its validation loss rises; and in two parts. */
static void trigger(void) {
  const char *path = bt_test_path("trigger.safetensors");
  enum { EPOCHS = 30 };
  Rule rule = {.patience = 3, .factor = 0.5, .rate = 0.05};
  double rate[2] = {0, 0};
  Set s;
  if (open_set(&s, "tiny-mlp", 300)) {
    s.task->weights.rule.trigger = 1;
    s.task->weights.rule.factor = rule.factor;
    s.task->weights.rule.patience = rule.patience;
    s.task->weights.rule.schedule = (NnSchedule){.kind = NN_SCHEDULE_CONSTANT, .rate = rule.rate};
    NnTrainOptions o = {.tuner = NN_TUNER_NONE, .seed = 3, .epochs = EPOCHS};
    NnTraining *t = training(&s, &o);
    BT_CHECK_STATUS(bt_context_observe(&s.ctx, follow_rule, &rule), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
    rate[0] = nn_training_result(t).rate;
    nn_training_destroy(t);
    s.ctx.observer_count = 0;
    BT_CHECK(rule.epochs == EPOCHS);
    BT_CHECK_ROW(rule.shrunk >= 2 && rule.shrunk < EPOCHS - rule.patience, "triggered %d times", rule.shrunk);

    o.checkpoint = path;
    t = training(&s, &o);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, EPOCHS - 4), BT_OK, &s.ctx);
    nn_training_destroy(t);
    t = training(&s, &o);
    BT_CHECK_STATUS(nn_training_load(&s.ctx, t, path), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
    rate[1] = nn_training_result(t).rate;
    BT_CHECK_ROW(rate[0] == rate[1], "rate %g, resumed %g", rate[0], rate[1]);
    nn_training_destroy(t);
  }
  close_set(&s);
}

/* The schedule found is followed: at its end the hyperparameters are those that it ends with. */
static void replaying(void) {
  const int64_t step[] = {0, 7, 30};
  const double schedule[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};
  const NnReplay replay = {3, step, schedule};
  double end[2];
  Set s;
  if (open_set(&s, "tiny-mlp", 0)) {
    NnTraining *t = training(&s, &(NnTrainOptions){.tuner = NN_TUNER_NONE, .epochs = 2, .replay = &replay});
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 1), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_hyper(&s.ctx, t, end, NULL), BT_OK, &s.ctx);
    BT_CHECK_NEAR(end[0], 0.3, 1e-6);
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_hyper(&s.ctx, t, end, NULL), BT_OK, &s.ctx);
    BT_CHECK_NEAR(end[0], 0.5, 1e-6);
    BT_CHECK_NEAR(end[1], 0.6, 1e-6);
    nn_training_destroy(t);
    t = NULL;
    const NnTrainOptions wrong = {.tuner = NN_TUNER_DSTN, .replay = &replay};
    BT_CHECK_STATUS(nn_training_create(&s.ctx, s.task, &wrong, s.data, s.backend, &t), BT_ERR_ARG, &s.ctx);
  }
  close_set(&s);
}

/* Epochs by work: as many as fit, counted as what the steps have computed. */
static void working(void) {
  static const struct {
    NnTunerKind kind;
    int64_t runs; /* gradients of a training step */
  } cases[] = {{NN_TUNER_NONE, 1}, {NN_TUNER_STN, 1}, {NN_TUNER_CSTN, 2}, {NN_TUNER_DSTN, 2}};
  enum { LIMIT = 9999 };
  Set s;
  NnTraining *t = NULL;
  if (open_set(&s, "tiny-mlp", 400))
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      NnTrainOptions o = {.tuner = cases[i].kind, .seed = 1, .work = LIMIT};
      int64_t epochs = 0;
      for (int beyond = 0; beyond < 2; beyond++) {
        if (beyond) o = (NnTrainOptions){.tuner = cases[i].kind, .seed = 1, .epochs = epochs + 1};
        if (!(t = training(&s, &o))) break;
        BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
        const NnTrainResult r = nn_training_result(t);
        BT_CHECK(r.work == (cases[i].runs * r.step + r.tuned) * s.task->batch);
        BT_CHECK(beyond ? r.work > LIMIT : r.work > 0 && r.work <= LIMIT);
        BT_CHECK(cases[i].kind == NN_TUNER_NONE || r.tuned > 0);
        epochs = r.epoch;
        nn_training_destroy(t);
      }
      o = (NnTrainOptions){.tuner = cases[i].kind, .seed = 1, .work = LIMIT, .epochs = 2};
      if ((t = training(&s, &o))) {
        BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
        BT_CHECK(nn_training_result(t).epoch == 2);
      }
      nn_training_destroy(t);
      int64_t each = 0;
      BT_CHECK_STATUS(nn_epoch_work(&s.ctx, s.task, cases[i].kind, nn_data_info(s.data), &each), BT_OK,
                      &s.ctx);
      o.work = each - 1;
      BT_CHECK_STATUS(nn_training_create(&s.ctx, s.task, &o, s.data, s.backend, &t), BT_ERR_ARG, &s.ctx);
    }
  close_set(&s);
}

/* Work beyond all that can be counted is as much as can be, to the last epoch; epochs beyond it are refused. */
static void overflowing(void) {
  static const int64_t much[] = {INT64_C(1) << 53, INT64_C(1) << 62, INT64_MAX};
  Set s;
  NnTraining *t = NULL;
  if (open_set(&s, "tiny-mlp", 400)) {
    s.task->warm_up_epochs = 0;
    s.task->train_steps = 1;
    s.task->valid_steps = 1000000; /* of which an epoch takes more than of training steps by far */
    for (int tuner = NN_TUNER_NONE; tuner <= NN_TUNER_DSTN; tuner++)
      for (size_t i = 0; i < sizeof much / sizeof *much; i++) {
        const double step = tuner == NN_TUNER_NONE ? 1 : tuner == NN_TUNER_STN ? 1000001 : 1000002;
        NnTrainOptions o = {.tuner = (NnTunerKind)tuner, .seed = 1, .work = much[i]};
        if (!(t = training(&s, &o))) continue;
        const int64_t batches = (int64_t)nn_data_info(s.data)->rows[NN_TRAIN] / s.task->batch;
        const int64_t epochs = nn_hdet_plan(t, 1).steps / batches;
        BT_CHECK(step * (double)(epochs * batches * s.task->batch) <= NN_MOST_WORK);
        BT_CHECK(step * (double)((epochs + 1) * batches * s.task->batch) > NN_MOST_WORK);
        nn_training_destroy(t);
        o = (NnTrainOptions){.tuner = (NnTunerKind)tuner, .seed = 1, .epochs = epochs};
        nn_training_destroy(training(&s, &o));
        const int64_t more[] = {epochs + 1, INT64_MAX};
        for (int k = 0; k < 2; k++) {
          o.epochs = more[k];
          BT_CHECK_STATUS(nn_training_create(&s.ctx, s.task, &o, s.data, s.backend, &t), BT_ERR_ARG, &s.ctx);
          BT_CHECK(strstr(s.ctx.error, "take fewer") != NULL);
        }
      }
  }
  close_set(&s);
}

static const BtTest tests[] = {{"tuners", tuners},
                               {"resumed runs", resuming},
                               {"best weights", best_weights},
                               {"epochs by work", working},
                               {"more work than can be counted", overflowing},
                               {"losses read late", reading},
                               {"non-monotone trigger", trigger},
                               {"diverging runs", diverging},
                               {"replayed schedules", replaying}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "training", tests, sizeof tests / sizeof *tests);
}

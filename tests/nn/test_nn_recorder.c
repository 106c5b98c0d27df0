/* Training steps that are recorded and replayed: the bits of steps that are started kernel by kernel, for
 * every optimizer and tuner, with masks, augmentation, clipping and recurrent states, for batches of several
 * sizes and after a resumed run. The device named by the first argument against the same with ",graph"; on
 * the CPU, which records nothing, the recorder with a backend that only counts. */
#include "nn/recorder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/train.h"
#include "nn_check.h"

static int on_cpu(void) { return strcmp(nn_test_device(), "cpu") == 0; }

typedef struct {
  const char *task;
  NnTunerKind tuner;
  NnOptimizerOptions weights; /* epsilon 0: the task's */
  double clip;                /* of all optimizers     */
  int64_t count, batch, epochs;
} Case;

typedef struct {
  BtContext ctx;
  NnTask *task;
  NnData *data;
  NnBackend *backend;
} Set;

static int open_set(Set *s, const Case *c, int graph) {
  char device[64];
  *s = (Set){0};
  bt_context_init(&s->ctx);
  snprintf(device, sizeof device, "%s%s", nn_test_device(), graph && !on_cpu() ? ",graph" : "");
  if (!BT_CHECK_STATUS(nn_backend_open(&s->ctx, device, 1, &s->backend), BT_OK, &s->ctx) ||
      !BT_CHECK_STATUS(nn_task_load(&s->ctx, c->task, &s->task), BT_OK, &s->ctx))
    return 0;
  NnTask *t = s->task;
  t->data.count = c->count;
  t->data.test_count = c->count / 3;
  t->data.length = 5, t->data.size = 12; /* what is small enough for an emulated device */
  t->batch = t->eval_batch = c->batch;
  t->warm_up_epochs = 0;
  t->train_steps = 3, t->valid_steps = 2;
  if (c->weights.epsilon > 0) t->weights.options = t->response.options = c->weights;
  t->weights.options.clip = t->response.options.clip = t->tuning.options.clip = c->clip;
  return BT_CHECK_STATUS(nn_data_open(&s->ctx, &t->data, &s->data), BT_OK, &s->ctx);
}

static void close_set(Set *s) {
  nn_data_close(s->data);
  nn_backend_close(s->backend);
  nn_task_free(s->task);
}

/* All parameters and buffers. */
static NnReal *values_of(Set *s, const NnGraph *g, size_t *count) {
  NnReal *x = NULL;
  *count = 0;
  for (int q = 0; q < NN_GROUPS; q++) {
    size_t n;
    const NnReal *from = nn_graph_group_values(g, (NnGroup)(1 << q), &n);
    if (n == 0) continue;
    x = realloc(x, (*count + n) * sizeof *x);
    if (!x) abort();
    BT_CHECK_STATUS(s->backend->download(&s->ctx, s->backend, x + *count, from, n * sizeof *x), BT_OK,
                    &s->ctx);
    *count += n;
  }
  return x;
}

static int stop_at(void *user, const BtEvent *event) {
  return event->type == BT_EVENT_TRAINING && event->as.training.moment == BT_TRAINED_STEP &&
         event->as.training.step == *(const int64_t *)user;
}

/* That something cannot be recorded. */
static int tell(void *user, const BtEvent *event) {
  (void)user;
  if (event->type == BT_EVENT_WARNING) BT_CHECK_ROW(0, "%s", event->as.warning);
  return 0;
}

static NnTrainResult run(const Case *c, int graph, int64_t stop, NnReal **x, size_t *n) {
  const char *path = bt_test_path("recorded.safetensors");
  const NnTrainOptions o = {
      .tuner = c->tuner, .seed = 5, .epochs = c->epochs, .checkpoint = stop ? path : NULL};
  NnTrainResult r = {0};
  NnTraining *t = NULL;
  Set s;
  *x = NULL, *n = 0;
  if (open_set(&s, c, graph)) {
    BT_CHECK_STATUS(bt_context_observe(&s.ctx, tell, NULL), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_training_create(&s.ctx, s.task, &o, s.data, s.backend, &t), BT_OK, &s.ctx);
    if (stop) {
      BT_CHECK_STATUS(bt_context_observe(&s.ctx, stop_at, &stop), BT_OK, &s.ctx);
      BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_STOPPED, &s.ctx);
      s.ctx.observer_count--;
      nn_training_destroy(t);
      BT_CHECK_STATUS(nn_training_create(&s.ctx, s.task, &o, s.data, s.backend, &t), BT_OK, &s.ctx);
      BT_CHECK_STATUS(nn_training_load(&s.ctx, t, path), BT_OK, &s.ctx);
    }
    BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_OK, &s.ctx);
    r = nn_training_result(t);
    *x = values_of(&s, nn_training_model(t)->graph, n);
    nn_training_destroy(t);
  }
  close_set(&s);
  return r;
}

static void compare(const Case *c, int64_t stop) {
  NnReal *x[2];
  size_t n[2];
  const NnTrainResult plain = run(c, 0, 0, &x[0], &n[0]), replayed = run(c, 1, stop, &x[1], &n[1]);
  BT_CHECK_ROW(n[0] == n[1] && n[0] > 0 && memcmp(x[0], x[1], n[0] * sizeof(NnReal)) == 0,
               "%s, tuner %d: weights differ", c->task, (int)c->tuner);
  BT_CHECK(plain.train_loss == replayed.train_loss && plain.valid.loss == replayed.valid.loss);
  BT_CHECK(plain.tuned == replayed.tuned && (plain.tuned > 0) == (c->tuner != NN_TUNER_NONE));
  BT_CHECK(plain.replayed == 0);
  /* All but the first of each kind, in each process. */
  const int kinds = c->tuner == NN_TUNER_NONE ? 1 : 2;
  const int64_t wanted = replayed.step - stop + (stop ? 0 : replayed.tuned) - kinds;
  BT_CHECK_ROW(on_cpu() ? replayed.replayed == 0
               : stop   ? replayed.replayed >= wanted
                        : replayed.replayed == wanted,
               "%s, tuner %d: %lld steps replayed, wanted %lld", c->task, (int)c->tuner,
               (long long)replayed.replayed, (long long)wanted);
  free(x[0]);
  free(x[1]);
}

static void optimizers(void) {
  NnOptimizerOptions o[6];
  for (int i = 0; i < 6; i++)
    o[i] = nn_optimizer_defaults(
        (NnOptimizerKind[]){NN_SGD, NN_SGD, NN_ADAM, NN_ADAMW, NN_RMSPROP, NN_RMSPROP}[i]);
  o[1].momentum = o[5].momentum = 0.9;
  o[1].nesterov = 1;
  o[2].decay = o[3].decay = 0.01;
  for (int i = 0; i < 6; i++) {
    const Case c = {.task = "tiny-mlp",
                    .tuner = NN_TUNER_STN,
                    .weights = o[i],
                    .clip = i % 2 ? 0.05 : 0,
                    .count = 36,
                    .batch = 6,
                    .epochs = 2};
    compare(&c, 0);
  }
}

static void tuners(void) {
  for (int kind = NN_TUNER_NONE; kind <= NN_TUNER_DSTN; kind++) {
    const Case mlp = {
        .task = "tiny-mlp", .tuner = (NnTunerKind)kind, .clip = 0.1, .count = 36, .batch = 6, .epochs = 2};
    compare(&mlp, 0);
  }
}

/* Augmentation, batch normalisation, convolutions. */
static void images(void) {
  const Case c = {.task = "tiny-cnn", .tuner = NN_TUNER_DSTN, .count = 27, .batch = 6, .epochs = 2};
  compare(&c, 0);
}

/* Masks of weights and sequences, states that go on from window to window, clipping; and resumed. */
static void recurrent(void) {
  const Case c = {
      .task = "tiny-lstm", .tuner = NN_TUNER_DSTN, .clip = 0.25, .count = 200, .batch = 4, .epochs = 2};
  compare(&c, 0);
  compare(&c, 10);
}

/* Batches of several sizes, in any order, training and validation steps among each other. */
static const struct {
  size_t rows;
  int validates;
} sequence[] = {{6, 0}, {6, 0}, {4, 0}, {6, 1}, {6, 0}, {4, 0}, {6, 1},
                {1, 0}, {4, 1}, {6, 0}, {4, 0}, {1, 0}, {6, 1}};
enum { STEPS = sizeof sequence / sizeof *sequence, NEW = 5 /* kinds and sizes */ };

static void set_leaf(Set *s, NnModel *m, NnId leaf, size_t rows, int step, int classes) {
  const size_t n = rows * nn_shape_size(nn_graph_shape(m->graph, leaf));
  NnReal *x = malloc(n * sizeof *x);
  if (!x) abort();
  for (size_t i = 0; i < n; i++)
    x[i] = classes ? (NnReal)((i + (size_t)step) % (size_t)classes)
                   : (NnReal)sin((double)(i * 7 + (size_t)step));
  BT_CHECK_STATUS(nn_graph_set(&s->ctx, m->graph, leaf, x, n), BT_OK, &s->ctx);
  free(x);
}

static NnReal *by_hand(int graph, NnTunerLosses *losses, size_t *n) {
  const Case c = {.task = "tiny-mlp", .clip = 0.1, .count = 36, .batch = 6};
  const NnTunerTraits traits = nn_tuner_traits(NN_TUNER_DSTN);
  NnReal *x = NULL;
  Set s;
  *n = 0;
  if (!open_set(&s, &c, graph)) abort();
  const NnTask *task = s.task;
  const NnProblem problem = nn_problem(nn_data_info(s.data));
  const NnModelOptions mo = {.max_batch = 6, .responds = traits.responds, .centred = traits.centred};
  const NnTunerOptions to = {.kind = NN_TUNER_DSTN,
                             .seed = 1,
                             .weights = task->weights.options,
                             .response = task->response.options,
                             .hyper = task->tuning.options};
  NnModel *m;
  NnTuner *t;
  if (BT_CHECK_STATUS(
          nn_model_create(&s.ctx, s.backend, "test", task->model, &task->hyper, &problem, &mo, &m), BT_OK,
          &s.ctx) &&
      BT_CHECK_STATUS(nn_model_initial(&s.ctx, m, 1, 0.01, NULL), BT_OK, &s.ctx) &&
      BT_CHECK_STATUS(nn_tuner_create(&s.ctx, &to, m, &t), BT_OK, &s.ctx)) {
    for (int i = 0; i < STEPS; i++) {
      set_leaf(&s, m, m->x, sequence[i].rows, i, 0);
      set_leaf(&s, m, m->label, sequence[i].rows, i, 10);
      BT_CHECK_STATUS(sequence[i].validates
                          ? nn_tuner_validate(&s.ctx, t, sequence[i].rows, 0.01, NULL)
                          : nn_tuner_train(&s.ctx, t, sequence[i].rows, 0.1, 0.1 / (i + 1), NULL),
                      BT_OK, &s.ctx);
    }
    BT_CHECK(nn_tuner_replays(t) == (graph && !on_cpu() ? STEPS - NEW : 0));
    /* After a replay there are no derivatives to be read. */
    NnReal g;
    BT_CHECK_STATUS(nn_graph_get_adjoint(&s.ctx, m->graph, m->nodes.lambda, &g, 1),
                    graph && !on_cpu() ? BT_ERR_ARG : BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_tuner_losses(&s.ctx, t, losses), BT_OK, &s.ctx);
    /* Other options are other kernels. */
    NnOptimizerOptions changed = task->weights.options;
    changed.clip = 1e-3;
    BT_CHECK_STATUS(nn_optimizer_change(&s.ctx, nn_tuner_weights(t), &changed), BT_OK, &s.ctx);
    BT_CHECK_STATUS(nn_tuner_train(&s.ctx, t, 6, 0.1, 0.1, NULL), BT_OK, &s.ctx);
    BT_CHECK(nn_tuner_replays(t) == (graph && !on_cpu() ? STEPS - NEW : 0));
    x = values_of(&s, m->graph, n);
    nn_tuner_destroy(t);
    nn_model_destroy(m);
  }
  close_set(&s);
  return x;
}

static void batches(void) {
  NnTunerLosses losses[2];
  NnReal *x[2];
  size_t n[2];
  for (int graph = 0; graph < 2; graph++) x[graph] = by_hand(graph, &losses[graph], &n[graph]);
  BT_CHECK(n[0] == n[1] && n[0] > 0 && memcmp(x[0], x[1], n[0] * sizeof(NnReal)) == 0);
  BT_CHECK(losses[0].steps == 9 && losses[1].steps == 9 && losses[0].validation == losses[1].validation);
  for (size_t i = 0; i < losses[0].steps; i++) BT_CHECK(losses[0].training[i] == losses[1].training[i]);
  free(x[0]);
  free(x[1]);
}

/* A run that diverges in a step that is replayed names the same step and tensor, and the last checkpoint. */
static void diverging(void) {
  const Case c = {.task = "tiny-mlp", .tuner = NN_TUNER_NONE, .count = 36, .batch = 6};
  const char *path = bt_test_path("diverging.safetensors");
  char text[2][BT_ERROR_TEXT] = {"", ""};
  for (int graph = 0; graph < 2; graph++) {
    const NnTrainOptions o = {
        .tuner = c.tuner, .seed = 5, .epochs = 3, .checkpoint = path, .read_every = graph ? 8 : 1};
    NnTraining *t = NULL;
    Set s;
    if (open_set(&s, &c, graph)) {
      NnSchedule *schedule = &s.task->weights.rule.schedule;
      schedule->kind = NN_SCHEDULE_STEP; /* from the second epoch on a step size that is much too large */
      schedule->factor = NN_TOLERANCE(1e30, 1e200);
      schedule->milestone_count = 1;
      schedule->milestone[0] = 1;
      BT_CHECK_STATUS(nn_training_create(&s.ctx, s.task, &o, s.data, s.backend, &t), BT_OK, &s.ctx);
      BT_CHECK_STATUS(nn_training_run(&s.ctx, t, 0), BT_ERR_NUMERIC, &s.ctx);
      memcpy(text[graph], s.ctx.error, sizeof text[graph]);
      nn_training_destroy(t);
    }
    close_set(&s);
  }
  BT_CHECK_ROW(
      strstr(text[0], "(epoch 2)") && strstr(text[0], "tensor that is not is layer") && strstr(text[0], path),
      "%s", text[0]);
  BT_CHECK_ROW(strcmp(text[0], text[1]) == 0, "%s; replayed: %s", text[0], text[1]);
}

/* A backend that counts what it is asked for. */
typedef struct {
  int begun, ended, replays, forgotten; /* calls                                    */
  int fails;                            /* the next recording fails                 */
  int steps, warnings;                  /* calls of the step; warnings              */
} Counts;

static BtStatus fake_record(BtContext *ctx, NnBackend *b) {
  (void)ctx;
  ((Counts *)b->data)->begun++;
  return BT_OK;
}

static BtStatus fake_recorded(BtContext *ctx, NnBackend *b, NnRecording **recording) {
  Counts *c = b->data;
  c->ended++;
  *recording = NULL;
  if (c->fails) return bt_fail(ctx, BT_ERR_UNSUPPORTED, "it cannot be recorded");
  *recording = b->data;
  return BT_OK;
}

static BtStatus fake_replay(BtContext *ctx, NnBackend *b, NnRecording *recording) {
  (void)ctx;
  BT_CHECK((void *)recording == b->data);
  ((Counts *)b->data)->replays++;
  return BT_OK;
}

static void fake_forget(NnBackend *b, NnRecording *recording) {
  (void)recording;
  ((Counts *)b->data)->forgotten++;
}

static BtStatus count_step(BtContext *ctx, void *user) {
  Counts *c = user;
  (void)ctx;
  c->steps++;
  return BT_OK;
}

static int count_warnings(void *user, const BtEvent *event) {
  ((Counts *)user)->warnings += event->type == BT_EVENT_WARNING;
  return 0;
}

static void counting(void) {
  Counts c = {0};
  NnBackend b = {.record = fake_record,
                 .recorded = fake_recorded,
                 .replay = fake_replay,
                 .forget = fake_forget,
                 .data = &c};
  const NnStepKey key = {.kind = 1, .rows = 8}, other = {.kind = 1, .rows = 7},
                  third = {.kind = 1, .rows = 8, .version = 1};
  NnRecorder *r;
  BtContext ctx;
  int replayed;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(bt_context_observe(&ctx, count_warnings, &c), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_recorder_create(&ctx, &b, &r), BT_OK, &ctx);
  for (int i = 0; i < 4; i++) {
    BT_CHECK_STATUS(nn_recorder_run(&ctx, r, key, count_step, &c, &replayed), BT_OK, &ctx);
    BT_CHECK(replayed == (i > 0));
  }
  BT_CHECK(c.steps == 2 && c.begun == 1 && c.ended == 1 && c.replays == 3);
  BT_CHECK_STATUS(nn_recorder_run(&ctx, r, other, count_step, &c, NULL), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_recorder_run(&ctx, r, third, count_step, &c, NULL), BT_OK, &ctx);
  BT_CHECK(c.steps == 4 && c.begun == 1 && c.replays == 3);
  /* A failure is told once, the step is taken nevertheless, and nothing is recorded any more. */
  c.fails = 1;
  BT_CHECK_STATUS(nn_recorder_run(&ctx, r, other, count_step, &c, &replayed), BT_OK, &ctx);
  BT_CHECK(c.steps == 6 && c.warnings == 1 && !replayed);
  for (int i = 0; i < 3; i++)
    BT_CHECK_STATUS(nn_recorder_run(&ctx, r, key, count_step, &c, NULL), BT_OK, &ctx);
  BT_CHECK(c.steps == 9 && c.warnings == 1 && c.begun == 2 && nn_recorder_replays(r) == 3);
  nn_recorder_destroy(r);
  BT_CHECK(c.forgotten == 1);
}

static const BtTest tests[] = {
    {"recorder", counting}, {"batches", batches}, {"diverging runs", diverging},  {"optimizers", optimizers},
    {"tuners", tuners},     {"images", images},   {"recurrent states", recurrent}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "recorded steps", tests, sizeof tests / sizeof *tests);
}

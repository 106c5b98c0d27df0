#include "nn/tuner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/recorder.h"

enum { WEIGHTS, RESPONSE, HYPER, OPTIMIZERS };
enum { TRAINING, VALIDATION }; /* kinds of steps */
enum { STEP_RUNS = 2, RUNS = STEP_RUNS * NN_TUNER_STEPS };

static const NnGroup groups_of[OPTIMIZERS] = {NN_GENERAL, NN_RESPONSE, NN_HYPER};

/* What a run leaves on the backend: its loss and what it descends, the first node that is not finite, and for
 * each optimizer the squared norm of the gradient, if it clips, and the first parameter whose gradient is not
 * finite. */
enum { LOSS, OBJECTIVE, NODE, SQUARE, GRADIENT = SQUARE + OPTIMIZERS, TRACES = GRADIENT + OPTIMIZERS };

/* A run whose trace has been left there. */
typedef struct {
  const char *what; /* its loss is called */
  int kind;
  int leads;  /* the run of a step whose loss is the step's      */
  int groups; /* whose parameters it moves                       */
} KeptRun;

/* What changes from step to step, copied to the backend before each. */
typedef struct {
  uint64_t draws; /* forward runs before the step: masks are drawn for this number and those that follow */
  NnUpdate update[OPTIMIZERS];
} StepBlock;

struct NnTuner {
  NnTunerOptions o;
  NnTunerTraits traits;
  NnModel *model;
  NnOptimizer *optimizer[OPTIMIZERS]; /* NULL where there is nothing to move                  */
  NnRecorder *recorder;
  int64_t draws;
  StepBlock *block; /* on the backend, as is what follows                    */
  NnReal *trace;    /* [STEP_RUNS × TRACES] of the present step              */
  NnReal *traces;   /* [RUNS × TRACES] of kept runs                          */
  KeptRun kept[RUNS];
  size_t runs, steps; /* of them in use, and of how many steps */
};

/* A step that is run, perhaps more than once: it changes the backend alone. */
typedef struct {
  NnTuner *tuner;
  size_t rows;
  NnReal *after;
} Step;

NnTunerTraits nn_tuner_traits(NnTunerKind kind) {
  static const NnTunerTraits traits[] = {
      [NN_TUNER_NONE] = {0, 0, 0, NN_RESPONSE_OFF},
      [NN_TUNER_STN] = {1, 0, 0.01, NN_RESPONSE_FULL},
      [NN_TUNER_CSTN] = {1, 1, 0, NN_RESPONSE_OFF},
      [NN_TUNER_DSTN] = {1, 1, 0, NN_RESPONSE_OFF},
  };
  return traits[kind];
}

static BtStatus create_optimizer(BtContext *ctx, NnTuner *t, const NnOptimizerOptions *o, int which) {
  return nn_optimizer_create(ctx, o, t->model->graph, groups_of[which], &t->optimizer[which]);
}

BtStatus nn_tuner_create(BtContext *ctx, const NnTunerOptions *o, NnModel *model, NnTuner **tuner) {
  BtStatus st = BT_OK;
  *tuner = NULL;
  if (nn_tuner_traits(o->kind).responds != model->responds)
    return bt_fail(ctx, BT_ERR_ARG, "tuner: the model %s a response",
                   model->responds ? "must not have" : "needs");
  NnTuner *t = calloc(1, sizeof *t);
  if (!t) return bt_fail_memory(ctx, "tuner", sizeof *t);
  t->o = *o;
  t->traits = nn_tuner_traits(o->kind);
  t->model = model;
  BT_TRY(create_optimizer(ctx, t, &o->weights, WEIGHTS));
  if (t->traits.responds) {
    BT_TRY(create_optimizer(ctx, t, &o->response, RESPONSE));
    BT_TRY(create_optimizer(ctx, t, &o->hyper, HYPER));
  }
  NnBackend *b = nn_graph_backend(model->graph);
  BT_TRY(nn_recorder_create(ctx, b, &t->recorder));
  BT_TRY(b->allocate(ctx, b, sizeof *t->block, (void **)&t->block));
  BT_TRY(b->allocate(ctx, b, STEP_RUNS * TRACES * sizeof(NnReal), (void **)&t->trace));
  BT_TRY(b->allocate(ctx, b, RUNS * TRACES * sizeof(NnReal), (void **)&t->traces));
  *tuner = t;
  return BT_OK;
done:
  nn_tuner_destroy(t);
  return st;
}

void nn_tuner_destroy(NnTuner *t) {
  if (!t) return;
  NnBackend *b = nn_graph_backend(t->model->graph);
  void *const memory[] = {t->block, t->trace, t->traces};
  nn_recorder_destroy(t->recorder);
  for (int i = 0; i < OPTIMIZERS; i++) nn_optimizer_destroy(t->optimizer[i]);
  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
    if (memory[i]) b->release(b, memory[i]);
  free(t);
}

/* The run number `index` of a step: forward, backward from `scalar`, and the steps of the optimizers of
 * `groups`; leaves its trace. */
static BtStatus descend(BtContext *ctx, const Step *s, int index, NnRun run, NnId scalar, int groups) {
  NnTuner *t = s->tuner;
  NnModel *m = t->model;
  NnGraph *g = m->graph;
  NnBackend *b = nn_graph_backend(g);
  NnReal *trace = t->trace + index * TRACES;
  BtStatus st = BT_OK;
  run.batch = s->rows;
  run.seed = t->o.seed;
  run.step = (uint64_t)index;
  run.base = &t->block->draws;
  BT_TRY(nn_graph_forward(ctx, g, &run));
  b->kernels->axpby(b, 1, 1, nn_graph_value(g, m->loss), 0, trace + LOSS);
  b->kernels->axpby(b, 1, 1, nn_graph_value(g, scalar), 0, trace + OBJECTIVE);
  nn_graph_watch(g, 2, trace + LOSS, trace + NODE);
  if (s->after && groups != NN_RESPONSE) nn_model_get_state(m, s->rows, s->after);
  BT_TRY(nn_graph_gradient(ctx, g, scalar, groups));
  for (int k = 0; k < OPTIMIZERS; k++) {
    if (!(groups & (int)groups_of[k])) continue;
    nn_optimizer_apply(t->optimizer[k], &t->block->update[k], trace + SQUARE + k);
    if (nn_optimizer_options(t->optimizer[k])->clip > 0)
      nn_graph_watch_gradients(g, groups_of[k], 1, trace + SQUARE + k, trace + GRADIENT + k);
  }
  st = b->check(ctx, b);
done:
  return st;
}

/* W and b at λ itself, the only step without tuning; then U, u, V, C at perturbed hyperparameters. A plain
 * STN has all of them at once. */
static BtStatus training_step(BtContext *ctx, void *user) {
  const Step *s = user;
  const NnTuner *t = s->tuner;
  const NnId objective = t->model->objective;
  NnRun run = {.training = 1};
  if (t->o.kind == NN_TUNER_STN) {
    run.perturbed = 1;
    run.response = NN_RESPONSE_FULL;
    return descend(ctx, s, 0, run, objective, NN_GENERAL | NN_RESPONSE);
  }
  const BtStatus st = descend(ctx, s, 0, run, objective, NN_GENERAL);
  if (st < 0 || t->o.kind == NN_TUNER_NONE) return st;
  run.perturbed = run.keep_statistics = 1;
  run.response = t->o.kind == NN_TUNER_CSTN ? NN_RESPONSE_FULL : NN_RESPONSE_LINEARISED;
  return descend(ctx, s, 1, run, objective, NN_RESPONSE);
}

static BtStatus validation_step(BtContext *ctx, void *user) {
  const Step *s = user;
  const NnTuner *t = s->tuner;
  const NnRun run = {.perturbed = !t->o.fixed_scales, .response = NN_RESPONSE_FULL};
  return descend(ctx, s, 0, run, t->o.fixed_scales ? t->model->loss : t->model->upper, NN_HYPER);
}

/* Steps of the optimizers, of these sizes (NAN: none), and the draws of `runs` runs. */
static BtStatus prepare(BtContext *ctx, NnTuner *t, const double rate[OPTIMIZERS], int runs) {
  NnBackend *b = nn_graph_backend(t->model->graph);
  StepBlock block;
  BtStatus st = BT_OK;
  memset(&block, 0, sizeof block);
  if (nn_tuner_full(t)) return bt_fail(ctx, BT_ERR_ARG, "tuner: losses of %zu steps are unread", t->steps);
  for (int k = 0; k < OPTIMIZERS; k++)
    if (t->optimizer[k] && !isnan(rate[k]))
      BT_TRY(nn_optimizer_next(ctx, t->optimizer[k], rate[k], &block.update[k]));
  block.draws = (uint64_t)t->draws;
  t->draws += runs;
  st = b->upload(ctx, b, t->block, &block, sizeof block);
done:
  return st;
}

/* Runs a step, and keeps its traces, of runs that are called so. */
static BtStatus take(BtContext *ctx, NnTuner *t, int kind, size_t rows, NnReal *after, const KeptRun *runs,
                     int count) {
  NnBackend *b = nn_graph_backend(t->model->graph);
  Step step = {t, rows, after};
  NnStepKey key = {.kind = kind, .rows = rows, .memory = after};
  int replayed = 0;
  for (int k = 0; k < OPTIMIZERS; k++)
    if (t->optimizer[k]) key.version += nn_optimizer_changes(t->optimizer[k]);
  const BtStatus st = nn_recorder_run(ctx, t->recorder, key,
                                      kind == TRAINING ? training_step : validation_step, &step, &replayed);
  if (st < 0) return st;
  if (replayed) nn_graph_replayed(t->model->graph);
  b->kernels->axpby(b, (size_t)count * TRACES, 1, t->trace, 0, t->traces + t->runs * TRACES);
  for (int i = 0; i < count; i++) t->kept[t->runs++] = runs[i];
  t->steps++;
  return b->check(ctx, b);
}

BtStatus nn_tuner_train(BtContext *ctx, NnTuner *t, size_t rows, double rate, double response_rate,
                        NnReal *after) {
  static const char what[] = "the training loss", response[] = "the response's training loss";
  const double rates[OPTIMIZERS] = {rate, response_rate, (double)NAN};
  const int joint = t->o.kind == NN_TUNER_STN, count = joint || t->o.kind == NN_TUNER_NONE ? 1 : 2;
  const KeptRun runs[STEP_RUNS] = {{what, TRAINING, 1, joint ? NN_GENERAL | NN_RESPONSE : NN_GENERAL},
                                   {response, TRAINING, 0, NN_RESPONSE}};
  const BtStatus st = prepare(ctx, t, rates, count);
  return st < 0 ? st : take(ctx, t, TRAINING, rows, after, runs, count);
}

BtStatus nn_tuner_validate(BtContext *ctx, NnTuner *t, size_t rows, double rate, NnReal *after) {
  const double rates[OPTIMIZERS] = {(double)NAN, (double)NAN, rate};
  const KeptRun run = {"the validation loss", VALIDATION, 1, NN_HYPER};
  if (!t->optimizer[HYPER]) return bt_fail(ctx, BT_ERR_ARG, "tuner: it tunes nothing");
  const BtStatus st = prepare(ctx, t, rates, 1);
  return st < 0 ? st : take(ctx, t, VALIDATION, rows, after, &run, 1);
}

int nn_tuner_full(const NnTuner *t) { return t->steps == NN_TUNER_STEPS; }
int64_t nn_tuner_replays(const NnTuner *t) { return nn_recorder_replays(t->recorder); }

/* `node`: as nn_graph_watch has left it. */
static BtStatus fail_nonfinite(BtContext *ctx, const NnGraph *g, const char *what, const char *first,
                               NnReal node) {
  const NnId id = (NnId)node;
  if (id < 0 || id >= nn_graph_nodes(g)) return bt_fail(ctx, BT_ERR_NUMERIC, "%s is not finite", what);
  return bt_fail(ctx, BT_ERR_NUMERIC, "%s is not finite; the first %s is not is %s (%s)", what, first,
                 nn_graph_name(g, id), nn_graph_op(g, id));
}

static BtStatus check_run(BtContext *ctx, const NnGraph *g, const KeptRun *run, const NnReal *trace) {
  if (!isfinite(trace[LOSS]) || !isfinite(trace[OBJECTIVE]))
    return fail_nonfinite(ctx, g, run->what, "tensor that", trace[NODE]);
  for (int k = 0; k < OPTIMIZERS; k++)
    if (run->groups & (int)groups_of[k] && !isfinite(trace[SQUARE + k]))
      return fail_nonfinite(ctx, g, "the gradient", "tensor whose gradient", trace[GRADIENT + k]);
  return BT_OK;
}

BtStatus nn_tuner_losses(BtContext *ctx, NnTuner *t, NnTunerLosses *losses) {
  const NnGraph *g = t->model->graph;
  NnBackend *b = nn_graph_backend(g);
  NnReal traces[RUNS][TRACES];
  const size_t runs = t->runs;
  losses->steps = t->runs = t->steps = 0;
  losses->validation = (double)NAN;
  if (runs == 0) return BT_OK;
  BtStatus st = b->download(ctx, b, traces, t->traces, runs * sizeof *traces);
  for (size_t i = 0; i < runs && st >= 0; i++) {
    const KeptRun *run = &t->kept[i];
    st = check_run(ctx, g, run, traces[i]);
    if (st < 0 && !run->leads && losses->steps > 0) losses->steps--; /* its step is not whole */
    if (st < 0 || !run->leads) continue;
    if (run->kind == VALIDATION)
      losses->validation = (double)traces[i][LOSS];
    else
      losses->training[losses->steps++] = (double)traces[i][LOSS];
  }
  return st;
}

NnOptimizer *nn_tuner_weights(NnTuner *t) { return t->optimizer[WEIGHTS]; }

static const char *const prefixes[OPTIMIZERS] = {"tuner.weights.", "tuner.response.", "tuner.hyper."};
static const char draws_name[] = "tuner.draws";

BtStatus nn_tuner_declare(BtContext *ctx, const NnTuner *t, BtTensorWriter *writer) {
  const size_t one = 1;
  BtStatus st = bt_tensors_declare(ctx, writer, draws_name, BT_TENSOR_I64, 1, &one);
  for (int i = 0; i < OPTIMIZERS && st >= 0; i++)
    if (t->optimizer[i]) st = nn_optimizer_declare(ctx, t->optimizer[i], writer, prefixes[i]);
  return st;
}

BtStatus nn_tuner_append(BtContext *ctx, const NnTuner *t, BtTensorWriter *writer) {
  BtStatus st = bt_tensors_append(ctx, writer, &t->draws, 1);
  for (int i = 0; i < OPTIMIZERS && st >= 0; i++)
    if (t->optimizer[i]) st = nn_optimizer_append(ctx, t->optimizer[i], writer);
  return st;
}

BtStatus nn_tuner_load(BtContext *ctx, NnTuner *t, BtTensorReader *reader) {
  BtStatus st = bt_tensors_read(ctx, reader, draws_name, BT_TENSOR_I64, 1, &t->draws);
  if (st >= 0 && t->draws < 0) st = bt_fail(ctx, BT_ERR_FORMAT, "%s: negative", draws_name);
  for (int i = 0; i < OPTIMIZERS && st >= 0; i++)
    if (t->optimizer[i]) st = nn_optimizer_load(ctx, t->optimizer[i], reader, prefixes[i]);
  return st;
}

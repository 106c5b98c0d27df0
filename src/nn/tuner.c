#include "nn/tuner.h"

#include <math.h>
#include <stdlib.h>

enum { WEIGHTS, RESPONSE, HYPER, OPTIMIZERS };
enum { RUNS = 2 * NN_TUNER_STEPS }; /* two of each step at most */

/* A run whose loss has been left on the backend, with what it descends behind it. */
typedef struct {
  const char *what;
  int leads; /* the run of a step whose loss is the step's */
} KeptRun;

struct NnTuner {
  NnTunerOptions o;
  NnTunerTraits traits;
  NnModel *model;
  NnOptimizer *optimizer[OPTIMIZERS]; /* NULL where there is nothing to move                  */
  int64_t draws;                      /* forward runs so far: the step that masks are drawn for */
  NnReal *values;                     /* [RUNS × 2] on the backend: loss and objective of kept runs */
  KeptRun kept[RUNS];
  size_t runs; /* of them in use */
};

NnTunerTraits nn_tuner_traits(NnTunerKind kind) {
  static const NnTunerTraits traits[] = {
      [NN_TUNER_NONE] = {0, 0, 0, NN_RESPONSE_OFF},
      [NN_TUNER_STN] = {1, 0, 0.01, NN_RESPONSE_FULL},
      [NN_TUNER_CSTN] = {1, 1, 0, NN_RESPONSE_OFF},
      [NN_TUNER_DSTN] = {1, 1, 0, NN_RESPONSE_OFF},
  };
  return traits[kind];
}

static BtStatus create_optimizer(BtContext *ctx, NnTuner *t, const NnOptimizerOptions *o, NnGroup group,
                                 int which) {
  return nn_optimizer_create(ctx, o, t->model->graph, group, &t->optimizer[which]);
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
  BT_TRY(create_optimizer(ctx, t, &o->weights, NN_GENERAL, WEIGHTS));
  if (t->traits.responds) {
    BT_TRY(create_optimizer(ctx, t, &o->response, NN_RESPONSE, RESPONSE));
    BT_TRY(create_optimizer(ctx, t, &o->hyper, NN_HYPER, HYPER));
  }
  NnBackend *b = nn_graph_backend(model->graph);
  BT_TRY(b->allocate(ctx, b, 2 * RUNS * sizeof(NnReal), (void **)&t->values));
  *tuner = t;
  return BT_OK;
done:
  nn_tuner_destroy(t);
  return st;
}

void nn_tuner_destroy(NnTuner *t) {
  if (!t) return;
  NnBackend *b = nn_graph_backend(t->model->graph);
  for (int i = 0; i < OPTIMIZERS; i++) nn_optimizer_destroy(t->optimizer[i]);
  if (t->values) b->release(b, t->values);
  free(t);
}

static BtStatus fail_nonfinite(BtContext *ctx, const NnModel *m, const char *what) {
  NnId node;
  const BtStatus st = nn_graph_find_nonfinite(ctx, m->graph, &node);
  if (st < 0) return st;
  if (node == NN_NONE) return bt_fail(ctx, BT_ERR_NUMERIC, "%s is not finite", what);
  return bt_fail(ctx, BT_ERR_NUMERIC, "%s is not finite; the first tensor that is not is %s (%s)", what,
                 nn_graph_name(m->graph, node), nn_graph_op(m->graph, node));
}

static BtStatus keep(BtContext *ctx, NnTuner *t, NnId scalar, const char *what, int leads) {
  NnBackend *b = nn_graph_backend(t->model->graph);
  if (t->runs == RUNS) return bt_fail(ctx, BT_ERR_ARG, "tuner: more than %d losses unread", RUNS);
  NnReal *to = t->values + 2 * t->runs;
  b->kernels->axpby(b, 1, 1, nn_graph_value(t->model->graph, t->model->loss), 0, to);
  b->kernels->axpby(b, 1, 1, nn_graph_value(t->model->graph, scalar), 0, to + 1);
  t->kept[t->runs++] = (KeptRun){what, leads};
  return BT_OK;
}

BtStatus nn_tuner_losses(BtContext *ctx, NnTuner *t, double *losses, size_t *count) {
  NnReal values[2 * RUNS];
  NnBackend *b = nn_graph_backend(t->model->graph);
  const size_t runs = t->runs;
  *count = t->runs = 0;
  if (runs == 0) return BT_OK;
  const BtStatus st = b->download(ctx, b, values, t->values, 2 * runs * sizeof *values);
  if (st < 0) return st;
  for (size_t i = 0; i < runs; i++) {
    if (isfinite(values[2 * i]) && isfinite(values[2 * i + 1])) {
      if (t->kept[i].leads) losses[(*count)++] = (double)values[2 * i];
      continue;
    }
    if (!t->kept[i].leads && *count > 0) (*count)--; /* the step whose second run failed is not whole */
    return fail_nonfinite(ctx, t->model, t->kept[i].what);
  }
  return BT_OK;
}

/* Forward, with the loss's value checked, or kept if loss is NULL, and backward from `scalar`. */
static BtStatus gradient(BtContext *ctx, NnTuner *t, NnRun run, NnId scalar, int groups, const char *what,
                         NnReal *after, double *loss) {
  NnModel *m = t->model;
  const int leads = groups != NN_RESPONSE;
  BtStatus st = BT_OK;
  run.seed = t->o.seed;
  run.step = (uint64_t)t->draws++;
  BT_TRY(nn_graph_forward(ctx, m->graph, &run));
  if (loss) {
    NnReal value[2] = {0, 0};
    BT_TRY(nn_graph_get(ctx, m->graph, m->loss, &value[0], 1));
    if (scalar != m->loss) BT_TRY(nn_graph_get(ctx, m->graph, scalar, &value[1], 1));
    if (!isfinite(value[0]) || !isfinite(value[1])) return fail_nonfinite(ctx, m, what);
    if (leads) *loss = (double)value[0];
  } else {
    BT_TRY(keep(ctx, t, scalar, what, leads));
  }
  if (after) BT_TRY(nn_model_get_state(ctx, m, run.batch, after));
  BT_TRY(nn_graph_gradient(ctx, m->graph, scalar, groups));
done:
  return st;
}

static BtStatus descend(BtContext *ctx, NnTuner *t, int which, double rate) {
  const BtStatus st = nn_optimizer_step(ctx, t->optimizer[which], rate, NULL);
  return st == BT_ERR_NUMERIC ? fail_nonfinite(ctx, t->model, "the gradient") : st;
}

/* W and b at λ itself: the general step of the centred networks, the only one without tuning. */
static BtStatus general_step(BtContext *ctx, NnTuner *t, size_t rows, double rate, NnReal *after,
                             double *loss) {
  const NnRun run = {.batch = rows, .training = 1};
  BtStatus st = gradient(ctx, t, run, t->model->objective, NN_GENERAL, "the training loss", after, loss);
  if (st >= 0) st = descend(ctx, t, WEIGHTS, rate);
  return st;
}

/* U, u, V, C at perturbed hyperparameters. */
static BtStatus response_step(BtContext *ctx, NnTuner *t, size_t rows, double rate, NnResponseMode mode,
                              double *loss) {
  const NnRun run = {.batch = rows, .training = 1, .perturbed = 1, .response = mode, .keep_statistics = 1};
  BtStatus st =
      gradient(ctx, t, run, t->model->objective, NN_RESPONSE, "the response's training loss", NULL, loss);
  if (st >= 0) st = descend(ctx, t, RESPONSE, rate);
  return st;
}

/* All of them at once. */
static BtStatus joint_step(BtContext *ctx, NnTuner *t, size_t rows, double rate, double response_rate,
                           NnReal *after, double *loss) {
  const NnRun run = {.batch = rows, .training = 1, .perturbed = 1, .response = NN_RESPONSE_FULL};
  BtStatus st =
      gradient(ctx, t, run, t->model->objective, NN_GENERAL | NN_RESPONSE, "the training loss", after, loss);
  if (st >= 0) st = descend(ctx, t, WEIGHTS, rate);
  if (st >= 0) st = descend(ctx, t, RESPONSE, response_rate);
  return st;
}

BtStatus nn_tuner_train(BtContext *ctx, NnTuner *t, size_t rows, double rate, double response_rate,
                        NnReal *after, double *loss) {
  if (t->o.kind == NN_TUNER_STN) return joint_step(ctx, t, rows, rate, response_rate, after, loss);
  BtStatus st = general_step(ctx, t, rows, rate, after, loss);
  if (st >= 0 && t->o.kind == NN_TUNER_CSTN)
    st = response_step(ctx, t, rows, response_rate, NN_RESPONSE_FULL, loss);
  if (st >= 0 && t->o.kind == NN_TUNER_DSTN)
    st = response_step(ctx, t, rows, response_rate, NN_RESPONSE_LINEARISED, loss);
  return st;
}

BtStatus nn_tuner_validate(BtContext *ctx, NnTuner *t, size_t rows, double rate, NnReal *after,
                           double *loss) {
  const NnModel *m = t->model;
  const NnRun run = {.batch = rows, .perturbed = !t->o.fixed_scales, .response = NN_RESPONSE_FULL};
  if (!t->optimizer[HYPER]) return bt_fail(ctx, BT_ERR_ARG, "tuner: it tunes nothing");
  BtStatus st = gradient(ctx, t, run, t->o.fixed_scales ? m->loss : m->upper, NN_HYPER, "the validation loss",
                         after, loss);
  if (st >= 0) st = descend(ctx, t, HYPER, rate);
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

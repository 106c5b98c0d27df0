#include "nn/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define STATES 2

struct NnOptimizer {
  NnOptimizerOptions o;
  NnBackend *backend;
  NnReal *weights, *gradient; /* of the graph */
  NnReal *state[STATES];      /* NULL where the kind needs none */
  NnReal *norm;               /* one number on the backend */
  size_t count;
  int64_t steps;
};

NnOptimizerOptions nn_optimizer_defaults(NnOptimizerKind kind) {
  return (NnOptimizerOptions){.kind = kind, .beta1 = 0.9, .beta2 = 0.999, .alpha = 0.99, .epsilon = 1e-8};
}

static int fraction(double x) { return x >= 0 && x < 1; }

static BtStatus check(BtContext *ctx, const NnOptimizerOptions *o) {
  if (!fraction(o->momentum))
    return bt_fail(ctx, BT_ERR_ARG, "optimizer: momentum %g is not in [0, 1)", o->momentum);
  if (!(o->decay >= 0) || !isfinite(o->decay))
    return bt_fail(ctx, BT_ERR_ARG, "optimizer: decay %g", o->decay);
  if (!(o->clip >= 0)) return bt_fail(ctx, BT_ERR_ARG, "optimizer: clip %g is negative", o->clip);
  switch (o->kind) {
    case NN_SGD:
      if (o->nesterov && o->momentum == 0)
        return bt_fail(ctx, BT_ERR_ARG, "optimizer: Nesterov needs momentum");
      return BT_OK;
    case NN_ADAM:
    case NN_ADAMW:
      if (!fraction(o->beta1) || !fraction(o->beta2))
        return bt_fail(ctx, BT_ERR_ARG, "optimizer: beta1 %g or beta2 %g is not in [0, 1)", o->beta1,
                       o->beta2);
      break;
    case NN_RMSPROP:
      if (!fraction(o->alpha))
        return bt_fail(ctx, BT_ERR_ARG, "optimizer: alpha %g is not in [0, 1)", o->alpha);
      break;
    default: return bt_fail(ctx, BT_ERR_ARG, "optimizer: no such kind");
  }
  if (!(o->epsilon > 0)) return bt_fail(ctx, BT_ERR_ARG, "optimizer: epsilon %g is not positive", o->epsilon);
  return BT_OK;
}

static int state_count(const NnOptimizerOptions *o) {
  switch (o->kind) {
    case NN_SGD: return o->momentum > 0 ? 1 : 0;
    case NN_RMSPROP: return o->momentum > 0 ? 2 : 1;
    default: return 2;
  }
}

BtStatus nn_optimizer_create(BtContext *ctx, const NnOptimizerOptions *options, NnGraph *graph, NnGroup group,
                             NnOptimizer **optimizer) {
  BtStatus st = check(ctx, options);
  *optimizer = NULL;
  if (st < 0) return st;
  NnOptimizer *p = calloc(1, sizeof *p);
  if (!p) return bt_fail_memory(ctx, "optimizer", sizeof *p);
  p->o = *options;
  p->backend = nn_graph_backend(graph);
  p->weights = nn_graph_group_values(graph, group, &p->count);
  p->gradient = nn_graph_group_adjoints(graph, group, &p->count);
  if (!p->weights || p->count == 0)
    BT_TRY(bt_fail(ctx, BT_ERR_ARG, "optimizer: the group has no parameters, or the graph is not closed"));
  for (int i = 0; i < state_count(options); i++)
    BT_TRY(p->backend->allocate(ctx, p->backend, p->count * sizeof(NnReal), (void **)&p->state[i]));
  BT_TRY(p->backend->allocate(ctx, p->backend, sizeof(NnReal), (void **)&p->norm));
  *optimizer = p;
  return BT_OK;
done:
  nn_optimizer_destroy(p);
  return st;
}

void nn_optimizer_destroy(NnOptimizer *p) {
  if (!p) return;
  for (int i = 0; i < STATES; i++)
    if (p->state[i]) p->backend->release(p->backend, p->state[i]);
  if (p->norm) p->backend->release(p->backend, p->norm);
  free(p);
}

static BtStatus clip(BtContext *ctx, NnOptimizer *p, double *norm) {
  const NnKernels *k = p->backend->kernels;
  NnReal square;
  k->dot(p->backend, p->count, 1, p->gradient, p->gradient, 0, p->norm);
  const BtStatus st = p->backend->download(ctx, p->backend, &square, p->norm, sizeof square);
  if (st < 0) return st;
  const double length = sqrt((double)square);
  if (norm) *norm = length;
  if (!isfinite(length)) return bt_fail(ctx, BT_ERR_NUMERIC, "optimizer: the gradient's norm is not finite");
  if (p->o.clip > 0 && length > p->o.clip)
    k->axpby(p->backend, p->count, (NnReal)(p->o.clip / length), p->gradient, 0, p->gradient);
  return BT_OK;
}

BtStatus nn_optimizer_step(BtContext *ctx, NnOptimizer *p, double rate, double *norm) {
  const NnKernels *k = p->backend->kernels;
  const NnOptimizerOptions *o = &p->o;
  if (!isfinite(rate)) return bt_fail(ctx, BT_ERR_ARG, "optimizer: the rate is not finite");
  if (norm || o->clip > 0) {
    const BtStatus st = clip(ctx, p, norm);
    if (st < 0) return st;
  }
  p->steps++;
  switch (o->kind) {
    case NN_SGD: {
      const NnSgd s = {rate, o->momentum, o->decay, o->nesterov};
      k->sgd(p->backend, &s, p->count, p->gradient, p->weights, p->state[0]);
      break;
    }
    case NN_ADAM:
    case NN_ADAMW: {
      const NnAdam s = {rate,
                        o->beta1,
                        o->beta2,
                        o->epsilon,
                        o->decay,
                        1 - pow(o->beta1, (double)p->steps),
                        1 - pow(o->beta2, (double)p->steps),
                        o->kind == NN_ADAMW};
      k->adam(p->backend, &s, p->count, p->gradient, p->weights, p->state[0], p->state[1]);
      break;
    }
    case NN_RMSPROP: {
      const NnRmsprop s = {rate, o->alpha, o->epsilon, o->momentum, o->decay};
      k->rmsprop(p->backend, &s, p->count, p->gradient, p->weights, p->state[0], p->state[1]);
      break;
    }
  }
  return p->backend->check(ctx, p->backend);
}

int64_t nn_optimizer_steps(const NnOptimizer *p) { return p->steps; }
void nn_optimizer_set_steps(NnOptimizer *p, int64_t steps) { p->steps = steps; }
const NnOptimizerOptions *nn_optimizer_options(const NnOptimizer *p) { return &p->o; }

BtStatus nn_optimizer_change(BtContext *ctx, NnOptimizer *p, const NnOptimizerOptions *options) {
  const BtStatus st = check(ctx, options);
  if (st < 0) return st;
  if (options->kind != p->o.kind || state_count(options) != state_count(&p->o))
    return bt_fail(ctx, BT_ERR_ARG, "optimizer: kind and the use of momentum cannot change during a run");
  p->o = *options;
  return BT_OK;
}

NnReal *nn_optimizer_state(const NnOptimizer *p, int which, size_t *count) {
  *count = p->count;
  return which >= 0 && which < STATES ? p->state[which] : NULL;
}

static void state_name(char name[256], const char *prefix, int i) {
  snprintf(name, 256, "%sstate%d", prefix, i);
}

BtStatus nn_optimizer_declare(BtContext *ctx, const NnOptimizer *p, BtTensorWriter *writer,
                              const char *prefix) {
  const size_t one = 1;
  char name[256];
  snprintf(name, sizeof name, "%ssteps", prefix);
  BtStatus st = bt_tensors_declare(ctx, writer, name, BT_TENSOR_I64, 1, &one);
  for (int i = 0; i < STATES && st >= 0; i++) {
    if (!p->state[i]) continue;
    state_name(name, prefix, i);
    st = bt_tensors_declare(ctx, writer, name, NN_REAL_TENSOR, 1, &p->count);
  }
  return st;
}

BtStatus nn_optimizer_append(BtContext *ctx, const NnOptimizer *p, BtTensorWriter *writer) {
  BtStatus st = bt_tensors_append(ctx, writer, &p->steps, 1);
  NnReal *host = malloc(p->count * sizeof *host);
  if (!host) return bt_fail_memory(ctx, "optimizer", (double)(p->count * sizeof *host));
  for (int i = 0; i < STATES && st >= 0; i++) {
    if (!p->state[i]) continue;
    st = p->backend->download(ctx, p->backend, host, p->state[i], p->count * sizeof *host);
    if (st >= 0) st = bt_tensors_append(ctx, writer, host, p->count);
  }
  free(host);
  return st;
}

BtStatus nn_optimizer_load(BtContext *ctx, NnOptimizer *p, BtTensorReader *reader, const char *prefix) {
  char name[256];
  int64_t steps;
  snprintf(name, sizeof name, "%ssteps", prefix);
  BtStatus st = bt_tensors_read(ctx, reader, name, BT_TENSOR_I64, 1, &steps);
  if (st >= 0 && steps < 0) st = bt_fail(ctx, BT_ERR_FORMAT, "%s: negative", name);
  NnReal *host = malloc(p->count * sizeof *host);
  if (!host) return bt_fail_memory(ctx, "optimizer", (double)(p->count * sizeof *host));
  for (int i = 0; i < STATES && st >= 0; i++) {
    if (!p->state[i]) continue;
    state_name(name, prefix, i);
    st = bt_tensors_read(ctx, reader, name, NN_REAL_TENSOR, p->count, host);
    if (st >= 0) st = p->backend->upload(ctx, p->backend, p->state[i], host, p->count * sizeof *host);
  }
  if (st >= 0) p->steps = steps;
  free(host);
  return st;
}

#include "nn/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES 2

struct NnOptimizer {
  NnOptimizerOptions o;
  NnBackend *backend;
  NnReal *weights, *gradient; /* of the graph */
  NnReal *state[STATES];      /* NULL where the kind needs none */
  NnUpdate *update;           /* on the backend, for nn_optimizer_step    */
  NnReal *square;             /* likewise: the gradient's squared norm    */
  size_t count;
  int64_t steps, changes;
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
  BT_TRY(p->backend->allocate(ctx, p->backend, sizeof *p->update, (void **)&p->update));
  BT_TRY(p->backend->allocate(ctx, p->backend, sizeof *p->square, (void **)&p->square));
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
  if (p->update) p->backend->release(p->backend, p->update);
  if (p->square) p->backend->release(p->backend, p->square);
  free(p);
}

BtStatus nn_optimizer_next(BtContext *ctx, NnOptimizer *p, double rate, NnUpdate *u) {
  const NnOptimizerOptions *o = &p->o;
  if (!isfinite(rate)) return bt_fail(ctx, BT_ERR_ARG, "optimizer: the rate is not finite");
  p->steps++;
  memset(u, 0, sizeof *u);
  switch (o->kind) {
    case NN_SGD: u->sgd = (NnSgd){(NnReal)rate, (NnReal)o->momentum, (NnReal)o->decay, o->nesterov}; break;
    case NN_ADAM:
    case NN_ADAMW: {
      const int decoupled = o->kind == NN_ADAMW;
      u->adam = (NnAdam){.beta1 = (NnReal)o->beta1,
                         .beta2 = (NnReal)o->beta2,
                         .epsilon = (NnReal)o->epsilon,
                         .step = (NnReal)(rate / (1 - pow(o->beta1, (double)p->steps))),
                         .root = (NnReal)(1 / sqrt(1 - pow(o->beta2, (double)p->steps))),
                         .added = decoupled ? 0 : (NnReal)o->decay,
                         .shrink = decoupled ? (NnReal)(1 - rate * o->decay) : 1};
      break;
    }
    case NN_RMSPROP:
      u->rmsprop = (NnRmsprop){(NnReal)rate, (NnReal)o->alpha, (NnReal)o->epsilon, (NnReal)o->momentum,
                               (NnReal)o->decay};
      break;
  }
  return BT_OK;
}

static void measure(NnOptimizer *p, NnReal *square) {
  p->backend->kernels->dot(p->backend, p->count, 1, p->gradient, p->gradient, 0, square);
}

/* Clips the gradient, whose squared norm is there, and moves the weights. */
static void move(NnOptimizer *p, const NnUpdate *u, const NnReal *square) {
  NnBackend *b = p->backend;
  const NnKernels *k = b->kernels;
  if (p->o.clip > 0) k->clip(b, p->count, p->o.clip, square, p->gradient);
  switch (p->o.kind) {
    case NN_SGD: k->sgd(b, &u->sgd, p->count, p->gradient, p->weights, p->state[0]); break;
    case NN_ADAM:
    case NN_ADAMW: k->adam(b, &u->adam, p->count, p->gradient, p->weights, p->state[0], p->state[1]); break;
    case NN_RMSPROP:
      k->rmsprop(b, &u->rmsprop, p->count, p->gradient, p->weights, p->state[0], p->state[1]);
      break;
  }
}

void nn_optimizer_apply(NnOptimizer *p, const NnUpdate *update, NnReal *square) {
  if (p->o.clip > 0) measure(p, square);
  move(p, update, square);
}

static BtStatus read_norm(BtContext *ctx, NnOptimizer *p, double *norm) {
  NnReal square;
  const BtStatus st = p->backend->download(ctx, p->backend, &square, p->square, sizeof square);
  if (st < 0) return st;
  *norm = sqrt((double)square);
  return isfinite(*norm) ? BT_OK
                         : bt_fail(ctx, BT_ERR_NUMERIC, "optimizer: the gradient's norm is not finite");
}

BtStatus nn_optimizer_step(BtContext *ctx, NnOptimizer *p, double rate, double *norm) {
  NnUpdate update;
  BtStatus st = BT_OK;
  if (norm || p->o.clip > 0) measure(p, p->square);
  if (norm) BT_TRY(read_norm(ctx, p, norm));
  BT_TRY(nn_optimizer_next(ctx, p, rate, &update));
  BT_TRY(p->backend->upload(ctx, p->backend, p->update, &update, sizeof update));
  move(p, p->update, p->square);
  st = p->backend->check(ctx, p->backend);
done:
  return st;
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
  p->changes++;
  return BT_OK;
}

int64_t nn_optimizer_changes(const NnOptimizer *p) { return p->changes; }

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
    st = bt_tensors_read_finite(ctx, reader, name, NN_REAL_TENSOR, p->count, host);
    if (st >= 0) st = p->backend->upload(ctx, p->backend, p->state[i], host, p->count * sizeof *host);
  }
  if (st >= 0) p->steps = steps;
  free(host);
  return st;
}

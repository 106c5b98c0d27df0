#include "bench_response.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must(BtStatus st, const BtContext *ctx) {
  if (st >= 0) return;
  fprintf(stderr, "%s\n", ctx->error);
  exit(1);
}

void *room(size_t count) {
  void *p = calloc(count, sizeof(double));
  if (!p) exit(1);
  return p;
}

double dot(size_t n, const double *a, const double *b) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static NnLoader *loader(Net *t, NnSplit split, size_t batch, uint64_t seed, int shuffle) {
  const NnLoaderOptions o = {.split = split, .batch = batch, .seed = seed, .shuffle = shuffle};
  NnLoader *l;
  must(nn_loader_create(&t->ctx, t->data, &o, &l), &t->ctx);
  return l;
}

/* The optimizer of the response: the task's, or Adam. */
void open_tuner(Net *t, const Options *o, NnTunerKind kind, int adam) {
  const NnTunerOptions tuner = {.kind = kind,
                                .fixed_scales = 1,
                                .seed = o->seed,
                                .weights = t->task->weights.options,
                                .response = adam ? nn_optimizer_defaults(NN_ADAM) : t->task->response.options,
                                .hyper = t->task->tuning.options};
  must(nn_tuner_create(&t->ctx, &tuner, t->model, &t->tuner), &t->ctx);
}

void open_net(Net *t, const Options *o, NnTunerKind kind, const double *values) {
  *t = (Net){0};
  bt_context_init(&t->ctx);
  BtContext *ctx = &t->ctx;
  must(nn_backend_open(ctx, "cpu", 1, &t->backend), ctx);
  must(nn_task_load(ctx, o->task, &t->task), ctx);
  t->n = t->task->hyper.count;
  if (t->n > MOST_HYPER) must(bt_fail(ctx, BT_ERR_ARG, "more than %d hyperparameters", MOST_HYPER), ctx);
  for (size_t k = 0; k < t->n && o->scale > 0; k++) t->task->hyper.item[k].scale = o->scale;
  must(nn_data_open(ctx, &t->task->data, &t->data), ctx);
  const NnTunerTraits traits = nn_tuner_traits(kind);
  const NnProblem problem = nn_problem(nn_data_info(t->data));
  const NnModelOptions mo = {.max_batch = (size_t)t->task->batch,
                             .responds = traits.responds,
                             .centred = traits.centred,
                             .entropy = t->task->entropy};
  must(nn_model_create(ctx, t->backend, o->task, t->task->model, &t->task->hyper, &problem, &mo, &t->model),
       ctx);
  must(nn_model_initial(ctx, t->model, o->seed, traits.deviation, values), ctx);
  open_tuner(t, o, kind, o->adam > 0);
  memcpy(t->rows, nn_data_info(t->data)->rows, sizeof t->rows);
  t->train = loader(t, NN_TRAIN, mo.max_batch, o->seed, 1);
  t->valid = loader(t, NN_VALID, mo.max_batch, o->seed, 0);
  const NnGraph *g = t->model->graph;
  for (NnId i = 0; i < nn_graph_nodes(g) && t->nodes < MOST_NODES; i++)
    if (nn_graph_group(g, i) == NN_GENERAL) {
      t->node[t->nodes++] = i;
      t->weights += nn_shape_size(nn_graph_shape(g, i));
    }
}

void close_net(Net *t) {
  nn_loader_destroy(t->train);
  nn_loader_destroy(t->valid);
  nn_tuner_destroy(t->tuner);
  nn_model_destroy(t->model);
  nn_data_close(t->data);
  nn_task_free(t->task);
  nn_backend_close(t->backend);
}

static void feed(Net *t, NnLoader *l, uint64_t epoch, size_t index, NnBatch *batch) {
  const NnModel *m = t->model;
  must(nn_loader_get(&t->ctx, l, epoch, index, batch), &t->ctx);
  must(nn_graph_set(&t->ctx, m->graph, m->x, batch->x, batch->rows * nn_shape_size(m->problem.x)), &t->ctx);
  must(nn_graph_set(&t->ctx, m->graph, m->label, batch->label, batch->rows * nn_shape_size(m->problem.label)),
       &t->ctx);
}

void train(Net *t, int64_t first, int64_t last, double rate, double response_rate) {
  NnBatch batch;
  NnTunerLosses losses;
  for (int64_t e = first; e < last; e++)
    for (size_t i = 0; i < nn_loader_batches(t->train); i++) {
      feed(t, t->train, (uint64_t)e, i, &batch);
      must(nn_tuner_train(&t->ctx, t->tuner, batch.rows, rate, response_rate, NULL), &t->ctx);
      must(nn_tuner_losses(&t->ctx, t->tuner, &losses), &t->ctx);
    }
}

double pass(Net *t, NnLoader *l, size_t rows, NnRun run, NnId scalar, int groups, Gather *gather,
            double *sum) {
  double loss = 0;
  for (size_t i = 0; i < nn_loader_batches(l); i++) {
    NnBatch batch;
    NnReal value;
    feed(t, l, 0, i, &batch);
    const double weight = (double)batch.rows / (double)rows;
    run.batch = batch.rows;
    run.step = run.step * 1000 + i;
    must(nn_graph_forward(&t->ctx, t->model->graph, &run), &t->ctx);
    run.step /= 1000;
    must(nn_graph_get(&t->ctx, t->model->graph, t->model->loss, &value, 1), &t->ctx);
    loss += weight * (double)value;
    if (!gather) continue;
    must(nn_graph_gradient(&t->ctx, t->model->graph, scalar, groups), &t->ctx);
    gather(t, weight, sum);
  }
  return loss;
}

double valid_loss(Net *t, NnTunerKind kind) {
  const NnRun run = {.response = nn_tuner_traits(kind).evaluation};
  return pass(t, t->valid, t->rows[NN_VALID], run, NN_NONE, 0, NULL, NULL);
}

void gather_lambda(Net *t, double weight, double *sum) {
  NnReal g[MOST_HYPER];
  must(nn_graph_get_adjoint(&t->ctx, t->model->graph, t->model->nodes.lambda, g, t->n), &t->ctx);
  for (size_t k = 0; k < t->n; k++) sum[k] += weight * (double)g[k];
}

void gather_weights(Net *t, double weight, double *sum) {
  const NnGraph *g = t->model->graph;
  NnReal *x = room(t->weights);
  size_t at = 0;
  for (int i = 0; i < t->nodes; i++) {
    const size_t count = nn_shape_size(nn_graph_shape(g, t->node[i]));
    must(nn_graph_get_adjoint(&t->ctx, g, t->node[i], x, count), &t->ctx);
    for (size_t j = 0; j < count; j++) sum[at + j] += weight * (double)x[j];
    at += count;
  }
  free(x);
}

NnLoader *ordered(Net *t) { return loader(t, NN_TRAIN, (size_t)t->task->batch, 0, 0); }

static void set_lambda(Net *t, const NnReal *lambda) {
  must(nn_graph_set(&t->ctx, t->model->graph, t->model->nodes.lambda, lambda, t->n), &t->ctx);
}

void mixed_derivative(Net *t, const Options *o, double *M) {
  NnReal lambda[MOST_HYPER];
  NnLoader *l = ordered(t);
  double *side = room(t->weights);
  must(nn_graph_get(&t->ctx, t->model->graph, t->model->nodes.lambda, lambda, t->n), &t->ctx);
  for (size_t k = 0; k < t->n; k++) {
    double *column = M + k * t->weights;
    memset(column, 0, t->weights * sizeof *column);
    for (int sign = 1; sign >= -1; sign -= 2) {
      NnReal moved[MOST_HYPER];
      memcpy(moved, lambda, t->n * sizeof *moved);
      moved[k] += (NnReal)(sign * o->h);
      set_lambda(t, moved);
      memset(side, 0, t->weights * sizeof *side);
      for (int m = 0; m < o->masks; m++) {
        const NnRun run = {.training = 1, .seed = 99, .step = (uint64_t)m + 1};
        (void)pass(t, l, t->rows[NN_TRAIN], run, t->model->loss, NN_GENERAL, gather_weights, side);
      }
      for (size_t j = 0; j < t->weights; j++) column[j] += sign * side[j] / (2 * o->h * o->masks);
    }
  }
  set_lambda(t, lambda);
  nn_loader_destroy(l);
  free(side);
}

static void seed_weights(Net *t, const double *v) {
  NnReal *x = room(t->weights);
  for (int i = 0; i < t->nodes; i++) {
    const size_t count = nn_shape_size(nn_graph_shape(t->model->graph, t->node[i]));
    for (size_t j = 0; j < count; j++) x[j] = (NnReal)v[j];
    must(nn_graph_seed_tangent(&t->ctx, t->model->graph, t->node[i], x, count), &t->ctx);
    v += count;
  }
  free(x);
}

/* u ← H u for the cross-entropy of logits y: H = diag(p) − p pᵀ. */
static void logit_curvature(size_t rows, size_t classes, const NnReal *y, NnReal *u) {
  for (size_t r = 0; r < rows; r++, y += classes, u += classes) {
    double most = (double)y[0], sum = 0, mean = 0;
    for (size_t c = 1; c < classes; c++) most = fmax(most, (double)y[c]);
    for (size_t c = 0; c < classes; c++) sum += exp((double)y[c] - most);
    for (size_t c = 0; c < classes; c++) mean += exp((double)y[c] - most) / sum * (double)u[c];
    for (size_t c = 0; c < classes; c++)
      u[c] = (NnReal)(exp((double)y[c] - most) / sum * ((double)u[c] - mean));
  }
}

void gauss_newton(Net *t, const Options *o, NnLoader *l, const double *v, double *Gv) {
  NnGraph *g = t->model->graph;
  const size_t classes = t->model->problem.classes, most = (size_t)t->task->batch * classes;
  NnReal *y = room(most), *u = room(most);
  memset(Gv, 0, t->weights * sizeof *Gv);
  for (int m = 0; m < o->masks; m++)
    for (size_t i = 0; i < nn_loader_batches(l); i++) {
      NnBatch batch;
      feed(t, l, 0, i, &batch);
      const NnRun run = {
          .batch = batch.rows, .training = 1, .seed = 99, .step = 1000 * ((uint64_t)m + 1) + i};
      const size_t count = batch.rows * classes;
      must(nn_graph_forward(&t->ctx, g, &run), &t->ctx);
      seed_weights(t, v);
      must(nn_graph_tangent(&t->ctx, g), &t->ctx);
      must(nn_graph_get(&t->ctx, g, t->model->output, y, count), &t->ctx);
      must(nn_graph_get_tangent(&t->ctx, g, t->model->output, u, count), &t->ctx);
      logit_curvature(batch.rows, classes, y, u);
      must(nn_graph_seed_adjoint(&t->ctx, g, t->model->output, u, count), &t->ctx);
      must(nn_graph_backward(&t->ctx, g, NN_GENERAL), &t->ctx);
      gather_weights(t, 1 / ((double)t->rows[NN_TRAIN] * o->masks), Gv);
    }
  free(y);
  free(u);
}

int solve(Net *t, const Options *o, NnLoader *l, double d, const double *b, double *x) {
  const size_t n = t->weights;
  double *r = room(n), *p = room(n), *q = room(n);
  int k = 1;
  gauss_newton(t, o, l, x, q);
  for (size_t i = 0; i < n; i++) p[i] = r[i] = b[i] - q[i] - d * x[i];
  const double stop = 1e-6 * dot(n, b, b);
  double rho = dot(n, r, r);
  for (; k < o->cg && rho > stop; k++) {
    gauss_newton(t, o, l, p, q);
    for (size_t i = 0; i < n; i++) q[i] += d * p[i];
    const double a = rho / dot(n, p, q), before = rho;
    for (size_t i = 0; i < n; i++) x[i] += a * p[i], r[i] -= a * q[i];
    rho = dot(n, r, r);
    for (size_t i = 0; i < n; i++) p[i] = r[i] + rho / before * p[i];
  }
  free(r);
  free(p);
  free(q);
  return k;
}

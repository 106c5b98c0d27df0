/* bitune nn check: gradients against differences of losses, and a device against the CPU, on the small
 * built-in tasks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "nn/loader.h"
#include "nn/nn.h"

enum { ROWS = 20, SEED = 7 };
/* Single precision and kinks of ReLU allow no more for a difference; two devices add in different orders. */
static const double gradient_tolerance = 1e-2, parity_tolerance = 1e-3;
/* Responses far from zero, so that every derivative has something to say. */
static const double deviation = 0.1;

static const char *const tasks[] = {"tiny-mlp", "tiny-cnn", "tiny-lstm"};

typedef enum { OBJECTIVE, UPPER } Scalar;
typedef struct {
  const char *name;
  NnResponseMode response;
  int training;
  Scalar scalar;
  int groups;
} Mode;
static const Mode modes[] = {
    {"weights", NN_RESPONSE_OFF, 1, OBJECTIVE, NN_GENERAL},
    {"weights and response", NN_RESPONSE_FULL, 1, OBJECTIVE, NN_GENERAL | NN_RESPONSE},
    {"linearised response", NN_RESPONSE_LINEARISED, 1, OBJECTIVE, NN_RESPONSE},
    {"hyperparameters", NN_RESPONSE_FULL, 0, UPPER, NN_HYPER},
};
enum { MODES = sizeof modes / sizeof *modes };

/* A model of a task with a batch of its data. Not centred: a difference in lambda would move the centre
 * along. */
typedef struct {
  NnBackend *backend;
  NnData *data;
  NnLoader *loader;
  NnModel *model;
} Net;

static void clear(Net *n) {
  nn_model_destroy(n->model);
  nn_loader_destroy(n->loader);
  nn_data_close(n->data);
  nn_backend_close(n->backend);
}

/* The caller clears the net, even after an error or a stop. */
static BtStatus open_net(BtContext *ctx, const BtNn *set, const char *device, const NnTask *task, Net *n) {
  BtStatus st = BT_OK;
  NnBatch batch;
  NnDataOptions o = task->data;
  const NnLoaderOptions loader = {.split = NN_TRAIN, .batch = ROWS, .seed = SEED, .shuffle = 1};
  const NnModelOptions m = {.max_batch = ROWS, .responds = 1, .entropy = 1e-3};
  *n = (Net){0};
  o.count = task->data.kind == NN_DATA_TOKENS ? 4000 : 200;
  BT_TRY(nn_backend_open(ctx, device, bt_nn_threads(set), &n->backend));
  BT_COMPLETE(nn_data_open(ctx, &o, &n->data));
  BT_TRY(nn_loader_create(ctx, n->data, &loader, &n->loader));
  const NnProblem problem = nn_problem(nn_data_info(n->data));
  BT_TRY(nn_model_create(ctx, n->backend, task->file, task->model, &task->hyper, &problem, &m, &n->model));
  BT_TRY(nn_model_initial(ctx, n->model, SEED, deviation, NULL));
  BT_TRY(nn_loader_get(ctx, n->loader, 0, 0, &batch));
  BT_TRY(nn_graph_set(ctx, n->model->graph, n->model->x, batch.x, ROWS * nn_shape_size(problem.x)));
  BT_TRY(
      nn_graph_set(ctx, n->model->graph, n->model->label, batch.label, ROWS * nn_shape_size(problem.label)));
done:
  return st;
}

static NnRun run_of(const Mode *m) {
  return (NnRun){.batch = ROWS,
                 .seed = SEED,
                 .step = 1,
                 .response = m->response,
                 .training = m->training,
                 .perturbed = m->response != NN_RESPONSE_OFF,
                 .keep_statistics = 1};
}

static BtStatus value(BtContext *ctx, const Net *n, const Mode *m, double *y) {
  const NnModel *model = n->model;
  const NnRun run = run_of(m);
  NnReal x;
  BtStatus st = nn_graph_forward(ctx, model->graph, &run);
  if (st >= 0)
    st = nn_graph_get(ctx, model->graph, m->scalar == UPPER ? model->upper : model->objective, &x, 1);
  *y = (double)x;
  return st;
}

/* Gradient of one group, on the host (owned by the caller). */
static BtStatus gradient(BtContext *ctx, const Net *n, const Mode *m, NnGroup group, size_t *count,
                         NnReal **g) {
  const NnModel *model = n->model;
  NnBackend *b = n->backend;
  const NnRun run = run_of(m);
  const NnReal *from = nn_graph_group_adjoints(model->graph, group, count);
  BtStatus st = BT_OK;
  *g = malloc((*count + 1) * sizeof **g);
  if (!*g) return bt_fail_memory(ctx, "a gradient", (double)(*count * sizeof **g));
  BT_TRY(nn_graph_forward(ctx, model->graph, &run));
  BT_TRY(
      nn_graph_gradient(ctx, model->graph, m->scalar == UPPER ? model->upper : model->objective, m->groups));
  BT_TRY(b->download(ctx, b, *g, from, *count * sizeof **g));
done:
  if (st < 0) free(*g);
  return st;
}

/* Relative difference between ⟨g, d⟩ and [f(w + h d) − f(w − h d)] / 2h along d = g⊙r/‖g⊙r‖, r random in [½,
 * 3/2]: a direction in which the loss changes by much more than its rounding. The better of two steps. */
static BtStatus difference(BtContext *ctx, const Net *n, const Mode *m, NnGroup group, double *error) {
  static const double steps[] = {2e-2, 5e-3};
  NnBackend *b = n->backend;
  NnReal *g = NULL;
  size_t count;
  double norm = 0, slope = 0;
  NnReal *w = nn_graph_group_values(n->model->graph, group, &count);
  NnReal *start = malloc((count + 1) * sizeof *start), *moved = malloc((count + 1) * sizeof *moved);
  BtStatus st =
      start && moved ? BT_OK : bt_fail_memory(ctx, "weights", 2.0 * (double)(count * sizeof *start));
  BT_TRY(st);
  BT_TRY(b->download(ctx, b, start, w, count * sizeof *start));
  BT_TRY(gradient(ctx, n, m, group, &count, &g));
  for (size_t i = 0; i < count; i++) {
    const double d = (double)g[i] * (0.5 + bt_rng_uniform(SEED, 1, i));
    norm += d * d;
    slope += d * (double)g[i];
  }
  norm = sqrt(norm);
  slope /= norm;
  *error = (double)INFINITY;
  for (size_t k = 0; k < sizeof steps / sizeof *steps && norm > 0; k++) {
    double f[2];
    for (int side = 0; side < 2; side++) {
      const double h = (side ? -steps[k] : steps[k]) / norm;
      for (size_t i = 0; i < count; i++)
        moved[i] = (NnReal)((double)start[i] + h * (double)g[i] * (0.5 + bt_rng_uniform(SEED, 1, i)));
      BT_TRY(b->upload(ctx, b, w, moved, count * sizeof *moved));
      BT_TRY(value(ctx, n, m, &f[side]));
    }
    *error = fmin(*error, fabs((f[0] - f[1]) / (2 * steps[k]) - slope) / slope);
  }
  BT_TRY(b->upload(ctx, b, w, start, count * sizeof *start));
done:
  free(g);
  free(start);
  free(moved);
  return st;
}

/* ‖a − b‖/‖b‖ of the gradients on two backends. */
static BtStatus disparity(BtContext *ctx, const Net *a, const Net *b, const Mode *m, NnGroup group,
                          double *error) {
  NnReal *x = NULL, *y = NULL;
  size_t count;
  double apart = 0, norm = 0;
  BtStatus st = gradient(ctx, a, m, group, &count, &x);
  if (st >= 0) {
    st = gradient(ctx, b, m, group, &count, &y);
    if (st < 0) free(x);
  }
  if (st < 0) return st;
  for (size_t i = 0; i < count; i++) {
    apart += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    norm += (double)y[i] * (double)y[i];
  }
  free(x);
  free(y);
  *error = norm > 0 ? sqrt(apart / norm) : (double)INFINITY;
  return BT_OK;
}

typedef struct {
  BtApp *app;
  json_t *rows;
  int failed, done;
} Record;

static void note(Record *r, const char *check, const char *task, const char *what, double error,
                 double tolerance) {
  const int passed = error <= tolerance;
  r->failed += !passed;
  r->done++;
  bt_app_print(r->app, "%-9s %-10s %-36s %.1e %s\n", check, task, what, error, passed ? "passed" : "FAILED");
  if (r->rows)
    (void)json_array_append_new(
        r->rows, json_pack("{s:s, s:s, s:s, s:o, s:f, s:b}", "check", check, "task", task, "of", what,
                           "error", bt_json_real(error), "tolerance", tolerance, "passed", passed));
}

static const char *group_name(NnGroup group) {
  return group == NN_GENERAL ? "W, b" : group == NN_RESPONSE ? "U, u, V, C" : "lambda, s";
}

/* Each group of each mode. */
static BtStatus check_net(Record *r, const char *task, const Net *n, const Net *other) {
  BtContext *ctx = &r->app->ctx;
  for (int k = 0; k < MODES; k++)
    for (int q = 0; q < NN_GROUPS; q++) {
      const NnGroup group = (NnGroup)(1 << q);
      char what[64];
      double error;
      if (!(modes[k].groups & (int)group)) continue;
      const BtStatus st = other ? disparity(ctx, n, other, &modes[k], group, &error)
                                : difference(ctx, n, &modes[k], group, &error);
      if (st < 0) return st;
      snprintf(what, sizeof what, "%s: %s", modes[k].name, group_name(group));
      note(r, other ? "parity" : "gradient", task, what, error,
           other ? parity_tolerance : gradient_tolerance);
    }
  return BT_OK;
}

/* other_device: NULL, or what the device is compared with. */
static BtStatus check_task(Record *r, const BtNn *set, const char *name, const char *device,
                           const char *other_device) {
  BtContext *ctx = &r->app->ctx;
  NnTask *task = NULL;
  Net n = {0}, other = {0};
  BtStatus st = nn_task_load(ctx, name, &task);
  if (st == BT_OK) st = open_net(ctx, set, device, task, &n);
  if (st == BT_OK && other_device) st = open_net(ctx, set, other_device, task, &other);
  if (st == BT_OK) st = check_net(r, name, &n, other_device ? &other : NULL);
  clear(&other);
  clear(&n);
  nn_task_free(task);
  return st;
}

/* The device to compare with the CPU; NULL where there is none: the cause is left in ctx. */
static const char *device_of(BtContext *ctx, const BtNn *set) {
  NnBackend *backend;
  const char *device = strcmp(set->device, "cpu") == 0 ? "cuda" : set->device;
  if (nn_backend_open(ctx, device, 1, &backend) < 0) return NULL;
  nn_backend_close(backend);
  return device;
}

BtStatus bt_nn_check(BtApp *app, const BtNn *set) {
  BtContext *ctx = &app->ctx;
  Record r = {.app = app, .rows = json_array()};
  BtStatus st = BT_OK;
  for (size_t i = 0; i < sizeof tasks / sizeof *tasks && st == BT_OK; i++)
    st = check_task(&r, set, tasks[i], set->device, NULL);
  if (st == BT_OK) {
    const char *device = device_of(ctx, set);
    if (!device) bt_app_print(app, "parity    SKIPPED: %s\n", ctx->error);
    bt_app_put_text(app, "parity", device ? device : "skipped");
    for (size_t i = 0; device && i < sizeof tasks / sizeof *tasks && st == BT_OK; i++)
      st = check_task(&r, set, tasks[i], device, "cpu");
  }
  bt_app_put(app, "checks", r.rows);
  bt_app_put_int(app, "failed", r.failed);
  if (st >= 0 && r.failed) st = bt_fail(ctx, BT_ERR_NUMERIC, "%d of %d checks failed", r.failed, r.done);
  return st;
}

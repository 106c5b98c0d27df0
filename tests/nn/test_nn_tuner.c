/* Tuners on ridge regression, whose response to the penalty has a closed form: for f(w) = mean (x·w − y)² +
 * ½e^λ‖w‖², w* = (2XᵀX/n + e^λ I)⁻¹ 2Xᵀy/n and dw*∕dλ = −(2XᵀX/n + e^λ I)⁻¹ e^λ w*. */
#include "nn/tuner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"
#include "nn_check.h"

enum { N = 48, D = 6 };
static const double log_weight = -1.5;

typedef struct {
  BtContext ctx;
  NnBackend *backend;
  json_t *json;
  NnHyperSet hyper;
  NnModel *model;
  NnTuner *tuner;
  double x[N][D], y[N], w[D], response[D]; /* data; w* and dw*∕dλ */
} Ridge;

/* Gaussian elimination of a positive definite A, in place; b becomes the solution. */
static void solve(double A[D][D], double b[D]) {
  for (int k = 0; k < D; k++)
    for (int i = k + 1; i < D; i++) {
      const double f = A[i][k] / A[k][k];
      for (int j = k; j < D; j++) A[i][j] -= f * A[k][j];
      b[i] -= f * b[k];
    }
  for (int i = D - 1; i >= 0; i--) {
    for (int j = i + 1; j < D; j++) b[i] -= A[i][j] * b[j];
    b[i] /= A[i][i];
  }
}

static void normal_matrix(const Ridge *r, double A[D][D]) {
  for (int i = 0; i < D; i++)
    for (int j = 0; j < D; j++) {
      A[i][j] = i == j ? exp(log_weight) : 0;
      for (int n = 0; n < N; n++) A[i][j] += 2 * r->x[n][i] * r->x[n][j] / N;
    }
}

static void closed_form(Ridge *r) {
  double A[D][D];
  for (int n = 0; n < N; n++) {
    r->y[n] = 0.3 * bt_rng_normal(1, 2, (uint64_t)n);
    for (int j = 0; j < D; j++) {
      r->x[n][j] = bt_rng_normal(1, 1, (uint64_t)(n * D + j)) * (0.6 + 0.15 * j);
      r->y[n] += r->x[n][j] * (j % 2 ? -1 : 1.5);
    }
  }
  for (int j = 0; j < D; j++) {
    r->w[j] = 0;
    for (int n = 0; n < N; n++) r->w[j] += 2 * r->x[n][j] * r->y[n] / N;
  }
  normal_matrix(r, A);
  solve(A, r->w);
  for (int j = 0; j < D; j++) r->response[j] = -exp(log_weight) * r->w[j];
  normal_matrix(r, A);
  solve(A, r->response);
}

static const char description[] =
    "{\"model\": {\"layers\": [{\"type\": \"linear\", \"out\": 1, \"bias\": false, \"l2\": \"weight\"}]},"
    " \"hyperparameters\": [{\"name\": \"weight\", \"low\": 0, \"log\": true, \"initial\": 1, \"per_batch\": "
    "true}]}";

static int set_up(Ridge *r, NnTunerKind kind, NnOptimizerKind optimizer, double scale) {
  const NnProblem problem = {.x = NN_SHAPE(D), .label = NN_SHAPE(1)};
  const NnTunerTraits traits = nn_tuner_traits(kind);
  const NnModelOptions o = {.max_batch = N, .responds = traits.responds, .centred = traits.centred};
  const NnOptimizerOptions d = nn_optimizer_defaults(optimizer);
  const NnTunerOptions tuner = {.kind = kind, .seed = 4, .weights = d, .response = d, .hyper = d};
  const double start = exp(log_weight);
  NnReal x[N * D], y[N];
  *r = (Ridge){0};
  bt_context_init(&r->ctx);
  closed_form(r);
  r->backend = nn_test_backend(1);
  r->json = json_loads(description, 0, NULL);
  if (!BT_CHECK(r->backend && r->json)) return 0;
  for (int n = 0; n < N; n++) {
    y[n] = (NnReal)r->y[n];
    for (int j = 0; j < D; j++) x[n * D + j] = (NnReal)r->x[n][j];
  }
  BtContext *ctx = &r->ctx;
  json_object_set_new(json_array_get(json_object_get(r->json, "hyperparameters"), 0), "scale",
                      json_real(scale));
  return BT_CHECK_STATUS(nn_hyper_parse(ctx, "ridge", json_object_get(r->json, "hyperparameters"), &r->hyper),
                         BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_model_create(ctx, r->backend, "ridge", json_object_get(r->json, "model"),
                                         &r->hyper, &problem, &o, &r->model),
                         BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_model_initial(ctx, r->model, 1, traits.deviation, &start), BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_tuner_create(ctx, &tuner, r->model, &r->tuner), BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_graph_set(ctx, r->model->graph, r->model->x, x, N * D), BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_graph_set(ctx, r->model->graph, r->model->label, y, N), BT_OK, ctx);
}

static void tear_down(Ridge *r) {
  nn_tuner_destroy(r->tuner);
  nn_model_destroy(r->model);
  nn_backend_close(r->backend);
  nn_hyper_clear(&r->hyper);
  json_decref(r->json);
}

static void train(Ridge *r, int steps, double rate, double response_rate) {
  NnTunerLosses losses;
  for (int k = 0; k < steps; k++) {
    if (!BT_CHECK_STATUS(nn_tuner_train(&r->ctx, r->tuner, N, rate, response_rate, NULL), BT_OK, &r->ctx))
      return;
    if (nn_tuner_full(r->tuner) || k + 1 == steps)
      BT_CHECK_STATUS(nn_tuner_losses(&r->ctx, r->tuner, &losses), BT_OK, &r->ctx);
  }
}

static void get(Ridge *r, const char *name, NnReal *x, size_t n) {
  BT_CHECK_STATUS(nn_graph_get(&r->ctx, r->model->graph, nn_graph_find(r->model->graph, name), x, n), BT_OK,
                  &r->ctx);
}

/* ‖Θ − dw*∕dλ‖ / ‖dw*∕dλ‖ with Θ = V U. */
static double response_error(Ridge *r) {
  NnReal U[D], V[1];
  double apart = 0, norm = 0;
  get(r, "layer1.U", U, D);
  get(r, "layer1.V", V, 1);
  for (int j = 0; j < D; j++) {
    const double theta = (double)V[0] * (double)U[j];
    apart += (theta - r->response[j]) * (theta - r->response[j]);
    norm += r->response[j] * r->response[j];
  }
  return sqrt(apart / norm);
}

static void converges(NnTunerKind kind) {
  NnReal W[D];
  Ridge r;
  if (set_up(&r, kind, NN_SGD, 0.02)) {
    train(&r, 300, 0.1,
          0); /* first the weights: with them far from w* the response's steps would be too long */
    train(&r, 4000, 0.1, 120);
    get(&r, "layer1.W", W, D);
    for (int j = 0; j < D; j++) BT_CHECK_NEAR((double)W[j], r.w[j], 1e-3);
    BT_CHECK_ROW(response_error(&r) <= 0.01, "tuner %d: response is off by %g", (int)kind,
                 response_error(&r));
  }
  tear_down(&r);
}

static void closed_response(void) {
  converges(NN_TUNER_DSTN);
  converges(NN_TUNER_CSTN);
}

/* Fed λ itself, the network's weights are W + λ Θ, and W alone is far from w*; fed λ' − λ, W is w*
 * (arXiv:2010.13514). This network is linear in its weights, so that linearising it changes nothing but
 * rounding. */
static void centring(void) {
  NnReal W[D], U[4][D], V[4][1];
  for (int kind = NN_TUNER_STN; kind <= NN_TUNER_DSTN; kind++) {
    Ridge r;
    if (set_up(&r, (NnTunerKind)kind, NN_SGD, 0.05)) {
      double apart = 0, whole = 0;
      train(&r, 6000, 0.1, 0.2);
      get(&r, "layer1.W", W, D);
      get(&r, "layer1.U", U[kind], D);
      get(&r, "layer1.V", V[kind], 1);
      const double lambda = kind == NN_TUNER_STN ? log_weight : 0;
      for (int j = 0; j < D; j++) {
        apart = fmax(apart, fabs((double)W[j] - r.w[j]));
        whole = fmax(whole, fabs((double)W[j] + lambda * (double)V[kind][0] * (double)U[kind][j] - r.w[j]));
      }
      BT_CHECK_ROW(whole < 2e-2, "tuner %d: weights at lambda are off by %g", kind, whole);
      BT_CHECK_ROW((apart < 2e-2) == (kind != NN_TUNER_STN), "tuner %d: W is off by %g", kind, apart);
    }
    tear_down(&r);
  }
  for (int j = 0; j < D; j++)
    BT_CHECK_NEAR((double)U[NN_TUNER_CSTN][j], (double)U[NN_TUNER_DSTN][j], NN_TOLERANCE(1e-3, 1e-10));
  BT_CHECK_NEAR((double)V[NN_TUNER_CSTN][0], (double)V[NN_TUNER_DSTN][0], NN_TOLERANCE(1e-3, 1e-10));
}

/* In centred networks the weights are trained as without tuning, untouched by the perturbation. */
static void general_weights(void) {
  NnReal W[4][D];
  for (int kind = NN_TUNER_NONE; kind <= NN_TUNER_DSTN; kind++) {
    Ridge r;
    if (set_up(&r, (NnTunerKind)kind, NN_SGD, 0.05)) {
      train(&r, 50, 0.05, 0.05);
      get(&r, "layer1.W", W[kind], D);
    }
    tear_down(&r);
  }
  BT_CHECK(memcmp(W[NN_TUNER_CSTN], W[NN_TUNER_DSTN], sizeof W[0]) == 0);
  double apart[2] = {0, 0};
  for (int j = 0; j < D; j++) {
    apart[0] = fmax(apart[0], fabs((double)(W[NN_TUNER_NONE][j] - W[NN_TUNER_DSTN][j])));
    apart[1] = fmax(apart[1], fabs((double)(W[NN_TUNER_NONE][j] - W[NN_TUNER_STN][j])));
  }
  BT_CHECK_ROW(apart[0] < NN_TOLERANCE(1e-5, 1e-13), "weights of a centred network are off by %g", apart[0]);
  BT_CHECK_ROW(apart[1] > 1e-3, "weights of a plain network are those of none: %g", apart[1]);
}

/* The gradient that a validation step takes is the one of the validation loss through the exact response. */
static void hypergradient(void) {
  Ridge r;
  if (set_up(&r, NN_TUNER_DSTN, NN_SGD, 0.02)) {
    double wanted = 0;
    NnTunerLosses losses;
    train(&r, 300, 0.1,
          0); /* first the weights: with them far from w* the response's steps would be too long */
    train(&r, 4000, 0.1, 120);
    for (int n = 0; n < N; n++) { /* d mean (x·w − y)² ∕ dλ on the same rows */
      double residual = -r.y[n], moved = 0;
      for (int j = 0; j < D; j++) {
        residual += r.x[n][j] * r.w[j];
        moved += r.x[n][j] * r.response[j];
      }
      wanted += 2 * residual * moved / N;
    }
    NnReal g;
    const NnRun run = {.batch = N, .response = NN_RESPONSE_FULL};
    const NnModel *m = r.model;
    BT_CHECK_STATUS(nn_graph_forward(&r.ctx, m->graph, &run), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_graph_gradient(&r.ctx, m->graph, m->loss, NN_HYPER), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_graph_get_adjoint(&r.ctx, m->graph, m->nodes.lambda, &g, 1), BT_OK, &r.ctx);
    BT_CHECK_NEAR((double)g, wanted, 0.02 * fabs(wanted));
    /* A step goes down this gradient: on training rows less penalty is better. */
    double before, after;
    BT_CHECK_STATUS(nn_hyper_values(&r.ctx, m->graph, &r.hyper, &m->nodes, &before, NULL), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_tuner_validate(&r.ctx, r.tuner, N, 0.05, NULL), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_tuner_losses(&r.ctx, r.tuner, &losses), BT_OK, &r.ctx);
    BT_CHECK(losses.steps == 0 && losses.validation > 0);
    BT_CHECK_STATUS(nn_hyper_values(&r.ctx, m->graph, &r.hyper, &m->nodes, &after, NULL), BT_OK, &r.ctx);
    BT_CHECK(wanted > 0 && after < before);
  }
  tear_down(&r);
}

/* A gradient that is not finite although the loss is: only where it is clipped is its norm known. */
static void lost_gradient(void) {
  const NnReal large = (NnReal)NN_TOLERANCE(1e21, 1e160), small = (NnReal)NN_TOLERANCE(1e-3, 1e-10);
  NnReal x[N * D] = {0}, W[D] = {small};
  NnOptimizerOptions clipped = nn_optimizer_defaults(NN_SGD);
  NnTunerLosses losses;
  Ridge r;
  clipped.clip = 1;
  for (int n = 0; n < N; n++) x[n * D] = large;
  if (set_up(&r, NN_TUNER_NONE, NN_SGD, 0.05)) {
    NnGraph *g = r.model->graph;
    BT_CHECK_STATUS(nn_optimizer_change(&r.ctx, nn_tuner_weights(r.tuner), &clipped), BT_OK, &r.ctx);
    train(&r, 1, 0.1, 0);
    BT_CHECK_STATUS(nn_tuner_train(&r.ctx, r.tuner, N, 0.1, 0, NULL), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_graph_set(&r.ctx, g, r.model->x, x, N * D), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_graph_set(&r.ctx, g, nn_graph_find(g, "layer1.W"), W, D), BT_OK, &r.ctx);
    for (int k = 0; k < 3; k++)
      BT_CHECK_STATUS(nn_tuner_train(&r.ctx, r.tuner, N, 0.1, 0, NULL), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_tuner_losses(&r.ctx, r.tuner, &losses), BT_ERR_NUMERIC, &r.ctx);
    BT_CHECK_ROW(strstr(r.ctx.error, "the gradient is not finite") && strstr(r.ctx.error, "layer1.W"), "%s",
                 r.ctx.error);
    BT_CHECK_ROW(losses.steps == 1, "%zu whole steps", losses.steps);
  }
  tear_down(&r);
}

/* A network with dropout: what the response steps of Δ-STN descend, on average over masks and perturbations,
 * is σ²(M + GΘ), M = ∂²L_T/∂w∂λ and G the Gauss–Newton matrix, whose root is the response of implicit
 * differentiation. */
enum { ROWS = 64, IN = 4, HIDDEN = 6, OUT = 2, DRAWS = 8000, BLOCKS = 2 };
static const char dropped[] =
    "{\"model\": {\"layers\": [{\"type\": \"linear\", \"out\": 6}, {\"type\": \"tanh\"}, {\"type\": "
    "\"dropout\", "
    "\"rate\": \"rate\"}, {\"type\": \"linear\", \"out\": 2}], \"loss\": \"squared-error\"}, "
    "\"hyperparameters\": "
    "[{\"name\": \"rate\", \"low\": 0, \"high\": 0.95, \"initial\": 0.4, \"scale\": 0.15}]}";
static const double spread = 0.15, step = 0.3; /* σ; of the difference in λ */
static const struct {
  const char *W, *U, *V;
  size_t out, in;
} blocks[BLOCKS] = {{"layer1.W", "layer1.U", "layer1.V", HIDDEN, IN},
                    {"layer4.W", "layer4.U", "layer4.V", OUT, HIDDEN}};
enum { WEIGHTS = HIDDEN * IN + OUT * HIDDEN };

typedef struct {
  BtContext ctx;
  NnBackend *backend;
  json_t *json;
  NnHyperSet hyper;
  NnModel *model;
} Dropped;

static int set_up_dropped(Dropped *d) {
  const NnProblem problem = {.x = NN_SHAPE(IN), .label = NN_SHAPE(OUT)};
  const NnModelOptions o = {.max_batch = ROWS, .responds = 1, .centred = 1};
  NnReal x[ROWS * IN], y[ROWS * OUT];
  *d = (Dropped){0};
  bt_context_init(&d->ctx);
  d->backend = nn_test_backend(1);
  d->json = json_loads(dropped, 0, NULL);
  if (!BT_CHECK(d->backend && d->json)) return 0;
  for (int i = 0; i < ROWS * IN; i++) x[i] = (NnReal)bt_rng_normal(1, 1, (uint64_t)i);
  for (int i = 0; i < ROWS * OUT; i++) y[i] = (NnReal)(2 * bt_rng_normal(1, 2, (uint64_t)i));
  BtContext *ctx = &d->ctx;
  return BT_CHECK_STATUS(
             nn_hyper_parse(ctx, "dropped", json_object_get(d->json, "hyperparameters"), &d->hyper), BT_OK,
             ctx) &&
         BT_CHECK_STATUS(nn_model_create(ctx, d->backend, "dropped", json_object_get(d->json, "model"),
                                         &d->hyper, &problem, &o, &d->model),
                         BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_model_initial(ctx, d->model, 5, 0, NULL), BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_graph_set(ctx, d->model->graph, d->model->x, x, ROWS * IN), BT_OK, ctx) &&
         BT_CHECK_STATUS(nn_graph_set(ctx, d->model->graph, d->model->label, y, ROWS * OUT), BT_OK, ctx);
}

static NnId node(const Dropped *d, const char *name) { return nn_graph_find(d->model->graph, name); }

/* Adds the gradient in a group (W or U of both layers) of DRAWS runs, times `factor`. */
static void add_gradients(Dropped *d, NnRun run, NnGroup group, double factor, double sum[WEIGHTS]) {
  run.batch = ROWS, run.training = 1, run.seed = 3;
  for (int k = 0; k < DRAWS; k++) {
    run.step = (uint64_t)k;
    BT_CHECK_STATUS(nn_graph_forward(&d->ctx, d->model->graph, &run), BT_OK, &d->ctx);
    BT_CHECK_STATUS(nn_graph_gradient(&d->ctx, d->model->graph, d->model->loss, group), BT_OK, &d->ctx);
    double *to = sum;
    for (int i = 0; i < BLOCKS; i++) {
      NnReal g[WEIGHTS];
      const size_t n = blocks[i].out * blocks[i].in;
      const char *name = group == NN_GENERAL ? blocks[i].W : blocks[i].U;
      BT_CHECK_STATUS(nn_graph_get_adjoint(&d->ctx, d->model->graph, node(d, name), g, n), BT_OK, &d->ctx);
      for (size_t j = 0; j < n; j++) to[j] += factor / DRAWS * (double)g[j];
      to += n;
    }
  }
}

/* U ← theta, V ← 1, so that Θ = theta. */
static void set_theta(Dropped *d, const double theta[WEIGHTS]) {
  const NnReal ones[HIDDEN] = {1, 1, 1, 1, 1, 1};
  for (int i = 0; i < BLOCKS; i++) {
    NnReal U[WEIGHTS];
    const size_t n = blocks[i].out * blocks[i].in;
    for (size_t j = 0; j < n; j++) U[j] = (NnReal)theta[j];
    BT_CHECK_STATUS(nn_graph_set(&d->ctx, d->model->graph, node(d, blocks[i].U), U, n), BT_OK, &d->ctx);
    BT_CHECK_STATUS(nn_graph_set(&d->ctx, d->model->graph, node(d, blocks[i].V), ones, blocks[i].out), BT_OK,
                    &d->ctx);
    theta += n;
  }
}

/* ⟨v, Gv⟩: the mean over masks and examples of ‖J v‖², as OUT = 2. */
static double curvature(Dropped *d, const double v[WEIGHTS]) {
  double sum = 0;
  for (int k = 0; k < DRAWS / 10; k++) {
    const double *from = v;
    NnReal y[ROWS * OUT];
    const NnRun run = {.batch = ROWS, .training = 1, .seed = 3, .step = (uint64_t)k};
    BT_CHECK_STATUS(nn_graph_forward(&d->ctx, d->model->graph, &run), BT_OK, &d->ctx);
    for (int i = 0; i < BLOCKS; i++) {
      NnReal x[WEIGHTS];
      const size_t n = blocks[i].out * blocks[i].in;
      for (size_t j = 0; j < n; j++) x[j] = (NnReal)from[j];
      BT_CHECK_STATUS(nn_graph_seed_tangent(&d->ctx, d->model->graph, node(d, blocks[i].W), x, n), BT_OK,
                      &d->ctx);
      from += n;
    }
    BT_CHECK_STATUS(nn_graph_tangent(&d->ctx, d->model->graph), BT_OK, &d->ctx);
    BT_CHECK_STATUS(nn_graph_get_tangent(&d->ctx, d->model->graph, d->model->output, y, ROWS * OUT), BT_OK,
                    &d->ctx);
    for (int i = 0; i < ROWS * OUT; i++) sum += (double)y[i] * (double)y[i];
  }
  return sum / (ROWS * (DRAWS / 10));
}

static double along(const double a[WEIGHTS], const double b[WEIGHTS]) {
  double sum = 0;
  for (int i = 0; i < WEIGHTS; i++) sum += a[i] * b[i];
  return sum;
}

static void response_steps(void) {
  const NnRun run = {.perturbed = 1, .response = NN_RESPONSE_LINEARISED};
  double M[WEIGHTS] = {0}, at_zero[WEIGHTS] = {0}, at_theta[WEIGHTS] = {0}, theta[WEIGHTS] = {0};
  Dropped d;
  if (set_up_dropped(&d)) {
    NnReal lambda;
    BT_CHECK_STATUS(nn_graph_get(&d.ctx, d.model->graph, d.model->nodes.lambda, &lambda, 1), BT_OK, &d.ctx);
    for (int side = -1; side <= 1; side += 2) {
      const NnReal moved = lambda + (NnReal)(side * step);
      BT_CHECK_STATUS(nn_graph_set(&d.ctx, d.model->graph, d.model->nodes.lambda, &moved, 1), BT_OK, &d.ctx);
      add_gradients(&d, (NnRun){0}, NN_GENERAL, side / (2 * step), M);
    }
    BT_CHECK_STATUS(nn_graph_set(&d.ctx, d.model->graph, d.model->nodes.lambda, &lambda, 1), BT_OK, &d.ctx);
    const double length = sqrt(along(M, M));
    set_theta(&d, theta);
    add_gradients(&d, run, NN_RESPONSE, 1 / (spread * spread), at_zero);
    BT_CHECK_NEAR(along(at_zero, M) / length, length, 0.1 * length);
    for (int i = 0; i < WEIGHTS; i++) theta[i] = M[i] / length;
    set_theta(&d, theta);
    add_gradients(&d, run, NN_RESPONSE, 1 / (spread * spread), at_theta);
    const double wanted = curvature(&d, theta);
    BT_CHECK_NEAR(along(at_theta, theta) - along(at_zero, theta), wanted, 0.1 * wanted);
  }
  nn_model_destroy(d.model);
  nn_backend_close(d.backend);
  nn_hyper_clear(&d.hyper);
  json_decref(d.json);
}

static const BtTest tests[] = {
    {"response in closed form", closed_response}, {"centring", centring},
    {"general weights", general_weights},         {"hypergradient", hypergradient},
    {"response steps", response_steps},           {"lost gradients", lost_gradient}};

int main(void) { return bt_test_main("tuners", tests, sizeof tests / sizeof *tests); }

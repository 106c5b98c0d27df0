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
  double loss;
  for (int k = 0; k < steps; k++)
    if (!BT_CHECK_STATUS(nn_tuner_train(&r->ctx, r->tuner, N, rate, response_rate, NULL, &loss), BT_OK,
                         &r->ctx))
      return;
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
    double wanted = 0, loss;
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
    BT_CHECK_STATUS(nn_tuner_validate(&r.ctx, r.tuner, N, 0.05, NULL, &loss), BT_OK, &r.ctx);
    BT_CHECK_STATUS(nn_hyper_values(&r.ctx, m->graph, &r.hyper, &m->nodes, &after, NULL), BT_OK, &r.ctx);
    BT_CHECK(wanted > 0 && after < before);
  }
  tear_down(&r);
}

static const BtTest tests[] = {{"response in closed form", closed_response},
                               {"centring", centring},
                               {"general weights", general_weights},
                               {"hypergradient", hypergradient}};

int main(void) { return bt_test_main("tuners", tests, sizeof tests / sizeof *tests); }

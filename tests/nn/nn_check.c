#include "nn_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

static const char *device = "cpu";

int nn_test_main(int argc, char **argv, const char *suite, const BtTest *tests, size_t count) {
  if (argc > 1) {
    BtContext ctx;
    NnBackend *backend;
    bt_context_init(&ctx);
    device = argv[1];
    if (nn_backend_open(&ctx, device, 0, &backend) == BT_ERR_UNSUPPORTED)
      return bt_test_skip(suite, ctx.error);
    nn_backend_close(backend);
  }
  return bt_test_main(suite, tests, count);
}

const char *nn_test_device(void) { return device; }

NnBackend *nn_test_backend(int threads) {
  BtContext ctx;
  NnBackend *backend;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(nn_backend_open(&ctx, device, threads, &backend), BT_OK, &ctx);
  return backend;
}

void *nn_put_bytes(NnBackend *b, const void *x, size_t bytes) {
  BtContext ctx;
  void *memory = NULL;
  bt_context_init(&ctx);
  if (!x) return NULL;
  if (!BT_CHECK_STATUS(b->allocate(&ctx, b, bytes, &memory), BT_OK, &ctx)) abort();
  BT_CHECK_STATUS(b->upload(&ctx, b, memory, x, bytes), BT_OK, &ctx);
  return memory;
}

NnReal *nn_put(NnBackend *b, const NnReal *x, size_t n) { return nn_put_bytes(b, x, n * sizeof *x); }

NnReal *nn_memory(NnBackend *b, size_t n) {
  NnReal *x = malloc(n * sizeof *x);
  if (!x) abort();
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)NAN;
  NnReal *memory = nn_put(b, x, n);
  free(x);
  return memory;
}

void nn_take(NnBackend *b, NnReal *memory, NnReal *x, size_t n) {
  BtContext ctx;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(b->download(&ctx, b, x, memory, n * sizeof *x), BT_OK, &ctx);
  b->release(b, memory);
}

void nn_drop(NnBackend *b, void *memory) {
  if (memory) b->release(b, memory);
}

size_t nn_elements(const NnGraph *g, NnId node, size_t batch) {
  return nn_shape_size(nn_graph_shape(g, node)) * (nn_graph_batched(g, node) ? batch : 1);
}

static int is_leaf(const NnGraph *g, NnId i) {
  const char *op = nn_graph_op(g, i);
  return strcmp(op, "input") == 0 || strcmp(op, "constant") == 0 || strcmp(op, "parameter") == 0;
}

/* The bound of a leaf of whole numbers, 0 for others. */
static int whole(const NnGraph *g, NnId i) {
  const char *name = nn_graph_name(g, i);
  const char *colon = strchr(name, ':');
  return colon && (strncmp(name, "label", 5) == 0 || strncmp(name, "token", 5) == 0) ? atoi(colon + 1) : 0;
}

static int is_rate(const NnGraph *g, NnId i) { return strncmp(nn_graph_name(g, i), "rate", 4) == 0; }

static int differentiable(const NnGraph *g, NnId i) {
  return is_leaf(g, i) && !whole(g, i) && !is_rate(g, i) && nn_graph_group(g, i) != NN_BUFFER;
}

static void fill(const NnGraph *g, NnId i, uint64_t seed, size_t count, NnReal *x) {
  for (size_t k = 0; k < count; k++) {
    const double u = bt_rng_uniform(seed, (uint64_t)i, k), z = bt_rng_normal(seed, (uint64_t)i + 1000, k);
    x[k] = (NnReal)(whole(g, i) ? floor(u * whole(g, i)) : is_rate(g, i) ? 0.1 + 0.5 * u : 0.6 * z);
    if (strncmp(nn_graph_name(g, i), "spread", 6) == 0)
      x[k] = (NnReal)(0.35 * ((double)(k * 101 % count) - (double)(count / 2)) + 0.15);
    if (nn_graph_group(g, i) == NN_BUFFER) x[k] = (NnReal)(0.5 + u);
  }
}

void nn_fill_leaves(NnGraph *g, uint64_t seed) {
  BtContext ctx;
  bt_context_init(&ctx);
  for (NnId i = 0; i < nn_graph_nodes(g); i++) {
    if (!is_leaf(g, i)) continue;
    const size_t count = nn_elements(g, i, nn_graph_max_batch(g));
    NnReal *x = malloc(count * sizeof *x);
    if (!x) abort();
    fill(g, i, seed, count, x);
    BT_CHECK_STATUS(nn_graph_set(&ctx, g, i, x, count), BT_OK, &ctx);
    free(x);
  }
}

typedef struct {
  BtContext ctx;
  const NnCase *c;
  NnGraph *g;
  NnId out;
  NnRun run;
  size_t count;     /* of the output */
  NnReal *y, *seed; /* [count] */
  NnReal **x, **v;  /* [nodes] values and directions of the differentiable leaves; NULL for others */
} Check;

static double inner(size_t n, const NnReal *a, const NnReal *b) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += (double)a[i] * (double)b[i];
  return s;
}

/* y = F(x + h v), v in `leaf` alone, or in all for NN_NONE. */
static void evaluate(Check *k, NnId leaf, double h, NnReal *y) {
  for (NnId i = 0; i < nn_graph_nodes(k->g); i++) {
    if (!k->x[i]) continue;
    const size_t n = nn_elements(k->g, i, k->run.batch);
    NnReal *moved = malloc(n * sizeof *moved);
    if (!moved) abort();
    for (size_t e = 0; e < n; e++)
      moved[e] = (NnReal)((double)k->x[i][e] + (leaf == NN_NONE || leaf == i ? h * (double)k->v[i][e] : 0));
    BT_CHECK_STATUS(nn_graph_set(&k->ctx, k->g, i, moved, n), BT_OK, &k->ctx);
    free(moved);
  }
  BT_CHECK_STATUS(nn_graph_forward(&k->ctx, k->g, &k->run), BT_OK, &k->ctx);
  BT_CHECK_STATUS(nn_graph_get(&k->ctx, k->g, k->out, y, k->count), BT_OK, &k->ctx);
}

static double difference(Check *k, NnId leaf, NnReal *derivative) {
  NnReal *plus = malloc(k->count * sizeof *plus), *minus = malloc(k->count * sizeof *minus);
  if (!plus || !minus) abort();
  evaluate(k, leaf, NN_STEP, plus);
  evaluate(k, leaf, -NN_STEP, minus);
  for (size_t i = 0; i < k->count; i++)
    derivative[i] = (NnReal)(((double)plus[i] - (double)minus[i]) / (2 * NN_STEP));
  const double size = sqrt(inner(k->count, k->y, k->y));
  free(plus);
  free(minus);
  return size;
}

/* Slope of ‖F(x + hv) − F(x) − hJv‖ between h and h/2, unless it is lost in rounding. */
static void taylor(Check *k, NnId leaf, const NnReal *jv) {
  double error[2], scale = 0;
  const double step = NN_TOLERANCE(0.02, 1e-4);
  NnReal *y = malloc(k->count * sizeof *y);
  if (!y) abort();
  for (int r = 0; r < 2; r++) {
    const double h = step / (1 << r);
    evaluate(k, leaf, h, y);
    error[r] = 0;
    for (size_t i = 0; i < k->count; i++) {
      const double e = (double)y[i] - (double)k->y[i] - h * (double)jv[i];
      error[r] += e * e;
      scale += (double)y[i] * (double)y[i];
    }
    error[r] = sqrt(error[r]);
  }
  free(y);
  if (error[1] < 300 * NN_REAL_EPSILON * (sqrt(scale) + 1)) return;
  BT_CHECK_ROW(log2(error[0] / error[1]) > NN_TOLERANCE(1.5, 1.9), "%s: slope %.3f in %s (%g, %g)",
               k->c->name, log2(error[0] / error[1]),
               leaf == NN_NONE ? "all leaves" : nn_graph_name(k->g, leaf), error[0], error[1]);
}

/* Jᵀ seed at the point itself; *along gets ⟨Jᵀ seed, v⟩. */
static void adjoints(Check *k, NnId leaf, double *along, double *scale) {
  *along = 0, *scale = 0;
  const int groups = k->run.response == NN_RESPONSE_LINEARISED ? NN_RESPONSE | NN_HYPER
                                                               : NN_GENERAL | NN_RESPONSE | NN_HYPER;
  BT_CHECK_STATUS(nn_graph_seed_adjoint(&k->ctx, k->g, k->out, k->seed, k->count), BT_OK, &k->ctx);
  BT_CHECK_STATUS(nn_graph_backward(&k->ctx, k->g, groups), BT_OK, &k->ctx);
  for (NnId i = 0; i < nn_graph_nodes(k->g); i++) {
    if (!k->x[i] || (leaf != NN_NONE && leaf != i)) continue;
    const size_t n = nn_elements(k->g, i, k->run.batch);
    NnReal *a = malloc(n * sizeof *a);
    if (!a) abort();
    BT_CHECK_STATUS(nn_graph_get_adjoint(&k->ctx, k->g, i, a, n), BT_OK, &k->ctx);
    *along += inner(n, a, k->v[i]);
    *scale += sqrt(inner(n, a, a) * inner(n, k->v[i], k->v[i]));
    free(a);
  }
}

static void check_direction(Check *k, NnId leaf) {
  const char *name = leaf == NN_NONE ? "all leaves" : nn_graph_name(k->g, leaf);
  NnReal *fd = malloc(k->count * sizeof *fd), *jv = malloc(k->count * sizeof *jv);
  double along, scale;
  if (!fd || !jv) abort();
  const double size = difference(k, leaf, fd);
  evaluate(k, NN_NONE, 0, k->y);
  if (k->run.response != NN_RESPONSE_LINEARISED) {
    double error = 0;
    for (NnId i = 0; i < nn_graph_nodes(k->g); i++)
      if (k->x[i] && (leaf == NN_NONE || leaf == i))
        BT_CHECK_STATUS(nn_graph_seed_tangent(&k->ctx, k->g, i, k->v[i], nn_elements(k->g, i, k->run.batch)),
                        BT_OK, &k->ctx);
    BT_CHECK_STATUS(nn_graph_tangent(&k->ctx, k->g), BT_OK, &k->ctx);
    BT_CHECK_STATUS(nn_graph_get_tangent(&k->ctx, k->g, k->out, jv, k->count), BT_OK, &k->ctx);
    for (size_t i = 0; i < k->count; i++) error += pow((double)jv[i] - (double)fd[i], 2);
    const double length = sqrt(inner(k->count, fd, fd));
    BT_CHECK_ROW(sqrt(error) <= NN_TOLERANCE(2e-2, 1e-6) * (length + NN_TOLERANCE(1e-2, 1e-3) * (size + 1)),
                 "%s: tangent in %s is off by %g of %g", k->c->name, name, sqrt(error), length);
    memcpy(fd, jv, k->count * sizeof *fd);
    adjoints(k, leaf, &along, &scale);
    const double wanted = inner(k->count, k->seed, jv);
    BT_CHECK_ROW(fabs(along - wanted) <= NN_TOLERANCE(3e-5, 1e-12) * (scale + length + 1e-3),
                 "%s: dot test in %s: %.12g, wanted %.12g", k->c->name, name, along, wanted);
    taylor(k, leaf, jv);
  } else {
    adjoints(k, leaf, &along, &scale);
    const double wanted = inner(k->count, k->seed, fd);
    BT_CHECK_ROW(fabs(along - wanted) <= NN_TOLERANCE(3e-2, 1e-6) * (scale + 1e-3 * size),
                 "%s: adjoint in %s: %.10g, by differences %.10g", k->c->name, name, along, wanted);
  }
  free(fd);
  free(jv);
}

/* In linearised runs only the response and δ have derivatives. */
static int takes_part(const Check *k, NnId i) {
  if (!differentiable(k->g, i)) return 0;
  if (k->run.response != NN_RESPONSE_LINEARISED) return 1;
  return nn_graph_group(k->g, i) == NN_RESPONSE || nn_graph_group(k->g, i) == NN_HYPER ||
         strcmp(nn_graph_name(k->g, i), "delta") == 0;
}

void nn_check_case(const NnCase *c) {
  Check k = {.c = c,
             .run = {.batch = c->batch,
                     .seed = 5,
                     .step = 3,
                     .response = c->response,
                     .training = c->training,
                     .perturbed = c->perturbed,
                     .keep_statistics = 1}};
  NnBackend *backend = nn_test_backend(2);
  bt_context_init(&k.ctx);
  BT_NEED(backend);
  BT_CHECK_STATUS(nn_graph_create(&k.ctx, backend, c->batch + 1, &k.g), BT_OK, &k.ctx);
  k.out = c->build(k.g);
  BT_CHECK_ROW(k.out != NN_NONE, "%s: %s", c->name, k.ctx.error);
  BT_NEED(k.out != NN_NONE);
  BT_CHECK_STATUS(nn_graph_close(&k.ctx, k.g), BT_OK, &k.ctx);
  nn_fill_leaves(k.g, 17);

  const int nodes = nn_graph_nodes(k.g);
  k.count = nn_elements(k.g, k.out, c->batch);
  k.y = calloc(k.count, sizeof *k.y);
  k.seed = calloc(k.count, sizeof *k.seed);
  k.x = calloc((size_t)nodes, sizeof *k.x);
  k.v = calloc((size_t)nodes, sizeof *k.v);
  if (!k.y || !k.seed || !k.x || !k.v) abort();
  for (size_t i = 0; i < k.count; i++) k.seed[i] = (NnReal)bt_rng_normal(23, 0, i);
  for (NnId i = 0; i < nodes; i++) {
    if (!takes_part(&k, i)) continue;
    const size_t n = nn_elements(k.g, i, c->batch);
    k.x[i] = malloc(n * sizeof **k.x);
    k.v[i] = malloc(n * sizeof **k.v);
    if (!k.x[i] || !k.v[i]) abort();
    BT_CHECK_STATUS(nn_graph_get(&k.ctx, k.g, i, k.x[i], n), BT_OK, &k.ctx);
    for (size_t e = 0; e < n; e++) k.v[i][e] = (NnReal)bt_rng_normal(29, (uint64_t)i, e);
    nn_graph_want(k.g, i);
  }
  evaluate(&k, NN_NONE, 0, k.y);
  for (NnId i = 0; i < nodes; i++)
    if (k.x[i]) check_direction(&k, i);
  check_direction(&k, NN_NONE);

  for (NnId i = 0; i < nodes; i++) {
    free(k.x[i]);
    free(k.v[i]);
  }
  free(k.x);
  free(k.v);
  free(k.y);
  free(k.seed);
  nn_graph_destroy(k.g);
  nn_backend_close(backend);
}

/* A graph of a case on one backend, run forward and backward, and along tangents where they are not
 * linearised. */
typedef struct {
  NnBackend *backend;
  NnGraph *g;
  NnId out;
} Side;

static int open_side(const NnCase *c, const char *name, Side *s) {
  BtContext ctx;
  bt_context_init(&ctx);
  const NnRun run = {.batch = c->batch,
                     .seed = 5,
                     .step = 3,
                     .response = c->response,
                     .training = c->training,
                     .perturbed = c->perturbed};
  const int linearised = c->response == NN_RESPONSE_LINEARISED;
  if (!BT_CHECK_STATUS(nn_backend_open(&ctx, name, 2, &s->backend), BT_OK, &ctx)) return 0;
  BT_CHECK_STATUS(nn_graph_create(&ctx, s->backend, c->batch + 1, &s->g), BT_OK, &ctx);
  s->out = c->build(s->g);
  BT_CHECK_STATUS(nn_graph_close(&ctx, s->g), BT_OK, &ctx);
  nn_fill_leaves(s->g, 17);
  for (NnId i = 0; i < nn_graph_nodes(s->g); i++)
    if (differentiable(s->g, i)) nn_graph_want(s->g, i);
  BT_CHECK_STATUS(nn_graph_forward(&ctx, s->g, &run), BT_OK, &ctx);
  for (NnId i = 0; i < nn_graph_nodes(s->g); i++) {
    if (i != s->out && (linearised || !differentiable(s->g, i))) continue;
    const size_t n = nn_elements(s->g, i, c->batch);
    NnReal *v = malloc(n * sizeof *v);
    if (!v) abort();
    for (size_t e = 0; e < n; e++) v[e] = (NnReal)bt_rng_normal(29, (uint64_t)i, e);
    if (i == s->out)
      BT_CHECK_STATUS(nn_graph_seed_adjoint(&ctx, s->g, i, v, n), BT_OK, &ctx);
    else
      BT_CHECK_STATUS(nn_graph_seed_tangent(&ctx, s->g, i, v, n), BT_OK, &ctx);
    free(v);
  }
  if (!linearised) BT_CHECK_STATUS(nn_graph_tangent(&ctx, s->g), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_backward(&ctx, s->g, NN_RESPONSE | NN_HYPER | (linearised ? 0 : NN_GENERAL)),
                  BT_OK, &ctx);
  return 1;
}

static void compare_node(const NnCase *c, const Side *s, NnId i, const char *what,
                         BtStatus (*get)(BtContext *ctx, const NnGraph *g, NnId node, NnReal *values,
                                         size_t count)) {
  BtContext ctx;
  const size_t n = nn_elements(s[0].g, i, c->batch);
  double error = 0, scale = 0;
  NnReal *x[2];
  bt_context_init(&ctx);
  for (int k = 0; k < 2; k++) {
    x[k] = malloc(n * sizeof **x);
    if (!x[k]) abort();
    BT_CHECK_STATUS(get(&ctx, s[k].g, i, x[k], n), BT_OK, &ctx);
  }
  for (size_t e = 0; e < n; e++) {
    const double d = fabs((double)x[0][e] - (double)x[1][e]);
    error = isnan(d) ? INFINITY : fmax(error, d);
    scale = fmax(scale, fabs((double)x[0][e]));
  }
  BT_CHECK_ROW(error <= NN_TOLERANCE(2e-5, 1e-13) * (1 + scale), "%s: %s of %s: %g apart, of %g", c->name,
               what, nn_graph_name(s[0].g, i), error, scale);
  for (int k = 0; k < 2; k++) free(x[k]);
}

void nn_check_parity(const NnCase *c) {
  Side s[2] = {{0}};
  if (open_side(c, "cpu", &s[0]) && open_side(c, device, &s[1])) {
    for (NnId i = 0; i < nn_graph_nodes(s[0].g); i++) {
      compare_node(c, s, i, "value", nn_graph_get);
      compare_node(c, s, i, "tangent", nn_graph_get_tangent);
      if (is_leaf(s[0].g, i)) compare_node(c, s, i, "adjoint", nn_graph_get_adjoint);
    }
  }
  for (int k = 0; k < 2; k++) {
    nn_graph_destroy(s[k].g);
    nn_backend_close(s[k].backend);
  }
}

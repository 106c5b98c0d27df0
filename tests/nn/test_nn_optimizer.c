/* Steps of the optimizers against the formulas written out for one weight, schedules against values by hand,
 * clipping, what is not finite, checkpoints. */
#include "nn/optimizer.h"

#include <math.h>
#include <string.h>

#include "harness.h"
#include "nn/initial.h"
#include "nn/schedule.h"
#include "nn_check.h"

#define N 5
#define TOLERANCE NN_TOLERANCE(2e-6, 1e-13)

/* ½ Σ a_i w_i², whose gradient is a⊙w. */
typedef struct {
  BtContext ctx;
  NnBackend *backend;
  NnGraph *g;
  NnId w, loss;
} Problem;

static void problem(Problem *p) {
  const NnReal a[N] = {1, 2, 3, (NnReal)0.5, 4}, w[N] = {1, -2, (NnReal)0.5, 3, -1};
  bt_context_init(&p->ctx);
  p->backend = nn_test_backend(1);
  BT_CHECK_STATUS(nn_graph_create(&p->ctx, p->backend, 1, &p->g), BT_OK, &p->ctx);
  p->w = nn_parameter(p->g, "w", NN_GENERAL, NN_SHAPE(N));
  const NnId constant = nn_constant(p->g, "a", NN_SHAPE(N));
  p->loss = nn_scale(p->g, nn_sum(p->g, nn_multiply(p->g, constant, nn_multiply(p->g, p->w, p->w))), 0.5, 0);
  BT_CHECK_STATUS(nn_graph_close(&p->ctx, p->g), BT_OK, &p->ctx);
  BT_CHECK_STATUS(nn_graph_set(&p->ctx, p->g, p->w, w, N), BT_OK, &p->ctx);
  BT_CHECK_STATUS(nn_graph_set(&p->ctx, p->g, constant, a, N), BT_OK, &p->ctx);
}

static void finish(Problem *p) {
  nn_graph_destroy(p->g);
  nn_backend_close(p->backend);
}

static BtStatus step(Problem *p, NnOptimizer *o, double rate, double *norm) {
  const NnRun run = {.batch = 1};
  BT_CHECK_STATUS(nn_graph_forward(&p->ctx, p->g, &run), BT_OK, &p->ctx);
  BT_CHECK_STATUS(nn_graph_gradient(&p->ctx, p->g, p->loss, NN_GENERAL), BT_OK, &p->ctx);
  return nn_optimizer_step(&p->ctx, o, rate, norm);
}

/* The kinds written out on doubles; m, v: state. */
static double by_hand(const NnOptimizerOptions *o, double rate, int t, double g, double w, double *m,
                      double *v) {
  switch (o->kind) {
    case NN_SGD:
      g += o->decay * w;
      *m = o->momentum * *m + g;
      return w - rate * (o->momentum == 0 ? g : o->nesterov ? g + o->momentum * *m : *m);
    case NN_ADAM:
    case NN_ADAMW: {
      double start = w;
      if (o->kind == NN_ADAM)
        g += o->decay * w;
      else
        start = w - rate * o->decay * w;
      *m = o->beta1 * *m + (1 - o->beta1) * g;
      *v = o->beta2 * *v + (1 - o->beta2) * g * g;
      const double mean = *m / (1 - pow(o->beta1, t)), square = *v / (1 - pow(o->beta2, t));
      return start - rate * mean / (sqrt(square) + o->epsilon);
    }
    case NN_RMSPROP:
      g += o->decay * w;
      *v = o->alpha * *v + (1 - o->alpha) * g * g;
      if (o->momentum == 0) return w - rate * g / (sqrt(*v) + o->epsilon);
      *m = o->momentum * *m + g / (sqrt(*v) + o->epsilon);
      return w - rate * *m;
  }
  return NAN;
}

static void formulas(void) {
  const struct {
    const char *name;
    NnOptimizerOptions o;
  } rows[] = {
      {"SGD", {.kind = NN_SGD}},
      {"SGD with decay", {.kind = NN_SGD, .decay = 0.1}},
      {"SGD with momentum", {.kind = NN_SGD, .momentum = 0.9, .decay = 0.01}},
      {"Nesterov", {.kind = NN_SGD, .momentum = 0.9, .nesterov = 1}},
      {"Adam", {.kind = NN_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.05}},
      {"AdamW", {.kind = NN_ADAMW, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-6, .decay = 0.05}},
      {"RMSprop", {.kind = NN_RMSPROP, .alpha = 0.9, .epsilon = 1e-8}},
      {"RMSprop with momentum",
       {.kind = NN_RMSPROP, .alpha = 0.99, .epsilon = 1e-6, .momentum = 0.5, .decay = 0.1}},
  };
  const double a[N] = {1, 2, 3, 0.5, 4};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    Problem p;
    NnOptimizer *o;
    double w[N] = {1, -2, 0.5, 3, -1}, m[N] = {0}, v[N] = {0};
    NnReal got[N];
    problem(&p);
    BT_CHECK_STATUS(nn_optimizer_create(&p.ctx, &rows[r].o, p.g, NN_GENERAL, &o), BT_OK, &p.ctx);
    for (int t = 1; t <= 4; t++) {
      const double rate = 0.1 / t;
      BT_CHECK_STATUS(step(&p, o, rate, NULL), BT_OK, &p.ctx);
      for (int i = 0; i < N; i++) w[i] = by_hand(&rows[r].o, rate, t, a[i] * w[i], w[i], &m[i], &v[i]);
      BT_CHECK_STATUS(nn_graph_get(&p.ctx, p.g, p.w, got, N), BT_OK, &p.ctx);
      for (int i = 0; i < N; i++)
        BT_CHECK_ROW(fabs((double)got[i] - w[i]) <= TOLERANCE,
                     "%s: weight %d after %d steps is %.15g, wanted %.15g", rows[r].name, i, t,
                     (double)got[i], w[i]);
    }
    BT_CHECK(nn_optimizer_steps(o) == 4);
    nn_optimizer_destroy(o);
    finish(&p);
  }
}

/* One step of Adam, numbers worked out: m = 0.1 g, v = 0.001 g², both corrected to g and g²: the step is
 * rate·sign g. */
static void adam_first_step(void) {
  Problem p;
  NnOptimizer *o;
  NnReal w[N];
  const double wanted[N] = {0.9, -1.9, 0.4, 2.9, -0.9};
  const NnOptimizerOptions options = nn_optimizer_defaults(NN_ADAM);
  problem(&p);
  BT_CHECK_STATUS(nn_optimizer_create(&p.ctx, &options, p.g, NN_GENERAL, &o), BT_OK, &p.ctx);
  BT_CHECK_STATUS(step(&p, o, 0.1, NULL), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_get(&p.ctx, p.g, p.w, w, N), BT_OK, &p.ctx);
  for (int i = 0; i < N; i++) BT_CHECK_NEAR((double)w[i], wanted[i], 1e-6);
  nn_optimizer_destroy(o);
  finish(&p);
}

static void clipping(void) {
  const double wanted = sqrt(1 + 16 + 2.25 + 2.25 + 16); /* of the gradient (1, -4, 1.5, 1.5, -4) */
  const NnOptimizerOptions options = {.kind = NN_SGD, .clip = 0.25};
  Problem p;
  NnOptimizer *o;
  NnReal w[N];
  double norm = 0;
  problem(&p);
  BT_CHECK_STATUS(nn_optimizer_create(&p.ctx, &options, p.g, NN_GENERAL, &o), BT_OK, &p.ctx);
  BT_CHECK_STATUS(step(&p, o, 1, &norm), BT_OK, &p.ctx);
  BT_CHECK_NEAR(norm, wanted, 1e-5);
  BT_CHECK_STATUS(nn_graph_get(&p.ctx, p.g, p.w, w, N), BT_OK, &p.ctx);
  BT_CHECK_NEAR((double)w[0], 1 - 0.25 / wanted, 1e-6);
  BT_CHECK_NEAR((double)w[1], -2 + 4 * 0.25 / wanted, 1e-6);
  /* A gradient that is not finite changes nothing. */
  const NnReal bad[N] = {1, 1, (NnReal)NAN, 1, 1};
  NnReal before[N], after[N];
  BT_CHECK_STATUS(nn_graph_get(&p.ctx, p.g, p.w, before, N), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_set(&p.ctx, p.g, nn_graph_find(p.g, "a"), bad, N), BT_OK, &p.ctx);
  BT_CHECK_STATUS(step(&p, o, 1, &norm), BT_ERR_NUMERIC, &p.ctx);
  BT_CHECK_STATUS(nn_graph_get(&p.ctx, p.g, p.w, after, N), BT_OK, &p.ctx);
  BT_CHECK(memcmp(before, after, sizeof before) == 0);
  /* Which numbers are not finite. */
  const NnReal nan = (NnReal)NAN;
  NnReal *watched = nn_put(p.backend, &nan, 1), *there = nn_memory(p.backend, 2), found[2];
  nn_graph_watch(p.g, 1, watched, there);
  nn_graph_watch_gradients(p.g, NN_GENERAL, 1, watched, there + 1);
  nn_take(p.backend, there, found, 2);
  BT_CHECK((NnId)found[0] == nn_graph_find(p.g, "a") && (NnId)found[1] == p.w);
  nn_drop(p.backend, watched);
  nn_optimizer_destroy(o);
  finish(&p);
}

/* The search for what is not finite: the first of the arrays, and only when a watched number is not. */
static void search(void) {
  enum { ARRAYS = 4, MANY = 3000, ROWS = 3 };
  static NnReal x[ARRAYS][MANY];
  const struct {
    NnReal watched[2];
    int array; /* with an element that is not finite, −1: none */
    size_t element;
    NnReal first;
  } rows[] = {{{1, 2}, 1, 7, -1},
              {{(NnReal)NAN, 2}, -1, 0, ARRAYS},
              {{0, (NnReal)INFINITY}, 2, 2999, 2},
              {{(NnReal)NAN, 0}, 0, 256, 0},
              {{0, -(NnReal)INFINITY}, 1, 999, 1}, /* the last of ROWS rows of 333 and one more */
              {{0, (NnReal)NAN}, 3, 999, ARRAYS}}; /* behind its rows */
  NnBackend *b = nn_test_backend(1);
  BT_NEED(b);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    NnReal *there[ARRAYS], found;
    NnArray list[ARRAYS] = {{NULL, MANY, 0}, {NULL, 1000, 0}, {NULL, MANY, 0}, {NULL, 333, 1}};
    for (int k = 0; k < ARRAYS; k++) {
      for (size_t i = 0; i < MANY; i++) x[k][i] = (NnReal)i;
      if (k == rows[r].array) x[k][rows[r].element] = r % 2 ? (NnReal)NAN : -(NnReal)INFINITY;
      list[k].x = there[k] = nn_put(b, x[k], MANY);
    }
    NnArray *array = nn_put_bytes(b, list, sizeof list);
    NnReal *watched = nn_put(b, rows[r].watched, 2), *first = nn_memory(b, 1);
    b->kernels->find_nonfinite(b, 2, watched, ARRAYS, array, ROWS, first);
    nn_take(b, first, &found, 1);
    BT_CHECK_ROW(found == rows[r].first, "row %zu: array %g, wanted %g", r, (double)found,
                 (double)rows[r].first);
    nn_drop(b, watched), nn_drop(b, array);
    for (int k = 0; k < ARRAYS; k++) nn_drop(b, there[k]);
  }
  nn_backend_close(b);
}

/* Saved after two steps and loaded elsewhere, the next two steps are the very same. */
static void checkpoints(void) {
  const NnOptimizerOptions options = nn_optimizer_defaults(NN_ADAM);
  const char *path = bt_test_path("optimizer.safetensors");
  Problem p, q;
  NnOptimizer *o, *r;
  BtTensorWriter *writer;
  BtTensorReader *reader;
  NnReal w[N], again[N];
  problem(&p);
  problem(&q);
  BT_CHECK_STATUS(nn_optimizer_create(&p.ctx, &options, p.g, NN_GENERAL, &o), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_optimizer_create(&q.ctx, &options, q.g, NN_GENERAL, &r), BT_OK, &q.ctx);
  for (int t = 0; t < 2; t++) BT_CHECK_STATUS(step(&p, o, 0.1, NULL), BT_OK, &p.ctx);
  BT_CHECK_STATUS(bt_tensors_create(&p.ctx, path, NULL, &writer), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_declare(&p.ctx, p.g, writer, "model."), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_optimizer_declare(&p.ctx, o, writer, "general."), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_append(&p.ctx, p.g, writer), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_optimizer_append(&p.ctx, o, writer), BT_OK, &p.ctx);
  BT_CHECK_STATUS(bt_tensors_commit(&p.ctx, writer), BT_OK, &p.ctx);
  BT_CHECK_STATUS(bt_tensors_open(&q.ctx, path, &reader), BT_OK, &q.ctx);
  BT_CHECK_STATUS(nn_graph_load(&q.ctx, q.g, reader, "model."), BT_OK, &q.ctx);
  BT_CHECK_STATUS(nn_optimizer_load(&q.ctx, r, reader, "general."), BT_OK, &q.ctx);
  BT_CHECK_STATUS(nn_optimizer_load(&q.ctx, r, reader, "other."), BT_ERR_FORMAT, &q.ctx);
  bt_tensors_close(reader);
  BT_CHECK(nn_optimizer_steps(r) == 2);
  for (int t = 0; t < 2; t++) {
    BT_CHECK_STATUS(step(&p, o, 0.1, NULL), BT_OK, &p.ctx);
    BT_CHECK_STATUS(step(&q, r, 0.1, NULL), BT_OK, &q.ctx);
  }
  BT_CHECK_STATUS(nn_graph_get(&p.ctx, p.g, p.w, w, N), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_get(&q.ctx, q.g, q.w, again, N), BT_OK, &q.ctx);
  BT_CHECK(memcmp(w, again, sizeof w) == 0);
  nn_optimizer_destroy(o);
  nn_optimizer_destroy(r);
  finish(&p);
  finish(&q);
}

/* Weights that are no numbers are found where they come from, not by what they do to a training. */
static void damaged_weights(void) {
  const char *path = bt_test_path("damaged.safetensors");
  Problem p;
  BtTensorWriter *writer;
  BtTensorReader *reader;
  NnReal w[N];
  problem(&p);
  BT_CHECK_STATUS(nn_graph_get(&p.ctx, p.g, p.w, w, N), BT_OK, &p.ctx);
  w[N - 1] = (NnReal)NAN;
  BT_CHECK_STATUS(nn_graph_set(&p.ctx, p.g, p.w, w, N), BT_OK, &p.ctx);
  BT_CHECK_STATUS(bt_tensors_create(&p.ctx, path, NULL, &writer), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_declare(&p.ctx, p.g, writer, ""), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_append(&p.ctx, p.g, writer), BT_OK, &p.ctx);
  BT_CHECK_STATUS(bt_tensors_commit(&p.ctx, writer), BT_OK, &p.ctx);
  BT_CHECK_STATUS(bt_tensors_open(&p.ctx, path, &reader), BT_OK, &p.ctx);
  BT_CHECK_STATUS(nn_graph_load(&p.ctx, p.g, reader, ""), BT_ERR_FORMAT, &p.ctx);
  BT_CHECK(strstr(p.ctx.error, path) && strstr(p.ctx.error, nn_graph_name(p.g, p.w)));
  bt_tensors_close(reader);
  finish(&p);
}

static void refusals(void) {
  const NnOptimizerOptions bad[] = {{.kind = NN_SGD, .momentum = 1},
                                    {.kind = NN_SGD, .nesterov = 1},
                                    {.kind = NN_SGD, .clip = -1},
                                    {.kind = NN_ADAM, .beta1 = 0.9, .beta2 = 1, .epsilon = 1e-8},
                                    {.kind = NN_ADAM, .beta1 = 0.9, .beta2 = 0.9},
                                    {.kind = NN_RMSPROP, .alpha = NAN, .epsilon = 1},
                                    {.kind = (NnOptimizerKind)9, .epsilon = 1}};
  const NnOptimizerOptions good = {.kind = NN_SGD};
  Problem p;
  NnOptimizer *o;
  problem(&p);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    BT_CHECK_STATUS(nn_optimizer_create(&p.ctx, &bad[i], p.g, NN_GENERAL, &o), BT_ERR_ARG, &p.ctx);
    BT_CHECK(o == NULL);
  }
  BT_CHECK_STATUS(nn_optimizer_create(&p.ctx, &good, p.g, NN_RESPONSE, &o), BT_ERR_ARG, &p.ctx);
  finish(&p);
}

static void schedules(void) {
  const NnSchedule constant = {.kind = NN_SCHEDULE_CONSTANT, .rate = 0.5};
  const NnSchedule steps = {
      .kind = NN_SCHEDULE_STEP, .rate = 1, .factor = 0.2, .milestone_count = 2, .milestone = {3, 5}};
  const NnSchedule cosine = {.kind = NN_SCHEDULE_COSINE, .rate = 1, .floor = 0.2, .total = 10};
  const NnSchedule cycle = {.kind = NN_SCHEDULE_ONE_CYCLE,
                            .rate = 1,
                            .total = 20,
                            .warm_up = 0.3,
                            .initial_divisor = 25,
                            .final_divisor = 1e4};
  BtContext ctx;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(nn_schedule_check(&ctx, &constant), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_schedule_check(&ctx, &steps), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_schedule_check(&ctx, &cosine), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_schedule_check(&ctx, &cycle), BT_OK, &ctx);
  BT_CHECK_NEAR(nn_schedule_rate(&constant, 1000), 0.5, 0);
  BT_CHECK_NEAR(nn_schedule_rate(&steps, 2), 1, 0);
  BT_CHECK_NEAR(nn_schedule_rate(&steps, 3), 0.2, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&steps, 5), 0.04, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&cosine, 0), 1, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&cosine, 5), 0.6, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&cosine, 10), 0.2, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&cosine, 99), 0.2, 1e-15);
  /* Start 1/25; the peak at 0.3·20 − 1 = 5; the end at 19. */
  BT_CHECK_NEAR(nn_schedule_rate(&cycle, 0), 0.04, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&cycle, 5), 1, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&cycle, 12), (1 + 4e-6) / 2, 1e-12);
  BT_CHECK_NEAR(nn_schedule_rate(&cycle, 19), 4e-6, 1e-15);
  BT_CHECK_NEAR(nn_schedule_rate(&cycle, 50), 4e-6, 1e-15);
  NnSchedule bad = cosine;
  bad.total = 0;
  BT_CHECK_STATUS(nn_schedule_check(&ctx, &bad), BT_ERR_ARG, &ctx);
  bad = steps, bad.milestone[1] = 3;
  BT_CHECK_STATUS(nn_schedule_check(&ctx, &bad), BT_ERR_ARG, &ctx);
  bad = constant, bad.rate = NAN;
  BT_CHECK_STATUS(nn_schedule_check(&ctx, &bad), BT_ERR_ARG, &ctx);
}

/* Moments of the initial values, and that they do not depend on the graph. */
static void initial_values(void) {
  enum { MANY = 20000 };
  static NnReal x[MANY], again[MANY];
  BtContext ctx;
  NnBackend *backend = nn_test_backend(1);
  NnReal *const copies[2] = {x, again};
  double mean = 0, square = 0, most = 0;
  bt_context_init(&ctx);
  for (int k = 0; k < 2; k++) {
    NnGraph *g;
    BT_CHECK_STATUS(nn_graph_create(&ctx, backend, 1, &g), BT_OK, &ctx);
    if (k) (void)nn_constant(g, "first", NN_SHAPE(3));
    const NnId w = nn_parameter(g, "w", NN_GENERAL, NN_SHAPE(MANY));
    BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_initial_uniform(&ctx, g, w, 7, 0.1), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_get(&ctx, g, w, copies[k], MANY), BT_OK, &ctx);
    nn_graph_destroy(g);
  }
  for (int i = 0; i < MANY; i++)
    mean += (double)x[i], square += (double)x[i] * (double)x[i], most = fmax(most, fabs((double)x[i]));
  BT_CHECK(memcmp(x, again, sizeof x) == 0);
  BT_CHECK_NEAR(mean / MANY, 0, 5 * 0.1 / sqrt(3.0 * MANY));
  BT_CHECK_NEAR(square / MANY, 0.01 / 3, 5 * 0.01 * sqrt(4.0 / 45 / MANY));
  BT_CHECK(most <= 0.1 && most > 0.0999);
  nn_backend_close(backend);
}

static const BtTest tests[] = {{"formulas", formulas},
                               {"Adam's first step", adam_first_step},
                               {"clipping", clipping},
                               {"what is not finite", search},
                               {"checkpoints", checkpoints},
                               {"damaged weights", damaged_weights},
                               {"refusals", refusals},
                               {"schedules", schedules},
                               {"initial values", initial_values}};

int main(int argc, char **argv) {
  return nn_test_main(argc, argv, "optimizers", tests, sizeof tests / sizeof *tests);
}

/* Training steps of whole networks: seconds, counted products, and what a step of Δ-STN costs beside a plain
 * one. bench_nn_steps TASK [TUNER [THREADS | DEVICE [STEPS]]] prints one line of JSON; exit code 77 where the
 * device, such as cuda or cuda,graph, is not there. On a device a step is the mean of 16, after which their
 * losses are read, as in a training; cpu_seconds are then what starting it costs the host.
 *
 * Augmentation is left out: steps are those of the network alone, on numbers that stay the same. Products are
 * counted by a table of kernels that counts and hands on. Seconds are of the wall clock; cpu_seconds, of
 * all threads together, say what a step costs on a machine that others use, too. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nn/task.h"
#include "nn/tuner.h"

static const NnKernels *real;
static double flops, product_seconds;

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(BtStatus st, const BtContext *ctx) {
  if (st >= 0) return;
  fprintf(stderr, "%s\n", ctx->error);
  exit(1);
}

static void gemm(NnBackend *b, int ta, int tb, size_t m, size_t n, size_t k, NnReal alpha, const NnReal *A,
                 size_t lda, const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc) {
  const double start = seconds(CLOCK_MONOTONIC);
  real->gemm(b, ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
  product_seconds += seconds(CLOCK_MONOTONIC) - start;
  flops += 2.0 * (double)m * (double)n * (double)k;
}

static void count_conv(const NnConv *c, double start) {
  product_seconds += seconds(CLOCK_MONOTONIC) - start;
  flops += 2.0 * (double)(c->batch * c->filters * c->out_height * c->out_width) *
           (double)(c->channels * c->kernel_height * c->kernel_width);
}

static void conv2d(NnBackend *b, const NnConv *c, const NnReal *x, const NnReal *w, NnReal beta, NnReal *y,
                   NnReal *work) {
  const double start = seconds(CLOCK_MONOTONIC);
  real->conv2d(b, c, x, w, beta, y, work);
  count_conv(c, start);
}

static void conv2d_data(NnBackend *b, const NnConv *c, const NnReal *w, const NnReal *gy, NnReal beta,
                        NnReal *gx, NnReal *work) {
  const double start = seconds(CLOCK_MONOTONIC);
  real->conv2d_data(b, c, w, gy, beta, gx, work);
  count_conv(c, start);
}

static void conv2d_filter(NnBackend *b, const NnConv *c, const NnReal *x, const NnReal *gy, NnReal beta,
                          NnReal *gw, NnReal *work) {
  const double start = seconds(CLOCK_MONOTONIC);
  real->conv2d_filter(b, c, x, gy, beta, gw, work);
  count_conv(c, start);
}

/* What a 2048³ product reaches: FLOP/s of processor time. */
static double gemm_rate(NnBackend *b) {
  enum { N = 2048 };
  NnReal *A = malloc(3 * (size_t)N * N * sizeof *A);
  double least = 1e9;
  if (!A) exit(1);
  for (size_t i = 0; i < (size_t)N * N; i++) A[i] = A[N * N + i] = (NnReal)(i % 13);
  for (int i = 0; i < 3; i++) {
    const double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    b->kernels->gemm(b, 0, 1, N, N, N, 1, A, N, A + N * N, N, 0, A + 2 * N * N, N);
    least = fmin(least, seconds(CLOCK_PROCESS_CPUTIME_ID) - start);
  }
  free(A);
  return 2.0 * N * N * N / least;
}

/* The network without the layers that change the data. */
static json_t *without_augmentation(const json_t *model) {
  static const char *const away[] = {"flip",   "affine", "jitter", "standardise",
                                     "cutout", "crop",   "noise",  "input-noise"};
  json_t *copy = json_deep_copy(model), *layers = json_object_get(copy, "layers");
  for (size_t i = json_array_size(layers); i-- > 0;) {
    const char *type = json_string_value(json_object_get(json_array_get(layers, i), "type"));
    for (size_t k = 0; k < sizeof away / sizeof *away; k++)
      if (type && strcmp(type, away[k]) == 0) {
        (void)json_array_remove(layers, i);
        break;
      }
  }
  return copy;
}

static NnProblem problem_of(const NnTask *t) {
  switch (t->data.kind) {
    case NN_DATA_CIFAR10: return (NnProblem){NN_SHAPE(3, 32, 32), NN_SHAPE(1), 10, 0, 3, NULL, NULL};
    case NN_DATA_TEXT:
      return (NnProblem){
          NN_SHAPE((size_t)t->data.length), NN_SHAPE((size_t)t->data.length), 10000, 1, 0, NULL, NULL};
    default: return (NnProblem){NN_SHAPE(1, 28, 28), NN_SHAPE(1), 10, 0, 1, NULL, NULL};
  }
}

static void set_input(BtContext *ctx, NnModel *m, NnId id, size_t rows, size_t most) {
  const size_t n = rows * nn_shape_size(nn_graph_shape(m->graph, id));
  NnReal *x = malloc(n * sizeof *x);
  if (!x) exit(1);
  for (size_t i = 0; i < n; i++)
    x[i] = most ? (NnReal)(i * 7919 % most) : (NnReal)((double)(i * 7919 % 1000) * 0.001);
  must(nn_graph_set(ctx, m->graph, id, x, n), ctx);
  free(x);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef struct {
  double *wall, *cpu, flops, products;
  int steps;
  int each; /* of which the losses are read at a time */
} Times;

/* The first ones warm up; the very first counts the products, which a device may record. */
static void run(BtContext *ctx, NnTuner *tuner, size_t rows, int validate, Times *t) {
  NnTunerLosses losses;
  for (int i = -1; i <= t->steps; i++) {
    const double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    const int each = i < 0 ? 1 : t->each;
    flops = product_seconds = 0;
    for (int k = 0; k < each; k++)
      must(validate ? nn_tuner_validate(ctx, tuner, rows, 1e-6, NULL)
                    : nn_tuner_train(ctx, tuner, rows, 1e-6, 1e-6, NULL),
           ctx);
    must(nn_tuner_losses(ctx, tuner, &losses), ctx);
    if (i < 0) t->flops = flops;
    if (i <= 0) continue;
    t->wall[i - 1] = (seconds(CLOCK_MONOTONIC) - start) / each;
    t->cpu[i - 1] = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / each;
    t->products += product_seconds / each / t->steps;
  }
  qsort(t->wall, (size_t)t->steps, sizeof *t->wall, by_value);
  qsort(t->cpu, (size_t)t->steps, sizeof *t->cpu, by_value);
}

static json_t *times_json(const Times *t, size_t examples) {
  const int middle = t->steps / 2;
  return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "least_seconds", t->wall[0], "median_seconds",
                   t->wall[middle], "least_cpu_seconds", t->cpu[0], "median_cpu_seconds", t->cpu[middle],
                   "product_seconds", t->products, "gflop", 1e-9 * t->flops, "examples_per_second",
                   (double)examples / t->wall[middle]);
}

int main(int argc, char **argv) {
  BtContext ctx;
  NnBackend *b;
  NnTask *task;
  NnModel *model;
  NnTuner *tuner;
  char kind[16];
  if (argc < 2) {
    fprintf(stderr, "usage: bench_nn_steps TASK [none|stn|cstn|dstn [THREADS | DEVICE [STEPS]]]\n");
    return 2;
  }
  const int choice = argc > 2 ? bt_choice_index(NN_TUNER_CHOICES, argv[2], strlen(argv[2])) : 0;
  const int steps = argc > 4 ? atoi(argv[4]) : 5;
  if (choice < 0 || steps < 1) return 2;
  bt_context_init(&ctx);
  must(nn_task_load(&ctx, argv[1], &task), &ctx);
  const int on_cpu = argc <= 3 || strspn(argv[3], "0123456789") == strlen(argv[3]);
  const BtStatus opened =
      nn_backend_open(&ctx, on_cpu ? "cpu" : argv[3], on_cpu && argc > 3 ? atoi(argv[3]) : 1, &b);
  if (opened == BT_ERR_UNSUPPORTED) {
    fprintf(stderr, "SKIPPED: %s\n", ctx.error);
    return 77;
  }
  must(opened, &ctx);
  const double rate = on_cpu ? gemm_rate(b) : 0;

  real = b->kernels;
  NnKernels counting = *real;
  counting.gemm = gemm;
  counting.conv2d = conv2d;
  counting.conv2d_data = conv2d_data;
  counting.conv2d_filter = conv2d_filter;
  b->kernels = &counting;

  const NnTunerTraits traits = nn_tuner_traits((NnTunerKind)choice);
  const NnProblem problem = problem_of(task);
  const NnModelOptions mo = {.max_batch = (size_t)task->batch,
                             .responds = traits.responds,
                             .centred = traits.centred,
                             .entropy = task->entropy};
  const NnTunerOptions to = {.kind = (NnTunerKind)choice,
                             .fixed_scales = task->fixed_scales,
                             .seed = 1,
                             .weights = task->weights.options,
                             .response = task->response.options,
                             .hyper = task->tuning.options};
  json_t *bare = without_augmentation(task->model);
  must(nn_model_create(&ctx, b, task->file, bare, &task->hyper, &problem, &mo, &model), &ctx);
  must(nn_model_initial(&ctx, model, 1, traits.deviation, NULL), &ctx);
  must(nn_tuner_create(&ctx, &to, model, &tuner), &ctx);
  const size_t rows = (size_t)task->batch;
  set_input(&ctx, model, model->x, rows, problem.tokens ? problem.classes : 0);
  set_input(&ctx, model, model->label, rows, problem.classes);

  double *room = calloc(4 * (size_t)steps, sizeof *room);
  if (!room) return 1;
  const int each = on_cpu ? 1 : 16;
  Times training = {.wall = room, .cpu = room + steps, .steps = steps, .each = each};
  Times validation = {.wall = room + 2 * steps, .cpu = room + 3 * steps, .steps = steps, .each = each};
  run(&ctx, tuner, rows, 0, &training);
  if (choice != NN_TUNER_NONE) run(&ctx, tuner, rows, 1, &validation);

  const size_t examples = rows * nn_shape_size(problem.label);
  json_t *result =
      json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:f, s:o}", "task", argv[1], "tuner",
                bt_choice_name(NN_TUNER_CHOICES, choice, kind, sizeof kind), "device", b->name, "threads",
                b->threads, "replays", (json_int_t)nn_tuner_replays(tuner), "batch", (json_int_t)rows,
                "train_steps", (json_int_t)task->train_steps, "valid_steps", (json_int_t)task->valid_steps,
                "gemm_gflops", 1e-9 * rate, "training", times_json(&training, examples));
  if (choice != NN_TUNER_NONE)
    (void)json_object_set_new(result, "validation", times_json(&validation, examples));
  (void)json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6) | JSON_PRESERVE_ORDER);
  (void)fputc('\n', stdout);
  json_decref(result);
  json_decref(bare);
  free(room);
  nn_tuner_destroy(tuner);
  nn_model_destroy(model);
  b->kernels = real;
  nn_backend_close(b);
  nn_task_free(task);
  return 0;
}

/* Value and gradient of multinomial logistic regression against the two matrix products that they consist of.
 *
 *   bench_logreg [MNIST_FOLDER]       60,000 rows of 144 features, 10 classes; random rows without a folder
 *
 * The products are Z = W Xᵀ and G = P X on all rows at once, by the same BLAS on one thread. Times are of the
 * processor, the best of several runs. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "core/dataset.h"
#include "core/rng.h"
#include "lowerlevel/logistic.h"

enum { REPEATS = 15, ROWS = 60000, SIDE = 12, CLASSES = 10 };

static double processor_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *alloc(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory) return memory;
  fprintf(stderr, "out of memory\n");
  exit(1);
}

static void load(BtContext *ctx, const char *folder, BtDataset *set) {
  if (folder) {
    bench_check(ctx, bt_dataset_read_idx(ctx, folder, "train", set), "reading");
    bench_check(ctx, bt_dataset_resize(ctx, SIDE, SIDE, set), "resizing");
    return;
  }
  *set = (BtDataset){.rows = ROWS, .features = SIDE * SIDE};
  set->x = alloc(set->rows * set->features, sizeof *set->x);
  set->label = alloc(set->rows, sizeof *set->label);
  for (size_t j = 0; j < set->rows * set->features; j++) set->x[j] = bt_rng_uniform(1, 1, j);
  for (size_t i = 0; i < set->rows; i++) set->label[i] = (int64_t)(bt_rng_uniform(1, 2, i) * CLASSES);
}

/* Seconds of both products, in double or single precision. */
static double products(const BtDataset *set, int single) {
  const int n = (int)set->rows, d = (int)set->features;
  const size_t size = single ? sizeof(float) : sizeof(double);
  double best = (double)INFINITY;
  float *xs = alloc(single ? set->rows * set->features : 1, sizeof *xs);
  void *w = alloc((size_t)CLASSES * set->features, size), *z = alloc(CLASSES * set->rows, size);
  for (size_t j = 0; single && j < set->rows * set->features; j++) xs[j] = (float)set->x[j];
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    const double start = processor_clock();
    if (single) {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, CLASSES, n, d, 1, w, d, xs, d, 0, z, n);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, CLASSES, d, n, 1, z, n, xs, d, 0, w, d);
    } else {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, CLASSES, n, d, 1, w, d, set->x, d, 0, z, n);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, CLASSES, d, n, 1, z, n, set->x, d, 0, w, d);
    }
    best = fmin(best, processor_clock() - start);
  }
  free(xs);
  free(w);
  free(z);
  return best;
}

typedef enum { GRADIENT, PRODUCT } Kind;

static double time_of(const BtProblem *p, Kind kind, const double *w, double *out) {
  const double theta = -3;
  double *curvature = alloc(p->ops->curvature_size(p, 0), sizeof *curvature), best = (double)INFINITY;
  p->ops->curvature(p, 0, &theta, w, curvature);
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    const double start = processor_clock();
    if (kind == GRADIENT)
      (void)p->ops->value_grad(p, 0, &theta, w, out);
    else
      p->ops->hess_mult(p, 0, curvature, w, out);
    best = fmin(best, processor_clock() - start);
  }
  free(curvature);
  return best;
}

int main(int argc, char **argv) {
  BtContext ctx;
  BtDataset set = {0};
  BtTeam team;
  BtLogistic *logistic = NULL;
  if (argc > 2) {
    fprintf(stderr, "usage: bench_logreg [MNIST_FOLDER]\n");
    return 2;
  }
  openblas_set_num_threads(1);
  bt_context_init(&ctx);
  bt_team_self(&team);
  load(&ctx, argc > 1 ? argv[1] : NULL, &set);
  const size_t n = CLASSES * set.features;
  int32_t *label = alloc(set.rows, sizeof *label);
  double *w = alloc(n, sizeof *w), *out = alloc(n, sizeof *out);
  for (size_t i = 0; i < set.rows; i++) label[i] = (int32_t)set.label[i];
  for (size_t j = 0; j < n; j++) w[j] = 0.1 * bt_rng_normal(1, 3, j);
  const BtLogisticSpec spec = {
      .rows = set.rows, .features = set.features, .classes = CLASSES, .x = set.x, .label = label};
  bench_check(&ctx, bt_logistic_create(&ctx, &spec, &team, &logistic), "logistic regression");
  const BtProblem *exact = bt_logistic_problem(logistic);
  printf("%zu rows, %zu features, %d classes; %.3f Gflop\n", set.rows, set.features, CLASSES,
         4e-9 * (double)set.rows * (double)n);
  printf("precision   two products   value and gradient   ratio   Hessian product   ratio\n");
  for (int single = 0; single < 2; single++) {
    const BtProblem *p = single ? exact->fast : exact;
    const double base = products(&set, single), gradient = time_of(p, GRADIENT, w, out),
                 product = time_of(p, PRODUCT, w, out);
    printf("%-9s %11.2f ms %17.2f ms %7.2f %14.2f ms %7.2f\n", single ? "single" : "double", 1e3 * base,
           1e3 * gradient, gradient / base, 1e3 * product, product / base);
  }
  bt_logistic_destroy(logistic);
  bt_dataset_clear(&set);
  free(label);
  free(w);
  free(out);
  return 0;
}

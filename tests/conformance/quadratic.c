#include "quadratic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lowerlevel/vector.h"

static const Quadratic *self(const BtProblem *problem) { return problem->data; }

/* out ← Q v = Qᵀ v */
static void reflect(const Quadratic *q, const double *v, double *out) {
  const double twice = 2 * bt_dot(q->u, v, q->n);
  for (size_t j = 0; j < q->n; j++) out[j] = v[j] - twice * q->u[j];
}

static double entry(const Quadratic *q, const double *theta, size_t j) {
  return q->d[j] + exp(theta[j % q->m]);
}

int quadratic_create(Quadratic *q, size_t n, size_t m, uint64_t seed) {
  memset(q, 0, sizeof *q);
  q->n = n;
  q->m = m;
  double *at = q->block = malloc((2 + 3 * QUADRATIC_IMAGES) * n * sizeof *at);
  if (!at) return 0;
  q->u = at, at += n;
  q->d = at, at += n;
  bt_rng_fill_normal(seed, 0, 0, n, q->u);
  const double length = bt_norm(q->u, n);
  for (size_t j = 0; j < n; j++) q->u[j] /= length;
  for (size_t j = 0; j < n; j++) q->d[j] = exp(3 * bt_rng_uniform(seed, 1, j)) - 0.5;
  for (size_t i = 0; i < QUADRATIC_IMAGES; i++) {
    q->c[i] = at, at += n;
    q->target[i] = at, at += n;
    q->truth[i] = at, at += n;
    bt_rng_fill_normal(seed, 10 + i, 0, n, q->target[i]);
    /* What is observed answers to a hidden θ, with noise. */
    for (size_t j = 0; j < n; j++)
      q->c[i][j] =
          (q->d[j] + exp(0.3 * (double)(j % m) - 1)) * q->target[i][j] + bt_rng_normal(seed, 20 + i, j);
    reflect(q, q->target[i], q->truth[i]);
  }
  return 1;
}

void quadratic_clear(Quadratic *q) {
  free(q->block);
  memset(q, 0, sizeof *q);
}

static size_t dimension(const BtProblem *p, size_t i) {
  (void)i;
  return self(p)->n;
}

static size_t cold_start(const BtProblem *p, size_t i, const double *theta, double *x, double *dual) {
  (void)theta, (void)dual;
  memset(x, 0, dimension(p, i) * sizeof *x);
  return 0;
}

static double value_grad(const BtProblem *p, size_t i, const double *theta, const double *x,
                         double *gradient) {
  const Quadratic *q = self(p);
  double value = 0;
  reflect(q, x, gradient);
  for (size_t j = 0; j < q->n; j++) {
    const double y = gradient[j], a = entry(q, theta, j);
    value += 0.5 * a * y * y - q->c[i][j] * y;
    gradient[j] = a * y - q->c[i][j];
  }
  reflect(q, gradient, gradient);
  return value;
}

static size_t curvature_size(const BtProblem *p, size_t i) { return dimension(p, i); }

static void curvature(const BtProblem *p, size_t i, const double *theta, const double *x, double *out) {
  (void)i, (void)x;
  for (size_t j = 0; j < self(p)->n; j++) out[j] = entry(self(p), theta, j);
}

static void hess_mult(const BtProblem *p, size_t i, const double *prepared, const double *v,
                      double *product) {
  const Quadratic *q = self(p);
  (void)i;
  reflect(q, v, product);
  for (size_t j = 0; j < q->n; j++) product[j] *= prepared[j];
  reflect(q, product, product);
}

/* Q_jk = δ_jk − 2 u_j u_k */
static void hess_diagonal(const BtProblem *p, size_t i, const double *prepared, double *diagonal) {
  const Quadratic *q = self(p);
  double all = 0;
  (void)i;
  for (size_t k = 0; k < q->n; k++) all += q->u[k] * q->u[k] * prepared[k];
  for (size_t j = 0; j < q->n; j++) {
    const double u2 = q->u[j] * q->u[j];
    diagonal[j] = prepared[j] * (1 - 4 * u2) + 4 * u2 * all;
  }
}

static void cross_mult(const BtProblem *p, size_t i, const double *theta, const double *x, const double *v,
                       double *product) {
  const Quadratic *q = self(p);
  (void)i;
  reflect(q, x, product);
  for (size_t j = 0; j < q->n; j++) product[j] *= exp(theta[j % q->m]) * v[j % q->m];
  reflect(q, product, product);
}

static void cross_adjoint(const BtProblem *p, size_t i, const double *theta, const double *x, const double *w,
                          double *product) {
  const Quadratic *q = self(p);
  const double twice_x = 2 * bt_dot(q->u, x, q->n), twice_w = 2 * bt_dot(q->u, w, q->n);
  (void)i;
  for (size_t k = 0; k < q->m; k++) product[k] = 0;
  for (size_t j = 0; j < q->n; j++)
    product[j % q->m] += (x[j] - twice_x * q->u[j]) * (w[j] - twice_w * q->u[j]);
  for (size_t k = 0; k < q->m; k++) product[k] *= exp(theta[k]);
}

/* The columns of J are orthogonal. */
static double cross_norm(const BtProblem *p, size_t i, const double *theta, const double *x, double *work) {
  const Quadratic *q = self(p);
  double largest = 0;
  (void)i;
  reflect(q, x, work);
  for (size_t k = 0; k < q->m; k++) {
    double sum = 0;
    for (size_t j = k; j < q->n; j += q->m) sum += work[j] * work[j];
    largest = fmax(largest, exp(theta[k]) * sqrt(sum));
  }
  return largest * (1 + 1e-12);
}

static size_t cross_norm_work(const BtProblem *p, size_t i) { return dimension(p, i); }

static void constants(const BtProblem *p, size_t i, const double *theta, BtProblemConstants *k) {
  const Quadratic *q = self(p);
  (void)i;
  *k = (BtProblemConstants){.mu = (double)INFINITY, .proof = BT_PROVEN};
  for (size_t j = 0; j < q->n; j++) k->mu = fmin(k->mu, entry(q, theta, j));
  for (size_t j = 0; j < q->n; j++) k->lipschitz = fmax(k->lipschitz, entry(q, theta, j));
  for (size_t m = 0; m < q->m; m++) k->cross_lipschitz = fmax(k->cross_lipschitz, exp(theta[m]));
}

/* Two reflections, each with a sum of n terms. */
static double gradient_rounding(const BtProblem *p, size_t i, const double *theta,
                                const BtProblemConstants *unused, const double *x) {
  (void)unused;
  const Quadratic *q = self(p);
  BtProblemConstants k;
  constants(p, i, theta, &k);
  return 8 * bt_sum_rounding(q->n) * (k.lipschitz * bt_norm(x, q->n) + bt_norm(q->c[i], q->n));
}

static void variation(const BtProblem *p, size_t i, const double *theta, const double *x, const double *w,
                      double eps, BtVariation *out) {
  BtProblemConstants k;
  (void)x;
  constants(p, i, theta, &k);
  bt_problem_variation_by_constants(&k, self(p)->n, bt_norm(w, self(p)->n), eps, out);
}

static const BtProblemOps ops = {
    .name = "quadratic",
    .dimension = dimension,
    .cold_start = cold_start,
    .value_grad = value_grad,
    .curvature_size = curvature_size,
    .curvature = curvature,
    .hess_mult = hess_mult,
    .hess_diagonal = hess_diagonal,
    .cross_mult = cross_mult,
    .cross_adjoint = cross_adjoint,
    .cross_norm = cross_norm,
    .cross_norm_work = cross_norm_work,
    .constants = constants,
    .gradient_rounding = gradient_rounding,
    .variation = variation,
};

BtProblem quadratic_problem(const Quadratic *q) {
  return (BtProblem){.ops = &ops, .count = QUADRATIC_IMAGES, .parameters = q->m, .data = q};
}

BtUpperLoss quadratic_loss(const Quadratic *q) { return bt_squared_error((const double *const *)q->truth); }

void quadratic_solution(const Quadratic *q, size_t i, const double *theta, double *x) {
  for (size_t j = 0; j < q->n; j++) x[j] = q->c[i][j] / entry(q, theta, j);
  reflect(q, x, x);
}

double quadratic_value(const Quadratic *q, size_t i, const double *theta, double *gradient) {
  double value = 0;
  for (size_t k = 0; k < q->m; k++) gradient[k] = 0;
  for (size_t j = 0; j < q->n; j++) {
    const double a = entry(q, theta, j), y = q->c[i][j] / a, r = y - q->target[i][j];
    value += 0.5 * r * r;
    gradient[j % q->m] -= r * y * exp(theta[j % q->m]) / a;
  }
  return value;
}

/* The share of coordinate k in the mean value. */
static double share(const Quadratic *q, size_t k, double theta) {
  double value = 0;
  for (size_t i = 0; i < QUADRATIC_IMAGES; i++)
    for (size_t j = k; j < q->n; j += q->m) {
      const double r = q->c[i][j] / (q->d[j] + exp(theta)) - q->target[i][j];
      value += 0.5 * r * r / QUADRATIC_IMAGES;
    }
  return value;
}

double quadratic_minimum(const Quadratic *q, double *theta) {
  double total = 0;
  for (size_t k = 0; k < q->m; k++) {
    double centre = 0, best = share(q, k, 0);
    for (double width = 10; width > 1e-9; width *= 0.5)
      for (int side = -16; side <= 16; side++) {
        const double trial = centre + width * side / 16, value = share(q, k, trial);
        if (value < best) best = value, centre = trial;
      }
    theta[k] = centre;
    total += best;
  }
  return total;
}

/* Terms of the Hessian (softmax_pairs.h) with factors of their own, not divided by chances, lie below it:
 *
 *   ∇²h(w) ⪰ s Σ_taken p_k p_l (e_k − e_l)(e_k − e_l)ᵀ ⊗ x xᵀ + diag(e^θ).
 *
 * At w + v scores differ by δ, ‖δ‖ ≤ ‖x‖‖v‖, and p_k p_l by no less than the factor e^{δ_k + δ_l − 2 max δ} ≥ e^{−√6‖δ‖}. Along
 * the way to x' = w + v the mean of e^{−at}, a = √6 max‖x‖ ‖v‖, is (1 − e^{−a})/a. See methods.md eq. (55, 56). */
#include "lowerlevel/logistic_convexity_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/lapack.h"
#include "lowerlevel/logistic_inverse_internal.h"
#include "lowerlevel/vector.h"

static const size_t terms_per_unknown = 20;
enum { POWERS = 20, KNOWN = 3 }; /* of the inverse; answers that are kept */

struct BtLogisticConvexity {
  BtLogisticRows *rows;
  double scale;
  size_t n;
  double *blocks, *matrix; /* [pairs][d][d] and [n][n], both made at first use */
  double *vector;          /* [3n]: an eigenvector, the point of the blocks and the weights of the answers */
  int sampled;             /* there are blocks                                 */
  double radius[KNOWN], mu[KNOWN]; /* answers at that point and those weights  */
  size_t known;
  int64_t products;
};

BtStatus bt_logistic_convexity_create(BtContext *ctx, BtLogisticRows *rows, double scale, BtLogisticConvexity **out) {
  const size_t n = rows->features * rows->classes;
  *out = NULL;
  if (n > BT_LOGISTIC_DENSE_MOST || rows->team->rank != 0) return BT_OK;
  BtLogisticConvexity *c = calloc(1, sizeof *c);
  if (!c) return bt_fail_memory(ctx, "bounds of a logistic regression", sizeof *c);
  c->rows = rows;
  c->scale = scale;
  c->n = n;
  *out = c;
  return BT_OK;
}

void bt_logistic_convexity_destroy(BtLogisticConvexity *c) {
  if (!c) return;
  free(c->blocks);
  free(c->matrix);
  free(c->vector);
  free(c);
}

int64_t bt_logistic_convexity_products(const BtLogisticConvexity *c) { return c->products; }

static int have_room(BtLogisticConvexity *c) {
  if (!c->blocks) c->blocks = malloc(bt_logistic_rows_blocks(c->rows) * sizeof *c->blocks);
  if (!c->matrix) c->matrix = malloc(c->n * c->n * sizeof *c->matrix);
  if (!c->vector) c->vector = malloc(3 * c->n * sizeof *c->vector);
  return c->blocks && c->matrix && c->vector;
}

/* c->matrix ← factor of scale·S + diag(weights) less `least` and less its diagonal's share `slack`. Whether that is
 * positive definite as far as arithmetic can tell. */
static int factorize(BtLogisticConvexity *c, double scale, const double *weights, double least, double slack) {
  const int n = (int)c->n;
  int info = 0;
  bt_logistic_assemble(c->rows, scale, c->blocks, weights, c->matrix);
  for (size_t j = 0; j < c->n; j++) {
    double *diagonal = &c->matrix[j * c->n + j];
    *diagonal -= least + slack * *diagonal;
    if (!(*diagonal > 0)) return 0;
  }
  dpotrf_("L", &n, c->matrix, &n, &info);
  return info == 0;
}

/* About the least eigenvalue of the factored matrix: by powers of its inverse. */
static double least_eigenvalue(BtLogisticConvexity *c) {
  const int n = (int)c->n, one = 1;
  double norm = 0;
  int info = 0;
  for (size_t j = 0; j < c->n; j++) c->vector[j] = 1 + 0.5 * sin((double)j);
  for (int k = 0; k < POWERS; k++) {
    norm = bt_norm(c->vector, c->n);
    for (size_t j = 0; j < c->n; j++) c->vector[j] /= norm;
    dpotrs_("L", &n, &one, c->matrix, &n, c->vector, &n, &info);
  }
  return 1 / bt_norm(c->vector, c->n);
}

/* Entries of the matrix are sums of products within γ of the sum of their absolute values, which is at most √(a_ii a_jj); a
 * factorization that comes to its end is that of a matrix as near (Higham 2002, theorem 10.3), and |Σ √a_ii √a_jj x_i x_j|
 * ≤ n Σ a_ii x_i². */
static double slack_of(const BtLogisticConvexity *c) {
  const double n = (double)c->n, chunk = (double)(c->rows->rows / BT_LOGISTIC_CHUNKS + 1);
  const double additions = (double)bt_softmax_pairs_additions((size_t)chunk) + BT_LOGISTIC_CHUNKS +
                           (double)c->rows->classes;
  return 2 * n * BT_ROUNDOFF * (n + additions + 30);
}

/* Blocks at w; their multiply-adds. Answers for another point or other weights are forgotten. */
static double take_sample(BtLogisticConvexity *c, const double *weights, const double *w) {
  double *point = c->vector + c->n, *weights_then = point + c->n, curvature;
  const size_t bytes = c->n * sizeof *w;
  const int same = c->sampled && memcmp(point, w, bytes) == 0;
  if (!same || memcmp(weights_then, weights, bytes) != 0) c->known = 0;
  memcpy(weights_then, weights, bytes);
  if (same) return 0;
  memcpy(point, w, bytes);
  c->sampled = 1;
  return bt_logistic_sample_cost(
      c->rows, (double)bt_logistic_rows_sample(c->rows, w, terms_per_unknown * c->n, BT_PAIRS_AS_THEY_ARE, c->blocks,
                                               &curvature));
}

double bt_logistic_convexity(BtLogisticConvexity *c, const double *weights, const double *w, double weight_error,
                             double error, double radius) {
  static const double roots[] = {0.9, 0.6, 0.3};
  const double n = (double)c->n, slack = slack_of(c), a = sqrt(6.0) * c->rows->norms.row * radius;
  double mu = 0;
  if (!isfinite(radius) || !(error < 1e-3) || !(slack < 1e-3) || !have_room(c)) return 0;
  double spent = take_sample(c, weights, w) + bt_logistic_factor_cost(n);
  for (size_t k = 0; k < KNOWN && k < c->known; k++)
    if (c->radius[k] == radius) return c->mu[k];
  const double scale = c->scale * (1 - 4 * error) * (1 - 1e-12) * (a > 1e-8 ? -expm1(-a) / a : 1 - a);
  if (factorize(c, scale, weights, 0, slack + weight_error)) {
    const double least = least_eigenvalue(c);
    spent += POWERS * n * n;
    for (size_t k = 0; mu == 0 && k < sizeof roots / sizeof *roots; k++) {
      spent += bt_logistic_factor_cost(n);
      if (factorize(c, scale, weights, roots[k] * least, slack + weight_error)) mu = roots[k] * least;
    }
  }
  c->radius[c->known % KNOWN] = radius;
  c->mu[c->known++ % KNOWN] = mu;
  c->products += (int64_t)ceil(spent / (2 * n * (double)c->rows->rows));
  return mu;
}

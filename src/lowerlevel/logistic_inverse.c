#include "lowerlevel/logistic_inverse_internal.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/lapack.h"

/* Terms of the sample for each unknown: at 20 the condition number of M⁻¹∇²h is below 2 on MNIST. */
static const size_t terms_per_unknown = 20;
/* Most mean square change of log-odds, where curvature is, that a sample is kept over. */
static const double most_change = 0.25;
/* Most factor of a ridge weight that a factorization is kept over. */
static const double most_ratio = 1.5;

/* What M follows from: whether there is a sample, the multiply-adds that round the count up, whether there is a
 * factor; then the sample's point and the factor's ridge weights. */
enum { STATE_SAMPLED, STATE_ROUNDING, STATE_FACTORED, STATE_HEAD };

struct BtLogisticInverse {
  BtLogisticRows *rows;
  double scale;
  size_t n;
  double *state;  /* [STATE_HEAD + 2n]                              */
  double *blocks; /* the sample                                     */
  double *factor; /* [n][n] Cholesky's, upper triangle row by row   */
  double *work;   /* [2n]                                           */
  double curvature; /* Σ p_k p_l behind the sample                  */
  int sampled, factored; /* what state says is in memory            */
  double serial;  /* of the last prepare()                          */
  int suits;      /* its answer                                     */
  double spent;   /* multiply-adds                                  */
};

static double *sample_point(const BtLogisticInverse *m) { return m->state + STATE_HEAD; }
static double *factor_weights(const BtLogisticInverse *m) { return m->state + STATE_HEAD + m->n; }

BtStatus bt_logistic_inverse_create(BtContext *ctx, BtLogisticRows *rows, double scale, BtLogisticInverse **out) {
  const size_t n = rows->features * rows->classes;
  *out = NULL;
  if (n > BT_LOGISTIC_DENSE_MOST || rows->team->rank != 0) return BT_OK;
  BtLogisticInverse *m = calloc(1, sizeof *m);
  if (!m) return bt_fail_memory(ctx, "a preconditioner", sizeof *m);
  m->rows = rows;
  m->scale = scale;
  m->n = n;
  m->state = calloc(bt_logistic_inverse_state_length(n), sizeof *m->state);
  m->factor = malloc(n * n * sizeof *m->factor);
  m->work = malloc(2 * n * sizeof *m->work);
  m->blocks = malloc(bt_logistic_rows_blocks(rows) * sizeof *m->blocks);
  if (!m->state || !m->factor || !m->work || !m->blocks) {
    bt_logistic_inverse_destroy(m);
    return bt_fail_memory(ctx, "a preconditioner", 8.0 * (double)n * (double)n);
  }
  *out = m;
  return BT_OK;
}

void bt_logistic_inverse_destroy(BtLogisticInverse *m) {
  if (!m) return;
  free(m->state);
  free(m->factor);
  free(m->work);
  free(m->blocks);
  free(m);
}

size_t bt_logistic_inverse_state_length(size_t n) { return STATE_HEAD + 2 * n; }

double *bt_logistic_inverse_state(BtLogisticInverse *m) { return m ? m->state : NULL; }

/* Multiply-adds of one product: V x_i and its return, row by row. */
static double one_product(const BtLogisticInverse *m) { return 2 * (double)m->n * (double)m->rows->rows; }

int64_t bt_logistic_inverse_products(const BtLogisticInverse *m) {
  return (int64_t)ceil(m->spent / one_product(m));
}

static void spend(BtLogisticInverse *m, double multiply_adds) {
  m->spent += multiply_adds;
  m->state[STATE_ROUNDING] = ceil(m->spent / one_product(m)) * one_product(m) - m->spent;
}

static double half_square(double n) { return 0.5 * n * (n + 1); }

double bt_logistic_factor_cost(double n) { return n * n * n / 6 + half_square(n); }

static size_t wanted_terms(const BtLogisticInverse *m) {
  const size_t all = m->rows->rows * bt_softmax_pairs(m->rows->classes), wanted = terms_per_unknown * m->n;
  return all < wanted ? all : wanted;
}

/* A sample looks at each pair of classes of each row, and twice at each feature. */
double bt_logistic_sample_cost(const BtLogisticRows *rows, double terms) {
  return terms * half_square((double)rows->features) +
         (double)rows->rows * (double)(bt_softmax_pairs(rows->classes) + 2 * rows->features);
}

/* A solve takes a few systems, for each of which conjugate gradients with the diagonal need up to some √κ products. */
static int pays(const BtLogisticInverse *m, const double *weights) {
  static const double systems = 3, applications = 30;
  const double n = (double)m->n;
  double least = (double)INFINITY, most = 0;
  for (size_t j = 0; j < m->n; j++) least = fmin(least, weights[j]), most = fmax(most, weights[j]);
  const double condition = (0.5 * m->scale * m->rows->norms.gram + most) / least;
  const double cost = bt_logistic_sample_cost(m->rows, (double)wanted_terms(m)) + bt_logistic_factor_cost(n) + applications * n * n;
  return cost <= systems * sqrt(condition) * one_product(m);
}

/* change[n] ← w − w°; Σ_{k<l} (δ_k − δ_l)ᵀ S_kl (δ_k − δ_l) over the blocks S of the sample: Σ p_k p_l (change of the
 * log-odds of k and l)². */
static double sample_form(BtLogisticInverse *m, const double *w) {
  const size_t d = m->rows->features, classes = m->rows->classes;
  double *change = m->work, *apart = m->work + m->n, *image = apart + d, sum = 0;
  const double *block = m->blocks;
  for (size_t j = 0; j < m->n; j++) change[j] = w[j] - sample_point(m)[j];
  for (size_t k = 0; k < classes; k++)
    for (size_t l = k + 1; l < classes; l++, block += d * d) {
      for (size_t f = 0; f < d; f++) apart[f] = change[k * d + f] - change[l * d + f];
      cblas_dsymv(CblasRowMajor, CblasUpper, (int)d, 1, block, (int)d, apart, 1, 0, image, 1);
      sum += cblas_ddot((int)d, apart, 1, image, 1);
    }
  spend(m, (double)m->n * (double)m->n / 2);
  return sum;
}

static int sample_serves(BtLogisticInverse *m, const double *w) {
  return m->sampled && sample_form(m, w) <= most_change * m->curvature;
}

/* The sample at the state's point. */
static void take_sample(BtLogisticInverse *m, int counted) {
  const size_t terms = bt_logistic_rows_sample(m->rows, sample_point(m), wanted_terms(m), BT_PAIRS_UNBIASED, m->blocks,
                                               &m->curvature);
  m->sampled = 1;
  m->factored = 0;
  if (counted) spend(m, bt_logistic_sample_cost(m->rows, (double)terms));
}

static int factor_serves(const BtLogisticInverse *m, const double *weights) {
  const double *have = factor_weights(m);
  if (!m->factored) return 0;
  for (size_t j = 0; j < m->n; j++)
    if (!(weights[j] <= most_ratio * have[j] && have[j] <= most_ratio * weights[j])) return 0;
  return 1;
}

/* Rows of class k from the diagonal on: −sS_kl for l > k, and s Σ_l S_kl with the ridge. */
void bt_logistic_assemble(const BtLogisticRows *rows, double scale, const double *block, const double *weights,
                          double *matrix) {
  const size_t d = rows->features, classes = rows->classes, n = d * classes;
  memset(matrix, 0, n * n * sizeof *matrix);
  for (size_t k = 0; k < classes; k++)
    for (size_t l = k + 1; l < classes; l++, block += d * d)
      for (size_t f = 0; f < d; f++) {
        double *own = matrix + (k * d + f) * n + k * d, *other = matrix + (l * d + f) * n + l * d;
        double *between = matrix + (k * d + f) * n + l * d;
        for (size_t g = f; g < d; g++) {
          const double entry = scale * block[f * d + g];
          own[g] += entry;
          other[g] += entry;
          between[g] = -entry;
          matrix[(k * d + g) * n + l * d + f] = -entry;
        }
      }
  for (size_t j = 0; j < n; j++) matrix[j * n + j] += weights[j];
}

/* The factor of M with the state's ridge weights. */
static void factorize(BtLogisticInverse *m, int counted) {
  const int n = (int)m->n;
  int info = 0;
  bt_logistic_assemble(m->rows, m->scale, m->blocks, factor_weights(m), m->factor);
  dpotrf_("L", &n, m->factor, &n, &info);
  m->factored = info == 0;
  if (counted) spend(m, bt_logistic_factor_cost((double)m->n));
}

/* What a checkpoint brought. */
static void restore(BtLogisticInverse *m) {
  m->spent = -m->state[STATE_ROUNDING];
  take_sample(m, 0);
  if (m->state[STATE_FACTORED] != 0) factorize(m, 0);
}

int bt_logistic_inverse_prepare(BtLogisticInverse *m, double serial, const double *weights, const double *w) {
  if (m->serial == serial) return m->suits;
  m->serial = serial;
  m->suits = pays(m, weights);
  if (!m->suits) return 0;
  if (!m->sampled && m->state[STATE_SAMPLED] != 0) restore(m);
  if (!sample_serves(m, w)) {
    memcpy(sample_point(m), w, m->n * sizeof *w);
    m->state[STATE_SAMPLED] = 1;
    take_sample(m, 1);
  }
  if (!factor_serves(m, weights)) {
    memcpy(factor_weights(m), weights, m->n * sizeof *weights);
    factorize(m, 1);
  }
  m->state[STATE_FACTORED] = m->factored;
  return m->suits = m->factored;
}

void bt_logistic_inverse_multiply(BtLogisticInverse *m, const double *v, double *product) {
  const int n = (int)m->n, one = 1;
  int info = 0;
  memcpy(product, v, m->n * sizeof *v);
  dpotrs_("L", &n, &one, m->factor, &n, product, &n, &info);
  spend(m, (double)m->n * (double)m->n);
}

/* lowerlevel/softmax_template_internal.h: the kernels in one precision; softmax.c defines REAL, GEMM, EXP and NAME(). */

/* z[classes][n] ← softmax over classes of each column; returns Σ of log-sum-exp less the label's entry (label NULL: 0).
 * top and sum hold n numbers. Logarithms are taken of products of up to 16 sums. */
BT_SIMD static double NAME(softmax_columns)(size_t classes, size_t n, const int32_t *label, REAL *restrict z,
                                            REAL *restrict top, REAL *restrict sum) {
  enum { LANES = 32, FACTORS = 16 };
  double value = 0;
  for (size_t i = 0; i < n; i++) top[i] = z[i], sum[i] = 0;
  for (size_t k = 1; k < classes; k++) {
    const REAL *restrict zk = z + k * n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) top[i] = zk[i] > top[i] ? zk[i] : top[i];
  }
  for (size_t i = 0; label && i < n; i++) value += (double)(top[i] - z[(size_t)label[i] * n + i]);
  for (size_t k = 0; k < classes; k++) {
    REAL *restrict zk = z + k * n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
      const REAL e = EXP(zk[i] - top[i]);
      zk[i] = e;
      sum[i] += e;
    }
  }
  for (size_t start = 0; label && start < n; start += LANES * FACTORS) {
    double product[LANES];
    for (size_t l = 0; l < LANES; l++) product[l] = 1;
    const size_t end = start + LANES * FACTORS < n ? start + LANES * FACTORS : n;
    for (size_t i = start; i < end; i++) product[(i - start) % LANES] *= (double)sum[i];
    for (size_t l = 0; l < LANES; l++) value += log(product[l]);
  }
  for (size_t i = 0; i < n; i++) sum[i] = 1 / sum[i];
  for (size_t k = 0; k < classes; k++) {
    REAL *restrict zk = z + k * n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) zk[i] *= sum[i];
  }
  return value;
}

/* u ← p ∘ (u − Σ_k p_k u_k), column by column; mean holds n numbers. */
BT_SIMD static void NAME(curve_columns)(size_t classes, size_t n, const REAL *restrict p, REAL *restrict u,
                                        REAL *restrict mean) {
  for (size_t i = 0; i < n; i++) mean[i] = 0;
  for (size_t k = 0; k < classes; k++) {
    const REAL *restrict pk = p + k * n, *restrict uk = u + k * n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) mean[i] += pk[i] * uk[i];
  }
  for (size_t k = 0; k < classes; k++) {
    const REAL *restrict pk = p + k * n;
    REAL *restrict uk = u + k * n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) uk[i] = pk[i] * (uk[i] - mean[i]);
  }
}

BT_SIMD static void NAME(convert)(size_t n, const double *restrict from, REAL *restrict to) {
#pragma omp simd
  for (size_t j = 0; j < n; j++) to[j] = (REAL)from[j];
}

BT_SIMD static void NAME(add)(size_t n, const REAL *restrict from, double *restrict to) {
#pragma omp simd
  for (size_t j = 0; j < n; j++) to[j] += (double)from[j];
}

BT_SIMD static void NAME(squares)(size_t n, const REAL *restrict from, REAL *restrict to) {
#pragma omp simd
  for (size_t j = 0; j < n; j++) to[j] = from[j] * from[j];
}

BT_SIMD static void NAME(variances)(size_t n, const REAL *restrict p, REAL *restrict out) {
#pragma omp simd
  for (size_t j = 0; j < n; j++) out[j] = p[j] * (1 - p[j]);
}

typedef struct {
  REAL *weights, *sum; /* [classes · features] */
  REAL *z, *u;         /* [classes · block]    */
  REAL *top, *total;   /* [block]              */
  REAL *squares;       /* [block · features]   */
} NAME(Scratch);

static NAME(Scratch) NAME(scratch)(size_t features, size_t classes, double *work) {
  const size_t block = bt_softmax_block(features), n = features * classes;
  REAL *at = (REAL *)work;
  NAME(Scratch) s;
  s.weights = at, at += n;
  s.sum = at, at += n;
  s.z = at, at += classes * block;
  s.u = at, at += classes * block;
  s.top = at, at += block;
  s.total = at, at += block;
  s.squares = at;
  return s;
}

/* z[classes][n] ← W Xᵀ of n rows. */
static void NAME(scores)(const BtSoftmaxRows *r, const REAL *weights, size_t first, size_t n, REAL *z) {
  GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)r->classes, (int)n, (int)r->features, 1, weights,
       (int)r->features, ROWS(r) + first * r->features, (int)r->features, 0, z, (int)n);
}

/* out[classes][features] += Z X for z[classes][n] and rows x of one block. */
static void NAME(collect)(const BtSoftmaxRows *r, const REAL *z, size_t n, const REAL *x, NAME(Scratch) *s,
                          double *out) {
  GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r->classes, (int)r->features, (int)n, 1, z, (int)n, x,
       (int)r->features, 0, s->sum, (int)r->features);
  NAME(add)(r->classes * r->features, s->sum, out);
}

static size_t NAME(block_at)(const BtSoftmaxRows *r, size_t first) {
  const size_t block = bt_softmax_block(r->features), left = r->rows - first;
  return left < block ? left : block;
}

static double NAME(value_grad)(const BtSoftmaxRows *r, const double *w, double *gradient, REAL *p, double *work) {
  NAME(Scratch) s = NAME(scratch)(r->features, r->classes, work);
  double value = 0;
  NAME(convert)(r->classes * r->features, w, s.weights);
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = NAME(block_at)(r, first);
    NAME(scores)(r, s.weights, first, n, s.z);
    value += NAME(softmax_columns)(r->classes, n, r->label + first, s.z, s.top, s.total);
    if (p) memcpy(p + first * r->classes, s.z, n * r->classes * sizeof *p);
    for (size_t i = 0; i < n; i++) s.z[(size_t)r->label[first + i] * n + i] -= 1;
    NAME(collect)(r, s.z, n, ROWS(r) + first * r->features, &s, gradient);
  }
  return value;
}

static void NAME(hess_mult)(const BtSoftmaxRows *r, const REAL *p, const double *v, double *product, double *work) {
  NAME(Scratch) s = NAME(scratch)(r->features, r->classes, work);
  NAME(convert)(r->classes * r->features, v, s.weights);
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = NAME(block_at)(r, first);
    NAME(scores)(r, s.weights, first, n, s.u);
    NAME(curve_columns)(r->classes, n, p + first * r->classes, s.u, s.top);
    NAME(collect)(r, s.u, n, ROWS(r) + first * r->features, &s, product);
  }
}

static void NAME(hess_diagonal)(const BtSoftmaxRows *r, const REAL *p, double *diagonal, double *work) {
  NAME(Scratch) s = NAME(scratch)(r->features, r->classes, work);
  for (size_t first = 0, n; first < r->rows; first += n) {
    n = NAME(block_at)(r, first);
    NAME(squares)(n * r->features, ROWS(r) + first * r->features, s.squares);
    NAME(variances)(n * r->classes, p + first * r->classes, s.u);
    NAME(collect)(r, s.u, n, s.squares, &s, diagonal);
  }
}

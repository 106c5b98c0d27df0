/* The functions of foe_rows_internal.h for one REAL and one instruction set. Included by foe_rows.c, which defines REAL,
 * SINGLE (1 for float), BYTES of a vector register, ROWS(name), and ESTIMATE(s), the processor's estimate of 1/√s of a
 * vector, with the number of Newton STEPS that makes it accurate; without ESTIMATE square roots and divisions are used. */

#define LANES (BYTES / sizeof(REAL))

typedef REAL ROWS(Vector) __attribute__((vector_size(BYTES)));
typedef double ROWS(Doubles) __attribute__((vector_size(BYTES / sizeof(REAL) * sizeof(double))));
typedef REAL ROWS(Loose) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
#define VECTOR ROWS(Vector)
#define AT(p) (*(ROWS(Loose) *)(p))
#define CONST_AT(p) (*(const ROWS(Loose) *)(p))
#define INLINE static inline __attribute__((always_inline))

/* One filter's numbers. */
typedef struct {
  REAL weight, nu2, tau2, ratio_rate; /* ratio_rate = ∂log τ/∂ratio = 1 − ν/τ */
} ROWS(Expert);

/* φ, φ', φ″, ∂φ'/∂log ν and ∂φ'/∂ratio. */
typedef struct {
  VECTOR value, first, second, by_smoothing, by_ratio;
} ROWS(Derivatives);

INLINE VECTOR ROWS(inverse_root)(VECTOR s) {
#ifdef ESTIMATE
  VECTOR i = (VECTOR)ESTIMATE(s);
  for (int k = 0; k < STEPS; k++) i *= (REAL)1.5 - (REAL)0.5 * s * i * i;
#else
  VECTOR i = {0};
  for (size_t lane = 0; lane < LANES; lane++) i[lane] = (REAL)(SINGLE ? 1 / sqrtf((float)s[lane]) : 1 / sqrt((double)s[lane]));
#endif
  return i;
}

/* log s for normal s: in single precision s = 2ᵉ m with m near 1 and log m = 2 artanh((m − 1)/(m + 1)) as a series. */
INLINE VECTOR ROWS(logarithm)(VECTOR s) {
#if SINGLE
  typedef int Integers __attribute__((vector_size(BYTES)));
  const Integers bits = (Integers)s, above = (bits & 0x7fffff) > 0x3504f3; /* m > √2 */
  const Integers exponent = (bits >> 23) - 127 - above;
  const VECTOR m = (VECTOR)((bits & 0x7fffff) | (0x3f800000 + (above & -0x800000)));
  const VECTOR r = (m - 1) / (m + 1), r2 = r * r;
  return __builtin_convertvector(exponent, VECTOR) * 0.69314718056f +
         2 * r * (1 + r2 * (1.f / 3 + r2 * (0.2f + r2 * (1.f / 7 + r2 * (1.f / 9)))));
#else
  VECTOR l = {0};
  for (size_t lane = 0; lane < LANES; lane++) l[lane] = log(s[lane]);
  return l;
#endif
}

INLINE ROWS(Derivatives) ROWS(at)(BtFoePotential potential, const ROWS(Expert) *e, VECTOR t, VECTOR inside) {
  const VECTOR t2 = t * t, s = t2 + e->nu2;
  if (potential == BT_FOE_LOG) {
    const VECTOR i = 1 / s, twice = 2 * i;
    return (ROWS(Derivatives)){.value = ROWS(logarithm)(s * (1 / e->nu2)),
                               .first = t * twice,
                               .second = (e->nu2 - t2) * i * twice,
                               .by_smoothing = -2 * e->nu2 * t * i * twice};
  }
  const VECTOR i = ROWS(inverse_root)(s), cube = e->nu2 * i * i * i;
  if (potential == BT_FOE_CONVEX)
    return (ROWS(Derivatives)){.value = s * i, .first = t * i, .second = cube, .by_smoothing = -t * cube};
  const VECTOR s2 = t2 + e->tau2, i2 = ROWS(inverse_root)(s2), cube2 = inside * e->tau2 * i2 * i2 * i2;
  return (ROWS(Derivatives)){.value = s * i - inside * s2 * i2,
                             .first = t * (i - inside * i2),
                             .second = cube - cube2,
                             .by_smoothing = t * (cube2 - cube),
                             .by_ratio = t * cube2 * e->ratio_rate};
}

INLINE ROWS(Expert) ROWS(expert)(const BtFoe *foe, size_t k) {
  const double nu = foe->nu[k], tau = foe->tau[k];
  return (ROWS(Expert)){.weight = (REAL)foe->weight[k],
                        .nu2 = (REAL)(nu * nu),
                        .tau2 = (REAL)(tau * tau),
                        .ratio_rate = (REAL)(1 - nu / tau)};
}

INLINE double ROWS(sum)(VECTOR v) {
  double sum = 0;
  for (size_t lane = 0; lane < LANES; lane++) sum += (double)v[lane];
  return sum;
}

/* BODY for each filter k and each vector of its row, at offset c, the potential known to the compiler. */
#define FOR_EACH_OF(POTENTIAL, BEFORE, BODY, AFTER)                        \
  for (size_t k = 0; k < row->foe->filters; k++) {                         \
    const ROWS(Expert) e = ROWS(expert)(row->foe, k);                      \
    BEFORE;                                                                \
    for (size_t c = 0; c < row->columns; c += LANES) {                     \
      const ROWS(Derivatives) d = ROWS(at)(POTENTIAL, &e, CONST_AT(t + k * row->stride + c), CONST_AT(inside + c)); \
      BODY;                                                                \
    }                                                                      \
    AFTER;                                                                 \
  }
#define FOR_EACH(BEFORE, BODY, AFTER)                                                  \
  switch (row->foe->potential) {                                                       \
    case BT_FOE_CONVEX: FOR_EACH_OF(BT_FOE_CONVEX, BEFORE, BODY, AFTER) break;         \
    case BT_FOE_LOG: FOR_EACH_OF(BT_FOE_LOG, BEFORE, BODY, AFTER) break;               \
    case BT_FOE_WEAK: FOR_EACH_OF(BT_FOE_WEAK, BEFORE, BODY, AFTER) break;             \
  }

static void ROWS(convert)(size_t n, const double *from, void *to) {
  for (size_t j = 0; j < n; j++) ((REAL *)to)[j] = (REAL)from[j];
}

static double ROWS(gradient)(const BtFoeRow *row, void *responses) {
  REAL *t = responses;
  const REAL *inside = row->inside, *valid = row->valid;
  /* In double: what single precision would lose in a sum of millions is more than line searches can do without. */
  ROWS(Doubles) value = {0};
  double total = 0;
  FOR_EACH(
      , {
        value += __builtin_convertvector(e.weight * (CONST_AT(valid + c) * d.value), ROWS(Doubles));
        AT(t + k * row->stride + c) = e.weight * d.first;
      }, )
  for (size_t lane = 0; lane < LANES; lane++) total += value[lane];
  return total;
}

static void ROWS(curvature)(const BtFoeRow *row, const void *responses, void *out, size_t plane) {
  const REAL *t = responses, *inside = row->inside;
  REAL *planes = out;
  FOR_EACH(, { AT(planes + k * plane + c) = e.weight * d.second; }, )
}

static void ROWS(product)(const BtFoeRow *row, const void *factors, size_t plane, void *responses) {
  const REAL *planes = factors;
  REAL *t = responses;
  for (size_t k = 0; k < row->foe->filters; k++)
    for (size_t c = 0; c < row->columns; c += LANES)
      AT(t + k * row->stride + c) *= CONST_AT(planes + k * plane + c);
}

static void ROWS(cross_adjoint)(const BtFoeRow *row, void *responses, void *others, double *by_weight,
                                double *by_smoothing, double *by_ratio) {
  REAL *t = responses, *u = others;
  const REAL *inside = row->inside, *valid = row->valid;
  VECTOR weight, smoothing, ratio;
  FOR_EACH({ weight = smoothing = ratio = (VECTOR){0}; },
           {
             REAL *at = u + k * row->stride + c;
             const VECTOR other = e.weight * (CONST_AT(valid + c) * CONST_AT(at));
             weight += d.first * other;
             smoothing += d.by_smoothing * other;
             ratio += d.by_ratio * other;
             AT(t + k * row->stride + c) = d.second * other;
             AT(at) = e.weight * d.first;
           },
           {
             by_weight[k] += ROWS(sum)(weight);
             by_smoothing[k] += ROWS(sum)(smoothing);
             by_ratio[k] += ROWS(sum)(ratio);
           })
}

static void ROWS(cross_mult)(const BtFoeRow *row, void *responses, void *others, const double *weight,
                             const double *smoothing, const double *ratio) {
  REAL *t = responses, *u = others;
  const REAL *inside = row->inside;
  FOR_EACH(, {
    REAL *at = u + k * row->stride + c;
    AT(t + k * row->stride + c) =
        e.weight * ((REAL)weight[k] * d.first + (REAL)smoothing[k] * d.by_smoothing + (REAL)ratio[k] * d.by_ratio +
                    d.second * CONST_AT(at));
    AT(at) = e.weight * d.first;
  }, )
}

static const BtFoeRows ROWS(table) = {.size = sizeof(REAL),
                                      .convert = ROWS(convert),
                                      .gradient = ROWS(gradient),
                                      .curvature = ROWS(curvature),
                                      .product = ROWS(product),
                                      .cross_adjoint = ROWS(cross_adjoint),
                                      .cross_mult = ROWS(cross_mult)};

#undef LANES
#undef VECTOR
#undef AT
#undef CONST_AT
#undef INLINE
#undef FOR_EACH
#undef FOR_EACH_OF

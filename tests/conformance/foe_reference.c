/* Fields of experts written out in long double with loops over filters, pixels and taps, as their definition
 * reads, against the kernels; their local suprema against samples. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "core/rng.h"
#include "harness.h"
#include "lowerlevel/vector.h"
#include "regularizers/foe_sups_internal.h"
#include "suites.h"

typedef long double Real;

enum { MOST_TAPS = 25, MOST_FILTERS = 5 };

typedef struct {
  const BtRegularizer *reg;
  BtShape shape;
  Real weight[MOST_FILTERS], nu[MOST_FILTERS], tau[MOST_FILTERS], rate[MOST_FILTERS];
  Real taps[MOST_FILTERS][MOST_TAPS];
} Reference;

/* φ and its derivatives; by_nu, by_ratio those of φ' by log ν and the ratio. */
typedef struct {
  Real value, first, second, third, by_nu, by_ratio, second_by_nu, second_by_ratio;
} Potential;

static Potential root(Real t, Real nu) {
  const Real s = t * t + nu * nu, e = sqrtl(s), nu2 = nu * nu;
  return (Potential){.value = e,
                     .first = t / e,
                     .second = nu2 / (s * e),
                     .third = -3 * t * nu2 / (s * s * e),
                     .by_nu = -t * nu2 / (s * e),
                     .second_by_nu = -nu2 / (s * e) + 3 * t * t * nu2 / (s * s * e)};
}

static Potential potential(BtFoeKind kind, Real t, Real nu, Real tau) {
  if (kind == BT_FOE_LOGARITHM) {
    const Real s = t * t + nu * nu, nu2 = nu * nu;
    return (Potential){.value = log1pl(t * t / nu2),
                       .first = 2 * t / s,
                       .second = 2 / s - 4 * t * t / (s * s),
                       .third = -12 * t / (s * s) + 16 * t * t * t / (s * s * s),
                       .by_nu = -4 * t * nu2 / (s * s),
                       .second_by_nu = -4 * nu2 / (s * s) + 16 * t * t * nu2 / (s * s * s)};
  }
  Potential a = root(t, nu);
  if (kind == BT_FOE_ROOT) return a;
  const Potential b = root(t, tau);
  const Real rate = 1 - nu / tau;
  return (Potential){.value = a.value - b.value,
                     .first = a.first - b.first,
                     .second = a.second - b.second,
                     .third = a.third - b.third,
                     .by_nu = a.by_nu - b.by_nu,
                     .by_ratio = -rate * b.by_nu,
                     .second_by_nu = a.second_by_nu - b.second_by_nu,
                     .second_by_ratio = -rate * b.second_by_nu};
}

/* Offsets of θ's groups, from the header's description. */
static size_t smoothings(const BtRegularizer *reg) { return 1 + reg->filters; }
static size_t ratios(const BtRegularizer *reg) { return 1 + 2 * reg->filters; }
static size_t taps_from(const BtRegularizer *reg) {
  return reg->parameters - reg->filters * reg->size * reg->size;
}

static void centre(size_t area, const double *from, Real *taps) {
  Real mean = 0;
  for (size_t j = 0; j < area; j++) mean += (Real)from[j] / (Real)area;
  for (size_t j = 0; j < area; j++) taps[j] = (Real)from[j] - mean;
}

static Reference reference(const BtRegularizer *reg, BtShape shape, const double *theta) {
  Reference ref = {.reg = reg, .shape = shape};
  const size_t area = reg->size * reg->size;
  for (size_t k = 0; k < reg->filters; k++) {
    ref.weight[k] = expl((Real)theta[0] + (Real)theta[1 + k]);
    ref.nu[k] = expl((Real)theta[smoothings(reg) + k]);
    if (reg->variant == BT_FOE_WEAK) ref.tau[k] = ref.nu[k] * (1 + expl((Real)theta[ratios(reg) + k]));
    centre(area, theta + taps_from(reg) + k * area, ref.taps[k]);
  }
  return ref;
}

static size_t mirror(long i, size_t n) {
  while (i < 0 || i >= (long)n) i = i < 0 ? -1 - i : 2 * (long)n - 1 - i;
  return (size_t)i;
}

/* Pixel under tap j of the window at p. */
static size_t under(const Reference *ref, size_t p, size_t j) {
  const size_t size = ref->reg->size, w = ref->shape.width;
  const long before = ((long)size - 1) / 2;
  return mirror((long)(p / w) + (long)(j / size) - before, ref->shape.height) * w +
         mirror((long)(p % w) + (long)(j % size) - before, w);
}

static BtFoeKind kind_at(const Reference *ref, size_t p) {
  const long size = (long)ref->reg->size, before = (size - 1) / 2;
  const long r = (long)(p / ref->shape.width) - before, c = (long)(p % ref->shape.width) - before;
  const int inside =
      r >= 0 && c >= 0 && r + size <= (long)ref->shape.height && c + size <= (long)ref->shape.width;
  return ref->reg->variant == BT_FOE_LOG              ? BT_FOE_LOGARITHM
         : ref->reg->variant == BT_FOE_WEAK && inside ? BT_FOE_DIFFERENCE
                                                      : BT_FOE_ROOT;
}

static Real response(const Reference *ref, const Real *taps, const double *x, size_t p) {
  Real sum = 0;
  for (size_t j = 0; j < ref->reg->size * ref->reg->size; j++) sum += taps[j] * (Real)x[under(ref, p, j)];
  return sum;
}

static void scatter(const Reference *ref, const Real *taps, Real g, size_t p, Real *out) {
  for (size_t j = 0; j < ref->reg->size * ref->reg->size; j++) out[under(ref, p, j)] += taps[j] * g;
}

static Real value_grad(const Reference *ref, const double *x, Real *g) {
  Real sum = 0;
  memset(g, 0, bt_shape_size(ref->shape) * sizeof *g);
  for (size_t k = 0; k < ref->reg->filters; k++)
    for (size_t p = 0; p < bt_shape_size(ref->shape); p++) {
      const Potential f =
          potential(kind_at(ref, p), response(ref, ref->taps[k], x, p), ref->nu[k], ref->tau[k]);
      sum += ref->weight[k] * f.value;
      scatter(ref, ref->taps[k], ref->weight[k] * f.first, p, g);
    }
  return sum;
}

static void hessian(const Reference *ref, const double *x, const double *v, Real *out) {
  memset(out, 0, bt_shape_size(ref->shape) * sizeof *out);
  for (size_t k = 0; k < ref->reg->filters; k++)
    for (size_t p = 0; p < bt_shape_size(ref->shape); p++) {
      const Potential f =
          potential(kind_at(ref, p), response(ref, ref->taps[k], x, p), ref->nu[k], ref->tau[k]);
      scatter(ref, ref->taps[k], ref->weight[k] * f.second * response(ref, ref->taps[k], v, p), p, out);
    }
}

/* out ← J v. */
static void cross(const Reference *ref, const double *x, const double *v, Real *out) {
  const BtRegularizer *reg = ref->reg;
  const size_t area = reg->size * reg->size;
  memset(out, 0, bt_shape_size(ref->shape) * sizeof *out);
  for (size_t k = 0; k < reg->filters; k++) {
    Real along[MOST_TAPS];
    centre(area, v + taps_from(reg) + k * area, along);
    const Real by_ratio = reg->variant == BT_FOE_WEAK ? (Real)v[ratios(reg) + k] : 0;
    for (size_t p = 0; p < bt_shape_size(ref->shape); p++) {
      const Potential f =
          potential(kind_at(ref, p), response(ref, ref->taps[k], x, p), ref->nu[k], ref->tau[k]);
      const Real g = ((Real)v[0] + (Real)v[1 + k]) * f.first + (Real)v[smoothings(reg) + k] * f.by_nu +
                     by_ratio * f.by_ratio + f.second * response(ref, along, x, p);
      scatter(ref, ref->taps[k], ref->weight[k] * g, p, out);
      scatter(ref, along, ref->weight[k] * f.first, p, out);
    }
  }
}

static double off(const double *a, const Real *b, size_t n) {
  Real sum = 0;
  for (size_t j = 0; j < n; j++) sum += ((Real)a[j] - b[j]) * ((Real)a[j] - b[j]);
  return (double)sqrtl(sum);
}

static double length(const Real *a, size_t n) {
  Real sum = 0;
  for (size_t j = 0; j < n; j++) sum += a[j] * a[j];
  return (double)sqrtl(sum);
}

/* ‖J‖ from its columns, by power iteration on JJᵀ, from below. */
static double norm_of_columns(const Real *columns, size_t n, size_t p, Real *u, Real *v) {
  double norm = 0;
  for (size_t i = 0; i < n; i++) u[i] = (Real)bt_rng_normal(8, 8, i);
  for (int k = 0; k < 60; k++) {
    const double size = length(u, n);
    if (!(size > 0)) break;
    for (size_t j = 0; j < p; j++) {
      v[j] = 0;
      for (size_t i = 0; i < n; i++) v[j] += columns[j * n + i] * u[i] / (Real)size;
    }
    norm = fmax(norm, length(v, p));
    memset(u, 0, n * sizeof *u);
    for (size_t j = 0; j < p; j++)
      for (size_t i = 0; i < n; i++) u[i] += columns[j * n + i] * v[j];
  }
  return norm;
}

/* An image with noise, a constant one, a wild one. */
enum { NOISY, FLAT, WILD, IMAGES };

static void fill(BtShape s, int kind, double *x) {
  for (size_t j = 0; j < bt_shape_size(s); j++) {
    const double values[IMAGES] = {0.5 + 0.3 * sin(0.3 * (double)j) + 0.1 * bt_rng_normal(5, 1, j), 0.7,
                                   30 * bt_rng_normal(5, 2, j)};
    x[j] = values[kind];
  }
}

typedef struct {
  double *x, *v, *out, *curvature, *work, *unit, *product;
  Real *one, *columns, *u;
} Room;

static void compare_cross(const Reference *ref, const double *theta, const Room *a, const char *label) {
  const BtRegularizer *reg = ref->reg;
  const BtShape s = ref->shape;
  const size_t n = bt_shape_size(s), p = reg->parameters;
  BtVariation at;
  bt_regularizer_variation(reg, s, theta, a->x, a->v, 0, &at);
  const double promised = at.cross_rounding / bt_norm(a->v, n);
  double frobenius = 0;
  memset(a->unit, 0, p * sizeof *a->unit);
  for (size_t j = 0; j < p; j++) {
    a->unit[j] = 1;
    cross(ref, a->x, a->unit, a->columns + j * n);
    reg->ops->cross_mult(reg, s, theta, a->x, a->unit, a->out);
    a->unit[j] = 0;
    frobenius = hypot(frobenius, length(a->columns + j * n, n));
    BT_CHECK_ROW(off(a->out, a->columns + j * n, n) <= promised, "%s: column %zu of J off by %g, promised %g",
                 label, j, off(a->out, a->columns + j * n, n), promised);
  }
  Real *products = a->one + n;
  for (size_t j = 0; j < p; j++) {
    products[j] = 0;
    for (size_t i = 0; i < n; i++) products[j] += a->columns[j * n + i] * (Real)a->v[i];
  }
  reg->ops->cross_adjoint(reg, s, theta, a->x, a->v, a->product);
  BT_CHECK_ROW(off(a->product, products, p) <= at.cross_rounding, "%s: J'q off by %g, promised %g", label,
               off(a->product, products, p), at.cross_rounding);
  if (reg->single) return;
  const double norm = norm_of_columns(a->columns, n, p, a->u, a->u + n);
  const double bound = bt_regularizer_cross_norm(reg, s, theta, a->x, a->work);
  BT_CHECK_ROW(norm <= bound && bound <= 1.05 * norm + 20 * promised,
               "%s: |J| %.10g, its bound %.10g (Frobenius %g, promised %g)", label, norm, bound, frobenius,
               promised);
}

static void compare(const BtRegularizer *reg, const double *theta, BtShape s, const Room *a,
                    const char *label) {
  const Reference ref = reference(reg, s, theta);
  const size_t n = bt_shape_size(s);
  BtRegularizerConstants k;
  double largest = 0;
  for (size_t j = 0; j < n; j++) largest = fmax(largest, fabs(a->x[j]));
  reg->ops->constants(reg, s, theta, &k);
  const double promised = BT_ROUNDOFF * (k.rounding + k.rounding_slope * largest) * sqrt((double)n);

  const double value = reg->ops->value_grad(reg, s, theta, a->x, a->out);
  const Real truth = value_grad(&ref, a->x, a->one);
  if (!reg->single)
    BT_CHECK_ROW(fabs(value - (double)truth) <= 1e-12 * fabs((double)truth) + largest * promised,
                 "%s: value %.17g, true %.17g", label, value, (double)truth);
  BT_CHECK_ROW(off(a->out, a->one, n) <= promised, "%s: gradient off by %g, promised %g", label,
               off(a->out, a->one, n), promised);

  reg->ops->curvature(reg, s, theta, a->x, a->curvature);
  reg->ops->hess_mult(reg, s, a->curvature, a->v, a->out);
  hessian(&ref, a->x, a->v, a->one);
  BtVariation at;
  bt_regularizer_variation(reg, s, theta, a->x, a->v, 0, &at);
  BT_CHECK_ROW(off(a->out, a->one, n) <= at.hessian_rounding && at.hessian_rounding >= 0,
               "%s: Hessian off by %g of %g, promised %g", label, off(a->out, a->one, n), length(a->one, n),
               at.hessian_rounding);
  compare_cross(&ref, theta, a, label);
}

static int make_room(const BtRegularizer *reg, BtShape s, Room *a) {
  const size_t n = bt_shape_size(s), p = reg->parameters;
  const size_t work = bt_regularizer_cross_norm_work(reg, s), curvature = reg->ops->curvature_size(reg, s);
  a->x = malloc((3 * n + curvature + work + 2 * p) * sizeof *a->x);
  a->one = malloc((2 * n + 2 * p + n * p) * sizeof *a->one);
  if (!a->x || !a->one) return 0;
  a->v = a->x + n;
  a->out = a->v + n;
  a->curvature = a->out + n;
  a->unit = a->curvature + curvature;
  a->product = a->unit + p;
  a->work = a->product + p;
  a->u = a->one + n + p;
  a->columns = a->u + n + p;
  return 1;
}

void foe_is_its_definition(void) {
  static const BtShape shapes[] = {{1, 1}, {1, 7}, {3, 2}, {8, 7}};
  for (size_t c = 0; c < foe_case_count; c++)
    for (size_t shape = 0; shape < sizeof shapes / sizeof *shapes; shape++) {
      BtRegularizer reg = bt_foe(foe_cases[c].potential, foe_cases[c].filters, foe_cases[c].size);
      const BtShape s = shapes[shape];
      double theta[FOE_MAX_PARAMETERS];
      Room room = {0};
      if (BT_CHECK(make_room(&reg, s, &room)))
        for (size_t k = 0; k < FOE_THETAS; k++) {
          reg.single = 0;
          foe_case_theta(&reg, k, theta);
          for (int image = 0; image < IMAGES; image++)
            for (reg.single = 0; reg.single < 2; reg.single++) {
              char label[120];
              snprintf(label, sizeof label, "%s%s %zux%zu theta %zu image %d", foe_cases[c].name,
                       reg.single ? " single" : "", s.height, s.width, k, image);
              fill(s, image, room.x);
              bt_rng_fill_normal(5, 3, 0, bt_shape_size(s), room.v);
              compare(&reg, theta, s, &room, label);
            }
        }
      free(room.x);
      free(room.one);
    }
}

/* Samples inside |t| ± radius stay below the suprema, and come near them. */
void foe_suprema_are_suprema(void) {
  enum { TRIALS = 3000, SAMPLES = 60 };
  for (int kind = BT_FOE_ROOT; kind <= BT_FOE_DIFFERENCE; kind++) {
    double nearest[4] = {0};
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
      const double nu = exp(3 * bt_rng_normal(70, 0, trial)),
                   tau = nu * (1 + exp(2 * bt_rng_normal(70, 1, trial)));
      const double t = nu * exp(2 * bt_rng_normal(70, 2, trial)) * (trial % 2 ? 1 : -1);
      const double radius = trial % 5 == 0 ? 0 : nu * exp(3 * bt_rng_normal(70, 3, trial) - 2);
      const BtFoeSups sup = bt_foe_sups((BtFoeKind)kind, nu, tau, t, radius);
      const double claimed[4] = {sup.second, sup.third, sup.by_smoothing, sup.by_ratio};
      double found[4] = {0};
      for (int j = 0; j <= SAMPLES; j++) {
        const Potential f = potential((BtFoeKind)kind, (Real)t + (Real)radius * (2 * (Real)j / SAMPLES - 1),
                                      (Real)nu, (Real)tau);
        const Real values[4] = {f.second, f.third, f.second_by_nu, f.second_by_ratio};
        for (int i = 0; i < 4; i++) found[i] = fmax(found[i], (double)fabsl(values[i]));
      }
      for (int i = 0; i < 4; i++) {
        BT_CHECK_ROW(found[i] <= claimed[i] * (1 + 1e-12) + 1e-14 / nu * (i == 1 ? 1 / nu : 1) *
                                                                (kind == BT_FOE_LOGARITHM ? 1 / nu : 1),
                     "kind %d nu %g tau %g t %g radius %g: derivative %d is %.10g, supremum %.10g", kind, nu,
                     tau, t, radius, i, found[i], claimed[i]);
        if (claimed[i] > 0) nearest[i] = fmax(nearest[i], found[i] / claimed[i]);
      }
    }
    for (int i = 0; i < (kind == BT_FOE_DIFFERENCE ? 4 : 3); i++)
      BT_CHECK_ROW(nearest[i] > 0.99, "kind %d: derivative %d comes within %g of its supremum", kind, i,
                   nearest[i]);
  }
}

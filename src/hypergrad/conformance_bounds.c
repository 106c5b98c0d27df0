/* Constants and bounds against samples. Random samples stay far below most bounds, so each is driven uphill: with
 * m(e) = (A(x+e) − A(x))q, the gradient of ½‖m‖² in e is a symmetric third derivative applied to q and m, which one
 * more difference of A gives; iterating e ← ε·gradient/‖gradient‖ is a power method for the worst e of length ε. */
#include <math.h>
#include <string.h>

#include "hypergrad/conformance_internal.h"
#include "lowerlevel/vector.h"

/* Differences are taken over this share of a perturbation. */
static const double share = 1e-3;

/* A sample counts if it is this much larger than what rounding makes of it, which is taken off. */
static const double clear = 100;

static double without_rounding(double size, double rounding) {
  return size > clear * rounding || isnan(size) ? size - rounding : 0;
}

static void shifted(double *out, const double *x, double scale, const double *e, size_t n) {
  for (size_t j = 0; j < n; j++) out[j] = x[j] + scale * e[j];
}

/* ‖e‖ over the step that was taken, where rounding of x + e has made it longer; else 1. */
static double step_share(const double *x, const double *moved, const double *e, size_t n) {
  const double length = bt_norm(e, n), taken = bt_distance(moved, x, n);
  return taken > length ? length / taken : 1;
}

/* m ← (H(x+e) − H(x)) q by way of hq = H(x) q; returns its length, 0 if rounding may have made it. */
static double hessian_change(BtConformWork *w, const double *x, const double *e, const double *q, const double *hq,
                             double *moved, double *m) {
  shifted(moved, x, 1, e, w->n);
  bt_conform_hessian(w, moved, q, m);
  const double rounding = 4 * BT_ROUNDOFF * (bt_norm(m, w->n) + bt_norm(hq, w->n));
  for (size_t j = 0; j < w->n; j++) m[j] -= hq[j];
  return step_share(x, moved, e, w->n) * without_rounding(bt_norm(m, w->n), rounding);
}

/* The same for (J(x+e) − J(x))ᵀ q, jq = J(x)ᵀq, of length p. Where J is linear in x, sums of products x_j q_j may have
 * cancelled: `linear` is L_J, or 0. */
static double cross_change(BtConformWork *w, const double *x, const double *e, const double *q, const double *jq,
                           double linear, double *moved, double *m) {
  shifted(moved, x, 1, e, w->n);
  w->problem->ops->cross_adjoint(w->problem, w->i, w->theta, moved, q, m);
  const double rounding = 4 * BT_ROUNDOFF * (bt_norm(m, w->p) + bt_norm(jq, w->p) +
                                             linear * bt_norm(moved, w->n) * bt_norm(q, w->n));
  for (size_t j = 0; j < w->p; j++) m[j] -= jq[j];
  return step_share(x, moved, e, w->n) * without_rounding(bt_norm(m, w->p), rounding);
}

/* e ← eps·normalised (H(x+e+h m) − H(x+e)) q: uphill for ‖(H(x+e) − H(x)) q‖. */
static void climb_hessian(BtConformWork *w, const double *x, const double *q, double eps, double *e, double *m,
                          double *moved, double *out) {
  (void)bt_conform_normalize(m, w->n);
  shifted(moved, x, 1, e, w->n);
  bt_conform_hessian(w, moved, q, out);
  shifted(moved, moved, share * eps, m, w->n);
  bt_conform_hessian(w, moved, q, e);
  for (size_t j = 0; j < w->n; j++) e[j] -= out[j];
  (void)bt_conform_normalize(e, w->n);
  for (size_t j = 0; j < w->n; j++) e[j] *= eps;
}

/* e ← eps·normalised (J(x+e+h q) − J(x+e)) m: uphill for ‖(J(x+e) − J(x))ᵀq‖. */
static void climb_cross(BtConformWork *w, const double *x, const double *q, double norm_q, double eps, double *e,
                        const double *m, double *moved, double *out) {
  shifted(moved, x, 1, e, w->n);
  w->problem->ops->cross_mult(w->problem, w->i, w->theta, moved, m, out);
  shifted(moved, moved, share * eps / norm_q, q, w->n);
  w->problem->ops->cross_mult(w->problem, w->i, w->theta, moved, m, e);
  for (size_t j = 0; j < w->n; j++) e[j] -= out[j];
  (void)bt_conform_normalize(e, w->n);
  for (size_t j = 0; j < w->n; j++) e[j] *= eps;
}

/* Perturbations to start from: random, one entry, towards the flat vector. */
enum { STARTS = 3 };

static void start_from(BtConformWork *w, int kind, const double *x, double eps, double *e) {
  if (kind == 0) bt_conform_random(w, w->n, e);
  if (kind == 1) {
    memset(e, 0, w->n * sizeof *e);
    double where;
    bt_conform_random(w, 1, &where);
    e[(size_t)(fabs(where) * 1e6) % w->n] = where > 0 ? 1 : -1;
  }
  if (kind == 2)
    for (size_t j = 0; j < w->n; j++) e[j] = w->flat[j] - x[j];
  (void)bt_conform_normalize(e, w->n);
  for (size_t j = 0; j < w->n; j++) e[j] *= eps;
}

/* Largest ‖(H(x+e) − H(x)) q‖ found for ‖e‖ = eps. */
static double worst_hessian(BtConformWork *w, const double *x, const double *q, double eps, int climbs) {
  double *hq = w->v[2], *e = w->v[3], *m = w->v[4], *moved = w->v[5], *out = w->v[6], worst = 0;
  bt_conform_hessian(w, x, q, hq);
  for (int kind = 0; kind < STARTS; kind++) {
    start_from(w, kind, x, eps, e);
    for (int k = 0; k <= climbs; k++) {
      const double size = hessian_change(w, x, e, q, hq, moved, m);
      worst = bt_conform_larger(worst, size);
      if (size == 0 || k == climbs) break;
      climb_hessian(w, x, q, eps, e, m, moved, out);
    }
  }
  return worst;
}

static double worst_cross(BtConformWork *w, const double *x, const double *q, double eps, int climbs) {
  double *jq = w->t[0], *m = w->t[1], *e = w->v[3], *moved = w->v[5], *out = w->v[6], worst = 0;
  const double norm_q = bt_norm(q, w->n);
  BtProblemConstants constants;
  w->problem->ops->constants(w->problem, w->i, w->theta, &constants);
  const double linear = isfinite(constants.cross_lipschitz) ? constants.cross_lipschitz : 0;
  w->problem->ops->cross_adjoint(w->problem, w->i, w->theta, x, q, jq);
  for (int kind = 0; kind < STARTS; kind++) {
    start_from(w, kind, x, eps, e);
    for (int k = 0; k <= climbs; k++) {
      const double size = cross_change(w, x, e, q, jq, linear, moved, m);
      worst = bt_conform_larger(worst, size);
      if (size == 0 || k == climbs) break;
      climb_cross(w, x, q, norm_q, eps, e, m, moved, out);
    }
  }
  return worst;
}

/* jv ← (J(x+e) − J(x)) v and back, a few times: v nears the top singular vector. Returns the norm reached, 0 if rounding
 * may have made it. */
static double change_norm(BtConformWork *w, const double *x, const double *moved, double *v, double *back, double *jv,
                          double *out) {
  enum { ITERATIONS = 4 };
  double norm = 0;
  for (int k = 0; k < ITERATIONS; k++) {
    w->problem->ops->cross_mult(w->problem, w->i, w->theta, moved, v, jv);
    w->problem->ops->cross_mult(w->problem, w->i, w->theta, x, v, out);
    const double rounding = 8 * BT_ROUNDOFF * (bt_norm(jv, w->n) + bt_norm(out, w->n)) * sqrt((double)w->p);
    for (size_t j = 0; j < w->n; j++) jv[j] -= out[j];
    const double size = without_rounding(bt_norm(jv, w->n), rounding);
    norm = bt_conform_larger(norm, size);
    if (!(size > 0) || k == ITERATIONS - 1) break;
    w->problem->ops->cross_adjoint(w->problem, w->i, w->theta, moved, jv, v);
    w->problem->ops->cross_adjoint(w->problem, w->i, w->theta, x, jv, back);
    for (size_t j = 0; j < w->p; j++) v[j] -= back[j];
    if (!(bt_conform_normalize(v, w->p) > 0)) break;
  }
  return norm;
}

/* Largest ‖J(x+e) − J(x)‖ found for ‖e‖ = eps. */
static double worst_change(BtConformWork *w, const double *x, double eps, int climbs) {
  double *v = w->t[0], *back = w->t[1], *e = w->v[3], *moved = w->v[5], *jv = w->v[4], *out = w->v[6], worst = 0;
  for (int kind = 0; kind < STARTS; kind++) {
    start_from(w, kind, x, eps, e);
    bt_conform_random_unit(w, w->p, v);
    for (int k = 0; k <= climbs; k++) {
      shifted(moved, x, 1, e, w->n);
      const double norm = step_share(x, moved, e, w->n) * change_norm(w, x, moved, v, back, jv, out);
      worst = bt_conform_larger(worst, norm);
      const double norm_q = bt_norm(jv, w->n);
      if (!(norm > 0 && norm_q > 0) || k == climbs) break;
      climb_cross(w, x, jv, norm_q, eps, e, v, moved, out);
    }
  }
  return worst;
}

/* Largest |qᵀ(∇h(x+e) − ∇h(x) − He)| found for ‖e‖ = eps, relative to eᵀ(∇h(x+e) − ∇h(x)) − μ‖e‖². */
static double worst_remainder(BtConformWork *w, const double *x, const double *q, double mu, double eps) {
  double *g = w->v[2], *e = w->v[3], *moved_g = w->v[4], *moved = w->v[5], *he = w->v[6], worst = 0;
  (void)w->problem->ops->value_grad(w->problem, w->i, w->theta, x, g);
  const double norm_g = bt_norm(g, w->n), norm_q = bt_norm(q, w->n);
  for (int kind = 0; kind < 2 * STARTS; kind++) {
    start_from(w, kind / 2, x, kind % 2 ? -eps : eps, e);
    shifted(moved, x, 1, e, w->n);
    for (size_t j = 0; j < w->n; j++) e[j] = moved[j] - x[j];
    (void)w->problem->ops->value_grad(w->problem, w->i, w->theta, moved, moved_g);
    bt_conform_hessian(w, x, e, he);
    const double noise = 30 * BT_ROUNDOFF * (norm_g + bt_norm(moved_g, w->n) + bt_norm(he, w->n));
    const double length2 = bt_dot(e, e, w->n);
    double energy = -mu * length2, remainder = 0;
    for (size_t j = 0; j < w->n; j++) {
      energy += e[j] * (moved_g[j] - g[j]);
      remainder += q[j] * (moved_g[j] - g[j] - he[j]);
    }
    energy += noise * sqrt(length2) + 1e-14 * mu * length2;
    worst = bt_conform_larger(worst, bt_conform_ratio(without_rounding(fabs(remainder), noise * norm_q), energy));
  }
  return worst;
}

typedef struct {
  double hessian, cross, change, global;
} VariationRatios;

/* Vectors q: random, one entry, the most curved direction. */
static void variations(BtConformWork *w, const BtProblemConstants *k, VariationRatios *worst) {
  enum { CLIMBS = 2, VECTORS = 3 };
  double *q = w->v[0], smallest, largest;
  for (int kind = 0; kind < VECTORS; kind++) {
    if (kind < 2) start_from(w, kind, w->x, 1, q);
    if (kind == 2) {
      w->problem->ops->curvature(w->problem, w->i, w->theta, w->x, w->curvature);
      bt_conform_spectrum(w, &smallest, &largest, q, w->v[1]);
    }
    const double norm_q = bt_norm(q, w->n);
    for (double eps = 1; eps > 0.5e-8; eps *= 0.1) {
      BtVariation bound, global;
      w->problem->ops->variation(w->problem, w->i, w->theta, w->x, q, eps, &bound);
      bt_problem_variation_by_constants(k, w->n, norm_q, eps, &global);
      worst->hessian = bt_conform_larger(
          worst->hessian, bt_conform_ratio(worst_hessian(w, w->x, q, eps, CLIMBS), bound.hessian));
      worst->cross =
          bt_conform_larger(worst->cross, bt_conform_ratio(worst_cross(w, w->x, q, eps, CLIMBS), bound.cross));
      if (kind == 0)
        worst->change =
            bt_conform_larger(worst->change, bt_conform_ratio(worst_change(w, w->x, eps, CLIMBS), bound.cross_norm));
      worst->global = bt_conform_larger(worst->global, bt_conform_ratio(bound.hessian, global.hessian));
      if (isfinite(global.cross))
        worst->global = bt_conform_larger(worst->global, bt_conform_ratio(bound.cross, global.cross));
    }
  }
}

/* The same vectors q against the bound of the remainder; returns how many bounds were finite. */
static int remainders(BtConformWork *w, double mu, double *worst) {
  double *q = w->v[0], smallest, largest;
  int finite = 0;
  for (int kind = 0; kind < 3; kind++) {
    if (kind < 2) start_from(w, kind, w->x, 1, q);
    if (kind == 2) {
      w->problem->ops->curvature(w->problem, w->i, w->theta, w->x, w->curvature);
      bt_conform_spectrum(w, &smallest, &largest, q, w->v[1]);
    }
    for (double eps = 1; eps > 0.5e-8; eps *= 0.1) {
      BtVariation bound;
      w->problem->ops->variation(w->problem, w->i, w->theta, w->x, q, eps, &bound);
      if (!isfinite(bound.remainder)) continue;
      finite++;
      *worst = bt_conform_larger(*worst,
                                 bt_conform_ratio(worst_remainder(w, w->x, q, mu, eps), bound.remainder));
    }
  }
  return finite;
}

/* Base points for Lipschitz constants: noise of every scale on a flat vector, since the scale at which curvature
 * changes fastest is not known here; at each the most curved directions and single entries, as q too. */
static void lipschitz(BtConformWork *w, double *hessian, double *cross) {
  enum { CLIMBS = 4 };
  double *q = w->v[0], *x = w->v[1], *product = w->v[2], smallest, largest;
  for (double scale = 1; scale > 0.5e-7; scale *= sqrt(0.1)) {
    bt_conform_random(w, w->n, x);
    for (size_t j = 0; j < w->n; j++) x[j] = w->flat[j] + scale * x[j];
    for (int kind = 0; kind < 2; kind++) {
      if (kind == 0) start_from(w, 1, x, 1, q);
      if (kind == 1) {
        w->problem->ops->curvature(w->problem, w->i, w->theta, x, w->curvature);
        bt_conform_spectrum(w, &smallest, &largest, q, product);
      }
      for (double eps = scale; eps > 0.5e-2 * scale; eps *= 0.1) {
        *hessian = bt_conform_larger(*hessian, worst_hessian(w, x, q, eps, CLIMBS) / eps);
        *cross = bt_conform_larger(*cross, worst_cross(w, x, q, eps, CLIMBS) / eps);
      }
    }
  }
}

/* ‖J(x)‖ by power iteration on JᵀJ. */
static double cross_norm(BtConformWork *w, const double *x) {
  enum { ITERATIONS = 60 };
  double *v = w->t[0], *jv = w->v[0], largest = 0;
  bt_conform_random_unit(w, w->p, v);
  for (int k = 0; k < ITERATIONS; k++) {
    w->problem->ops->cross_mult(w->problem, w->i, w->theta, x, v, jv);
    largest = bt_conform_larger(largest, bt_norm(jv, w->n));
    w->problem->ops->cross_adjoint(w->problem, w->i, w->theta, x, jv, v);
    if (!(bt_conform_normalize(v, w->p) > 0)) break;
  }
  return largest;
}

static void cross_norms(BtConformWork *w, double *least, double *most) {
  const double *const points[] = {w->x, w->flat};
  for (int k = 0; k < 2; k++) {
    const double bound = w->problem->ops->cross_norm(w->problem, w->i, w->theta, points[k], w->norm_work);
    const double norm = cross_norm(w, points[k]);
    *most = bt_conform_larger(*most, bt_conform_ratio(norm, bound));
    /* Where J vanishes only the allowance for rounding is left of the bound. */
    /* At a constant vector J may vanish, which no allowance for rounding can follow. */
    if (k == 0 && norm > 0) *least = bt_conform_larger(*least, bound / norm);
  }
}

static void curvatures(BtConformWork *w, double *least, double *most) {
  const double *const points[] = {w->x, w->flat};
  *least = (double)INFINITY;
  *most = 0;
  for (int k = 0; k < 2; k++) {
    double smallest, largest;
    w->problem->ops->curvature(w->problem, w->i, w->theta, points[k], w->curvature);
    bt_conform_spectrum(w, &smallest, &largest, w->v[0], w->v[1]);
    *least = bt_conform_smaller(*least, smallest);
    *most = bt_conform_larger(*most, largest);
  }
}

BtStatus bt_conform_bounds(BtContext *ctx, const BtConform *conform, const double *x) {
  BtConformWork w;
  BtProblemConstants k;
  BtStatus st = bt_conform_begin(ctx, conform, x, &w);
  if (st < 0) return st;
  w.problem->ops->constants(w.problem, w.i, w.theta, &k);
  double least, most, sharp = 0, norm = 0, hessian = 0, cross = 0;
  if (k.proof != BT_PROOF_NONE) {
    curvatures(&w, &least, &most);
    lipschitz(&w, &hessian, &cross);
    bt_conform_row(conform, BT_CONFORM_CONVEXITY, least / k.mu);
    bt_conform_row(conform, BT_CONFORM_LIPSCHITZ, most / k.lipschitz);
    bt_conform_row(conform, BT_CONFORM_HESSIAN_LIPSCHITZ, bt_conform_ratio(hessian, k.hessian_lipschitz));
    /* Infinite where J contains x itself: nothing to measure. */
    if (isfinite(k.cross_lipschitz))
      bt_conform_row(conform, BT_CONFORM_CROSS_LIPSCHITZ, bt_conform_ratio(cross, k.cross_lipschitz));
  }
  cross_norms(&w, &sharp, &norm);
  bt_conform_row(conform, BT_CONFORM_CROSS_NORM, norm);
  if (w.p <= 2) bt_conform_row(conform, BT_CONFORM_CROSS_NORM_SHARP, sharp);
  if (k.proof != BT_PROOF_NONE) {
    VariationRatios worst = {0, 0, 0, 0};
    variations(&w, &k, &worst);
    bt_conform_row(conform, BT_CONFORM_HESSIAN_VARIATION, worst.hessian);
    bt_conform_row(conform, BT_CONFORM_CROSS_VARIATION, worst.cross);
    bt_conform_row(conform, BT_CONFORM_CROSS_CHANGE, worst.change);
    bt_conform_row(conform, BT_CONFORM_VARIATION_GLOBAL, worst.global);
    double remainder = 0;
    if (remainders(&w, k.mu, &remainder) > 0) bt_conform_row(conform, BT_CONFORM_REMAINDER, remainder);
  }
  bt_conform_end(&w);
  return BT_OK;
}

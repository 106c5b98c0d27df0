/* tests/unit/inexact.h: analytic functions behind an oracle that errs: values by up to half the width of
 * their bounds, which is 2 eps, hypergradients by eps + delta. Errors depend on the arguments alone, so that
 * runs can be repeated. */
#ifndef BITUNE_TESTS_UNIT_INEXACT_H
#define BITUNE_TESTS_UNIT_INEXACT_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/oracle.h"
#include "core/rng.h"
#include "core/safetensors.h"
#include "harness.h"

#define INEXACT_P 30

typedef struct {
  size_t p;
  double (*f)(const double *theta, size_t p, double *gradient); /* +∞ outside its domain */
  int64_t fail_at;  /* call from which on `failure` is returned, -1: never */
  BtStatus failure; /* BT_STOPPED or an error                              */
  int64_t nan_at;   /* call whose result is no number, -1: never           */
  double lo, hi;    /* box that no call may leave                          */
  int unbounded;    /* bounds are infinite, proof NONE                     */
  int64_t calls, values, gradients, accepted, outside;
  double finest; /* smallest eps that was asked for                     */
  BtWork work;
} Inexact;

static inline double inexact_bowl(const double *t, size_t p, double *g) {
  double f = 1;
  for (size_t k = 0; k < p; k++) {
    const double scale = 1 + (double)(k % 3), d = t[k] - 0.3 * (double)(k % 4) + 0.4;
    f += 0.5 * scale * d * d;
    g[k] = scale * d;
  }
  return f;
}

/* Minimum 1 at (1, 1). */
static inline double inexact_rosenbrock(const double *t, size_t p, double *g) {
  const double a = 1 - t[0], b = t[1] - t[0] * t[0];
  (void)p;
  g[0] = -2 * a - 40 * b * t[0];
  g[1] = 20 * b;
  return 1 + a * a + 10 * b * b;
}

/* Losses may be negative, as minus a PSNR. */
static inline double inexact_negative(const double *t, size_t p, double *g) {
  return inexact_bowl(t, p, g) - 30;
}

static inline double inexact_disc(const double *t, size_t p, double *g) {
  double r = 0;
  for (size_t k = 0; k < p; k++) r += t[k] * t[k];
  const double f = inexact_bowl(t, p, g);
  return r > 9 ? (double)INFINITY : f;
}

static inline uint64_t inexact_hash(const double *theta, size_t p, double eps) {
  uint64_t h = 1469598103934665603u;
  for (size_t k = 0; k <= p; k++) {
    uint64_t bits;
    memcpy(&bits, k < p ? &theta[k] : &eps, sizeof bits);
    h = (h ^ bits) * 1099511628211u;
    h ^= h >> 29;
  }
  return h;
}

static inline BtStatus inexact_call(Inexact *o, BtContext *ctx, const double *theta, double eps,
                                    BtInexactValue *out) {
  double g[INEXACT_P];
  const int64_t call = o->calls++;
  for (size_t k = 0; k < o->p; k++) o->outside += !(theta[k] >= o->lo && theta[k] <= o->hi);
  if (o->fail_at >= 0 && call >= o->fail_at)
    return o->failure < 0 ? bt_fail(ctx, o->failure, "made to fail") : o->failure;
  const double f = o->f(theta, o->p, g), u = bt_rng_uniform(3, inexact_hash(theta, o->p, eps), 0);
  o->finest = o->finest > 0 ? fmin(o->finest, eps) : eps;
  o->work.gradients += 10 + (int64_t)fmax(0, -10 * log10(eps));
  *out = (BtInexactValue){
      .lower = f - 2 * u * eps, .upper = f + 2 * (1 - u) * eps, .eps = eps, .proof = BT_PROVEN};
  out->value = 0.5 * (out->lower + out->upper);
  if (o->unbounded) out->lower = -(double)INFINITY, out->upper = (double)INFINITY, out->proof = BT_PROOF_NONE;
  if (isinf(f)) out->value = out->lower = out->upper = f;
  if (call == o->nan_at) out->value = (double)NAN;
  return BT_NOT_CERTIFIED * (eps < 1e-12);
}

static inline BtStatus inexact_value(void *self, BtContext *ctx, const double *theta, double eps,
                                     double threshold, BtInexactValue *out) {
  Inexact *o = self;
  (void)threshold;
  o->values++;
  return inexact_call(o, ctx, theta, eps, out);
}

static inline BtStatus inexact_gradient(void *self, BtContext *ctx, const double *theta, double eps,
                                        double delta, int want, double *z, BtInexactGradient *out) {
  Inexact *o = self;
  double e[INEXACT_P], length = 0, norm = 0;
  (void)want;
  *out = (BtInexactGradient){.eps = eps, .delta = delta, .bound = (double)INFINITY, .estimate = (double)NAN};
  const BtStatus st = inexact_call(o, ctx, theta, eps, &out->value);
  if (st < 0 || st == BT_STOPPED) return st;
  (void)o->f(theta, o->p, z);
  for (size_t k = 0; k < o->p; k++) {
    e[k] = bt_rng_normal(4, inexact_hash(theta, o->p, eps), k);
    length += e[k] * e[k];
  }
  for (size_t k = 0; k < o->p; k++) {
    z[k] += (eps + delta) * e[k] / sqrt(length);
    norm += z[k] * z[k];
  }
  if (isnan(out->value.value)) z[0] = (double)NAN;
  out->norm = sqrt(norm);
  o->gradients++;
  o->work.hypergradients++;
  o->work.hessian_products += 5;
  return st;
}

static inline BtWork inexact_work(const void *self) { return ((const Inexact *)self)->work; }

static inline void inexact_accept(void *self, const double *theta) {
  (void)theta;
  ((Inexact *)self)->accepted++;
}

static inline Inexact inexact_of(double (*f)(const double *, size_t, double *), size_t p) {
  return (Inexact){.p = p, .f = f, .fail_at = -1, .nan_at = -1, .lo = -1e300, .hi = 1e300};
}

static inline BtOracle inexact_oracle(Inexact *o) {
  return (BtOracle){.self = o,
                    .parameters = (int64_t)o->p,
                    .value = inexact_value,
                    .gradient = inexact_gradient,
                    .work = inexact_work,
                    .accept = inexact_accept};
}

#endif

/* nn/element_internal.h: what is computed for one element, by the kernels of every backend.
 *
 * The CPU's kernels and the device's call the same functions, so that both agree and the tests of one are
 * tests of the other. */
#ifndef BITUNE_NN_ELEMENT_INTERNAL_H
#define BITUNE_NN_ELEMENT_INTERNAL_H

#include <math.h>

#include "nn/kernels.h"

#ifdef __CUDACC__
#define NN_BOTH static __host__ __device__ inline
#elif defined(__GNUC__)
#define NN_BOTH static inline __attribute__((always_inline)) /* loops over a call are not vectorised */
#else
#define NN_BOTH static inline
#endif

#ifdef NN_DOUBLE
#define NN_MATH(name) name
#else
#define NN_MATH(name) name##f
#endif

NN_BOTH size_t nn_min(size_t a, size_t b) { return a < b ? a : b; }

/* v + beta·old; beta = 0 does not look at old. */
NN_BOTH NnReal nn_blend(NnReal v, NnReal beta, const NnReal *old) { return beta == 0 ? v : v + beta * *old; }

/* A label or token as an index; `count` if it is none. */
NN_BOTH size_t nn_index_of(NnReal value, size_t count) {
  return value >= 0 && value < (NnReal)count && value == (NnReal)(size_t)value ? (size_t)value : count;
}

/* e^x for x ≤ 0 and tanh x, written so that loops over them are vectorised in single precision; elsewhere the
 * library's. */
#if defined(NN_DOUBLE) || defined(__CUDACC__)
NN_BOTH NnReal nn_exp_below(NnReal x) { return NN_MATH(exp)(x); }
NN_BOTH NnReal nn_tanh(NnReal x) { return NN_MATH(tanh)(x); }
#else
/* 2^k e^r with x = k log 2 + r; |error| below 2e-7 e^x. Below log(2^-126) the result is 2^-126.
 * Adding 1.5·2²³ rounds to a whole number, which then stands in the lowest bits. The polynomials here are
 * minimax fits. */
NN_BOTH float nn_exp_below(float x) {
  union {
    float value;
    uint32_t bits;
  } k, power;
  const float low = x < -87.33654f ? -87.33654f : x; /* NaN stays NaN */
  k.value = low * 1.44269504f + 12582912.0f;
  const float whole = k.value - 12582912.0f;
  const float r = (low - whole * 0.693145752f) - whole * 1.42860677e-6f;
  const float q =
      0.49999994f + r * (0.16666515f + r * (0.041668456f + r * (0.0083694188f + r * 0.0013813145f)));
  power.bits = (k.bits + 127u) << 23;
  return (1 + (r + r * r * q)) * power.value;
}

/* An odd polynomial near zero, where 1 − 2 / (e^2|x| + 1) would lose digits. */
NN_BOTH float nn_tanh(float x) {
  const float s = x * x, a = fabsf(x), e = nn_exp_below(-2 * a);
  const float q =
      s * (-0.33333281f + s * (0.13331442f + s * (-0.053739715f + s * (0.020639086f - s * 0.0057049864f))));
  const float far = (1 - e) / (1 + e);
  return a < 0.625f ? x + x * q : copysignf(far, x);
}
#endif

/* Neither end overflows. */
NN_BOTH NnReal nn_sigmoid(NnReal x) {
  const NnReal e = nn_exp_below(x < 0 ? x : -x);
  return (x < 0 ? e : 1) / (1 + e);
}

NN_BOTH NnReal nn_softplus(NnReal x) {
  return (x > 0 ? x : 0) + NN_MATH(log1p)(NN_MATH(exp)(x < 0 ? x : -x));
}

NN_BOTH NnReal nn_relu(NnReal x) { return x > 0 ? x : 0 * x; } /* NaN stays NaN */

typedef struct {
  size_t y0, y1, x0, x1; /* the part of a window that lies inside, ends excluded; never empty */
} NnWindow;

NN_BOTH NnWindow nn_window(const NnPool *p, size_t oy, size_t ox) {
  const size_t y = oy * p->stride, x = ox * p->stride; /* + pad */
  NnWindow w;
  w.y0 = y > p->pad ? y - p->pad : 0;
  w.x0 = x > p->pad ? x - p->pad : 0;
  w.y1 = nn_min(y + p->kernel - p->pad, p->height);
  w.x1 = nn_min(x + p->kernel - p->pad, p->width);
  return w;
}

NN_BOTH NnReal nn_window_size(NnWindow w) { return (NnReal)((w.y1 - w.y0) * (w.x1 - w.x0)); }

/* Place of the window's maximum in its plane, the first one. */
NN_BOTH size_t nn_window_best(const NnPool *p, NnWindow w, const NnReal *plane) {
  size_t best = w.y0 * p->width + w.x0;
  for (size_t i = w.y0; i < w.y1; i++)
    for (size_t j = w.x0; j < w.x1; j++)
      if (plane[i * p->width + j] > plane[best]) best = i * p->width + j;
  return best;
}

NN_BOTH NnReal nn_window_mean(const NnPool *p, NnWindow w, const NnReal *plane) {
  NnReal sum = 0;
  for (size_t i = w.y0; i < w.y1; i++)
    for (size_t j = w.x0; j < w.x1; j++) sum += plane[i * p->width + j];
  return sum / nn_window_size(w);
}

/* One unit of the long short-term memory; pointers to its entries, `H` from one part to the next. */
NN_BOTH void nn_lstm_unit(size_t H, const NnReal *z, const NnReal *p, NnReal *y, NnReal *a) {
  a[0] = nn_sigmoid(z[0]);
  a[H] = nn_sigmoid(z[H]);
  a[2 * H] = nn_tanh(z[2 * H]);
  a[3 * H] = nn_sigmoid(z[3 * H]);
  const NnReal c = a[H] * p[H] + a[0] * a[2 * H];
  a[4 * H] = nn_tanh(c);
  y[H] = c;
  y[0] = a[3 * H] * a[4 * H];
}

/* z, q: tangents of the gates and of the previous state; NULL: zero. */
NN_BOTH void nn_lstm_unit_jvp(size_t H, const NnReal *p, const NnReal *a, const NnReal *z, const NnReal *q,
                              NnReal *y) {
  const NnReal i = a[0], f = a[H], g = a[2 * H], o = a[3 * H], t = a[4 * H];
  NnReal c = 0, o_dot = 0;
  if (q) c += f * q[H];
  if (z) {
    c += i * (1 - i) * z[0] * g + f * (1 - f) * z[H] * p[H] + i * (1 - g * g) * z[2 * H];
    o_dot = o * (1 - o) * z[3 * H];
  }
  y[H] = c;
  y[0] = o_dot * t + o * (1 - t * t) * c;
}

/* z, q: adjoints of the gates and of the previous state; either may be NULL. */
NN_BOTH void nn_lstm_unit_vjp(size_t H, const NnReal *p, const NnReal *a, const NnReal *g, NnReal beta_gates,
                              NnReal *z, NnReal beta_previous, NnReal *q) {
  const NnReal i = a[0], f = a[H], m = a[2 * H], o = a[3 * H], t = a[4 * H];
  const NnReal gc = g[H] + g[0] * o * (1 - t * t);
  if (z) {
    z[0] = nn_blend(gc * m * i * (1 - i), beta_gates, z);
    z[H] = nn_blend(gc * p[H] * f * (1 - f), beta_gates, z + H);
    z[2 * H] = nn_blend(gc * i * (1 - m * m), beta_gates, z + 2 * H);
    z[3 * H] = nn_blend(g[0] * t * o * (1 - o), beta_gates, z + 3 * H);
  }
  if (q) {
    q[0] = nn_blend(0, beta_previous, q);
    q[H] = nn_blend(gc * f, beta_previous, q + H);
  }
}

/* What a gradient whose squared norm is `square` is multiplied by to have the norm `most` at most. */
NN_BOTH NnReal nn_clip_factor(double most, NnReal square) {
  const double length = sqrt((double)square);
  return length > most ? (NnReal)(most / length) : 1;
}

NN_BOTH int nn_finite(NnReal x) { return x - x == 0; }

NN_BOTH void nn_sgd_plain(NnSgd s, NnReal g, NnReal *w) { *w -= s.rate * (g + s.decay * *w); }

NN_BOTH void nn_sgd_momentum(NnSgd s, NnReal g, NnReal *w, NnReal *m) {
  const NnReal d = g + s.decay * *w;
  *m = s.momentum * *m + d;
  *w -= s.rate * (s.nesterov ? d + s.momentum * *m : *m);
}

NN_BOTH void nn_adam_one(NnAdam s, NnReal g, NnReal *w, NnReal *m, NnReal *v) {
  const NnReal d = g + s.added * *w;
  *m = s.beta1 * *m + (1 - s.beta1) * d;
  *v = s.beta2 * *v + (1 - s.beta2) * d * d;
  *w = s.shrink * *w - s.step * *m / (NN_MATH(sqrt)(*v) * s.root + s.epsilon);
}

/* m may be NULL: no momentum. */
NN_BOTH void nn_rmsprop_one(NnRmsprop s, NnReal g, NnReal *w, NnReal *v, NnReal *m) {
  const NnReal d = g + s.decay * *w;
  *v = s.alpha * *v + (1 - s.alpha) * d * d;
  NnReal step = d / (NN_MATH(sqrt)(*v) + s.epsilon);
  if (m) step = *m = s.momentum * *m + step;
  *w -= s.rate * step;
}

#endif

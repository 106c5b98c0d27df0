#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/lapack.h"
#include "linesearch/quadratic_model_internal.h"

static size_t order(const BtQuadratic *q) { return q->n + 1 + q->p; }

BtStatus bt_quadratic_create(BtContext *ctx, size_t p, size_t most, BtQuadratic *q) {
  const size_t k = most + 1 + p;
  *q = (BtQuadratic){.p = p, .most = most};
  q->points = calloc(most * p + k * k + 33 * k + 2 * (p + p * p), sizeof *q->points);
  q->pivots = calloc(k, sizeof *q->pivots);
  if (!q->points || !q->pivots) {
    bt_quadratic_clear(q);
    return bt_fail_memory(ctx, "a quadratic model", 8.0 * (double)(k * k));
  }
  q->matrix = q->points + most * p;
  q->rhs = q->matrix + k * k;
  q->work = q->rhs + k;
  q->g = q->work + 32 * k;
  q->h = q->g + p;
  q->lagrange_g = q->h + p * p;
  q->lagrange_h = q->lagrange_g + p;
  return BT_OK;
}

void bt_quadratic_clear(BtQuadratic *q) {
  free(q->points);
  free(q->pivots);
  *q = (BtQuadratic){0};
}

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

int bt_quadratic_points(BtQuadratic *q, size_t n, const double *displacements) {
  const size_t p = q->p;
  if (n < p + 1 || n > q->most) return 0;
  q->n = n;
  memcpy(q->points, displacements, n * p * sizeof *displacements);
  const size_t k = order(q);
  memset(q->matrix, 0, k * k * sizeof *q->matrix);
  for (size_t j = 0; j < n; j++) {
    const double *sj = q->points + j * p;
    double *column = q->matrix + j * k; /* the lower triangle */
    for (size_t i = j; i < n; i++) column[i] = 0.5 * pow(dot(q->points + i * p, sj, p), 2);
    column[n] = 1;
    memcpy(column + n + 1, sj, p * sizeof *sj);
  }
  const int size = (int)k, room = 32 * (int)k;
  int info = 0;
  dsytrf_("L", &size, q->matrix, &size, q->pivots, q->work, &room, &info);
  return info == 0;
}

/* Solves for the right-hand side in rhs; the model into g and h, its constant returned. */
static double solve(BtQuadratic *q, double *g, double *h) {
  const size_t p = q->p, n = q->n;
  const int size = (int)order(q), one = 1;
  int info = 0;
  dsytrs_("L", &size, &one, q->matrix, &size, q->pivots, q->rhs, &size, &info);
  memcpy(g, q->rhs + n + 1, p * sizeof *g);
  memset(h, 0, p * p * sizeof *h);
  for (size_t t = 0; t < n; t++) {
    const double *s = q->points + t * p;
    for (size_t i = 0; i < p; i++)
      for (size_t j = 0; j < p; j++) h[i * p + j] += q->rhs[t] * s[i] * s[j];
  }
  return q->rhs[n];
}

void bt_quadratic_fit(BtQuadratic *q, const double *values) {
  memset(q->rhs, 0, order(q) * sizeof *q->rhs);
  memcpy(q->rhs, values, q->n * sizeof *values);
  q->c = solve(q, q->g, q->h);
}

double bt_quadratic_lagrange(BtQuadratic *q, size_t t) {
  memset(q->rhs, 0, order(q) * sizeof *q->rhs);
  q->rhs[t] = 1;
  return solve(q, q->lagrange_g, q->lagrange_h);
}

double bt_quadratic_change(size_t p, const double *g, const double *h, const double *s) {
  double sum = 0;
  for (size_t i = 0; i < p; i++) sum += s[i] * (g[i] + 0.5 * dot(h + i * p, s, p));
  return sum;
}

/* The t in [lo, hi] that minimises slope·t + ½ curvature·t². */
static double minimize_along(double slope, double curvature, double lo, double hi) {
  if (curvature > 0) return fmin(hi, fmax(lo, -slope / curvature));
  const double at_lo = lo * (slope + 0.5 * curvature * lo), at_hi = hi * (slope + 0.5 * curvature * hi);
  return at_lo < at_hi ? lo : at_hi < 0 ? hi : 0;
}

double bt_quadratic_minimize(size_t p, const double *g, const double *h, const double *lo, const double *hi,
                             double *s) {
  static const int sweeps = 500;
  memset(s, 0, p * sizeof *s);
  for (int sweep = 0; sweep < sweeps; sweep++) {
    double moved = 0;
    /* Greedy first: the coordinate that gains most. */
    size_t first = 0;
    double best = 0;
    for (size_t i = 0; i < p && sweep == 0; i++) {
      const double t = minimize_along(g[i], h[i * p + i], lo[i], hi[i]);
      const double gain = t * (g[i] + 0.5 * h[i * p + i] * t);
      if (gain < best) best = gain, first = i;
    }
    for (size_t k = 0; k < p; k++) {
      const size_t i = (first + k) % p;
      const double slope = g[i] + dot(h + i * p, s, p), curvature = h[i * p + i];
      const double t = minimize_along(slope, curvature, lo[i] - s[i], hi[i] - s[i]);
      s[i] = fmin(hi[i], fmax(lo[i], s[i] + t));
      moved = fmax(moved, fabs(t));
    }
    if (moved < 1e-12) break;
  }
  return fmin(0, bt_quadratic_change(p, g, h, s));
}

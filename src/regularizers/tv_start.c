#include "regularizers/tv_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/simd.h"

/* u = y − Dᵀr for one row; above is r_y of the row before. */
BT_SIMD static void primal_row(size_t n, const float *restrict y, const float *restrict rx,
                               const float *restrict ry, const float *restrict above, float *restrict u) {
  u[0] = y[0] + rx[0] + ry[0] - above[0];
  for (size_t i = 1; i < n; i++) u[i] = y[i] + (rx[i] - rx[i - 1]) + (ry[i] - above[i]);
}

/* p⁺ = Π(r + ⅛ Du), r ← p⁺ + β (p⁺ − p), p ← p⁺; ⅛ = 1/‖D‖². `next` is u of the row below. */
BT_SIMD static void project_row_isotropic(size_t n, float weight, float beta, const float *restrict u,
                                          const float *restrict next, float *restrict px, float *restrict py,
                                          float *restrict rx, float *restrict ry) {
  for (size_t i = 0; i < n; i++) {
    const float right = i + 1 < n ? u[i + 1] : u[i];
    const float qx = rx[i] + 0.125f * (right - u[i]), qy = ry[i] + 0.125f * (next[i] - u[i]);
    const float square = qx * qx + qy * qy, limit = weight * weight;
    const float scale = square > limit ? weight / sqrtf(square) : 1.0f;
    const float ax = qx * scale, ay = qy * scale;
    rx[i] = ax + beta * (ax - px[i]);
    ry[i] = ay + beta * (ay - py[i]);
    px[i] = ax;
    py[i] = ay;
  }
}

BT_SIMD static void project_row_anisotropic(size_t n, float weight, float beta, const float *restrict u,
                                            const float *restrict next, float *restrict px,
                                            float *restrict py, float *restrict rx, float *restrict ry) {
  for (size_t i = 0; i < n; i++) {
    const float right = i + 1 < n ? u[i + 1] : u[i];
    const float qx = rx[i] + 0.125f * (right - u[i]), qy = ry[i] + 0.125f * (next[i] - u[i]);
    const float ax = qx > weight ? weight : qx < -weight ? -weight : qx;
    const float ay = qy > weight ? weight : qy < -weight ? -weight : qy;
    rx[i] = ax + beta * (ax - px[i]);
    ry[i] = ay + beta * (ay - py[i]);
    px[i] = ax;
    py[i] = ay;
  }
}

typedef struct {
  float *memory;
  float *y, *px, *py, *rx, *ry; /* planes           */
  float *u, *next, *zero;       /* rows             */
} Fields;

static int allocate(Fields *f, BtShape shape) {
  const size_t n = bt_shape_size(shape), w = shape.width;
  f->memory = malloc((5 * n + 3 * w) * sizeof *f->memory);
  if (!f->memory) return 0;
  f->y = f->memory;
  f->px = f->y + n, f->py = f->px + n, f->rx = f->py + n, f->ry = f->rx + n;
  f->u = f->ry + n, f->next = f->u + w, f->zero = f->next + w;
  memset(f->px, 0, 4 * n * sizeof *f->px);
  memset(f->zero, 0, w * sizeof *f->zero);
  return 1;
}

/* One sweep; the row below is formed before this row's r changes. */
static void iterate(Fields *f, BtShape shape, int isotropic, float weight, float beta) {
  const size_t w = shape.width;
  primal_row(w, f->y, f->rx, f->ry, f->zero, f->u);
  for (size_t r = 0; r < shape.height; r++) {
    const size_t at = r * w, below = at + w;
    const int last = r + 1 == shape.height;
    if (!last) primal_row(w, f->y + below, f->rx + below, f->ry + below, f->ry + at, f->next);
    (isotropic ? project_row_isotropic : project_row_anisotropic)(
        w, weight, beta, f->u, last ? f->u : f->next, f->px + at, f->py + at, f->rx + at, f->ry + at);
    float *swap = f->u;
    f->u = f->next;
    f->next = swap;
  }
}

BtStatus bt_tv_start(BtShape shape, int isotropic, double weight, const double *y, int iterations, double *x,
                     double *dual) {
  const size_t n = bt_shape_size(shape), w = shape.width;
  Fields f;
  if (!allocate(&f, shape)) return BT_ERR_MEMORY;
  for (size_t i = 0; i < n; i++) f.y[i] = (float)y[i];
  double t = 1;
  for (int k = 0; k < iterations; k++) {
    const double next = 0.5 * (1 + sqrt(1 + 4 * t * t));
    iterate(&f, shape, isotropic, (float)weight, (float)((t - 1) / next));
    t = next;
  }
  for (size_t r = 0; r < shape.height; r++) {
    const size_t at = r * w;
    primal_row(w, f.y + at, f.px + at, f.py + at, r ? f.py + at - w : f.zero, f.u);
    for (size_t c = 0; c < w; c++) x[at + c] = (double)f.u[c];
  }
  for (size_t i = 0; i < n; i++) {
    dual[i] = (double)f.px[i] / weight;
    dual[n + i] = (double)f.py[i] / weight;
  }
  free(f.memory);
  return BT_OK;
}

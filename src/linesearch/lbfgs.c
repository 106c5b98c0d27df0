#include "linesearch/lbfgs.h"

#include <stdlib.h>
#include <string.h>

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static void add_scaled(double *a, double scale, const double *b, size_t n) {
  for (size_t i = 0; i < n; i++) a[i] += scale * b[i];
}

BtStatus bt_lbfgs_create(size_t p, BtLbfgs *lbfgs) {
  *lbfgs = (BtLbfgs){.p = p};
  lbfgs->s = calloc(BT_LBFGS_MEMORY * p, sizeof *lbfgs->s);
  lbfgs->y = calloc(BT_LBFGS_MEMORY * p, sizeof *lbfgs->y);
  if (lbfgs->s && lbfgs->y) return BT_OK;
  bt_lbfgs_clear(lbfgs);
  return BT_ERR_MEMORY;
}

void bt_lbfgs_clear(BtLbfgs *lbfgs) {
  free(lbfgs->s);
  free(lbfgs->y);
  *lbfgs = (BtLbfgs){0};
}

int bt_lbfgs_update(BtLbfgs *lbfgs, const double *s, const double *y, double margin) {
  const size_t p = lbfgs->p, bytes = p * sizeof *s;
  if (!(dot(s, y, p) > margin)) return 0;
  if (lbfgs->count == BT_LBFGS_MEMORY) {
    memmove(lbfgs->s, lbfgs->s + p, (BT_LBFGS_MEMORY - 1) * bytes);
    memmove(lbfgs->y, lbfgs->y + p, (BT_LBFGS_MEMORY - 1) * bytes);
    lbfgs->count--;
  }
  memcpy(lbfgs->s + (size_t)lbfgs->count * p, s, bytes);
  memcpy(lbfgs->y + (size_t)lbfgs->count * p, y, bytes);
  lbfgs->count++;
  return 1;
}

void bt_lbfgs_apply(const BtLbfgs *lbfgs, const double *z, double *d) {
  const size_t p = lbfgs->p;
  double a[BT_LBFGS_MEMORY];
  memcpy(d, z, p * sizeof *d);
  for (int64_t k = lbfgs->count - 1; k >= 0; k--) {
    const double *s = lbfgs->s + (size_t)k * p, *y = lbfgs->y + (size_t)k * p;
    a[k] = dot(s, d, p) / dot(s, y, p);
    add_scaled(d, -a[k], y, p);
  }
  if (lbfgs->count > 0) {
    const double *s = lbfgs->s + (size_t)(lbfgs->count - 1) * p,
                 *y = lbfgs->y + (size_t)(lbfgs->count - 1) * p;
    const double scale = dot(s, y, p) / dot(y, y, p);
    for (size_t i = 0; i < p; i++) d[i] *= scale;
  }
  for (int64_t k = 0; k < lbfgs->count; k++) {
    const double *s = lbfgs->s + (size_t)k * p, *y = lbfgs->y + (size_t)k * p;
    add_scaled(d, a[k] - dot(y, d, p) / dot(s, y, p), s, p);
  }
}

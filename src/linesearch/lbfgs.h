/* linesearch/lbfgs.h: limited-memory BFGS scaling of a direction (Liu & Nocedal 1989), on p-vectors. */
#ifndef BITUNE_LINESEARCH_LBFGS_H
#define BITUNE_LINESEARCH_LBFGS_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define BT_LBFGS_MEMORY 10

/* Pairs s = θ⁺ − θ, y = z⁺ − z, the newest last. */
typedef struct {
  size_t p;
  int64_t count;
  double *s, *y;     /* [BT_LBFGS_MEMORY × p], owned */
} BtLbfgs;

/* BT_ERR_MEMORY. */
BtStatus bt_lbfgs_create(size_t p, BtLbfgs *lbfgs);
void bt_lbfgs_clear(BtLbfgs *lbfgs);

/* Adds a pair if sᵀy > margin, which must exceed what errors of y could have made of a non-positive curvature;
 * drops the oldest pair beyond the memory. Returns whether it was taken. */
int bt_lbfgs_update(BtLbfgs *lbfgs, const double *s, const double *y, double margin);

/* d ← B z by the two-loop recursion; d = z without pairs. */
void bt_lbfgs_apply(const BtLbfgs *lbfgs, const double *z, double *d);

#endif

/* core/work.h: the work of bilevel learning, counted alike for every method.
 *
 * The unit is one pass over one lower-level problem (one image): a gradient of h or a Hessian product. */
#ifndef BITUNE_CORE_WORK_H
#define BITUNE_CORE_WORK_H

#include <stdint.h>

typedef struct {
  int64_t gradients;        /* evaluations of ∇ₓh (value alone counts as one)               */
  int64_t hessian_products; /* products ∇²ₓₓh·v, in the lower-level and the adjoint solves  */
  int64_t solves;           /* lower-level problems solved                                   */
  int64_t hypergradients;   /* hypergradients formed, one per call for all images            */
} BtWork;

/* Lower-level work: gradients + Hessian products. */
static inline int64_t bt_work_total(const BtWork *w) { return w->gradients + w->hessian_products; }

/* a ← a + b */
static inline void bt_work_add(BtWork *a, const BtWork *b) {
  a->gradients += b->gradients;
  a->hessian_products += b->hessian_products;
  a->solves += b->solves;
  a->hypergradients += b->hypergradients;
}

#endif

/* lowerlevel/logistic_convexity_internal.h: how convex logistic regression is around a point, by the data's curvature. */
#ifndef BITUNE_LOWERLEVEL_LOGISTIC_CONVEXITY_INTERNAL_H
#define BITUNE_LOWERLEVEL_LOGISTIC_CONVEXITY_INTERNAL_H

#include "lowerlevel/logistic_internal.h"

typedef struct BtLogisticConvexity BtLogisticConvexity;

/* As bt_logistic_inverse_create(). */
BtStatus bt_logistic_convexity_create(BtContext *ctx, BtLogisticRows *rows, double scale, BtLogisticConvexity **convexity);
void bt_logistic_convexity_destroy(BtLogisticConvexity *convexity);

/* A proven μ with ⟨∇h(x') − ∇h(w), x' − w⟩ ≥ μ‖x' − w‖² for ‖x' − w‖ ≤ radius, 0 where none was found. Each of weights[n] is
 * off by its share `weight_error` at most, each probability at w by its share `error`. */
double bt_logistic_convexity(BtLogisticConvexity *convexity, const double *weights, const double *w, double weight_error,
                             double error, double radius);

/* Its work, in products with the Hessian, rounded up at each call. */
int64_t bt_logistic_convexity_products(const BtLogisticConvexity *convexity);

#endif

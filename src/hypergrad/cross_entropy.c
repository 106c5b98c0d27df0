#include "hypergrad/cross_entropy.h"

#include <math.h>
#include <stdlib.h>

#include "lowerlevel/vector.h"

/* The lower-level problem of one process without ridge: it has the sums and the constants. */
struct BtCrossEntropy {
  BtTeam team;
  BtLogistic *rows;
  double theta; /* e^θ = 0 */
  size_t count; /* rows    */
};

BtStatus bt_cross_entropy_create(BtContext *ctx, const BtLogisticSpec *spec, BtCrossEntropy **out) {
  BtLogisticSpec mean = *spec;
  mean.ridge = BT_RIDGE_ONE;
  mean.mean = 1;
  mean.floor = 0;
  *out = NULL;
  BtCrossEntropy *loss = calloc(1, sizeof *loss);
  if (!loss) return bt_fail_memory(ctx, "an upper loss", sizeof *loss);
  bt_team_self(&loss->team);
  loss->theta = -(double)INFINITY;
  loss->count = spec->rows;
  const BtStatus st = bt_logistic_create(ctx, &mean, &loss->team, &loss->rows);
  if (st < 0)
    bt_cross_entropy_destroy(loss);
  else
    *out = loss;
  return st;
}

void bt_cross_entropy_destroy(BtCrossEntropy *loss) {
  if (!loss) return;
  bt_logistic_destroy(loss->rows);
  free(loss);
}

/* A row's log-sum-exp less its score is within 2(d+8)u‖v_i‖‖w_k‖ + (K+30)u of the exact one: as the
 * gradient's error, with Σ‖v_i‖ ≤ m max‖v_i‖; sums of rows add their share of the value, which has one sign.
 */
static BtUpperPoint evaluate(const BtUpperLoss *loss, size_t i, size_t n, const double *x, double *gradient) {
  const BtCrossEntropy *own = loss->data;
  const BtProblem *p = bt_logistic_problem(own->rows);
  BtProblemConstants k;
  p->ops->constants(p, i, &own->theta, &k);
  const double value = p->ops->value_grad(p, i, &own->theta, x, gradient), size = (double)n + 64,
               terms = (double)own->count + 64;
  return (BtUpperPoint){
      .value = value,
      .slope = bt_norm(gradient, n),
      .rounding =
          BT_ROUNDOFF * (size * (4 + 4 * bt_logistic_row_norm(own->rows) * bt_norm(x, n)) + terms * value),
      .gradient_rounding = p->ops->gradient_rounding(p, i, &own->theta, &k, x),
      .curvature = k.lipschitz};
}

static void bounds(BtUpperPoint at, size_t n, double eps, double *lower, double *upper) {
  const double change = (at.slope * (1 + bt_sum_rounding(n)) + at.gradient_rounding) * eps,
               rounding = at.rounding + 8 * BT_ROUNDOFF * (fabs(at.value) + change);
  *lower = fmax(0, at.value - change - rounding);
  *upper = at.value + change + 0.5 * at.curvature * eps * eps * (1 + 8 * BT_ROUNDOFF) + rounding;
}

static void bounds_along(BtUpperPoint at, size_t n, double eps, BtInterval along, double *lower,
                         double *upper) {
  const double rounding =
      at.rounding + 8 * BT_ROUNDOFF * (fabs(at.value) + fmax(fabs(along.least), fabs(along.most)));
  (void)n;
  *lower = fmax(0, at.value + along.least - rounding);
  *upper = at.value + along.most + 0.5 * at.curvature * eps * eps * (1 + 8 * BT_ROUNDOFF) + rounding;
}

static double lipschitz(BtUpperPoint at, double eps) {
  (void)eps;
  return at.curvature;
}

static const BtUpperLossOps cross_entropy_ops = {"cross-entropy", evaluate, bounds, bounds_along, lipschitz};

BtUpperLoss bt_cross_entropy_loss(const BtCrossEntropy *loss) {
  return (BtUpperLoss){&cross_entropy_ops, loss};
}

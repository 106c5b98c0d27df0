#include "regularizers/regularizer.h"

#include <float.h>
#include <math.h>

#include "regularizers/gram.h"

int bt_regularizer_single(const BtRegularizer *reg, BtRegularizer *single) {
  *single = *reg;
  single->single = reg->filters > 0;
  return single->single;
}

int bt_regularizer_accepts(const BtRegularizer *reg, const double *theta) {
  for (size_t j = 0; j < reg->parameters; j++) {
    double lo, hi;
    reg->ops->domain(reg, j, &lo, &hi);
    if (!(theta[j] >= lo && theta[j] <= hi)) return 0;
  }
  return 1;
}

void bt_regularizer_variation(const BtRegularizer *reg, BtShape shape, const double *theta, const double *x,
                              const double *q, double eps, BtVariation *variation) {
  const size_t n = bt_shape_size(shape);
  BtRegularizerConstants k = {0};
  double norm2 = 0;
  for (size_t j = 0; j < n; j++) norm2 += q[j] * q[j];
  const double norm_q = sqrt(norm2), none = (double)INFINITY;
  *variation = (BtVariation){none, none, none, none, none, none};
  if (reg->ops->constants) {
    reg->ops->constants(reg, shape, theta, &k);
    *variation = (BtVariation){.hessian = k.hessian_lipschitz * eps * norm_q,
                               .cross = k.cross_lipschitz * eps * norm_q,
                               .cross_norm = k.cross_lipschitz * eps,
                               .remainder = none,
                               .hessian_rounding = 20 * DBL_EPSILON * k.lipschitz * norm_q,
                               .cross_rounding = DBL_EPSILON * ((double)n + 8) * k.cross_sum * norm_q};
  }
  if (reg->ops->variation) reg->ops->variation(reg, shape, theta, x, q, eps, variation);
}

/* A second matrix to square the first in, where there are few parameters. */
enum { FEW = 256 };

size_t bt_regularizer_cross_norm_work(const BtRegularizer *reg, BtShape shape) {
  const size_t p = reg->parameters;
  if (reg->ops->cross_norm) return reg->ops->cross_norm_work(reg, shape);
  return bt_shape_size(shape) + p * (1 + (p <= FEW ? 2 : 1) * p);
}

double bt_regularizer_cross_norm(const BtRegularizer *reg, BtShape shape, const double *theta,
                                 const double *x, double *work) {
  const size_t p = reg->parameters;
  if (reg->ops->cross_norm) return reg->ops->cross_norm(reg, shape, theta, x, work);
  double *column = work, *unit = column + bt_shape_size(shape), *gram = unit + p;
  double trace = 0, square;
  for (size_t j = 0; j < p; j++) unit[j] = 0;
  for (size_t j = 0; j < p; j++) {
    unit[j] = 1;
    reg->ops->cross_mult(reg, shape, theta, x, unit, column);
    unit[j] = 0;
    reg->ops->cross_adjoint(reg, shape, theta, x, column, gram + j * p);
  }
  for (size_t j = 0; j < p; j++) trace += gram[j * p + j];
  /* Entries of JᵀJ are sums that cancel: each is within γₙ cross_sum ‖Jeⱼ‖ of the exact one. */
  BtRegularizerConstants constants = {0};
  if (reg->ops->constants) reg->ops->constants(reg, shape, theta, &constants);
  const double gamma = 1.2e-16 * ((double)bt_shape_size(shape) + 32);
  const double entry = gamma * constants.cross_sum * sqrt(fmax(0, trace) + gamma * constants.cross_sum);
  if (p == 2) {
    const double mean = 0.5 * (gram[0] + gram[3]), half = 0.5 * (gram[0] - gram[3]);
    square = mean + hypot(half, 0.5 * (gram[1] + gram[2]));
  } else {
    square = bt_gram_norm(p, gram, gram + p * p);
  }
  return sqrt(fmax(0, square) + (double)p * entry) * (1 + 1e-14);
}

#include "regularizers/regularizer.h"

#include <math.h>

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

size_t bt_regularizer_cross_norm_work(const BtRegularizer *reg, BtShape shape) {
  return bt_shape_size(shape) + reg->parameters * (1 + reg->parameters);
}

double bt_regularizer_cross_norm(const BtRegularizer *reg, BtShape shape, const double *theta,
                                 const double *x, double *work) {
  const size_t p = reg->parameters;
  double *column = work, *unit = column + bt_shape_size(shape), *gram = unit + p;
  double trace = 0, row_sum = 0;
  for (size_t j = 0; j < p; j++) unit[j] = 0;
  for (size_t j = 0; j < p; j++) {
    unit[j] = 1;
    reg->ops->cross_mult(reg, shape, theta, x, unit, column);
    unit[j] = 0;
    reg->ops->cross_adjoint(reg, shape, theta, x, column, gram + j * p);
  }
  for (size_t j = 0; j < p; j++) {
    double sum = 0;
    for (size_t k = 0; k < p; k++) sum += fabs(gram[j * p + k]);
    row_sum = fmax(row_sum, sum);
    trace += gram[j * p + j];
  }
  double square = fmin(trace, row_sum);
  /* Entries of JᵀJ are sums that cancel: each is within γₙ cross_sum ‖Jeⱼ‖ of the exact one. */
  BtRegularizerConstants constants = {0};
  if (reg->ops->constants) reg->ops->constants(reg, shape, theta, &constants);
  const double gamma = 1.2e-16 * ((double)bt_shape_size(shape) + 32);
  const double entry = gamma * constants.cross_sum * sqrt(fmax(0, trace) + gamma * constants.cross_sum);
  if (p == 2) {
    const double mean = 0.5 * (gram[0] + gram[3]), half = 0.5 * (gram[0] - gram[3]);
    square = mean + hypot(half, 0.5 * (gram[1] + gram[2]));
  }
  return sqrt(fmax(0, square) + (double)p * entry) * (1 + 1e-14);
}

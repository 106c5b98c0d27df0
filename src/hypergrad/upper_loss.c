#include "hypergrad/upper_loss.h"

static double value_grad(const BtUpperLoss *loss, size_t i, size_t n, const double *x, double *gradient) {
  const double *const *truth = loss->data;
  const double *target = truth[i];
  double sum = 0;
  for (size_t j = 0; j < n; j++) {
    gradient[j] = x[j] - target[j];
    sum += gradient[j] * gradient[j];
  }
  return 0.5 * sum;
}

static const BtUpperLossOps squared_error = {
    .name = "squared error", .value_grad = value_grad, .lipschitz = 1, .convex = 1};

BtUpperLoss bt_squared_error(const double *const *truth) {
  return (BtUpperLoss){.ops = &squared_error, .data = truth};
}

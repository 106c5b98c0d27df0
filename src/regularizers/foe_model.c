#include "regularizers/foe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

BtFoeLayout bt_foe_layout(const BtRegularizer *reg) {
  const size_t k = reg->filters, area = reg->size * reg->size;
  BtFoeLayout l = {.weights = 1, .smoothings = 1 + k, .ratios = 1 + 2 * k};
  l.taps = l.ratios + (reg->variant == BT_FOE_WEAK ? k : 0);
  l.end = l.taps + k * area;
  return l;
}

void bt_foe_zero_mean(size_t filters, size_t size, const double *from, double *taps) {
  const size_t area = size * size;
  for (size_t k = 0; k < filters; k++) {
    double mean = 0;
    for (size_t j = 0; j < area; j++) mean += from[k * area + j] / (double)area;
    for (size_t j = 0; j < area; j++) taps[k * area + j] = from[k * area + j] - mean;
  }
}

double bt_foe_difference_concavity(double nu, double tau) {
  const double log_kappa = log(nu / tau), one_less_q = -expm1(0.8 * log_kappa), one_less_k2 = -expm1(2 * log_kappa);
  if (!(one_less_k2 > 0)) return 0;
  return one_less_q * one_less_q * sqrt(one_less_q) / (one_less_k2 * sqrt(one_less_k2) * tau) * (1 + 1e-12);
}

BtStatus bt_foe_open(const BtRegularizer *reg, const double *theta, BtFoe *foe) {
  const size_t k = reg->filters, area = reg->size * reg->size;
  const BtFoeLayout l = bt_foe_layout(reg);
  double *block = malloc(k * (5 + area) * sizeof *block);
  *foe = (BtFoe){.potential = (BtFoePotential)reg->variant, .filters = k, .size = reg->size};
  if (!block) return BT_ERR_MEMORY;
  foe->weight = block;
  foe->nu = block + k;
  foe->tau = block + 2 * k;
  foe->curvature = block + 3 * k;
  foe->concavity = block + 4 * k;
  foe->taps = block + 5 * k;
  foe->bank = (BtFilterBank){.filters = k, .size = reg->size, .taps = foe->taps};
  for (size_t j = 0; j < k; j++) {
    const double w = exp(theta[0] + theta[l.weights + j]), nu = exp(theta[l.smoothings + j]);
    foe->weight[j] = w;
    foe->nu[j] = foe->tau[j] = nu;
    switch (foe->potential) {
      case BT_FOE_CONVEX:
        foe->curvature[j] = w / nu;
        foe->concavity[j] = 0;
        break;
      case BT_FOE_LOG:
        foe->curvature[j] = 2 * w / (nu * nu);
        foe->concavity[j] = w / (4 * nu * nu);
        break;
      case BT_FOE_WEAK:
        foe->tau[j] = nu * (1 + exp(theta[l.ratios + j]));
        foe->curvature[j] = w / nu; /* at the image's edge, where nothing is subtracted */
        foe->concavity[j] = w * bt_foe_difference_concavity(nu, foe->tau[j]);
        break;
    }
  }
  bt_foe_zero_mean(k, reg->size, theta + l.taps, foe->taps);
  return BT_OK;
}

void bt_foe_clear(BtFoe *foe) {
  free(foe->weight);
  memset(foe, 0, sizeof *foe);
}

void bt_foe_filters(const BtRegularizer *reg, const double *theta, double *taps, double *weights,
                    double *smoothings) {
  const BtFoeLayout l = bt_foe_layout(reg);
  bt_foe_zero_mean(reg->filters, reg->size, theta + l.taps, taps);
  for (size_t k = 0; k < reg->filters; k++) {
    if (weights) weights[k] = exp(theta[0] + theta[l.weights + k]);
    if (smoothings) smoothings[k] = exp(theta[l.smoothings + k]);
  }
}

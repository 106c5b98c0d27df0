/* Where learning a fields-of-experts model begins. */
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "regularizers/foe_internal.h"

/* For unit filters that make up a tight frame on s × s patches, weights of about σ/s² act as a threshold of about σ on each
 * patch; smoothings well below what separates noise from structure keep the potentials' shape, yet the solves cheap.
 * Filters are given the norm s instead, so that their taps, like the logarithms, are numbers of order one; that scales
 * smoothings by s and the weights of roots by 1/s. */
static void potentials(const BtRegularizer *reg, double sigma, double *theta) {
  const BtFoeLayout l = bt_foe_layout(reg);
  const double area = (double)(reg->size * reg->size), rows = (double)reg->filters / (area - 1);
  const double scale = (double)reg->size;
  double weight = 1.5 * sigma / area / scale, nu = 0.1 * sigma * scale;
  if (reg->variant == BT_FOE_LOG) {
    nu = 1.5 * sigma * scale;
    weight = 1.5 * sigma * nu / area / scale;
  }
  theta[0] = log(weight / fmin(1, rows));
  for (size_t k = 0; k < reg->filters; k++) {
    theta[l.weights + k] = 0;
    theta[l.smoothings + k] = log(nu);
    if (l.taps > l.ratios) theta[l.ratios + k] = 3;
  }
}

/* The atoms of the two-dimensional cosine transform but the constant one, low frequencies first, of norm s. */
void bt_foe_initial(const BtRegularizer *reg, double sigma, double *theta) {
  const size_t s = reg->size, area = s * s;
  double *taps = theta + bt_foe_layout(reg).taps;
  const double pi = acos(-1.0);
  size_t k = 0;
  potentials(reg, sigma, theta);
  while (k < reg->filters) /* more filters than atoms: the atoms again, shrunk, so that they can part */
    for (size_t degree = 1; degree <= 2 * (s - 1) && k < reg->filters; degree++)
      for (size_t u = 0; u <= degree && k < reg->filters; u++) {
        const size_t v = degree - u;
        if (u >= s || v >= s) continue;
        double norm2 = 0, *c = taps + k * area;
        for (size_t j = 0; j < area; j++) {
          const double y = ((double)(j / s) + 0.5) / (double)s, x = ((double)(j % s) + 0.5) / (double)s;
          c[j] = cos(pi * (double)u * y) * cos(pi * (double)v * x);
          norm2 += c[j] * c[j];
        }
        const double scale = (double)s * pow(0.7, (double)(k / (area - 1))) / sqrt(norm2);
        for (size_t j = 0; j < area; j++) c[j] *= scale;
        k++;
      }
}

void bt_foe_initial_random(const BtRegularizer *reg, double sigma, uint64_t seed, double *theta) {
  const size_t area = reg->size * reg->size;
  double *taps = theta + bt_foe_layout(reg).taps;
  potentials(reg, sigma, theta);
  for (size_t k = 0; k < reg->filters; k++) {
    double *c = taps + k * area, norm2 = 0;
    for (size_t j = 0; j < area; j++) c[j] = bt_rng_normal(seed, k, j);
    bt_foe_zero_mean(1, reg->size, c, c);
    for (size_t j = 0; j < area; j++) norm2 += c[j] * c[j];
    for (size_t j = 0; j < area; j++) c[j] *= (double)reg->size / sqrt(norm2);
  }
}

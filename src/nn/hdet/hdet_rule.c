#include "nn/hdet_rule.h"

#include <math.h>

#include "core/rng.h"

double nn_spread_base(NnSpreadSpace space, double value) {
  switch (space.spread) {
    case NN_SPREAD_LOG: return log(value);
    case NN_SPREAD_LOGIT: return log((value - space.low) / (space.high - value));
    default: return value;
  }
}

double nn_spread_coordinate(NnSpreadSpace space, double base, double multiplier) {
  return space.spread == NN_SPREAD_MULTIPLE ? base * multiplier : base + (multiplier - 1);
}

double nn_spread_value(NnSpreadSpace space, double base, double multiplier) {
  const double u = nn_spread_coordinate(space, base, multiplier);
  switch (space.spread) {
    case NN_SPREAD_LOG: return exp(u);
    case NN_SPREAD_LOGIT: return space.low + (space.high - space.low) / (1 + exp(-u));
    default: return u;
  }
}

double nn_hdet_multiplier(int place, int n, double alpha) {
  const double middle = 0.5 * (n - 1);
  return 1 + alpha * (place - middle) / fmax(middle, 0.5);
}

#define PLACES_KEY 0x7368756666656c64u /* apart from the draws that others make with the same seed */

/* Fisher, Yates. */
void nn_hdet_places(uint64_t seed, int64_t sync, int hyper, int n, int *place) {
  for (int i = 0; i < n; i++) place[i] = i;
  for (int i = n - 1; i > 0; i--) {
    const double u = bt_rng_uniform(seed ^ PLACES_KEY, (uint64_t)sync, (uint64_t)hyper << 32 | (uint64_t)i);
    const int j = (int)(u * (i + 1));
    const int swap = place[i];
    place[i] = place[j];
    place[j] = swap;
  }
}

int nn_hdet_vote(int n, const double *loss, const int *valid, double sigma, double *weight) {
  int count = 0;
  double mean = 0, square = 0, total = 0, best = INFINITY;
  for (int r = 0; r < n; r++) {
    weight[r] = 0;
    if (!valid[r]) continue;
    count++;
    mean += loss[r];
    best = fmin(best, loss[r]);
  }
  if (count == 0) return 0;
  mean /= count;
  for (int r = 0; r < n; r++)
    if (valid[r]) square += (loss[r] - mean) * (loss[r] - mean);
  if (sigma <= 0) sigma = sqrt(square / count);
  /* Relative to the best, which changes nothing but keeps the exponentials finite. */
  for (int r = 0; r < n; r++)
    if (valid[r]) total += weight[r] = sigma > 0 ? exp((best - loss[r]) / sigma) : 1;
  for (int r = 0; r < n; r++) weight[r] /= total;
  return count;
}

double nn_hdet_decay(double start, double floor, int64_t syncs) {
  return syncs > 0 ? -expm1(log(floor / start) / (double)syncs) : 0;
}

void nn_hdet_votes_add(NnHdetVotes *v, double u, double d) {
  v->lowest = v->count > 0 ? fmin(v->lowest, u) : u;
  v->highest = v->count > 0 ? fmax(v->highest, u) : u;
  v->count++;
  v->u += u, v->uu += u * u;
  v->d += d, v->ud += u * d;
}

double nn_hdet_votes_zero(const NnHdetVotes *v) {
  const double n = (double)v->count, mean = v->u / n;
  const double spread = v->uu / n - mean * mean, slope = (v->ud / n - mean * v->d / n) / spread;
  if (v->count < 3 || !(slope < 0)) return mean;
  return fmax(v->lowest, fmin(v->highest, mean - v->d / n / slope));
}

/* Half of the sum of the two in the middle, which for an odd number are one. */
static double median(int n, const double *x) {
  double sum = 0;
  for (int i = 0; i < n; i++) {
    int below = 0, same = 0;
    for (int k = 0; k < n; k++) below += x[k] < x[i], same += x[k] == x[i];
    const int lower = (n - 1) / 2, upper = n / 2;
    sum += ((lower >= below && lower < below + same) + (upper >= below && upper < below + same)) * x[i] /
           (2.0 * same);
  }
  return sum;
}

double nn_hdet_consensus(int n, const double *found, double reach) {
  const double middle = median(n, found);
  double sum = 0;
  int near = 0;
  for (int i = 0; i < n; i++)
    if (fabs(found[i] - middle) <= reach) sum += found[i], near++;
  return near > 0 ? sum / near : middle;
}

void nn_hdet_steer(const NnSteering *steering, NnSpread spread, double gamma, double delta, double *base,
                   double *velocity) {
  const double v = steering->beta * *velocity + (1 - steering->beta) * delta;
  *velocity = v;
  if (spread == NN_SPREAD_MULTIPLE)
    *base = *base * (1 - gamma) + fmax(steering->step * v, -0.5 * *base * (1 - gamma));
  else
    *base += steering->step * v + (spread == NN_SPREAD_LOG ? log1p(-gamma) : 0);
}

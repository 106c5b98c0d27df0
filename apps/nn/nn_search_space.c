#include <math.h>
#include <stdlib.h>

#include "nn/nn_search.h"

#define MARGIN 1e-6 /* of a range, whose ends no λ has */

static int direct(const BtNnSpace *s, size_t j) {
  const NnRange r = s->hyper->item[j].range;
  return !s->unconstrained && isfinite(r.low) && isfinite(r.high);
}

BtStatus bt_nn_space_create(BtContext *ctx, const NnHyperSet *hyper, int unconstrained, double width,
                            BtNnSpace *space) {
  const size_t n = hyper->count;
  BtStatus st = BT_OK;
  *space = (BtNnSpace){.hyper = hyper, .unconstrained = unconstrained};
  space->start = calloc(3 * n + 1, sizeof *space->start);
  if (!space->start) return bt_fail_memory(ctx, "a search", 24.0 * (double)n);
  space->low = space->start + n;
  space->high = space->low + n;
  for (size_t j = 0; j < n && st >= 0; j++) {
    const NnHyper *h = &hyper->item[j];
    const double margin = MARGIN * (h->range.high - h->range.low);
    double lambda = 0;
    st = nn_hyper_unconstrained(ctx, h, h->initial, &lambda);
    if (direct(space, j)) {
      space->low[j] = h->range.low + margin;
      space->high[j] = h->range.high - margin;
      space->start[j] = fmin(space->high[j], fmax(space->low[j], h->initial));
    } else {
      space->start[j] = lambda;
      space->low[j] = lambda - width;
      space->high[j] = lambda + width;
    }
  }
  return st;
}

void bt_nn_space_clear(BtNnSpace *space) {
  free(space->start);
  *space = (BtNnSpace){0};
}

void bt_nn_space_values(const BtNnSpace *s, const double *theta, double *values) {
  for (size_t j = 0; j < s->hyper->count; j++) {
    NnRange r = s->hyper->item[j].range;
    r.discrete = 0;
    values[j] = direct(s, j) ? theta[j] : nn_range_value(r, theta[j]);
  }
}

BtNnRungs bt_nn_rungs(size_t trials, int64_t epochs, int64_t ratio, int64_t least_epochs) {
  BtNnRungs r = {.count = 1, .epochs = {epochs}, .trials = {trials}};
  if (ratio < 2) return r;
  const double eta = (double)ratio;
  const double room = fmin((double)trials, (double)epochs / (double)least_epochs);
  int last = 0;
  for (double product = eta; product <= room && last < BT_NN_MOST_RUNGS - 1; product *= eta) last++;
  r.count = last + 1;
  for (int k = 0; k <= last; k++) {
    const double share = pow(eta, k);
    r.epochs[k] = k < last ? (int64_t)fmax(1, round((double)epochs * pow(eta, k - last))) : epochs;
    r.trials[k] = (size_t)fmax(1, floor((double)trials / share + 1e-9));
  }
  return r;
}

int64_t bt_nn_rungs_epochs(const BtNnRungs *r) {
  int64_t epochs = 0;
  for (int k = 0; k < r->count; k++)
    epochs += (int64_t)r->trials[k] * (r->epochs[k] - (k > 0 ? r->epochs[k - 1] : 0));
  return epochs;
}

/* The average of all replicas in one collective, and what follows from their losses. */
#include <math.h>
#include <string.h>

#include "nn/hdet_internal.h"

int nn_hdet_finite(const NnReal *x, size_t n) {
  NnReal sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += x[i] * 0; /* 0, or NaN */
  return sum == 0;
}

/* Nothing to a sum: −0 leaves even another −0 as it is. */
static void leave_out(NnReal *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = (NnReal)-0.0;
}

static BtStatus sum_slots(BtContext *ctx, NnHdet *h, const NnReal *mine, size_t n) {
  const BtTeamItems items = {(size_t)h->o.replicas, n, mine, sizeof(NnReal) == sizeof(float)};
  h->collectives++;
  return h->team->sum_items(h->team, ctx, &items, h->total);
}

/* The end of a slot holds the replica's vote, its validity and its training loss at its own places, zeros
 * elsewhere, and at last whether to stop. A replica that failed adds nothing. */
static void report(NnHdet *h) {
  const int n = h->o.replicas;
  for (size_t i = 0; i < h->owned; i++) {
    NnReal *slot = nn_hdet_slot(h, i), *end = slot + h->state;
    const int r = h->team->rank + (int)i * h->team->size;
    const int valid = !h->failed[i] && isfinite((NnReal)h->vote[i]) && nn_hdet_finite(slot, h->state);
    if (!valid) leave_out(slot, h->state);
    memset(end, 0, h->ending * sizeof *end);
    if (!valid) continue;
    end[r] = (NnReal)h->vote[i];
    end[n + r] = 1;
    end[2 * n + r] = (NnReal)h->loss[i];
  }
}

static void read_reports(NnHdet *h, const double *end) {
  const int n = h->o.replicas;
  for (int r = 0; r < n; r++) {
    h->losses[r] = end[r];
    h->kept[r] = end[n + r] > 0;
    h->training[r] = end[2 * n + r];
  }
}

static int stopped(const NnHdet *h, const double *end) { return end[h->ending - 1] > 0; }

static int best_of(const NnHdet *h) {
  int best = -1;
  for (int r = 0; r < h->o.replicas; r++)
    if (h->kept[r] && (best < 0 || h->losses[r] < h->losses[best])) best = r;
  return best;
}

/* COPY: all learn who is best; the others' states are left out of the sum that follows. */
static BtStatus leave_best(BtContext *ctx, NnHdet *h) {
  const size_t size = h->ending;
  NnReal *reports = h->reports;
  for (size_t i = 0; i < h->owned; i++)
    memcpy(reports + i * size, nn_hdet_slot(h, i) + h->state, size * sizeof *reports);
  const BtStatus st = sum_slots(ctx, h, reports, size);
  if (st < 0) return st;
  read_reports(h, h->total);
  if (stopped(h, h->total)) return BT_STOPPED;
  const int best = best_of(h);
  for (size_t i = 0; i < h->owned; i++)
    if (h->team->rank + (int)i * h->team->size != best) leave_out(nn_hdet_slot(h, i), h->state);
  return BT_OK;
}

/* The collective; returns how many replicas are valid. The anchor becomes their average. */
static BtStatus average(BtContext *ctx, NnHdet *h, int *valid) {
  BtStatus st = BT_OK;
  const int copy = h->o.converge == NN_HDET_COPY;
  report(h);
  if (copy) st = leave_best(ctx, h);
  if (st == BT_OK) st = sum_slots(ctx, h, h->slots, h->slot);
  if (st != BT_OK) return st;
  if (stopped(h, h->total + h->state)) return BT_STOPPED;
  read_reports(h, h->total + h->state);
  *valid = nn_hdet_vote(h->o.replicas, h->losses, h->kept, h->o.sigma, h->weight);
  if (copy)
    for (int r = 0; r < h->o.replicas; r++) h->weight[r] = r == best_of(h);
  const double share = copy ? 1 : *valid;
  for (size_t i = 0; i<h->state && * valid> 0; i++) h->anchor[i] = (NnReal)(h->total[i] / share);
  return BT_OK;
}

/* Rate that the schedule has reached, and its decay over the syncs left, this one included. */
static void start_steering(NnHdet *h, int64_t step) {
  const NnSpreadSpace space = h->o.hyper[h->rate].space;
  const int64_t all = (h->o.total + h->o.sync - 1) / h->o.sync;
  const double rate = h->damping * nn_schedule_rate(&h->o.schedule, step);
  h->base[h->rate] = nn_spread_base(space, rate);
  h->gamma = rate > h->o.floor && h->o.floor > 0 ? nn_hdet_decay(rate, h->o.floor, all - h->syncs) : 0;
  h->steering = 1;
}

static void steer(NnHdet *h, int hyper) {
  const NnHdetHyper *p = &h->o.hyper[hyper];
  const double gamma = hyper == h->rate ? h->gamma : 0;
  double vote = 0, delta = 0, *base = &h->base[hyper];
  for (int r = 0; r < h->o.replicas; r++)
    vote += h->weight[r] * nn_spread_coordinate(p->space, *base, h->multiplier[hyper * h->o.replicas + r]);
  if (h->o.converge == NN_HDET_COPY)
    *base = vote;
  else
    delta = vote - *base;
  nn_hdet_steer(&h->o.steering, p->space.spread, gamma, delta, base, &h->velocity[hyper]);
  if (hyper == h->rate && h->o.floor > 0) *base = fmax(*base, nn_spread_base(p->space, h->o.floor));
}

/* Nothing to average: back to the anchor with half the rate. */
static BtStatus retreat(BtContext *ctx, NnHdet *h) {
  const NnSpreadSpace space = h->o.hyper[h->rate].space;
  if (++h->retreats > NN_HDET_RETREATS)
    return bt_fail(ctx, BT_ERR_NUMERIC,
                   "hdet: all replicas failed in %d blocks in a row; a lower rate may help", h->retreats);
  h->damping *= 0.5;
  h->base[h->rate] = space.spread == NN_SPREAD_LOG ? h->base[h->rate] - log(2) : 0.5 * h->base[h->rate];
  for (int i = 0; i < h->o.hypers; i++) h->velocity[i] = 0;
  bt_warn(ctx,
          "all replicas failed in the block up to step %lld: they go back to the last average, with half the "
          "rate",
          (long long)(h->start + h->length));
  return BT_OK;
}

static void warn_of_dropped(BtContext *ctx, const NnHdet *h) {
  for (int r = 0; r < h->o.replicas; r++)
    if (!h->kept[r])
      bt_warn(ctx,
              "replica %d of %d is left out of the average at step %lld: its loss or weights are not finite",
              r, h->o.replicas, (long long)(h->start + h->length));
}

/* Base values as people read them. */
static void read_bases(const NnHdet *h, int64_t step, double *value) {
  for (int i = 0; i < h->o.hypers; i++)
    value[i] = nn_spread_value(h->o.hyper[i].space, nn_hdet_base_at(h, i, step), 1);
}

BtStatus nn_hdet_give_up(BtContext *ctx, NnHdet *h) {
  h->asked = 0;
  nn_optimizer_set_steps(h->optimizer, h->optimizer_start);
  const BtStatus st = nn_hdet_start_block(ctx, h);
  return st < 0 ? st : BT_STOPPED;
}

/* The others may be at the end of their blocks: their collective is this one. */
BtStatus nn_hdet_converge_stopped(BtContext *ctx, NnHdet *h) {
  const size_t size = h->o.converge == NN_HDET_COPY ? h->ending : h->slot;
  NnReal *mine = h->o.converge == NN_HDET_COPY ? h->reports : h->slots;
  leave_out(mine, h->owned * size);
  mine[size - 1] = 1;
  const BtStatus st = sum_slots(ctx, h, mine, size);
  return st < 0 ? st : nn_hdet_give_up(ctx, h);
}

BtStatus nn_hdet_converge(BtContext *ctx, NnHdet *h) {
  BtStatus st = BT_OK;
  const int n = h->o.replicas;
  const int64_t end = h->start + h->length;
  double before[NN_HDET_MAX_HYPERS], after[NN_HDET_MAX_HYPERS];
  NnHdetSync sync = {.step = end, .replicas = n, .hypers = h->o.hypers};
  st = average(ctx, h, &sync.valid);
  if (st == BT_STOPPED) return nn_hdet_give_up(ctx, h);
  if (st < 0) return st;
  for (int i = 0; i < h->o.hypers; i++)
    for (int r = 0; r < n; r++) {
      h->multiplier[i * n + r] = nn_hdet_multiplier_of(h, i, r);
      h->value[i * n + r] = nn_hdet_value_at(h, i, r, end - 1);
    }
  read_bases(h, end - 1, before);
  nn_optimizer_set_steps(h->optimizer, h->optimizer_start + (sync.valid ? h->length : 0));
  if (sync.valid == 0) {
    sync.retreat = 1;
    BT_TRY(retreat(ctx, h));
  } else {
    h->retreats = 0;
    warn_of_dropped(ctx, h);
    if (!h->steering && end >= h->o.steer_from) start_steering(h, end);
    for (int i = 0; i < h->o.hypers && h->steering; i++)
      if (h->o.hyper[i].steered) steer(h, i), sync.steered = 1;
  }
  h->start = end;
  sync.sync = ++h->syncs;
  read_bases(h, end < h->o.total ? end : end - 1, after);
  sync.gamma = h->gamma;
  sync.loss = h->losses, sync.trained = h->training, sync.weight = h->weight, sync.kept = h->kept;
  sync.multiplier = h->multiplier, sync.value = h->value;
  sync.before = before, sync.after = after, sync.velocity = h->velocity;
  if (h->o.observe) h->o.observe(h->o.user, &sync);
done:
  return st;
}

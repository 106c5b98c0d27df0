/* The average of all replicas in one collective. */
#include <math.h>
#include <string.h>

#include "nn/hdet/hdet_internal.h"

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

BtStatus nn_hdet_sum(BtContext *ctx, NnHdet *h, const NnReal *mine, size_t n) {
  const BtTeamItems items = {(size_t)h->o.replicas, n, mine, sizeof(NnReal) == sizeof(float)};
  h->collectives++;
  const BtStatus st = h->team->sum_items(h->team, ctx, &items, h->total);
  if (st < 0) h->others = st;
  return st;
}

/* The end of a slot holds the replica's vote, its validity and its training loss at its own places, zeros
 * elsewhere, and at last whether to stop. A replica that failed adds nothing. */
static void report(NnHdet *h) {
  const int n = h->o.replicas;
  for (size_t i = 0; i < h->owned; i++) {
    NnReal *slot = nn_hdet_slot(h, i), *end = slot + h->body;
    const int r = h->team->rank + (int)i * h->team->size;
    const int valid = !h->failed[i] && isfinite((NnReal)h->vote[i]) && nn_hdet_finite(slot, h->state);
    if (!valid) leave_out(slot, h->body);
    if (valid && nn_hdet_mixes(h)) nn_hdet_mix_end(h, i);
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

/* All learn who is best; the others' states are left out of the sum that follows. */
static BtStatus leave_best(BtContext *ctx, NnHdet *h) {
  const size_t size = h->ending;
  NnReal *reports = h->reports;
  for (size_t i = 0; i < h->owned; i++)
    memcpy(reports + i * size, nn_hdet_slot(h, i) + h->body, size * sizeof *reports);
  const BtStatus st = nn_hdet_sum(ctx, h, reports, size);
  if (st < 0) return st;
  read_reports(h, h->total);
  if (stopped(h, h->total)) return BT_STOPPED;
  const int best = nn_hdet_best(h);
  for (size_t i = 0; i < h->owned; i++)
    if (h->team->rank + (int)i * h->team->size != best) leave_out(nn_hdet_slot(h, i), h->body);
  return BT_OK;
}

static void vote(NnHdet *h, int *valid) {
  const int n = h->o.replicas;
  *valid = nn_hdet_vote(n, h->losses, h->kept, h->o.sigma, h->weight);
  for (int r = 0; r < n && nn_hdet_copies(h); r++) h->weight[r] = r == nn_hdet_best(h);
  for (int i = 1; i < h->o.hypers; i++) memcpy(h->weight + i * n, h->weight, (size_t)n * sizeof *h->weight);
}

/* The collectives; returns how many replicas are valid. The anchor becomes their average, or stays. */
static BtStatus average(BtContext *ctx, NnHdet *h, int *valid) {
  BtStatus st = BT_OK;
  const int copies = nn_hdet_copies(h);
  report(h);
  if (copies) st = leave_best(ctx, h);
  const int back = st == BT_OK && nn_hdet_too_high(h);
  if (st == BT_OK && !back) st = nn_hdet_sum(ctx, h, h->slots, h->slot);
  if (st != BT_OK) return st;
  if (!back) {
    if (stopped(h, h->total + h->body)) return BT_STOPPED;
    read_reports(h, h->total + h->body);
  }
  vote(h, valid);
  const double share = copies ? 1 : *valid;
  const size_t averaged = *valid > 0 && !back ? h->state : 0;
  for (size_t i = 0; i < averaged; i++) h->anchor[i] = (NnReal)(h->total[i] / share);
  return *valid > 0 && nn_hdet_mixes(h) ? nn_hdet_mix_vote(ctx, h) : BT_OK;
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
  if (st < 0) h->others = BT_STOPPED;
  return st < 0 ? st : BT_STOPPED;
}

/* The others may be at the end of their blocks: their collective is this one. */
BtStatus nn_hdet_tell_stop(BtContext *ctx, NnHdet *h) {
  const size_t size = nn_hdet_copies(h) ? h->ending : h->slot;
  NnReal *mine = nn_hdet_copies(h) ? h->reports : h->slots;
  leave_out(mine, h->owned * size);
  mine[size - 1] = 1;
  return nn_hdet_sum(ctx, h, mine, size);
}

BtStatus nn_hdet_converge_stopped(BtContext *ctx, NnHdet *h) {
  const BtStatus st = nn_hdet_tell_stop(ctx, h);
  return st < 0 ? st : nn_hdet_give_up(ctx, h);
}

/* The bases, and the count of steps, after the collective. */
static void move_on(BtContext *ctx, NnHdet *h, NnHdetSync *sync) {
  const int64_t end = h->start + h->length;
  sync->searched = h->searches > 0;
  sync->retreat = sync->valid == 0 || nn_hdet_too_high(h);
  nn_optimizer_set_steps(h->optimizer, h->optimizer_start + (sync->retreat ? 0 : h->length));
  h->dropped += h->o.replicas - sync->valid;
  if (sync->valid == 0) {
    h->failures++;
    nn_hdet_retreat(ctx, h);
    return;
  }
  h->retreats = 0;
  h->averages += !sync->retreat;
  if (!sync->searched) warn_of_dropped(ctx, h);
  sync->steered = nn_hdet_steer_all(h, end);
}

/* Whether the run can go on, or has come to something. The same on all ranks. */
static BtStatus outcome(BtContext *ctx, const NnHdet *h, double rate) {
  static const char advice[] = "losses, gradients or weights are not finite; start with a lower rate";
  if (h->retreats == NN_HDET_RETREATS)
    return bt_fail(
        ctx, BT_ERR_NUMERIC,
        "hdet: all replicas failed in %d blocks in a row, up to step %lld, the last one with a rate "
        "of %.3g: %s",
        h->retreats, (long long)h->start, rate, advice);
  if (h->start < h->o.total || h->averages > 0) return BT_OK;
  if (h->failures > 0)
    return bt_fail(
        ctx, BT_ERR_NUMERIC,
        "hdet: after all %lld steps nothing is learned: all replicas failed in %lld of %lld blocks, "
        "the last one with a rate of %.3g: %s",
        (long long)h->o.total, (long long)h->failures, (long long)h->syncs, rate, advice);
  const int best = nn_hdet_best(h);
  return bt_fail(
      ctx, BT_ERR_NUMERIC,
      "hdet: after all %lld steps nothing is learned: in all %lld blocks of the search the lowest "
      "rates did best, in the last one %.3g with a loss of %.4g, and all replicas went back to where "
      "they were; start with a lower rate, or let replicas converge more often, so that the search "
      "comes down to it",
      (long long)h->o.total, (long long)h->syncs, h->value[h->rate * h->o.replicas + best], h->losses[best]);
}

BtStatus nn_hdet_converge(BtContext *ctx, NnHdet *h) {
  const int n = h->o.replicas;
  const int64_t end = h->start + h->length;
  double before[NN_HDET_MAX_HYPERS], after[NN_HDET_MAX_HYPERS];
  NnHdetSync sync = {.step = end, .replicas = n, .hypers = h->o.hypers};
  BtStatus st = average(ctx, h, &sync.valid);
  if (st == BT_STOPPED) return nn_hdet_give_up(ctx, h);
  if (st < 0) return st;
  for (int i = 0; i < h->o.hypers; i++)
    for (int r = 0; r < n; r++) {
      h->multiplier[i * n + r] = nn_hdet_multiplier_of(h, i, r);
      h->value[i * n + r] = nn_hdet_value_at(h, i, r, end - 1);
    }
  read_bases(h, end - 1, before);
  sync.mixture = sync.valid > 0 && nn_hdet_mixes(h) ? h->mixture_loss : NULL;
  move_on(ctx, h, &sync);
  h->start = end;
  sync.sync = ++h->syncs;
  read_bases(h, end < h->o.total ? end : end - 1, after);
  sync.gamma = h->gamma;
  sync.settled = h->settled > 0;
  sync.loss = h->losses, sync.trained = h->training, sync.weight = h->weight, sync.kept = h->kept;
  sync.multiplier = h->multiplier, sync.value = h->value;
  sync.before = before, sync.after = after, sync.velocity = h->velocity;
  if (h->o.observe) h->o.observe(h->o.user, &sync);
  st = outcome(ctx, h, before[h->rate]);
  if (st < 0) h->others = st;
  return st;
}

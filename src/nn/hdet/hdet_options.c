#include <math.h>

#include "nn/hdet/hdet_internal.h"

NnHdetOptions nn_hdet_defaults(int replicas, int64_t total, int64_t sync, double rate) {
  const NnSchedule cycle = {.kind = NN_SCHEDULE_ONE_CYCLE,
                            .rate = rate,
                            .total = total,
                            .warm_up = 0.3,
                            .initial_divisor = 25,
                            .final_divisor = 1e4};
  NnHdetOptions o = {.replicas = replicas,
                     .total = total,
                     .sync = sync,
                     .schedule = cycle,
                     .steer_from = (int64_t)(cycle.warm_up * (double)total),
                     .floor = rate / 100,
                     .steering = {0.9, 0.5},
                     .hypers = 1};
  o.hyper[0] = (NnHdetHyper){.name = "lr", .role = NN_HDET_RATE, .spread = 1.0 / 9, .steered = 1};
  return o;
}

void nn_hdet_find_rate(NnHdetOptions *o) {
  /* A trial needs a few votes, and finds little more from later ones. */
  const double third = 0.06 * (double)o->total;
  const int trials = o->sync > 0 && third >= 5 * (double)o->sync ? 3 : 1;
  o->search = (NnHdetSearch){8, log(10), (int64_t)(third * (trials > 1 ? trials : 2)), trials};
  o->voters = NN_HDET_MIXTURES;
  o->steer_from = 0;
  o->floor = 0;
  o->steering = (NnSteering){0, 1};
  for (int i = 0; i < o->hypers; i++)
    if (o->hyper[i].role == NN_HDET_RATE) {
      o->hyper[i].space.spread = NN_SPREAD_LOG;
      o->hyper[i].spread = 1.1;
    }
}

static BtStatus check_hyper(BtContext *ctx, const NnHdetHyper *h) {
  const NnSpreadSpace s = h->space;
  if (!(h->spread >= 0) || !isfinite(h->spread) || (s.spread == NN_SPREAD_MULTIPLE && h->spread >= 1))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: spread %g of %s must be 0 or more%s", h->spread, h->name,
                   s.spread == NN_SPREAD_MULTIPLE ? " and below 1" : "");
  if (s.spread == NN_SPREAD_LOGIT && !(s.low < s.high && isfinite(s.low) && isfinite(s.high)))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: %s has no range", h->name);
  if (h->role == NN_HDET_RATE)
    return s.spread == NN_SPREAD_MULTIPLE || s.spread == NN_SPREAD_LOG
               ? BT_OK
               : bt_fail(ctx, BT_ERR_ARG, "hdet: the rate is spread by multiples or in its logarithm");
  if (!isfinite(nn_spread_base(s, h->initial)) || (s.spread == NN_SPREAD_MULTIPLE && !(h->initial > 0)))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: initial value %g of %s is not inside its range", h->initial,
                   h->name);
  return BT_OK;
}

static BtStatus check_hypers(BtContext *ctx, const NnHdetOptions *o) {
  int roles[NN_HDET_OTHER + 1] = {0};
  if (o->hypers < 1 || o->hypers > NN_HDET_MAX_HYPERS)
    return bt_fail(ctx, BT_ERR_ARG, "hdet: %d hyperparameters, must be 1 to %d", o->hypers,
                   NN_HDET_MAX_HYPERS);
  for (int i = 0; i < o->hypers; i++) {
    const NnHdetHyper *h = &o->hyper[i];
    const BtStatus st = check_hyper(ctx, h);
    if (st < 0) return st;
    if (roles[h->role]++ && h->role != NN_HDET_OTHER)
      return bt_fail(ctx, BT_ERR_ARG, "hdet: %s: there is one of this role already", h->name);
  }
  return roles[NN_HDET_RATE] ? BT_OK
                             : bt_fail(ctx, BT_ERR_ARG, "hdet: there is no rate among the hyperparameters");
}

static BtStatus check_search(BtContext *ctx, const NnHdetOptions *o) {
  const NnHdetSearch *s = &o->search;
  const NnHdetHyper *rate = o->hyper;
  while (rate->role != NN_HDET_RATE) rate++;
  if (s->blocks < 0) return bt_fail(ctx, BT_ERR_ARG, "hdet: %d blocks of search", s->blocks);
  if (s->blocks > 0 && (!rate->steered || rate->space.spread != NN_SPREAD_LOG))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: a search is for a steered rate that is spread in its logarithm");
  if (s->blocks > 0 && (!(s->spread > 0) || !isfinite(s->spread)))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: the search's spread %g is not positive", s->spread);
  if (s->trials < 0 || s->trials > NN_HDET_MAX_TRIALS)
    return bt_fail(ctx, BT_ERR_ARG, "hdet: %d trials, must be 0 to %d", s->trials, NN_HDET_MAX_TRIALS);
  if (s->settle < 0) return bt_fail(ctx, BT_ERR_ARG, "hdet: the rate cannot settle before step 0");
  if (s->trials > 0 && s->settle > 0 && s->settle > (o->total - 1) / o->sync * o->sync)
    return bt_fail(
        ctx, BT_ERR_ARG,
        "hdet: the trials of the rate, up to the sync at or after step %lld of %lld, leave no step "
        "for the training that starts anew with it: let the rate settle earlier, sync more often, "
        "or train longer",
        (long long)s->settle, (long long)o->total);
  if (o->voters == NN_HDET_MIXTURES && !o->judge)
    return bt_fail(ctx, BT_ERR_ARG, "hdet: mixtures vote with losses that a judge must tell");
  if (o->voters == NN_HDET_MIXTURES && o->converge == NN_HDET_COPY)
    return bt_fail(ctx, BT_ERR_ARG, "hdet: mixtures vote where replicas are averaged, not copied");
  return BT_OK;
}

BtStatus nn_hdet_check(BtContext *ctx, const NnHdetOptions *o) {
  const BtStatus st = nn_schedule_check(ctx, &o->schedule);
  if (st < 0) return st;
  if (o->replicas < 1 || o->replicas > 1 << 16)
    return bt_fail(ctx, BT_ERR_ARG, "hdet: %d replicas, must be 1 to %d", o->replicas, 1 << 16);
  if (o->total < 1)
    return bt_fail(ctx, BT_ERR_ARG, "hdet: the run's total number of steps must be given, 1 or more");
  if (o->sync < 1) return bt_fail(ctx, BT_ERR_ARG, "hdet: steps between syncs must be 1 or more");
  if (o->sync > o->total)
    return bt_fail(ctx, BT_ERR_ARG,
                   "hdet: %lld steps between syncs, but each replica's run has %lld: replicas would never "
                   "converge; sync more often or train longer",
                   (long long)o->sync, (long long)o->total);
  if (o->steer_from < 0) return bt_fail(ctx, BT_ERR_ARG, "hdet: steering cannot start before step 0");
  if (!(o->floor >= 0) || !isfinite(o->floor))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: the floor %g is negative", o->floor);
  if (!(o->sigma >= 0)) return bt_fail(ctx, BT_ERR_ARG, "hdet: sigma %g is negative", o->sigma);
  if (!(o->steering.beta >= 0 && o->steering.beta < 1) || !(o->steering.step >= 0) ||
      !isfinite(o->steering.step))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: momentum %g must be in [0, 1), step %g not negative",
                   o->steering.beta, o->steering.step);
  if (!(o->noise >= 0) || !isfinite(o->noise)) return bt_fail(ctx, BT_ERR_ARG, "hdet: noise %g", o->noise);
  const BtStatus hypers = check_hypers(ctx, o);
  return hypers < 0 ? hypers : check_search(ctx, o);
}

/* How losses move the bases: the search for the rate, the votes, and where the rate settles. */
#include <math.h>
#include <string.h>

#include "nn/hdet/hdet_internal.h"

int nn_hdet_copies(const NnHdet *h) { return h->o.converge == NN_HDET_COPY || h->searches > 0; }

int nn_hdet_best(const NnHdet *h) {
  int best = -1;
  for (int r = 0; r < h->o.replicas; r++)
    if (h->kept[r] && (best < 0 || h->losses[r] < h->losses[best])) best = r;
  return best;
}

static int best_place(const NnHdet *h) { return h->place[h->rate * h->o.replicas + nn_hdet_best(h)]; }

int nn_hdet_too_high(const NnHdet *h) {
  const int n = h->o.replicas;
  return h->searches > 0 && n > 1 && nn_hdet_best(h) >= 0 && best_place(h) < (n + 3) / 4;
}

int nn_hdet_steers(const NnHdet *h, int hyper) {
  const int begun = h->steering || h->start + h->length >= h->o.steer_from;
  return h->o.hyper[hyper].steered && begun && h->searches == 0 && !(hyper == h->rate && h->settled);
}

/* Rate that the schedule has reached, and its decay over the syncs left, this one included. */
static void start_steering(NnHdet *h, int64_t step) {
  const NnSpreadSpace space = h->o.hyper[h->rate].space;
  const int64_t all = (h->o.total + h->o.sync - 1) / h->o.sync;
  const int found = h->o.search.blocks > 0;
  const double rate = found ? nn_spread_value(space, h->base[h->rate], 1)
                            : h->damping * nn_schedule_rate(&h->o.schedule, step);
  if (!found) h->base[h->rate] = nn_spread_base(space, rate);
  h->gamma = rate > h->o.floor && h->o.floor > 0 ? nn_hdet_decay(rate, h->o.floor, all - h->syncs) : 0;
  h->steering = 1;
}

static void steer(NnHdet *h, int hyper) {
  const NnHdetHyper *p = &h->o.hyper[hyper];
  const int n = h->o.replicas;
  const double gamma = hyper == h->rate ? h->gamma : 0;
  double vote = 0, delta = 0, *base = &h->base[hyper];
  for (int r = 0; r < n; r++)
    vote += h->weight[hyper * n + r] * nn_spread_coordinate(p->space, *base, h->multiplier[hyper * n + r]);
  if (h->o.converge == NN_HDET_COPY)
    *base = vote;
  else
    delta = vote - *base;
  nn_hdet_steer(&h->o.steering, p->space.spread, gamma, delta, base, &h->velocity[hyper]);
  if (hyper == h->rate && h->o.floor > 0) *base = fmax(*base, nn_spread_base(p->space, h->o.floor));
}

/* The best replica's rate is the next base; the search ends where that is no edge. */
static void search(NnHdet *h, int64_t step) {
  const int top = best_place(h) == h->o.replicas - 1, again = top || nn_hdet_too_high(h);
  h->base[h->rate] = log(h->value[h->rate * h->o.replicas + nn_hdet_best(h)]);
  h->searches = again ? h->searches - 1 : 0;
  if (h->searches == 0) start_steering(h, step);
}

/* What this block's vote on the rate tells, for when it settles. Replicas that are averaged count. */
static void remember(NnHdet *h) {
  const NnSpreadSpace space = h->o.hyper[h->rate].space;
  const size_t first = (size_t)(h->rate * h->o.replicas);
  const double base = h->base[h->rate], *mixture = h->mixture_loss + 2 * h->rate;
  double rates = 0, lifts = 0, valid = 0;
  for (int r = 0; r < h->o.replicas; r++) {
    if (!h->kept[r]) continue;
    rates += h->value[first + (size_t)r];
    lifts += nn_spread_value(space, base, h->multiplier[first + (size_t)r]) / nn_spread_value(space, base, 1);
    valid++;
  }
  h->votes++;
  h->rates += rates / valid;
  h->lifts += lifts / valid;
  if (h->mixed > 0 && isfinite(mixture[0] - mixture[1]))
    nn_hdet_votes_add(&h->told, base, mixture[0] - mixture[1]);
}

/* The rate that the votes of this trial have found. Averages of replicas have moved with the mean of the
 * rates, which is above the one in the middle. */
static double found(const NnHdet *h) {
  const double votes = (double)h->votes;
  if (h->told.count == 0) return h->rates / votes;
  return nn_spread_value(h->o.hyper[h->rate].space, nn_hdet_votes_zero(&h->told), 1) * h->lifts / votes;
}

/* What this trial and those before it have found is the base. */
static void conclude(NnHdet *h) {
  const NnHdetHyper *rate = &h->o.hyper[h->rate];
  const double latest = nn_spread_base(rate->space, found(h));
  const double spread = fmax(rate->spread, h->o.search.spread);
  const double reach = spread * (rate->space.spread == NN_SPREAD_MULTIPLE ? latest : 1);
  h->found[h->finds++] = latest;
  h->base[h->rate] = nn_hdet_consensus((int)h->finds, h->found, reach);
  h->votes = 0;
  h->rates = h->lifts = 0;
  h->told = (NnHdetVotes){0};
}

/* The last trial ends with the steering of the rate; without trials, that ends alone. */
static void end_trial(NnHdet *h, int64_t step) {
  const NnHdetSearch *s = &h->o.search;
  const int trials = s->trials > 0 ? s->trials : 1, before = h->trials, last = step >= s->settle;
  if (s->settle == 0 || h->settled) return;
  while (h->trials < trials && step >= s->settle * (h->trials + 1) / trials) h->trials++;
  if (h->trials == before) return;
  if (h->votes == 0 && !last) return; /* still searching, which begins anew by itself */
  if (h->votes > 0) conclude(h);
  h->velocity[h->rate] = 0;
  if (last) h->settled = step;
  h->searches = last ? 0 : s->blocks; /* a search that has not ended by now never does */
  if (s->trials == 0) return;
  memcpy(h->anchor, h->origin, h->state * sizeof *h->anchor);
  nn_optimizer_set_steps(h->optimizer, 0);
  h->averages = 0;
}

int nn_hdet_steer_all(NnHdet *h, int64_t step) {
  int moved = 1;
  if (h->searches > 0) {
    search(h, step);
  } else {
    moved = 0;
    if (!h->steering && step >= h->o.steer_from) start_steering(h, step);
    if (nn_hdet_steers(h, h->rate)) remember(h);
    for (int i = 0; i < h->o.hypers; i++)
      if (nn_hdet_steers(h, i)) steer(h, i), moved = 1;
  }
  end_trial(h, step);
  return moved;
}

void nn_hdet_retreat(BtContext *ctx, NnHdet *h) {
  const NnSpreadSpace space = h->o.hyper[h->rate].space;
  const double factor = h->searches > 0 ? exp(-h->o.search.spread) : 0.5;
  h->retreats++;
  h->damping *= factor;
  h->base[h->rate] =
      space.spread == NN_SPREAD_LOG ? h->base[h->rate] + log(factor) : factor * h->base[h->rate];
  for (int i = 0; i < h->o.hypers; i++) h->velocity[i] = 0;
  bt_warn(
      ctx,
      "all replicas failed in the block up to step %lld: they go back to the last average, with %.2g times "
      "the rate",
      (long long)(h->start + h->length), factor);
}

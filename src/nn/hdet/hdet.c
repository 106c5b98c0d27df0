/* The replicas of a rank in turn. */
#include "nn/hdet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "nn/hdet/hdet_internal.h"

static void add_part(NnHdet *h, NnReal *values, size_t count) {
  if (!values || count == 0) return;
  h->part[h->parts++] = (NnHdetPart){values, count};
  h->state += count;
}

static int index_of(const NnHdetOptions *o, NnHdetRole role) {
  for (int i = 0; i < o->hypers; i++)
    if (o->hyper[i].role == role) return i;
  return -1;
}

static void *numbers(BtContext *ctx, BtStatus *st, size_t count, size_t size) {
  void *p = *st < 0 ? NULL : calloc(count ? count : 1, size);
  if (!p && *st >= 0) *st = bt_fail_memory(ctx, "the ensemble's replicas", (double)count * (double)size);
  return p;
}

static BtStatus allocate(BtContext *ctx, NnHdet *h) {
  BtStatus st = BT_OK;
  const size_t n = (size_t)h->o.replicas, all = n * (size_t)h->o.hypers;
  const int shared = h->o.gradients == NN_HDET_SHARED;
  const size_t gradient = shared ? h->gradient_count + 2 : 0;
  h->slots = numbers(ctx, &st, h->owned * h->slot, sizeof *h->slots);
  const size_t mixtures = 2 * (size_t)h->mixtures + 1;
  h->reports =
      numbers(ctx, &st, h->owned * (h->ending > mixtures ? h->ending : mixtures), sizeof *h->reports);
  h->mixture = numbers(ctx, &st, h->mixed, sizeof *h->mixture);
  h->mixture_loss = numbers(ctx, &st, 2 * (size_t)h->o.hypers, sizeof *h->mixture_loss);
  h->anchor = numbers(ctx, &st, h->state, sizeof *h->anchor);
  h->origin = numbers(ctx, &st, h->o.search.trials > 0 ? h->state : 0, sizeof *h->origin);
  h->total = numbers(ctx, &st, h->slot > gradient ? h->slot : gradient, sizeof *h->total);
  h->gradients = numbers(ctx, &st, h->owned * gradient, sizeof *h->gradients);
  h->vote = numbers(ctx, &st, h->owned, sizeof *h->vote);
  h->loss = numbers(ctx, &st, h->owned, sizeof *h->loss);
  h->failed = numbers(ctx, &st, h->owned, sizeof *h->failed);
  h->place = numbers(ctx, &st, all, sizeof *h->place);
  h->training = numbers(ctx, &st, n, sizeof *h->training);
  h->losses = numbers(ctx, &st, n, sizeof *h->losses);
  h->weight = numbers(ctx, &st, all, sizeof *h->weight);
  h->kept = numbers(ctx, &st, n, sizeof *h->kept);
  h->multiplier = numbers(ctx, &st, all, sizeof *h->multiplier);
  h->value = numbers(ctx, &st, all, sizeof *h->value);
  return st;
}

static BtStatus lay_out(BtContext *ctx, NnHdet *h) {
  const size_t n = (size_t)h->o.replicas;
  size_t count;
  NnReal *values = nn_graph_group_values(h->graph, NN_GENERAL, &count);
  add_part(h, values, count);
  h->gradient = nn_graph_group_adjoints(h->graph, NN_GENERAL, &h->gradient_count);
  values = nn_graph_group_values(h->graph, NN_BUFFER, &count);
  add_part(h, values, count);
  h->trained = h->parts; /* what a gradient depends on and changes */
  for (int i = 0; i < 2; i++) {
    values = nn_optimizer_state(h->optimizer, i, &count);
    add_part(h, values, count);
  }
  h->body = h->state;
  if (h->o.voters == NN_HDET_MIXTURES) {
    for (int i = 0; i < h->trained; i++) h->mixed += h->part[i].count;
    for (int i = 0; i < h->o.hypers; i++) h->mixtures += h->o.hyper[i].steered != 0;
    h->body += (1 + (size_t)h->mixtures) * h->mixed;
  }
  h->ending = 3 * n + 1;
  h->slot = h->body + h->ending;
  h->owned = bt_team_owned(h->team, n);
  if (h->owned == 0)
    return bt_fail(ctx, BT_ERR_ARG,
                   "hdet: %d processes, but %zu replicas; start at most one process a replica", h->team->size,
                   n);
  return allocate(ctx, h);
}

BtStatus nn_hdet_create(BtContext *ctx, const NnHdetOptions *options, BtTeam *team, NnGraph *graph,
                        NnOptimizer *optimizer, NnHdet **hdet) {
  *hdet = NULL;
  BtStatus st = nn_hdet_check(ctx, options);
  if (st < 0) return st;
  NnHdet *h = calloc(1, sizeof *h);
  if (!h) return bt_fail_memory(ctx, "ensemble", sizeof *h);
  h->o = *options;
  h->team = team;
  h->graph = graph;
  h->backend = nn_graph_backend(graph);
  h->optimizer = optimizer;
  h->tuned = *nn_optimizer_options(optimizer);
  h->rate = index_of(options, NN_HDET_RATE);
  h->decay = index_of(options, NN_HDET_DECAY);
  h->momentum = index_of(options, NN_HDET_MOMENTUM);
  h->damping = 1;
  h->searches = options->search.blocks;
  for (int i = 0; i < options->hypers; i++)
    h->base[i] = nn_spread_base(options->hyper[i].space,
                                i == h->rate ? options->schedule.rate : options->hyper[i].initial);
  BT_TRY(lay_out(ctx, h));
  BT_TRY(nn_hdet_save_state(ctx, h, h->anchor));
  if (options->search.trials > 0) memcpy(h->origin, h->anchor, h->state * sizeof *h->origin);
  BT_TRY(nn_hdet_start_block(ctx, h));
  *hdet = h;
  return BT_OK;
done:
  nn_hdet_destroy(h);
  return st;
}

void nn_hdet_destroy(NnHdet *h) {
  if (!h) return;
  free(h->slots), free(h->reports), free(h->mixture), free(h->mixture_loss), free(h->anchor), free(h->origin),
      free(h->total), free(h->gradients);
  free(h->vote), free(h->training), free(h->loss), free(h->failed), free(h->place);
  free(h->losses), free(h->weight), free(h->kept), free(h->multiplier), free(h->value);
  free(h);
}

void nn_hdet_stop(NnHdet *h) { h->asked = 1; }
int nn_hdet_done(const NnHdet *h) { return h->start >= h->o.total; }
int nn_hdet_replica(const NnHdet *h) { return h->team->rank + (int)h->turn * h->team->size; }
int64_t nn_hdet_at(const NnHdet *h) { return h->start + h->local; }
int64_t nn_hdet_syncs(const NnHdet *h) { return h->syncs; }
NnHdetSeconds nn_hdet_seconds(const NnHdet *h) { return h->seconds; }
int64_t nn_hdet_failures(const NnHdet *h) { return h->failures; }
int64_t nn_hdet_dropped(const NnHdet *h) { return h->dropped; }
int64_t nn_hdet_collectives(const NnHdet *h) { return h->collectives; }
int64_t nn_hdet_gradient_collectives(const NnHdet *h) { return h->gradient_collectives; }

uint64_t nn_hdet_draw(const NnHdet *h) {
  return (uint64_t)nn_hdet_at(h) * (uint64_t)h->o.replicas + (uint64_t)nn_hdet_replica(h);
}

double nn_hdet_value(const NnHdet *h, int hyper) {
  return nn_hdet_value_at(h, hyper, nn_hdet_replica(h), nn_hdet_at(h));
}

double nn_hdet_base(const NnHdet *h, int hyper) {
  return nn_spread_value(h->o.hyper[hyper].space, nn_hdet_base_at(h, hyper, nn_hdet_at(h)), 1);
}

/* The optimizer's step of the replica in the graph; numbers that are not finite fail the replica, not the
 * run. */
static BtStatus take_step(BtContext *ctx, NnHdet *h) {
  double norm;
  const int clips = nn_optimizer_options(h->optimizer)->clip > 0;
  const BtStatus st = nn_optimizer_step(ctx, h->optimizer, nn_hdet_value(h, h->rate), clips ? &norm : NULL);
  if (st != BT_ERR_NUMERIC) return st;
  h->failed[h->turn] = 1;
  return BT_OK;
}

/* A step, of which mixtures remember the iterate. */
static BtStatus advance(BtContext *ctx, NnHdet *h) {
  BtStatus st = take_step(ctx, h);
  if (st < 0 || h->failed[h->turn]) return st;
  const double begin = bt_clock();
  st = nn_hdet_mix_step(ctx, h);
  h->seconds.mixtures += bt_clock() - begin;
  return st;
}

BtStatus nn_hdet_judge(BtContext *ctx, NnHdet *h, double *loss) {
  const double begin = bt_clock();
  const BtStatus st = h->o.judge(h->o.user, ctx, h, loss);
  h->seconds.votes += bt_clock() - begin;
  return st;
}

/* Work on the replica of this turn that is no step. */
static BtStatus fan_out(BtContext *ctx, NnHdet *h, BtStatus (*work)(BtContext *ctx, NnHdet *h)) {
  const double begin = bt_clock();
  const BtStatus st = work(ctx, h);
  h->seconds.fan_out += bt_clock() - begin;
  return st;
}

static BtStatus save_replica(BtContext *ctx, NnHdet *h) {
  return nn_hdet_save_state(ctx, h, nn_hdet_slot(h, h->turn));
}

/* The replica in the graph has done its block. */
static BtStatus end_replica(BtContext *ctx, NnHdet *h) {
  BtStatus st = BT_OK;
  double *vote = &h->vote[h->turn];
  *vote = h->loss[h->turn] /= (double)h->length;
  const int judged = h->o.judge && (h->o.voters == NN_HDET_REPLICAS || nn_hdet_copies(h));
  if (judged && !h->failed[h->turn]) st = nn_hdet_judge(ctx, h, vote);
  if (!isfinite(*vote)) h->failed[h->turn] = 1;
  return st < 0 ? st : fan_out(ctx, h, save_replica);
}

static BtStatus end_block(BtContext *ctx, NnHdet *h) {
  const double begin = bt_clock(), votes = h->seconds.votes;
  const BtStatus st = nn_hdet_converge(ctx, h);
  h->seconds.converge += bt_clock() - begin - (h->seconds.votes - votes);
  return st == BT_OK ? fan_out(ctx, h, nn_hdet_start_block) : st;
}

static int wants_stop(const BtContext *ctx, const NnHdet *h) { return h->asked || bt_stop_requested(ctx); }

static BtStatus step_local(BtContext *ctx, NnHdet *h) {
  if (wants_stop(ctx, h)) return nn_hdet_converge_stopped(ctx, h);
  BtStatus st = h->failed[h->turn] ? BT_OK : advance(ctx, h);
  h->local++;
  /* A failed replica's further steps would be in vain. */
  if (st < 0 || (h->local < h->length && !h->failed[h->turn])) return st;
  st = end_replica(ctx, h);
  if (st < 0) return st;
  if (++h->turn == h->owned) return end_block(ctx, h);
  h->local = 0;
  return fan_out(ctx, h, nn_hdet_start_replica);
}

/* With one replica a rank its state stays in the graph. */
static BtStatus enter(BtContext *ctx, NnHdet *h, int parts) {
  return h->owned == 1 ? BT_OK : nn_hdet_load_parts(ctx, h, nn_hdet_slot(h, h->turn), 0, parts);
}

static BtStatus leave(BtContext *ctx, NnHdet *h, int first, int parts) {
  return h->owned == 1 ? BT_OK : nn_hdet_save_parts(ctx, h, nn_hdet_slot(h, h->turn), first, parts);
}

static BtStatus sum_gradients(BtContext *ctx, NnHdet *h) {
  const BtTeamItems items = {(size_t)h->o.replicas, h->gradient_count + 2, h->gradients,
                             sizeof(NnReal) == sizeof(float)};
  const BtStatus st = h->team->sum_items(h->team, ctx, &items, h->total);
  if (st < 0)
    h->others = st;
  else
    h->gradient_collectives++;
  return st;
}

/* Each replica's step along the average of all gradients. */
static BtStatus apply_gradients(BtContext *ctx, NnHdet *h) {
  const size_t g = h->gradient_count;
  BtStatus st = sum_gradients(ctx, h);
  if (st < 0) return st;
  if (h->total[g + 1] > 0) return nn_hdet_give_up(ctx, h);
  const double valid = h->total[g];
  for (size_t i = 0; i < g; i++) h->gradients[i] = valid > 0 ? (NnReal)(h->total[i] / valid) : 0;
  for (h->turn = 0; h->turn < h->owned && valid > 0 && st >= 0; h->turn++) {
    if (h->failed[h->turn]) continue;
    nn_optimizer_set_steps(h->optimizer, h->optimizer_start + h->local);
    BT_TRY(enter(ctx, h, h->parts));
    BT_TRY(h->backend->upload(ctx, h->backend, h->gradient, h->gradients, g * sizeof *h->gradients));
    BT_TRY(nn_hdet_tune(ctx, h));
    BT_TRY(advance(ctx, h));
    BT_TRY(leave(ctx, h, 0, h->parts));
  }
done:
  h->local = valid > 0 ? h->local + 1 : h->length; /* without any replica left the block is over */
  h->turn = 0;
  return st;
}

static BtStatus keep_gradient(BtContext *ctx, NnHdet *h) {
  const size_t g = h->gradient_count;
  NnReal *to = h->gradients + h->turn * (g + 2);
  const BtStatus st = h->backend->download(ctx, h->backend, to, h->gradient, g * sizeof *to);
  if (st < 0) return st;
  if (!nn_hdet_finite(to, g)) h->failed[h->turn] = 1;
  if (h->failed[h->turn])
    for (size_t i = 0; i < g; i++) to[i] = (NnReal)-0.0; /* nothing to the sum */
  to[g] = h->failed[h->turn] ? 0 : 1;
  to[g + 1] = wants_stop(ctx, h) ? 1 : 0;
  return leave(ctx, h, 1, h->trained - 1);
}

static BtStatus step_shared(BtContext *ctx, NnHdet *h) {
  BtStatus st = BT_OK;
  BT_TRY(keep_gradient(ctx, h));
  if (++h->turn < h->owned) return enter(ctx, h, h->trained);
  st = apply_gradients(ctx, h);
  if (st != BT_OK) return st;
  if (h->local < h->length) return enter(ctx, h, h->trained);
  for (h->turn = 0; h->turn < h->owned; h->turn++) {
    BT_TRY(enter(ctx, h, h->parts));
    BT_TRY(end_replica(ctx, h));
  }
  return end_block(ctx, h);
done:
  return st;
}

BtStatus nn_hdet_step(BtContext *ctx, NnHdet *h, double loss) {
  if (nn_hdet_done(h))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: all %lld steps are done", (long long)h->o.total);
  h->loss[h->turn] += loss;
  if (!isfinite(loss)) h->failed[h->turn] = 1;
  return h->o.gradients == NN_HDET_SHARED ? step_shared(ctx, h) : step_local(ctx, h);
}

/* With shared gradients the others wait for these, but at the end of a block. */
BtStatus nn_hdet_leave(BtContext *ctx, NnHdet *h) {
  const size_t g = h->gradient_count;
  if (h->others != BT_OK || h->team->size == 1 || nn_hdet_done(h)) return h->others;
  BtStatus st;
  if (h->o.gradients == NN_HDET_SHARED && h->local < h->length) {
    for (size_t i = 0; i < h->owned * (g + 2); i++) h->gradients[i] = (NnReal)-0.0;
    h->gradients[g + 1] = 1;
    st = sum_gradients(ctx, h);
  } else {
    st = nn_hdet_tell_stop(ctx, h);
  }
  return h->others = st < 0 ? st : BT_STOPPED;
}

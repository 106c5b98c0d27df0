#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "nn/hdet/hdet_internal.h"

NnReal *nn_hdet_slot(const NnHdet *h, size_t turn) { return h->slots + turn * h->slot; }

BtStatus nn_hdet_load_parts(BtContext *ctx, NnHdet *h, const NnReal *from, int first, int count) {
  BtStatus st = BT_OK;
  for (int i = 0; i < first + count && st >= 0; from += h->part[i++].count)
    if (i >= first)
      st = h->backend->upload(ctx, h->backend, h->part[i].values, from, h->part[i].count * sizeof *from);
  return st;
}

BtStatus nn_hdet_save_parts(BtContext *ctx, NnHdet *h, NnReal *to, int first, int count) {
  BtStatus st = BT_OK;
  for (int i = 0; i < first + count && st >= 0; to += h->part[i++].count)
    if (i >= first)
      st = h->backend->download(ctx, h->backend, to, h->part[i].values, h->part[i].count * sizeof *to);
  return st;
}

BtStatus nn_hdet_load_state(BtContext *ctx, NnHdet *h, const NnReal *from) {
  return nn_hdet_load_parts(ctx, h, from, 0, h->parts);
}

BtStatus nn_hdet_save_state(BtContext *ctx, NnHdet *h, NnReal *to) {
  return nn_hdet_save_parts(ctx, h, to, 0, h->parts);
}

/* After a trial the schedule begins anew, over the steps that are left. */
static int64_t scheduled_step(const NnHdet *h, int64_t step) {
  if (h->o.search.trials == 0 || h->settled == h->o.total) return step;
  const double left = (double)(h->o.total - h->settled);
  return (int64_t)((double)(step - h->settled) * (double)h->o.total / left);
}

double nn_hdet_base_at(const NnHdet *h, int hyper, int64_t step) {
  const NnHdetHyper *p = &h->o.hyper[hyper];
  const int log_space = p->space.spread == NN_SPREAD_LOG;
  if (hyper == h->rate && h->settled) {
    const double shape = nn_schedule_rate(&h->o.schedule, scheduled_step(h, step)) / h->o.schedule.rate;
    return log_space ? h->base[hyper] + log(shape) : h->base[hyper] * shape;
  }
  if (p->role != NN_HDET_RATE || h->searches > 0 || (h->steering && p->steered)) return h->base[hyper];
  return nn_spread_base(p->space, h->damping * nn_schedule_rate(&h->o.schedule, step));
}

double nn_hdet_multiplier_of(const NnHdet *h, int hyper, int replica) {
  const int place = h->place[hyper * h->o.replicas + replica];
  double spread = h->o.hyper[hyper].spread;
  if (h->searches > 0) spread = hyper == h->rate ? h->o.search.spread : 0;
  if (h->settled && hyper == h->rate) spread = 0;
  return nn_hdet_multiplier(place, h->o.replicas, spread);
}

double nn_hdet_value_at(const NnHdet *h, int hyper, int replica, int64_t step) {
  return nn_spread_value(h->o.hyper[hyper].space, nn_hdet_base_at(h, hyper, step),
                         nn_hdet_multiplier_of(h, hyper, replica));
}

BtStatus nn_hdet_tune(BtContext *ctx, NnHdet *h) {
  const int replica = nn_hdet_replica(h);
  if (h->decay < 0 && h->momentum < 0) return BT_OK;
  if (h->decay >= 0) h->tuned.decay = nn_hdet_value_at(h, h->decay, replica, h->start);
  if (h->momentum >= 0) {
    const int adam = h->tuned.kind == NN_ADAM || h->tuned.kind == NN_ADAMW;
    *(adam ? &h->tuned.beta1 : &h->tuned.momentum) = nn_hdet_value_at(h, h->momentum, replica, h->start);
  }
  return nn_optimizer_change(ctx, h->optimizer, &h->tuned);
}

/* θ + N(0, ν²‖θ‖²/d) in one tensor of d numbers. */
static BtStatus disturb(BtContext *ctx, NnHdet *h, NnId node) {
  const size_t d = nn_shape_size(nn_graph_shape(h->graph, node));
  const uint64_t stream = (uint64_t)nn_hdet_replica(h) << 32 | (uint64_t)node;
  double square = 0;
  NnReal *x = malloc(d * sizeof *x);
  if (!x) return bt_fail_memory(ctx, "noise", (double)(d * sizeof *x));
  BtStatus st = nn_graph_get(ctx, h->graph, node, x, d);
  for (size_t i = 0; i < d; i++) square += (double)x[i] * (double)x[i];
  const double deviation = h->o.noise * sqrt(square / (double)d);
  for (size_t i = 0; i < d; i++) x[i] += (NnReal)(deviation * bt_rng_normal(~h->o.seed, stream, i));
  if (st >= 0) st = nn_graph_set(ctx, h->graph, node, x, d);
  free(x);
  return st;
}

BtStatus nn_hdet_start_replica(BtContext *ctx, NnHdet *h) {
  BtStatus st = nn_hdet_load_state(ctx, h, h->anchor);
  nn_optimizer_set_steps(h->optimizer, h->optimizer_start);
  for (NnId i = 0; i < nn_graph_nodes(h->graph) && h->start == 0 && h->o.noise > 0 && st >= 0; i++)
    if (nn_graph_group(h->graph, i) == NN_GENERAL) st = disturb(ctx, h, i);
  return st < 0 ? st : nn_hdet_tune(ctx, h);
}

BtStatus nn_hdet_start_block(BtContext *ctx, NnHdet *h) {
  BtStatus st = BT_OK;
  const int n = h->o.replicas;
  h->length = h->o.total - h->start < h->o.sync ? h->o.total - h->start : h->o.sync;
  h->local = 0;
  h->turn = 0;
  h->optimizer_start = nn_optimizer_steps(h->optimizer);
  nn_hdet_mix_start(h);
  for (int i = 0; i < h->o.hypers; i++) nn_hdet_places(h->o.seed, h->syncs, i, n, h->place + i * n);
  for (size_t i = 0; i < h->owned; i++) h->loss[i] = h->failed[i] = 0;
  if (h->length == 0 || h->o.gradients == NN_HDET_LOCAL || h->owned == 1)
    return nn_hdet_start_replica(ctx, h);
  /* All take each step together, so all start. */
  for (h->turn = h->owned; h->turn-- > 0 && st >= 0;) {
    st = nn_hdet_start_replica(ctx, h);
    if (st >= 0) st = nn_hdet_save_state(ctx, h, nn_hdet_slot(h, h->turn));
  }
  h->turn = 0;
  return st;
}

/* The ensemble between two blocks. */
#include <stdio.h>

#include "nn/hdet/hdet_internal.h"

enum {
  REPLICAS,
  TOTAL,
  SYNC,
  SEED_LOW,
  SEED_HIGH,
  HYPERS,
  START,
  SYNCS,
  STEERING,
  RETREATS,
  SEARCHES,
  SETTLED,
  TRIALS,
  FINDS,
  VOTES,
  TOLD,
  AVERAGES,
  FAILURES,
  DROPPED,
  COUNTS
};
#define FIXED (HYPERS + 1) /* those that must be the same   */
#define FOUND 10           /* after γ, damping and what votes have told */
#define BASES (FOUND + NN_HDET_MAX_TRIALS)
#define VELOCITIES (BASES + NN_HDET_MAX_HYPERS)
#define VALUES (VELOCITIES + NN_HDET_MAX_HYPERS)

static void counts_of(const NnHdet *h, int64_t count[COUNTS]) {
  count[REPLICAS] = h->o.replicas;
  count[TOTAL] = h->o.total;
  count[SYNC] = h->o.sync;
  count[SEED_LOW] = (int64_t)(h->o.seed & 0xffffffffu);
  count[SEED_HIGH] = (int64_t)(h->o.seed >> 32);
  count[HYPERS] = h->o.hypers;
  count[START] = h->start;
  count[SYNCS] = h->syncs;
  count[STEERING] = h->steering;
  count[RETREATS] = h->retreats;
  count[SEARCHES] = h->searches;
  count[SETTLED] = h->settled;
  count[TRIALS] = h->trials;
  count[FINDS] = h->finds;
  count[VOTES] = h->votes;
  count[TOLD] = h->told.count;
  count[AVERAGES] = h->averages;
  count[FAILURES] = h->failures;
  count[DROPPED] = h->dropped;
}

int nn_hdet_converged(const NnHdet *h) {
  return h->turn == 0 && h->local == 0 && !(h->start == 0 && h->o.noise > 0);
}

BtStatus nn_hdet_declare(BtContext *ctx, const NnHdet *h, BtTensorWriter *writer, const char *prefix) {
  const size_t counts = COUNTS, values = VALUES;
  char name[256];
  if (!nn_hdet_converged(h))
    return bt_fail(ctx, BT_ERR_ARG, "hdet: an ensemble can be saved right after its replicas have converged");
  snprintf(name, sizeof name, "%scounts", prefix);
  const BtStatus st = bt_tensors_declare(ctx, writer, name, BT_TENSOR_I64, 1, &counts);
  if (st < 0) return st;
  snprintf(name, sizeof name, "%svalues", prefix);
  return bt_tensors_declare(ctx, writer, name, BT_TENSOR_F64, 1, &values);
}

BtStatus nn_hdet_append(BtContext *ctx, const NnHdet *h, BtTensorWriter *writer) {
  int64_t count[COUNTS];
  const NnHdetVotes *told = &h->told;
  double value[VALUES] = {h->gamma, h->damping, h->rates, h->lifts,     told->u,
                          told->uu, told->d,    told->ud, told->lowest, told->highest};
  counts_of(h, count);
  for (int i = 0; i < h->finds; i++) value[FOUND + i] = h->found[i];
  for (int i = 0; i < h->o.hypers; i++) {
    value[BASES + i] = h->base[i];
    value[VELOCITIES + i] = h->velocity[i];
  }
  const BtStatus st = bt_tensors_append(ctx, writer, count, COUNTS);
  return st < 0 ? st : bt_tensors_append(ctx, writer, value, VALUES);
}

/* What the run that resumes must have in common with the one that wrote the checkpoint. */
static BtStatus check_fixed(BtContext *ctx, const NnHdet *h, const BtTensorReader *reader, const char *name,
                            const int64_t *count) {
  static const char *const what[FIXED] = {
      "replicas", "steps of each replica", "steps between syncs", "the seed", "the seed", "hyperparameters"};
  int64_t mine[COUNTS];
  char text[256];
  counts_of(h, mine);
  for (int i = 0; i < FIXED; i++) {
    if (count[i] == mine[i]) continue;
    snprintf(text, sizeof text, "is of another ensemble: %s: %lld there, but this run has %lld; %s", what[i],
             (long long)count[i], (long long)mine[i],
             i == TOTAL ? "resume on the same data, with the same epochs and work (leave --epochs and "
                          "--max-work out)"
                        : "resume with the same");
    return bt_tensors_fail(ctx, reader, name, text);
  }
  return BT_OK;
}

static BtStatus check_counts(BtContext *ctx, const NnHdet *h, const BtTensorReader *reader, const char *name,
                             const int64_t *count) {
  /* Between the first step and the last there are whole blocks only. */
  const int64_t start = count[START];
  const int good = start >= 0 && start <= h->o.total && (start % h->o.sync == 0 || start == h->o.total) &&
                   count[SYNCS] == (start + h->o.sync - 1) / h->o.sync && count[RETREATS] >= 0 &&
                   count[RETREATS] < NN_HDET_RETREATS && count[SEARCHES] >= 0 &&
                   count[SEARCHES] <= h->o.search.blocks && count[TRIALS] >= 0 && count[FINDS] >= 0 &&
                   count[TRIALS] <= NN_HDET_MAX_TRIALS && count[FINDS] <= count[TRIALS] &&
                   count[VOTES] >= 0 && count[TOLD] >= 0 && count[TOLD] <= count[VOTES] &&
                   count[SETTLED] >= 0 && count[SETTLED] <= start && count[AVERAGES] >= 0 &&
                   count[AVERAGES] <= count[SYNCS] && count[FAILURES] >= 0 &&
                   count[FAILURES] <= count[SYNCS] && count[DROPPED] >= 0;
  return good ? BT_OK : bt_tensors_fail(ctx, reader, name, "is not a state of an ensemble");
}

BtStatus nn_hdet_load(BtContext *ctx, NnHdet *h, BtTensorReader *reader, const char *prefix) {
  int64_t count[COUNTS];
  double value[VALUES];
  char name[256];
  snprintf(name, sizeof name, "%svalues", prefix);
  BtStatus st = bt_tensors_read_finite(ctx, reader, name, BT_TENSOR_F64, VALUES, value);
  if (st < 0) return st;
  snprintf(name, sizeof name, "%scounts", prefix);
  BT_TRY(bt_tensors_read(ctx, reader, name, BT_TENSOR_I64, COUNTS, count));
  BT_TRY(check_fixed(ctx, h, reader, name, count));
  BT_TRY(check_counts(ctx, h, reader, name, count));
  h->start = count[START];
  h->syncs = count[SYNCS];
  h->steering = count[STEERING] != 0;
  h->retreats = (int)count[RETREATS];
  h->gamma = value[0];
  h->damping = value[1];
  h->trials = (int)count[TRIALS];
  h->finds = count[FINDS];
  for (int i = 0; i < h->finds; i++) h->found[i] = value[FOUND + i];
  h->rates = value[2];
  h->lifts = value[3];
  h->told = (NnHdetVotes){count[TOLD], value[4], value[5], value[6], value[7], value[8], value[9]};
  h->searches = (int)count[SEARCHES];
  h->settled = count[SETTLED];
  h->votes = count[VOTES];
  h->averages = count[AVERAGES];
  h->failures = count[FAILURES];
  h->dropped = count[DROPPED];
  for (int i = 0; i < h->o.hypers; i++) {
    h->base[i] = value[BASES + i];
    h->velocity[i] = value[VELOCITIES + i];
  }
  BT_TRY(nn_hdet_save_state(ctx, h, h->anchor));
  st = nn_hdet_start_block(ctx, h);
done:
  return st;
}

/* A ring of batches: the one handed out, and one for each thread. */
#include "nn/loader.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/rng.h"
#include "nn/data/data_internal.h"

typedef enum { FREE, WANTED, FILLING, READY } SlotState;

typedef struct {
  SlotState state;
  uint64_t epoch;
  size_t index;
  NnReal *x, *label; /* [batch × shape] */
} Slot;

struct NnLoader {
  const NnData *data;
  NnLoaderOptions options;
  size_t batches, x_size, label_size;
  Slot *slots; /* [threads + 1] */
  int slot_count;
  pthread_t *threads;
  int started;
  pthread_mutex_t lock;
  pthread_cond_t work, done; /* a slot is WANTED or the end has come; a slot is READY */
  int closing;
};

/* Place i of a permutation of 0 … n − 1 chosen by (seed, stream, epoch): a Feistel network with Philox as its
 * round function permutes the numbers of 2·half bits, and is applied until one below n comes out (Black,
 * Rogaway 2002). No order has to be kept, and any place can be asked for alone. */
static size_t permuted(uint64_t seed, uint32_t stream, uint64_t epoch, size_t n, size_t i) {
  enum { ROUNDS = 8 };
  int half = 1;
  while (half < 32 && (uint64_t)n > (uint64_t)1 << 2 * half) half++;
  const uint64_t mask = ((uint64_t)1 << half) - 1;
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint64_t x = i;
  do {
    for (uint32_t round = 0; round < ROUNDS; round++) {
      const uint64_t left = x >> half, right = x & mask;
      const uint32_t counter[4] = {(uint32_t)right, stream << 8 | round, (uint32_t)epoch,
                                   (uint32_t)(epoch >> 32)};
      uint32_t out[4];
      bt_philox(counter, key, out);
      x = right << half | (left ^ (out[0] & mask));
    }
  } while (x >= n);
  return (size_t)x;
}

static size_t stream_length(const NnDataInfo *info, const NnLoaderOptions *o) {
  return info->rows[o->split] / o->batch;
}

static size_t rows_of(const NnLoader *l, size_t index) {
  const size_t rows = l->data->info.rows[l->options.split], batch = l->options.batch;
  if (l->data->info.text || (index + 1) * batch <= rows) return batch;
  return rows - index * batch;
}

static void form(const NnLoader *l, const Slot *s) {
  const NnLoaderOptions *o = &l->options;
  const NnDataInfo *info = &l->data->info;
  const size_t rows = rows_of(l, s->index);
  NnExample e = {.split = o->split, .index = s->index, .batch = o->batch, .seed = o->seed};
  if (o->shuffle) e.epoch = s->epoch + 1;
  for (size_t r = 0; r < rows; r++) {
    e.row = info->text ? r : s->index * o->batch + r;
    if (o->shuffle && !info->text)
      e.row = permuted(o->seed, (uint32_t)o->split, s->epoch, info->rows[o->split], e.row);
    l->data->ops->example(l->data, &e, s->x + r * l->x_size, s->label + r * l->label_size);
  }
}

/* Called with the lock, which is given back while the batch is formed. */
static void form_unlocked(NnLoader *l, Slot *s) {
  s->state = FILLING;
  pthread_mutex_unlock(&l->lock);
  form(l, s);
  pthread_mutex_lock(&l->lock);
  s->state = READY;
  pthread_cond_broadcast(&l->done);
}

static Slot *next_wanted(NnLoader *l) {
  Slot *next = NULL;
  for (Slot *s = l->slots; s < l->slots + l->slot_count; s++)
    if (s->state == WANTED &&
        (!next || s->epoch < next->epoch || (s->epoch == next->epoch && s->index < next->index)))
      next = s;
  return next;
}

static void *prefetch(void *argument) {
  NnLoader *l = argument;
  pthread_mutex_lock(&l->lock);
  while (!l->closing) {
    Slot *s = next_wanted(l);
    if (s)
      form_unlocked(l, s);
    else
      pthread_cond_wait(&l->work, &l->lock);
  }
  pthread_mutex_unlock(&l->lock);
  return NULL;
}

BtStatus nn_loader_count(BtContext *ctx, const NnDataInfo *info, const NnLoaderOptions *o, size_t *batches) {
  const size_t rows = info->rows[o->split], batch = o->batch;
  const char *split = nn_split_name(o->split);
  *batches = 0;
  if (rows == 0) return bt_fail(ctx, BT_ERR_ARG, "loader: the data have no split \"%s\"", split);
  size_t places = rows, each = batch;
  if (info->text) {
    places = stream_length(info, o);
    places -= places > 0; /* the last token is a label alone */
    each = nn_shape_size(info->x);
  }
  *batches = o->shuffle ? places / each : (places + each - 1) / each;
  if (*batches > 0) return BT_OK;
  if (info->text)
    return bt_fail(ctx, BT_ERR_ARG, "loader: %zu tokens of split \"%s\" are too few for %zu streams of %zu",
                   rows, split, batch, o->shuffle ? each + 1 : 2);
  return bt_fail(ctx, BT_ERR_ARG, "loader: split \"%s\" has %zu rows, fewer than a batch of %zu", split, rows,
                 batch);
}

static BtStatus start(BtContext *ctx, NnLoader *l) {
  if (pthread_mutex_init(&l->lock, NULL) != 0) goto failed;
  if (pthread_cond_init(&l->work, NULL) != 0) goto mutex;
  if (pthread_cond_init(&l->done, NULL) != 0) goto work;
  l->started = 0;
  for (int i = 0; i < l->options.threads; i++, l->started++)
    if (pthread_create(&l->threads[i], NULL, prefetch, l) != 0)
      return bt_fail(ctx, BT_ERR_LIBRARY, "loader: thread %d could not be started", i + 1);
  return BT_OK;
work:
  pthread_cond_destroy(&l->work);
mutex:
  pthread_mutex_destroy(&l->lock);
failed:
  return bt_fail(ctx, BT_ERR_LIBRARY, "loader: no lock could be made");
}

BtStatus nn_loader_create(BtContext *ctx, const NnData *data, const NnLoaderOptions *options,
                          NnLoader **loader) {
  BtStatus st = BT_OK;
  *loader = NULL;
  if (options->batch < 1 || options->threads < 0 || options->threads > 64 || options->split >= NN_SPLITS)
    return bt_fail(ctx, BT_ERR_ARG, "loader: batch must be at least 1, threads 0 to 64");
  NnLoader *l = calloc(1, sizeof *l);
  if (!l) return bt_fail_memory(ctx, "loader", sizeof *l);
  l->data = data;
  l->options = *options;
  l->started = -1;
  BT_TRY(nn_loader_count(ctx, &data->info, options, &l->batches));
  l->x_size = nn_shape_size(data->info.x);
  l->label_size = nn_shape_size(data->info.label);
  l->slots = calloc((size_t)options->threads + 1, sizeof *l->slots);
  l->threads = calloc((size_t)options->threads + 1, sizeof *l->threads);
  if (!l->slots || !l->threads) BT_TRY(bt_fail_memory(ctx, "loader", sizeof *l->slots));
  for (; l->slot_count <= options->threads; l->slot_count++) {
    Slot *s = &l->slots[l->slot_count];
    s->x = calloc(options->batch * l->x_size, sizeof *s->x);
    s->label = calloc(options->batch * l->label_size, sizeof *s->label);
    if (!s->x || !s->label) {
      free(s->x);
      free(s->label);
      BT_TRY(bt_fail_memory(ctx, "batch",
                            (double)options->batch * (double)(l->x_size + l->label_size) * sizeof(NnReal)));
    }
  }
  BT_TRY(start(ctx, l));
  *loader = l;
  return BT_OK;
done:
  nn_loader_destroy(l);
  return st;
}

void nn_loader_destroy(NnLoader *l) {
  if (!l) return;
  if (l->started >= 0) {
    pthread_mutex_lock(&l->lock);
    l->closing = 1;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->started; i++) pthread_join(l->threads[i], NULL);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->done);
    pthread_mutex_destroy(&l->lock);
  }
  for (int i = 0; i < l->slot_count; i++) {
    free(l->slots[i].x);
    free(l->slots[i].label);
  }
  free(l->slots);
  free(l->threads);
  free(l);
}

size_t nn_loader_batches(const NnLoader *l) { return l->batches; }

static Slot *find(NnLoader *l, uint64_t epoch, size_t index) {
  for (Slot *s = l->slots; s < l->slots + l->slot_count; s++)
    if (s->state != FREE && s->epoch == epoch && s->index == index) return s;
  return NULL;
}

/* A slot that no thread is writing and that does not hold one of the `count` batches from (epoch, index) on;
 * there is one whenever those are at most as many as the slots and one of them has none. */
static Slot *unused(NnLoader *l, uint64_t epoch, size_t index, size_t count) {
  for (Slot *s = l->slots; s < l->slots + l->slot_count; s++) {
    const uint64_t epochs = s->epoch - epoch; /* wraps to a large number for those before */
    const int ahead = s->state != FREE && epochs < 2 + count / l->batches &&
                      epochs * l->batches + s->index >= index &&
                      epochs * l->batches + s->index - index < count;
    if (s->state != FILLING && !ahead) return s;
  }
  return NULL;
}

BtStatus nn_loader_get(BtContext *ctx, NnLoader *l, uint64_t epoch, size_t index, NnBatch *batch) {
  if (index >= l->batches)
    return bt_fail(ctx, BT_ERR_ARG, "loader: no batch %zu; an epoch has %zu", index, l->batches);
  const size_t count = (size_t)l->slot_count;
  pthread_mutex_lock(&l->lock);
  Slot *s = find(l, epoch, index);
  if (!s) {
    /* Threads that are still busy with batches of another place may hold all slots but the one handed out. */
    while (!(s = unused(l, epoch, index, count))) pthread_cond_wait(&l->done, &l->lock);
    s->epoch = epoch, s->index = index, s->state = WANTED;
  }
  if (s->state == WANTED) form_unlocked(l, s);
  while (s->state != READY) pthread_cond_wait(&l->done, &l->lock);
  for (size_t k = 1; k < count; k++) {
    const uint64_t e = epoch + (index + k) / l->batches;
    const size_t i = (index + k) % l->batches;
    Slot *next = find(l, e, i);
    if (!next && (next = unused(l, epoch, index, count)))
      next->epoch = e, next->index = i, next->state = WANTED;
  }
  pthread_cond_broadcast(&l->work);
  pthread_mutex_unlock(&l->lock);

  const NnDataInfo *info = &l->data->info;
  const size_t length = info->text ? nn_shape_size(info->x) : 1;
  size_t steps = length;
  if (info->text) {
    const size_t left = stream_length(&l->data->info, &l->options) - 1 - index * length;
    if (left < steps) steps = left;
  }
  *batch = (NnBatch){.rows = rows_of(l, index),
                     .steps = steps,
                     .carried = info->text && index > 0,
                     .x = s->x,
                     .label = s->label};
  return BT_OK;
}

#include "nn/recorder.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES = 8 }; /* kinds of steps, and sizes of batches, of a training */

typedef struct {
  NnStepKey key;
  NnRecording *recording; /* NULL: it has been run once */
} Entry;

struct NnRecorder {
  NnBackend *backend;
  int off; /* recording has failed */
  Entry entry[ENTRIES];
  size_t entries;
  int64_t replays;
};

BtStatus nn_recorder_create(BtContext *ctx, NnBackend *backend, NnRecorder **recorder) {
  NnRecorder *r = *recorder = calloc(1, sizeof *r);
  if (!r) return bt_fail_memory(ctx, "recorder", sizeof *r);
  r->backend = backend;
  r->off = !backend->record;
  return BT_OK;
}

void nn_recorder_destroy(NnRecorder *r) {
  if (!r) return;
  for (size_t i = 0; i < r->entries; i++)
    if (r->entry[i].recording) r->backend->forget(r->backend, r->entry[i].recording);
  free(r);
}

static Entry *find(NnRecorder *r, const NnStepKey *k) {
  for (size_t i = 0; i < r->entries; i++) {
    const NnStepKey *e = &r->entry[i].key;
    if (e->kind == k->kind && e->rows == k->rows && e->memory == k->memory && e->version == k->version)
      return &r->entry[i];
  }
  return NULL;
}

/* NULL and the cause in ctx where it fails. */
static NnRecording *record(BtContext *ctx, NnRecorder *r, NnStep *step, void *user) {
  NnRecording *recording = NULL;
  BtStatus st = r->backend->record(ctx, r->backend);
  if (st < 0) return NULL;
  const BtStatus run = step(ctx, user);
  char cause[BT_ERROR_TEXT];
  snprintf(cause, sizeof cause, "%s", run < 0 ? ctx->error : "");
  st = r->backend->recorded(ctx, r->backend, &recording);
  if (run >= 0) return st < 0 ? NULL : recording;
  if (recording) r->backend->forget(r->backend, recording);
  (void)bt_fail(ctx, run, "%s", cause);
  return NULL;
}

BtStatus nn_recorder_run(BtContext *ctx, NnRecorder *r, NnStepKey key, NnStep *step, void *user,
                         int *replayed) {
  Entry *e = r->off ? NULL : find(r, &key);
  if (replayed) *replayed = 0;
  if (e && !e->recording && !(e->recording = record(ctx, r, step, user))) {
    r->off = 1;
    bt_warn(ctx, "%s; steps are started kernel by kernel", ctx->error);
    e = NULL;
  }
  if (!e) {
    if (!r->off && r->entries < ENTRIES) r->entry[r->entries++] = (Entry){.key = key};
    return step(ctx, user);
  }
  r->replays++;
  if (replayed) *replayed = 1;
  return r->backend->replay(ctx, r->backend, e->recording);
}

int64_t nn_recorder_replays(const NnRecorder *r) { return r->replays; }

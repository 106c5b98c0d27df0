/* nn/recorder.h: steps that are the same kernels over and over: recorded once, then started as one.
 *
 * A backend that can record (nn/backend.h) keeps the kernels of a step with their arguments. What changes
 * from step to step must therefore lie in memory of the backend, at the same place, written before the step
 * is run. A step is run as it is when it comes for the first time, since libraries then set themselves up;
 * the second time it is recorded, and from then on replayed. Where it cannot be recorded, or the backend does
 * not record, it is run as it is every time: the results are the same bits. */
#ifndef BITUNE_NN_RECORDER_H
#define BITUNE_NN_RECORDER_H

#include "nn/backend.h"

typedef struct NnRecorder NnRecorder;

/* The backend is borrowed. BT_ERR_MEMORY. */
BtStatus nn_recorder_create(BtContext *ctx, NnBackend *backend, NnRecorder **recorder);
/* NULL is allowed. */
void nn_recorder_destroy(NnRecorder *recorder);

/* What makes a step another one: all that its kernels' arguments depend on. */
typedef struct {
  int kind;
  size_t rows;
  const void *memory;
  int64_t version;
} NnStepKey;

/* Runs a step. It may be called twice if the recording fails, which is warned of once: it must change nothing
 * but what lies on the backend. *replayed (may be NULL): the step was not called. */
typedef BtStatus NnStep(BtContext *ctx, void *user);
BtStatus nn_recorder_run(BtContext *ctx, NnRecorder *recorder, NnStepKey key, NnStep *step, void *user,
                         int *replayed);

/* Steps that were replayed so far. */
int64_t nn_recorder_replays(const NnRecorder *recorder);

#endif

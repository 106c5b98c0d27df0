/* nn/backend.h: where networks are computed: a table of kernels and the memory that they work on.
 *
 * Chosen when the program runs: "cpu", or "cuda" and "cuda:1" where that is built in. A backend belongs to
 * one thread. Graphs allocate their memory once, when they are closed; no step allocates. Kernels are started
 * in order and may run later: only download and finish wait for them. */
#ifndef BITUNE_NN_BACKEND_H
#define BITUNE_NN_BACKEND_H

#include "core/context.h"
#include "nn/kernels.h"

/* Kernels that were recorded. */
typedef struct NnRecording NnRecording;

struct NnBackend {
  const NnKernels *kernels;
  char name[32]; /* "cpu", "cuda:0", "cuda:0,tf32,graph"       */
  int threads;   /* of the CPU backend; 1 elsewhere            */

  /* Zeroed memory, aligned to 256 bytes. BT_ERR_MEMORY tells how much was needed. */
  BtStatus (*allocate)(BtContext *ctx, NnBackend *b, size_t bytes, void **memory);
  void (*release)(NnBackend *b, void *memory);
  BtStatus (*upload)(BtContext *ctx, NnBackend *b, void *device, const void *host, size_t bytes);
  /* Waits for what was started before it. */
  BtStatus (*download)(BtContext *ctx, NnBackend *b, void *host, const void *device, size_t bytes);
  /* Reports the first error that is known of, of anything since the last report, without waiting. */
  BtStatus (*check)(BtContext *ctx, NnBackend *b);
  /* The same once all that was started is done. */
  BtStatus (*finish)(BtContext *ctx, NnBackend *b);

  /* NULL where nothing can, or is to, be recorded. Kernels that are started between record and recorded are
   * not run but kept, with their arguments; replay starts all of them at once, as often as wished. Nothing
   * else is allowed in between: uploads and what waits fail. After an error of `recorded` the backend is as
   * before.
   */
  BtStatus (*record)(BtContext *ctx, NnBackend *b);
  BtStatus (*recorded)(BtContext *ctx, NnBackend *b, NnRecording **recording);
  BtStatus (*replay)(BtContext *ctx, NnBackend *b, NnRecording *recording);
  void (*forget)(NnBackend *b, NnRecording *recording);

  void (*destroy)(NnBackend *b);
  void *data;
};

/* Opens "cpu", "cuda" or "cuda:K", K counted from 0, which may be followed by ",tf32", ",graph" or both.
 * tf32 lets products and convolutions round their factors to TF32, 10 bits of mantissa, which is faster:
 * losses then agree with the CPU's to about 1e-3. graph has the kernels of a training step started as one
 * (nn/recorder.h), which changes no bit. threads: of the CPU backend, 0 for all cores (or OMP_NUM_THREADS).
 * The CPU backend shares its products out over its own threads and therefore sets OpenBLAS to one thread for
 * the whole process. Errors: BT_ERR_ARG (no such name), BT_ERR_UNSUPPORTED (not built in, or no such device),
 * BT_ERR_MEMORY. */
BtStatus nn_backend_open(BtContext *ctx, const char *device, int threads, NnBackend **backend);

/* NULL is allowed. Graphs on it must be destroyed before. */
void nn_backend_close(NnBackend *backend);

#endif

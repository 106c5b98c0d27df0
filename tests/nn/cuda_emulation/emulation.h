/* tests/nn/cuda_emulation/emulation.h: what a test can ask of the emulated device. */
#ifndef BITUNE_EMULATION_H
#define BITUNE_EMULATION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  EMULATION_ASCENDING,
  EMULATION_DESCENDING,
  EMULATION_SHUFFLED,
  EMULATION_ORDERS
} EmulationOrder;

/* Of threads between barriers and of blocks, for the kernels that follow. */
void emulation_order(EmulationOrder order);

/* The next kernel reports an error. */
void emulation_fail(void);

/* The next capture fails at its end. */
void emulation_fail_capture(void);

/* Kernels, copies and products that were started one by one, graphs, and waits for all of them. */
typedef struct {
  size_t single, graphs, waits;
} EmulationCounts;
EmulationCounts emulation_counts(void);

#ifdef __cplusplus
}
#endif

#endif

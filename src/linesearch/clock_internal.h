/* linesearch/clock_internal.h: the clock of a run. */
#ifndef BITUNE_LINESEARCH_CLOCK_INTERNAL_H
#define BITUNE_LINESEARCH_CLOCK_INTERNAL_H

#include <time.h>

/* Monotonic, in seconds. */
static inline double bt_run_clock(void) {
  struct timespec t = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif

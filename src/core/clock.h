/* core/clock.h: the clock that runs are measured and limited by. */
#ifndef BITUNE_CORE_CLOCK_H
#define BITUNE_CORE_CLOCK_H

#include <time.h>

/* Monotonic, in seconds. */
static inline double bt_clock(void) {
  struct timespec t = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif

/* core/clock.h: the clock that runs are measured and limited by. */
#ifndef BITUNE_CORE_CLOCK_H
#define BITUNE_CORE_CLOCK_H

/* Monotonic, in seconds. */
double bt_clock(void);

#endif

/* Monotonic time. Local. */
#ifndef ANN_BASE_CLOCK_H
#define ANN_BASE_CLOCK_H

#include <stdint.h>

int64_t ann_clock_ns(void);
void ann_sleep_ns(int64_t duration_ns);

#endif

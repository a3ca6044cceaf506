#include "base/clock.h"

#include <errno.h>
#include <time.h>

int64_t ann_clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void ann_sleep_ns(int64_t duration_ns) {
    if (duration_ns <= 0) return;
    struct timespec t = {.tv_sec = (time_t)(duration_ns / 1000000000),
                         .tv_nsec = (long)(duration_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {
    }
}

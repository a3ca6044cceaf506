/* How many requests a connection may make: a bucket of tokens for each, in a table of bounded size. One
 * thread. */
#ifndef ANN_COORD_RATE_H
#define ANN_COORD_RATE_H

#include <stdbool.h>
#include <stdint.h>

enum { ANNI_RATE_BUCKETS = 4096, ANNI_RATE_PER_S = 20000 };

typedef struct anni_rate {
    struct {
        uint64_t who;
        double tokens;
        int64_t then_ns;
    } buckets[ANNI_RATE_BUCKETS];
} anni_rate;

/* May `who` make one more request now? Those whose hashes share a bucket take it over from one another, full.
 */
bool anni_rate_take(anni_rate *rate, const char *who);

#endif

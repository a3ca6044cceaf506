#include "coord/rate.h"

#include "base/clock.h"
#include "base/hash.h"

bool anni_rate_take(anni_rate *rate, const char *who) {
    const uint64_t hash = ann_hash_str(who);
    const uint64_t i = hash % ANNI_RATE_BUCKETS;
    const int64_t now = ann_clock_ns();
    if (rate->buckets[i].who != hash || rate->buckets[i].then_ns == 0) {
        rate->buckets[i].who = hash;
        rate->buckets[i].tokens = ANNI_RATE_PER_S;
    } else {
        rate->buckets[i].tokens += (double)(now - rate->buckets[i].then_ns) * 1e-9 * ANNI_RATE_PER_S;
        if (rate->buckets[i].tokens > ANNI_RATE_PER_S) rate->buckets[i].tokens = ANNI_RATE_PER_S;
    }
    rate->buckets[i].then_ns = now;
    if (rate->buckets[i].tokens < 1) return false;
    rate->buckets[i].tokens -= 1;
    return true;
}

#include "base/philox.h"

#include <math.h>

double ann_random_normal(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t element) {
    static const double two_pi = 6.283185307179586476925;
    const double u = ann_random_uniform(seed, stream, sample, 2 * element);
    const double v = ann_random_uniform(seed, stream, sample, 2 * element + 1);
    return sqrt(-2.0 * log(1.0 - u)) * cos(two_pi * v); /* 1 - u is in (0, 1] */
}

/* The round function; one Philox call has the words of four rounds. */
static uint32_t feistel_word(uint64_t seed, uint32_t stream, uint64_t epoch, int round, uint32_t half) {
    const uint64_t key = seed + (uint64_t)(round >> 2) * 0x5851F42D4C957F2Du;
    return ann_philox(key, epoch, ((uint64_t)stream << 32) | half).v[round & 3];
}

uint64_t ann_permute_index(uint64_t seed, uint32_t stream, uint64_t epoch, uint64_t n, uint64_t index) {
    if (n < 2) return 0;
    const int bits = 64 - __builtin_clzll(n - 1);
    const int half_bits = bits < 8 ? 4 : (bits + 1) / 2;
    const int rounds = half_bits < 8 ? 16 : 6; /* few values per half need more rounds to mix */
    const uint32_t mask = (uint32_t)(((uint64_t)1 << half_bits) - 1);
    do { /* walk along the cycle until it is inside 0..n-1 again */
        uint32_t left = (uint32_t)(index >> half_bits), right = (uint32_t)index & mask;
        for (int round = 0; round < rounds; round++) {
            const uint32_t next = left ^ (feistel_word(seed, stream, epoch, round, right) & mask);
            left = right;
            right = next;
        }
        index = ((uint64_t)left << half_bits) | right;
    } while (index >= n);
    return index;
}

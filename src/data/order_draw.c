#include "data/order_draw.h"

#include <math.h>
#include <stdlib.h>
#include "base/philox.h"

__extension__ typedef unsigned __int128 wide;

/* [0, 2^64) to [0, n) */
static int64_t scale(uint32_t high, uint32_t low, int64_t n) {
    const uint64_t word = (uint64_t)high << 32 | low;
    return (int64_t)((wide)word * (uint64_t)n >> 64);
}

int64_t anni_pick(uint64_t seed, uint32_t stream, uint64_t key, int64_t n) {
    const ann_philox4 r = ann_philox(seed, key, (uint64_t)stream << 32);
    return scale(r.v[1], r.v[0], n);
}

/* The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
   2014) over a Weyl sequence: the words of a generator whose start is keyed by Philox. */
static uint64_t word_of(const uint64_t key[2], uint64_t i) {
    uint64_t z = (key[0] ^ i) + key[1] * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int64_t shuffle_few(const uint64_t key[2], int64_t n, int64_t index) {
    uint8_t items[64] = {0};
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t j = (uint32_t)((word_of(key, i) >> 32) * (i + 1) >> 32);
        items[i] = items[j];
        items[j] = (uint8_t)i;
    }
    return items[index];
}

int64_t anni_permute(uint64_t seed, uint32_t stream, uint64_t key, int64_t n, int64_t index) {
    enum { FEW = 64, ROUNDS = 12 };
    const ann_philox4 r = ann_philox(seed, key, (uint64_t)stream << 32);
    const uint64_t keys[2] = {(uint64_t)r.v[1] << 32 | r.v[0], (uint64_t)r.v[3] << 32 | r.v[2] | 1};
    if (n <= FEW) return shuffle_few(keys, n, index);
    const int bits = 64 - __builtin_clzll((uint64_t)n - 1), half_bits = (bits + 1) / 2;
    const uint64_t mask = ((uint64_t)1 << half_bits) - 1;
    uint64_t at = (uint64_t)index;
    do { /* walk along the cycle until it is inside 0..n-1 again */
        uint64_t left = at >> half_bits, right = at & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            const uint64_t next = left ^ (word_of(keys, round << 32 | right) & mask);
            left = right;
            right = next;
        }
        at = left << half_bits | right;
    } while (at >= (uint64_t)n);
    return (int64_t)at;
}

/* ---- strata ---- */

static ann_status check_strata(const ann_order_options *o) {
    if (o->strata < 1 || o->stratum == NULL) return ann_error(ANN_ERR_ARG, "order: there are no strata");
    for (int64_t i = 0; i < o->samples; i++) {
        if (o->stratum[i] < 0 || o->stratum[i] >= o->strata) {
            return ann_error(ANN_ERR_ARG, "order: sample %lld is in stratum %d of %d", (long long)i,
                             (int)o->stratum[i], o->strata);
        }
    }
    return ANN_OK;
}

/* Running sums: sizes of the strata from the samples, then the shares. */
static ann_status sum_up(anni_strata *s, const ann_order_options *o) {
    enum { LARGEST = 1 << 30 };
    for (int64_t i = 0; i < o->samples; i++) s->first[o->stratum[i] + 1]++;
    for (int k = 0; k < s->count; k++) {
        const int64_t size = s->first[k + 1];
        const int64_t share = o->shares != NULL ? o->shares[k] : size > 0;
        if (share < 0 || share > LARGEST) {
            return ann_error(ANN_ERR_ARG, "order: share %lld of stratum %d, accepted: 0 to %d",
                             (long long)share, k, (int)LARGEST);
        }
        if (share > 0 && size == 0) {
            return ann_error(ANN_ERR_ARG, "order: stratum %d has a share of %lld and no samples", k,
                             (long long)share);
        }
        s->share[k + 1] = s->share[k] + share;
        s->first[k + 1] += s->first[k];
    }
    s->round = s->share[s->count];
    return s->round > 0 ? ANN_OK : ann_error(ANN_ERR_ARG, "order: all shares are 0");
}

ann_status anni_strata_init(anni_strata *s, const ann_order_options *o) {
    ANN_TRY(check_strata(o));
    const size_t sums = (size_t)o->strata + 1;
    *s = (anni_strata){.count = o->strata,
                       .share = calloc(sums, sizeof *s->share),
                       .first = calloc(sums, sizeof *s->first),
                       .samples = calloc((size_t)o->samples, sizeof *s->samples)};
    int64_t *next = calloc(sums, sizeof *next);
    ann_status status = s->share && s->first && s->samples && next
                            ? sum_up(s, o)
                            : ann_error(ANN_ERR_MEMORY, "order: out of memory");
    if (status == ANN_OK) {
        for (int k = 0; k < s->count; k++) next[k] = s->first[k];
        for (int64_t i = 0; i < o->samples; i++) s->samples[next[o->stratum[i]]++] = i;
    }
    free(next);
    return status;
}

void anni_strata_fini(anni_strata *s) {
    free(s->share);
    free(s->first);
    free(s->samples);
    *s = (anni_strata){0};
}

/* The stratum of a draw: the last one whose draws start at or before it, and that has any. */
static int stratum_of(const anni_strata *s, int64_t draw) {
    int low = 0, high = s->count;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (s->share[middle] <= draw) low = middle;
        else high = middle;
    }
    return low;
}

void anni_strata_at(const anni_strata *s, uint64_t seed, int64_t position, int64_t *epoch, int64_t *sample) {
    const int64_t round = position / s->round;
    const int64_t draw =
        anni_permute(seed, ANN_STREAM_STRATA, (uint64_t)round, s->round, position % s->round);
    const int k = stratum_of(s, draw);
    const int64_t share = s->share[k + 1] - s->share[k], size = s->first[k + 1] - s->first[k];
    const int64_t nth = round * share + draw - s->share[k]; /* of the stratum's stream */
    *epoch = nth / size;
    const uint64_t key = (uint64_t)*epoch * (uint64_t)s->count + (uint64_t)k;
    *sample = s->samples[s->first[k] + anni_permute(seed, ANN_STREAM_STREAM, key, size, nth % size)];
}

/* ---- weights ---- */

static ann_status sum_weights(double *sum, const float *weights, int64_t count) {
    *sum = 0;
    if (weights == NULL) return ann_error(ANN_ERR_ARG, "order: there are no weights");
    for (int64_t i = 0; i < count; i++) {
        if (!(isfinite(weights[i]) && weights[i] >= 0)) {
            return ann_error(ANN_ERR_ARG, "order: the weight of sample %lld is %g, accepted: 0 or more",
                             (long long)i, (double)weights[i]);
        }
        *sum += (double)weights[i];
    }
    return *sum > 0 ? ANN_OK : ann_error(ANN_ERR_ARG, "order: all weights are 0");
}

/* Fills each column that has less than its fill from one that has more. work[0..small) are the columns with
   less, work[large..count) those with more. What rounding leaves over keeps itself, unless it has no weight.
 */
static void fill_columns(anni_alias *a, int64_t *work, const float *weights) {
    int64_t small = 0, large = a->count, heaviest = 0;
    for (int64_t i = 0; i < a->count; i++) {
        if (weights[i] > weights[heaviest]) heaviest = i;
        if (a->keep[i] < 1) work[small++] = i;
        else work[--large] = i;
    }
    while (small > 0 && large < a->count) {
        const int64_t poor = work[--small], rich = work[large];
        a->alias[poor] = rich;
        a->keep[rich] -= 1 - a->keep[poor];
        if (a->keep[rich] < 1) {
            large++;
            work[small++] = rich;
        }
    }
    for (; large < a->count; large++) a->keep[work[large]] = 1;
    while (small > 0) {
        const int64_t left = work[--small];
        a->keep[left] = weights[left] > 0 ? 1 : 0;
        a->alias[left] = heaviest;
    }
}

ann_status anni_alias_init(anni_alias *a, const float *weights, int64_t count) {
    double sum;
    ANN_TRY(sum_weights(&sum, weights, count));
    *a = (anni_alias){.count = count,
                      .keep = calloc((size_t)count, sizeof *a->keep),
                      .alias = calloc((size_t)count, sizeof *a->alias)};
    int64_t *work = calloc((size_t)count, sizeof *work);
    const bool good = a->keep && a->alias && work;
    if (good) {
        for (int64_t i = 0; i < count; i++) a->keep[i] = (double)weights[i] * ((double)count / sum);
        fill_columns(a, work, weights);
    }
    free(work);
    return good ? ANN_OK : ann_error(ANN_ERR_MEMORY, "order: out of memory");
}

void anni_alias_fini(anni_alias *a) {
    free(a->keep);
    free(a->alias);
    *a = (anni_alias){0};
}

int64_t anni_alias_draw(const anni_alias *a, uint64_t seed, int64_t position) {
    const ann_philox4 r = ann_philox(seed, (uint64_t)position, (uint64_t)ANN_STREAM_DRAW << 32);
    const int64_t column = scale(r.v[1], r.v[0], a->count);
    const double level = (double)(((uint64_t)r.v[3] << 32 | r.v[2]) >> 11) * 0x1p-53;
    return level < a->keep[column] ? column : a->alias[column];
}

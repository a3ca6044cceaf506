/* Philox4x32-10, the counter-based random number generator of Salmon, Moraes, Dror, Shaw, "Parallel random
   numbers: as easy as 1, 2, 3", SC11. It has no state: a draw is a pure function of (seed; step, stream,
   sample, element), so it does not depend on the number of ranks or threads, on restarts or on the order of
   evaluation. */
#ifndef ANN_BASE_PHILOX_H
#define ANN_BASE_PHILOX_H

#include <stdint.h>

/* Streams that are not drawn from a name: those of the data order and of augmentation. */
#define ANN_STREAM_ORDER 0x0D0Eu           /* the order of an epoch */
#define ANN_STREAM_SPLIT 0x5B17u           /* which samples a split takes */
#define ANN_STREAM_SUBSET 0x5B5Eu          /* which samples a limited dataset holds */
#define ANN_STREAM_BLOCKS 0x0B10u          /* the order of blocks in an epoch */
#define ANN_STREAM_SHORT 0x0B11u           /* where in it the short block comes */
#define ANN_STREAM_WINDOW 0x0B12u          /* the order of samples in a window */
#define ANN_STREAM_STRATA 0x57A7u          /* which stratum a position draws from */
#define ANN_STREAM_STREAM 0x57A8u          /* the order of the samples of a stratum */
#define ANN_STREAM_DRAW 0x3EEDu            /* draws by weight */
#define ANN_STREAM_AUGMENT 0xA06Au         /* parameters of augmentation */
#define ANN_STREAM_AUGMENT_ELEMENT 0xA06Bu /* its numbers per element */
#define ANN_STREAM_MIXUP 0xA06Cu           /* partners and shares */
#define ANN_STREAM_TRANSFORM 0xA06Du       /* keys of the ops that make a dataset of another one */
#define ANN_STREAM_JUDGE 0x10D6u           /* where iterations of a judge of features begin */

typedef struct ann_philox4 {
    uint32_t v[4];
} ann_philox4;

static inline ann_philox4 ann_philox(uint64_t key, uint64_t counter_lo, uint64_t counter_hi) {
    uint32_t c0 = (uint32_t)counter_lo, c1 = (uint32_t)(counter_lo >> 32);
    uint32_t c2 = (uint32_t)counter_hi, c3 = (uint32_t)(counter_hi >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (ann_philox4){{c0, c1, c2, c3}};
}

/* The draw for element `element` of sample `sample`: a 32-bit word. `stream` separates uses (each dropout
   layer, the initialiser of each tensor, the epoch's order ...). Consecutive elements share one Philox call
   in groups of four. */
static inline uint32_t ann_random_u32(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t element) {
    const uint64_t hi = ((uint64_t)stream << 32) | (uint32_t)(element >> 2);
    return ann_philox(seed, sample, hi).v[element & 3];
}

/* Uniform in [0, 1) with 24 random bits: exact in float and double. */
static inline double ann_uniform_from_u32(uint32_t word) { return (double)(word >> 8) * 0x1p-24; }
static inline double ann_random_uniform(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t element) {
    return ann_uniform_from_u32(ann_random_u32(seed, stream, sample, element));
}

/* Standard normal by Box and Muller (1958) from elements 2*element and 2*element+1. Defined in philox.c. */
double ann_random_normal(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t element);

/* A keyed permutation of 0..n-1 (balanced Feistel network over Philox rounds with cycle walking; Black and
   Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002): the image of `index`, in O(1), without a
   table. n in 1..2^62. */
uint64_t ann_permute_index(uint64_t seed, uint32_t stream, uint64_t epoch, uint64_t n, uint64_t index);

#endif

/* The loops of sum.h: plain C for the vectorizer. */
#include <string.h>
#include "kernel/half.h"
#include "kernel/simd.h"
#include "kernel/sum_loops.h"

enum { BLOCK = 512 }; /* elements that are summed up at a time, on the stack */

static inline float add_of_f32(float a, float b) { return a + b; }
static inline double add_of_f64(double a, double b) { return a + b; }
static inline uint64_t add_of_i64(uint64_t a, uint64_t b) { return a + b; } /* unsigned: overflow wraps */

/* For one element type T with its addition: dst += src; out = a + b; the sum of n_src sources by a tree, a
   block at a time; and what ann_sum_kernels wants of them. */
#define SUM_LOOPS(T, suffix)                                                                                 \
    static void add_##suffix(void *dst, const void *src, int64_t n) {                                        \
        T *restrict d = dst;                                                                                 \
        const T *restrict s = src;                                                                           \
        for (int64_t i = 0; i < n; i++) d[i] = add_of_##suffix(d[i], s[i]);                                  \
    }                                                                                                        \
    static void pair_##suffix(T *out, const T *a, const T *b, int64_t n) {                                   \
        for (int64_t i = 0; i < n; i++) out[i] = add_of_##suffix(a[i], b[i]);                                \
    }                                                                                                        \
    static void block_##suffix(T *out, const void *const *src, int n_src, int64_t at, int64_t n) {           \
        T right[BLOCK];                                                                                      \
        int half = 1;                                                                                        \
        while (half * 2 < n_src) half *= 2;                                                                  \
        if (n_src == 1) {                                                                                    \
            memcpy(out, (const T *)src[0] + at, (size_t)n * sizeof(T));                                      \
        } else if (n_src == 2) {                                                                             \
            pair_##suffix(out, (const T *)src[0] + at, (const T *)src[1] + at, n);                           \
        } else {                                                                                             \
            block_##suffix(out, src, half, at, n);                                                           \
            block_##suffix(right, src + half, n_src - half, at, n);                                          \
            pair_##suffix(out, out, right, n);                                                               \
        }                                                                                                    \
    }                                                                                                        \
    static void both_##suffix(T *a, T *b, int64_t n) {                                                       \
        for (int64_t i = 0; i < n; i++) a[i] = b[i] = add_of_##suffix(a[i], b[i]);                           \
    }                                                                                                        \
    static void tree_##suffix(void *const *dst, int n_dst, const void *const *src, int n_src, int64_t n) {   \
        T sum[BLOCK];                                                                                        \
        if (n_dst == 2 && n_src == 2 && dst[0] == src[0] && dst[1] == src[1] && src[0] != src[1]) {          \
            both_##suffix(dst[0], dst[1], n);                                                                \
            return;                                                                                          \
        }                                                                                                    \
        for (int64_t at = 0; at < n; at += BLOCK) {                                                          \
            const int64_t here = n - at < BLOCK ? n - at : BLOCK;                                            \
            block_##suffix(sum, src, n_src, at, here);                                                       \
            for (int d = 0; d < n_dst; d++) memcpy((T *)dst[d] + at, sum, (size_t)here * sizeof(T));         \
        }                                                                                                    \
    }

SUM_LOOPS(float, f32)
SUM_LOOPS(double, f64)
SUM_LOOPS(uint64_t, i64)

/* An exponent of ones is that of infinities and NaNs. */
static bool finite_f32(const void *data, int64_t n) {
    const uint32_t *bits = data;
    uint32_t found = 0;
    for (int64_t i = 0; i < n; i++) found |= (bits[i] & 0x7f800000u) == 0x7f800000u;
    return found == 0;
}

static bool finite_f64(const void *data, int64_t n) {
    const uint64_t *bits = data;
    uint64_t found = 0;
    for (int64_t i = 0; i < n; i++) found |= (bits[i] & 0x7ff0000000000000u) == 0x7ff0000000000000u;
    return found == 0;
}

static void to_bf16(uint16_t *restrict out, const float *restrict in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = anni_bf16_of(in[i]);
}

static void from_bf16(float *restrict out, const uint16_t *restrict in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = anni_of_bf16(in[i]);
}

static void to_f16(uint16_t *restrict out, const float *restrict in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = anni_f16_of(in[i]);
}

static void from_f16(float *restrict out, const uint16_t *restrict in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = anni_of_f16(in[i]);
}

const anni_sum_loops ANNI_SIMD(anni_sum_loops) = {.f32 = {add_f32, tree_f32},
                                                  .f64 = {add_f64, tree_f64},
                                                  .i64 = {add_i64, tree_i64},
                                                  .finite_f32 = finite_f32,
                                                  .finite_f64 = finite_f64,
                                                  .to_bf16 = to_bf16,
                                                  .from_bf16 = from_bf16,
                                                  .to_f16 = to_f16,
                                                  .from_f16 = from_f16};

/* dst += src, the ring's only arithmetic. Each element is one addition, so the result does not depend on the
   instruction set. */
#include "comm/internal.h"

static void add_f32(void *dst, const void *src, int64_t n) {
    float *restrict d = dst;
    const float *restrict s = src;
    for (int64_t i = 0; i < n; i++) d[i] += s[i];
}

static void add_f64(void *dst, const void *src, int64_t n) {
    double *restrict d = dst;
    const double *restrict s = src;
    for (int64_t i = 0; i < n; i++) d[i] += s[i];
}

/* Unsigned, so that overflow wraps instead of being undefined. */
static void add_i64(void *dst, const void *src, int64_t n) {
    uint64_t *restrict d = dst;
    const uint64_t *restrict s = src;
    for (int64_t i = 0; i < n; i++) d[i] += s[i];
}

anni_add_fn anni_add_for(ann_dtype dtype) {
    if (dtype == ANN_F32) return add_f32;
    if (dtype == ANN_F64) return add_f64;
    if (dtype == ANN_I64) return add_i64;
    return NULL;
}

/* Chooses the loops of this processor. */
#include "kernel/sum_loops.h"
#include "kernel/kernel.h"

static const anni_sum_loops *loops(void) {
#if defined(__x86_64__)
    if (ann_cpu() == ANN_CPU_AVX512) return &anni_sum_loops_avx512;
    if (ann_cpu() == ANN_CPU_AVX2) return &anni_sum_loops_avx2;
#endif
    return &anni_sum_loops_base;
}

const ann_sum_kernels *ann_sum_kernels_for(ann_dtype dtype) {
    if (dtype == ANN_F32) return &loops()->f32;
    if (dtype == ANN_F64) return &loops()->f64;
    if (dtype == ANN_I64) return &loops()->i64;
    return NULL;
}

bool ann_all_finite(const void *data, int64_t elems, ann_dtype dtype) {
    if (dtype == ANN_F32) return loops()->finite_f32(data, elems);
    if (dtype == ANN_F64) return loops()->finite_f64(data, elems);
    return true;
}

void ann_to_bf16(uint16_t *out, const float *in, int64_t n) { loops()->to_bf16(out, in, n); }
void ann_from_bf16(float *out, const uint16_t *in, int64_t n) { loops()->from_bf16(out, in, n); }
void ann_to_f16(uint16_t *out, const float *in, int64_t n) { loops()->to_f16(out, in, n); }
void ann_from_f16(float *out, const uint16_t *in, int64_t n) { loops()->from_f16(out, in, n); }

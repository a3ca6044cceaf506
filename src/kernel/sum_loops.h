/* The loops behind sum.h, one set for each instruction set. Private to src/kernel. */
#ifndef ANN_KERNEL_SUM_LOOPS_H
#define ANN_KERNEL_SUM_LOOPS_H

#include "kernel/sum.h"

typedef struct anni_sum_loops {
    ann_sum_kernels f32, f64, i64;
    bool (*finite_f32)(const void *data, int64_t n);
    bool (*finite_f64)(const void *data, int64_t n);
    void (*to_bf16)(uint16_t *out, const float *in, int64_t n);
    void (*from_bf16)(float *out, const uint16_t *in, int64_t n);
    void (*to_f16)(uint16_t *out, const float *in, int64_t n);
    void (*from_f16)(float *out, const uint16_t *in, int64_t n);
} anni_sum_loops;

extern const anni_sum_loops anni_sum_loops_base, anni_sum_loops_avx2, anni_sum_loops_avx512;

#endif

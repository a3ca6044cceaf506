/* Elementwise loops over short arrays of floats, one per op: out[i] = op(a[i], b[i], c[i], d[i]). The
   building blocks of the elementwise kernels and of the fused loop. out may be one of the operands; operands
   that an op does not have must still be readable (pass a). Private to src/kernel. */
#ifndef ANN_KERNEL_LOOPS_H
#define ANN_KERNEL_LOOPS_H

#include "graph/op.h"

typedef void (*anni_loop_fn)(float *out, const float *a, const float *b, const float *c, const float *d,
                             int64_t n);

/* Combinations that the fused loop makes of two or three instructions, numbered behind the ops. */
enum {
    ANNI_LOOP_MUL_ADD = ANN_OP_COUNT, /* a * b + c */
    ANNI_LOOP_MUL_SUB,                /* a * b - c */
    ANNI_LOOP_SUB_MUL,                /* c - a * b */
    ANNI_LOOP_SUB_DIV,                /* c - a / b */
    ANNI_LOOP_SUB_MUL_DIV,            /* c - a * d / b */
    ANNI_LOOP_STEP_MUL,               /* step(a) * b */
    ANNI_LOOP_SQRT_MUL_ADD,           /* sqrt(a) * b + c */
    ANNI_LOOP_BLEND,                  /* a * b + c * d */
    ANNI_LOOP_COUNT
};

/* NULL if `op` has no loop. One function per instruction set. */
anni_loop_fn anni_loop_base(int op);
anni_loop_fn anni_loop_avx2(int op);
anni_loop_fn anni_loop_avx512(int op);

/* out[i] = (float)in[i]. */
void anni_to_float_base(float *out, const void *in, ann_dtype dtype, int64_t n);
void anni_to_float_avx2(float *out, const void *in, ann_dtype dtype, int64_t n);
void anni_to_float_avx512(float *out, const void *in, ann_dtype dtype, int64_t n);

#endif

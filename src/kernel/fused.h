/* The fused elementwise loop: a short straight-line program over rows of elements, made by the fuse pass.

   Registers 0..n_in-1 are the inputs; instruction i writes register n_in + i. The loop space is [outer,
   inner] elements (outer * inner = number of elements of the output). Results: the last value, if has_value,
   goes to call->out; each store writes a register to memory. All arithmetic is in `dtype` (f32 or f64);
   inputs of other dtypes (u8, i32, i64) are converted when loaded. A memory target may be the same memory as
   a FULL input: element i is read before it is written. */
#ifndef ANN_KERNEL_FUSED_H
#define ANN_KERNEL_FUSED_H

#include "graph/op.h"

#define ANN_FUSED_MAX_IN 16
#define ANN_FUSED_MAX_CODE 48
#define ANN_FUSED_MAX_STORE 4

typedef enum ann_access {
    ANN_ACCESS_FULL,   /* element [o, i] */
    ANN_ACCESS_SCALAR, /* one element for all */
    ANN_ACCESS_ROW,    /* element i: the same row for each o (a bias) */
    ANN_ACCESS_COL     /* element o: one per row */
} ann_access;

typedef struct ann_fused_instr {
    ann_op op;       /* an elementwise math op (NEG .. SELECT) */
    int16_t a, b, c; /* registers; unused ones are -1 */
} ann_fused_instr;

typedef struct ann_fused {
    ann_dtype dtype;
    int64_t outer, inner;
    int16_t n_in, n_code, n_store;
    bool has_value;
    ann_access access[ANN_FUSED_MAX_IN];
    ann_fused_instr code[ANN_FUSED_MAX_CODE];
    struct {
        int16_t reg;
        int16_t in;
    } store[ANN_FUSED_MAX_STORE]; /* register `reg` is written over the memory of input `in` (FULL) */
    int16_t value;                /* register that goes to call->out, if has_value */
} ann_fused;

#endif

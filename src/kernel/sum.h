/* Arithmetic of reductions over ranks: sums, conversions to what travels, and the search for what is not a
   finite number. Each element is computed alone, so results do not depend on the instruction set. Local. */
#ifndef ANN_KERNEL_SUM_H
#define ANN_KERNEL_SUM_H

#include "tensor/tensor.h"

/* For one dtype. */
typedef struct ann_sum_kernels {
    /* dst += src */
    void (*add)(void *dst, const void *src, int64_t n);
    /* Each of the n_dst destinations, of which some may be sources, becomes the sum of the n_src sources,
       added up by a binary tree: the first 2^k of them, the largest such power below n_src, then the others,
       then both. */
    void (*tree)(void *const *dst, int n_dst, const void *const *src, int n_src, int64_t n);
} ann_sum_kernels;

/* f32, f64 and i64 (which wraps); NULL for others. Chosen once for this processor. */
const ann_sum_kernels *ann_sum_kernels_for(ann_dtype dtype);

/* Whether all elements are finite numbers; true for integers. */
bool ann_all_finite(const void *data, int64_t elems, ann_dtype dtype);

/* Round to nearest, ties to even; NaN stays NaN. */
void ann_to_bf16(uint16_t *out, const float *in, int64_t n);
void ann_from_bf16(float *out, const uint16_t *in, int64_t n);
/* IEEE binary16; what is too large becomes infinite. */
void ann_to_f16(uint16_t *out, const float *in, int64_t n);
void ann_from_f16(float *out, const uint16_t *in, int64_t n);

#endif

/* The extents of a matmul call. Private to src/kernel. */
#ifndef ANN_KERNEL_MATMUL_SHAPE_H
#define ANN_KERNEL_MATMUL_SHAPE_H

#include "kernel/kernel.h"

typedef struct anni_matmul_shape {
    int64_t batch, m, n, k;
    bool trans_a, trans_b;
    int64_t lda, ldb; /* row lengths of a and b as stored */
    int64_t a_at;     /* the element of a's where the first row begins; more than 0 only without a batch */
} anni_matmul_shape;

static inline anni_matmul_shape anni_matmul_shape_of(const ann_kernel_call *call) {
    const ann_shape *a = &call->in_shape[0], *out = &call->out_shape;
    const int first = out->rank - 2;
    anni_matmul_shape s = {.batch = first == 1 ? out->dim[0] : 1,
                           .m = out->dim[first],
                           .n = out->dim[first + 1],
                           .trans_a = call->attrs->matmul.trans_a,
                           .trans_b = call->attrs->matmul.trans_b};
    s.k = a->dim[s.trans_a ? first : first + 1];
    s.lda = a->dim[first + 1];
    s.a_at = call->attrs->matmul.first_row * (s.trans_a ? 1 : s.k);
    s.ldb = s.trans_b ? s.k : s.n;
    return s;
}

#endif

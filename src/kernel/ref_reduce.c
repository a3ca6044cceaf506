/* Reference kernels of reductions. f32 sums accumulate in double. */
#include <math.h>

#include "kernel/kernels.h"
#include "kernel/ref.h"

typedef double (*combine_fn)(double accumulator, double x);

static double plus(double accumulator, double x) { return accumulator + x; }
static double larger(double accumulator, double x) { return x > accumulator || isnan(x) ? x : accumulator; }

/* For each output element: one walk over the reduced axes. An empty reduction gives `identity`. */
static void reduce(const ann_kernel_call *call, double identity, combine_fn combine) {
    const ann_shape *in = &call->in_shape[0];
    int64_t stride[ANN_MAX_RANK], reduced[ANN_MAX_RANK] = {0};
    ann_shape_strides(stride, in);
    int64_t terms = 1;
    for (int i = 0; i < in->rank; i++) {
        reduced[i] = call->attrs->reduce.axes >> i & 1 ? in->dim[i] : 1;
        terms *= reduced[i];
    }
    const int64_t n = ann_shape_elems(&call->out_shape);
    int64_t out_index[ANN_MAX_RANK] = {0};
    for (int64_t o = 0; o < n; o++, anni_next_index(out_index, call->out_shape.dim, in->rank)) {
        const int64_t base = anni_offset(out_index, stride, in->rank);
        double accumulator = identity;
        int64_t index[ANN_MAX_RANK] = {0};
        for (int64_t t = 0; t < terms; t++, anni_next_index(index, reduced, in->rank))
            accumulator = combine(accumulator, anni_in(call, 0, base + anni_offset(index, stride, in->rank)));
        anni_out(call, o, accumulator);
    }
}

static ann_status reduce_sum(const ann_kernel_call *call) {
    reduce(call, 0.0, plus);
    return ANN_OK;
}

static ann_status reduce_max(const ann_kernel_call *call) {
    reduce(call, -(double)INFINITY, larger);
    return ANN_OK;
}

/* The first of equals; a NaN counts as larger than every number. */
static ann_status argmax(const ann_kernel_call *call) {
    int32_t *out = call->out;
    const int64_t rows = anni_rows(&call->in_shape[0]), k = anni_last(&call->in_shape[0]);
    for (int64_t r = 0; r < rows; r++) {
        int64_t best = 0;
        for (int64_t j = 1; j < k; j++) {
            const double x = anni_in(call, 0, r * k + j), y = anni_in(call, 0, r * k + best);
            if (x > y || (isnan(x) && !isnan(y))) best = j;
        }
        out[r] = (int32_t)best;
    }
    return ANN_OK;
}

const ann_kernel anni_kernel_reduce_sum_ref = {.name = "reduce_sum.ref", .run = reduce_sum};
const ann_kernel anni_kernel_reduce_max_ref = {.name = "reduce_max.ref", .run = reduce_max};
const ann_kernel anni_kernel_argmax_ref = {.name = "argmax.ref", .run = argmax};

/* Reference kernels of ops that make values: fill, rand, one_hot. */
#include "kernel/kernels.h"
#include "kernel/ref.h"
#include "base/philox.h"

static ann_status fill(const ann_kernel_call *call) {
    const int64_t n = ann_shape_elems(&call->out_shape);
    for (int64_t i = 0; i < n; i++) anni_store_any(call->out, call->out_dtype, i, call->attrs->fill.value);
    return ANN_OK;
}

static ann_status draw(const ann_kernel_call *call) {
    const int64_t *ids = call->in[0];
    const uint64_t seed = call->attrs->rand.seed;
    const uint32_t stream = call->attrs->rand.stream;
    const int64_t rows = call->out_shape.dim[0];
    const int64_t elems = rows > 0 ? ann_shape_elems(&call->out_shape) / rows : 0;
    for (int64_t b = 0; b < rows; b++)
        for (int64_t e = 0; e < elems; e++) {
            const uint64_t sample = (uint64_t)ids[b], element = (uint64_t)e;
            anni_out(call, b * elems + e,
                     call->attrs->rand.kind == ANN_RAND_NORMAL
                         ? ann_random_normal(seed, stream, sample, element)
                         : ann_random_uniform(seed, stream, sample, element));
        }
    return ANN_OK;
}

static ann_status one_hot(const ann_kernel_call *call) {
    const int32_t *index = call->in[0];
    const int64_t rows = anni_rows(&call->out_shape), k = anni_last(&call->out_shape);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < k; j++)
            anni_store_any(call->out, call->out_dtype, r * k + j, index[r] == j ? 1.0 : 0.0);
    return ANN_OK;
}

const ann_kernel anni_kernel_fill_ref = {.name = "fill.ref", .run = fill};
const ann_kernel anni_kernel_rand_ref = {.name = "rand.ref", .run = draw};
const ann_kernel anni_kernel_one_hot_ref = {.name = "one_hot.ref", .run = one_hot};

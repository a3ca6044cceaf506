#include "method/product.h"

#include <inttypes.h>
#include "base/mem.h"
#include "kernel/kernel.h"

/* Runs a call whose kernel is prepared. */
static ann_status run(const ann_kernel *kernel, ann_kernel_call *call) {
    const size_t bytes = kernel->scratch_bytes != NULL ? kernel->scratch_bytes(call) : 0;
    if (bytes > 0) ANN_TRY(ann_mem_alloc(&call->scratch, bytes));
    const ann_status status = kernel->run(call);
    if (bytes > 0) ann_mem_free(call->scratch, bytes);
    return status;
}

ann_status anni_product(double *out, anni_factor a, anni_factor b, int threads) {
    const int64_t inner = a.transposed ? a.rows : a.columns;
    if (inner != (b.transposed ? b.columns : b.rows))
        return ann_error(ANN_ERR_SHAPE,
                         "a product of matrices of which one has %" PRId64 " columns, the other other rows",
                         inner);
    const ann_attrs attrs = {.matmul = {.trans_a = a.transposed, .trans_b = b.transposed}};
    const ann_shape shapes[2] = {ANN_SHAPE(a.rows, a.columns), ANN_SHAPE(b.rows, b.columns)};
    const ann_dtype dtypes[2] = {ANN_F64, ANN_F64};
    const void *in[2] = {a.data, b.data};
    ann_kernel_call call = {
        .op = ANN_OP_MATMUL,
        .attrs = &attrs,
        .n_in = 2,
        .in = in,
        .in_shape = shapes,
        .in_dtype = dtypes,
        .out_shape = ANN_SHAPE(a.transposed ? a.columns : a.rows, b.transposed ? b.rows : b.columns),
        .out_dtype = ANN_F64,
        .threads = threads > 0 ? threads : 1,
    };
    call.out = out;
    const ann_kernel *kernel = ann_kernel_select(&call, ANN_KERNEL_FAST);
    if (kernel->prepare != NULL) ANN_TRY(kernel->prepare(&call));
    const ann_status status = run(kernel, &call);
    if (kernel->release != NULL) kernel->release(call.state);
    return status;
}

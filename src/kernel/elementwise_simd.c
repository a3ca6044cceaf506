/* Single elementwise ops and casts to f32: memory-bound loops, split over threads at cache lines. */
#include "base/mem.h"
#include "kernel/kernels.h"
#include "kernel/loops.h"
#include "kernel/parallel.h"
#include "kernel/simd.h"

enum { LINE_ELEMS = ANN_ALIGN_BYTES / (int)sizeof(float) };

static void elementwise_part(const void *task, int part, int parts) {
    const ann_kernel_call *call = task;
    const float *a = call->in[0], *b = call->n_in > 1 ? call->in[1] : a,
                *c = call->n_in > 2 ? call->in[2] : a;
    int64_t lo, hi;
    anni_share(&lo, &hi, ann_shape_elems(&call->out_shape), LINE_ELEMS, part, parts);
    if (hi > lo)
        ANNI_SIMD(anni_loop)((int)call->op)((float *)call->out + lo, a + lo, b + lo, c + lo, a + lo, hi - lo);
}

static ann_status elementwise(const ann_kernel_call *call) {
    const int64_t bytes = ann_shape_elems(&call->out_shape) * 4 * (call->n_in + 1);
    anni_parallel(anni_parts(call->threads, bytes), elementwise_part, call);
    return ANN_OK;
}

static bool elementwise_accepts(const ann_kernel_call *call) {
    for (int i = 0; i < call->n_in; i++)
        if (call->in_dtype[i] != ANN_F32) return false;
    return anni_simd_here() && ANNI_SIMD(anni_loop)((int)call->op) != NULL;
}

static void cast_part(const void *task, int part, int parts) {
    const ann_kernel_call *call = task;
    const ann_dtype dtype = call->in_dtype[0];
    int64_t lo, hi;
    anni_share(&lo, &hi, ann_shape_elems(&call->out_shape), LINE_ELEMS, part, parts);
    const char *in = (const char *)call->in[0] + (size_t)lo * ann_dtype_bytes(dtype);
    ANNI_SIMD(anni_to_float)((float *)call->out + lo, in, dtype, hi - lo);
}

static ann_status cast(const ann_kernel_call *call) {
    anni_parallel(anni_parts(call->threads, ann_shape_elems(&call->out_shape) * 8), cast_part, call);
    return ANN_OK;
}

static bool cast_accepts(const ann_kernel_call *call) {
    (void)call;
    return anni_simd_here();
}

const ann_kernel ANNI_SIMD(anni_kernel_elementwise) = {
    .name = ANNI_SIMD_NAME("elementwise."), .accepts = elementwise_accepts, .run = elementwise};
const ann_kernel ANNI_SIMD(anni_kernel_cast) = {
    .name = ANNI_SIMD_NAME("cast."), .accepts = cast_accepts, .run = cast};
